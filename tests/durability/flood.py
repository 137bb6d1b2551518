"""Many messages and many sessions, as fast as Python can: answers are counted, not read."""

from __future__ import annotations

import socket

from ..protocol.packets import V311, Connect, Disconnect, Publish, Subscribe

WINDOW = 500
ACK = 4


def _connected(port: int, packet: Connect) -> socket.socket:
    wire = socket.create_connection(("127.0.0.1", port), 60)
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    wire.sendall(packet.encode(V311))
    _read(wire, 4)
    return wire


def _read(wire: socket.socket, size: int) -> None:
    while size > 0:
        data = wire.recv(min(size, 1 << 20))
        assert data, "the broker closed the connection"
        size -= len(data)


def sessions(port: int, names: list[str], topic: str | None = None) -> None:
    """Makes sessions that are kept, each subscribed to the topic, or to one of its own."""
    for name in names:
        with _connected(port, Connect(name, clean=False)) as wire:
            wire.sendall(Subscribe(1, [(topic or f"to/{name}", 1)]).encode(V311))
            _read(wire, 5)
            wire.sendall(Disconnect().encode(V311))


def publish(port: int, topics: list[str], count: int, payload: bytes) -> None:
    """Publishes with QoS 1, to one topic after the other; all are acknowledged."""
    with _connected(port, Connect("flood")) as wire:
        waiting = 0
        for first in range(0, count, WINDOW):
            numbers = range(first, min(first + WINDOW, count))
            frames = [Publish(topics[one % len(topics)], payload, 1, id=one % 60_000 + 1) for one in numbers]
            wire.sendall(b"".join(frame.encode(V311) for frame in frames))
            waiting += len(numbers)
            if waiting > WINDOW:
                _read(wire, ACK * WINDOW)
                waiting -= WINDOW
        _read(wire, ACK * waiting)


def drain(port: int, name: str, count: int, topic: str, payload: bytes) -> None:
    """Fetches so many messages of a session, and acknowledges each."""
    size = len(Publish(topic, payload, 1, id=1).encode(V311))
    with _connected(port, Connect(name, clean=False)) as wire:
        rest, done = b"", 0
        while done < count:
            data = wire.recv(1 << 20)
            assert data, "the broker closed the connection"
            rest += data
            whole = len(rest) // size
            # The identifier stands behind the topic.
            at = size - len(payload) - 2
            ids = (rest[frame * size + at : frame * size + at + 2] for frame in range(whole))
            wire.sendall(b"".join(b"\x40\x02" + packet_id for packet_id in ids))
            rest, done = rest[whole * size :], done + whole
        wire.sendall(Disconnect().encode(V311))
        assert wire.recv(1) == b"", "more messages came than were sent"
