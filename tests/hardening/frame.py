"""WebSocket frames as a client writes them, right ones and wrong ones, and a socket that sends them."""

from __future__ import annotations

import base64
import os
import socket
import struct
import time

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

KEY = base64.b64encode(bytes(16)).decode()
HANDSHAKE = (
    "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
).encode()


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    last: bool = True,
    reserved: int = 0,
    masked: bool = True,
    length: int | None = None,
) -> bytes:
    """A frame; `length` is what it says of its payload, if that is not the truth."""
    size = len(payload) if length is None else length
    head = bytes([last << 7 | reserved << 4 | opcode])
    bit = masked << 7
    if size < 126:
        head += bytes([bit | size])
    elif size < 1 << 16:
        head += bytes([bit | 126]) + struct.pack(">H", size)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", size)
    return head + (mask(payload) if masked else payload)


def mask(payload: bytes) -> bytes:
    """The masking key and the payload under it."""
    key = os.urandom(4)
    stream = (key * (len(payload) // 4 + 1))[: len(payload)]
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")
    return key + mixed.to_bytes(len(payload), "big")


class FrameSocket:
    """A connection to the HTTP port that has become a WebSocket."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(HANDSHAKE)
        self._unread = b""
        while b"\r\n\r\n" not in self._unread:
            data = self.socket.recv(65_536)
            assert data, f"the handshake failed: {self._unread!r}"
            self._unread += data
        head, _, self._unread = self._unread.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        self.mqtt = b""  # bytes of MQTT that came and were not taken
        self.control: list[tuple[int, bytes]] = []

    def send(self, *frames: bytes) -> None:
        self.socket.sendall(b"".join(frames))

    def _frame(self) -> tuple[int, bytes] | None:
        data = self._unread
        size = data[1] if len(data) >= 2 else 0
        start = {126: 4, 127: 10}.get(size, 2)
        if len(data) < start:
            return None
        if start > 2:
            size = int.from_bytes(data[2:start], "big")
        if len(data) < start + size:
            return None
        self._unread = data[start + size :]
        return data[0] & 15, data[start : start + size]

    def read(self, seconds: float) -> bool:
        """Takes what comes next; False if the server has closed."""
        self.socket.settimeout(max(seconds, 0.001))
        try:
            data = self.socket.recv(65_536)
        except ConnectionError:
            return False
        self._unread += data
        while (found := self._frame()) is not None:
            if found[0] >= CLOSE:
                self.control.append(found)
            else:
                self.mqtt += found[1]
        return bool(data)

    def expect(self, mqtt: bytes, seconds: float = 5) -> None:
        """These bytes of MQTT come next."""
        end = time.monotonic() + seconds
        while len(self.mqtt) < len(mqtt):
            assert self.read(end - time.monotonic()), f"closed after {self.mqtt.hex()}, {self.control}"
        taken, self.mqtt = self.mqtt[: len(mqtt)], self.mqtt[len(mqtt) :]
        assert taken == mqtt, (taken.hex(), mqtt.hex())

    def closes(self, seconds: float = 5) -> bool:
        """Whether the server ends the connection in time."""
        end = time.monotonic() + seconds
        try:
            while self.read(end - time.monotonic()):
                pass
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        self.socket.close()
