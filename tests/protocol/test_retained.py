"""Retained messages: stored, replaced, deleted, and sent to new subscriptions."""

from __future__ import annotations

import pytest

from .packets import V5, V311, Puback, Publish
from .wire import subscription


@pytest.mark.mqtt5("3.3.1-5", "3.3.1-9", "3.8.4-8")
@pytest.mark.mqtt311("3.3.1-5", "3.3.1-6", "3.3.1-8", "3.8.4-6")
@pytest.mark.parametrize("granted", [0, 1, 2])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_new_subscription_receives_the_retained_message(connect, root, version, qos, granted):
    connect(version=version).publish(root, b"kept", qos, retain=True)
    subscriber = connect(version=version)
    subscriber.subscribe(root, qos=granted)
    subscriber.expect_message(root, b"kept", qos=min(qos, granted), retain=True)
    subscriber.expect_nothing()


@pytest.mark.mqtt5("3.3.1-12")
@pytest.mark.mqtt311("3.3.1-9")
def test_an_existing_subscription_receives_it_as_an_ordinary_message(connect, root, version):
    subscriber, publisher = connect(version=version), connect(version=version)
    subscriber.subscribe(root)
    publisher.publish(root, b"kept", retain=True)
    subscriber.expect_message(root, b"kept", retain=False)
    subscriber.expect_nothing()


# The last one of a topic is the one kept, whatever their qualities.
@pytest.mark.mqtt5("3.3.1-5")
@pytest.mark.mqtt311("3.3.1-5", "3.3.1-6", "3.3.1-7")
def test_a_later_retained_message_replaces_the_earlier_one(connect, root, version):
    publisher = connect(version=version)
    for payload, qos in ((b"1", 0), (b"2", 2), (b"3", 1), (b"4", 0)):
        publisher.publish(root, payload, qos, retain=True)
        subscriber = connect(version=version)
        subscriber.subscribe(root, qos=2)
        subscriber.expect_message(root, payload, qos=qos, retain=True)
        subscriber.expect_nothing()


@pytest.mark.mqtt5("3.3.1-8")
@pytest.mark.mqtt311("3.3.1-12")
@pytest.mark.parametrize("payload", [b"passing", b""])
def test_ordinary_messages_leave_it_alone(connect, root, version, payload):
    publisher, subscriber = connect(version=version), connect(version=version)
    publisher.publish(root, b"kept", retain=True)
    publisher.publish(root, payload)
    publisher.publish(f"{root}/other", b"other")
    subscriber.subscribe(f"{root}/#")
    subscriber.expect_message(root, b"kept", retain=True)
    subscriber.expect_nothing()


@pytest.mark.mqtt5("3.3.1-6", "3.3.1-7")
@pytest.mark.mqtt311("3.3.1-10", "3.3.1-11")
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_an_empty_message_deletes_it(connect, root, version, qos):
    publisher, present, later = connect(version=version), connect(version=version), connect(version=version)
    publisher.publish(root, b"kept", 1, retain=True)
    present.subscribe(root, qos=2)
    present.expect_message(root, b"kept", qos=1, retain=True)
    publisher.publish(root, b"", qos, retain=True)
    present.expect_message(root, b"", qos=qos, retain=False)
    later.subscribe(root, qos=2)
    later.expect_nothing()


# Deleting what is not there is nothing special.
@pytest.mark.mqtt5("3.3.1-6")
@pytest.mark.mqtt311("3.3.1-10")
def test_deleting_nothing(connect, root, version):
    publisher, subscriber = connect(version=version), connect(version=version)
    subscriber.subscribe(root)
    publisher.publish(root, b"", 1, retain=True)
    subscriber.expect_message(root, b"")


# Each retained message that the filter matches, and no other.
@pytest.mark.mqtt5("3.3.1-9", "3.3.2-3")
@pytest.mark.mqtt311("3.3.1-6", "3.3.2-3")
@pytest.mark.parametrize(
    ("suffix", "expected"),
    [
        ("#", {"", "/a", "/a/b", "/a/b/c", "/b/b", "//", "/A"}),
        ("+", {"/a", "/A"}),
        ("+/b", {"/a/b", "/b/b"}),
        ("a/#", {"/a", "/a/b", "/a/b/c"}),
        ("a/+/c", {"/a/b/c"}),
        ("+/+", {"/a/b", "/b/b", "//"}),
        ("a/b", {"/a/b"}),
        ("b", set()),
        ("b/#", {"/b/b"}),
    ],
)
def test_wildcards_find_retained_messages(connect, root, version, suffix, expected):
    publisher, subscriber = connect(version=version), connect(version=version)
    for name in ("", "/a", "/a/b", "/a/b/c", "/b/b", "//", "/A"):
        publisher.publish(root + name, name.encode() or b"-", 1, retain=True)
    publisher.publish(f"{root}x", b"neighbour", 1, retain=True)
    subscriber.subscribe(f"{root}/{suffix}", qos=1)
    found = subscriber.drain()
    assert {message.topic[len(root) :] for message in found} == expected
    assert len(found) == len(expected)
    assert all(message.retain and message.qos == 1 for message in found)


# Also retained messages below $ stay hidden from leading wildcards.
@pytest.mark.mqtt5("4.7.2-1")
@pytest.mark.mqtt311("4.7.2-1")
def test_leading_wildcards_do_not_find_dollar_topics(connect, root, version):
    publisher, subscriber = connect(), connect(version=version)
    publisher.publish(f"${root}/x", b"hidden", retain=True)
    publisher.publish(f"{root}/x", b"seen", retain=True)
    subscriber.subscribe("#", f"+/{'x'}")
    found = {message.topic for message in subscriber.drain() if root in message.topic}
    assert found == {f"{root}/x"}
    subscriber.subscribe(f"${root}/#")
    subscriber.expect_message(f"${root}/x", b"hidden", retain=True)
    publisher.publish(f"${root}/x", b"", retain=True)


# Subscribing again asks for the retained messages again.
@pytest.mark.mqtt5("3.8.4-4")
@pytest.mark.mqtt311("3.8.4-3")
def test_subscribing_again_sends_it_again(connect, root, version):
    connect(version=version).publish(root, b"kept", 1, retain=True)
    subscriber = connect(version=version)
    for qos in (0, 1, 0):
        subscriber.subscribe(root, qos=qos)
        subscriber.expect_message(root, b"kept", qos=qos, retain=True)
    subscriber.expect_nothing()


# Each filter of a packet is a subscription of its own.
@pytest.mark.mqtt5("3.8.4-5")
@pytest.mark.mqtt311("3.8.4-4")
def test_each_filter_asks_for_its_retained_messages(connect, root, version):
    publisher, subscriber = connect(), connect(version=version)
    for name in ("a", "b"):
        publisher.publish(f"{root}/{name}", name.encode(), retain=True)
    subscriber.subscribe(f"{root}/a", f"{root}/b")
    assert sorted(message.payload for message in subscriber.drain()) == [b"a", b"b"]


# Section 4.1: retained messages are no part of a session.
@pytest.mark.parametrize("goodbye", [True, False])
def test_it_outlives_its_publisher(connect, root, version, goodbye):
    publisher, subscriber = connect(version=version), connect(version=version)
    publisher.publish(root, b"kept", 1, retain=True)
    if goodbye:
        publisher.disconnect()
    publisher.close()
    subscriber.subscribe(root)
    subscriber.expect_message(root, b"kept", retain=True)


@pytest.mark.mqtt5("3.3.2-4", "3.3.2-15", "3.3.2-16", "3.3.2-17", "3.3.2-18", "3.3.2-20")
def test_its_properties_are_kept(connect, root):
    given = {
        "payload_format_indicator": 1,
        "content_type": "text/plain",
        "response_topic": f"{root}/answer",
        "correlation_data": b"\0\xff",
        "user_property": [("b", "2"), ("a", "1"), ("b", "3")],
    }
    connect().publish(root, b"kept", 1, retain=True, properties={**given, "topic_alias": 1})
    subscriber = connect()
    subscriber.subscribe(root, qos=1)
    subscriber.expect_message(root, b"kept", qos=1, retain=True, properties=given)


# A message that came by a topic alias is kept under its topic.
@pytest.mark.mqtt5("3.3.1-5")
def test_a_topic_alias_is_resolved_before_it_is_kept(connect, root):
    publisher, subscriber = connect(), connect()
    publisher.publish(root, b"1", properties={"topic_alias": 3})
    publisher.publish("", b"2", retain=True, properties={"topic_alias": 3})
    subscriber.subscribe(root)
    subscriber.expect_message(root, b"2", retain=True)


# The DUP flag of the publisher is not kept.
@pytest.mark.mqtt5("3.3.1-3")
@pytest.mark.mqtt311("3.3.1-3")
def test_the_dup_flag_is_not_kept(connect, root, version):
    publisher, subscriber = connect(version=version), connect(version=version)
    publisher.publish(root, b"kept", 1, retain=True, dup=True)
    subscriber.subscribe(root, qos=1)
    subscriber.expect_message(root, b"kept", qos=1, retain=True, dup=False)


# A retained message on its way is sent again like any other, still marked as retained.
@pytest.mark.mqtt311("4.4.0-1", "3.3.1-8")
def test_an_unacknowledged_retained_message_is_sent_again(connect, root):
    kept = {"clean": False, "version": V311}
    connect().publish(root, b"kept", 1, retain=True)
    subscriber = connect("subscriber", **kept)
    subscriber.subscribe(root, qos=1)
    first = subscriber.expect(Publish(root, b"kept", 1, retain=True))
    subscriber.close()
    subscriber = connect("subscriber", **kept)
    again = subscriber.expect(Publish(root, b"kept", 1, retain=True, dup=True))
    assert again.id == first.id
    subscriber.send(Puback(again.id))
    subscriber.expect_nothing()


# A subscription that exists in a session is not new: coming back does not bring retained messages again.
def test_resuming_a_session_does_not_send_it_again(connect, root):
    kept = {"clean": False, "properties": {"session_expiry_interval": 60}}
    connect().publish(root, b"kept", 1, retain=True)
    subscriber = connect("subscriber", **kept)
    subscriber.subscribe(root, qos=1)
    subscriber.expect_message(root, b"kept", qos=1, retain=True)
    subscriber.disconnect()
    connect("subscriber", **kept).expect_nothing()


# Many at once: more than any window of unacknowledged messages holds.
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_many_retained_messages(connect, root, qos):
    publisher, subscriber = connect(), connect(properties={"receive_maximum": 10})
    for number in range(300):
        publisher.send(Publish(f"{root}/{number}", b"%d" % number, retain=True))
    for number in range(100):
        publisher.publish(f"{root}/{number}", b"%d" % number, qos, retain=True)
    subscriber.subscribe(f"{root}/#", qos=qos)
    found = {message.topic: message.payload for message in subscriber.drain()}
    assert found == {f"{root}/{number}": b"%d" % number for number in range(300)}


# The choice: what would exceed the limit is refused where the publisher can hear it; what is there stays.
@pytest.mark.settings
def test_too_many_retained_messages(broker_factory, connect, root):
    broker = broker_factory({"limits.max_retained_messages": 2})
    publisher, subscriber = connect(to=broker), connect(to=broker)
    connect(to=broker).subscribe(f"{root}/#")
    assert publisher.publish(f"{root}/1", b"1", 1, retain=True) == 0
    assert publisher.publish(f"{root}/2", b"2", 1, retain=True) == 0
    assert publisher.publish(f"{root}/3", b"3", 1, retain=True) == 0x97
    assert publisher.publish(f"{root}/3", b"3", 2, retain=True) == 0x97
    assert publisher.publish(f"{root}/2", b"new", 1, retain=True) == 0
    subscriber.subscribe(f"{root}/#")
    assert sorted(message.payload for message in subscriber.drain()) == [b"1", b"new"]
    assert publisher.publish(f"{root}/1", b"", 1, retain=True) == 0
    assert publisher.publish(f"{root}/3", b"3", 1, retain=True) == 0


# Retain As Published speaks of forwarding; what a new subscription brings is marked as retained in either
# case.
@pytest.mark.mqtt5("3.3.1-9")
@pytest.mark.parametrize("as_published", [True, False])
def test_retain_as_published_does_not_change_it(connect, root, as_published):
    connect(version=V5).publish(root, b"kept", retain=True)
    subscriber = connect()
    subscriber.subscribe(subscription(root, retain_as_published=as_published))
    subscriber.expect_message(root, b"kept", retain=True)
