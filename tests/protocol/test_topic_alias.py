"""Topic aliases in both directions."""

from __future__ import annotations

from typing import Any

import pytest

from .packets import Disconnect, Puback, Publish
from .wire import Wire


def alias(topic: str, number: int, payload: bytes = b"x", **fields) -> Publish:
    return Publish(topic, payload, properties={"topic_alias": number}, **fields)


def resolve(messages: list[Publish], known: dict[int, str], highest: int) -> list[tuple[str, bytes]]:
    """Topics and payloads as a client understands them, which checks the aliases."""
    out = []
    for message in messages:
        number: Any = dict(message.properties).get("topic_alias")
        assert number is None or 1 <= number <= highest, "alias above the client's maximum"
        if message.topic and number:
            known[number] = str(message.topic)
        assert message.topic or number in known, "an alias that the server has not defined"
        out.append((str(message.topic) or known[number], message.payload))
    return out


# Section 3.3.2.3.4: defined, used, redefined; the subscriber sees topics.
@pytest.mark.parametrize("qos", [0, 1])
def test_a_client_uses_aliases(connect, root, qos):
    subscriber, publisher = connect(), connect()
    subscriber.subscribe(f"{root}/#", qos=qos)
    numbered = {"qos": qos, "id": 1 if qos else None}
    publisher.send(alias(f"{root}/a", 1, b"1", **numbered))
    publisher.send(alias(f"{root}/b", 2, b"2", **numbered))
    publisher.send(alias("", 1, b"3", **numbered))
    publisher.send(alias("", 2, b"4", **numbered))
    publisher.send(alias(f"{root}/c", 1, b"5", **numbered))
    publisher.send(alias("", 1, b"6", **numbered))
    publisher.send(Publish(f"{root}/a", b"7", **numbered))
    for _ in range(7 * qos):
        publisher.expect(Puback(1))
    publisher.ping()
    for name, payload in (
        ("a", b"1"),
        ("b", b"2"),
        ("a", b"3"),
        ("b", b"4"),
        ("c", b"5"),
        ("c", b"6"),
        ("a", b"7"),
    ):
        subscriber.expect_message(f"{root}/{name}", payload, qos=qos)


# Every value up to the announced maximum.
@pytest.mark.mqtt5("3.3.2-12")
def test_every_alias_up_to_the_maximum(connect, root):
    subscriber, publisher = connect(), connect()
    subscriber.subscribe(f"{root}/#")
    highest = publisher.connack.properties["topic_alias_maximum"]
    for number in range(1, highest + 1):
        publisher.send(alias(f"{root}/{number}", number))
    for number in range(1, highest + 1):
        publisher.send(alias("", number))
    publisher.ping()
    expected = [f"{root}/{number}" for number in range(1, highest + 1)] * 2
    assert [message.topic for message in subscriber.drain()] == expected


# Section 3.3.2.3.4: 0x94 for a wrong value, 0x82 for an unknown one.
@pytest.mark.mqtt5("3.3.2-8", "3.3.2-9", "3.2.2-17")
@pytest.mark.parametrize(
    ("topic", "number", "code"),
    [
        pytest.param("{}/a", 0, 0x94, marks=pytest.mark.choice),  # section 3.3.2.3.4 names no code for zero
        pytest.param("", 0, 0x94, marks=pytest.mark.choice),
        ("{}/a", None, 0x94),
        ("{}/a", 0xFFFF, 0x94),
        ("", 1, 0x82),
    ],
    ids=["zero", "zero without topic", "maximum + 1", "largest", "unknown"],
)
def test_invalid_aliases(connect, root, topic, number, code):
    subscriber, publisher = connect(), connect()
    subscriber.subscribe(f"{root}/#")
    if number is None:
        number = publisher.connack.properties["topic_alias_maximum"] + 1
    publisher.send(alias(topic.format(root), number), Publish(f"{root}/later"))
    publisher.expect_closed(Disconnect(code))
    subscriber.expect_nothing()


# Section 3.3.2.1: neither topic nor alias.
@pytest.mark.mqtt5("4.7.3-1")
def test_no_topic_and_no_alias(connect):
    publisher = connect()
    publisher.send(Publish("", b"x"))
    publisher.expect_closed(Disconnect(0x82))


@pytest.mark.mqtt5("3.3.2-7")
def test_aliases_end_with_the_connection(connect, root):
    session = {"clean": False, "properties": {"session_expiry_interval": 60}}
    publisher = connect("a", **session)
    publisher.send(alias(f"{root}/a", 1))
    publisher.ping()
    publisher.close()
    publisher = connect("a", **session)
    publisher.send(alias("", 1))
    publisher.expect_closed(Disconnect(0x82))


# None announced, none accepted.
@pytest.mark.mqtt5("3.2.2-18")
@pytest.mark.settings
def test_a_server_without_aliases(broker_factory, connect, root):
    broker = broker_factory({"limits.topic_alias_maximum": 0})
    publisher = connect(to=broker)
    assert publisher.connack.properties.get("topic_alias_maximum", 0) == 0
    publisher.send(alias(f"{root}/a", 1))
    publisher.expect_closed(Disconnect(0x94))


def publish_rounds(publisher: Wire, topics: list[str], *, rounds: int = 4) -> list[tuple[str, bytes]]:
    sent = [(topic, b"%d" % turn) for topic in topics for turn in range(rounds)]
    for topic, payload in sent:
        publisher.publish(topic, payload, 1)
    return sent


# The choice: this server uses the aliases that it is given.
@pytest.mark.mqtt5("3.1.2-26", "3.3.2-8", "3.3.2-11")
@pytest.mark.parametrize("highest", [1, 2, 100])
@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.choice
def test_the_server_uses_aliases(connect, root, highest, qos):
    subscriber, publisher = connect(properties={"topic_alias_maximum": highest}), connect()
    subscriber.subscribe(f"{root}/#", qos=qos)
    sent = publish_rounds(publisher, [f"{root}/{name}" for name in "abc"])
    messages = subscriber.drain()
    assert resolve(messages, {}, highest) == sent
    assert [message for message in messages if not message.topic], "no message came with an alias alone"


@pytest.mark.mqtt5("3.1.2-27")
@pytest.mark.parametrize("announced", [{}, {"topic_alias_maximum": 0}], ids=["absent", "zero"])
def test_no_aliases_for_a_client_that_wants_none(connect, root, announced):
    subscriber, publisher = connect(properties=announced), connect()
    subscriber.subscribe(f"{root}/#")
    sent = publish_rounds(publisher, [f"{root}/{name}" for name in "ab"])
    messages = subscriber.drain()
    assert not [message for message in messages if "topic_alias" in message.properties]
    assert [(message.topic, message.payload) for message in messages] == sent


# An alias is a matter of one connection: the publisher's does not reach the subscriber.
def test_the_publishers_alias_is_not_passed_on(connect, root):
    subscriber, publisher = connect(properties={"topic_alias_maximum": 2}), connect()
    subscriber.subscribe(f"{root}/#")
    publisher.send(alias(f"{root}/a", 9), alias("", 9))
    publisher.ping()
    assert resolve(subscriber.drain(), {}, 2) == [(f"{root}/a", b"x")] * 2


# What is sent again names its topic anew, also for a smaller maximum.
@pytest.mark.mqtt5("3.3.2-7", "4.4.0-1")
@pytest.mark.parametrize("then", [10, 1, 0])
def test_repeated_messages_define_their_aliases_anew(connect, root, then):
    session = {"session_expiry_interval": 60}
    subscriber = connect("a", clean=False, properties={**session, "topic_alias_maximum": 10})
    subscriber.subscribe(f"{root}/#", qos=1)
    sent = publish_rounds(connect(), [f"{root}/{name}" for name in "ab"])
    first = [subscriber.read() for _ in sent]
    assert resolve(first, {}, 10) == sent  # type: ignore[arg-type]
    subscriber.close()
    subscriber = connect(
        "a", clean=False, properties={**session, "topic_alias_maximum": then} if then else session
    )
    assert resolve(subscriber.drain(), {}, then) == sent


@pytest.mark.mqtt5("3.1.2-26", "3.3.2-11")
def test_queued_messages_and_aliases(connect, root):
    session = {"clean": False, "properties": {"session_expiry_interval": 60, "topic_alias_maximum": 3}}
    subscriber = connect("a", **session)
    subscriber.subscribe(f"{root}/#", qos=1)
    subscriber.disconnect()
    sent = publish_rounds(connect(), [f"{root}/{name}" for name in "abcde"])
    assert resolve(connect("a", **session).drain(), {}, 3) == sent
