"""The cookie of a session."""

from __future__ import annotations

import re

__all__ = ["NAME", "expired", "make", "read"]

NAME = "hookmq_session"
"""The name of the cookie."""

_VALUE = re.compile(r"[A-Za-z0-9_-]{43}")


def read(header: str | None) -> str | None:
    """Return the session's secret from a Cookie header, if there is exactly one that can be.

    Two of the name are none: one of them was put there by somebody else, such as another port of this host.

    >>> read("a=b; hookmq_session=" + "x" * 43) == "x" * 43
    True
    >>> read("hookmq_session=short"), read(f"{NAME}={'x' * 43}; {NAME}={'y' * 43}"), read(None)
    (None, None, None)
    """
    if not header:
        return None
    pairs = (part.partition("=") for part in header.split(";"))
    found = {value.strip().strip('"') for name, _, value in pairs if name.strip() == NAME}
    if len(found) != 1:
        return None
    (value,) = found
    return value if _VALUE.fullmatch(value) else None


def make(secret: str, *, age: float, secure: bool) -> str:
    """Return the Set-Cookie header that begins a session.

    >>> make("abc", age=60, secure=True)
    'hookmq_session=abc; Path=/; Max-Age=60; HttpOnly; SameSite=Strict; Secure'
    """
    return f"{NAME}={secret}; Path=/; Max-Age={age:.0f}; HttpOnly; SameSite=Strict" + "; Secure" * secure


def expired(*, secure: bool) -> str:
    """Return the Set-Cookie header that lets a browser forget its session."""
    return make("", age=0, secure=secure)
