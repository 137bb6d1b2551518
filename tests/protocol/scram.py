"""SCRAM-SHA-256 from the client's side (RFC 5802, RFC 7677), and lines for a users file."""

from __future__ import annotations

import base64
import hashlib
import hmac

METHOD = "SCRAM-SHA-256"
ITERATIONS = 4096
SALT = b"0123456789abcdef"


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _hmac(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, text, "sha256")


def _salted(password: str, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)


def verifier(password: str, *, iterations: int = ITERATIONS) -> str:
    """What a server keeps for SCRAM instead of the password."""
    salted = _salted(password, SALT, iterations)
    stored = hashlib.sha256(_hmac(salted, b"Client Key")).digest()
    return f"{METHOD}${iterations}${b64(SALT)}${b64(stored)}${b64(_hmac(salted, b'Server Key'))}"


def password_hash(password: str) -> str:
    """The password in mosquitto's own form: PBKDF2 with SHA-512."""
    salt = b"abcdefghijkl"
    return f"$7$101${b64(salt)}${b64(hashlib.pbkdf2_hmac('sha512', password.encode(), salt, 101))}"


def user(name: str, password: str, *, scram: bool = True) -> str:
    """A line of a users file."""
    return f"{name}:{password_hash(password)}" + (f":{verifier(password)}" if scram else "") + "\n"


class Scram:
    """One login."""

    def __init__(self, name: str, password: str, *, nonce: str = "rOprNGfwEbeRWgbNEkqO") -> None:
        self.password = password
        self.nonce = nonce
        escaped = name.replace("=", "=3D").replace(",", "=2C")
        self._bare = f"n={escaped},r={nonce}"
        self._signature = b""

    def first(self, header: str = "n,,") -> bytes:
        """The client-first message."""
        return f"{header}{self._bare}".encode()

    def final(self, challenge: bytes, *, channel: str = "n,,", nonce: str = "") -> bytes:
        """The client-final message to the server's challenge, which is checked."""
        parts = dict(part.split("=", 1) for part in challenge.decode().split(","))
        assert list(parts) == ["r", "s", "i"], challenge
        assert parts["r"].startswith(self.nonce), "the server's nonce does not begin with the client's"
        assert len(parts["r"]) >= len(self.nonce) + 16, "the server's own nonce is short"
        salted = _salted(self.password, base64.b64decode(parts["s"], validate=True), int(parts["i"]))
        without_proof = f"c={b64(channel.encode())},r={nonce or parts['r']}"
        signed = f"{self._bare},{challenge.decode()},{without_proof}".encode()
        key = _hmac(salted, b"Client Key")
        signature = _hmac(hashlib.sha256(key).digest(), signed)
        proof = bytes(a ^ b for a, b in zip(key, signature, strict=True))
        self._signature = _hmac(_hmac(salted, b"Server Key"), signed)
        return f"{without_proof},p={b64(proof)}".encode()

    @property
    def confirmation(self) -> bytes:
        """The server-final message that proves that the server knows the password, too."""
        return f"v={b64(self._signature)}".encode()
