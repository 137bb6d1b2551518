"""What rules say: conditions, actions, filters, their order, and names put in for %c and %u."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from ..api.helpers import eventually
from ..protocol.packets import (
    V5,
    V31,
    V311,
    Connect,
    Puback,
    Publish,
    Pubrec,
    Suback,
    Subscribe,
    subscription,
)
from .deciding import enter, may_publish, may_subscribe, topics

PUBLISH, SUBSCRIBE, RECEIVE = "publish", "subscribe", "receive"


class Who(NamedTuple):
    """A client."""

    user: str | None = "tank"
    client: str = "c1"


TANK = Who()

# Name of the case: the rules, and who may do what.
CASES: dict[str, tuple[str, list[tuple[Who, str, str, bool]]]] = {
    "what no rule matches is denied": (
        "allow any publish a",
        [
            (TANK, PUBLISH, "a", True),
            (TANK, PUBLISH, "b", False),
            (TANK, PUBLISH, "a/b", False),
            (TANK, SUBSCRIBE, "a", False),
        ],
    ),
    "without a rule nothing is allowed": (
        "\n# nothing but a comment\n\n",
        [(TANK, PUBLISH, "a", False), (TANK, SUBSCRIBE, "a", False)],
    ),
    "the first rule that matches decides": (
        """
        allow any publish a/b
        deny any publish a/#
        allow any publish a/c
        allow any publish #
        """,
        [
            (TANK, PUBLISH, "a/b", True),
            (TANK, PUBLISH, "a/c", False),
            (TANK, PUBLISH, "a", False),
            (TANK, PUBLISH, "b", True),
        ],
    ),
    "a rule without a condition is for everyone": (
        "allow publish a\nallow any publish b",
        [
            (TANK, PUBLISH, "a", True),
            (TANK, PUBLISH, "b", True),
            (Who(None), PUBLISH, "a", True),
            (Who(None), PUBLISH, "b", True),
        ],
    ),
    "spaces, tabs and comments": (
        "# first\n\n  allow\tuser  tank \t publish   a\n   # second\nallow any publish b\n",
        [(TANK, PUBLISH, "a", True), (TANK, PUBLISH, "b", True), (TANK, PUBLISH, "second", False)],
    ),
    "lines end as Windows ends them": (
        "allow any publish a\r\nallow any publish b\r\n",
        [(TANK, PUBLISH, "a", True), (TANK, PUBLISH, "b", True)],
    ),
    "a filter is the rest of the line": (
        "allow any publish tank seven/level one",
        [(TANK, PUBLISH, "tank seven/level one", True), (TANK, PUBLISH, "tank", False)],
    ),
    # Conditions
    "a user name": (
        "allow user tank publish a",
        [
            (TANK, PUBLISH, "a", True),
            (Who("pump"), PUBLISH, "a", False),
            (Who("Tank"), PUBLISH, "a", False),
            (Who("tank7"), PUBLISH, "a", False),
            (Who(None, "tank"), PUBLISH, "a", False),
        ],
    ),
    "any user name": (
        "allow user * publish a",
        [
            (TANK, PUBLISH, "a", True),
            (Who("*"), PUBLISH, "a", True),
            (Who(None), PUBLISH, "a", False),
        ],
    ),
    "no user name": (
        "allow anonymous publish a",
        [
            (Who(None), PUBLISH, "a", True),
            (TANK, PUBLISH, "a", False),
            (Who("anonymous"), PUBLISH, "a", False),
            (Who(""), PUBLISH, "a", False),
        ],
    ),
    "a client identifier": (
        "allow client c1 publish a",
        [
            (TANK, PUBLISH, "a", True),
            (Who(None, "c1"), PUBLISH, "a", True),
            (Who("tank", "c2"), PUBLISH, "a", False),
            (Who("c1", "c2"), PUBLISH, "a", False),
        ],
    ),
    "names with spaces stand in quotes": (
        'allow user "tank seven" client "sensor 7" publish a',
        [
            (Who("tank seven", "sensor 7"), PUBLISH, "a", True),
            (Who("tank", "sensor 7"), PUBLISH, "a", False),
            (Who("tank seven", "sensor"), PUBLISH, "a", False),
        ],
    ),
    "names in other scripts": (
        "allow user 水位 client été publish タンク/%u",
        [
            (Who("水位", "été"), PUBLISH, "タンク/水位", True),
            (Who("水位", "ete"), PUBLISH, "タンク/水位", False),
        ],
    ),
    "an address": (
        """
        allow address 127.0.0.1 publish exact
        allow address 127.0.0.0/8 publish network
        allow address 127.0.0.2 publish other
        allow address 10.0.0.0/8 publish elsewhere
        allow address ::1 publish six
        allow address 0.0.0.0/0 publish everywhere
        """,
        [
            (TANK, PUBLISH, "exact", True),
            (TANK, PUBLISH, "network", True),
            (TANK, PUBLISH, "other", False),
            (TANK, PUBLISH, "elsewhere", False),
            (TANK, PUBLISH, "six", False),
            (TANK, PUBLISH, "everywhere", True),
        ],
    ),
    "all conditions have to hold": (
        "allow user tank client c1 address 127.0.0.0/8 publish a\nallow anonymous client c1 publish b",
        [
            (TANK, PUBLISH, "a", True),
            (Who("tank", "c2"), PUBLISH, "a", False),
            (Who("pump", "c1"), PUBLISH, "a", False),
            (Who(None, "c1"), PUBLISH, "b", True),
            (Who(None, "c2"), PUBLISH, "b", False),
            (TANK, PUBLISH, "b", False),
        ],
    ),
    # Actions
    "publish is not subscribe": (
        "allow any publish a\nallow any subscribe b",
        [
            (TANK, PUBLISH, "a", True),
            (TANK, SUBSCRIBE, "a", False),
            (TANK, PUBLISH, "b", False),
            (TANK, SUBSCRIBE, "b", True),
            (TANK, RECEIVE, "b", True),
        ],
    ),
    "all": (
        "allow any all a",
        [
            (TANK, PUBLISH, "a", True),
            (TANK, SUBSCRIBE, "a", True),
            (TANK, RECEIVE, "a", True),
            (TANK, PUBLISH, "b", False),
            (TANK, SUBSCRIBE, "b", False),
        ],
    ),
    "several actions": (
        "allow any publish,subscribe a\ndeny any receive,publish b\nallow any all #",
        [
            (TANK, PUBLISH, "a", True),
            (TANK, SUBSCRIBE, "a", True),
            (TANK, RECEIVE, "a", True),
            (TANK, PUBLISH, "b", False),
            (TANK, SUBSCRIBE, "b", True),
            (TANK, RECEIVE, "b", False),
        ],
    ),
    "subscribe-only makes the subscription and brings nothing": (
        "allow any subscribe-only #\nallow any receive a/#",
        [
            (TANK, SUBSCRIBE, "#", True),
            (TANK, SUBSCRIBE, "b", True),
            (TANK, RECEIVE, "b", False),
            (TANK, RECEIVE, "a/1", True),
            (TANK, PUBLISH, "a/1", False),
        ],
    ),
    "receive alone makes no subscription": (
        "allow any receive a",
        [(TANK, SUBSCRIBE, "a", False)],
    ),
    "what may not be subscribed may be received": (
        "deny any subscribe-only a\nallow any subscribe #",
        [(TANK, SUBSCRIBE, "a", False), (TANK, SUBSCRIBE, "#", True), (TANK, RECEIVE, "a", True)],
    ),
    "deny all": (
        "deny user pump all #\nallow any all #",
        [
            (Who("pump"), PUBLISH, "a", False),
            (Who("pump"), SUBSCRIBE, "a", False),
            (TANK, PUBLISH, "a", True),
        ],
    ),
    # Filters
    "wildcards match topics as they do in subscriptions": (
        "allow any publish a/+/c\nallow any publish b/#\nallow any publish +",
        [
            (TANK, PUBLISH, "a/b/c", True),
            (TANK, PUBLISH, "a//c", True),
            (TANK, PUBLISH, "a/b", False),
            (TANK, PUBLISH, "a/b/c/d", False),
            (TANK, PUBLISH, "b", True),
            (TANK, PUBLISH, "b/1/2", True),
            (TANK, PUBLISH, "x", True),
            (TANK, PUBLISH, "/x", False),
        ],
    ),
    "a subscription must be covered whole": (
        "allow any subscribe a/b\nallow any subscribe a/+/c\nallow any subscribe d/#",
        [
            (TANK, SUBSCRIBE, "a/b", True),
            (TANK, SUBSCRIBE, "a/+", False),
            (TANK, SUBSCRIBE, "a/#", False),
            (TANK, SUBSCRIBE, "#", False),
            (TANK, SUBSCRIBE, "a/x/c", True),
            (TANK, SUBSCRIBE, "a/+/c", True),
            (TANK, SUBSCRIBE, "a/+/+", False),
            (TANK, SUBSCRIBE, "+/x/c", False),
            (TANK, SUBSCRIBE, "a/+/#", False),
            (TANK, SUBSCRIBE, "d", True),
            (TANK, SUBSCRIBE, "d/#", True),
            (TANK, SUBSCRIBE, "d/+/x/#", True),
            (TANK, SUBSCRIBE, "+/#", False),
        ],
    ),
    "one level is not all levels": (
        "allow any subscribe +\nallow any subscribe a/+/#",
        [
            (TANK, SUBSCRIBE, "+", True),
            (TANK, SUBSCRIBE, "x", True),
            (TANK, SUBSCRIBE, "#", False),
            (TANK, SUBSCRIBE, "x/y", False),
            (TANK, SUBSCRIBE, "a/+", True),
            (TANK, SUBSCRIBE, "a/+/#", True),
            (TANK, SUBSCRIBE, "a/#", False),  # it would bring `a` as well
        ],
    ),
    "a deny inside an allow": (
        "deny any subscribe a/secret/#\nallow any subscribe a/#",
        [
            (TANK, SUBSCRIBE, "a/#", True),
            (TANK, SUBSCRIBE, "a/+/x", True),
            (TANK, SUBSCRIBE, "a/secret", False),
            (TANK, SUBSCRIBE, "a/secret/#", False),
            (TANK, SUBSCRIBE, "a/secret/x", False),
            (TANK, SUBSCRIBE, "a/open", True),
            (TANK, RECEIVE, "a/secret/x", False),
            (TANK, RECEIVE, "a/secret", False),
            (TANK, RECEIVE, "a/secrets", True),
        ],
    ),
    "an allow before the deny that covers it": (
        "allow any subscribe a/secret/mine\ndeny any subscribe a/secret/#\nallow any subscribe a/#",
        [
            (TANK, SUBSCRIBE, "a/secret/mine", True),
            (TANK, SUBSCRIBE, "a/secret/#", False),
            (TANK, SUBSCRIBE, "a/#", True),
            (TANK, RECEIVE, "a/secret/mine", True),
            (TANK, RECEIVE, "a/secret/yours", False),
        ],
    ),
    "a shared subscription is asked about as what it reads": (
        "allow any subscribe a/#",
        [
            (TANK, SUBSCRIBE, "$share/g/a/#", True),
            (TANK, SUBSCRIBE, "$share/g/b", False),
            (TANK, SUBSCRIBE, "$share/a/b", False),
        ],
    ),
    # $ topics
    "wildcards do not reach topics with $": (
        "allow any all #\nallow any all +/#",
        [
            (TANK, SUBSCRIBE, "#", True),
            (TANK, SUBSCRIBE, "$SYS/#", False),
            (TANK, SUBSCRIBE, "$SYS/broker/version", False),
            (TANK, PUBLISH, "$own/x", False),
            (TANK, SUBSCRIBE, "$own/x", False),
        ],
    ),
    "a rule that names them does": (
        "allow any subscribe $SYS/#\nallow any all $own/+",
        [
            (TANK, SUBSCRIBE, "$SYS/#", True),
            (TANK, SUBSCRIBE, "$SYS/broker/+", True),
            (TANK, PUBLISH, "$own/x", True),
            (TANK, RECEIVE, "$own/x", True),
            (TANK, SUBSCRIBE, "#", False),
        ],
    ),
    "wildcards in a deny do": (
        "deny any all #\nallow any all $own/#",
        [(TANK, PUBLISH, "$own/x", False), (TANK, SUBSCRIBE, "$own/x", False)],
    ),
    "one level in a deny does": (
        "deny any all +/x\nallow any all $own/#",
        [(TANK, PUBLISH, "$own/x", False), (TANK, PUBLISH, "$own/y", True)],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_rule(ruled, dial, case):
    rules, checks = CASES[case]
    broker = ruled(rules)
    for who, action, topic, allowed in checks:
        wire = enter(dial, who.client, who.user, to=broker)
        assert decide(broker, wire, action, topic) is allowed, f"{who} {action} {topic}"
        wire.close()


def decide(broker, wire, action: str, topic: str) -> bool:
    if action == PUBLISH:
        return may_publish(wire, topic)
    if action == SUBSCRIBE:
        return may_subscribe(wire, topic)
    # By whichever subscription is allowed that brings it.
    first = topic.partition("/")[0]
    wider = [topic, f"{first}/+", f"{first}/#", "#"]
    assert any([may_subscribe(wire, each) for each in wider]), f"no subscription brings {topic}"
    broker.publish(topic, "x")
    return topic in topics(wire)


def test_a_rule_for_an_address_looks_at_where_the_client_is(ruled, reach, root):
    broker = ruled("allow address 127.0.0.2 publish a\nallow address 127.0.1.0/24 publish b")
    for source, mine in (("127.0.0.1", ""), ("127.0.0.2", "a"), ("127.0.1.77", "b"), ("127.0.2.1", "")):
        line = reach(broker, source=source)
        line.connect(Connect(root))
        assert [topic for topic in "ab" if may_publish(line, topic)] == list(mine), source
        line.disconnect()


# %c and %u ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", ["%c", "%u"])
def test_a_name_is_put_in(ruled, dial, mark):
    broker = ruled(f"allow any all tank/{mark}/#\nallow any publish pre-{mark}-post/x")
    wire = enter(dial, "seven", "seven", to=broker)
    assert may_publish(wire, "tank/seven/level")
    assert may_subscribe(wire, "tank/seven/#")
    assert may_subscribe(wire, "tank/seven/+/x")
    assert may_publish(wire, "pre-seven-post/x")
    for topic in ("tank/eight/level", f"tank/{mark}/level", "pre--post/x", "pre-eight-post/x", "seven"):
        assert not may_publish(wire, topic), topic
    for topic_filter in ("tank/+/level", "tank/#", "tank/eight/#", "#"):
        assert not may_subscribe(wire, topic_filter), topic_filter


def test_both_names_in_one_rule(ruled, dial):
    broker = ruled("allow user * all %u/%c/%u-%c")
    wire = enter(dial, "c", "u", to=broker)
    assert may_publish(wire, "u/c/u-c")
    assert not may_publish(wire, "c/u/c-u")
    assert not may_publish(enter(dial, "u", "c", to=broker), "u/c/u-c")


def test_what_was_put_in_is_not_read_again(ruled, dial):
    broker = ruled("allow any all %c/x\nallow any all %u/y")
    wire = enter(dial, "%u", "%c", to=broker)
    assert may_publish(wire, "%u/x")
    assert may_publish(wire, "%c/y")
    assert not may_publish(wire, "%c/x")
    assert not may_publish(wire, "%u/y")


NASTY = ["+", "#", "a/b", "/", "x/#", "../+", "a+", "+/+", "a#b"]


@pytest.mark.parametrize("name", NASTY)
@pytest.mark.parametrize("mark", ["%c", "%u"])
def test_a_name_never_widens_an_allow(ruled, dial, mark, name):
    broker = ruled(f"allow any all tank/{mark}/level\nallow any all {mark}/#\nallow any all x-{mark}/#")
    wire = enter(dial, name if mark == "%c" else "c1", name if mark == "%u" else "u1", to=broker)
    for topic in ("tank/x/level", "tank/a/b/level", "a/b", "a/b/c", "x", "x/y", "x-a/b", "x-a/b/c", "tank"):
        assert not may_publish(wire, topic), topic
    for topic_filter in (
        "tank/+/level",
        "tank/#",
        "#",
        "+/#",
        "+",
        "a/b",
        "a/b/#",
        "x-a/b/#",
        "tank/a/b/level",
    ):
        assert not may_subscribe(wire, topic_filter), topic_filter


@pytest.mark.parametrize("name", NASTY)
@pytest.mark.parametrize("mark", ["%c", "%u"])
def test_a_name_never_narrows_a_deny(ruled, dial, mark, name):
    broker = ruled(f"deny any all tank/{mark}/level\nallow any all #")
    wire = enter(dial, name if mark == "%c" else "c1", name if mark == "%u" else "u1", to=broker)
    for topic in ("tank/x/level", "tank/x", "tank/a/b/level", "tank/x/y/z"):
        assert not may_publish(wire, topic), topic
    assert not may_subscribe(wire, "tank/x/level")
    assert not may_subscribe(wire, "tank/x/y/#")
    assert may_publish(wire, "pump/x/level")
    assert may_subscribe(wire, "#")
    broker.publish("tank/x/level", "x")
    broker.publish("tank/y", "x")
    broker.publish("pump/x/level", "x")
    assert topics(wire) == ["pump/x/level"]


@pytest.mark.parametrize("user", ["", None], ids=["empty", "none"])
def test_a_user_name_that_is_not_there(ruled, dial, user):
    broker = ruled("deny any all secret/%u/x\nallow any all tank/%u/#\nallow any all open/#")
    wire = enter(dial, "c1", user, to=broker)
    for topic in ("tank//x", "tank", "tank/", "tank/%u/x", "tank/None/x", "secret//x", "secret/a/x"):
        assert not may_publish(wire, topic), topic
    assert not may_subscribe(wire, "tank//#")
    assert may_publish(wire, "open/x")


@pytest.mark.parametrize("mark", ["%c", "%u"])
def test_a_name_with_a_dollar_sign_does_not_open_the_topics_of_the_broker(ruled, dial, mark):
    """A wildcard at the first level of an allow does not reach them, so no name does."""
    broker = ruled(f"allow any all {mark}/#\nallow any all of/{mark}/#")
    wire = enter(dial, "$SYS", "$SYS", to=broker)
    for topic_filter in ("$SYS/#", "$SYS/broker/version", "$SYS/+/version"):
        assert not may_subscribe(wire, topic_filter), topic_filter
    assert may_subscribe(wire, "of/$SYS/#")


def test_a_client_identifier_that_the_broker_made_up(ruled, dial):
    broker = ruled("allow any all of/%c")
    wire = enter(dial, "", to=broker)
    name = wire.connack.properties["assigned_client_identifier"]
    assert may_publish(wire, f"of/{name}")
    assert not may_publish(wire, "of/")


def test_names_are_compared_byte_by_byte(ruled, dial):
    broker = ruled("allow any all of/%u")
    wire = enter(dial, "c1", "e\u0301", to=broker)
    assert may_publish(wire, "of/e\u0301")
    assert not may_publish(wire, "of/\u00e9")


# How a refusal looks ---------------------------------------------------------------------------------------


def test_a_refused_publish(ruled, dial, version):
    broker = ruled("allow any all open/#\nallow user watcher subscribe #")
    watcher = enter(dial, "w", "watcher", to=broker)
    watcher.subscribe("#")
    wire = enter(dial, "c1", version=version, to=broker)
    wire.send(Publish("secret/0", b"x"))
    wire.ping()
    wire.send(Publish("secret/1", b"x", 1, id=1))
    wire.expect(Puback(1, 0x87 if version == V5 else 0))
    wire.send(Publish("secret/2", b"x", 2, id=2))
    wire.expect(Pubrec(2, 0x87 if version == V5 else 0))
    wire.publish("secret/r", b"x", retain=True)
    wire.publish("open/1", b"x", 1)
    assert topics(watcher) == ["open/1"]
    eventually(lambda: broker.statistics["unauthorized"] == 4)
    watcher.subscribe("secret/#")
    watcher.expect_nothing()


@pytest.mark.parametrize(("version", "refused"), [(V311, 0x80), (V5, 0x87)], ids=["3.1.1", "5.0"])
def test_a_refused_subscription(ruled, dial, version, refused):
    broker = ruled("allow any all open/#")
    wire = enter(dial, version=version, to=broker)
    wire.send(Subscribe(1, [subscription("a"), subscription("open/a", 1), subscription("#", 2)]))
    wire.expect(Suback(1, [refused, 1, refused]))
    broker.publish("a", "x")
    broker.publish("open/a", "x")
    assert topics(wire) == ["open/a"]
    eventually(lambda: broker.statistics["unauthorized"] == 2)


# It is there still, without effect, and has one again with the right.
def test_a_subscription_that_is_not_allowed_any_more_waits_for_the_right(ruled, dial, access):
    broker = ruled("allow any all #")
    wire = enter(dial, to=broker)
    wire.subscribe("a")
    access.rules("deny any subscribe-only a\nallow any all #")
    broker.reload()
    assert not may_subscribe(wire, "a")
    broker.publish("a", "x")
    assert topics(wire) == []
    access.rules("allow any all #")
    broker.reload()
    broker.publish("a", "x")
    assert topics(wire) == ["a"]


@pytest.mark.parametrize("version", [V31, V311, V5], ids=["3.1", "3.1.1", "5.0"])
def test_unsubscribing_is_always_allowed(ruled, dial, access, version):
    broker = ruled("allow any all #")
    wire = enter(dial, version=version, to=broker)
    wire.subscribe("a")
    access.rules("")
    broker.reload()
    wire.unsubscribe("a")


# The file, the hooks and the broker ------------------------------------------------------------------------


def test_hooks_are_asked_about_what_the_file_allows(ruled, dial):
    broker = ruled("allow any all open/#")
    asked = []

    @broker.authorize
    def judge(client, action, topic):
        asked.append((action, topic))
        return topic != "open/closed"

    wire = enter(dial, to=broker)
    assert not may_publish(wire, "secret")
    assert not may_subscribe(wire, "secret")
    assert may_publish(wire, "open/1")
    assert not may_publish(wire, "open/closed")
    assert may_subscribe(wire, "open/#")
    assert asked == [("publish", "open/1"), ("publish", "open/closed"), ("subscribe", "open/#")]


def test_the_broker_itself_is_not_subject_to_the_file(ruled, dial):
    broker = ruled("allow user watcher subscribe #")
    wire = enter(dial, "w", "watcher", to=broker)
    wire.subscribe("#")
    broker.publish("a", "x")
    with broker.subscribe("#") as messages:
        broker.publish("b", "x", retain=True)
        assert messages.get(timeout=3).topic == "b"
    assert topics(wire) == ["a", "b"]


def test_without_a_file_everything_is_allowed(broker, dial):
    wire = enter(dial, to=broker)
    assert may_publish(wire, "a")
    assert may_subscribe(wire, "#")
    assert may_subscribe(wire, "$SYS/#")


# A name that nobody vouched for is only a claim.
def test_a_name_that_is_only_claimed_opens_nothing(broker_factory, access, dial):
    access.rules("allow user admin all #\nallow anonymous all public/#\n")
    broker = broker_factory({"access.acl_file": str(access.acl)})
    wire = dial(to=broker)
    wire.connect(Connect("c", username="admin"))
    wire.send(Subscribe(1, [subscription("a"), subscription("public/a")]))
    wire.expect(Suback(1, [0x87, 0]))
