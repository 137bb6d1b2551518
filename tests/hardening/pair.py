"""Two clients that talk to each other while others misbehave: `python pair.py PORT`.

Each sends QoS 1 and QoS 2 messages to the other at a steady pace, one in version 5.0 and one in 3.1.1. When
its input ends, it waits for what is under way and says how it went, in JSON. They never connect again: who is
disturbed is lost.
"""

from __future__ import annotations

import json
import select
import socket
import statistics
import struct
import sys
import time

PACE = 0.02  # seconds between two messages of a client
PATIENCE = 5.0  # seconds for what is under way at the end


def string(text: str) -> bytes:
    return struct.pack(">H", len(text)) + text.encode()


def packet(first: int, body: bytes) -> bytes:
    assert len(body) < 128
    return bytes([first, len(body)]) + body


class Talker:
    """One of the two."""

    def __init__(self, port: int, name: str, other: str, version: int) -> None:
        self.other, self.version, self.name = other, version, name
        self.none = b"\0" if version == 5 else b""
        self.greeted = 0
        self.next = 1
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.unread = b""
        self.received: list[int] = []
        self.delays: list[float] = []
        self.unanswered: set[int] = set()
        self.errors: list[str] = []
        head = string("MQTT") + bytes([version, 2]) + struct.pack(">H", 30) + self.none
        self.send(0x10, head + string(f"undisturbed-{name}"))
        self.send(0x82, b"\0\1" + self.none + string(f"undisturbed/{name}") + b"\2")

    def send(self, first: int, body: bytes) -> None:
        self.socket.sendall(packet(first, body))

    def talk(self) -> None:
        """Sends the next message."""
        number, now = self.next, time.monotonic()
        self.next += 1
        identifier = number % 65_535 + 1
        self.unanswered.add(identifier)
        head = string(f"undisturbed/{self.other}") + struct.pack(">H", identifier) + self.none
        self.send(0x32 if number % 2 else 0x34, head + struct.pack(">Id", number, now))

    def listen(self) -> None:
        """Reads what is there."""
        data = self.socket.recv(65_536)
        if not data:
            self.errors.append("the connection was closed")
            return
        self.unread += data
        # No packet to these clients has 128 bytes or more.
        while len(self.unread) >= 2 and len(self.unread) >= 2 + self.unread[1]:
            first, length = self.unread[0], self.unread[1]
            body, self.unread = self.unread[2 : 2 + length], self.unread[2 + length :]
            self.take(first, body)

    def take(self, first: int, body: bytes) -> None:
        kind = first >> 4
        if kind == 3:
            self.message(first, body)
        elif kind == 4 or kind == 7:
            self.unanswered.discard(struct.unpack(">H", body[:2])[0])
        elif kind == 5:
            self.send(0x62, body[:2])
        elif kind == 6:
            self.send(0x70, body[:2])
        elif (kind == 2 and body[1] == 0) or (kind == 9 and body[-1] == 2):
            self.greeted += 1
        else:
            self.errors.append(f"unexpected packet {first:02X} {body.hex()}")

    def is_done(self, talkers: list[Talker]) -> bool:
        """Whether all it sent was acknowledged, and all that was sent to it has come."""
        (other,) = [talker for talker in talkers if talker is not self]
        return not self.unanswered and len(self.received) >= other.next - 1

    def message(self, first: int, body: bytes) -> None:
        topic = 2 + struct.unpack(">H", body[:2])[0]
        number, at = struct.unpack(">Id", body[-12:])
        if first & 8:
            self.errors.append(f"message {number} came with DUP")
        self.send(0x40 if first & 6 == 2 else 0x50, body[topic : topic + 2])
        self.received.append(number)
        self.delays.append(time.monotonic() - at)


def converse(talkers: list[Talker]) -> None:
    """Talks until the input ends, and waits until all has arrived."""
    sockets = {talker.socket: talker for talker in talkers}
    readers: list[object] = [*sockets, sys.stdin]
    now = due = time.monotonic()
    end = float("inf")
    while now < end and not any(talker.errors for talker in talkers):
        if sys.stdin not in readers and all(talker.is_done(talkers) for talker in talkers):
            return
        if now >= due and sys.stdin in readers:
            for talker in talkers:
                talker.talk()
            due = max(due + PACE, now)
        for ready in select.select(readers, [], [], max(0.0, min(due - now, PACE)))[0]:
            if ready is sys.stdin:
                readers.remove(sys.stdin)
                end = time.monotonic() + PATIENCE
            else:
                sockets[ready].listen()
        now = time.monotonic()


def report(talkers: list[Talker]) -> dict[str, object]:
    a, b = talkers
    delays = sorted(delay * 1000 for talker in talkers for delay in talker.delays) or [float("inf")]
    expected = [(a, list(range(1, b.next))), (b, list(range(1, a.next)))]
    return {
        "sent": a.next + b.next - 2,
        "received": len(a.received) + len(b.received),
        "in_order_and_once": all(talker.received == numbers for talker, numbers in expected),
        "unacknowledged": len(a.unanswered) + len(b.unanswered),
        "errors": a.errors + b.errors,
        "median_ms": statistics.median(delays),
        "slowest_ms": delays[-1],
    }


def main(port: int) -> None:
    talkers = [Talker(port, "a", "b", 5), Talker(port, "b", "a", 4)]
    for talker in talkers:
        while talker.greeted < 2 and not talker.errors:
            talker.listen()
    print(json.dumps({"ready": True}), flush=True)
    converse(talkers)
    print(json.dumps(report(talkers)), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
