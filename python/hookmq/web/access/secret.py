"""Secrets that are given out once, of which only a hash is kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets

__all__ = ["TOKEN_PREFIX", "digest", "make", "make_token", "same"]

TOKEN_PREFIX = "hmq_"
"""What every API token begins with, so that scanners of repositories find one that was published."""

_LONGEST = 200


def make() -> str:
    """Return 256 random bits as text for URLs and cookies.

    >>> len(make())
    43
    """
    return secrets.token_urlsafe(32)


def make_token() -> str:
    """Return a new API token."""
    return TOKEN_PREFIX + make()


def digest(secret: str) -> str:
    """Return what is kept of a secret. It needs no salt and no slow hash: nobody guesses 256 bits.

    >>> digest("secret")[:12]
    '2bb80d537b1d'
    """
    return hashlib.sha256(secret[:_LONGEST].encode(errors="replace")).hexdigest()


def same(given: str, secret: str | None) -> bool:
    """Say whether a secret is the one it should be, in a time that tells nothing of it."""
    if secret is None:
        return False
    return hmac.compare_digest(given.encode(errors="replace"), secret.encode())
