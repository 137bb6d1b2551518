"""The client's half of SCRAM-SHA-256 (RFC 5802 and 7677), by hand, with every field open to mischief."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b64decode, b64encode
from typing import Any

from ..protocol.packets import Auth, Connack, Connect, Packet
from ..protocol.wire import Wire

METHOD = "SCRAM-SHA-256"
CONTINUE, AGAIN = 0x18, 0x19


def auth(code: int, data: bytes | None = None, method: str = METHOD) -> Auth:
    """An AUTH packet."""
    given: dict[str, Any] = {"authentication_method": method}
    return Auth(code, given if data is None else given | {"authentication_data": data})


class Scram:
    """One exchange."""

    def __init__(self, user: str, password: bytes, *, header: bytes = b"n,,", nonce: str = "") -> None:
        self.password = password
        self.header = header
        self.nonce = nonce or secrets.token_hex(12)
        escaped = user.replace("=", "=3D").replace(",", "=2C")
        self.bare = f"n={escaped},r={self.nonce}".encode()
        self.challenge: dict[str, str] = {}
        self._signed = b""
        self._salted = b""

    @property
    def first(self) -> bytes:
        """client-first-message."""
        return self.header + self.bare

    def final(self, server_first: bytes, *, nonce: str = "", binding: bytes | None = None) -> bytes:
        """client-final-message."""
        self.challenge = dict(part.split("=", 1) for part in server_first.decode().split(","))  # type: ignore[misc]
        assert self.challenge["r"].startswith(self.nonce)
        assert len(self.challenge["r"]) > len(self.nonce) + 8, "a server adds a nonce of its own"
        iterations = int(self.challenge["i"])
        self._salted = hashlib.pbkdf2_hmac(
            "sha256", self.password, b64decode(self.challenge["s"]), iterations
        )
        bound = b64encode(self.header if binding is None else binding)
        without_proof = b"c=" + bound + b",r=" + (nonce or self.challenge["r"]).encode()
        self._signed = self.bare + b"," + server_first + b"," + without_proof
        key = hmac.digest(self._salted, b"Client Key", "sha256")
        signature = hmac.digest(hashlib.sha256(key).digest(), self._signed, "sha256")
        proof = bytes(a ^ b for a, b in zip(key, signature, strict=True))
        return without_proof + b",p=" + b64encode(proof)

    def server_final(self) -> bytes:
        """What only a server that knows the user can say."""
        key = hmac.digest(self._salted, b"Server Key", "sha256")
        return b"v=" + b64encode(hmac.digest(key, self._signed, "sha256"))

    # ---- conversations -------------------------------------------------------------------------------

    def begin(self, client: str, **fields: Any) -> Connect:
        """CONNECT with the first message."""
        given = {"authentication_method": METHOD, "authentication_data": self.first}
        return Connect(client, properties=given | fields.pop("properties", {}), **fields)

    def answer(self, wire: Wire, **mischief: Any) -> Packet:
        """Takes the challenge, answers it, and returns what the server says to that."""
        challenge = wire.read()
        assert isinstance(challenge, Auth), challenge
        assert challenge.code == CONTINUE
        given = dict(challenge.properties)
        assert given["authentication_method"] == METHOD
        wire.send(auth(CONTINUE, self.final(given["authentication_data"], **mischief)))
        return wire.read()

    def connect(self, wire: Wire, client: str, **fields: Any) -> Connack:
        """Connects; the server has to prove that it knows the user."""
        wire.send(self.begin(client, **fields))
        answer = self.answer(wire)
        assert isinstance(answer, Connack), answer
        assert answer.code == 0, f"0x{answer.code:02X} {answer.properties}"
        assert answer.properties["authentication_method"] == METHOD
        assert answer.properties["authentication_data"] == self.server_final()
        wire.connack = answer
        return answer

    def again(self, wire: Wire) -> None:
        """Authenticates once more on a connection that is there."""
        wire.send(auth(AGAIN, self.first))
        answer = self.answer(wire)
        assert isinstance(answer, Auth), answer
        assert answer.code == 0
        given = dict(answer.properties)
        assert given["authentication_method"] == METHOD
        assert given["authentication_data"] == self.server_final()
