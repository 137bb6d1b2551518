"""The cookie of a session."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Cookie"]

_VALUE = re.compile(r"[A-Za-z0-9_-]{43}(?:\.[0-9a-f]{64})?")


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie by its name, and the path below which browsers send it.

    Browsers keep cookies by host, whatever the port: brokers on one machine need names of their own, or each
    login at one of them would be a logout from the other.

    >>> Cookie.of(8080, "/mqtt-broker")
    Cookie(name='hookmq_session_8080', path='/mqtt-broker')
    """

    name: str
    path: str = "/"

    @classmethod
    def of(cls, port: int | None, base: str = "") -> Cookie:
        """Return the one of a broker with this HTTP port, behind this base path."""
        return cls("hookmq_session" + (f"_{port}" if port is not None else ""), base or "/")

    def read(self, header: str | None) -> str | None:
        """Return what is in it from a Cookie header, if there is exactly one that can be.

        Two of the name are none: one was put there by somebody else, such as another port of this host.

        >>> cookie = Cookie("hookmq_session")
        >>> cookie.read("a=b; hookmq_session=" + "x" * 43) == "x" * 43
        True
        >>> twice = f"hookmq_session={'x' * 43}; hookmq_session={'y' * 43}"
        >>> cookie.read("hookmq_session=short"), cookie.read(twice), cookie.read(None)
        (None, None, None)
        """
        if not header:
            return None
        pairs = (part.partition("=") for part in header.split(";"))
        found = {value.strip().strip('"') for name, _, value in pairs if name.strip() == self.name}
        if len(found) != 1:
            return None
        (value,) = found
        return value if _VALUE.fullmatch(value) else None

    def make(self, secret: str, *, age: float, secure: bool) -> str:
        """Return the Set-Cookie header that gives it to a browser.

        >>> Cookie("hookmq_session_8080").make("abc", age=60, secure=True)
        'hookmq_session_8080=abc; Path=/; Max-Age=60; HttpOnly; SameSite=Strict; Secure'
        """
        kept = f"{self.name}={secret}; Path={self.path}; Max-Age={age:.0f}; HttpOnly; SameSite=Strict"
        return kept + "; Secure" * secure

    def expired(self, *, secure: bool) -> str:
        """Return the Set-Cookie header that lets a browser forget it."""
        return self.make("", age=0, secure=secure)
