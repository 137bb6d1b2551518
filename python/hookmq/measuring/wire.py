"""Clients that cost next to nothing: frames encoded before, answers counted by their length.

All of MQTT 3.1.1, with a clean session and without Keep Alive.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from dataclasses import dataclass

from ..errors import HookMQError

__all__ = ["Client", "Place", "frame_length", "publish"]

_PATIENCE = 10.0
_REFUSED = {1: "unacceptable protocol version", 2: "identifier rejected", 3: "server unavailable"}
_REFUSED |= {4: "bad user name or password", 5: "not authorized"}


@dataclass(frozen=True)
class Place:
    """Where a broker is, and who asks."""

    host: str = "127.0.0.1"
    port: int = 1883
    username: str | None = None
    password: str | None = None


def _packet(first: int, body: bytes) -> bytes:
    length, digits = len(body), bytearray()
    while True:
        length, digit = divmod(length, 128)
        digits.append(digit | (128 if length else 0))
        if not length:
            return bytes([first, *digits]) + body


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">H", len(data)) + data


def publish(topic: str, size: int, qos: int = 0, packet_id: int = 0) -> bytes:
    """Encode a PUBLISH with so many bytes of payload.

    >>> publish("a", 2).hex(" "), publish("a", 1, 1, 7).hex(" ")
    ('30 05 00 01 61 78 78', '32 06 00 01 61 00 07 78')
    """
    identifier = struct.pack(">H", packet_id) if qos else b""
    return _packet(0x30 | qos << 1, _text(topic) + identifier + b"x" * size)


def frame_length(data: bytes | bytearray | memoryview) -> int:
    """Return the length of the first packet, header and all; 0 if that is not known yet.

    >>> frame_length(bytes.fromhex("d000")), frame_length(bytes.fromhex("3080"))
    (2, 0)
    """
    length = 0
    for index in range(1, min(len(data), 5)):
        length |= (data[index] & 127) << (7 * (index - 1))
        if not data[index] & 128:
            return 1 + index + length
    return 0


class Client:
    """A connection to a broker, whose errors are those of the command line."""

    def __init__(self, place: Place, name: str) -> None:
        self._place = place
        try:
            self.socket = socket.create_connection((place.host, place.port), _PATIENCE)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket.sendall(self._connect(name))
            code = self.answer()[3]
        except (OSError, IndexError) as error:
            reason = str(error) if isinstance(error, OSError) else "it closed the connection"
            raise HookMQError("E402", host=place.host, port=place.port, reason=reason) from None
        if code:
            raise HookMQError("E401", reason=_REFUSED.get(code, f"return code {code}"))

    def _connect(self, name: str) -> bytes:
        username, password = self._place.username, self._place.password
        flags = 2 | (0x80 if username is not None else 0) | (0x40 if password is not None else 0)
        body = _text("MQTT") + bytes([4, flags, 0, 0]) + _text(name)
        return _packet(0x10, body + b"".join(_text(one) for one in (username, password) if one is not None))

    def answer(self) -> bytes:
        """Return the next packet."""
        data = bytearray()
        while (length := frame_length(data)) == 0 or len(data) < length:
            chunk = self.socket.recv(length - len(data) if length else 1)
            if not chunk:
                break
            data += chunk
        return bytes(data)

    def subscribe(self, topic: str, qos: int) -> None:
        """Subscribe, and wait until it was granted."""
        self.socket.sendall(_packet(0x82, b"\0\1" + _text(topic) + bytes([qos])))
        answer = self.answer()
        if answer[-1:] != bytes([qos]):
            raise HookMQError("E404", reason=f"it answered {answer.hex(' ')} for `{topic}`")

    def lost(self, error: OSError | None = None) -> HookMQError:
        """Return what to say when the connection is gone."""
        reason = "it closed a connection" if error is None else str(error)
        return HookMQError("E405", reason=reason)

    def close(self) -> None:
        """Leave."""
        with contextlib.suppress(OSError):
            self.socket.sendall(b"\xe0\0")
        self.socket.close()
