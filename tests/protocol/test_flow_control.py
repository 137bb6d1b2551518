"""Receive Maximum and Maximum Packet Size, in both directions."""

from __future__ import annotations

import pytest

from .packets import (
    V5,
    V311,
    Disconnect,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
    variable,
)
from .wire import Late, subscription

SESSION = {"clean": False, "properties": {"session_expiry_interval": 60}}


def with_maximum(number: int) -> dict:
    return {"clean": False, "properties": {"session_expiry_interval": 60, "receive_maximum": number}}


def numbers(count: int, first: int = 1) -> range:
    return range(first, first + count)


# Section 3.3.4: more than the announced number of unfinished publications: 0x93.
@pytest.mark.mqtt5("3.3.4-7")
def test_a_client_exceeds_the_receive_maximum(connect, root):
    publisher = connect()
    limit = publisher.connack.properties.get("receive_maximum", 65_535)
    publisher.send(
        b"".join(Publish(root, b"", 2, id=number).encode(V5) for number in numbers(min(limit, 65_534)))
    )
    for number in numbers(limit):
        assert publisher.read().id == number  # type: ignore[attr-defined]
    publisher.send(Publish(root, b"", 2, id=limit + 1))
    publisher.expect_closed(Disconnect(0x93))


# With QoS 1 and 2 together: only what is unfinished counts.
@pytest.mark.mqtt5("3.3.4-7")
@pytest.mark.settings
def test_the_receive_maximum_counts_unfinished_publications(broker_factory, connect, root):
    broker = broker_factory({"limits.receive_maximum": 3})
    publisher = connect(to=broker)
    assert publisher.connack.properties["receive_maximum"] == 3
    connect(to=broker).subscribe(root)
    for _ in range(5):
        assert publisher.publish(root, b"", 1) == 0
        assert publisher.publish(root, b"", 2) == 0
    for number in numbers(3, 100):
        publisher.send(Publish(root, b"", 2, id=number))
        publisher.expect(Pubrec(number))
    publisher.send(Pubrel(101))
    publisher.expect(Pubcomp(101))
    publisher.send(Publish(root, b"", 2, id=200))
    publisher.expect(Pubrec(200))
    publisher.send(Publish(root, b"", 2, id=201))
    publisher.expect_closed(Disconnect(0x93))


# Everything else is allowed and answered while the quota is used up; QoS 0 as well.
@pytest.mark.mqtt5("3.3.4-8", "4.9.0-3")
@pytest.mark.settings
def test_other_packets_do_not_count(broker_factory, connect, root):
    broker = broker_factory({"limits.receive_maximum": 2})
    publisher = connect(to=broker)
    for number in numbers(2):
        publisher.send(Publish(root, b"", 2, id=number))
        publisher.read()
    publisher.ping()
    publisher.send(Subscribe(9, [subscription(root)]))
    publisher.expect(Suback(9, [0]))
    publisher.send(Publish(root, b"qos 0"))
    publisher.expect_message(root, b"qos 0")


# The server waits for PUBACK.
@pytest.mark.mqtt5("3.3.4-9", "3.3.4-10", "4.9.0-1", "4.9.0-2", "4.9.0-3")
@pytest.mark.parametrize("limit", [1, 3])
def test_the_server_keeps_the_clients_receive_maximum(connect, root, limit):
    subscriber, publisher = connect(properties={"receive_maximum": limit}), connect()
    subscriber.subscribe(root, qos=1)
    for number in range(8):
        publisher.publish(root, b"%d" % number, 1)
    waiting = [subscriber.expect(Publish(root, b"%d" % number, 1)) for number in range(limit)]
    subscriber.expect_nothing()  # but a PINGRESP
    for number in range(limit, 8):
        subscriber.send(Puback(waiting.pop(0).id))
        waiting.append(subscriber.expect(Publish(root, b"%d" % number, 1)))
        subscriber.expect_nothing()


# A client that owes acknowledgements for all that it may receive is answered whatever else it sends.
@pytest.mark.mqtt5("3.3.4-10", "4.9.0-3")
def test_only_publications_wait_for_the_quota(connect, root):
    subscriber, publisher = connect(properties={"receive_maximum": 1}), connect()
    subscriber.subscribe(f"{root}/in", qos=2)
    publisher.publish(f"{root}/in", b"1", 2)
    publisher.publish(f"{root}/in", b"2", 1)
    first = subscriber.expect(Publish(f"{root}/in", b"1", 2))
    subscriber.expect_nothing()
    subscriber.send(Subscribe(7, [subscription(f"{root}/other", 1)]))
    subscriber.expect(Suback(7, [1]))
    subscriber.send(Unsubscribe(8, [f"{root}/other"]))
    subscriber.expect(Unsuback(8, [0]))
    publisher.subscribe(f"{root}/out", qos=2)
    subscriber.send(Publish(f"{root}/out", b"3", 1, id=9))
    subscriber.expect(Puback(9))
    subscriber.send(Publish(f"{root}/out", b"4", 2, id=9))
    subscriber.expect(Pubrec(9))
    subscriber.send(Pubrel(9))
    subscriber.expect(Pubcomp(9))
    subscriber.send(Pubrec(first.id))
    subscriber.expect(Pubrel(first.id))
    subscriber.expect_nothing()
    subscriber.send(Pubcomp(first.id))
    subscriber.expect_message(f"{root}/in", b"2", qos=1)


# With QoS 2 the place is free after the PUBCOMP, not after the PUBREC, unless that refuses.
@pytest.mark.mqtt5("3.3.4-9", "4.9.0-2")
@pytest.mark.parametrize("refuse", [False, True])
def test_the_server_waits_for_the_end_of_qos_2(connect, root, refuse):
    subscriber, publisher = connect(properties={"receive_maximum": 1}), connect()
    subscriber.subscribe(root, qos=2)
    for number in range(2):
        publisher.publish(root, b"%d" % number, 2)
    first = subscriber.expect(Publish(root, b"0", 2))
    subscriber.expect_nothing()
    subscriber.send(Pubrec(first.id, 0x80 if refuse else 0))
    if not refuse:
        subscriber.expect(Pubrel(first.id))
        subscriber.expect_nothing()
        subscriber.send(Pubcomp(first.id))
    subscriber.expect(Publish(root, b"1", 2))


@pytest.mark.mqtt5("3.3.4-9", "4.9.0-1", "4.9.0-2")
def test_a_queue_is_sent_within_the_receive_maximum(connect, root):
    subscriber, publisher = connect("a", **SESSION), connect()
    subscriber.subscribe(root, qos=1)
    subscriber.disconnect()
    for number in range(7):
        publisher.publish(root, b"%d" % number, 1)
    subscriber = connect("a", **with_maximum(3))
    for number in range(3):
        message = subscriber.expect(Publish(root, b"%d" % number, 1))
    subscriber.expect_nothing()
    subscriber.send(Puback(message.id))
    assert subscriber.expect(Publish(root, b"3", 1)).dup is False


# A client that comes back with a smaller maximum gets repetitions within it.
@pytest.mark.mqtt5("3.3.1-1", "3.3.4-9", "4.4.0-1", "4.9.0-1")
def test_repetitions_keep_the_receive_maximum(connect, root):
    subscriber, publisher = connect("a", **SESSION), connect()
    subscriber.subscribe(root, qos=1)
    for number in range(5):
        publisher.publish(root, b"%d" % number, 1)
    for number in range(5):
        subscriber.expect(Publish(root, b"%d" % number, 1))
    subscriber.close()
    subscriber = connect("a", **with_maximum(2))
    waiting = [subscriber.expect(Publish(root, b"%d" % number, 1, dup=True)) for number in range(2)]
    subscriber.expect_nothing()
    for number in range(2, 5):
        subscriber.send(Puback(waiting.pop(0).id))
        # Sent for the first time on this connection, but not for the first time.
        waiting.append(subscriber.expect(Publish(root, b"%d" % number, 1, dup=True)))
        subscriber.expect_nothing()


# Clients of 3.1.1 announce nothing; the server has a limit of its own for them.
@pytest.mark.settings
@pytest.mark.parametrize("version", [V311, V5], ids=["3.1.1", "5.0"])
def test_the_servers_own_window(broker_factory, connect, root, version):
    broker = broker_factory({"limits.max_inflight": 3})
    subscriber, publisher = connect(version=version, to=broker), connect(to=broker)
    subscriber.subscribe(root, qos=1)
    for number in range(5):
        publisher.publish(root, b"%d" % number, 1)
    waiting = [subscriber.expect(Publish(root, b"%d" % number, 1)) for number in range(3)]
    subscriber.expect_nothing()
    subscriber.send(Puback(waiting[0].id))
    subscriber.expect(Publish(root, b"3", 1))
    subscriber.expect_nothing()


# Exactly the largest size is sent, one byte more is not.
@pytest.mark.mqtt5("3.1.2-24", "3.1.2-25")
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_messages_too_large_for_the_client(connect, root, qos):
    fits = Publish(root, b"x" * 200, qos, id=1 if qos else None)
    subscriber, publisher = connect(properties={"maximum_packet_size": len(fits.encode(V5))}), connect()
    subscriber.subscribe(root, qos=qos)
    for payload in (b"y" * 201, b"x" * 200, b"y" * 5000, b"small"):
        assert publisher.publish(root, payload, qos) == 0
    subscriber.expect_message(root, b"x" * 200, qos=qos)
    subscriber.expect_message(root, b"small", qos=qos)
    subscriber.expect_nothing()


# Properties count.
@pytest.mark.mqtt5("3.1.2-24", "3.1.2-25")
def test_properties_count_for_the_size(connect, root):
    given = {"user_property": [("key", "v" * 100)]}
    size = len(Publish(root, b"x", properties=given).encode(V5))
    enough, short, publisher = (
        connect(properties={"maximum_packet_size": n}) for n in (size, size - 1, 9999)
    )
    for wire in (enough, short):
        wire.subscribe(root)
    publisher.publish(root, b"x", properties=given)
    enough.expect_message(root, b"x", properties=given)
    short.expect_nothing()


# What was discarded does not hold the window, in a queue, or in the order of the others.
@pytest.mark.mqtt5("3.1.2-25")
def test_messages_too_large_take_no_place(connect, root):
    limited = {"session_expiry_interval": 60, "receive_maximum": 1, "maximum_packet_size": 100}
    subscriber, publisher = connect("a", clean=False, properties=limited), connect()
    subscriber.subscribe(root, qos=2)
    subscriber.disconnect()
    for payload in (b"y" * 200, b"1", b"y" * 200, b"y" * 200, b"2"):
        publisher.publish(root, payload, 2)
    subscriber = connect("a", clean=False, properties=limited)
    assert [message.payload for message in subscriber.drain()] == [b"1", b"2"]


@pytest.mark.mqtt5("3.1.2-24", "3.1.2-25")
def test_retained_messages_too_large_for_the_client(connect, root):
    publisher, subscriber = connect(), connect(properties={"maximum_packet_size": 100})
    publisher.publish(f"{root}/large", b"x" * 200, retain=True)
    publisher.publish(f"{root}/small", b"x", retain=True)
    subscriber.subscribe(f"{root}/#")
    subscriber.expect_message(f"{root}/small", b"x", retain=True)
    subscriber.expect_nothing()


# Section 3.2.2.3.6: the limit counts the whole packet; beyond it 0x95.
@pytest.mark.mqtt5("3.2.2-15")
@pytest.mark.settings
@pytest.mark.parametrize("version", [V311, V5], ids=["3.1.1", "5.0"])
def test_packets_too_large_for_the_server(broker_factory, connect, root, version):
    broker = broker_factory({"limits.max_packet_size": 1000})
    subscriber, publisher = connect(to=broker), connect(to=broker, version=version)
    subscriber.subscribe(root)
    if version == V5:
        assert publisher.connack.properties["maximum_packet_size"] == 1000
    room = 1000 - len(Publish(root, b"", 1, id=1).encode(version)) - 1  # one more byte of Remaining Length
    publisher.publish(root, b"x" * room, 1)
    subscriber.expect_message(root, b"x" * room)
    publisher.send(Publish(root, b"x" * (room + 1), 1, id=2))
    publisher.expect_closed(*([Disconnect(0x95)] if version == V5 else []))
    subscriber.expect_nothing()


# The limit is applied to the announced length, before anything of the packet is stored.
@pytest.mark.settings
@pytest.mark.parametrize("length", [1001, 268_435_455])
def test_the_announced_length_is_enough_to_refuse(broker_factory, connect, length):
    broker = broker_factory({"limits.max_packet_size": 1000})
    publisher = connect(to=broker)
    publisher.send(b"\x30" + variable(length))
    publisher.expect_closed(Disconnect(0x95))


# Slow and stuck receivers: a client that does not read neither stops others nor is served in its place.
def test_a_client_that_does_not_read_disturbs_nobody(connect, root):
    stuck, reader, publisher = connect(), connect(), connect()
    stuck.subscribe(f"{root}/#")
    reader.subscribe(f"{root}/#")
    payload = b"x" * 100_000
    for _ in range(50):
        publisher.publish(root, payload)
        reader.expect_message(root, payload)
    with pytest.raises(Late):
        publisher.read(0.05)
    publisher.ping()
