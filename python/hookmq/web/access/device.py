"""How a browser is known in which somebody has logged in before.

Whoever tries passwords makes others wait, by the name and by the address. A browser that has logged in with
a name once is counted by itself, so its owner is not kept out by them (OWASP calls that a device cookie). It
lets nobody in: a password is needed all the same.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

__all__ = ["is_of", "signed"]

# Of a name that is not there, so that it takes as long.
_NOBODY = secrets.token_hex(32)


def signed(value: str, name: str, password: str) -> str:
    """Return a value that a browser keeps, with what proves that it was given to one of an account.

    ``password`` is the account's hash. That has a salt that nobody is told, so it is a key that need not be
    kept, and another password makes another one.

    >>> is_of(signed("x", "anna", "$argon2id$1"), "anna", "$argon2id$1")
    True
    """
    said = f"hookmq device\0{value}\0{name}".encode(errors="replace")
    return f"{value}.{hmac.new(password.encode(), said, hashlib.sha256).hexdigest()}"


def is_of(shown: str | None, name: str, password: str | None) -> bool:
    """Say whether a browser shows what one of an account was given; without a hash there is no account.

    >>> is_of(signed("x", "anna", "$argon2id$1"), "anna", "$argon2id$2"), is_of(None, "anna", None)
    (False, False)
    """
    value = (shown or "").partition(".")[0]
    expected = signed(value, name, password or _NOBODY)
    return hmac.compare_digest((shown or "").encode(), expected.encode()) and password is not None
