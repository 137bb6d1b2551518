"""Sessions: begun, resumed, taken over, expired."""

from __future__ import annotations

import time

import pytest

from .packets import V5, V31, V311, Disconnect, Puback, Publish
from .wire import Late, Wire, subscription

MODERN = pytest.mark.parametrize("version", [V311, V5], ids=["3.1.1", "5.0"])


def keep(version: int, expiry: int = 60) -> dict:
    """The fields of a CONNECT that resume a session and keep it afterwards."""
    properties = {"session_expiry_interval": expiry} if version == V5 else {}
    return {"version": version, "clean": False, "properties": properties}


def leave(wire: Wire, *, goodbye: bool) -> None:
    if goodbye:
        wire.disconnect()
    wire.close()


@pytest.mark.mqtt5("3.1.2-6", "3.1.4-4", "3.2.2-3")
@pytest.mark.mqtt311("3.1.2-4", "3.1.4-3", "3.2.2-3")
@MODERN
def test_a_session_that_is_not_there_is_new(connect, version):
    assert not connect(**keep(version)).connack.session_present


@pytest.mark.mqtt5("3.1.2-5", "3.1.2-23", "3.1.4-4", "3.2.2-3")
@pytest.mark.mqtt311("3.1.2-4", "3.1.4-3", "3.2.2-2", "4.1.0-1")
@pytest.mark.parametrize("goodbye", [True, False])
@MODERN
def test_a_session_is_resumed(connect, root, version, goodbye):
    wire = connect("a", **keep(version))
    wire.subscribe(f"{root}/x", qos=1)
    leave(wire, goodbye=goodbye)
    wire = connect("a", **keep(version))
    assert wire.connack.session_present
    connect().publish(f"{root}/x", b"x", 1)
    wire.expect_message(f"{root}/x", b"x", qos=1)


# Version 3.1 has no Session Present: that bit is reserved there, and zero.
def test_version_31_sessions_are_resumed_without_saying_so(connect, root):
    wire = connect("a", **keep(V31))
    wire.subscribe(root, qos=1)
    wire.disconnect()
    connect().publish(root, b"x", 1)
    wire = connect("a", **keep(V31))
    assert not wire.connack.session_present
    wire.expect_message(root, b"x", qos=1)


@pytest.mark.mqtt5("3.1.2-4", "3.1.4-4", "3.2.2-2")
@pytest.mark.mqtt311("3.1.2-6", "3.1.4-3", "3.2.2-1")
def test_a_clean_start_discards_the_session(connect, root, version):
    wire = connect("a", **keep(version))
    wire.subscribe(root, qos=1)
    wire.disconnect()
    connect().publish(root, b"old", 1)
    wire = connect("a", **{**keep(version), "clean": True})
    assert not wire.connack.session_present
    connect().publish(root, b"new", 1)
    wire.expect_nothing()
    wire.disconnect()


# What was in flight is gone as well.
@pytest.mark.mqtt5("3.1.2-4", "3.1.4-4")
@pytest.mark.mqtt311("3.1.2-6", "3.1.4-3")
def test_a_clean_start_discards_messages_in_flight(connect, root, version):
    wire = connect("a", **keep(version))
    wire.subscribe(root, qos=2)
    for qos in (1, 2):
        connect().publish(root, b"x", qos)
        wire.expect(Publish(root, b"x", qos))
    wire.close()
    wire = connect("a", **{**keep(version), "clean": True})
    wire.expect_nothing()


# 5.0 without an expiry interval: ends with the connection.
@pytest.mark.mqtt5("4.1.0-2")
@pytest.mark.mqtt311("3.1.2-6")
@pytest.mark.parametrize("goodbye", [True, False])
@MODERN
def test_a_session_ends_with_its_connection(connect, root, version, goodbye):
    wire = connect("a", version=version, clean=True)
    wire.subscribe(root, qos=1)
    leave(wire, goodbye=goodbye)
    connect().publish(root, b"x", 1)
    wire = connect("a", **keep(version))
    assert not wire.connack.session_present
    wire.expect_nothing()


# 5.0 section 3.1.2.11.2: Clean Start and the expiry interval are independent: begun anew, kept afterwards.
def test_a_clean_start_can_begin_a_lasting_session(connect, root):
    wire = connect("a", clean=True, properties={"session_expiry_interval": 60})
    wire.subscribe(root, qos=1)
    wire.disconnect()
    assert connect("a", **keep(V5)).connack.session_present


@pytest.mark.mqtt5("3.1.2-23", "4.5.0-1", "4.6.0-5")
@pytest.mark.mqtt311("3.1.2-4", "3.1.2-5", "4.5.0-1", "4.6.0-6")
@pytest.mark.parametrize("goodbye", [True, False])
def test_messages_wait_for_an_absent_client(connect, root, version, goodbye):
    wire, publisher = connect("a", **keep(version)), connect()
    wire.subscribe(f"{root}/#", qos=2)
    wire.disconnect()
    for number in range(50):
        publisher.publish(f"{root}/{number % 3}", b"%d" % number, 1 + number % 2)
    wire = connect("a", **keep(version))
    got = wire.drain()
    assert [message.payload for message in got if message.qos == 1] == [b"%d" % n for n in range(0, 50, 2)]
    assert [message.payload for message in got if message.qos == 2] == [b"%d" % n for n in range(1, 50, 2)]
    assert not any(message.dup for message in got)
    leave(wire, goodbye=goodbye)
    connect("a", **keep(version)).expect_nothing()


# The queue survives visits in which the client acknowledges only part of it.
@pytest.mark.mqtt5("3.1.2-5", "4.4.0-1")
@pytest.mark.mqtt311("3.1.2-4", "4.4.0-1")
def test_a_queue_is_read_in_several_visits(connect, root, version):
    wire, publisher = connect("a", **keep(version)), connect()
    wire.subscribe(root, qos=1)
    wire.disconnect()
    for number in range(9):
        publisher.publish(root, b"%d" % number, 1)
    for begin in (0, 3, 6):
        wire = connect("a", **keep(version))
        for number in range(begin, 9):
            message = wire.expect(Publish(root, b"%d" % number, 1, dup=begin > 0))
            if number < begin + 3:
                wire.send(Puback(message.id))
        wire.expect_nothing()
        wire.close()
    connect("a", **keep(version)).expect_nothing()


# Subscriptions come back with their options and identifiers.
@pytest.mark.mqtt5("3.1.2-5", "3.1.2-23")
def test_subscription_options_are_kept(connect, root):
    wire = connect("a", **keep(V5))
    wire.subscribe(subscription(f"{root}/own", 1, no_local=True), subscription_identifier=7)
    wire.subscribe(subscription(f"{root}/kept", 1, retain_as_published=True))
    wire.disconnect()
    publisher = connect()
    publisher.publish(f"{root}/own", b"1", 1)
    publisher.publish(f"{root}/kept", b"2", 1, retain=True)
    wire = connect("a", **keep(V5))
    wire.expect_message(f"{root}/own", b"1", qos=1, properties={"subscription_identifier": [7]})
    wire.expect_message(f"{root}/kept", b"2", qos=1, retain=True)
    assert wire.publish(f"{root}/own", b"3", 1) in (0, 0x10)
    wire.expect_nothing()


# The choice: the session belongs to the client identifier, whatever version the client speaks today.
@pytest.mark.choice
@pytest.mark.parametrize(("before", "after"), [(V311, V5), (V5, V311), (V31, V311), (V31, V5)])
def test_a_session_is_resumed_in_another_version(connect, root, before, after):
    wire = connect("a", **keep(before))
    wire.subscribe(root, qos=1)
    wire.disconnect()
    connect().publish(root, b"x", 1, properties={"content_type": "text/plain"})
    wire = connect("a", **keep(after))
    assert wire.connack.session_present
    message = wire.expect_message(
        root, b"x", qos=1, properties={"content_type": "text/plain"} if after == V5 else {}
    )
    assert not message.dup


# There for a moment, gone after its time.
@pytest.mark.mqtt5("3.1.2-23", "4.1.0-2")
@pytest.mark.parametrize("goodbye", [True, False])
def test_a_session_expires(connect, root, goodbye):
    wire = connect("a", **keep(V5, 1))
    wire.subscribe(root, qos=1)
    leave(wire, goodbye=goodbye)
    wire = connect("a", **keep(V5, 1))
    assert wire.connack.session_present
    leave(wire, goodbye=goodbye)
    time.sleep(1.6)
    connect().publish(root, b"x", 1)
    wire = connect("a", **keep(V5, 1))
    assert not wire.connack.session_present
    wire.expect_nothing()


# The interval runs from the end of the connection, and starts anew with each.
@pytest.mark.mqtt5("4.1.0-1")
def test_a_session_does_not_expire_while_connected(connect, root):
    wire = connect("a", **keep(V5, 1))
    time.sleep(1.3)
    wire.close()
    time.sleep(0.5)
    wire = connect("a", **keep(V5, 1))
    assert wire.connack.session_present
    time.sleep(0.8)
    wire.ping()


# The session of a client that is connected does not end before its connection, however old it is.
@pytest.mark.mqtt5("4.1.0-1")
@pytest.mark.mqtt311("4.1.0-1", "4.1.0-2")
@pytest.mark.settings
@pytest.mark.parametrize("clean", [True, False])
@MODERN
def test_a_session_lasts_as_long_as_its_connection(broker_factory, connect, root, version, clean):
    broker = broker_factory({"limits.max_session_expiry": 1})
    wire = connect("a", to=broker, **{**keep(version, 1), "clean": clean})
    wire.subscribe(root, qos=1)
    connect(to=broker).publish(root, b"1", 1)
    first = wire.expect(Publish(root, b"1", 1))
    wire.expect_nothing(1.4)
    connect(to=broker).publish(root, b"2", 1)
    wire.expect_message(root, b"2", qos=1)
    if not clean:
        wire.close()
        wire = connect("a", to=broker, **keep(version, 1))
        assert wire.connack.session_present
        again = wire.expect(Publish(root, b"1", 1, dup=True))
        assert again.id == first.id


# Section 3.1.2.11.2: 0xFFFFFFFF is for ever; the largest other value is no overflow.
@pytest.mark.mqtt5("3.1.2-23")
@pytest.mark.parametrize("expiry", [0xFFFFFFFF, 0xFFFFFFFE, 0x80000000])
def test_a_session_that_never_expires(connect, root, expiry):
    wire = connect("a", **keep(V5, expiry))
    wire.subscribe(root, qos=1)
    wire.disconnect()
    connect().publish(root, b"x", 1)
    wire = connect("a", **keep(V5, expiry))
    assert wire.connack.session_present
    assert "session_expiry_interval" not in wire.connack.properties
    wire.expect_message(root, b"x", qos=1)
    connect("a", clean=True)


# Section 3.14.2.2.2: DISCONNECT can shorten, lengthen or end the life of the session.
@pytest.mark.mqtt5("3.1.2-23", "4.1.0-2")
@pytest.mark.parametrize(
    ("first", "last", "wait", "present"),
    [
        (60, None, 0.0, True),
        (60, 0, 0.0, False),
        (60, 1, 1.6, False),
        (1, 60, 1.6, True),
        (1, 0xFFFFFFFF, 1.6, True),
    ],
)
def test_a_disconnect_changes_the_expiry(connect, root, first, last, wait, present):
    wire = connect("a", **keep(V5, first))
    wire.subscribe(root, qos=1)
    wire.disconnect(0, **({} if last is None else {"session_expiry_interval": last}))
    time.sleep(wait)
    assert connect("a", clean=False).connack.session_present is present


# Section 3.14.2.2.2: a session not wished for at the start cannot be wished for at the end.
def test_a_disconnect_cannot_begin_a_session(connect, root):
    wire = connect("a", clean=True)
    wire.subscribe(root, qos=1)
    wire.send(Disconnect(0, {"session_expiry_interval": 60}))
    wire.expect_closed(Disconnect(0x82))
    assert not connect("a", **keep(V5)).connack.session_present


# Zero again is not a change.
def test_a_disconnect_may_repeat_a_zero_expiry(connect):
    wire = connect("a", clean=True)
    wire.disconnect(0, session_expiry_interval=0)
    assert not connect("a", **keep(V5)).connack.session_present


# Section 3.2.2.3.2: a server that shortens the interval says so, and means it.
@pytest.mark.settings
@pytest.mark.parametrize("asked", [30, 0xFFFFFFFF])
def test_a_server_with_a_shorter_limit_says_so(broker_factory, connect, asked):
    broker = broker_factory({"limits.max_session_expiry": 1})
    wire = connect("a", to=broker, **keep(V5, asked))
    assert wire.connack.properties["session_expiry_interval"] == 1
    wire.disconnect()
    wire = connect("a", to=broker, **keep(V5, 1))
    assert wire.connack.session_present
    assert "session_expiry_interval" not in wire.connack.properties
    wire.disconnect()
    time.sleep(1.6)
    assert not connect("a", to=broker, **keep(V5, 1)).connack.session_present


# The limit holds for sessions of 3.1.1 and for what a DISCONNECT asks for.
@pytest.mark.settings
def test_the_limit_holds_for_every_session(broker_factory, connect):
    broker = broker_factory({"limits.max_session_expiry": 1})
    connect("old", to=broker, **keep(V311)).disconnect()
    connect("new", to=broker, **keep(V5, 1)).disconnect(0, session_expiry_interval=60)
    time.sleep(1.6)
    for name, version in (("old", V311), ("new", V5)):
        assert not connect(name, to=broker, **keep(version)).connack.session_present


# Whoever holds the identifier goes, told so in version 5.
@pytest.mark.mqtt5("3.1.4-3", "3.14.2-1", "3.14.2-2", "3.14.4-1", "3.14.4-2")
@pytest.mark.mqtt311("3.1.4-2")
@pytest.mark.parametrize("newcomer", [V31, V311, V5])
def test_a_takeover_closes_the_old_connection(connect, version, newcomer):
    old = connect("a", version=version)
    new = connect("a", version=newcomer)
    old.expect_closed(*([Disconnect(0x8E)] if version == V5 else []))
    new.ping()


# The new connection goes on with the session, and with what was in flight.
@pytest.mark.mqtt5("3.1.2-5", "3.1.4-3")
@pytest.mark.mqtt311("3.1.2-4", "3.1.4-2")
def test_a_takeover_goes_on_with_the_session(connect, root, version):
    old, publisher = connect("a", **keep(version)), connect()
    old.subscribe(root, qos=1)
    publisher.publish(root, b"1", 1)
    first = old.expect(Publish(root, b"1", 1))
    new = connect("a", **keep(version))
    assert new.connack.session_present is (version != V31)
    publisher.publish(root, b"2", 1)
    again = new.expect(Publish(root, b"1", 1, dup=True))
    assert again.id == first.id
    new.expect(Publish(root, b"2", 1))


# 5.0 section 3.1.4: a session without expiry interval ends on the takeover.
@pytest.mark.mqtt5("4.1.0-2")
@pytest.mark.mqtt311("3.1.2-6")
@MODERN
def test_a_takeover_of_a_session_that_ends_with_its_connection(connect, root, version):
    old = connect("a", version=version, clean=True)
    old.subscribe(root, qos=1)
    new = connect("a", **keep(version))
    assert not new.connack.session_present
    connect().publish(root, b"x", 1)
    new.expect_nothing()


# After a rush of takeovers one connection is left, and it works.
@pytest.mark.mqtt5("3.1.4-3")
@pytest.mark.mqtt311("3.1.4-2")
def test_many_takeovers(connect, root, version):
    wires = [connect("a", **keep(version)) for _ in range(20)]
    for wire in wires[:-1]:
        assert len(wire.last_words()) == (version == V5)
    last = wires[-1]
    last.subscribe(root)
    connect().publish(root, b"x")
    last.expect_message(root, b"x")
    last.expect_nothing()


# The choice: what cannot be queued is not acknowledged as if it were: everything acknowledged is delivered.
@pytest.mark.choice
@pytest.mark.settings
@pytest.mark.parametrize("qos", [1, 2])
def test_nothing_acknowledged_is_dropped_from_a_full_queue(broker_factory, connect, root, qos):
    broker = broker_factory({"limits.max_queued_messages": 5})
    wire, publisher = connect("a", to=broker, **keep(V5)), connect(to=broker)
    wire.subscribe(root, qos=2)
    wire.disconnect()
    publisher.send(*(Publish(root, b"%d" % number, qos, id=number) for number in range(1, 11)))
    acknowledged = []
    try:
        while len(acknowledged) < 10:
            acknowledged.append(publisher.read(0.5))
    except Late:
        pass
    taken = [b"%d" % ack.id for ack in acknowledged if ack.code < 0x80]  # type: ignore[attr-defined]
    assert 5 <= len(taken) < 10
    got = [message.payload for message in connect("a", to=broker, **keep(V5)).drain()]
    assert got[: len(taken)] == taken
