"""Delivery again after a lost connection: what, in which order, and what not."""

from __future__ import annotations

import pytest

from .packets import V5, V311, Puback, Pubcomp, Publish, Pubrec, Pubrel

MODERN = pytest.mark.parametrize("version", [V311, V5], ids=["3.1.1", "5.0"])


def keep(version: int) -> dict:
    """The fields of a CONNECT that keep a session after the end of the connection."""
    return {"clean": False, "properties": {"session_expiry_interval": 60} if version == V5 else {}}


# The publisher repeats itself on a new connection.
@pytest.mark.mqtt5("4.3.3-10", "4.1.0-1")
@pytest.mark.mqtt311("4.3.3-2", "3.1.2-4")
@pytest.mark.parametrize("repeat", ["PUBLISH", "PUBREL"])
def test_a_qos_2_message_is_delivered_once_across_connections(connect, root, version, repeat):
    subscriber, publisher = connect(version=version), connect("publisher", version=version, **keep(version))
    subscriber.subscribe(root, qos=2)
    publisher.send(Publish(root, b"x", 2, id=7))
    publisher.expect(Pubrec(7))
    if repeat == "PUBREL":
        publisher.send(Pubrel(7))
        publisher.expect(Pubcomp(7))
    publisher.close()
    publisher = connect("publisher", version=version, **keep(version))
    if repeat == "PUBLISH":
        publisher.send(Publish(root, b"x", 2, dup=True, id=7))
        publisher.expect(Pubrec(7))
    publisher.send(Pubrel(7))
    reply = publisher.read()  # with 0x92 where the PUBREL was handled on the first connection
    assert isinstance(reply, Pubcomp)
    assert reply.id == 7
    assert [message.payload for message in subscriber.drain()] == [b"x"]


@pytest.mark.mqtt5("3.3.1-1", "4.3.2-3", "4.3.3-3", "4.4.0-1")
@pytest.mark.mqtt311("2.3.1-4", "3.3.1-1", "4.3.2-1", "4.3.3-1", "4.4.0-1", "4.6.0-1", "4.6.0-6")
@pytest.mark.parametrize("qos", [1, 2])
def test_unacknowledged_messages_are_sent_again(connect, root, version, qos):
    subscriber, publisher = connect("subscriber", version=version, **keep(version)), connect()
    subscriber.subscribe(root, qos=qos)
    for number in range(5):
        publisher.publish(root, b"%d" % number, qos)
    first = [subscriber.expect(Publish(root, b"%d" % number, qos)) for number in range(5)]
    subscriber.close()
    subscriber = connect("subscriber", version=version, **keep(version))
    for number in range(5):
        again = subscriber.expect(Publish(root, b"%d" % number, qos, dup=True))
        assert again.id == first[number].id
        subscriber.acknowledge(again)
    subscriber.expect_nothing()


# Only what was not acknowledged, and before what was published meanwhile.
@pytest.mark.mqtt5("3.3.1-1", "4.3.2-3", "4.4.0-1")
@pytest.mark.mqtt311("3.3.1-1", "4.3.2-1", "4.4.0-1", "4.6.0-6")
def test_repeated_messages_come_before_new_ones(connect, root, version):
    subscriber, publisher = connect("subscriber", version=version, **keep(version)), connect()
    subscriber.subscribe(root, qos=1)
    for number in range(3):
        publisher.publish(root, b"%d" % number, 1)
    subscriber.expect_message(root, b"0", qos=1)
    for number in (1, 2):
        subscriber.expect(Publish(root, b"%d" % number, 1))
    subscriber.disconnect()
    for number in (3, 4):
        publisher.publish(root, b"%d" % number, 1)
    subscriber = connect("subscriber", version=version, **keep(version))
    for number in (1, 2, 3, 4):
        subscriber.expect_message(root, b"%d" % number, qos=1, dup=number < 3)
    subscriber.expect_nothing()


# 5.0 forbids it, 3.1.1 does not ask for it.
@pytest.mark.mqtt5("4.4.0-1")
@MODERN
def test_nothing_is_repeated_within_a_connection(connect, root, version):
    subscriber, publisher = connect(version=version), connect()
    subscriber.subscribe(root, qos=2)
    publisher.publish(root, b"1", 1)
    publisher.publish(root, b"2", 2)
    subscriber.expect(Publish(root, b"1", 1))
    subscriber.expect(Publish(root, b"2", 2))
    subscriber.expect_nothing(0.5)


@pytest.mark.mqtt5("4.3.3-4", "4.3.3-5", "4.3.3-6", "4.4.0-1")
@pytest.mark.mqtt311("4.3.3-1", "4.4.0-1")
def test_an_unanswered_pubrel_is_sent_again(connect, root, version):
    subscriber, publisher = connect("subscriber", version=version, **keep(version)), connect()
    subscriber.subscribe(root, qos=2)
    publisher.publish(root, b"x", 2)
    message = subscriber.expect(Publish(root, b"x", 2))
    subscriber.send(Pubrec(message.id))
    subscriber.expect(Pubrel(message.id))
    for _ in range(2):
        subscriber.close()
        subscriber = connect("subscriber", version=version, **keep(version))
        subscriber.expect(Pubrel(message.id))
    subscriber.send(Pubcomp(message.id))
    subscriber.expect_nothing()
    subscriber.close()
    connect("subscriber", version=version, **keep(version)).expect_nothing()


# An acknowledgement that refuses is an acknowledgement.
@pytest.mark.mqtt5("4.4.0-2", "4.3.3-4")
@pytest.mark.parametrize("qos", [1, 2])
def test_a_refused_message_is_not_sent_again(connect, root, qos):
    subscriber, publisher = connect("subscriber", **keep(V5)), connect()
    subscriber.subscribe(root, qos=qos)
    publisher.publish(root, b"x", qos)
    message = subscriber.expect(Publish(root, b"x", qos))
    subscriber.send((Puback if qos == 1 else Pubrec)(message.id, 0x80))
    subscriber.expect_nothing()  # and so no PUBREL
    subscriber.close()
    connect("subscriber", **keep(V5)).expect_nothing()


# Each once, however often the connection is lost, and each with its own state.
@pytest.mark.mqtt5("4.3.2-3", "4.3.3-3", "4.3.3-5", "4.3.3-6", "4.4.0-1")
@pytest.mark.mqtt311("2.3.1-4", "4.3.2-1", "4.3.3-1", "4.4.0-1", "4.6.0-1", "4.6.0-6")
@MODERN
def test_every_state_of_a_delivery_survives(connect, root, version):
    subscriber, publisher = connect("subscriber", version=version, **keep(version)), connect()
    subscriber.subscribe(root, qos=2)
    for payload, qos in ((b"a", 1), (b"b", 2), (b"c", 1), (b"d", 2), (b"e", 2)):
        publisher.publish(root, payload, qos)
    numbers = [
        subscriber.expect(Publish(root, payload, qos)).id
        for payload, qos in ((b"a", 1), (b"b", 2), (b"c", 1), (b"d", 2), (b"e", 2))
    ]
    a, b, c, d, e = (number or 0 for number in numbers)
    subscriber.send(Puback(a), Pubrec(b), Pubrec(d))
    subscriber.expect(Pubrel(b))
    subscriber.expect(Pubrel(d))
    subscriber.send(Pubcomp(d))
    subscriber.ping()
    for _ in range(2):
        subscriber.close()
        subscriber = connect("subscriber", version=version, **keep(version))
        again = [subscriber.read() for _ in range(3)]
        assert Pubrel(b) in again
        assert [packet for packet in again if isinstance(packet, Publish)] == [
            Publish(root, b"c", 1, dup=True, id=c),
            Publish(root, b"e", 2, dup=True, id=e),
        ]
        subscriber.expect_nothing()
    subscriber.send(Pubcomp(b), Puback(c), Pubrec(e))
    subscriber.expect(Pubrel(e))
    subscriber.send(Pubcomp(e))
    subscriber.ping()
    subscriber.close()
    connect("subscriber", version=version, **keep(version)).expect_nothing()


# In the order in which the PUBRECs came, not in that of the messages.
@pytest.mark.mqtt311("4.6.0-4", "4.6.0-6")
@MODERN
def test_pubrels_come_again_in_the_order_of_the_pubrecs(connect, root, version):
    subscriber, publisher = connect("subscriber", version=version, **keep(version)), connect()
    subscriber.subscribe(root, qos=2)
    for number in range(3):
        publisher.publish(root, b"%d" % number, 2)
    numbers = [subscriber.expect(Publish(root, b"%d" % number, 2)).id for number in range(3)]
    numbers = [numbers[1], numbers[2], numbers[0]]
    for number in numbers:
        subscriber.send(Pubrec(number))
        subscriber.expect(Pubrel(number))
    subscriber.close()
    subscriber = connect("subscriber", version=version, **keep(version))
    assert [subscriber.read() for _ in numbers] == [Pubrel(number) for number in numbers]
