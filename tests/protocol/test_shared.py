"""Shared subscriptions: each message to one member of each group."""

from __future__ import annotations

import itertools

import pytest

from .packets import V5, V311, Puback, Publish, Pubrec, Suback, Subscribe
from .wire import Wire, subscription

SESSION = {"clean": False, "properties": {"session_expiry_interval": 60}}


def payloads(wire: Wire) -> list[bytes]:
    return [message.payload for message in wire.drain()]


# Section 4.8.2: every message once, whichever member receives it; the choice: all members take part.
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_each_message_goes_to_one_member(connect, root, qos):
    members, publisher = [connect() for _ in range(3)], connect()
    for member in members:
        member.subscribe(f"$share/group/{root}/#", qos=2)
    sent = [b"%d" % number for number in range(30)]
    for payload in sent:
        publisher.publish(f"{root}/x", payload, qos)
    shares = [payloads(member) for member in members]
    assert sorted(itertools.chain(*shares)) == sorted(sent)
    assert all(shares), f"a member received nothing: {[len(share) for share in shares]}"


# Section 4.8.2: groups, and ordinary subscriptions, do not compete with each other.
def test_each_group_receives_the_message(connect, root):
    wires = [connect() for _ in range(5)]
    for wire, name in zip(
        wires, ("$share/one/", "$share/one/", "$share/two/", "$share/two/", ""), strict=True
    ):
        wire.subscribe(f"{name}{root}/x")
    publisher = connect()
    for number in range(10):
        publisher.publish(f"{root}/x", b"%d" % number)
    sent = sorted(b"%d" % number for number in range(10))
    shares = [payloads(wire) for wire in wires]
    assert sorted(shares[0] + shares[1]) == sorted(shares[2] + shares[3]) == sorted(shares[4]) == sent


# Section 4.8.2: the same name with another filter is another shared subscription.
def test_a_group_is_its_name_and_its_filter(connect, root):
    one, two = connect(), connect()
    one.subscribe(f"$share/group/{root}/x")
    two.subscribe(f"$share/group/{root}/+")
    connect().publish(f"{root}/x", b"x")
    one.expect_message(f"{root}/x", b"x")
    two.expect_message(f"{root}/x", b"x")


# The filter inside matches like any other.
@pytest.mark.mqtt5("4.7.1-1", "4.7.1-2")
@pytest.mark.parametrize("suffix", ["#", "+/b", "a/+", "a/b"])
def test_wildcards_in_a_shared_filter(connect, root, suffix):
    wire, publisher = connect(), connect()
    wire.subscribe(f"$share/group/{root}/{suffix}")
    publisher.publish(f"{root}/a/b", b"x")
    publisher.publish(f"{root}x/a/b", b"another topic")
    wire.expect_message(f"{root}/a/b", b"x")
    wire.expect_nothing()


@pytest.mark.mqtt5("4.8.2-3")
@pytest.mark.parametrize("granted", [0, 1, 2])
def test_the_granted_quality_holds(connect, root, granted):
    wire = connect()
    wire.subscribe(f"$share/group/{root}", qos=granted)
    connect().publish(root, b"x", 2)
    wire.expect_message(root, b"x", qos=granted)


# Section 4.8.2: retained messages are not sent to a new shared subscription, but are shared when published.
@pytest.mark.parametrize("handling", [0, 1])
def test_no_retained_messages_for_a_new_member(connect, root, handling):
    connect().publish(root, b"kept", retain=True)
    wire = connect()
    wire.subscribe(subscription(f"$share/group/{root}", retain_handling=handling))
    wire.expect_nothing()
    connect().publish(root, b"new", retain=True)
    wire.expect_message(root, b"new", retain=False)


# The choice: refused like any invalid filter, and the connection stays.
@pytest.mark.mqtt5("4.8.2-1", "4.8.2-2")
@pytest.mark.choice
@pytest.mark.parametrize(
    "name", ["$share/", "$share/g", "$share/g/", "$share//a", "$share/g+/a", "$share/#/a", "$share/g/a#"]
)
@pytest.mark.parametrize("version", [V311, V5], ids=["3.1.1", "5.0"])
def test_invalid_shared_filters(connect, root, version, name):
    wire = connect(version=version)
    wire.send(Subscribe(1, [subscription(name), subscription(root)]))
    wire.expect(Suback(1, [0x8F if version == V5 else 0x80, 0]))


@pytest.mark.mqtt5("3.3.4-3")
def test_subscription_identifiers(connect, root):
    wire = connect()
    wire.subscribe(f"$share/group/{root}", subscription_identifier=42)
    connect().publish(root, b"x")
    wire.expect_message(root, b"x", properties={"subscription_identifier": [42]})


# A shared and an ordinary subscription of the same client bring a copy each, with their own identifiers.
@pytest.mark.mqtt5("3.3.4-3", "3.3.4-5")
def test_each_copy_has_the_identifier_of_its_subscription(connect, root):
    wire = connect()
    wire.subscribe(f"$share/group/{root}", subscription_identifier=1)
    wire.subscribe(f"{root}/#", subscription_identifier=2)
    connect().publish(root, b"x")
    copies = wire.drain()
    assert [copy.payload for copy in copies] == [b"x", b"x"]
    assert sorted(dict(copy.properties)["subscription_identifier"] for copy in copies) == [[1], [2]]


@pytest.mark.mqtt5("3.3.1-13")
def test_retain_as_published(connect, root):
    wire = connect()
    wire.subscribe(subscription(f"$share/group/{root}", retain_as_published=True))
    connect().publish(root, b"x", retain=True)
    wire.expect_message(root, b"x", retain=True)


# The plain filter does not name the shared subscription.
@pytest.mark.mqtt5("3.10.4-1", "3.10.4-2")
def test_unsubscribing_a_member(connect, root):
    one, two, publisher = connect(), connect(), connect()
    for wire in (one, two):
        wire.subscribe(f"$share/group/{root}", root)
    one.unsubscribe(root)
    two.unsubscribe(root)
    one.unsubscribe(f"$share/group/{root}")
    for number in range(5):
        publisher.publish(root, b"%d" % number)
    assert payloads(two) == [b"%d" % number for number in range(5)]
    one.expect_nothing()


# The choice: members that are away do not get messages that one who is here can take.
@pytest.mark.choice
def test_present_members_come_first(connect, root):
    away, here, publisher = connect("away", **SESSION), connect("here"), connect()
    for wire in (away, here):
        wire.subscribe(f"$share/group/{root}", qos=1)
    away.disconnect()
    for number in range(6):
        publisher.publish(root, b"%d" % number, 1)
    assert payloads(here) == [b"%d" % number for number in range(6)]
    connect("away", **SESSION).expect_nothing()


# With everybody away the messages wait in the sessions, each in one.
@pytest.mark.mqtt5("4.5.0-1")
def test_messages_wait_for_absent_members(connect, root):
    for name in ("one", "two"):
        wire = connect(name, **SESSION)
        wire.subscribe(f"$share/group/{root}", qos=1)
        wire.disconnect()
    publisher = connect()
    for number in range(10):
        publisher.publish(root, b"%d" % number, 1)
    waiting = [payload for name in ("one", "two") for payload in payloads(connect(name, **SESSION))]
    assert sorted(waiting) == sorted(b"%d" % number for number in range(10))


# A member without a session leaves its place.
@pytest.mark.parametrize("goodbye", [True, False])
def test_the_group_goes_on_without_a_member(connect, root, goodbye):
    one, two, publisher = connect("one"), connect("two"), connect()
    for wire in (one, two):
        wire.subscribe(f"$share/group/{root}", qos=1)
    if goodbye:
        one.disconnect()
    one.close()
    connect("one").disconnect()  # certainly gone
    for number in range(6):
        publisher.publish(root, b"%d" % number, 1)
    assert payloads(two) == [b"%d" % number for number in range(6)]


# The member that has begun to receive a QoS 2 message finishes it when it comes back.
@pytest.mark.mqtt5("4.8.2-4")
def test_a_qos_2_message_waits_for_its_member(connect, root):
    one = connect("one", **SESSION)
    one.subscribe(f"$share/group/{root}", qos=2)
    connect().publish(root, b"x", 2)
    first = one.expect(Publish(root, b"x", 2))
    two = connect("two")
    two.subscribe(f"$share/group/{root}", qos=2)
    one.close()
    one = connect("one", **SESSION)
    again = one.expect(Publish(root, b"x", 2, dup=True))
    assert again.id == first.id
    one.acknowledge(again)
    two.expect_nothing()


# If its session ends instead, nobody else gets the QoS 2 message.
@pytest.mark.mqtt5("4.8.2-5")
@pytest.mark.parametrize("received", [True, False])
def test_a_qos_2_message_ends_with_the_session(connect, root, received):
    one = connect("one", **SESSION)
    one.subscribe(f"$share/group/{root}", qos=2)
    connect().publish(root, b"x", 2)
    message = one.expect(Publish(root, b"x", 2))
    if received:
        one.send(Pubrec(message.id))
        one.read()
    two = connect("two")
    two.subscribe(f"$share/group/{root}", qos=2)
    one.close()
    connect("one", clean=True).expect_nothing()
    two.expect_nothing()


@pytest.mark.mqtt5("4.8.2-6", "4.4.0-2")
@pytest.mark.parametrize("qos", [1, 2])
def test_a_refused_message_is_nobody_elses(connect, root, qos):
    one, two = connect("one", **SESSION), connect("two", **SESSION)
    one.subscribe(f"$share/group/{root}", qos=2)
    connect().publish(root, b"x", qos)
    message = one.expect(Publish(root, b"x", qos))
    two.subscribe(f"$share/group/{root}", qos=2)
    one.send((Puback if qos == 1 else Pubrec)(message.id, 0x97))
    one.expect_nothing()
    one.close()
    connect("one", **SESSION).expect_nothing()
    two.expect_nothing()


# The choice: clients of 3.1.1 can join a group; members may speak different versions.
@pytest.mark.choice
def test_members_of_different_versions(connect, root):
    old, new, publisher = connect(version=V311), connect(version=V5), connect()
    for wire in (old, new):
        wire.subscribe(f"$share/group/{root}", qos=1)
    for number in range(20):
        publisher.publish(root, b"%d" % number, 1)
    shares = payloads(old), payloads(new)
    assert sorted(shares[0] + shares[1]) == sorted(b"%d" % number for number in range(20))
    assert all(shares)
