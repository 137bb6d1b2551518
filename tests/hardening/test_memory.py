"""Clients that make the broker remember: what they do is bounded, and others do not notice."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest

from ..protocol.packets import V5, V311, Connect, Disconnect, Pingreq, Puback, Publish, Subscribe, u16
from ..protocol.wire import Wire, subscription
from .frame import BINARY, PING, FrameSocket, frame
from .server import Server, mib

IDENTIFIERS = range(1, 65_536)
ROUNDS = 4
FLAT = 6 << 20  # bytes: what allocators keep, and not a list that grows
EACH = 4 << 20  # bytes for all identifiers of one client, its buffers included
TWENTY = 8 << 20  # bytes for 20 clients that were closed when they had sent a thousand


@pytest.fixture
def wires() -> Iterator[list[Wire]]:
    """Connections that are closed at the end of the test."""
    opened: list[Wire] = []
    yield opened
    for wire in opened:
        wire.close()


def dial(broker: Server, wires: list[Wire], name: str, version: int, **fields: object) -> Wire:
    wires.append(Wire(broker.host, broker.port, version=version, deadline=30))
    wires[-1].connect(Connect(name, keep_alive=0, **fields))  # type: ignore[arg-type]
    return wires[-1]


def flood(wire: Wire, data: bytes, answers: int) -> None:
    """Sends all of it while the answers, of four bytes each, are read."""
    raw = wire._socket
    raw.settimeout(30)
    sender = threading.Thread(target=raw.sendall, args=(data,))
    sender.start()
    left = 4 * answers
    while left:
        got = raw.recv(min(left, 1 << 20))
        assert got, "the connection was closed"
        left -= len(got)
    sender.join()
    wire.ping()


def publishes(version: int) -> bytes:
    """A QoS 2 message under every Packet Identifier there is."""
    none = b"\0" if version == V5 else b""
    body = 9 + len(none)
    return b"".join(
        bytes([0x34, body]) + b"\0\4keep" + struct.pack(">H", number) + none + b"x" for number in IDENTIFIERS
    )


# Before 5.0 nothing bounds them but their number. The sessions are kept, so that nothing is forgotten.
def test_all_packet_identifiers_of_qos_2_over_and_over_take_no_more_memory(
    server, wires, figures, undisturbed
):
    broker = server()
    start = broker.memory()
    everything = publishes(V311)
    with undisturbed(broker.port) as bystanders:
        abusers = [dial(broker, wires, f"abuser {number}", V311, clean=False) for number in range(3)]
        for abuser in abusers:
            flood(abuser, everything, len(IDENTIFIERS))
        first = broker.memory()
        for _ in range(ROUNDS - 1):
            for number, abuser in enumerate(abusers):
                flood(abuser, everything, len(IDENTIFIERS))
                abuser.close()
                abusers[number] = dial(broker, wires, f"abuser {number}", V311, clean=False)
        grown = broker.memory() - first
    figures(
        f"QoS 2 identifiers: 3 clients sent {len(IDENTIFIERS):,} each without PUBREL, {ROUNDS} times: "
        f"{mib((first - start) / 3)} each, then {mib(grown)} more; {bystanders}"
    )
    assert first - start < 3 * EACH
    assert grown < FLAT


# [MQTT-3.3.4-7]
def test_a_client_of_5_is_closed_when_it_exceeds_the_receive_maximum(server, wires, figures):
    broker = server()
    memory = broker.memory()
    for number in range(20):
        abuser = dial(broker, wires, f"abuser {number}", V5)
        maximum = abuser.connack.properties["receive_maximum"]
        abuser.send(*(Publish("keep", b"x", 2, id=number) for number in IDENTIFIERS[: maximum + 1]))
        words = abuser.last_words()
        assert [type(word).__name__ for word in words] == ["Pubrec"] * maximum + ["Disconnect"]
        assert isinstance(words[-1], Disconnect) and words[-1].code == 0x93
    grown = broker.memory() - memory
    figures(
        f"QoS 2 identifiers in 5.0: 0x93 after {maximum:,} without PUBREL; {mib(grown)} after 20 such clients"
    )
    assert grown < TWENTY


# PUBACK, PUBREC, PUBREL and PUBCOMP of messages that never were.
@pytest.mark.parametrize("version", [V311, V5], ids=["3.1.1", "5.0"])
def test_acknowledgements_of_nothing_leave_nothing_behind(server, wires, figures, version):
    broker = server()
    client = dial(broker, wires, "abuser", version)
    everything = b"".join(
        bytes([first, 2]) + u16(number) for first in (0x40, 0x50, 0x62, 0x70) for number in IDENTIFIERS
    )
    memory = broker.memory()
    for _ in range(2):
        raw = client._socket
        raw.settimeout(30)
        sender = threading.Thread(target=raw.sendall, args=(everything + b"\xc0\0",))
        sender.start()
        tail = b""
        while not tail.endswith(b"\xd0\0"):
            got = raw.recv(1 << 20)
            assert got, "the connection was closed"
            tail = (tail + got)[-8:]
        sender.join()
    grown = broker.memory() - memory
    figures(f"acknowledgements of nothing: {8 * len(IDENTIFIERS):,}, memory grew by {mib(grown)}")
    assert grown < FLAT


OUTBOX, QUEUE = 2 << 20, 8 << 20
ROOM = 24 << 20  # bytes beside them: the socket buffers, and what allocators keep
MESSAGE = b"x" * 4000


def stopped(broker: Server, wires: list[Wire], name: str, qos: int) -> Wire:
    """A subscriber that reads nothing from here on."""
    client = dial(broker, wires, name, V5)
    client._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.send(Subscribe(1, [subscription("flood", qos)]))
    client.read()
    return client


class Reader:
    """A subscriber that reads all the time, and notes how old each message is when it comes."""

    def __init__(self, wire: Wire) -> None:
        self.ages: list[float] = []
        self._wire = wire
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        while True:
            packet = self._wire.read(30)
            if not isinstance(packet, Publish) or packet.payload == b"end":
                return
            self.ages.append(time.monotonic() - struct.unpack(">d", packet.payload[:8])[0])

    def finish(self) -> list[float]:
        self._thread.join(30)
        assert not self._thread.is_alive()
        return self.ages


def stopped_websocket(broker: Server) -> FrameSocket:
    """The same over WebSocket."""
    client = FrameSocket(broker.http_port)
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    hello = Connect("stopped websocket", keep_alive=0).encode(V311)
    client.send(frame(BINARY, hello + Subscribe(1, [("flood", 0)]).encode(V311)))
    client.expect(b"\x20\x02\0\0\x90\x03\0\x01\0")
    return client


def stamped() -> bytes:
    return struct.pack(">d", time.monotonic()) + MESSAGE


def test_a_stopped_subscriber_neither_grows_memory_nor_slows_others(server, wires, figures, undisturbed):
    limits = {"max_outbox_bytes": OUTBOX, "max_queued_bytes": QUEUE}
    broker = server(http_port=0, limits=limits)
    memory = broker.memory()
    most = 0
    with (
        undisturbed(broker.port) as bystanders,
        contextlib.closing(stopped_websocket(broker)),
    ):
        stopped(broker, wires, "stopped", 0)
        other = dial(broker, wires, "reader", V5)
        other.subscribe("flood")
        reader = Reader(other)
        publisher = dial(broker, wires, "publisher", V5)
        for _ in range(60):
            for _ in range(8):
                publisher.send(*(Publish("flood", stamped()) for _ in range(40)))
                publisher.ping()
            most = max(most, broker.memory() - memory)
        publisher.publish("flood", b"end", 1)
        ages = sorted(reader.finish())
    dropped = broker.statistics()["limit_qos0_dropped"]
    figures(
        f"stopped subscribers (TCP, WebSocket): {len(ages):,} messages of {len(stamped()):,} bytes at QoS 0, "
        f"{dropped:,} dropped for them, memory grew by {mib(most)} at most; another subscriber got all, "
        f"median {ages[len(ages) // 2] * 1000:.1f} ms, slowest {ages[-1] * 1000:.0f} ms; {bystanders}"
    )
    assert len(ages) == 60 * 8 * 40
    assert ages[-1] < 1
    assert most < 2 * (OUTBOX + QUEUE) + ROOM
    assert dropped > 0


# What must not be dropped is refused, and the publisher is told.
def test_a_stopped_subscriber_of_qos_1_makes_publishes_fail_and_not_memory_grow(
    server, wires, figures, undisturbed
):
    limits = {"max_outbox_bytes": OUTBOX, "max_queued_bytes": QUEUE}
    broker = server(limits=limits)
    memory = broker.memory()
    most, refused = 0, 0
    with undisturbed(broker.port) as bystanders:
        stopped(broker, wires, "stopped", 1)
        publisher = dial(broker, wires, "publisher", V5)
        for _ in range(60):
            publisher.send(*(Publish("flood", stamped(), 1, id=number) for number in range(1, 201)))
            for _ in range(200):
                answer = publisher.read()
                assert isinstance(answer, Puback) and answer.code in (0, 0x97), answer
                refused += answer.code == 0x97
            most = max(most, broker.memory() - memory)
    figures(
        f"a stopped subscriber of QoS 1: {refused:,} of {60 * 200:,} publishes refused with 0x97, memory "
        f"grew by {mib(most)} at most; {bystanders}"
    )
    assert refused > 0
    assert most < OUTBOX + QUEUE + ROOM


def send_until_it_stalls(raw: socket.socket, data: bytes, most: int) -> int:
    """Sends the same over and over until the broker reads no more, or so many bytes; how many it took."""
    raw.settimeout(0.5)
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < most:
            sent += raw.send(data)
    return sent


# Who does not read the answers is not asked for more: its socket is left unread, nobody else's.
@pytest.mark.parametrize("kind", ["PINGREQ", "PINGREQ in WebSocket", "ping of WebSocket"])
def test_questions_whose_answers_nobody_reads_are_bounded(server, wires, figures, undisturbed, kind):
    broker = server(http_port=0, limits={"max_outbox_bytes": OUTBOX})
    question = Pingreq().encode(V311) * 1000
    if kind == "PINGREQ":
        opened = dial(broker, wires, "stopped", V311)._socket
    else:
        client = FrameSocket(broker.http_port)
        opened = client.socket
        client.send(frame(BINARY, Connect("stopped", keep_alive=0).encode(V311)))
        client.expect(b"\x20\x02\0\0")
        if kind == "PINGREQ in WebSocket":
            question = frame(BINARY, question)
        else:
            question = frame(PING, b"x" * 125) * 100
    memory = broker.memory()
    with contextlib.closing(opened), undisturbed(broker.port) as bystanders:
        sent = send_until_it_stalls(opened, question, 256 << 20)
        grown = broker.memory() - memory
    figures(f"{kind}, answers unread: the broker took {mib(sent)}, memory grew by {mib(grown)}; {bystanders}")
    assert grown < OUTBOX + ROOM


# Each is kept as it was read; the room around it was made for what came before it.
def test_a_message_that_is_kept_does_not_hold_the_room_of_a_larger_one(server, wires, figures):
    broker = server()
    away = dial(broker, wires, "away", V311, clean=False)
    away.subscribe("kept", qos=1)
    away.close()
    publisher = dial(broker, wires, "publisher", V311)
    memory = broker.memory()
    for _ in range(400):
        for topic, size in ("passes", 256 << 10), ("kept", 33 << 10):
            publisher.send(Publish(topic, bytes(size), 1, id=1))
            assert publisher.read() == Puback(1)
    queued, grown = broker.statistics()["queued_bytes"], broker.memory() - memory
    figures(f"{mib(queued)} that are kept between larger messages: memory grew by {mib(grown)}")
    assert queued > 400 * 33 << 10
    assert grown < 2 * queued + ROOM
