"""What a session is, in every detail, after the broker was killed and started again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ..protocol.packets import V5, V311, Puback, Pubcomp, Publish, Pubrec, Pubrel, subscription
from ..protocol.wire import Wire
from .server import Node

PROPERTIES = {
    "payload_format_indicator": 1,
    "content_type": "text/ö",
    "response_topic": "answers/7",
    "correlation_data": b"\0\xff",
    "user_property": [("unit", "cm"), ("unit", "mm"), ("", "")],
}


@pytest.fixture
def broker(node: Callable[..., Node], tmp_path: Path) -> Node:
    return node(tmp_path / "data")


def again(broker: Node) -> None:
    broker.kill()
    broker.start()


def test_the_options_of_a_subscription(broker: Node, connect: Callable[..., Wire]) -> None:
    wire = connect(broker.port, "s")
    wire.subscribe(subscription("own", 1, no_local=True), subscription_identifier=7)
    wire.subscribe(
        subscription("as-published", 1, retain_as_published=True), subscription_identifier=268_435_455
    )
    wire.subscribe(subscription("plain", 1), "$share/group/shared")
    wire.subscribe("gone", qos=1)
    wire.unsubscribe("gone")
    again(broker)
    wire = connect(broker.port, "s")
    assert wire.connack.session_present
    wire.publish("own", b"mine", 1)
    wire.expect_nothing()
    other = connect(broker.port, "o", clean=True)
    for topic in ("own", "as-published", "plain", "shared", "gone"):
        other.publish(topic, topic.encode(), 1, retain=True)
    wire.expect_message("own", b"own", qos=1, properties={"subscription_identifier": [7]})
    identifier = {"subscription_identifier": [268_435_455]}
    wire.expect_message("as-published", b"as-published", qos=1, retain=True, properties=identifier)
    wire.expect_message("plain", b"plain", qos=1)
    wire.expect_message("shared", b"shared")
    wire.expect_nothing()


def test_the_properties_of_messages(broker: Node, connect: Callable[..., Wire]) -> None:
    wire = connect(broker.port, "s")
    wire.subscribe("a/#", qos=2, subscription_identifier=1)
    wire.disconnect()
    other = connect(broker.port, "o", clean=True)
    other.publish("a/b", "grün".encode(), 2, properties=PROPERTIES)
    other.publish("r", "grün".encode(), 1, retain=True, properties=PROPERTIES)
    again(broker)
    wire = connect(broker.port, "s")
    expected = {**PROPERTIES, "subscription_identifier": [1]}
    wire.expect_message("a/b", "grün".encode(), qos=2, properties=expected)
    reader = connect(broker.port, "r", clean=True)
    reader.subscribe("r", qos=1)
    reader.expect_message("r", "grün".encode(), qos=1, retain=True, properties=PROPERTIES)


@pytest.mark.parametrize("version", [V311, V5])
def test_every_state_of_a_message_on_its_way(
    broker: Node, connect: Callable[..., Wire], version: int
) -> None:
    wire = connect(broker.port, "s", version=version)
    wire.subscribe("one", qos=1)
    wire.subscribe("two", qos=2)
    other = connect(broker.port, "o", clean=True)
    for topic, payload in (("one", b"1"), ("one", b"2"), ("two", b"3"), ("two", b"4"), ("two", b"5")):
        other.publish(topic, payload, 2)
    ids = [wire.expect(Publish(topic, payload, qos)).id for topic, payload, qos in (
        ("one", b"1", 1), ("one", b"2", 1), ("two", b"3", 2), ("two", b"4", 2), ("two", b"5", 2)
    )]  # fmt: skip
    acknowledged, _, unreceived, received, completed = (number or 0 for number in ids)
    wire.send(Puback(acknowledged), Pubrec(received), Pubrec(completed))
    wire.expect(Pubrel(received))
    wire.expect(Pubrel(completed))
    wire.send(Pubcomp(completed))
    wire.ping()
    other.publish("retained", b"x", 1, retain=True)  # what was noted before is stored with it
    again(broker)
    wire = connect(broker.port, "s", version=version)
    wire.expect(Pubrel(received))
    wire.expect(Publish("one", b"2", 1, dup=True, id=ids[1]))
    wire.expect(Publish("two", b"3", 2, dup=True, id=unreceived))
    wire.expect_nothing()
    wire.send(Pubcomp(received), Puback(ids[1] or 0), Pubrec(unreceived))
    wire.expect(Pubrel(unreceived))
    wire.send(Pubcomp(unreceived))
    wire.ping()
    broker.wait_until("inflight_messages", (0).__eq__)


def test_what_a_publisher_had_not_released(broker: Node, connect: Callable[..., Wire]) -> None:
    reader = connect(broker.port, "reader")
    reader.subscribe("a", qos=2)
    reader.disconnect()
    wire = connect(broker.port, "writer")
    wire.send(Publish("a", b"once", 2, id=65_535))
    wire.expect(Pubrec(65_535))
    again(broker)
    wire = connect(broker.port, "writer")
    wire.send(Publish("a", b"once", 2, dup=True, id=65_535))
    wire.expect(Pubrec(65_535))
    wire.send(Pubrel(65_535))
    wire.expect(Pubcomp(65_535))
    wire.send(Pubrel(65_535))
    wire.expect(Pubcomp(65_535, 0x92))
    reader = connect(broker.port, "reader")
    reader.expect_message("a", b"once", qos=2)
    reader.expect_nothing()


def test_a_session_that_was_given_up_does_not_come_back(broker: Node, connect: Callable[..., Wire]) -> None:
    for name in ("clean start", "short", "no expiry any more"):
        wire = connect(broker.port, name)
        wire.subscribe("a", qos=1)
        wire.disconnect()
    connect(broker.port, "o", clean=True).publish("a", b"x", 1)
    wire = connect(broker.port, "clean start", clean=True)
    short = connect(broker.port, "short")
    short.drain()
    short.disconnect(session_expiry_interval=0)
    wire = connect(broker.port, "no expiry any more", expiry=0)
    wire.drain()
    again(broker)
    for name in ("clean start", "short", "no expiry any more"):
        wire = connect(broker.port, name)
        assert not wire.connack.session_present, name
        wire.expect_nothing()
    assert broker.server.statistics()["queued_messages"] == 0


def test_retained_messages_that_were_replaced_and_taken_away(
    broker: Node, connect: Callable[..., Wire]
) -> None:
    wire = connect(broker.port, "o", clean=True)
    for payload in (b"1", b"2", b"3"):
        wire.publish("replaced", payload, 1, retain=True)
    wire.publish("taken", b"x", 2, retain=True)
    wire.publish("taken", b"", 2, retain=True)
    wire.publish("qos0", b"x", 0, retain=True)
    broker.wait_until("store_live_bytes", lambda size: size > 0)
    wire.publish("last", b"x", 1, retain=True)
    again(broker)
    wire = connect(broker.port, "o", clean=True)
    wire.subscribe("#")
    assert {str(one.topic): one.payload for one in wire.drain()} == {
        "replaced": b"3",
        "qos0": b"x",
        "last": b"x",
    }


def test_a_large_message(broker: Node, connect: Callable[..., Wire]) -> None:
    payload = bytes(range(256)) * (15 << 12)
    wire = connect(broker.port, "s")
    wire.subscribe("a", qos=1)
    wire.disconnect()
    connect(broker.port, "o", clean=True).publish("a", payload, 1)
    again(broker)
    connect(broker.port, "s").expect_message("a", payload, qos=1)


def test_it_starts_as_often_as_one_likes(broker: Node, connect: Callable[..., Wire]) -> None:
    wire = connect(broker.port, "s")
    wire.subscribe("a", qos=1)
    wire.disconnect()
    for number in range(15):
        connect(broker.port, f"o{number}", clean=True).publish("a", str(number).encode(), 1)
        again(broker)
    wire = connect(broker.port, "s")
    assert [int(message.payload) for message in wire.drain()] == list(range(15))
