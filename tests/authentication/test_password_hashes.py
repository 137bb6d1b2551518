"""Hashes that other programs made, and what is no hash."""

from __future__ import annotations

import base64
import hashlib

import bcrypt
import pytest

from hookmq.authentication.password_hashes import decoy, scheme_of, verify
from hookmq.authentication.trouble import Failure

from ..access.hashes import argon2id, mosquitto_6, mosquitto_7


def b64(data: bytes, *, padded: bool = False) -> str:
    text = base64.b64encode(data).decode()
    return text if padded else text.rstrip("=")


def ab64(data: bytes) -> str:
    """As passlib writes it."""
    return b64(data).replace("+", ".")


def pbkdf2(digest: str, salt: bytes) -> bytes:
    return hashlib.pbkdf2_hmac(digest, PASSWORD, salt, 1000)


def scrypt(password: bytes, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password, salt=salt, n=n, r=r, p=p, dklen=32)


SALT = b"sixteen bytes ++"
PASSWORD = "wätér".encode()
CHEAP = bcrypt.gensalt(4)

MADE = {
    "argon2id": argon2id(PASSWORD),
    "argon2id of Django": "argon2" + argon2id(PASSWORD),
    "bcrypt": bcrypt.hashpw(PASSWORD, CHEAP).decode(),
    "bcrypt of PHP": bcrypt.hashpw(PASSWORD, CHEAP).decode().replace("$2b$", "$2y$"),
    "bcrypt of Django": "bcrypt$" + bcrypt.hashpw(PASSWORD, CHEAP).decode(),
    "bcrypt with SHA-256 of Django": "bcrypt_sha256$"
    + bcrypt.hashpw(hashlib.sha256(PASSWORD).hexdigest().encode(), CHEAP).decode(),
    "pbkdf2 of passlib": "$".join(["", "pbkdf2-sha256", "1000", ab64(SALT), ab64(pbkdf2("sha256", SALT))]),
    "pbkdf2 with SHA-1 of passlib": "$".join(["", "pbkdf2", "1000", ab64(SALT), ab64(pbkdf2("sha1", SALT))]),
    "pbkdf2 as PHC": f"$pbkdf2-sha512$i=1000,l=64${b64(SALT)}${b64(pbkdf2('sha512', SALT))}",
    "pbkdf2 of Django": f"pbkdf2_sha256$1000$saltsalt${b64(pbkdf2('sha256', b'saltsalt'), padded=True)}",
    "scrypt of passlib": f"$scrypt$ln=4,r=8,p=1${b64(SALT)}${b64(scrypt(PASSWORD, SALT, 16, 8, 1))}",
    "scrypt of Django": f"scrypt$16$saltsalt$8$1${b64(scrypt(PASSWORD, b'saltsalt', 16, 8, 1), padded=True)}",
    "mosquitto 2": mosquitto_7(PASSWORD),
    "mosquitto 1": mosquitto_6(PASSWORD),
}

PUBLISHED = {
    # [phc-winner-argon2's own test], [Openwall's bcrypt vectors], [RFC 7914, 11 as passlib writes it]
    "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc": b"password",
    "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW": b"U*U",
}


@pytest.mark.parametrize("kind", MADE)
def test_a_password(kind):
    assert verify(PASSWORD, MADE[kind]) is True
    for wrong in (b"", b"water", PASSWORD + b" ", PASSWORD[:-1], PASSWORD.upper(), b"\0", b"x" * 5000):
        assert verify(wrong, MADE[kind]) is False


@pytest.mark.parametrize("stored", PUBLISHED)
def test_hashes_that_were_published(stored):
    assert verify(PUBLISHED[stored], stored)
    assert not verify(PUBLISHED[stored] + b"x", stored)


def test_bcrypt_looks_at_72_bytes():
    long = b"x" * 72
    stored = bcrypt.hashpw(long, CHEAP).decode()
    assert verify(long + b"whatever", stored)  # as whoever cut it off before made the hash
    assert not verify(long[:-1], stored)


@pytest.mark.parametrize(
    "stored",
    ["", "water", "$", "$1$salt$hash", "$5$salt$hash", "{SSHA}c2VjcmV0", "0" * 64, "*", "!", "user:$7$1$a$b",
     "$argon2i$v=19$m=64,t=1,p=1$c29tZXNhbHQ$c29tZXNhbHQ", "md5$salt$hash", "$2b$04$short"],
)  # fmt: skip
def test_what_is_no_hash(stored):
    assert scheme_of(stored) is None
    with pytest.raises(Failure, match="of no known kind"):
        verify(stored.encode(), stored)


@pytest.mark.parametrize(
    "stored",
    [
        "$argon2id$",
        "$argon2id$v=19$m=64,t=1,p=1$!$!",
        "$pbkdf2-sha256$0$YWJj$YWJj",
        "$pbkdf2-sha256$99999999999$YWJj$YWJj",
        "$pbkdf2-sha256$1000$YWJj$!",
        "$pbkdf2-md5$1000$YWJj$YWJj",
        "pbkdf2_sha256$x$salt$YWJj",
        "$scrypt$ln=40,r=8,p=1$YWJj$YWJj",
        "$scrypt$ln=4,r=8,p=9999$YWJj$YWJj",
        "$scrypt$ln=20,r=800,p=1$YWJj$YWJj",
        "scrypt$15$salt$8$1$YWJj",
        "scrypt$0$salt$8$1$YWJj",
        "$7$1$!$!",
    ],
)
def test_a_hash_that_is_broken_or_asks_for_too_much(stored):
    with pytest.raises(Failure):
        verify(b"water", stored)


def test_the_decoy_fits_nothing():
    made = decoy()
    assert scheme_of(made) == "argon2id"
    assert made != decoy()
    assert not verify(b"", made)
