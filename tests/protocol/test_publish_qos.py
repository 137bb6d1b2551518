"""The three qualities of service: the handshakes, identifiers and order."""

from __future__ import annotations

import pytest

from .packets import V5, V311, Pingresp, Puback, Pubcomp, Publish, Pubrec, Pubrel

MODERN = pytest.mark.parametrize("version", [V311, V5], ids=["3.1.1", "5.0"])


def keep(version: int) -> dict:
    """The fields of a CONNECT that keep a session after the end of the connection."""
    return {"clean": False, "properties": {"session_expiry_interval": 60} if version == V5 else {}}


@pytest.mark.mqtt5("2.2.1-2", "3.3.1-2", "3.3.4-1", "3.8.4-8", "4.3.1-1", "4.3.2-2", "4.3.3-2")
@pytest.mark.mqtt311("2.3.1-5", "3.3.1-2", "3.3.4-1", "3.8.4-6", "4.3.1-1", "4.3.2-1", "4.3.3-1")
@pytest.mark.parametrize("granted", [0, 1, 2])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_delivery_at_the_lower_of_both_qualities(connect, root, version, qos, granted):
    subscriber, publisher = connect(version=version), connect(version=version)
    subscriber.subscribe(f"{root}/t", qos=granted)
    assert publisher.publish(f"{root}/t", b"payload", qos) == 0
    subscriber.expect_message(f"{root}/t", b"payload", qos=min(qos, granted))
    subscriber.expect_nothing()


# Between all pairs of versions, with a message of each quality.
@pytest.mark.parametrize("sender", [3, 4, 5])
def test_messages_cross_versions(connect, root, version, sender):
    subscriber, publisher = connect(version=version), connect(version=sender)
    subscriber.subscribe(f"{root}/t", qos=2)
    for qos in (0, 1, 2):
        publisher.publish(f"{root}/t", b"%d" % qos, qos)
        subscriber.expect_message(f"{root}/t", b"%d" % qos, qos=qos)


# With the publisher's own identifiers, the largest one too.
@pytest.mark.mqtt5("2.2.1-5", "3.3.4-1", "3.4.2-1", "3.5.2-1", "3.7.2-1", "4.3.2-4", "4.3.3-8", "4.3.3-11")
@pytest.mark.mqtt311("2.3.1-6", "3.3.4-1", "4.3.2-2", "4.3.3-2")
@pytest.mark.parametrize("number", [1, 0x0100, 0x7FFF, 0xFFFF])
def test_acknowledgements_carry_the_identifier(connect, root, version, number):
    subscriber, wire = connect(), connect(version=version)
    subscriber.subscribe(root)
    wire.send(Publish(root, b"1", 1, id=number))
    wire.expect(Puback(number))
    wire.send(Publish(root, b"2", 2, id=number))
    wire.expect(Pubrec(number))
    wire.send(Pubrel(number))
    wire.expect(Pubcomp(number))


# In the order of arrival.
@pytest.mark.mqtt311("4.6.0-2", "4.6.0-3", "4.6.0-6")
def test_acknowledgements_in_order(connect, root, version):
    wire = connect(version=version)
    connect().subscribe(root)
    numbers = [9, 3, 7, 1, 500, 2]
    wire.send(*(Publish(root, b"", 1, id=number) for number in numbers))
    assert [wire.read() for _ in numbers] == [Puback(n) for n in numbers]
    wire.send(*(Publish(root, b"", 2, id=number) for number in numbers))
    assert [wire.read() for _ in numbers] == [Pubrec(n) for n in numbers]
    wire.send(*(Pubrel(number) for number in numbers))
    assert [wire.read() for _ in numbers] == [Pubcomp(n) for n in numbers]


@pytest.mark.mqtt5("4.6.0-5", "4.6.0-6")
@pytest.mark.mqtt311("4.6.0-5", "4.6.0-6")
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_messages_stay_in_order(connect, root, version, qos):
    subscriber, publisher = connect(version=version), connect(version=version)
    subscriber.subscribe(f"{root}/#", qos=2)
    payloads = [b"%d" % number for number in range(300)]
    for start in range(0, 300, 20):  # 20 at once is what every server lets through
        packets = [
            Publish(f"{root}/t", payloads[n], qos, id=n + 1 if qos else None)
            for n in range(start, start + 20)
        ]
        publisher.send(*packets)
        if qos == 1:
            for packet in packets:
                publisher.expect(Puback(packet.id))
        elif qos == 2:
            for packet in packets:
                publisher.expect(Pubrec(packet.id))
            publisher.send(*(Pubrel(packet.id) for packet in packets))
            for packet in packets:
                publisher.expect(Pubcomp(packet.id))
    publisher.ping()
    got = subscriber.drain()
    assert [message.payload for message in got] == payloads
    assert {message.qos for message in got} == {qos}


# One publisher's messages keep their order on topics that two subscriptions bring.
@pytest.mark.mqtt5("4.6.0-5", "4.6.0-6")
@pytest.mark.mqtt311("4.6.0-5", "4.6.0-6")
def test_order_over_several_topics(connect, root, version):
    subscriber, publisher = connect(version=version), connect(version=version)
    subscriber.subscribe(f"{root}/a", f"{root}/b", qos=1)
    for number in range(20):
        publisher.publish(f"{root}/{'ab'[number % 2]}", b"%d" % number, 1)
    assert [int(message.payload) for message in subscriber.drain()] == list(range(20))


@pytest.mark.mqtt5("3.3.1-3", "4.3.2-2", "4.3.3-2")
@pytest.mark.mqtt311("3.3.1-3", "4.3.2-1", "4.3.3-1")
@pytest.mark.parametrize("qos", [1, 2])
def test_the_dup_flag_is_not_passed_on(connect, root, version, qos):
    subscriber, publisher = connect(version=version), connect(version=version)
    subscriber.subscribe(root, qos=2)
    publisher.publish(root, b"x", qos, dup=True)
    subscriber.expect_message(root, b"x", qos=qos, dup=False)


# What is not acknowledged keeps its identifier, in both halves of QoS 2, while others come and go.
@pytest.mark.mqtt5("2.2.1-4", "4.3.2-1", "4.3.3-1")
@pytest.mark.mqtt311("2.3.1-4", "4.3.2-1", "4.3.3-1")
@pytest.mark.parametrize("qos", [1, 2])
def test_packet_identifiers_in_use_are_not_given_twice(connect, root, version, qos):
    subscriber, publisher = connect(version=version), connect()
    subscriber.subscribe(root, qos=qos)
    held: set[int | None] = set()
    for _ in range(3):  # never more than 20 at once, which every server allows
        for _ in range(8):
            publisher.publish(root, b"x", qos)
        messages = [subscriber.expect(Publish(root, b"x", qos)) for _ in range(8)]
        numbers = [message.id for message in messages]
        assert len(set(numbers)) == 8
        assert not held & set(numbers)
        for message in messages[:3]:
            subscriber.acknowledge(message)
        for number in numbers[3:5]:
            if qos == 2:
                subscriber.send(Pubrec(number))
                subscriber.expect(Pubrel(number))
        held |= set(numbers[3:])


# The PUBREL carries the identifier of the PUBLISH, and they come in the order of the PUBRECs.
@pytest.mark.mqtt5("2.2.1-5", "4.3.3-4")
@pytest.mark.mqtt311("2.3.1-6", "4.3.3-1", "4.6.0-4", "4.6.0-6")
def test_pubrels_in_order(connect, root, version):
    subscriber, publisher = connect(version=version), connect()
    subscriber.subscribe(root, qos=2)
    for number in range(6):
        publisher.publish(root, b"%d" % number, 2)
    numbers = [subscriber.expect(Publish(root, b"%d" % number, 2)).id for number in range(6)]
    subscriber.send(*(Pubrec(number) for number in numbers))
    assert [subscriber.read() for _ in numbers] == [Pubrel(number) for number in numbers]
    subscriber.send(*(Pubcomp(number) for number in numbers))
    subscriber.expect_nothing()


# After the PUBACK the same identifier is a new message, whatever its DUP flag says.
@pytest.mark.mqtt5("4.3.2-5")
@pytest.mark.mqtt311("4.3.2-2")
def test_qos_1_identifiers_can_be_used_again(connect, root, version):
    subscriber, publisher = connect(version=version), connect(version=version)
    subscriber.subscribe(root, qos=1)
    for dup in (False, True, False):
        publisher.send(Publish(root, b"x", 1, dup=dup, id=5))
        publisher.expect(Puback(5))
        subscriber.expect_message(root, b"x", qos=1)


@pytest.mark.mqtt5("4.3.3-10")
@pytest.mark.mqtt311("4.3.3-2")
def test_a_qos_2_message_sent_twice_is_delivered_once(connect, root, version):
    subscriber, publisher = connect(version=version), connect(version=version)
    subscriber.subscribe(root, qos=2)
    publisher.send(Publish(root, b"x", 2, id=5))
    publisher.expect(Pubrec(5))
    for _ in range(3):
        publisher.send(Publish(root, b"x", 2, dup=True, id=5))
        publisher.expect(Pubrec(5))
    publisher.send(Pubrel(5))
    publisher.expect(Pubcomp(5))
    assert [message.payload for message in subscriber.drain()] == [b"x"]


# After the PUBCOMP the same identifier is a new message.
@pytest.mark.mqtt5("4.3.3-12")
@pytest.mark.mqtt311("4.3.3-2")
def test_qos_2_identifiers_can_be_used_again(connect, root, version):
    subscriber, publisher = connect(version=version), connect(version=version)
    subscriber.subscribe(root, qos=2)
    for number in range(3):
        publisher.send(Publish(root, b"%d" % number, 2, id=5))
        publisher.expect(Pubrec(5))
        publisher.send(Pubrel(5))
        publisher.expect(Pubcomp(5))
    assert [message.payload for message in subscriber.drain()] == [b"0", b"1", b"2"]


# The choice (section 3.4.2.1 allows it): a version 5 publisher learns that nobody listens.
@pytest.mark.mqtt5("3.4.2-1", "3.5.2-1")
@pytest.mark.choice
@pytest.mark.parametrize("qos", [1, 2])
def test_a_publisher_learns_that_nobody_subscribed(connect, root, qos):
    publisher = connect()
    assert publisher.publish(f"{root}/nobody", b"x", qos) == 0x10
    connect(version=V311).subscribe(f"{root}/+", qos=0)
    assert publisher.publish(f"{root}/nobody", b"x", qos) == 0


# The choice: a session that is away counts as a subscriber, and so does the publisher itself.
@pytest.mark.choice
def test_an_absent_session_counts_as_a_subscriber(connect, root):
    subscriber = connect("subscriber", **keep(V5))
    subscriber.subscribe(root, qos=1)
    subscriber.disconnect()
    assert connect().publish(root, b"x", 1) == 0


# The choice: nobody but the server speaks on $SYS.
@pytest.mark.mqtt5("3.4.2-1", "3.5.2-1")
@pytest.mark.choice
def test_clients_cannot_publish_to_sys(connect, root):
    watcher, publisher = connect(), connect()
    watcher.subscribe(f"$SYS/{root}", qos=2)
    assert publisher.publish(f"$SYS/{root}", b"x", 1) == 0x87
    assert publisher.publish(f"$SYS/{root}", b"x", 2, retain=True) == 0x87
    publisher.publish(f"$SYS/{root}", b"x", 0)
    watcher.expect_nothing()


# A refused identifier is free at once: the next message that bears it is a new one.
@pytest.mark.mqtt5("3.5.2-1", "4.3.3-9")
@pytest.mark.choice
def test_a_refused_qos_2_identifier_is_free(connect, root):
    subscriber, publisher = connect(), connect()
    subscriber.subscribe(root, qos=2)
    for payload in (b"1", b"2"):
        publisher.send(Publish(f"$SYS/{root}", b"x", 2, id=5))
        publisher.expect(Pubrec(5, 0x87))
        publisher.send(Publish(root, payload, 2, id=5))
        publisher.expect(Pubrec(5))
        publisher.send(Pubrel(5))
        publisher.expect(Pubcomp(5))
    assert [message.payload for message in subscriber.drain()] == [b"1", b"2"]


# Who cannot be told gets the ordinary acknowledgement.
@pytest.mark.mqtt311("3.3.5-2")
@pytest.mark.choice
def test_version_311_clients_cannot_publish_to_sys(connect, root):
    watcher, publisher = connect(), connect(version=V311)
    watcher.subscribe(f"$SYS/{root}", qos=2)
    for qos in (0, 1, 2):
        publisher.publish(f"$SYS/{root}", b"x", qos)
    watcher.expect_nothing()


# Other topics that begin with $ are ordinary ones.
@pytest.mark.choice
def test_other_dollar_topics_are_open(connect, root):
    watcher, publisher = connect(), connect()
    watcher.subscribe(f"${root}/#")
    publisher.publish(f"${root}/x", b"x")
    watcher.expect_message(f"${root}/x", b"x")


# The choice: a PUBREL for an unknown identifier is answered, so that the publisher can forget it
# (section 3.7.2.1: 0x92, Packet Identifier not found).
@pytest.mark.mqtt5("3.7.2-1", "4.3.3-11")
@pytest.mark.mqtt311("4.3.3-2")
@pytest.mark.choice
def test_a_pubrel_for_an_unknown_identifier(connect, version):
    wire = connect(version=version)
    wire.send(Pubrel(99))
    wire.expect(Pubcomp(99, 0x92 if version == V5 else 0))
    wire.ping()


# The choice: acknowledgements of what was never sent change nothing.
@pytest.mark.choice
def test_unknown_acknowledgements_are_ignored(connect, root, version):
    wire = connect(version=version)
    wire.send(Puback(99), Pubcomp(98))
    wire.expect_nothing()
    wire.subscribe(root, qos=1)
    connect().publish(root, b"x", 1)
    wire.expect_message(root, b"x", qos=1)


# The choice: a PUBREC for an unknown identifier is answered with a PUBREL that says so in version 5.
@pytest.mark.mqtt5("3.6.2-1")
@pytest.mark.choice
def test_a_pubrec_for_an_unknown_identifier(connect, version):
    wire = connect(version=version)
    wire.send(Pubrec(99))
    wire.expect(Pubrel(99, 0x92 if version == V5 else 0))
    wire.ping()


# Payloads are bytes: none, all values, and sizes on both sides of each length of the Remaining Length.
@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384, 65_536, 2_097_151, 2_097_152])
@MODERN
def test_payloads_of_many_sizes(connect, root, version, size):
    subscriber, publisher = connect(version=version), connect(version=version)
    subscriber.subscribe(root, qos=1)
    overhead = len(Publish(root, b"", 1, id=1).body(version))
    payload = (bytes(range(256)) * (size // 256 + 1))[: max(0, size - overhead)]
    publisher.publish(root, payload, 1)
    subscriber.expect_message(root, payload, qos=1)


@pytest.mark.mqtt5("4.7.3-3", "4.7.3-4")
@pytest.mark.mqtt311("4.7.3-3", "4.7.3-4")
@pytest.mark.parametrize(
    "name",
    ["x" * 65_000, "\u00e9/e\u0301", "\ufeff", "a b/ c", "\U0001f600", "/", "//"],
    ids=["long", "forms", "bom", "spaces", "emoji", "slash", "slashes"],
)
@MODERN
def test_unusual_topics(connect, root, version, name):
    subscriber, publisher = connect(version=version), connect(version=version)
    subscriber.subscribe(f"{root}/{name}")
    publisher.publish(f"{root}/{name}", b"x")
    subscriber.expect_message(f"{root}/{name}", b"x")


# A client receives its own messages.
@pytest.mark.mqtt5("4.5.0-1")
@pytest.mark.mqtt311("4.5.0-1")
def test_a_client_can_publish_to_itself(connect, root, version):
    wire = connect(version=version)
    wire.subscribe(root, qos=1)
    wire.send(Publish(root, b"x", 1, id=9))
    packets = [wire.read(), wire.read()]
    message = next(packet for packet in packets if isinstance(packet, Publish))
    assert Puback(9) in packets
    assert (message.topic, message.payload, message.qos, message.dup) == (root, b"x", 1, False)
    wire.acknowledge(message)
    wire.expect_nothing()


# Both halves of QoS 2 use identifiers of their own: the same number in both directions is two messages.
def test_identifiers_of_both_directions_are_independent(connect, root, version):
    wire, publisher = connect(version=version), connect()
    wire.subscribe(f"{root}/in", qos=2)
    publisher.publish(f"{root}/in", b"in", 2)
    message = wire.expect(Publish(f"{root}/in", b"in", 2))
    connect().subscribe(f"{root}/out", qos=2)
    wire.send(Publish(f"{root}/out", b"out", 2, id=message.id))
    wire.expect(Pubrec(message.id))
    wire.send(Pubrec(message.id))
    wire.expect(Pubrel(message.id))
    wire.send(Pubrel(message.id))
    wire.expect(Pubcomp(message.id))
    wire.send(Pubcomp(message.id))
    wire.expect_nothing()


# While deliveries wait for their acknowledgement.
@pytest.mark.mqtt5("3.12.4-1", "4.9.0-3")
@pytest.mark.mqtt311("3.12.4-1")
def test_a_slow_receiver_is_still_served(connect, root, version):
    subscriber, publisher = connect(version=version), connect()
    subscriber.subscribe(root, qos=2)
    publisher.publish(root, b"x", 2)
    subscriber.expect(Publish(root, b"x", 2))
    subscriber.send(b"\xc0\x00")
    subscriber.expect(Pingresp())
    publisher.publish(root, b"y", 0)
    subscriber.expect(Publish(root, b"y"))
