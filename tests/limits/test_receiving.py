"""Limits on what is under way to one client: what it did not acknowledge, what its socket does not take."""

from __future__ import annotations

import pytest

from ..protocol.packets import V5, V311, Puback, Pubcomp, Publish, Pubrec, Pubrel
from ..transports.line import welcome
from .counting import count, counted

OLD_AND_NEW = pytest.mark.parametrize("version", [V311, V5], ids=["3.1.1", "5.0"])


def numbers(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


def receive(wire, count: int) -> list[Publish]:
    """So many messages and no more, none of them acknowledged."""
    messages = [wire.read() for _ in range(count)]
    assert all(isinstance(message, Publish) for message in messages)
    wire.expect_nothing(0.1)
    return messages


@OLD_AND_NEW
def test_what_is_not_acknowledged_holds_back_the_rest(broker_factory, connect, root, version):
    broker = broker_factory({"limits.max_inflight": 2})
    reader, writer = connect(to=broker, version=version), connect(to=broker)
    reader.subscribe(root, qos=1)
    for payload in numbers(2):
        writer.publish(root, payload, 1)
    first = receive(reader, 2)
    assert count(broker, "max_inflight") == 0
    for payload in numbers(5)[2:]:
        assert writer.publish(root, payload, 1) == 0  # taken, it waits
    reader.expect_nothing(0.1)
    counted(broker, "max_inflight", 3)
    reader.send(Puback(first[0].id or 0))
    third = receive(reader, 1)
    reader.send(*(Puback(message.id or 0) for message in (first[1], *third)))
    rest = receive(reader, 2)
    assert [message.payload for message in (*first, *third, *rest)] == numbers(5)
    counted(broker, "max_inflight", 3)


def test_qos_2_is_under_way_until_it_is_complete(broker_factory, connect, root):
    broker = broker_factory({"limits.max_inflight": 1})
    reader, writer = connect(to=broker), connect(to=broker)
    reader.subscribe(root, qos=2)
    for payload in numbers(2):
        writer.publish(root, payload, 2)
    (first,) = receive(reader, 1)
    counted(broker, "max_inflight", 1)
    reader.send(Pubrec(first.id or 0))
    reader.expect(Pubrel(first.id or 0))
    reader.expect_nothing(0.1)
    reader.send(Pubcomp(first.id or 0))
    assert receive(reader, 1)[0].payload == b"1"


def test_a_client_that_takes_fewer_gets_fewer(broker_factory, connect, root):
    broker = broker_factory({"limits.max_inflight": 10})
    reader = connect(to=broker, properties={"receive_maximum": 1})
    other, writer = connect(to=broker), connect(to=broker)
    for wire in (reader, other):
        wire.subscribe(root, qos=1)
    for payload in numbers(3):
        writer.publish(root, payload, 1)
    receive(reader, 1)
    assert [message.payload for message in receive(other, 3)] == numbers(3)
    counted(broker, "max_inflight", 2)


def test_bytes_under_way_are_bounded_as_those_that_wait(broker_factory, connect, root):
    broker = broker_factory({"limits.max_queued_bytes": "100KiB"})
    reader, writer = connect(to=broker), connect(to=broker)
    reader.subscribe(root, qos=1)
    for _ in range(3):
        assert writer.publish(root, bytes(40_000), 1) == 0
    receive(reader, 2)
    counted(broker, "max_inflight", 1)


def test_a_client_without_unacknowledged_messages_meets_no_bound(broker_factory, connect, root):
    broker = broker_factory({"limits.max_inflight": 1})
    reader, away, writer = connect(to=broker), connect(to=broker), connect(to=broker)
    reader.subscribe(root)
    away.subscribe(root, qos=1)
    for payload in numbers(3):
        writer.publish(root, payload)
    assert [message.payload for message in reader.drain()] == numbers(3)
    assert [message.payload for message in away.drain()] == numbers(3)
    assert (count(broker, "max_inflight"), count(broker, "max_outbox_bytes")) == (0, 0)


@pytest.mark.parametrize("qos", [0, 1])
def test_what_a_socket_does_not_take_waits_in_the_queue(broker_factory, connect, reach, root, qos):
    broker = broker_factory({"limits.max_outbox_bytes": "64KiB"})
    reader = reach(broker, buffer=4096)
    welcome(reader, properties={"receive_maximum": 65_535})
    reader.subscribe(root, qos=qos)
    writer = connect(to=broker)
    sent = 0
    while count(broker, "max_outbox_bytes") < 10:  # the system's own buffers are full at some time
        assert writer.publish(root, b"%08d" % sent + bytes(20_000), qos) == 0
        sent += 1
        assert sent < 2000
    waiting = count(broker, "max_outbox_bytes")
    assert waiting < sent
    got = reader.drain()
    assert [int(message.payload[:8]) for message in got] == list(range(sent)), "in order, none lost"
    counted(broker, "max_outbox_bytes", waiting)
    assert writer.publish(root, b"last", qos) == 0
    assert [message.payload for message in reader.drain()] == [b"last"]
    assert broker.statistics["messages_dropped"] == 0
