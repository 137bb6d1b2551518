"""Hashes of passwords as databases have them, and whether a password fits one."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Mapping

from .._hookmq import hash_user, verify_user
from .library import library
from .trouble import Failure

__all__ = ["SCHEMES", "decoy", "scheme_of", "verify"]

MAX_ITERATIONS = 10_000_000
MAX_MEMORY = 256 << 20
"""What a hash may ask for at most: who can write one into the table could else stop everything."""

_PBKDF2 = re.compile(r"\$pbkdf2(?:-(sha1|sha256|sha512))?\$(?:i=)?(\d+)(?:,l=\d+)?\$([^$]*)\$([^$]+)")
_PBKDF2_DJANGO = re.compile(r"pbkdf2_(sha1|sha256|sha512)\$(\d+)\$([^$]*)\$([^$]+)")
_SCRYPT = re.compile(r"\$scrypt\$ln=(\d+),r=(\d+),p=(\d+)\$([^$]*)\$([^$]+)")
_SCRYPT_DJANGO = re.compile(r"scrypt\$(\d+)\$([^$]*)\$(\d+)\$(\d+)\$([^$]+)")


def scheme_of(stored: str) -> str | None:
    """Return the name of what made a hash; ``None`` for what is no hash that is known here.

    >>> scheme_of("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
    'argon2id'
    >>> scheme_of("pbkdf2_sha256$600000$salt$aGFzaA=="), scheme_of("secret")
    ('pbkdf2', None)
    """
    return next((name for name, (pattern, _) in SCHEMES.items() if pattern.match(stored)), None)


def verify(password: bytes, stored: str) -> bool:
    """Say whether a password is the one of a hash.

    Raises:
        Failure: if the hash is none that is known here, or cannot be read.
        HookMQError: E304 if it takes a library that is not installed.
    """
    scheme = scheme_of(stored)
    if scheme is None:
        raise Failure("a stored hash is of no known kind")
    try:
        return SCHEMES[scheme][1](password, stored)
    except (ValueError, binascii.Error, OverflowError, MemoryError):
        raise Failure(f"a stored hash ({scheme}) cannot be read") from None


def decoy() -> str:
    """Return a hash that no password fits which anybody knows."""
    return hash_user("nobody", base64.b64encode(secrets.token_bytes(32)), False).partition(":")[2]


# The kinds -------------------------------------------------------------------------------------------------


def _native(password: bytes, stored: str) -> bool:
    """Argon2id, and the formats of mosquitto: what users files have."""
    found = verify_user(f"user:{stored.removeprefix('argon2')}\n", "user", password)
    if found is None:
        raise ValueError("no hash")
    return found


def _bcrypt(password: bytes, stored: str) -> bool:
    bcrypt = library("bcrypt", kind="sql", extra="sql-users")
    kind, _, hashed = stored.rpartition("$$") if stored.startswith("bcrypt") else ("", "", stored.lstrip("$"))
    if kind == "bcrypt_sha256":
        password = hashlib.sha256(password).hexdigest().encode()  # Django's, for passwords of any length
    # It never took more than 72 bytes; whoever made the hash left the rest out as well.
    return bool(bcrypt.checkpw(password[:72], f"${hashed}".encode()))


def _pbkdf2(password: bytes, stored: str) -> bool:
    if (django := _PBKDF2_DJANGO.fullmatch(stored)) is not None:
        digest, iterations, salt, expected = django[1], int(django[2]), django[3].encode(), _base64(django[4])
    elif (plain := _PBKDF2.fullmatch(stored)) is not None:
        digest, iterations = plain[1] or "sha1", int(plain[2])
        salt, expected = _base64(plain[3]), _base64(plain[4])
    else:
        raise ValueError("no hash")
    if not 1 <= iterations <= MAX_ITERATIONS:
        raise ValueError("too many iterations")
    made = hashlib.pbkdf2_hmac(digest, password, salt, iterations, len(expected))
    return hmac.compare_digest(made, expected)


def _scrypt(password: bytes, stored: str) -> bool:
    if (django := _SCRYPT_DJANGO.fullmatch(stored)) is not None:
        n, r, p = int(django[1]), int(django[3]), int(django[4])
        salt, expected = django[2].encode(), _base64(django[5])
    elif (plain := _SCRYPT.fullmatch(stored)) is not None:
        if int(plain[1]) > 30:
            raise ValueError("too much memory")
        n, r, p = 1 << int(plain[1]), int(plain[2]), int(plain[3])
        salt, expected = _base64(plain[4]), _base64(plain[5])
    else:
        raise ValueError("no hash")
    if not (128 * n * r <= MAX_MEMORY and 1 <= p <= 64):
        raise ValueError("too much memory")
    made = hashlib.scrypt(password, salt=salt, n=n, r=r, p=p, maxmem=2 * MAX_MEMORY, dklen=len(expected))
    return hmac.compare_digest(made, expected)


def _base64(text: str) -> bytes:
    """Read Base64 with or without padding; passlib writes a dot for a plus."""
    return base64.b64decode(text.replace(".", "+") + "=" * (-len(text) % 4), validate=True)


SCHEMES: Mapping[str, tuple[re.Pattern[str], Callable[[bytes, str], bool]]] = {
    "argon2id": (re.compile(r"(argon2)?\$argon2id\$[^:\s]+\Z"), _native),
    "bcrypt": (re.compile(r"(bcrypt(_sha256)?\$)?\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}\Z"), _bcrypt),
    "scrypt": (re.compile(r"\$?scrypt\$"), _scrypt),
    "pbkdf2": (re.compile(r"\$pbkdf2(-sha(1|256|512))?\$|pbkdf2_sha(1|256|512)\$"), _pbkdf2),
    "mosquitto": (re.compile(r"\$[67]\$[^:\s]+\Z"), _native),
}
"""From the name of a scheme to what its hashes look like, and what checks one."""
