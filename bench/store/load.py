"""The load: publishers with a window of QoS 1 messages each, whose frames were encoded before."""

from __future__ import annotations

import selectors
import socket
import time
from dataclasses import dataclass

__all__ = ["connect", "offline_sessions", "publish_qos1", "stream_qos0"]

FRAMES = 5_000
"""Frames that are encoded before and sent again and again; so many Packet Identifiers are in use."""

ACK = 4


def _string(text: str) -> bytes:
    return len(text).to_bytes(2, "big") + text.encode()


def _packet(first: int, body: bytes) -> bytes:
    assert len(body) < 16_384
    length = bytes([len(body)]) if len(body) < 128 else bytes([len(body) % 128 | 128, len(body) // 128])
    return bytes([first]) + length + body


def connect(port: int, name: str, *, clean: bool = True) -> socket.socket:
    """A connection of MQTT 3.1.1."""
    wire = socket.create_connection(("127.0.0.1", port), 30)
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    wire.sendall(_packet(0x10, b"\0\4MQTT\4" + bytes([2 * clean]) + b"\0\0" + _string(name)))
    _expect(wire, 0x20, 4)
    return wire


def _expect(wire: socket.socket, first: int, size: int, last: int = 0) -> None:
    answer = b""
    while len(answer) < size:
        data = wire.recv(size - len(answer))
        if not data:
            raise RuntimeError("the broker closed the connection")
        answer += data
    if answer[0] != first or answer[-1] != last:
        raise RuntimeError(f"got {answer!r}")


def _subscribe(wire: socket.socket, topic: str, qos: int) -> None:
    wire.sendall(_packet(0x82, b"\0\1" + _string(topic) + bytes([qos])))
    _expect(wire, 0x90, 5, qos)


def offline_sessions(port: int, count: int, topic: str = "bench/#") -> None:
    """Sessions that are subscribed and away."""
    for number in range(count):
        wire = connect(port, f"away-{number}", clean=False)
        _subscribe(wire, topic, 1)
        wire.sendall(b"\xe0\0")
        wire.close()


@dataclass
class _Publisher:
    wire: socket.socket
    frames: memoryview
    frame: int
    sent: int = 0
    acknowledged: int = 0

    def send(self, count: int) -> None:
        start = self.sent % FRAMES
        while count:
            some = min(count, FRAMES - start)
            self.wire.sendall(self.frames[start * self.frame : (start + some) * self.frame])
            self.sent += some
            count, start = count - some, 0


def publish_qos1(
    port: int, seconds: float, *, publishers: int = 4, window: int = 20, size: int = 64, most: int = 10**9
) -> tuple[int, float]:
    """Publishes for so long; how many were acknowledged, and the seconds it took."""
    frames = [
        _packet(0x32, _string("bench/store") + number.to_bytes(2, "big") + bytes(size))
        for number in range(1, FRAMES + 1)
    ]
    data = memoryview(b"".join(frames))
    selector = selectors.EpollSelector()
    everybody = []
    for number in range(publishers):
        publisher = _Publisher(connect(port, f"publisher-{number}"), data, len(frames[0]))
        selector.register(publisher.wire, selectors.EVENT_READ, publisher)
        everybody.append(publisher)
    began = time.perf_counter()
    for publisher in everybody:
        publisher.send(min(window, most))
    end = began + seconds
    while time.perf_counter() < end:
        ready = selector.select(1.0)
        for key, _ in ready:
            publisher = key.data
            data_read = publisher.wire.recv(1 << 16)
            if not data_read:
                raise RuntimeError("the broker closed a publisher's connection")
            before = publisher.acknowledged
            publisher.acknowledged += len(data_read)
            publisher.send(publisher.acknowledged // ACK - before // ACK)
    took = time.perf_counter() - began
    for publisher in everybody:
        publisher.wire.close()
    selector.close()
    return sum(publisher.acknowledged // ACK for publisher in everybody), took


def stream_qos0(port: int, count: int, *, window: int = 500, size: int = 256) -> None:
    """One publisher to one subscriber, at most a window of messages under way."""
    frame = _packet(0x30, _string("stream/0") + bytes(size))
    reader, writer = connect(port, "reader"), connect(port, "writer")
    _subscribe(reader, "stream/#", 0)
    block = frame * window
    sent = received = 0
    while received < count * len(frame):
        room = received // len(frame) + window - sent
        if room >= window // 4 or sent == 0:
            writer.sendall(memoryview(block)[: room * len(frame)])
            sent += room
        data = reader.recv(1 << 20)
        if not data:
            raise RuntimeError("the broker closed the subscriber's connection")
        received += len(data)
    reader.close()
    writer.close()
