"""Message expiry: counted down while a message waits, and over when its time is."""

from __future__ import annotations

import time

import pytest

from .packets import V5, V311, Pubcomp, Publish, Pubrec, Pubrel

SESSION = {"clean": False, "properties": {"session_expiry_interval": 60}}
WAIT = 1.2  # seconds: the protocol counts in whole ones


def lifetime(message: object) -> int | None:
    assert isinstance(message, Publish)
    return dict(message.properties).get("message_expiry_interval")


def expiring(seconds: int) -> dict:
    return {"properties": {"message_expiry_interval": seconds}}


# Passed on at once, nothing is taken off.
@pytest.mark.mqtt5("3.3.2-6")
def test_a_message_that_does_not_wait(connect, root):
    subscriber = connect()
    subscriber.subscribe(root, qos=1)
    connect().publish(root, b"x", 1, **expiring(100))
    assert lifetime(subscriber.read()) in range(95, 101)


# A message without an interval never expires and gets none.
def test_no_interval_is_made_up(connect, root):
    subscriber = connect()
    subscriber.subscribe(root)
    connect().publish(root, b"x")
    assert lifetime(subscriber.read()) is None


# Queued for an absent client: expired, counted down, untouched; in 3.1.1 too.
@pytest.mark.mqtt5("3.3.2-5", "3.3.2-6")
def test_messages_in_a_queue(connect, root):
    for name, version in (("new", V5), ("old", V311)):
        fields = SESSION if version == V5 else {"clean": False}
        wire = connect(name, version=version, **fields)
        wire.subscribe(root, qos=2)
        wire.disconnect()
    publisher = connect()
    publisher.publish(root, b"short 1", 1, **expiring(1))
    publisher.publish(root, b"long", 1, **expiring(100))
    publisher.publish(root, b"short 2", 2, **expiring(1))
    publisher.publish(root, b"for ever", 2)
    publisher.publish(root, b"largest", 1, **expiring(0xFFFFFFFF))
    time.sleep(WAIT)
    got = {message.payload: lifetime(message) for message in connect("new", **SESSION).drain()}
    assert list(got) == [b"long", b"for ever", b"largest"]
    assert got[b"long"] in range(90, 100)
    assert got[b"for ever"] is None
    assert got[b"largest"] in range(0xFFFFFFFF - 9, 0xFFFFFFFF)
    old = connect("old", version=V311, clean=False).drain()
    assert [message.payload for message in old] == [b"long", b"for ever", b"largest"]


@pytest.mark.mqtt5("3.3.2-5", "3.3.2-6")
def test_retained_messages(connect, root):
    publisher, early, late = connect(), connect(), connect()
    publisher.publish(f"{root}/short", b"short", 1, retain=True, **expiring(1))
    publisher.publish(f"{root}/long", b"long", 1, retain=True, **expiring(100))
    early.subscribe(f"{root}/#", qos=1)
    got = {message.payload: lifetime(message) for message in early.drain()}
    assert got[b"long"] in range(95, 101)
    assert b"short" in got
    time.sleep(WAIT)
    late.subscribe(f"{root}/#", qos=1)
    got = {message.payload: lifetime(message) for message in late.drain()}
    assert list(got) == [b"long"]
    assert got[b"long"] in range(90, 100)


# Also in the queue of a client that is here but must acknowledge first.
@pytest.mark.mqtt5("3.3.2-5", "3.3.2-6")
def test_messages_behind_a_full_window(connect, root):
    subscriber, publisher = connect(properties={"receive_maximum": 1}), connect()
    subscriber.subscribe(root, qos=1)
    publisher.publish(root, b"first", 1, **expiring(1))
    publisher.publish(root, b"short", 1, **expiring(1))
    publisher.publish(root, b"long", 1, **expiring(100))
    first = subscriber.read()
    time.sleep(WAIT)
    subscriber.acknowledge(first)  # type: ignore[arg-type]
    message = subscriber.read()
    assert isinstance(message, Publish)
    assert message.payload == b"long"
    assert lifetime(message) in range(90, 100)


# Once sent it does not expire any more.
@pytest.mark.mqtt5("4.3.3-7", "4.4.0-1")
def test_a_message_on_its_way_does_not_expire(connect, root):
    subscriber, publisher = connect("a", **SESSION), connect()
    subscriber.subscribe(root, qos=2)
    for qos in (1, 2):
        publisher.publish(root, b"%d" % qos, qos, **expiring(1))
    first = [subscriber.read(), subscriber.read()]
    subscriber.close()
    time.sleep(WAIT)
    subscriber = connect("a", **SESSION)
    again = [subscriber.read(), subscriber.read()]
    for before, after in zip(first, again, strict=True):
        assert isinstance(before, Publish)
        assert isinstance(after, Publish)
        assert (after.payload, after.id, after.dup) == (before.payload, before.id, True)
        subscriber.acknowledge(after)
    subscriber.expect_nothing()


# The publisher's half of QoS 2 goes on when the message has expired meanwhile.
@pytest.mark.mqtt5("4.3.3-13")
def test_the_handshake_outlives_the_message(connect, root):
    wire = connect("a", **SESSION)
    wire.subscribe(root, qos=2)
    wire.disconnect()
    publisher = connect()
    publisher.send(Publish(root, b"x", 2, id=3, **expiring(1)))
    publisher.expect(Pubrec(3))
    time.sleep(WAIT)
    publisher.send(Pubrel(3))
    publisher.expect(Pubcomp(3))
    connect("a", **SESSION).expect_nothing()


# An interval of nothing: a message for those who are there.
@pytest.mark.mqtt5("3.3.2-5")
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_message_that_expires_at_once_reaches_who_is_there(connect, root, qos):
    subscriber, publisher = connect(), connect()
    subscriber.subscribe(root, qos=2)
    publisher.publish(root, b"now", qos, properties={"message_expiry_interval": 0})
    got = subscriber.read()
    assert (got.payload, got.qos, got.properties["message_expiry_interval"]) == (b"now", qos, 0)
