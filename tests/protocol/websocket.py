"""WebSocket by hand (RFC 6455): the opening handshake, frames, and a `Wire` whose bytes travel in frames."""

from __future__ import annotations

import base64
import hashlib
import os
import struct
import time
from dataclasses import dataclass
from typing import Any

from .packets import V5, ServerError
from .wire import Late, Wire

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@dataclass
class Frame:
    """A frame that a server sent."""

    opcode: int
    payload: bytes = b""
    fin: bool = True


def encode(
    opcode: int, payload: bytes = b"", *, fin: bool = True, masked: bool = True, reserved: int = 0
) -> bytes:
    """A frame as a client sends it, unless asked for something that a client must not send."""
    size = len(payload)
    if size < 126:
        length = bytes([masked << 7 | size])
    elif size < 1 << 16:
        length = bytes([masked << 7 | 126]) + struct.pack(">H", size)
    else:
        length = bytes([masked << 7 | 127]) + struct.pack(">Q", size)
    head = bytes([fin << 7 | reserved << 4 | opcode]) + length
    if not masked:
        return head + payload
    mask = os.urandom(4)
    whole = int.from_bytes(payload, "big") ^ int.from_bytes((mask * (size // 4 + 1))[:size], "big")
    return head + mask + whole.to_bytes(size, "big")


def accept(key: str) -> str:
    """What the server answers to a Sec-WebSocket-Key."""
    return base64.b64encode(hashlib.sha1(key.encode() + MAGIC).digest()).decode()


class WebSocket(Wire):
    """One connection to a WebSocket port. Nothing is sent before `open` or `request`."""

    def __init__(self, host: str, port: int, *, version: int = V5) -> None:
        super().__init__(host, port, version=version)
        self.authority = f"{host}:{port}"
        self.key = base64.b64encode(os.urandom(16)).decode()
        self.status = 0
        self.headers: dict[str, str] = {}
        self.control: list[Frame] = []  # pings, pongs and the close that came while packets were read
        self._raw = bytearray()

    # ---- the handshake -------------------------------------------------------------------------------

    def request(self, path: str = "/mqtt", *, method: str = "GET", then: bytes = b"", **changed: Any) -> int:
        """Sends the handshake, with headers changed or (None) left out, and reads the status of the answer.

        `then` are bytes that are sent along. A list of values is a header that comes several times.
        """
        headers: dict[str, Any] = {
            "Host": self.authority,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": self.key,
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Protocol": "mqtt",
        }
        headers |= {name.replace("_", "-"): value for name, value in changed.items()}
        lines = [f"{method} {path} HTTP/1.1"]
        for name, value in headers.items():
            values = value if isinstance(value, list) else [] if value is None else [value]
            lines += [f"{name}: {each}" for each in values]
        self._socket.settimeout(self.deadline)
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode() + then)
        while b"\r\n\r\n" not in self._raw:
            self._fill(len(self._raw) + 1)
        head, _, rest = bytes(self._raw).partition(b"\r\n\r\n")
        self._raw[:] = rest
        first, *others = head.decode().split("\r\n")
        self.status = int(first.split()[1])
        for line in others:
            name, _, value = line.partition(":")
            assert name.lower() not in self.headers or name.lower() == "vary", f"{name} twice"
            self.headers[name.lower()] = value.strip()
        return self.status

    def open(self, path: str = "/mqtt", **changed: Any) -> WebSocket:
        """A handshake that must succeed."""
        assert self.request(path, **changed) == 101, (self.status, self.headers)
        assert self.headers["upgrade"].lower() == "websocket"
        assert "upgrade" in self.headers["connection"].lower()
        assert self.headers["sec-websocket-accept"] == accept(self.key)
        assert self.headers["sec-websocket-protocol"] == "mqtt"
        assert "sec-websocket-extensions" not in self.headers
        return self

    # ---- frames --------------------------------------------------------------------------------------

    def send_raw(self, data: bytes) -> None:
        self._socket.settimeout(self.deadline)
        self._socket.sendall(data)

    def read_frame(self) -> Frame:
        """The next frame, checked against the rules for servers; raises `Closed` at the end."""
        self._fill(2)
        first, second = self._raw[0], self._raw[1]
        size, start = second & 0x7F, 2
        if second & 0x80:
            raise ServerError("a masked frame from a server")
        if first & 0x70:
            raise ServerError(f"reserved bits {first >> 4 & 7:03b}")
        if size > 125:
            start = 4 if size == 126 else 10
            self._fill(start)
            size = int.from_bytes(self._raw[2:start], "big")
            if size < (126 if start == 4 else 1 << 16):
                raise ServerError("a frame length longer than needed")
        self._fill(start + size)
        frame = Frame(first & 15, bytes(self._raw[start : start + size]), bool(first & 0x80))
        del self._raw[: start + size]
        if frame.opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
            raise ServerError(f"opcode {frame.opcode}")
        if frame.opcode >= CLOSE and (not frame.fin or size > 125):
            raise ServerError(f"a control frame of {size} bytes, fin {frame.fin}")
        return frame

    def _fill(self, count: int) -> None:
        while len(self._raw) < count:
            chunk = self._socket.recv(1 << 20)
            if not chunk:
                raise ConnectionResetError
            self._raw += chunk

    # ---- a stream of packets -------------------------------------------------------------------------

    def _write(self, data: bytes) -> None:
        self.send_raw(encode(BINARY, data))

    def _chunk(self) -> bytes:
        while True:
            frame = self.read_frame()
            if frame.opcode in (BINARY, CONTINUATION):
                if frame.payload:
                    return frame.payload
                continue
            if frame.opcode == TEXT:
                raise ServerError("a text frame [MQTT-6.0.0-1]")
            self.control.append(frame)
            if frame.opcode == PING:
                self.send_raw(encode(PONG, frame.payload))
            if frame.opcode == CLOSE:
                return b""

    # ---- the end -------------------------------------------------------------------------------------

    def expect_end(self) -> int | None:
        """Nothing but the end: the code of the close frame, or None if there was none, and then of TCP."""
        words = self.last_words()
        assert words == [], words
        end = time.monotonic() + self.deadline
        code = None
        for frame in self.control:
            if frame.opcode == CLOSE:
                assert len(frame.payload) != 1
                code = int.from_bytes(frame.payload[:2], "big") if frame.payload else 1005
                frame.payload[2:].decode()
        while time.monotonic() < end:
            self._socket.settimeout(max(0.001, end - time.monotonic()))
            try:
                data = self._socket.recv(1 << 16)
            except TimeoutError:
                break
            except ConnectionError:
                return code
            assert not data, f"{data!r} after the end"
            return code
        raise Late("the close frame came, but the connection stays open")
