"""MQTT frames that were encoded before, and connections that send them: load that costs next to nothing."""

from __future__ import annotations

import select
import socket
import struct
import time
from types import TracebackType

__all__ = ["BLOCK", "PAYLOAD", "TOPIC", "Connection", "acknowledged", "free_port", "publish", "round_trips"]

TOPIC = "bench/1/level"
PAYLOAD = bytes(range(32, 96))
"""64 bytes."""

BLOCK = 800
"""Messages in one write; some 64 KiB, which a broker reads at once."""

PATIENCE = 60.0
"""Seconds to wait for a broker."""

PINGREQ, PINGRESP = b"\xc0\x00", b"\xd0\x00"
SUBACK, PUBACK = 0x90, 4
"""First byte of a SUBACK; length of a PUBACK."""


def publish(topic: str = TOPIC, payload: bytes = PAYLOAD, *, packet_id: int | None = None) -> bytes:
    """Encode a PUBLISH of less than 128 bytes; with a Packet Identifier it is QoS 1, else QoS 0.

    >>> publish("a", b"x").hex(" "), publish("a", b"x", packet_id=7).hex(" ")
    ('30 04 00 01 61 78', '32 06 00 01 61 00 07 78')
    """
    identifier = b"" if packet_id is None else struct.pack(">H", packet_id)
    body = struct.pack(">H", len(topic)) + topic.encode() + identifier + payload
    return bytes([0x30 if packet_id is None else 0x32, len(body)]) + body


class Connection:
    """A client of MQTT 3.1.1 on a plain socket, with the usual Keep Alive of 60 seconds."""

    _block = publish() * BLOCK

    def __init__(self, port: int, name: str = "load") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        body = b"\x00\x04MQTT\x04\x02\x00\x3c" + struct.pack(">H", len(name)) + name.encode()
        self.socket.sendall(bytes([0x10, len(body)]) + body)
        answer = self.receive(4)
        if answer != b"\x20\x02\x00\x00":
            raise ConnectionError(f"the broker answered {answer.hex(' ')}")

    def flood(self, messages: int) -> None:
        """Send so many messages of QoS 0, as fast as they are taken."""
        for _ in range(messages // BLOCK):
            self.socket.sendall(self._block)
        if rest := messages % BLOCK:
            self.socket.sendall(publish() * rest)

    def pace(self, seconds: float, rate: float) -> int:
        """Send messages of QoS 0 one by one at a rate, in messages a second; return how many.

        Their payloads begin with the nanosecond of the monotonic clock in which they were sent.
        """
        frame = publish()
        head, tail = frame[: -len(PAYLOAD)], frame[8 - len(PAYLOAD) :]
        send, now, sleep, clock = self.socket.sendall, time.perf_counter, time.sleep, time.monotonic_ns
        messages = int(seconds * rate)
        due = now()
        for _ in range(messages):
            if (wait := due - now()) > 0:
                sleep(wait)
            send(head + clock().to_bytes(8) + tail)
            due += 1 / rate
        return messages

    def ping(self) -> None:
        """Wait until the broker has handled everything that was sent before."""
        self.socket.sendall(PINGREQ)
        if self.receive(2) != PINGRESP:
            raise ConnectionError("that was no PINGRESP")

    def subscribe(self, filter: str) -> None:
        """Subscribe with QoS 0."""
        body = b"\x00\x01" + struct.pack(">H", len(filter)) + filter.encode() + b"\x00"
        self.socket.sendall(bytes([0x82, len(body)]) + body)
        if self.receive(5)[0] != SUBACK:
            raise ConnectionError("that was no SUBACK")

    def receive(self, size: int) -> bytes:
        """Receive exactly so many bytes."""
        data = bytearray()
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise ConnectionError("the broker closed the connection")
            data += more
        return bytes(data)

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()


def round_trips(port: int, samples: int) -> list[float]:
    """Publish one message at a time and wait for it at a subscriber; return the seconds each took."""
    frame, now = publish(), time.perf_counter_ns
    taken = []
    with Connection(port, "subscriber") as subscriber, Connection(port, "publisher") as publisher:
        subscriber.subscribe(TOPIC)
        send, receive, size = publisher.socket.sendall, subscriber.receive, len(frame)
        for _ in range(samples):
            started = now()
            send(frame)
            receive(size)
            taken.append((now() - started) / 1e9)
    return taken


def acknowledged(port: int, connections: int, window: int, seconds: float) -> tuple[int, float]:
    """Keep ``window`` publishes of QoS 1 under way on each connection; return messages and seconds.

    Acknowledgements come in the order of the publishes [MQTT-4.6.0-2], so what is sent next is always a slice
    of one ring of frames, as many as were acknowledged.
    """
    size = len(publish(packet_id=1))
    ring = b"".join(publish(packet_id=1 + index % window) for index in range(2 * window))
    clients = {
        client.socket.fileno(): client for client in (Connection(port, f"p{i}") for i in range(connections))
    }
    at = dict.fromkeys(clients, 0)
    poll = select.epoll()
    try:
        for number, client in clients.items():
            client.socket.setblocking(False)
            poll.register(number, select.EPOLLIN)
        total, waiting, rest = 0, connections * window, dict.fromkeys(clients, 0)
        now = time.perf_counter
        started = now()
        deadline = started + seconds
        for client in clients.values():
            client.socket.send(ring[: window * size])
        while waiting:
            ready = poll.poll(PATIENCE)
            if not ready:
                raise ConnectionError("the broker acknowledges nothing any more")
            going = now() < deadline
            for number, _ in ready:
                received = len(clients[number].socket.recv(4096))
                if not received:
                    raise ConnectionError("the broker closed the connection")
                acks, rest[number] = divmod(received + rest[number], PUBACK)
                total += acks
                if going:
                    first = at[number]
                    clients[number].socket.send(ring[first * size : (first + acks) * size])
                    at[number] = (first + acks) % window
                else:
                    waiting -= acks
        return total, now() - started
    finally:
        poll.close()
        for client in clients.values():
            client.socket.close()


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on, for servers that cannot choose one."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port: int = other.getsockname()[1]
        return port
