"""Message and byte rates: a client that is too fast is read more slowly, and loses nothing."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ..protocol.packets import V5, V311, Disconnect, Puback, Publish
from ..protocol.wire import Wire
from .counting import count, counted

OLD_AND_NEW = pytest.mark.parametrize("version", [V311, V5], ids=["3.1.1", "5.0"])


def numbered(topic: str, count: int, version: int, size: int = 8, **fields: Any) -> bytes:
    """So many PUBLISH packets."""
    packets = []
    for number in range(count):
        if fields.get("qos"):
            fields["id"] = number + 1
        packets.append(Publish(topic, b"%0*d" % (size, number), **fields).encode(version))
    return b"".join(packets)


def receive(wire: Wire, topic: str, count: int, size: int = 8) -> None:
    """Every message arrives, in the order in which they were published."""
    for number in range(count):
        wire.expect(Publish(topic, b"%0*d" % (size, number)), 10)


@OLD_AND_NEW
def test_a_client_that_publishes_too_fast_is_slowed_down(broker_factory, connect, root, version):
    broker = broker_factory({"limits.message_rate": 50})
    watcher, other = connect(to=broker), connect(to=broker)
    watcher.subscribe(f"{root}/#")
    wire = connect(to=broker, version=version)
    begun = time.monotonic()
    wire.send(numbered(f"{root}/fast", 200, version))
    for number in range(20):  # the others are not
        other.publish(f"{root}/slow", b"%d" % number, 1)
    assert time.monotonic() - begun < 1.5
    messages = [watcher.read(10) for _ in range(220)]
    took = time.monotonic() - begun
    assert 2.5 < took < 8
    fast = [message.payload for message in messages if message.topic == f"{root}/fast"]  # type: ignore[attr-defined]
    assert fast == [b"%08d" % number for number in range(200)]
    wire.ping()
    assert count(broker, "message_rate") >= 1
    assert count(broker, "byte_rate") == 0
    assert broker.statistics["messages_dropped"] == 0


@pytest.mark.parametrize("qos", [1, 2])
def test_a_client_that_is_slowed_down_gets_its_acknowledgements(broker_factory, connect, root, qos):
    broker = broker_factory({"limits.message_rate": 50})
    watcher, wire = connect(to=broker), connect(to=broker)
    watcher.subscribe(root)
    begun = time.monotonic()
    wire.send(numbered(root, 120, V5, qos=qos))
    codes = [wire.read(10) for _ in range(120)]
    assert 1 < time.monotonic() - begun < 6
    assert [(ack.id, ack.code) for ack in codes] == [(number, 0) for number in range(1, 121)]  # type: ignore[attr-defined]
    receive(watcher, root, 120)


def test_a_client_within_its_message_rate_is_not_slowed_down(broker_factory, connect, root):
    broker = broker_factory({"limits.message_rate": 50})
    watcher, wire = connect(to=broker), connect(to=broker)
    watcher.subscribe(root)
    begun = time.monotonic()
    wire.send(numbered(root, 50, V5))
    receive(watcher, root, 50)
    assert time.monotonic() - begun < 0.9
    assert count(broker, "message_rate") == 0


def test_other_packets_are_not_messages(broker_factory, connect, root):
    broker = broker_factory({"limits.message_rate": 5})
    wire = connect(to=broker)
    begun = time.monotonic()
    for number in range(50):
        wire.subscribe(f"{root}/{number}")
        wire.ping()
    assert time.monotonic() - begun < 2
    assert count(broker, "message_rate") == 0


@OLD_AND_NEW
def test_a_client_that_sends_too_many_bytes_is_slowed_down(broker_factory, connect, root, version):
    broker = broker_factory({"limits.byte_rate": 50_000})
    watcher, wire = connect(to=broker), connect(to=broker, version=version)
    watcher.subscribe(root)
    begun = time.monotonic()
    wire.send(numbered(root, 200, version, size=1000))
    receive(watcher, root, 200, size=1000)
    assert 2.5 < time.monotonic() - begun < 8
    wire.ping()
    assert count(broker, "byte_rate") >= 1
    assert count(broker, "message_rate") == 0


def test_one_packet_larger_than_the_byte_rate_comes_through(broker_factory, connect, root):
    broker = broker_factory({"limits.byte_rate": 10_000})
    watcher, wire = connect(to=broker), connect(to=broker)
    watcher.subscribe(root)
    wire.send(Publish(root, b"x" * 25_000, 1, id=1), Publish(root, b"end"))
    wire.expect(Puback(1), 8)
    watcher.expect(Publish(root, b"x" * 25_000), 8)
    watcher.expect(Publish(root, b"end"), 8)
    wire.ping()


def test_a_client_that_is_slowed_down_does_not_miss_its_keep_alive(broker_factory, connect, root):
    broker = broker_factory({"limits.message_rate": 20})
    watcher, wire = connect(to=broker), connect(to=broker, keep_alive=1)
    watcher.subscribe(root)
    # Three seconds' worth, sent at once: what is under way is alive.
    wire.send(numbered(root, 80, V5), Disconnect())
    receive(watcher, root, 80)
    wire.expect_closed(timeout=5)


def test_what_a_paused_client_has_sent_is_heard_after_it_has_gone(broker_factory, connect, root):
    broker = broker_factory({"limits.message_rate": 50})
    watcher, wire = connect(to=broker), connect(to=broker)
    watcher.subscribe(root)
    wire.send(numbered(root, 100, V5), Disconnect())
    wire.close()
    receive(watcher, root, 100)


def test_a_paused_client_can_be_taken_over(broker_factory, connect, root):
    broker = broker_factory({"limits.message_rate": 10})
    wire = connect("same", to=broker)
    wire.send(numbered(root, 1000, V5))
    begun = time.monotonic()
    connect("same", to=broker).ping()
    assert time.monotonic() - begun < 2
    assert wire.last_codes() == [0x8E]


def test_a_paused_client_does_not_delay_the_end(broker_factory, connect, root):
    broker = broker_factory({"limits.message_rate": 10})
    wire = connect(to=broker)
    wire.send(numbered(root, 1000, V5))
    begun = time.monotonic()
    broker.stop()
    assert time.monotonic() - begun < 3
    wire.last_words()


def test_zero_is_no_limit(broker_factory, connect, root):
    broker = broker_factory({"limits.message_rate": 0, "limits.byte_rate": 0})
    watcher, wire = connect(to=broker), connect(to=broker)
    watcher.subscribe(root)
    wire.send(numbered(root, 20_000, V5))
    receive(watcher, root, 20_000)
    counted(broker, "message_rate", 0)
    counted(broker, "byte_rate", 0)
