"""Answers of deciders: who a client is, how long an answer holds, and the words of a refusal."""

from __future__ import annotations

import asyncio
import math
import time
from typing import Any

import pytest

from hookmq import Allow, Deny, Identity

from ..protocol.packets import (
    V5,
    V31,
    V311,
    Connect,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Will,
    subscription,
)
from ..protocol.wire import Closed
from .helpers import DEADLINE, Gate, Seen, eventually

BAD_LOGIN, NOT_AUTHORIZED, UNAVAILABLE, BANNED = 0x86, 0x87, 0x88, 0x8A


def raising(error: BaseException) -> Any:
    raise error


def words(packet: Any) -> str | None:
    """The reason string of an answer."""
    return packet.properties.get("reason_string")


# Authenticate: who it is ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize("version", [V31, V311, V5])
def test_an_identity_is_who_the_client_is_from_there_on(broker, join, kind, version):
    seen = Seen()

    def admit(client):
        seen.append(("authenticate", client.username))
        return Identity(f"device-{client.username}")

    async def admit_later(client):
        await asyncio.sleep(0)
        return admit(client)

    broker.authenticate(admit if kind == "def" else admit_later)
    broker.on_connect(lambda client: seen.append(("on_connect", client.username)))
    broker.authorize(lambda client: seen.append(("authorize", client.username)))
    broker.transform(lambda msg, client: seen.append(("transform", client.username)))
    broker.on_client_connected(lambda client: seen.append(("connected", client.username, client.password)))
    wire = join(broker, "c", version=version, username="7", password=b"secret")
    wire.publish("a", b"", 1)
    seen.until(5)
    assert sorted(seen) == [
        ("authenticate", "7"),
        ("authorize", "device-7"),
        ("connected", "device-7", None),
        ("on_connect", "device-7"),
        ("transform", "device-7"),
    ]


def test_an_identity_owns_its_session(broker, join):
    """A session belongs to the user who was made out, not to the name that was given."""
    people = {"tom": "tom", "thomas": "tom", "eve": "eve"}
    broker.authenticate(lambda client: Identity(people[client.username]))
    expiry = {"session_expiry_interval": 60}
    first = join(broker, "c", username="tom", properties=expiry)
    first.subscribe("a", qos=1)
    first.disconnect()
    same = join(broker, "c", username="thomas", clean=False, properties=expiry)
    assert same.connack.session_present
    same.disconnect()
    # See docs/access.md: who owns a session keeps it, and nobody else gets in by its name.
    join(broker, "c", code=NOT_AUTHORIZED, username="eve", clean=False, properties=expiry)


def test_access_rules_know_the_identity(broker_factory, join, tmp_path):
    (tmp_path / "acl").write_text("allow user pump all tank/#\n")
    broker = broker_factory({"access.acl_file": str(tmp_path / "acl")}, start=False)
    broker.authenticate(lambda client: Identity("pump") if client.username == "token" else True)
    broker.start()
    pump, other = join(broker, "p", username="token"), join(broker, "o", username="pump2")
    assert pump.publish("tank/7", b"", 1) == 0x10
    assert other.publish("tank/7", b"", 1) == NOT_AUTHORIZED


ANSWERS = [
    ("Identity", Identity("x"), 0, None),
    ("Allow", Allow(), 0, None),
    ("Allow a minute", Allow(ttl=60), 0, None),
    ("Allow with an odd time", Allow(ttl=-1), 0, None),
    ("Deny", Deny("come back tomorrow"), NOT_AUTHORIZED, "come back tomorrow"),
    ("Deny with a code", Deny("banned", code=BANNED), BANNED, "banned"),
    ("Deny with no words", Deny(code=UNAVAILABLE), UNAVAILABLE, "not authorized"),
    ("Deny with no code of MQTT", Deny("x", code=0x05), NOT_AUTHORIZED, "x"),
]


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize(
    ("name", "how", "answer", "code", "why"),
    [
        (name, how, *row)
        for name, *row in ANSWERS
        for how in ("returned", "raised")
        if how == "returned" or isinstance(row[0], Deny)
    ],
)
def test_authenticate(broker, join, name, answer, code, why, how, kind):
    def admit(client):
        return raising(answer) if how == "raised" else answer

    async def admit_later(client):
        await asyncio.sleep(0)
        return admit(client)

    broker.authenticate(admit if kind == "def" else admit_later)
    broker.authenticate(lambda client: raising(AssertionError("it was decided")), name="second")
    wire = join(broker, "c", code=code)
    if code:
        assert words(wire.connack) == why
        wire.expect_closed()
    assert [(hook.calls, hook.errors) for hook in broker.hooks] == [(1, 0), (0, 0)]


WRONG = [
    ("Identity(5)", lambda: Identity(5)),
    ("Identity(None)", lambda: Identity(None)),
    ("Identity(surrogate)", lambda: Identity("\ud800")),
    ("Allow(nan)", lambda: Allow(ttl=math.nan)),
    ("Allow(text)", lambda: Allow(ttl="60")),
    ("Allow(None)", lambda: Allow(ttl=None)),
    ("the class Allow", lambda: Allow),
    ("the class Deny", lambda: Deny),
    ("1", lambda: 1),
    ("{}", dict),
]


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize(("name", "answer"), WRONG, ids=[row[0] for row in WRONG])
def test_an_answer_that_means_nothing_refuses_and_is_counted(broker, dial, caplog, name, answer, kind):
    def admit(client):
        return answer()

    async def admit_later(client):
        await asyncio.sleep(0)
        return answer()

    broker.authenticate(admit if kind == "def" else admit_later)
    began = time.monotonic()
    wire = dial(broker)
    wire.send(Connect("c"))
    assert wire.read().code in (BAD_LOGIN, NOT_AUTHORIZED)
    assert time.monotonic() - began < 2, "it was known at once"
    assert (broker.hooks[0].calls, broker.hooks[0].errors) == (1, 1)
    assert [record.name for record in caplog.records] == ["hookmq.hooks"]


# Authenticate: for how long ---------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [Allow(ttl=60), Identity("pump", ttl=60)], ids=["Allow", "Identity"])
@pytest.mark.parametrize("kind", ["def", "async def"])
def test_who_was_let_in_is_not_asked_about_again(broker, join, answer, kind):
    asked, names = Seen(), Seen()

    def admit(client):
        asked.append((client.client_id, client.username, client.password))
        return answer if client.password == "right" else False

    async def admit_later(client):
        await asyncio.sleep(0)
        return admit(client)

    broker.authenticate(admit if kind == "def" else admit_later)
    broker.on_client_connected(lambda client: names.append(client.username))
    login = {"username": "tom", "password": b"right"}
    for _ in range(3):
        join(broker, "c", **login).disconnect()
    assert asked == [("c", "tom", "right")]
    assert names.until(3) == [answer.username if isinstance(answer, Identity) else "tom"] * 3
    # Whoever shows anything else is asked about, and a refusal is never remembered.
    for _ in range(2):
        join(broker, "c", username="tom", password=b"wrong", code=BAD_LOGIN)
    join(broker, "c2", **login).disconnect()
    join(broker, "c", username="eve", password=b"right").disconnect()
    join(broker, "c", username="tom", code=BAD_LOGIN)
    assert [one[2] for one in asked[1:]] == ["wrong", "wrong", "right", "right", None]


@pytest.mark.parametrize("answer", [Allow(ttl=0.2), Identity("pump", ttl=0.2)], ids=["Allow", "Identity"])
def test_after_its_time_it_is_asked_about_again(broker, join, answer):
    asked = Seen()

    @broker.authenticate
    def admit(client):
        asked.append(client.client_id)
        return answer

    join(broker, "c").disconnect()
    began = time.monotonic()
    eventually(lambda: time.monotonic() > began + 0.25)
    join(broker, "c").disconnect()
    assert len(asked) == 2


@pytest.mark.parametrize("answer", [True, Allow(), Identity("x"), Allow(ttl=0)], ids=repr)
def test_without_a_time_it_is_asked_about_each_time(broker, join, answer):
    asked = Seen()
    broker.authenticate(lambda client: (asked.append(1), answer)[1])
    for _ in range(3):
        join(broker, "c").disconnect()
    assert len(asked) == 3


def test_for_ever_is_a_time_as_well(broker, join):
    asked = Seen()
    broker.authenticate(lambda client: (asked.append(1), Allow(ttl=math.inf))[1])
    for _ in range(3):
        join(broker, "c").disconnect()
    assert len(asked) == 1


@pytest.mark.parametrize("answer", [Allow(ttl=60), Identity("x", ttl=60)], ids=["Allow", "Identity"])
def test_it_is_remembered_if_everyone_who_was_asked_says_so(broker, join, answer):
    """Who has no opinion now may have one later: a list of those who are banned, for example."""
    broker.authenticate(lambda client: None, name="first")
    broker.authenticate(lambda client: answer, name="second")
    for _ in range(3):
        join(broker, "c").disconnect()
    assert [hook.calls for hook in broker.hooks] == [3, 3]


@pytest.mark.parametrize("change", ["added", "replaced"])
def test_what_was_remembered_is_forgotten_when_hooks_change(broker, join, redefine, change):
    cell = "@broker.authenticate\ndef admit(client):\n    asked.append(number)\n    return Allow(ttl=60)"
    asked = Seen()
    redefine(broker, cell, asked=asked, number=1, Allow=Allow)
    join(broker, "c").disconnect()
    if change == "replaced":
        redefine(broker, cell, asked=asked, number=2, Allow=Allow)
    else:
        broker.on_connect(lambda client: None)
    join(broker, "c").disconnect()
    join(broker, "c").disconnect()
    assert asked == ([1, 2] if change == "replaced" else [1, 1])


def test_an_answer_of_old_hooks_is_not_remembered_for_new_ones(broker, dial, join, redefine):
    """An answer that was under way while the hooks changed must not outlive them."""
    cell = "@broker.authenticate\ndef admit(client):\n    wait()\n    return answer"
    gate = Gate()
    redefine(broker, cell, answer=Allow(ttl=60), wait=gate.wait)
    early = dial(broker)
    early.send(Connect("c"))
    assert gate.entered.wait(DEADLINE)
    redefine(broker, cell, answer=False, wait=lambda: None)
    gate.opened.set()
    early.read()
    join(broker, "c", code=BAD_LOGIN)


# Authorize --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize("version", [V311, V5])
def test_what_was_allowed_for_a_while_is_not_asked_about_again(broker, join, kind, version):
    asked = Seen()

    def may(client, action, topic, qos, retain):
        asked.append((action, topic, qos, retain))
        return Allow(ttl=60) if topic.startswith("yes") else False

    async def may_later(client, action, topic, qos, retain):
        await asyncio.sleep(0)
        return may(client, action, topic, qos, retain)

    broker.authorize(may if kind == "def" else may_later)
    wire = join(broker, "c", version=version)
    for _ in range(3):
        wire.publish("yes/1", b"", 1)
    for topic, qos, retain in (
        ("yes/2", 1, False),
        ("yes/1", 0, False),
        ("yes/1", 1, True),
        ("yes/1", 2, False),
    ):
        for _ in range(2):
            wire.publish(topic, b"", qos, retain=retain)
    for _ in range(2):
        wire.publish("no", b"", 1)  # only what was allowed is remembered
    assert asked == [
        ("publish", "yes/1", 1, False),
        ("publish", "yes/2", 1, False),
        ("publish", "yes/1", 0, False),
        ("publish", "yes/1", 1, True),
        ("publish", "yes/1", 2, False),
        ("publish", "no", 1, False),
        ("publish", "no", 1, False),
    ]
    join(broker, "other", version=version).publish("yes/1", b"", 1)
    assert len(asked) == 8, "each connection is asked about for itself"


def test_a_subscription_that_was_allowed_for_a_while_is_not_asked_about_again(broker, join):
    asked = Seen()
    broker.authorize(lambda client, action, topic: (asked.append((action, topic)), Allow(ttl=60))[1])
    wire = join(broker)
    for _ in range(3):
        wire.subscribe("a/+", qos=1)
    wire.subscribe("b", qos=1)
    assert asked == [("subscribe", "a/+"), ("subscribe", "b")]


def test_authorize_is_asked_again_when_the_time_is_over(broker, join):
    asked = Seen()
    broker.authorize(lambda client: (asked.append(1), Allow(ttl=0.2))[1])
    wire = join(broker)
    wire.publish("a", b"", 1)
    wire.publish("a", b"", 1)
    began = time.monotonic()
    eventually(lambda: time.monotonic() > began + 0.25)
    wire.publish("a", b"", 1)
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("others", "calls"),
    [([Allow(ttl=60)], 1), ([True], 3), ([None], 3), ([Allow()], 3)],
    ids=["all say so", "one says True", "one says nothing", "one gives no time"],
)
def test_an_answer_holds_as_long_as_every_hook_says(broker, join, others, calls):
    broker.authorize(lambda client: Allow(ttl=60), name="first")
    for answer in others:
        broker.authorize(lambda client, *, answer=answer: answer, name="other")
    wire = join(broker)
    for _ in range(3):
        wire.publish("a", b"", 1)
    assert [hook.calls for hook in broker.hooks] == [calls, calls]


@pytest.mark.parametrize("change", ["added", "replaced", "paused"])
def test_what_was_allowed_is_forgotten_when_hooks_change(broker, join, redefine, change):
    cell = "@broker.authorize\ndef may(client, action, topic):\n    return answer"
    redefine(broker, cell, answer=Allow(ttl=60))
    wire = join(broker)
    assert wire.publish("a", b"", 1) == 0x10
    match change:
        case "replaced":
            redefine(broker, cell, answer=False)
        case "added":
            broker.authorize(lambda client: False)
        case "paused":
            broker.pause("may")
    assert wire.publish("a", b"", 1) == NOT_AUTHORIZED


def test_an_answer_under_way_is_not_remembered_for_new_hooks(broker, join, redefine):
    cell = "@broker.authorize\ndef may(client, action, topic):\n    wait()\n    return answer"
    gate = Gate()
    redefine(broker, cell, answer=Allow(ttl=60), wait=gate.wait)
    wire = join(broker)
    wire.send(Publish("a", b"", 1, id=1))
    assert gate.entered.wait(DEADLINE)
    redefine(broker, cell, answer=False, wait=lambda: None)
    gate.opened.set()
    wire.read()
    assert wire.publish("a", b"", 1) == NOT_AUTHORIZED


# on_connect -------------------------------------------------------------------------------------------------

GREETINGS = [
    ("True", lambda: True, 0, 0, False),
    ("None", lambda: None, 0, 0, False),
    ("False", lambda: False, NOT_AUTHORIZED, 5, False),
    ("Deny raised", lambda: raising(Deny("only sensors", code=0x85)), 0x85, 2, False),
    ("Deny returned", lambda: Deny("only sensors", code=0x85), 0x85, 2, False),
    ("Deny", lambda: raising(Deny("no")), NOT_AUTHORIZED, 5, False),
    ("Deny unavailable", lambda: raising(Deny("no", code=UNAVAILABLE)), UNAVAILABLE, 3, False),
    ("an error", lambda: raising(ValueError("secret")), NOT_AUTHORIZED, 5, True),
    ("an exit", lambda: raising(SystemExit(1)), NOT_AUTHORIZED, 5, True),
    ("Allow", lambda: Allow(ttl=1), NOT_AUTHORIZED, 5, True),
    ("Identity", lambda: Identity("x"), NOT_AUTHORIZED, 5, True),
    ("0", lambda: 0, NOT_AUTHORIZED, 5, True),
    ("text", lambda: "yes", NOT_AUTHORIZED, 5, True),
]


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize(
    ("name", "answer", "code", "old", "wrong"), GREETINGS, ids=[row[0] for row in GREETINGS]
)
def test_on_connect(broker, join, kind, name, answer, code, old, wrong):
    connected = Seen()
    broker.on_client_connected(lambda client: connected.append(client.client_id))

    def greet(client):
        return answer()

    async def greet_later(client):
        await asyncio.sleep(0)
        return answer()

    broker.on_connect(greet if kind == "def" else greet_later)
    new = join(broker, "new", code=code)
    assert "secret" not in (words(new.connack) or "")
    if name.startswith("Deny "):
        assert words(new.connack) == ("no" if code == UNAVAILABLE else "only sensors")
    join(broker, "old", version=V311, code=old)
    assert broker.wait_for_hooks()
    assert connected == ([] if code else ["new", "old"])
    assert (broker.hooks[1].calls, broker.hooks[1].errors) == (2, 2 if wrong else 0)


def test_on_connect_comes_after_authenticate(broker, join):
    asked = Seen()

    @broker.on_connect
    def greet(client):
        asked.append((client.client_id, client.username, client.password, client.version, client.keep_alive))

    @broker.authenticate
    def admit(client):
        return Identity("pump") if client.password == "right" else False

    join(broker, "c", username="x", password=b"wrong", code=BAD_LOGIN)
    assert asked == []
    join(broker, "c", username="x", password=b"right")
    assert asked == [("c", "pump", None, "5.0", 60)]


def test_every_on_connect_hook_may_refuse(broker, join):
    asked = Seen()
    for name, priority in (("low", 0), ("high", 5), ("last", -1)):
        broker.on_connect(
            lambda client, name=name: (asked.append(name), client.client_id != name)[1],
            name=name,
            priority=priority,
        )
    join(broker, "c")
    assert asked == ["high", "low", "last"]
    join(broker, "low", code=NOT_AUTHORIZED)
    assert asked[3:] == ["high", "low"]


@pytest.mark.parametrize("clean", [True, False])
def test_who_is_refused_disturbs_nobody(broker, join, clean):
    """The session and the connection of the same name stay as they are."""
    refusing = Seen()
    broker.on_connect(lambda client: not refusing)
    expiry = {"session_expiry_interval": 60}
    first = join(broker, "c", properties=expiry)
    first.subscribe("a", qos=1)
    refusing.append(1)
    with broker.subscribe("will") as wills:
        join(broker, "c", clean=clean, code=NOT_AUTHORIZED, will=Will("will", b"x")).expect_closed()
        join(broker, "c", version=V311, clean=clean, code=5, will=Will("will", b"x")).expect_closed()
        first.ping()
        broker.publish("a", "x", qos=1)
        first.expect_message("a", b"x", qos=1)
        assert wills.get(timeout=0.05) is None


def test_on_connect_takes_too_long(broker_factory, join):
    broker = broker_factory({"hooks.decision_timeout": 0.1})
    gate = Gate()

    @broker.on_connect
    def greet(client):
        if client.client_id == "slow":
            gate.wait()

    slow = join(broker, "slow", code=UNAVAILABLE)
    assert words(slow.connack) == "the decision took too long"
    join(broker, "quick")
    gate.opened.set()


def test_a_paused_on_connect_refuses(broker, join):
    broker.on_connect(lambda client: True, name="greet")
    broker.pause("greet")
    assert words(join(broker, "c", code=NOT_AUTHORIZED).connack) == "greet is paused"
    broker.resume("greet")
    join(broker, "c")


# on_subscribe -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize("version", [V31, V311, V5])
@pytest.mark.parametrize("asked", [0, 1, 2])
@pytest.mark.parametrize("answer", [0, 1, 2, None, True])
def test_on_subscribe_grants_a_lower_qos(broker, join, kind, version, asked, answer):
    def grant(client, filter, qos):
        return answer

    async def grant_later(client, filter, qos):
        await asyncio.sleep(0)
        return answer

    broker.on_subscribe(grant if kind == "def" else grant_later)
    most = 2 if answer is None or answer is True else answer
    granted = min(asked, most)
    wire = join(broker, version=version)
    wire.send(Subscribe(1, [subscription("a", asked)]))
    wire.expect(Suback(1, [granted]))
    broker.publish("a", "x", qos=2)
    wire.expect_message("a", b"x", qos=granted)


SUBSCRIPTIONS = [
    ("False", lambda: False, NOT_AUTHORIZED, None, False),
    ("Deny raised", lambda: raising(Deny("not that one")), NOT_AUTHORIZED, "not that one", False),
    ("Deny returned", lambda: Deny("not that one"), NOT_AUTHORIZED, "not that one", False),
    ("a code", lambda: raising(Deny("too many", code=0x97)), 0x97, "too many", False),
    ("another code", lambda: raising(Deny("x", code=0x99)), NOT_AUTHORIZED, "x", False),
    ("an error", lambda: raising(ValueError("secret")), NOT_AUTHORIZED, None, True),
    ("3", lambda: 3, NOT_AUTHORIZED, None, True),
    ("-1", lambda: -1, NOT_AUTHORIZED, None, True),
    ("1.0", lambda: 1.0, NOT_AUTHORIZED, None, True),
    ("text", lambda: "1", NOT_AUTHORIZED, None, True),
    ("Allow", lambda: Allow(ttl=1), NOT_AUTHORIZED, None, True),
]


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize(
    ("name", "answer", "code", "why", "wrong"), SUBSCRIPTIONS, ids=[row[0] for row in SUBSCRIPTIONS]
)
def test_on_subscribe_refuses(broker, join, kind, name, answer, code, why, wrong):
    def grant(client, filter):
        return answer() if filter == "no" else None

    async def grant_later(client, filter):
        await asyncio.sleep(0)
        return grant(client, filter)

    broker.on_subscribe(grant if kind == "def" else grant_later)
    filters = [subscription("a", 1), subscription("no", 1), subscription("b", 2)]
    new, old = join(broker), join(broker, version=V311)
    new.send(Subscribe(1, filters))
    ack = new.expect(Suback(1, [1, code, 2]))
    assert "secret" not in str(ack) and (why is None or words(ack) == why)
    old.send(Subscribe(1, filters))
    old.expect(Suback(1, [1, 0x80, 2]))
    broker.publish("no", "x", qos=1)
    new.expect_nothing()
    old.expect_nothing()
    assert (broker.hooks[0].calls, broker.hooks[0].errors) == (6, 2 if wrong else 0)


def test_what_on_subscribe_is_given(broker, join):
    seen = Seen()

    @broker.on_subscribe
    def grant(client, filter, qos):
        seen.append((client.client_id, client.username, filter, qos))

    wire = join(broker, "c", username="tom")
    wire.subscribe(("a/+", 1), ("$share/g/b/#", 2), ("#", 0))
    # All filters of a packet are asked about side by side.
    assert sorted(seen) == [("c", "tom", "#", 0), ("c", "tom", "a/+", 1), ("c", "tom", "b/#", 2)]


def test_several_on_subscribe_hooks_and_authorize(broker, join):
    asked = Seen()
    broker.authorize(lambda client, action, topic: (asked.append("authorize"), topic != "no")[1])
    broker.on_subscribe(lambda client, filter, qos: (asked.append("low"), 1)[1], name="low", priority=-1)
    broker.on_subscribe(lambda client, filter, qos: (asked.append("high"), 2)[1], name="high", priority=1)
    wire = join(broker)
    wire.send(Subscribe(1, [subscription("a", 2)]))
    wire.expect(Suback(1, [1]))
    assert asked == ["authorize", "high", "low"]
    wire.send(Subscribe(2, [subscription("no", 2)]))
    wire.expect(Suback(2, [NOT_AUTHORIZED]))
    assert asked[3:] == ["authorize"]
    wire.publish("other", b"x", 2)  # on_subscribe has nothing to say about it
    assert asked[4:] == ["authorize"]


def test_a_lower_qos_holds_for_retained_and_for_waiting_messages(broker, join):
    broker.on_subscribe(lambda client: 0)
    broker.publish("a", "kept", qos=2, retain=True)
    wire = join(broker)
    wire.send(Subscribe(1, [subscription("a", 2)]))
    wire.expect(Suback(1, [0]))
    wire.expect_message("a", b"kept", qos=0, retain=True)


def test_on_subscribe_takes_too_long(broker_factory, join):
    broker = broker_factory({"hooks.decision_timeout": 0.1})
    gate = Gate()

    @broker.on_subscribe
    def grant(client, filter):
        if filter == "slow":
            gate.wait()

    wire = join(broker)
    wire.send(Subscribe(1, [subscription("slow", 1), subscription("a", 1)]))
    wire.expect(Suback(1, [NOT_AUTHORIZED, 1]))
    gate.opened.set()


# Words ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asks", [None, 0, 1])
def test_the_words_of_a_refusal(broker, join, asks):
    """[MQTT-3.1.2-29]: who does not want explanations gets them in CONNACK at most."""
    broker.authorize(lambda client, action, topic: raising(Deny(f"no {action} here")))
    given = {} if asks is None else {"request_problem_information": asks}
    wire = join(broker, properties=given)
    wire.send(Publish("a", b"", 1, id=1), Publish("a", b"", 2, id=2), Subscribe(3, [subscription("a", 1)]))
    answers = [
        wire.expect(Puback(1, NOT_AUTHORIZED)),
        wire.expect(Pubrec(2, NOT_AUTHORIZED)),
        wire.expect(Suback(3, [NOT_AUTHORIZED])),
    ]
    expected = ["no publish here", "no publish here", "no subscribe here"]
    assert [words(one) for one in answers] == (expected if asks != 0 else [None] * 3)
    wire.send(Pubrel(2))
    assert words(wire.expect(Pubcomp(2, 0x92))) is None


@pytest.mark.parametrize("asks", [0, 1])
@pytest.mark.parametrize("kind", ["authenticate", "on_connect"])
def test_the_words_of_a_refused_connection(broker, join, kind, asks):
    getattr(broker, kind)(lambda client: raising(Deny("come back tomorrow", code=BANNED)))
    wire = join(broker, code=BANNED, properties={"request_problem_information": asks})
    assert words(wire.connack) == "come back tomorrow"
    wire.expect_closed()


def test_words_that_are_too_long_for_the_client_are_left_out(broker, join):
    broker.authorize(lambda client, action: raising(Deny("x" * 500)))
    wire = join(broker, properties={"maximum_packet_size": 200})
    wire.send(Publish("a", b"", 1, id=1), Subscribe(2, [subscription("a", 1)]))
    assert words(wire.expect(Puback(1, NOT_AUTHORIZED))) is None
    assert words(wire.expect(Suback(2, [NOT_AUTHORIZED]))) is None
    assert wire.largest <= 200
    large = join(broker)
    large.send(Publish("a", b"", 1, id=1))
    assert words(large.expect(Puback(1, NOT_AUTHORIZED))) == "x" * 500


@pytest.mark.parametrize(
    "text", ["a\0b", "\ud800", "ü" * 40_000, "", 5, "a\nb"], ids=lambda text: repr(text)[:12]
)
def test_odd_words_do_no_harm(broker, join, text):
    broker.authorize(lambda client, action: raising(Deny(text)))
    wire = join(broker)
    wire.send(Publish("a", b"", 1, id=1))
    wire.expect(Puback(1, NOT_AUTHORIZED))  # which checks the form of every string
    assert wire.publish("b", b"", 1) == NOT_AUTHORIZED


@pytest.mark.parametrize("version", [V31, V311])
def test_before_version_5_there_are_no_words(broker, join, version):
    broker.authorize(lambda client, action: raising(Deny("no")))
    wire = join(broker, "c", version=version)
    assert wire.publish("a", b"", 1) == 0
    wire.send(Subscribe(9, [subscription("a", 1)]))
    wire.expect(Suback(9, [0x80]))
    broker.on_connect(lambda client: raising(Deny("no")))
    join(broker, "d", version=version, code=5).expect_closed()


@pytest.mark.parametrize("version", [V31, V311])
def test_before_version_5_a_code_that_it_does_not_know_closes(broker, join, version):
    broker.on_connect(lambda client: raising(Deny("no", code=0x99)))
    with pytest.raises(Closed):
        join(broker, "c", version=version)
