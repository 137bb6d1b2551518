"""Limits on what a client publishes and subscribes to."""

from __future__ import annotations

import re

import pytest

from ..api.helpers import eventually, get
from ..protocol.packets import (
    V5,
    V311,
    Connect,
    Disconnect,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Unsubscribe,
    Will,
    subscription,
)
from .counting import QUOTA_EXCEEDED, RETAIN_NOT_SUPPORTED, count, counted, refuses

OLD_AND_NEW = pytest.mark.parametrize("version", [V311, V5], ids=["3.1.1", "5.0"])


def publish_of(size: int, topic: str, version: int) -> Publish:
    """A PUBLISH of exactly so many bytes, more than 130."""
    empty = len(Publish(topic, b"", 1, id=1).encode(version))
    packet = Publish(topic, b"x" * (size - empty - 1), 1, id=1)
    assert len(packet.encode(version)) == size
    return packet


def test_a_packet_may_have_so_many_bytes(broker_factory, connect, root, version):
    broker = broker_factory({"limits.max_packet_size": 1000})
    other, wire = connect(to=broker), connect(to=broker, version=version)
    other.subscribe(f"{root}/#")
    if version == V5:
        assert wire.connack.properties["maximum_packet_size"] == 1000
    fits = publish_of(1000, f"{root}/fits", version)
    wire.send(fits)
    wire.read()
    other.expect_message(f"{root}/fits", fits.payload)
    assert count(broker, "max_packet_size") == 0
    wire.send(publish_of(1001, f"{root}/more", version))
    wire.expect_closed(*([Disconnect(0x95)] if version == V5 else []))
    counted(broker, "max_packet_size", 1)
    other.expect_nothing()


def test_a_topic_may_have_so_many_levels(broker_factory, connect, root, version):
    broker = broker_factory({"limits.max_topic_levels": 3})
    other, wire = connect(to=broker), connect(to=broker, version=version)
    other.subscribe(f"{root}/#")
    assert wire.publish(f"{root}/b/c", b"fits", 1) == 0
    other.expect_message(f"{root}/b/c", b"fits")
    wire.subscribe(f"{root}/+/#")
    assert count(broker, "max_topic_levels") == 0
    # Before version 5 there is no way to say no, and what was acknowledged is not dropped.
    if version == V5:
        assert wire.publish(f"{root}/b/c/d", b"too deep", 1) == 0x90
    else:
        wire.send(Publish(f"{root}/b/c/d", b"too deep", 1, id=7))
        wire.expect_closed()
        wire = connect(to=broker, version=version)
    counted(broker, "max_topic_levels", 1)
    refused = {5: 0x8F, 4: 0x80, 3: 0}[version]
    wire.send(Subscribe(9, [subscription(f"{root}/b/c/d")]))
    answer = wire.read()
    assert isinstance(answer, Suback)
    if version != 3:  # version 3.1 has no way to refuse a subscription
        assert answer.codes == [refused]
    counted(broker, "max_topic_levels", 2)
    other.expect_nothing()
    wire.ping()


@OLD_AND_NEW
def test_a_session_may_have_so_many_subscriptions(broker_factory, connect, root, version):
    broker = broker_factory({"limits.max_subscriptions": 3})
    other, wire = connect(to=broker), connect(to=broker, version=version)
    wire.subscribe(f"{root}/1", f"{root}/2", f"{root}/3")
    assert count(broker, "max_subscriptions") == 0
    wire.send(Subscribe(9, [subscription(f"{root}/4"), subscription(f"{root}/1"), subscription(f"{root}/5")]))
    refused = QUOTA_EXCEEDED if version == V5 else 0x80
    wire.expect(Suback(9, [refused, 0, refused]))
    counted(broker, "max_subscriptions", 2)
    other.subscribe(f"{root}/1", f"{root}/2", f"{root}/3")  # each client has as many
    wire.unsubscribe(f"{root}/2")
    wire.subscribe(f"{root}/4")
    other.publish(f"{root}/4", b"x")
    wire.expect_message(f"{root}/4", b"x")
    counted(broker, "max_subscriptions", 2)


def test_a_client_may_have_so_many_publishes_under_way(broker_factory, connect, root):
    broker = broker_factory({"limits.receive_maximum": 3})
    other, wire = connect(to=broker), connect(to=broker)
    assert wire.connack.properties["receive_maximum"] == 3
    for number in (1, 2, 3):
        wire.send(Publish(root, b"", 2, id=number))
        assert wire.read().id == number
    wire.send(Pubrel(2))
    wire.read()
    wire.send(Publish(root, b"", 2, id=4))
    assert wire.read().id == 4
    assert count(broker, "receive_maximum") == 0
    wire.send(Publish(root, b"", 2, id=5))
    wire.expect_closed(Disconnect(0x93))
    counted(broker, "receive_maximum", 1)
    other.ping()


def test_before_version_5_nothing_was_agreed_about_publishes_under_way(broker_factory, connect, root):
    broker = broker_factory({"limits.receive_maximum": 3})
    wire = connect(to=broker, version=V311)
    for number in range(1, 20):
        wire.send(Publish(root, b"", 2, id=number))
        wire.expect(Pubrec(number))
    assert count(broker, "receive_maximum") == 0


@OLD_AND_NEW
def test_so_many_messages_are_under_way_to_a_client(broker_factory, connect, root, version):
    broker = broker_factory({"limits.max_inflight": 3})
    wire, publisher = connect(to=broker, version=version), connect(to=broker)
    wire.subscribe(root, qos=1)
    for number in range(5):
        publisher.publish(root, b"%d" % number, 1)
    first = [wire.expect(Publish(root, b"%d" % number, 1)) for number in range(3)]
    wire.expect_nothing()
    wire.acknowledge(first[0])
    wire.expect(Publish(root, b"3", 1))
    wire.expect_nothing()


def test_so_many_topic_aliases_may_be_used(broker_factory, connect, root):
    broker = broker_factory({"limits.topic_alias_maximum": 3})
    other, wire = connect(to=broker), connect(to=broker)
    other.subscribe(f"{root}/#")
    assert wire.connack.properties["topic_alias_maximum"] == 3
    wire.send(Publish(f"{root}/3", properties={"topic_alias": 3}))
    wire.ping()
    other.expect_message(f"{root}/3")
    assert count(broker, "topic_alias_maximum") == 0
    wire.send(Publish(f"{root}/4", properties={"topic_alias": 4}))
    wire.expect_closed(Disconnect(0x94))
    counted(broker, "topic_alias_maximum", 1)
    other.expect_nothing()


def properties_of(size: int) -> dict[str, list[tuple[str, str]]]:
    """User properties whose names and values have so many bytes."""
    return {"user_property": [("name", "v" * (size - 4 - 2)), ("x", "y")]}


@pytest.mark.parametrize("kind", ["publish", "subscribe", "unsubscribe", "disconnect"])
def test_a_packet_may_have_so_many_bytes_of_user_properties(broker_factory, connect, root, kind):
    broker = broker_factory({"limits.max_user_property_bytes": 100})
    other, wire = connect(to=broker), connect(to=broker)
    other.subscribe(f"{root}/#")

    def packet(size: int) -> Publish | Subscribe | Unsubscribe | Disconnect:
        given = properties_of(size)
        if kind == "publish":
            return Publish(f"{root}/x", b"x", 1, id=7, properties=given)
        if kind == "subscribe":
            return Subscribe(7, [subscription(root)], given)
        return Unsubscribe(7, [root], given) if kind == "unsubscribe" else Disconnect(0, given)

    # As in CONNECT: with the bytes around each pair the first is at the limit, without them the second is
    # just beyond it.
    if kind != "disconnect":
        wire.send(packet(90))
        assert wire.read().id == 7  # type: ignore[attr-defined]
        if kind == "publish":
            other.expect_message(f"{root}/x", b"x", properties=properties_of(90))
    assert count(broker, "max_user_property_bytes") == 0
    wire.send(packet(101))
    wire.expect_closed(Disconnect(QUOTA_EXCEEDED))
    counted(broker, "max_user_property_bytes", 1)
    other.expect_nothing()


def test_so_many_messages_are_retained(broker_factory, connect, root):
    broker = broker_factory({"limits.max_retained_messages": 2})
    other, wire = connect(to=broker), connect(to=broker)
    other.subscribe(f"{root}/#")
    assert wire.publish(f"{root}/1", b"1", 1, retain=True) == 0
    assert wire.publish(f"{root}/2", b"2", 1, retain=True) == 0
    assert wire.publish(f"{root}/2", b"new", 1, retain=True) == 0
    assert count(broker, "max_retained") == 0
    assert wire.publish(f"{root}/3", b"3", 1, retain=True) == QUOTA_EXCEEDED
    assert wire.publish(f"{root}/3", b"3", 2, retain=True) == QUOTA_EXCEEDED
    counted(broker, "max_retained", 2)
    assert [message.payload for message in other.drain()] == [b"1", b"2", b"new"]
    assert wire.publish(f"{root}/1", b"", 1, retain=True) == 0
    assert wire.publish(f"{root}/3", b"3", 1, retain=True) == 0
    counted(broker, "max_retained", 2)


@pytest.mark.mqtt5("3.2.2-13")
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_without_retained_messages_a_client_of_5_is_told_and_held_to_it(
    broker_factory, connect, dial, root, qos
):
    broker = broker_factory({"limits.max_retained_messages": 0})
    other, wire = connect(to=broker), connect(to=broker)
    assert wire.connack.properties["retain_available"] == 0
    other.subscribe("#")
    assert wire.publish(root, b"live", qos) == 0
    wire.send(Publish(root, b"kept", qos, retain=True, id=5 if qos else None))
    wire.expect_closed(Disconnect(RETAIN_NOT_SUPPORTED))
    refuses(dial(to=broker), Connect(root, will=Will(root, b"gone", retain=True)), RETAIN_NOT_SUPPORTED)
    counted(broker, "max_retained", 2)
    assert [message.payload for message in other.drain()] == [b"live"]


def test_so_many_bytes_are_retained(broker_factory, connect, root):
    broker = broker_factory({"limits.max_retained_bytes": 10_000})
    wire = connect(to=broker)
    taken = 0
    while (code := wire.publish(f"{root}/{taken:02}", b"x" * 1000, 1, retain=True)) != QUOTA_EXCEEDED:
        assert code in (0, 0x10)
        taken += 1
        assert taken < 11, "more payload is kept than the limit"
    assert taken >= 8  # a message counts with its topic and what else it has
    counted(broker, "max_retained", 1)
    assert broker.statistics["retained_bytes"] <= 10_000
    assert wire.publish(f"{root}/00", b"y" * 1000, 1, retain=True) in (0, 0x10)
    wire.subscribe(f"{root}/#")
    assert len(wire.drain()) == taken


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_before_version_5_a_retained_message_without_room_ends_the_connection(
    broker_factory, connect, root, qos
):
    broker = broker_factory({"limits.max_retained_messages": 1})
    other, wire = connect(to=broker), connect(to=broker, version=V311)
    wire.publish(f"{root}/1", b"1", 1, retain=True)
    wire.send(Publish(f"{root}/2", b"2", qos, retain=True, id=5 if qos else None))
    if qos:
        wire.expect_closed()
    else:
        wire.ping()
    counted(broker, "max_retained", 1)
    other.subscribe(f"{root}/#")
    assert [message.payload for message in other.drain()] == [b"1"]


# What is counted of topics is no reason to refuse anything: the longest silent make room.
def test_statistics_of_topics_make_room_within_their_bytes(broker_factory, connect):
    broker = broker_factory({"limits.max_topic_statistics_bytes": "1MiB", "sys_interval": 0}, http_port=0)
    wire = connect(to=broker)
    levels = "/" * 150
    for number in range(1000):
        assert wire.publish(f"{number}{levels}", b"x", 1) in {0, 0x10}
    counted = eventually(lambda: (now := broker.statistics)["topics_evicted"] > 900 and now)
    assert 5 < counted["topics"] < 100
    metric = re.search(r"^hookmq_topics_evicted_total (\d+)$", get(broker, "/metrics").body.decode(), re.M)
    assert metric is not None and int(metric[1]) >= counted["topics_evicted"]
