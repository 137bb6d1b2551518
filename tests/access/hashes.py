"""Lines of a users file, made without the broker: from the formats' definitions, with Python's hashlib."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

SALT = b"twelve bytes"


def text(data: bytes) -> str:
    """Base64, padded."""
    return b64encode(data).decode()


def argon2id(password: bytes, *, salt: bytes = SALT) -> str:
    """A PHC string with parameters that are quick."""
    made = Argon2id(salt=salt, length=32, iterations=1, lanes=1, memory_cost=64).derive(password)
    bare = [text(part).rstrip("=") for part in (salt, made)]
    return "$argon2id$v=19$m=64,t=1,p=1$" + "$".join(bare)


def mosquitto_7(password: bytes, *, iterations: int = 101) -> str:
    """mosquitto 2: PBKDF2 with SHA-512."""
    made = hashlib.pbkdf2_hmac("sha512", password, SALT, iterations, 64)
    return f"$7${iterations}${text(SALT)}${text(made)}"


def mosquitto_6(password: bytes) -> str:
    """mosquitto 1: salted SHA-512."""
    return f"$6${text(SALT)}${text(hashlib.sha512(password + SALT).digest())}"


def scram(password: bytes, *, iterations: int = 4096, salt: bytes = SALT) -> str:
    """What a server keeps for SCRAM-SHA-256 (RFC 5802, section 3)."""
    salted = hashlib.pbkdf2_hmac("sha256", password, salt, iterations)
    client = hmac.digest(salted, b"Client Key", "sha256")
    server = hmac.digest(salted, b"Server Key", "sha256")
    stored = hashlib.sha256(client).digest()
    return f"SCRAM-SHA-256${iterations}${text(salt)}${text(stored)}${text(server)}"


KINDS = {"argon2id": argon2id, "$7$": mosquitto_7, "$6$": mosquitto_6}
