"""A WebSocket client by hand (RFC 6455), which can also do what a good one never does."""

from __future__ import annotations

import base64
import hashlib
import secrets
import struct
from typing import Any, NamedTuple

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class Reply(NamedTuple):
    """What the server answered to an upgrade; `rest` came behind it."""

    status: int
    headers: dict[str, str]
    rest: bytes


def upgrade(
    under: Any,
    *,
    path: str = "/mqtt",
    host: str = "localhost",
    protocol: str | None = "mqtt",
    origin: str | None = None,
    expected: int = 101,
    headers: dict[str, str | None] | None = None,
) -> Reply:
    """Asks for a WebSocket, and checks the answer if it is given one."""
    key = base64.b64encode(secrets.token_bytes(16))
    given: dict[str, str | None] = {
        "Host": host,
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": key.decode(),
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": protocol,
        "Origin": origin,
    }
    given |= headers or {}
    rows = [
        f"GET {path} HTTP/1.1",
        *(f"{name}: {value}" for name, value in given.items() if value is not None),
    ]
    under.sendall(("\r\n".join(rows) + "\r\n\r\n").encode())
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = under.recv(4096)
        assert chunk, f"no answer to the upgrade, but {data!r}"
        data += chunk
    head, _, rest = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    reply = Reply(
        int(first.split()[1]),
        {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)},
        rest,
    )
    assert reply.status == expected, f"{first}\n{rest.decode(errors='replace')}"
    if reply.status == 101:
        accept = base64.b64encode(hashlib.sha1(key + MAGIC).digest()).decode()
        assert reply.headers["sec-websocket-accept"] == accept
        assert reply.headers["upgrade"].lower() == "websocket"
        assert "sec-websocket-extensions" not in reply.headers
    return reply


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    masked: bool = True,
    reserved: int = 0,
    length: bytes | None = None,
) -> bytes:
    """One frame of a client; `length` replaces the length bytes behind the first two."""
    size = len(payload)
    if length is not None:
        short = {2: 126, 8: 127}[len(length)]
    elif size < 126:
        short, length = size, b""
    elif size < 1 << 16:
        short, length = 126, struct.pack(">H", size)
    else:
        short, length = 127, struct.pack(">Q", size)
    head = bytes([fin << 7 | reserved << 4 | opcode, masked << 7 | short]) + length
    if not masked:
        return head + payload
    mask = secrets.token_bytes(4)
    pad = (mask * (size // 4 + 1))[:size]
    hidden = int.from_bytes(payload, "big") ^ int.from_bytes(pad, "big")
    return head + mask + hidden.to_bytes(size, "big")


class WebSocket:
    """Looks like a socket: what is sent goes out as one binary frame, what is read comes out of frames."""

    def __init__(self, under: Any, reply: Reply) -> None:
        self.under = under
        self.reply = reply
        self.pongs: list[bytes] = []
        self.closed: bytes | None = None  # the body of the server's close frame
        self._raw = bytearray(reply.rest)
        self._frames: list[tuple[int, bytes]] = []
        self._data = bytearray()

    # ---- as a socket ---------------------------------------------------------------------------------

    def settimeout(self, seconds: float | None) -> None:
        self.under.settimeout(seconds)

    def sendall(self, data: bytes) -> None:
        self.under.sendall(frame(BINARY, data))

    def recv(self, size: int) -> bytes:
        while not self._data:
            if self.closed is not None:
                return b""
            opcode, payload = self.read_frame()
            if opcode in (BINARY, CONTINUATION):
                self._data += payload
            elif opcode == PING:
                self.under.sendall(frame(PONG, payload))
            elif opcode == PONG:
                self.pongs.append(payload)
            elif opcode == CLOSE:
                self.closed = payload
            else:
                # The server closed the TCP connection, or sent something that is no frame of ours.
                assert opcode == -1, f"a frame of type {opcode}"
                return b""
        out = bytes(self._data[:size])
        del self._data[:size]
        return out

    def close(self) -> None:
        self.under.close()

    # ---- frames --------------------------------------------------------------------------------------

    def send_raw(self, *frames: bytes) -> None:
        """Bytes as they are."""
        self.under.sendall(b"".join(frames))

    def read_frame(self) -> tuple[int, bytes]:
        """The next frame of the server; type -1 is the end of the connection. Servers never mask."""
        if not self._more(2):
            return -1, b""
        first, second = self._raw[:2]
        assert not first & 0x70, "a reserved bit is set, and no extension was agreed"
        assert not second & 0x80, "a server's frame is masked"
        size, head = second & 0x7F, 2
        for mark, width in ((126, 2), (127, 8)):
            if second & 0x7F == mark:
                assert self._more(2 + width), "half a frame"
                size, head = int.from_bytes(self._raw[2 : 2 + width], "big"), 2 + width
        assert self._more(head + size), "half a frame"
        payload = bytes(self._raw[head : head + size])
        del self._raw[: head + size]
        assert first & 0x80 or first & 0x0F in (BINARY, CONTINUATION)
        return first & 0x0F, payload

    def _more(self, count: int) -> bool:
        while len(self._raw) < count:
            try:
                chunk = self.under.recv(1 << 20)
            except ConnectionError:
                chunk = b""
            if not chunk:
                return False
            self._raw += chunk
        return True
