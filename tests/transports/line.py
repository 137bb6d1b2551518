"""A `Wire` over any socket that is connected already: TLS, WebSocket, a Unix socket, another address."""

from __future__ import annotations

import socket
from collections import deque
from typing import Any

from ..protocol.packets import V5, Connack, Connect, Packet
from ..protocol.wire import DEADLINE, Wire


class Line(Wire):
    """One connection to a broker over a socket that was made elsewhere."""

    def __init__(self, connected: Any, *, version: int = V5, deadline: float = DEADLINE) -> None:
        self.version = version
        self.deadline = deadline
        self.connack = Connack()
        self.client_id: str | bytes = ""
        self._socket = connected
        self._received = bytearray()
        self.largest = 0
        self._kept: deque[Packet] = deque()
        self._ids = 0

    @property
    def socket(self) -> Any:
        """The socket below."""
        return self._socket


def open_socket(
    port: int, *, host: str = "127.0.0.1", source: str | None = None, buffer: int | None = None
) -> socket.socket:
    """A TCP connection, from an address of choice and with a receive buffer of choice."""
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        made.settimeout(DEADLINE)
        if buffer is not None:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        if source is not None:
            made.bind((source, 0))
        made.connect((host, port))
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        made.close()
        raise
    return made


def welcome(line: Wire, name: str = "", *, code: int = 0, **fields: Any) -> Wire:
    """Connects a line as an MQTT client."""
    line.connect(Connect(name, **fields), code=code)
    return line
