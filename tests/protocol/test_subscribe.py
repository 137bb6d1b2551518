"""SUBSCRIBE and UNSUBSCRIBE: matching, options, identifiers, replies."""

from __future__ import annotations

import pytest

from .packets import (
    V5,
    V31,
    V311,
    Puback,
    Publish,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
)
from .wire import subscription

# Topic filter -> which of TOPICS it matches. R stands for the test's own first level.
TOPICS = ("R", "R/", "R/a", "R/a/", "R/a/b", "R/a/b/c", "R//b", "/R", "//R", "R/A", "R/a b", "R/\u00e9", "Rx")
FILTERS = {
    "R": {"R"},
    "R/": {"R/"},
    "R/a": {"R/a"},
    "R/a b": {"R/a b"},
    "R/\u00e9": {"R/\u00e9"},
    "R/e\u0301": set(),
    "R/#": {"R", "R/", "R/a", "R/a/", "R/a/b", "R/a/b/c", "R//b", "R/A", "R/a b", "R/\u00e9"},
    "R/+": {"R/", "R/a", "R/A", "R/a b", "R/\u00e9"},
    "R/+/+": {"R/a/", "R/a/b", "R//b"},
    "R/+/b": {"R/a/b", "R//b"},
    "R/+/#": {"R/", "R/a", "R/a/", "R/a/b", "R/a/b/c", "R//b", "R/A", "R/a b", "R/\u00e9"},
    "R/a/#": {"R/a", "R/a/", "R/a/b", "R/a/b/c"},
    "R/a/+": {"R/a/", "R/a/b"},
    "R/a/b/#": {"R/a/b", "R/a/b/c"},
    "R//#": {"R/", "R//b"},
    "/+": {"/R"},
    "/R": {"/R"},
    "+/R": {"/R"},
    "+/+": {"R/", "R/a", "/R", "R/A", "R/a b", "R/\u00e9"},
    "+": {"R", "Rx"},
    "+/a/b": {"R/a/b"},
    "+/a/#": {"R/a", "R/a/", "R/a/b", "R/a/b/c"},
    "/#": {"/R", "//R"},
    "//+": {"//R"},
    "+/+/R": {"//R"},
    "#": set(TOPICS),
}


@pytest.mark.mqtt5("3.3.2-3", "4.5.0-1", "4.7.1-1", "4.7.1-2", "4.7.3-4")
@pytest.mark.mqtt311("3.3.2-3", "3.8.3-2", "4.5.0-1", "4.7.1-2", "4.7.1-3", "4.7.3-4")
@pytest.mark.parametrize("topic_filter", FILTERS)
def test_matching(connect, root, version, topic_filter):
    subscriber, publisher = connect(version=version), connect(version=version)
    # Nothing that is retained below other topics is of interest here.
    handling = 2 if version == V5 else 0
    subscriber.subscribe(subscription(topic_filter.replace("R", root), retain_handling=handling))
    for topic in TOPICS:
        publisher.publish(topic.replace("R", root), topic.encode())
    found = [message.payload.decode() for message in subscriber.drain() if root in message.topic]
    assert set(found) == FILTERS[topic_filter]
    assert len(found) == len(set(found))


@pytest.mark.mqtt5("4.7.2-1")
@pytest.mark.mqtt311("4.7.2-1")
@pytest.mark.parametrize("version", [V31, V311, V5])
def test_leading_wildcards_do_not_match_dollar_topics(connect, root, version):
    leading, literal, publisher = connect(version=version), connect(version=version), connect()
    leading.subscribe("#", "+", "+/x", "+/#", f"+/x/{root}")
    literal.subscribe(f"${root}/#", f"${root}/+")
    publisher.publish(f"${root}/x", b"x")
    publisher.publish(f"${root}", b"y")
    publisher.publish(f"{root}/$x", b"z")
    assert {m.topic for m in leading.drain() if root in m.topic} == {f"{root}/$x"}
    assert {m.topic for m in literal.drain()} == {f"${root}/x", f"${root}"}


INVALID = ["", "a#", "#a", "a/#/b", "#/", "#/a", "a+", "+a", "a/b+/c", "a/+b", "++", "##", "+#", "a/##"]


# The choice: an invalid filter costs its subscription (0x8F, or 0x80 in 3.1.1), not the connection.
@pytest.mark.mqtt5("3.8.4-6", "3.8.4-7", "3.9.3-1", "3.9.3-2", "4.7.1-1", "4.7.1-2", "4.7.3-1")
@pytest.mark.mqtt311("3.8.4-5", "3.9.3-1", "3.9.3-2", "4.7.1-2", "4.7.1-3", "4.7.3-1")
@pytest.mark.choice
@pytest.mark.parametrize("topic_filter", INVALID)
@pytest.mark.parametrize("version", [V311, V5], ids=["3.1.1", "5.0"])
def test_invalid_filters(connect, root, version, topic_filter):
    wire = connect(version=version)
    pairs = [subscription(f"{root}/1", 1), subscription(topic_filter, 1), subscription(f"{root}/2", 2)]
    wire.send(Subscribe(9, pairs))
    wire.expect(Suback(9, [1, 0x8F if version == V5 else 0x80, 2]))
    for name in ("1", "2"):
        connect().publish(f"{root}/{name}", b"x", 1)
        wire.expect_message(f"{root}/{name}", b"x", qos=1)


@pytest.mark.mqtt5("2.2.1-6", "3.8.4-1", "3.8.4-2", "3.8.4-5", "3.8.4-6", "3.8.4-7", "3.9.3-1", "3.9.3-2")
@pytest.mark.mqtt311("2.3.1-7", "3.8.4-1", "3.8.4-2", "3.8.4-4", "3.8.4-5", "3.9.3-1", "3.9.3-2")
@pytest.mark.parametrize("number", [1, 0x0100, 0xFFFF])
def test_the_suback_answers_each_filter_in_order(connect, root, version, number):
    wire = connect(version=version)
    asked = [number % 3 for number in range(50)]
    wire.send(Subscribe(number, [subscription(f"{root}/{place}", qos) for place, qos in enumerate(asked)]))
    wire.expect(Suback(number, asked))


# A filter twice in a packet is two subscriptions, of which the last counts.
@pytest.mark.mqtt5("3.8.4-3", "3.8.4-5")
@pytest.mark.mqtt311("3.8.4-3", "3.8.4-4")
def test_the_same_filter_twice_in_a_packet(connect, root, version):
    wire = connect(version=version)
    wire.subscribe((root, 0), (root, 2))
    connect().publish(root, b"x", 2)
    wire.expect_message(root, b"x", qos=2)
    wire.expect_nothing()


@pytest.mark.mqtt5("3.8.4-3")
@pytest.mark.mqtt311("3.8.4-3")
def test_a_subscription_is_replaced(connect, root, version):
    wire, publisher = connect(version=version), connect()
    for qos in (0, 2, 1, 0):
        wire.subscribe(root, qos=qos)
        publisher.publish(root, b"x", 2)
        wire.expect_message(root, b"x", qos=qos)
        wire.expect_nothing()
    wire.unsubscribe(root)
    publisher.publish(root, b"x", 2)
    wire.expect_nothing()


# Replacing a subscription while messages arrive loses none of them.
@pytest.mark.mqtt5("3.8.4-4")
@pytest.mark.mqtt311("3.8.4-3")
def test_replacing_a_subscription_loses_nothing(connect, root, version):
    wire, publisher = connect(version=version), connect(version=version)
    wire.subscribe(root, qos=1)
    payloads = [b"%d" % number for number in range(400)]
    for start in range(0, 400, 20):
        publisher.send(*(Publish(root, payloads[n], 1, id=n + 1) for n in range(start, start + 20)))
        wire.send(Subscribe(start + 1, [subscription(root, 2 - start // 20 % 2)]))
    for number in range(400):
        assert publisher.read().id == number + 1  # type: ignore[attr-defined]
    got, replies = [], []
    while len(got) < 400 or len(replies) < 20:
        packet = wire.read()
        if isinstance(packet, Publish):
            got.append(packet.payload)
            wire.send(Puback(packet.id or 0))
        else:
            replies.append(packet)
    assert got == payloads
    assert replies == [Suback(start + 1, [2 - start // 20 % 2]) for start in range(0, 400, 20)]
    wire.expect_nothing()


# Filters are the same only if every character is.
@pytest.mark.mqtt5("3.8.4-3")
@pytest.mark.choice
def test_filters_are_compared_exactly(connect, root):
    wire = connect()
    for place, name in enumerate((f"{root}/+", f"{root}/a", f"{root}/A", f"{root}/#"), 1):
        wire.subscribe(name, subscription_identifier=place)
    connect().publish(f"{root}/a", b"x")
    wire.expect_message(f"{root}/a", b"x", properties={"subscription_identifier": [1, 2, 4]})


# The choice: one copy, at the highest granted quality.
@pytest.mark.mqtt5("3.3.4-2")
@pytest.mark.mqtt311("3.3.5-1")
@pytest.mark.choice
def test_overlapping_subscriptions_bring_one_copy(connect, root, version):
    wire, publisher = connect(version=version), connect()
    wire.subscribe((f"{root}/#", 0), (f"{root}/a", 2), (f"{root}/+", 1))
    for qos in (0, 1, 2):
        publisher.publish(f"{root}/a", b"x", qos)
        wire.expect_message(f"{root}/a", b"x", qos=qos)
    wire.expect_nothing()


@pytest.mark.mqtt5("3.3.4-3", "3.3.4-4")
@pytest.mark.choice
def test_overlapping_subscriptions_bring_all_identifiers(connect, root):
    wire, publisher = connect(), connect()
    wire.subscribe(f"{root}/#", subscription_identifier=1)
    wire.subscribe((f"{root}/a", 2), subscription_identifier=268_435_455)
    wire.subscribe((f"{root}/+", 1))
    wire.subscribe(f"{root}/b", subscription_identifier=3)
    publisher.publish(f"{root}/a", b"x", 2)
    wire.expect_message(f"{root}/a", b"x", qos=2, properties={"subscription_identifier": [1, 268_435_455]})
    wire.expect_nothing()


# The identifier belongs to every subscription of its packet, and goes with a replacement.
@pytest.mark.mqtt5("3.3.4-3")
def test_subscription_identifiers(connect, root):
    wire, publisher = connect(), connect()
    wire.subscribe(f"{root}/a", f"{root}/b", subscription_identifier=128)
    wire.subscribe(f"{root}/c")
    for name, expected in (
        ("a", {"subscription_identifier": [128]}),
        ("b", {"subscription_identifier": [128]}),
        ("c", {}),
    ):
        publisher.publish(f"{root}/{name}", b"x")
        wire.expect_message(f"{root}/{name}", b"x", properties=expected)
    wire.subscribe(f"{root}/a", subscription_identifier=2)
    wire.subscribe(f"{root}/b")
    for name, expected in (("a", {"subscription_identifier": [2]}), ("b", {})):
        publisher.publish(f"{root}/{name}", b"x")
        wire.expect_message(f"{root}/{name}", b"x", properties=expected)


# Two subscriptions with the same identifier: it comes twice, once for each (section 3.3.4).
@pytest.mark.mqtt5("3.3.4-4")
@pytest.mark.choice
def test_the_same_identifier_twice(connect, root):
    wire = connect()
    wire.subscribe(f"{root}/#", f"{root}/a", subscription_identifier=5)
    connect().publish(f"{root}/a", b"x")
    message = wire.expect(Publish(f"{root}/a", b"x", properties={"subscription_identifier": [5, 5]}))
    assert message.qos == 0


@pytest.mark.mqtt5("3.3.4-3")
def test_subscription_identifiers_of_retained_and_queued_messages(connect, root):
    session = {"clean": False, "properties": {"session_expiry_interval": 60}}
    publisher, wire = connect(), connect("a", **session)
    publisher.publish(root, b"kept", 1, retain=True)
    wire.subscribe(root, qos=1, subscription_identifier=11)
    wire.expect_message(root, b"kept", qos=1, retain=True, properties={"subscription_identifier": [11]})
    wire.disconnect()
    publisher.publish(root, b"queued", 1)
    wire = connect("a", **session)
    wire.expect_message(root, b"queued", qos=1, properties={"subscription_identifier": [11]})


@pytest.mark.mqtt5("3.8.3-3")
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_no_local(connect, root, qos):
    wire, other = connect(), connect()
    wire.subscribe(subscription(f"{root}/#", 2, no_local=True))
    assert wire.publish(f"{root}/a", b"own", qos) in (0, 0x10)
    wire.expect_nothing()
    other.publish(f"{root}/a", b"other", qos)
    wire.expect_message(f"{root}/a", b"other", qos=qos)


# An ordinary subscription beside it still brings the client's own messages.
@pytest.mark.mqtt5("3.8.3-3")
def test_no_local_beside_an_ordinary_subscription(connect, root):
    wire = connect()
    wire.subscribe(subscription(f"{root}/#", no_local=True), subscription_identifier=1)
    wire.subscribe(f"{root}/a", subscription_identifier=2)
    wire.send(Publish(f"{root}/a", b"own"))
    wire.expect_message(f"{root}/a", b"own", properties={"subscription_identifier": [2]})
    wire.expect_nothing()


# It is the client identifier that counts.
@pytest.mark.mqtt5("3.8.3-3")
def test_no_local_compares_client_identifiers(connect, root):
    wire = connect("a")
    wire.subscribe(subscription(root, no_local=True))
    connect("b").publish(root, b"x")
    wire.expect_message(root, b"x")


@pytest.mark.mqtt5("3.3.1-12", "3.3.1-13")
@pytest.mark.parametrize("retain", [True, False])
def test_retain_as_published(connect, root, retain):
    cleared, kept, publisher = connect(), connect(), connect()
    cleared.subscribe(subscription(root, retain_as_published=False))
    kept.subscribe(subscription(root, retain_as_published=True))
    publisher.publish(root, b"x", retain=retain)
    cleared.expect_message(root, b"x", retain=False)
    kept.expect_message(root, b"x", retain=retain)


# On a first subscription, then on the same one again.
@pytest.mark.mqtt5("3.3.1-9", "3.3.1-10", "3.3.1-11")
@pytest.mark.parametrize(
    ("handling", "first", "again"), [(0, True, True), (1, True, False), (2, False, False)]
)
def test_retain_handling(connect, root, handling, first, again):
    wire = connect()
    connect().publish(f"{root}/a", b"kept", retain=True)
    for expected in (first, again):
        wire.subscribe(subscription(f"{root}/+", retain_handling=handling))
        if expected:
            wire.expect_message(f"{root}/a", b"kept", retain=True)
        wire.expect_nothing()
    wire.unsubscribe(f"{root}/+")
    wire.subscribe(subscription(f"{root}/+", retain_handling=handling))
    if first:
        wire.expect_message(f"{root}/a", b"kept", retain=True)
    wire.expect_nothing()


# A subscription of a resumed session exists.
@pytest.mark.mqtt5("3.3.1-9", "3.3.1-10")
def test_retain_handling_in_a_resumed_session(connect, root):
    session = {"clean": False, "properties": {"session_expiry_interval": 60}}
    wire = connect("a", **session)
    wire.subscribe(root)
    wire.disconnect()
    connect().publish(root, b"kept", retain=True)
    wire = connect("a", **session)
    wire.subscribe(subscription(root, retain_handling=1))
    wire.expect_nothing()
    wire.subscribe(subscription(root, retain_handling=0))
    wire.expect_message(root, b"kept", retain=True)


@pytest.mark.mqtt5("2.2.1-6", "3.10.4-1", "3.10.4-4", "3.10.4-5", "3.10.4-6", "3.11.3-1", "3.11.3-2")
def test_the_unsuback_answers_each_filter_in_order(connect, root):
    wire = connect()
    wire.subscribe(f"{root}/a", f"{root}/+", f"{root}/#")
    names = [f"{root}/a", f"{root}/none", f"{root}/+", f"{root}/a", f"{root}/A", f"{root}/#"]
    wire.send(Unsubscribe(0xFFFF, names))
    wire.expect(Unsuback(0xFFFF, [0x00, 0x11, 0x00, 0x11, 0x11, 0x00]))


@pytest.mark.mqtt311("2.3.1-7", "3.10.4-4", "3.10.4-5", "3.10.4-6")
@pytest.mark.parametrize("version", [V31, V311])
def test_the_unsuback_of_old_versions_has_no_codes(connect, root, version):
    wire = connect(version=version)
    wire.subscribe(f"{root}/a")
    wire.send(Unsubscribe(5, [f"{root}/a", f"{root}/none"]), Unsubscribe(6, [f"{root}/none"]))
    wire.expect(Unsuback(5))
    wire.expect(Unsuback(6))


# The very filter, not what it matches.
@pytest.mark.mqtt5("3.10.4-1", "3.10.4-2", "3.10.4-4", "3.10.4-5")
@pytest.mark.mqtt311("3.10.4-1", "3.10.4-2", "3.10.4-4", "3.10.4-5")
def test_unsubscribing(connect, root, version):
    wire, publisher = connect(version=version), connect()
    wire.subscribe(f"{root}/+", f"{root}/b/c")
    for name in (f"{root}/a", f"{root}/#", f"{root}/b/+"):
        wire.send(Unsubscribe(9, [name]))
        wire.expect(Unsuback(9, [0x11] if version == V5 else []))
    for name in ("a", "b/c"):
        publisher.publish(f"{root}/{name}", b"x")
        wire.expect_message(f"{root}/{name}", b"x")
    wire.unsubscribe(f"{root}/+")
    publisher.publish(f"{root}/a", b"x")
    publisher.publish(f"{root}/b/c", b"y")
    wire.expect_message(f"{root}/b/c", b"y")
    wire.expect_nothing()


# What is on its way is brought to its end.
@pytest.mark.mqtt5("3.10.4-3")
@pytest.mark.mqtt311("3.10.4-3")
def test_unsubscribing_completes_deliveries(connect, root, version):
    session = {
        "clean": False,
        "version": version,
        "properties": {"session_expiry_interval": 60} if version == V5 else {},
    }
    wire, publisher = connect("a", **session), connect()
    wire.subscribe(root, qos=2)
    publisher.publish(root, b"1", 1)
    publisher.publish(root, b"2", 2)
    first = wire.expect(Publish(root, b"1", 1))
    wire.expect(Publish(root, b"2", 2))
    wire.unsubscribe(root)
    wire.close()
    wire = connect("a", **session)
    again = wire.expect(Publish(root, b"1", 1, dup=True))
    assert again.id == first.id
    wire.acknowledge(again)
    wire.expect_message(root, b"2", qos=2, dup=True)
    wire.expect_nothing()


# Each of several clients gets its copy, at its own quality.
@pytest.mark.mqtt5("3.8.4-8", "4.5.0-1")
@pytest.mark.mqtt311("3.8.4-6", "4.5.0-1")
def test_every_subscriber_receives(connect, root):
    wires = [(connect(version=version), qos) for version in (V31, V311, V5) for qos in (0, 1, 2)]
    for wire, qos in wires:
        wire.subscribe(root, qos=qos)
    connect().publish(root, b"x", 2)
    for wire, qos in wires:
        wire.expect_message(root, b"x", qos=qos)


# A subscription holds for one session only.
def test_other_clients_subscriptions_are_not_touched(connect, root):
    one, two = connect(), connect()
    one.subscribe(root)
    two.subscribe(root)
    one.unsubscribe(root)
    two.send(Unsubscribe(7, [f"{root}/x"]))
    two.expect(Unsuback(7, [0x11]))
    connect().publish(root, b"x")
    two.expect_message(root, b"x")
    one.expect_nothing()


# The choice: a filter of the largest length that the wire can carry.
@pytest.mark.mqtt5("4.7.3-3")
@pytest.mark.mqtt311("4.7.3-3")
@pytest.mark.choice
def test_a_long_filter(connect, root, version):
    wire = connect(version=version)
    name = root + "x" * (65_535 - len(root))
    wire.subscribe(name)
    connect(version=version).publish(name, b"x")
    wire.expect_message(name, b"x")


# The choice: too many subscriptions are refused one by one, the ones before stay.
@pytest.mark.settings
@pytest.mark.parametrize("version", [V311, V5], ids=["3.1.1", "5.0"])
def test_too_many_subscriptions(broker_factory, connect, root, version):
    broker = broker_factory({"limits.max_subscriptions": 3})
    wire = connect(to=broker, version=version)
    wire.send(Subscribe(1, [subscription(f"{root}/{number}") for number in range(5)]))
    refused = 0x97 if version == V5 else 0x80
    wire.expect(Suback(1, [0, 0, 0, refused, refused]))
    wire.subscribe(f"{root}/0")  # replacing needs no place
    wire.unsubscribe(f"{root}/0")
    wire.subscribe(f"{root}/4")
    connect(to=broker).publish(f"{root}/4", b"x")
    wire.expect_message(f"{root}/4", b"x")


# The choice: topics and filters with too many levels are refused by name, the connection stays.
@pytest.mark.settings
def test_too_many_levels(broker_factory, connect, root):
    broker = broker_factory({"limits.max_topic_levels": 4})
    wire = connect(to=broker)
    wire.send(Subscribe(1, [subscription(f"{root}/2/3/4"), subscription(f"{root}/2/3/4/5")]))
    wire.expect(Suback(1, [0, 0x8F]))
    assert wire.publish(f"{root}/2/3/4/5", b"x", 1) == 0x90
    connect(to=broker).publish(f"{root}/2/3/4", b"x", 1)
    wire.expect_message(f"{root}/2/3/4", b"x")
