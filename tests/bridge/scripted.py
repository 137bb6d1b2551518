"""A broker that does what a test says: one that is strange, slow or hostile, as no real one is on demand."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = 1, 2, 3, 4, 5, 6, 7
SUBSCRIBE, SUBACK, PINGREQ, PINGRESP = 8, 9, 12, 13


class Visit:
    """A connection of the bridge, as the script sees it."""

    def __init__(self, sock: socket.socket, number: int, level: int) -> None:
        self.sock, self.number, self.level = sock, number, level
        """``number`` counts connections from 1; ``level`` is the protocol level of CONNECT."""

    def send(self, kind: int, body: bytes, flags: int = 0) -> None:
        self.sock.sendall(packet(kind, body, flags))

    def publish(self, topic: str, packet_id: int, payload: bytes, qos: int = 1) -> None:
        self.send(PUBLISH, published(topic, packet_id, payload, v5=self.level == 5), qos << 1)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)


Script = Callable[[Visit, int, int, bytes], object]
"""Called with the connection and each packet: its kind, flags and body. What is true has answered it."""


class Scripted:
    """Lets the bridge in and acknowledges what it sends, but for what the script answers itself.

    ``properties`` are those of its CONNACK; ``keeps`` says for each connection, counted from 1, whether its
    session is there; ``greets`` may answer CONNECT instead.
    """

    def __init__(
        self,
        script: Script = lambda *_: False,
        *,
        properties: bytes = b"",
        keeps: Callable[[int], bool] = lambda number: number > 1,
        greets: Callable[[Visit], bool] = lambda visit: False,
    ) -> None:
        self._script, self._properties, self._keeps, self._greets = script, properties, keeps, greets
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self.visits: list[Visit] = []
        self.packets: list[tuple[int, int, bytes]] = []
        """Kind, flags and body of all that came, CONNECT left out."""
        self._threads = [threading.Thread(target=self._accept, name="scripted")]
        self._threads[0].start()

    def came(self, kind: int) -> list[bytes]:
        """The bodies of all packets of a kind."""
        return [body for one, _, body in self.packets if one == kind]

    def close(self) -> None:
        self.leave()
        for thread in self._threads:
            thread.join(10)

    def leave(self) -> None:
        """Close every connection and take no more."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for visit in self.visits:
            visit.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._serve, args=(sock,), name="scripted"))
            self._threads[-1].start()

    def _serve(self, sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError, IndexError), sock.makefile("rb") as stream:
            _, _, connect = _read(stream)
            visit = Visit(sock, len(self.visits) + 1, connect[6])
            self.visits.append(visit)
            if self._greets(visit):
                return
            properties = bytes([len(self._properties)]) + self._properties if visit.level == 5 else b""
            visit.send(CONNACK, bytes([self._keeps(visit.number), 0]) + properties)
            while True:
                kind, flags, body = _read(stream)
                self.packets.append((kind, flags, body))
                if not self._script(visit, kind, flags, body):
                    _answer(visit, kind, flags, body)


def _answer(visit: Visit, kind: int, flags: int, body: bytes) -> None:
    match kind:
        case 8:
            visit.send(SUBACK, body[:2] + (b"\0" if visit.level == 5 else b"") + b"\2")
        case 12:
            visit.send(PINGRESP, b"")
        case 6:
            visit.send(PUBCOMP, body[:2])
        case 5:
            visit.send(PUBREL, body[:2], 2)
        case 3 if flags & 6:
            at = 2 + int.from_bytes(body[:2], "big")
            visit.send(PUBACK if flags & 2 else PUBREC, body[at : at + 2])


def published(topic: str, packet_id: int, payload: bytes, *, v5: bool = True) -> bytes:
    """The body of a PUBLISH of QoS 1 or 2."""
    name = topic.encode()
    return (
        struct.pack(">H", len(name)) + name + struct.pack(">H", packet_id) + (b"\0" if v5 else b"") + payload
    )


def packet(kind: int, body: bytes, flags: int = 0) -> bytes:
    """A whole packet."""
    length, rest = b"", len(body)
    while True:
        rest, low = rest >> 7, rest & 127
        length += bytes([low | (128 if rest else 0)])
        if not rest:
            return bytes([kind << 4 | flags]) + length + body


def _read(stream) -> tuple[int, int, bytes]:
    """The next packet: its kind, flags and body. IndexError at the end."""
    head, length, shift = stream.read(1)[0], 0, 0
    while True:
        byte = stream.read(1)[0]
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return head >> 4, head & 15, stream.read(length)
