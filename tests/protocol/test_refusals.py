"""Clients, publications and subscriptions that the broker does not want."""

from __future__ import annotations

import pytest

from .packets import (
    V5,
    V31,
    V311,
    Connack,
    Connect,
    Pingreq,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Will,
    raw,
    string,
)
from .wire import subscription

pytestmark = pytest.mark.settings


def keep(version: int) -> dict:
    """The fields of a CONNECT that keep a session after the end of the connection."""
    properties = {"session_expiry_interval": 60} if version == V5 else {}
    return {"version": version, "clean": False, "properties": properties}


@pytest.fixture
def guarded(broker_factory):
    """A broker that refuses the user "stranger" and every topic with "forbidden" in it."""
    broker = broker_factory(start=False)

    @broker.authenticate
    def admit(client):
        return client.username != "stranger"

    @broker.authorize
    def may(client, action, topic):
        return "forbidden" not in topic

    return broker.start()


# The session that the client asked for stays as it was, and nobody is told of it.
@pytest.mark.mqtt5("3.1.4-2", "3.2.2-6", "3.2.2-7", "3.2.2-8", "4.13.2-1")
@pytest.mark.mqtt311("3.2.2-4", "3.2.2-5")
def test_a_refused_client_is_told_and_closed(guarded, connect, dial, root, version):
    owner = connect("a", to=guarded, **keep(version))
    owner.subscribe(root, qos=1)
    owner.disconnect()
    connect(to=guarded).publish(root, b"x", 1)
    for clean in (False, True):
        stranger = dial(version, to=guarded)
        stranger.send(Connect(f"{root}a", clean=clean, username="stranger"))
        stranger.expect_closed(Connack(0x86 if version == V5 else 4))
    owner = connect("a", to=guarded, **keep(version))
    assert owner.connack.session_present is (version != V31)
    owner.expect_message(root, b"x", qos=1)


@pytest.mark.mqtt5("3.1.4-2", "3.1.4-6")
@pytest.mark.mqtt311("3.1.4-5")
def test_a_refused_client_has_no_effect(guarded, connect, dial, root, version):
    owner, watcher = connect("a", to=guarded, version=version), connect(to=guarded)
    watcher.subscribe(f"{root}/#", qos=2)
    stranger = dial(version, to=guarded)
    stranger.send(
        Connect(f"{root}a", username="stranger", will=Will(f"{root}/will", b"gone")),
        Publish(f"{root}/x", b"smuggled", 1, id=1),
        Subscribe(2, [subscription(f"{root}/#")]),
        Pingreq(),
    )
    stranger.expect_closed(Connack(0x86 if version == V5 else 4))
    watcher.expect_nothing(0.1)
    owner.expect_nothing()


# Every field, each with a value of its own, in bytes written out by hand.
@pytest.mark.mqtt5("3.1.3-1", "3.1.3-3", "3.1.2-9", "3.1.2-17", "3.1.2-19")
@pytest.mark.mqtt311("3.1.3-1", "3.1.3-3", "3.1.2-9", "3.1.2-19", "3.1.2-21")
def test_the_fields_of_a_connect_are_read_in_their_order(broker_factory, connect, dial, root, version):
    broker, seen = broker_factory(start=False), []

    @broker.authenticate
    def admit(client):
        seen.append((client.client_id, client.username, client.password_bytes))
        return True

    broker.start()
    watcher = connect("watcher", to=broker, version=version)
    watcher.subscribe(f"{root}/#", qos=2)
    name = string("MQIsdp") if version == V31 else string("MQTT")
    head = (
        name + bytes([version, 0b11110110]) + b"\x00\x3c" + (b"\x05\x11\0\0\0\x09" if version == V5 else b"")
    )
    will_properties = b"\x07\x03\x00\x04type" if version == V5 else b""
    payload = string("client") + will_properties + string(f"{root}/will") + string("message")
    wire = dial(version, to=broker)
    wire.send(raw(0x10, head + payload + string("user") + string("password")))
    connack = wire.read()
    assert isinstance(connack, Connack)
    assert connack.code == 0
    wire.ping()
    assert seen[1:] == [("client", "user", b"password")]
    wire.close()
    properties = {"content_type": "type"} if version == V5 else {}
    watcher.expect_message(f"{root}/will", b"message", qos=2, properties=properties)
    later = connect(to=broker, version=version)
    later.subscribe(f"{root}/will", qos=2)
    later.expect_message(f"{root}/will", b"message", qos=2, retain=True, properties=properties)


# Version 5 is told; older versions cannot be, and get the ordinary acknowledgement.
@pytest.mark.mqtt5("3.4.2-1", "3.5.2-1", "4.3.3-9")
@pytest.mark.mqtt311("3.3.5-2")
def test_a_publication_that_is_not_allowed(guarded, connect, root, version):
    watcher, client = connect(to=guarded), connect(to=guarded, version=version)
    watcher.subscribe(f"{root}/#", qos=2)
    code = 0x87 if version == V5 else 0
    for retain in (False, True):
        client.send(Publish(f"{root}/forbidden", b"0", retain=retain))
        client.send(Publish(f"{root}/forbidden", b"1", 1, retain=retain, id=1))
        client.expect(Puback(1, code))
        client.send(Publish(f"{root}/forbidden", b"2", 2, retain=retain, id=2))
        client.expect(Pubrec(2, code))
        if version != V5:
            client.send(Pubrel(2))
            client.expect(Pubcomp(2))
    client.send(Publish(f"{root}/allowed", b"3", 2, id=2))
    client.expect(Pubrec(2))
    client.send(Pubrel(2))
    client.expect(Pubcomp(2))
    watcher.expect_message(f"{root}/allowed", b"3", qos=2)
    watcher.expect_nothing()
    later = connect(to=guarded)
    later.subscribe(f"{root}/+")
    later.expect_nothing()


@pytest.mark.mqtt5("3.8.4-5", "3.8.4-6", "3.8.4-7", "3.9.3-1", "3.9.3-2")
@pytest.mark.mqtt311("3.8.4-4", "3.8.4-5", "3.9.3-1", "3.9.3-2")
@pytest.mark.parametrize(("version", "code"), [(V311, 0x80), (V5, 0x87)], ids=["3.1.1", "5.0"])
def test_a_subscription_that_is_not_allowed(guarded, connect, root, version, code):
    client = connect(to=guarded, version=version)
    pairs = [(f"{root}/1", 1), (f"{root}/forbidden", 2), (f"{root}/2", 2), (f"{root}/forbidden/#", 0)]
    client.send(Subscribe(9, pairs))
    client.expect(Suback(9, [1, code, 2, code]))
    guarded.publish(f"{root}/forbidden", "secret", qos=1)
    guarded.publish(f"{root}/2", "open", qos=2)
    client.expect_message(f"{root}/2", b"open", qos=2)
    client.expect_nothing()


# A will that the client may not publish: it is not let in at all.
@pytest.mark.mqtt5("3.1.4-2", "3.2.2-7")
@pytest.mark.mqtt311("3.2.2-4", "3.2.2-5")
def test_a_will_that_is_not_allowed(guarded, connect, dial, root, version):
    client = dial(version, to=guarded)
    client.send(Connect(root, will=Will(f"{root}/forbidden", b"gone")))
    client.expect_closed(Connack(0x87 if version == V5 else 5))


# Who cannot be told that there is no room for a message loses the connection, and so will send it again.
@pytest.mark.mqtt311("4.8.0-2")
@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("version", [V31, V311], ids=["3.1", "3.1.1"])
def test_a_message_that_there_is_no_room_for(broker_factory, connect, root, version, qos):
    broker = broker_factory({"limits.max_queued_messages": 3})
    away = connect("away", to=broker, **keep(V311))
    away.subscribe(root, qos=2)
    away.disconnect()
    publisher = connect(to=broker, version=version)
    publisher.send(*(Publish(root, b"%d" % number, qos, id=number) for number in range(1, 9)))
    acknowledged = publisher.last_words()
    taken = [b"%d" % number for number in range(1, len(acknowledged) + 1)]
    assert acknowledged == [(Puback if qos == 1 else Pubrec)(int(payload)) for payload in taken]
    assert 3 <= len(taken) < 8
    got = [message.payload for message in connect("away", to=broker, **keep(V311)).drain()]
    assert got[: len(taken)] == taken
