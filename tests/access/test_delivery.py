"""A message is looked at again when it is delivered: live, retained, queued, repeated, shared, as a will."""

from __future__ import annotations

import time

import pytest

from ..api.helpers import eventually
from ..protocol.packets import (
    V5,
    V311,
    Connack,
    Connect,
    Puback,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Will,
    subscription,
)
from .deciding import NOT_AUTHORIZED, enter, may_publish, received, session, topics

ALL = "allow any all #"
SECRETS = "deny user tank subscribe a/secret/#\nallow any all #"
NOTHING = "deny user tank all #\nallow any all #"


@pytest.fixture
def publisher(dial):
    """`publisher(broker)` gives a client that may publish whatever the rules here say."""
    return lambda broker: enter(dial, "publisher", "publisher", to=broker)


# Live ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_deny_within_what_was_subscribed(ruled, dial, publisher, qos, version):
    broker = ruled(SECRETS)
    wire, other = enter(dial, "c1", to=broker, version=version), enter(dial, "c2", "other", to=broker)
    wire.subscribe("a/#", qos=qos)
    other.subscribe("a/#", qos=qos)
    source = publisher(broker)
    names = ["a/1", "a/secret/2", "a", "a/secret", "a/secrets", "a/b/secret/3"]
    for name in names:
        # The publisher is not told who gets it.
        assert source.publish(name, b"x", qos) == 0
    assert topics(wire) == ["a/1", "a", "a/secrets", "a/b/secret/3"]
    assert topics(other) == names


def test_overlapping_subscriptions_bring_no_more(ruled, dial, publisher):
    broker = ruled(SECRETS)
    wire = enter(dial, to=broker)
    wire.subscribe("a/#", "a/+/x", "#", "+/+/x")
    source = publisher(broker)
    source.publish("a/secret/x", b"x", 1)
    source.publish("a/open/x", b"x", 1)
    assert set(topics(wire)) == {"a/open/x"}


def test_a_denied_receiver_does_not_make_a_publish_fail(ruled, dial, publisher):
    broker = ruled(SECRETS, {"limits.max_queued_messages": 1})
    wire = enter(dial, to=broker, **session())
    wire.subscribe("a/#", qos=1)
    wire.disconnect()
    source = publisher(broker)
    assert source.publish("a/1", b"x", 1) == 0
    assert source.publish("a/2", b"x", 1) == 0x97
    # It would not be queued, so a full queue is no reason.
    assert source.publish("a/secret/3", b"x", 1) in (0, 0x10)


# Retained --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_retained_messages(ruled, dial, publisher, qos):
    broker = ruled(SECRETS)
    source = publisher(broker)
    for name in ("a/1", "a/secret/2", "a/3"):
        source.publish(name, b"kept", qos, retain=True)
    wire, other = enter(dial, "c1", to=broker), enter(dial, "c2", "other", to=broker)
    for each in (wire, other):
        each.subscribe("a/#", qos=qos)
    assert sorted(topics(wire)) == ["a/1", "a/3"]
    assert sorted(topics(other)) == ["a/1", "a/3", "a/secret/2"]


def test_retained_messages_after_the_right_was_given(ruled, dial, publisher, access):
    broker = ruled(SECRETS)
    publisher(broker).publish("a/secret/2", b"kept", retain=True)
    wire = enter(dial, to=broker)
    wire.subscribe("a/#")
    wire.expect_nothing()
    access.rules(ALL)
    broker.reload()
    wire.expect_nothing()  # a right is not a subscription
    wire.subscribe("a/#")
    assert topics(wire) == ["a/secret/2"]


def test_nobody_retains_what_it_may_not_publish(ruled, dial, publisher, access):
    broker = ruled("deny user tank publish a\nallow any all #")
    assert not may_publish(enter(dial, to=broker), "a")
    wire = enter(dial, "c3", to=broker)
    wire.publish("a", b"x", 1, retain=True)
    wire.publish("a", b"", 1, retain=True)
    watcher = enter(dial, "c4", "watcher", to=broker)
    watcher.subscribe("a")
    watcher.expect_nothing()
    publisher(broker).publish("a", b"kept", 1, retain=True)
    watcher.expect_message("a", b"kept")
    wire.publish("a", b"", 1, retain=True)  # nor clears it
    watcher.subscribe("a")
    assert received(watcher) == [("a", b"kept")]


# Revoked while it lives ------------------------------------------------------------------------------------


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_revoked_right_ends_a_live_subscription(ruled, dial, publisher, access, qos):
    broker = ruled(ALL)
    wire, source = enter(dial, to=broker), publisher(broker)
    wire.subscribe("a/#", qos=qos)
    source.publish("a/secret/1", b"x", qos)
    assert topics(wire) == ["a/secret/1"]
    access.rules(SECRETS)
    broker.reload()
    source.publish("a/secret/2", b"x", qos)
    source.publish("a/3", b"x", qos)
    assert topics(wire) == ["a/3"]
    access.rules(NOTHING)
    broker.reload()
    source.publish("a/4", b"x", qos)
    assert topics(wire) == []
    assert not may_publish(wire, "a")
    access.rules(ALL)
    broker.reload()
    source.publish("a/secret/5", b"x", qos)
    assert topics(wire) == ["a/secret/5"]


def test_a_revoked_right_to_publish(ruled, dial, publisher, access):
    broker = ruled(ALL)
    wire, source = enter(dial, to=broker), publisher(broker)
    source.subscribe("#")
    assert may_publish(wire, "a")
    access.rules("deny user tank publish #\nallow any all #")
    broker.reload()
    assert not may_publish(wire, "a")
    assert received(source) == [("a", b"x")]


def test_a_topic_alias_does_not_outlive_the_right(ruled, dial, publisher, access):
    broker = ruled(ALL)
    wire, source = enter(dial, to=broker), publisher(broker)
    source.subscribe("a")
    alias = {"topic_alias": 1}
    wire.send(Publish("a", b"1", 1, id=1, properties=alias), Publish("", b"2", 1, id=2, properties=alias))
    wire.expect(Puback(1))
    wire.expect(Puback(2))
    access.rules("deny user tank publish a\nallow any all #")
    broker.reload()
    wire.send(Publish("", b"3", 1, id=3, properties=alias))
    wire.expect(Puback(3, NOT_AUTHORIZED))
    assert received(source) == [("a", b"1"), ("a", b"2")]


def test_what_waits_for_a_slow_client_is_looked_at_again(ruled, dial, publisher, access):
    broker = ruled(ALL)
    wire = enter(dial, to=broker, properties={"receive_maximum": 1})
    wire.subscribe("a/#", qos=1)
    source = publisher(broker)
    for name in ("a/1", "a/secret/2", "a/3"):
        source.publish(name, b"x", 1)
    first = wire.expect(Publish("a/1", b"x", 1))
    access.rules(SECRETS)
    broker.reload()
    wire.acknowledge(first)
    wire.expect_message("a/3", b"x", qos=1)
    wire.expect_nothing()


# Sessions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("version", [V311, V5], ids=["3.1.1", "5.0"])
def test_what_waited_for_a_session_is_looked_at_again(ruled, dial, publisher, access, qos, version):
    broker = ruled(ALL)
    kept = session() if version == V5 else {"clean": False}
    wire = enter(dial, to=broker, version=version, **kept)
    wire.subscribe("a/#", qos=qos)
    wire.disconnect()
    source = publisher(broker)
    for name in ("a/1", "a/secret/2", "a/3"):
        assert source.publish(name, b"x", qos) == 0
    access.rules(SECRETS)
    broker.reload()
    wire = enter(dial, to=broker, version=version, **kept)
    assert wire.connack.session_present
    assert topics(wire) == ["a/1", "a/3"]
    source.publish("a/secret/4", b"x", qos)
    source.publish("a/5", b"x", qos)
    assert topics(wire) == ["a/5"]


def test_what_comes_while_the_right_is_revoked_does_not_wait(ruled, dial, publisher, access):
    broker = ruled(SECRETS)
    wire = enter(dial, to=broker, **session())
    wire.subscribe("a/#", qos=1)
    wire.disconnect()
    source = publisher(broker)
    source.publish("a/secret/1", b"x", 1)
    source.publish("a/2", b"x", 1)
    assert topics(enter(dial, to=broker, **session())) == ["a/2"]


def test_a_resumed_session_has_the_rights_of_who_resumes_it(ruled, dial, publisher):
    """An anonymous session may be taken by anyone; what it subscribed to is then read with other rights."""
    broker = ruled("allow anonymous subscribe a/#\nallow user tank subscribe b/#\nallow user publisher all #")
    wire = enter(dial, "c1", None, to=broker, **session())
    wire.subscribe("a/#", qos=1)
    wire.disconnect()
    source = publisher(broker)
    source.publish("a/1", b"x", 1)
    wire = enter(dial, "c1", "tank", to=broker, **session())
    assert wire.connack.session_present
    source.publish("a/2", b"x", 1)
    assert topics(wire) == []


@pytest.mark.parametrize("qos", [1, 2])
def test_what_was_under_way_is_not_repeated(ruled, dial, publisher, access, qos):
    broker = ruled(ALL)
    fields = {"clean": False, "properties": {"session_expiry_interval": 60, "receive_maximum": 2}}
    wire = enter(dial, to=broker, **fields)
    wire.subscribe("a/#", qos=qos)
    source = publisher(broker)
    for name in ("a/secret/1", "a/2", "a/secret/3", "a/4"):
        source.publish(name, b"x", qos)
    for name in ("a/secret/1", "a/2"):
        wire.expect(Publish(name, b"x", qos))
    wire.close()
    access.rules(SECRETS)
    broker.reload()
    wire = enter(dial, to=broker, **fields)
    # Neither repeated nor in the way of the others: the window is two.
    wire.expect_message("a/2", b"x", qos=qos, dup=True)
    wire.expect_message("a/4", b"x", qos=qos)
    wire.expect_nothing()
    for number in range(5):
        source.publish(f"a/{number}", b"x", qos)
    assert topics(wire) == [f"a/{number}" for number in range(5)]


def test_what_was_received_is_released_all_the_same(ruled, dial, publisher, access):
    """After PUBREC the message is with the client; only the end of the exchange is left."""
    broker = ruled(ALL)
    wire = enter(dial, to=broker, **session())
    wire.subscribe("a/#", qos=2)
    publisher(broker).publish("a/secret/1", b"x", 2)
    number = wire.expect(Publish("a/secret/1", b"x", 2)).id
    wire.send(Pubrec(number or 0))
    wire.expect(Pubrel(number or 0))
    wire.close()
    access.rules(SECRETS)
    broker.reload()
    wire = enter(dial, to=broker, **session())
    wire.expect(Pubrel(number or 0))
    wire.send(b"\x70\x02" + (number or 0).to_bytes(2, "big"))
    wire.expect_nothing()


def test_a_publish_that_is_repeated_after_the_right_was_revoked(ruled, dial, publisher, access):
    broker = ruled(ALL)
    watcher = publisher(broker)
    watcher.subscribe("a/#")
    wire = enter(dial, to=broker, **session())
    wire.send(Publish("a/taken", b"x", 2, id=1))
    wire.expect(Pubrec(1))
    assert topics(watcher) == ["a/taken"]
    wire.close()
    access.rules("deny user tank publish #\nallow any all #")
    broker.reload()
    wire = enter(dial, to=broker, **session())
    # One that was taken is over when it is released, one that is new is refused. Nobody hears either.
    wire.send(Publish("a/taken", b"x", 2, id=1, dup=True))
    assert wire.read().code in (0, NOT_AUTHORIZED)  # type: ignore[attr-defined]
    wire.send(Publish("a/new", b"x", 2, id=2, dup=True))
    wire.expect(Pubrec(2, NOT_AUTHORIZED))
    wire.send(Pubrel(1))
    wire.read()
    assert topics(watcher) == []
    wire.ping()


# Shared subscriptions --------------------------------------------------------------------------------------


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_member_without_the_right_is_passed_over(ruled, dial, publisher, qos):
    broker = ruled(SECRETS)
    tank, other = enter(dial, "c1", to=broker), enter(dial, "c2", "other", to=broker)
    for wire in (tank, other):
        wire.subscribe("$share/group/a/#", qos=qos)
    source = publisher(broker)
    for name in ("a/secret", "a"):
        for number in range(6):
            source.publish(f"{name}/{number}", b"x", qos)
    mine, theirs = topics(tank), topics(other)
    assert not [name for name in mine if "secret" in name]
    assert sorted(mine + theirs) == sorted([f"a/secret/{n}" for n in range(6)] + [f"a/{n}" for n in range(6)])
    assert mine


def test_a_group_without_anyone_who_has_the_right(ruled, dial, publisher):
    broker = ruled(SECRETS)
    wire = enter(dial, "c1", to=broker)
    wire.subscribe("$share/group/a/#", qos=1)
    source = publisher(broker)
    assert source.publish("a/secret/1", b"x", 1) in (0, 0x10)
    source.publish("a/2", b"x", 1)
    assert topics(wire) == ["a/2"]


def test_a_right_revoked_within_a_group(ruled, dial, publisher, access):
    broker = ruled(ALL)
    tank, other = enter(dial, "c1", to=broker), enter(dial, "c2", "other", to=broker)
    for wire in (tank, other):
        wire.subscribe("$share/group/a/#", qos=1)
    access.rules(NOTHING)
    broker.reload()
    source = publisher(broker)
    for number in range(6):
        source.publish(f"a/{number}", b"x", 1)
    assert topics(tank) == []
    assert topics(other) == [f"a/{number}" for number in range(6)]


# Wills -----------------------------------------------------------------------------------------------------


def test_a_will_is_looked_at_when_its_client_connects(ruled, dial, version):
    broker = ruled("allow any all open/#\nallow user watcher subscribe #")
    watcher = enter(dial, "w", "watcher", to=broker)
    watcher.subscribe("#")
    wire = dial(version, to=broker)
    wire.send(Connect("c1", username="tank", will=Will("secret/1", b"x")))
    wire.expect_closed(Connack(0x87 if version == V5 else 5))
    assert topics(watcher) == []
    wire = enter(dial, to=broker, version=version, will=Will("open/1", b"x"))
    wire.close()
    watcher.expect_message("open/1", b"x")


@pytest.mark.parametrize("delay", [0, 1], ids=["at once", "delayed"])
@pytest.mark.parametrize("retain", [False, True], ids=["", "retained"])
def test_a_will_is_looked_at_again_when_it_is_published(ruled, dial, publisher, access, delay, retain):
    broker = ruled(ALL)
    watcher = publisher(broker)
    watcher.subscribe("a/#")
    for client in ("revoked", "allowed"):
        will = Will(f"a/{client}", b"x", 1, retain, properties={"will_delay_interval": delay})
        wire = enter(dial, client, "tank", to=broker, will=will, **session())
        if delay:
            wire.close()
            eventually(lambda: broker.statistics["clients_connected"] == 1)
        if client == "revoked":
            first = wire
    access.rules("deny user tank publish a/revoked\nallow any all #")
    broker.reload()
    first.close()
    wire.close()
    eventually(lambda: ("a/allowed", b"x") in received(watcher))
    time.sleep(0.2 * delay)
    assert topics(watcher) == []
    watcher.subscribe("a/#")
    assert topics(watcher) == (["a/allowed"] if retain else [])


def test_a_will_comes_only_to_who_may_receive_it(ruled, dial, publisher):
    broker = ruled(SECRETS)
    wire = enter(dial, to=broker)
    wire.subscribe("a/#")
    source = publisher(broker)
    source.subscribe("a/#")
    leaver = enter(dial, "leaver", "leaver", to=broker, will=Will("a/secret/gone", b"x"))
    leaver.close()
    source.expect_message("a/secret/gone", b"x")
    wire.expect_nothing()


# Who may receive but not subscribe any more has no subscription any more.
def test_a_revoked_right_to_subscribe_ends_a_live_subscription(ruled, dial, publisher, access):
    both = "allow any subscribe-only a/#\nallow any receive #\nallow any publish #\n"
    broker = ruled(both)
    wire, source = enter(dial, to=broker), publisher(broker)
    wire.subscribe("a/#", qos=1)
    source.publish("a/1", b"x", 1)
    assert topics(wire) == ["a/1"]
    access.rules("allow any receive #\nallow any publish #\n")
    broker.reload()
    source.publish("a/2", b"x", 1)
    assert topics(wire) == []
    wire.send(Subscribe(9, [subscription("a/#")]))
    wire.expect(Suback(9, [0x87]))
