"""Clients that ask for more than their share with packets that are all correct."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from ..protocol.packets import (
    V5,
    V311,
    Connect,
    Disconnect,
    Puback,
    Publish,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
)
from ..protocol.wire import Wire, subscription
from .server import Server, eventually, mib

MIB = 1 << 20
PATIENCE = 1.0  # seconds within which others are served


@pytest.fixture
def wires() -> Iterator[list[Wire]]:
    """Connections that are closed at the end of the test."""
    opened: list[Wire] = []
    yield opened
    for wire in opened:
        wire.close()


def dial(broker: Server, wires: list[Wire], name: str, version: int = V5, **fields: object) -> Wire:
    wires.append(Wire(broker.host, broker.port, version=version, deadline=30))
    wires[-1].connect(Connect(name, keep_alive=0, **fields))  # type: ignore[arg-type]
    return wires[-1]


# A packet may hold 100,000 filters, each of which matches every retained message.
def test_many_subscriptions_to_everything_delay_nobody(server, wires, figures, undisturbed):
    broker = server()
    publisher = dial(broker, wires, "publisher")
    for number in range(5000):
        publisher.publish(f"kept/{number}", b"x", 1, retain=True)
    greedy = dial(broker, wires, "greedy", V311)
    memory = broker.memory()
    with undisturbed(broker.port) as bystanders:
        greedy.send(Subscribe(1, [subscription("#")] * 100_000))
        slowest = 0.0
        for number in range(20):
            begun = time.monotonic()
            friend = dial(broker, wires, f"friend {number}")
            friend.ping()
            slowest = max(slowest, time.monotonic() - begun)
            time.sleep(0.05)
        grown = broker.memory() - memory
    figures(
        f"100,000 filters in a SUBSCRIBE, each for 5,000 retained messages: others connected within "
        f"{slowest * 1000:.0f} ms, memory grew by {mib(grown)}; {bystanders}"
    )
    assert slowest < PATIENCE


def drain(wire: Wire) -> None:
    """Reads all that comes and answers nothing, until the connection is closed."""
    with contextlib.suppress(OSError):
        while wire._socket.recv(MIB):
            pass


# What was sent and is not acknowledged takes memory like what waits.
def test_messages_that_are_never_acknowledged_are_bounded(server, wires, figures):
    broker = server(limits={"max_queued_bytes": 8 * MIB})
    reader = dial(broker, wires, "reader")
    reader.subscribe("big", qos=1)
    reader._socket.settimeout(None)
    threading.Thread(target=drain, args=(reader,), daemon=True).start()
    publisher = dial(broker, wires, "publisher")
    memory, refused = broker.memory(), 0
    for number in range(1, 101):
        publisher.send(Publish("big", b"x" * (2 * MIB), 1, id=number))
        answer = publisher.read()
        assert isinstance(answer, Puback), answer
        refused += answer.code == 0x97
    grown = broker.memory() - memory
    figures(
        f"200 MiB sent to who acknowledges nothing: {refused} of 100 refused, memory grew by {mib(grown)}"
    )
    assert refused > 80
    assert grown < 64 * MIB
    reader._socket.shutdown(socket.SHUT_RDWR)


# Retained messages that wait for a subscriber are old versions as soon as they are replaced.
def test_retained_messages_that_are_replaced_while_they_wait_are_bounded(server, wires, figures):
    broker = server(limits={"max_queued_bytes": MIB, "max_retained_bytes": 2 * MIB})
    greedy = dial(broker, wires, "greedy", properties={"receive_maximum": 1})
    publisher = dial(broker, wires, "publisher")
    memory, codes = broker.memory(), set()
    for number in range(1, 201):
        greedy.send(Unsubscribe(number, ["kept"]))
        answer_of(greedy, Unsuback)
        publisher.publish("kept", b"x" * MIB, 1, retain=True)
        greedy.send(Subscribe(number, [subscription("kept", 1)]))
        codes.update(answer_of(greedy, Suback).codes)
    grown = broker.memory() - memory
    figures(f"a retained message of 1 MiB replaced and asked for 200 times: memory grew by {mib(grown)}")
    assert codes == {1, 0x97}
    assert grown < 32 * MIB


def answer_of(wire: Wire, kind: type) -> object:
    while not isinstance(packet := wire.read(), kind):
        assert isinstance(packet, Publish), packet
    return packet


# Bounds in bytes are bounds of memory: levels and properties take more of it than their text.
@pytest.mark.parametrize("what", ["levels", "properties"])
def test_what_is_small_on_the_wire_and_large_in_memory_is_bounded(server, wires, figures, what):
    broker = server(limits={"max_retained_bytes": 16 * MIB, "receive_maximum": 100})
    greedy = dial(broker, wires, "greedy")
    memory, refused = broker.memory(), 0
    count = 2000 if what == "levels" else 40
    for number in range(count):
        if what == "levels":
            packet = Publish("/".join([str(number), *"x" * 127]), b"x", 1, True, id=1)
        else:
            pairs = [(b"", b"")] * 12_000
            packet = Publish(f"kept/{number}", b"x", 1, True, id=1, properties={"user_property": pairs})
        greedy.send(packet)
        answer = greedy.read()
        assert isinstance(answer, Puback), answer
        refused += answer.code == 0x97
    grown = broker.memory() - memory
    figures(f"retained messages with many {what}: {refused} of {count} refused, memory grew by {mib(grown)}")
    assert refused > 0
    assert grown < 96 * MIB


# The HTTP port reads a request's body before anybody asks for it.
def test_bodies_that_never_end_are_bounded(server, figures):
    broker = server(http_port=0)
    memory, opened, status = broker.memory(), [], []
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 16777216\r\n\r\n"
    try:
        for _ in range(40):
            raw = socket.create_connection((broker.host, broker.http_port), 10)
            opened.append(raw)
            with contextlib.suppress(OSError):
                raw.sendall(head + bytes(16 * MIB - 10))
        for raw in opened:
            raw.settimeout(0.05)
            with contextlib.suppress(OSError):
                status.append(raw.recv(64)[9:12])
        grown = broker.memory() - memory
        figures(
            f"40 bodies of 16 MiB that never end: {status.count(b'503')} refused, memory grew by {mib(grown)}"
        )
        assert status.count(b"503") >= 20
        assert grown < 400 * MIB
    finally:
        for raw in opened:
            raw.close()


# A client that comes again goes on with the allowance it had left.
def test_a_rate_does_not_begin_anew_with_a_connection(server, wires, figures):
    broker = server(limits={"message_rate": 5})
    until = time.monotonic() + 2
    while time.monotonic() < until:
        hasty = Wire(broker.host, broker.port, version=V311, deadline=5)
        with contextlib.suppress(OSError):  # it may be jailed by now, which is as good
            hasty.send(Connect("hasty"), *[Publish("a", b"x")] * 5, Disconnect())
            hasty.read()
        hasty.close()
    received = eventually(broker.statistics, lambda found: True)["messages_received"]
    figures(f"a client of 5 messages a second that connects again and again: {received} in 2 s")
    assert received <= 5 * 4 + 5
