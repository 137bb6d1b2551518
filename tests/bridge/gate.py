"""A way to a broker that can be cut and closed, and that can play a broker which knows less."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable

BRIDGE_3_1_1 = 0x84
REFUSED = b"\x20\x02\x00\x01"  # CONNACK of 3.1.1: unacceptable protocol version


class Gate:
    """Passes on what comes to its port. ``unknown`` are protocol levels that it refuses by itself."""

    def __init__(self, target: int, *, unknown: frozenset[int] = frozenset()) -> None:
        self._target, self._unknown = target, unknown
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.open = True
        self.came = 0
        """Connections so far."""
        self.levels: list[int] = []
        """The protocol level of each CONNECT."""
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept, name="gate")]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Reset every connection."""
        with self._lock:
            sockets, self._sockets = self._sockets, set()
        for one in sockets:
            with contextlib.suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.shutdown(socket.SHUT_RD)  # wakes who reads from it

    def close(self) -> None:
        self.open = False
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.came += 1
            if not self.open:
                client.close()
                continue
            thread = threading.Thread(target=self._serve, args=(client,), name="gate")
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        try:
            first = client.recv(65_536)
            level = _level(first)
            self.levels.append(level)
            if level in self._unknown:
                client.sendall(REFUSED)
                client.close()
                return
            server = socket.create_connection(("127.0.0.1", self._target), 5)
            server.settimeout(None)
            server.sendall(first)
        except (OSError, IndexError):
            client.close()
            return
        with self._lock:
            self._sockets |= {client, server}
        back = threading.Thread(target=_pass, args=(server, client), name="gate")
        back.start()
        _pass(client, server)
        back.join()
        client.close()
        server.close()


def _pass(source: socket.socket, sink: socket.socket) -> None:
    receive: Callable[[int], bytes] = source.recv
    with contextlib.suppress(OSError):
        while data := receive(65_536):
            sink.sendall(data)
    for one in (source, sink):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


def _level(connect: bytes) -> int:
    """The protocol level of a CONNECT, behind its length and the name ``MQTT``."""
    head = 2
    while connect[head - 1] & 0x80:
        head += 1
    return connect[head + 6]
