"""What becomes of messages that clients publish: changed, dropped, refused, rerouted, multiplied."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest

from hookmq import Change, Deny, Drop, Message

from ..protocol.packets import (
    V5,
    V31,
    V311,
    Disconnect,
    Pingreq,
    Pingresp,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
    Will,
    subscription,
)
from ..protocol.wire import Closed
from .helpers import DEADLINE, Device, Gate, Seen, eventually

INVALID, FAILED, NOT_AUTHORIZED = 0x99, 0x83, 0x87


def raising(error: BaseException) -> Any:
    raise error


@pytest.fixture
def watcher(broker, join):
    """A client that gets everything, with the QoS it was published with."""
    wire = join(broker, "watcher")
    wire.subscribe(subscription("#", 2, retain_as_published=True))
    return wire


# Change ---------------------------------------------------------------------------------------------------

PAYLOADS = [
    (b"\xff\0", b"\xff\0"),
    (bytearray(b"ab"), b"ab"),
    (memoryview(b"abc")[1:], b"bc"),
    ("wärm", "wärm".encode()),
    ("", b""),
    ({"level": 4.5, "unit": "ü"}, '{"level":4.5,"unit":"ü"}'.encode()),
    ({}, b"{}"),
    (0, b"0"),
    (-2.5, b"-2.5"),
    (Change(payload=None), b""),
    (Change(payload=True), b"true"),
    (Change(payload=[1, None]), b"[1,null]"),
    (Change(payload=b"x" * 100_000), b"x" * 100_000),
]


@pytest.mark.parametrize(("returned", "payload"), PAYLOADS, ids=lambda value: repr(value)[:30])
def test_the_payload_is_changed(broker, join, watcher, returned, payload):
    broker.transform("a/+")(lambda msg: returned)
    assert join(broker).publish("a/1", b"before", 1) == 0
    watcher.expect_message("a/1", payload, qos=1)
    watcher.expect_nothing()


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_none_leaves_a_message_as_it_is(broker, join, watcher, kind):
    def look(msg): ...

    async def look_later(msg):
        await asyncio.sleep(0)

    broker.transform(look if kind == "def" else look_later)
    sent = {
        "content_type": "text/plain",
        "user_property": [("a", "1"), ("a", "2")],
        "correlation_data": b"\0",
        "payload_format_indicator": 1,
        "message_expiry_interval": 100,
        "response_topic": "answer",
    }
    publisher = join(broker)
    for qos in (0, 1, 2):
        assert publisher.publish("a", b"x", qos, retain=qos == 1, properties=sent) == 0
        watcher.expect_message("a", b"x", qos=qos, retain=qos == 1, properties=sent)
    assert (broker.hooks[0].calls, broker.hooks[0].errors) == (3, 0)


@pytest.mark.parametrize("before", [0, 1, 2])
@pytest.mark.parametrize("after", [0, 1, 2])
def test_the_qos_is_changed(broker, join, watcher, before, after):
    broker.transform("a")(lambda msg: Change(qos=after))
    assert join(broker).publish("a", b"x", before) == 0  # acknowledged as it was published
    watcher.expect_message("a", b"x", qos=after)


def test_properties_stay_unless_they_are_named(broker, join, watcher):
    @broker.transform("{kind}/x")
    def change(msg, kind):
        match kind:
            case "kept":
                return "new"
            case "none":
                return Change(properties={})
            case "more":
                return Change(properties={**msg.properties, "user_properties": [("by", "me")]})

    publisher = join(broker)
    for kind in ("kept", "none", "more"):
        publisher.publish(f"{kind}/x", b"old", 1, properties={"content_type": "text/plain"})
    watcher.expect_message("kept/x", b"new", qos=1, properties={"content_type": "text/plain"})
    watcher.expect_message("none/x", b"old", qos=1, properties={})
    with_user = {"content_type": "text/plain", "user_property": [("by", "me")]}
    watcher.expect_message("more/x", b"old", qos=1, properties=with_user)


def test_another_topic_reroutes_it(broker, join, watcher):
    seen = Seen()

    @broker.transform
    def reroute(msg):
        seen.append(msg.topic)
        return Change(topic=f"moved/{msg.topic}")

    observed = Seen()
    broker.on_message_received("#")(lambda msg: observed.append((msg.topic, msg.client_id)))
    publisher = join(broker, "p")
    for qos in (0, 1, 2):
        assert publisher.publish("a", b"x", qos) == 0
        watcher.expect_message("moved/a", b"x", qos=qos)
    watcher.expect_nothing()
    assert seen == ["a"] * 3, "what comes out is not asked about again"
    assert broker.wait_for_hooks()
    assert observed == [("moved/a", "p")] * 3


def test_a_message_of_its_own(broker, join, watcher):
    @broker.transform("a")
    def replace(msg):
        return Message("b", b"from " + msg.client_id.encode(), qos=2, properties={"content_type": "x"})

    observed = Seen()
    broker.on_message_received("#")(lambda msg: observed.append((msg.topic, msg.client_id)))
    assert join(broker, "p").publish("a", b"x", 1) == 0
    watcher.expect_message("b", b"from p", qos=2, properties={"content_type": "x"})
    assert broker.wait_for_hooks()
    assert observed == [("b", "p")], "it is the client's, whoever made it"


@pytest.mark.parametrize("container", [list, tuple])
def test_several_take_its_place(broker, join, watcher, container):
    @broker.transform("a")
    def several(msg):
        return container([Change(topic="first", qos=2), None, "third", Drop, Message("fourth", b"4")])

    publisher = join(broker)
    assert publisher.publish("a", b"x", 1) == 0
    for topic, payload, qos in (("first", b"x", 2), ("a", b"x", 1), ("a", b"third", 1), ("fourth", b"4", 0)):
        watcher.expect_message(topic, payload, qos=qos)
    watcher.expect_nothing()
    publisher.expect_nothing()


# Drop and Deny --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [V31, V311, V5])
@pytest.mark.parametrize("answer", [Drop, Drop(), [], ()], ids=["class", "object", "[]", "()"])
def test_a_dropped_message_is_acknowledged_and_goes_nowhere(broker, join, watcher, answer, version):
    broker.transform("a")(lambda msg: answer)
    observed = Seen()
    broker.on_message_received(observed.append)
    publisher = join(broker, "p", version=version)
    for qos in (0, 1, 2):
        assert publisher.publish("a", b"x", qos, retain=True) == 0
    publisher.publish("b", b"end", 1)
    watcher.expect_message("b", b"end", qos=1)
    late = join(broker)
    late.subscribe("a")
    late.expect_nothing()
    assert broker.wait_for_hooks()
    assert [msg.topic for msg in observed] == ["b"]
    assert [row.topic for row in broker.history("#")] == ["b"]


CODES = [(0x99, 0x99), (0x80, 0x80), (0x83, 0x83), (0x87, 0x87), (0x90, 0x90), (0x86, 0x87), (0x05, 0x87)]


@pytest.mark.parametrize(("code", "sent"), CODES)
@pytest.mark.parametrize("how", ["raised", "returned"])
def test_a_refused_message(broker, join, watcher, how, code, sent):
    denial = Deny("that is no temperature", code=code)
    broker.transform("a")(lambda msg: raising(denial) if how == "raised" else denial)
    publisher = join(broker)
    why = {"reason_string": "that is no temperature"}
    publisher.send(Publish("a", b"x"), Publish("a", b"x", 1, id=1), Publish("a", b"x", 2, id=2))
    publisher.expect(Puback(1, sent, why))
    publisher.expect(Pubrec(2, sent, why))
    publisher.send(Pubrel(2))
    publisher.expect(Pubcomp(2, 0x92))  # its Packet Identifier is free again
    publisher.expect_nothing()
    watcher.expect_nothing()
    assert (broker.hooks[0].calls, broker.hooks[0].errors) == (3, 0)
    assert broker.statistics["unauthorized"] == 3


@pytest.mark.parametrize("version", [V31, V311])
def test_before_version_5_a_refused_message_is_acknowledged(broker, join, watcher, version):
    broker.transform("a")(lambda msg: raising(Deny("no")))
    publisher = join(broker, "p", version=version)
    assert [publisher.publish("a", b"x", qos) for qos in (0, 1, 2)] == [0, 0, 0]
    watcher.expect_nothing()
    publisher.expect_nothing()


def test_one_that_is_refused_does_not_hold_up_the_others(broker, join, watcher):
    @broker.transform("{what}")
    def judge(msg, what):
        if what == "deny":
            raise Deny("no", code=INVALID)
        return {"drop": Drop, "change": "changed"}.get(what)

    publisher = join(broker)
    wanted = ["keep", "deny", "change", "drop", "deny", "keep"]
    publisher.send(*(Publish(what, b"x", 1, id=number) for number, what in enumerate(wanted, 1)))
    for number, what in enumerate(wanted, 1):
        publisher.expect(Puback(number, INVALID if what == "deny" else 0))
    for topic, payload in (("keep", b"x"), ("change", b"changed"), ("keep", b"x")):
        watcher.expect_message(topic, payload, qos=1)
    watcher.expect_nothing()


# What fails -----------------------------------------------------------------------------------------------

WRONG = [
    ("raises", lambda: raising(ValueError("secret"))),
    ("exits", lambda: raising(SystemExit(1))),
    ("recursion", lambda: raising(RecursionError())),
    ("True", lambda: True),
    ("an object", object),
    ("a list of lists", lambda: [[None]]),
    ("a topic with a wildcard", lambda: Change(topic="a/+")),
    ("no topic", lambda: Change(topic="")),
    ("no QoS", lambda: Change(qos=3)),
    ("no JSON", lambda: Change(payload=object())),
    ("no number", lambda: float("nan")),
    ("no text", lambda: "\ud800"),
    ("wrong properties", lambda: Change(properties={"colour": "red"})),
    ("the second is wrong", lambda: [None, 5j]),
]


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize(("name", "answer"), WRONG, ids=[row[0] for row in WRONG])
def test_what_fails_refuses(broker, join, watcher, caplog, kind, name, answer):
    def bad(msg):
        return answer()

    async def bad_later(msg):
        await asyncio.sleep(0)
        return answer()

    broker.transform("a", name="bad")(bad if kind == "def" else bad_later)
    publisher, old = join(broker), join(broker, version=V311)
    publisher.send(Publish("a", b"x"), Publish("a", b"x", 1, id=1), Publish("a", b"x", 2, id=2))
    assert publisher.expect(Puback(1, FAILED)).properties.keys() <= {"reason_string"}
    reply = publisher.expect(Pubrec(2, FAILED))
    assert "secret" not in str(reply)
    publisher.expect_nothing()
    # Before 5.0 there is no way to say no but to close, so that it is sent again; QoS 0 is not.
    old.publish("a", b"x")
    old.send(Publish("a", b"x", 1, id=1))
    old.expect_closed()
    watcher.expect_nothing()
    assert (broker.hooks[0].calls, broker.hooks[0].errors) == (5, 5)
    (record,) = [record for record in caplog.records if record.name == "hookmq.hooks"]
    assert (record.levelno, record.exc_info is not None) == (logging.ERROR, True)
    # Others are not concerned, and neither is what comes afterwards.
    assert publisher.publish("b", b"y", 1) == 0
    watcher.expect_message("b", b"y", qos=1)


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_time_out_refuses(broker_factory, join, kind):
    broker = broker_factory({"hooks.decision_timeout": 0.2})
    gate = Gate()

    def slow(msg):
        gate.wait()

    async def slow_later(msg):
        await asyncio.to_thread(gate.wait)

    broker.transform("a")(slow if kind == "def" else slow_later)
    watcher = join(broker)
    watcher.subscribe("#", qos=2)
    publisher, other, old, silent = join(broker), join(broker), join(broker, version=V311), join(broker)
    publisher.send(Publish("a", b"x", 1, id=1))
    other.send(Publish("a", b"x", 2, id=1))
    old.send(Publish("a", b"x", 1, id=1))
    publisher.expect(Puback(1, FAILED))
    other.expect(Pubrec(1, FAILED))
    old.expect_closed()
    silent.publish("b", b"y", 1)  # nobody else waits
    gate.opened.set()
    watcher.expect_message("b", b"y", qos=1)
    watcher.expect_nothing()
    eventually(lambda: publisher.publish("a", b"z", 1) == 0)
    watcher.expect_message("a", b"z", qos=1)


def test_the_time_is_for_each_message_not_for_all_that_came_together(broker_factory, join):
    """A client that comes back sends what it has gathered at once."""
    broker = broker_factory({"hooks.decision_timeout": 0.4})

    @broker.transform("a")
    def slowly(msg):
        threading.Event().wait(0.01)

    publisher = join(broker)
    publisher.send(*(Publish("a", b"x", 1, id=number) for number in range(1, 101)))
    codes = [publisher.read().code for _ in range(100)]
    assert codes == [0x10] * 100


def test_a_paused_transform_refuses(broker, join, watcher):
    broker.transform("a", name="judge")(lambda msg: "changed")
    publisher = join(broker)
    broker.pause("judge")
    publisher.send(Publish("a", b"x", 1, id=1))
    answer = publisher.expect(Puback(1, FAILED))
    assert "paused" in answer.properties["reason_string"]
    broker.resume("judge")
    assert publisher.publish("a", b"x", 1) == 0
    watcher.expect_message("a", b"changed", qos=1)
    watcher.expect_nothing()


# Several hooks --------------------------------------------------------------------------------------------


def test_each_is_asked_about_what_the_one_before_left(broker, join, watcher):
    def adding(mark):
        return lambda msg: msg.text + mark

    broker.transform("a", name="one")(adding("1"))
    broker.transform("a", name="high", priority=5)(adding("h"))
    broker.transform("a", name="low", priority=-5)(adding("l"))
    broker.transform("a", name="two")(adding("2"))
    join(broker).publish("a", b"", 1)
    watcher.expect_message("a", b"h12l", qos=1)
    broker.transform("a", name="added later", priority=9)(adding("!"))
    join(broker).publish("a", b"", 1)
    watcher.expect_message("a", b"!h12l", qos=1)


def test_several_messages_are_each_asked_about(broker, join, watcher):
    @broker.transform("a", priority=2)
    def split(msg):
        return [Change(payload=word) for word in msg.text.split()]

    asked = Seen()

    @broker.transform("a", priority=1)
    def judge(msg):
        asked.append(msg.text)
        return {"drop": Drop, "twice": [None, "again"]}.get(msg.text)

    last = Seen()
    broker.transform("a")(lambda msg: last.append(msg.text))
    publisher = join(broker)
    assert publisher.publish("a", b"one drop twice", 1) == 0
    assert asked == ["one", "drop", "twice"]
    assert last == ["one", "twice", "again"]
    for text in (b"one", b"twice", b"again"):
        watcher.expect_message("a", text, qos=1)
    assert publisher.publish("a", b"drop drop", 1) == 0
    watcher.expect_nothing()
    assert len(last) == 3, "nothing was left to be asked about"


@pytest.mark.parametrize("answer", [Deny("no", code=INVALID), 5j], ids=["denied", "failed"])
def test_a_refusal_ends_the_chain_and_counts_for_all(broker, join, watcher, answer):
    @broker.transform("a", priority=2)
    def split(msg):
        return ["first", "second"]

    asked = Seen()

    @broker.transform("a", priority=1)
    def judge(msg):
        asked.append(msg.text)
        return answer if msg.text == "second" else None

    broker.transform("a")(lambda msg: asked.append("behind"))
    code = INVALID if isinstance(answer, Deny) else FAILED
    assert join(broker).publish("a", b"x", 1) == code
    watcher.expect_nothing()
    assert asked == ["first", "second"]


# What it is given -----------------------------------------------------------------------------------------


def test_what_it_is_given(broker, join):
    seen = Seen()

    @broker.transform("plant/{hall}/{tank}")
    def look(msg, client, tank, *, hall):
        seen.append((hall, tank, client.client_id, client.username, client.password, client.version))
        seen.append((msg.topic, msg.payload, msg.qos, msg.retain, msg.client_id, msg.properties))

    publisher = join(broker, "p", username="tom", password=b"pw")
    publisher.publish("plant/north/7", b"\xff", 1, retain=True, properties={"content_type": "x"})
    assert seen == [
        ("north", "7", "p", "tom", None, "5.0"),
        ("plant/north/7", b"\xff", 1, True, "p", {"content_type": "x"}),
    ]
    broker.transform("b")(lambda: seen.append("nothing"))
    publisher.publish("b", b"", 1)
    assert seen[2:] == ["nothing"]


def test_a_topic_alias_is_resolved(broker, join, watcher):
    seen = Seen()

    @broker.transform
    def look(msg):
        seen.append((msg.topic, msg.properties))
        return msg.text.upper()

    publisher = join(broker)
    publisher.publish("a", b"x", 1, properties={"topic_alias": 1})
    publisher.publish("", b"y", 1, properties={"topic_alias": 1})
    watcher.expect_message("a", b"X", qos=1)
    watcher.expect_message("a", b"Y", qos=1)
    assert seen == [("a", {}), ("a", {})]


def test_what_the_broker_publishes_is_not_asked_about(broker, watcher):
    broker.transform(lambda msg: Drop)
    broker.publish("a", "x", qos=1)
    watcher.expect_message("a", b"x", qos=1)
    assert broker.hooks[0].calls == 0


@pytest.mark.parametrize("who", ["rules", "authorize"])
def test_it_is_not_asked_about_what_is_denied(broker_factory, join, tmp_path, who):
    rules = tmp_path / "acl"
    rules.write_text("allow any publish open/#\nallow any subscribe #\n")
    settings = {"access.acl_file": str(rules)} if who == "rules" else {}
    broker = broker_factory(settings, start=False, allow_anonymous=True)
    asked = Seen()
    broker.transform(lambda msg: asked.append(msg.topic))
    broker.transform("open/move")(lambda msg: Change(topic="closed/x"))
    if who == "authorize":
        broker.authorize(lambda client, action, topic: action == "subscribe" or topic.startswith("open/"))
    broker.start()
    watcher = join(broker)
    watcher.subscribe("#", qos=1)
    publisher = join(broker)
    assert publisher.publish("closed/a", b"x", 1) == NOT_AUTHORIZED
    assert publisher.publish("open/a", b"x", 1) == 0
    assert publisher.publish("closed/a", b"x", 2) == NOT_AUTHORIZED
    watcher.expect_message("open/a", b"x", qos=1)
    # A hook may write where the client may not.
    assert publisher.publish("open/move", b"x", 1) == 0
    watcher.expect_message("closed/x", b"x", qos=1)
    assert asked == ["open/a", "open/move"]


@pytest.mark.parametrize("answer", [None, "changed", Change(retain=True)], ids=repr)
def test_a_topic_that_is_too_deep_is_refused_all_the_same(broker_factory, join, answer):
    broker = broker_factory({"limits.max_topic_levels": 3})
    broker.transform(lambda msg: answer)
    watcher = join(broker)
    watcher.subscribe("#", qos=1)
    publisher = join(broker)
    assert publisher.publish("a/b/c", b"x", 1) == 0
    watcher.expect_message("a/b/c", b"x" if answer != "changed" else b"changed", qos=1)
    assert publisher.publish("a/b/c/d", b"x", 1) == 0x90
    watcher.expect_nothing()


@pytest.mark.parametrize("answer", [None, "changed"], ids=repr)
def test_the_topics_of_the_broker_are_refused_all_the_same(broker, join, answer):
    broker.transform("$SYS/#")(lambda msg: answer)
    watcher = join(broker)
    watcher.subscribe("$SYS/mine", qos=1)
    assert join(broker).publish("$SYS/mine", b"x", 1) == NOT_AUTHORIZED
    watcher.expect_nothing()


# Retained messages and wills --------------------------------------------------------------------------------


def test_what_is_retained_is_what_came_out(broker, join):
    @broker.transform("{what}")
    def judge(msg, what):
        match what:
            case "changed":
                return "new"
            case "unretained":
                return Change(retain=False)
            case "retained":
                return Change(retain=True)
            case "dropped":
                return Drop

    publisher = join(broker)
    for what in ("kept", "changed", "unretained", "dropped"):
        publisher.publish(what, b"old", 1, retain=True)
    publisher.publish("retained", b"old", 1)
    late = join(broker)
    late.subscribe("#", qos=1)
    found = {(message.topic, message.payload, message.retain) for message in late.drain()}
    assert found == {("kept", b"old", True), ("changed", b"new", True), ("retained", b"old", True)}
    publisher.publish("changed", b"", 1, retain=True)  # it makes another of the message that is to clear it
    publisher.publish("kept", b"", 1, retain=True)
    again = join(broker)
    again.subscribe("#", qos=1)
    assert {message.topic for message in again.drain()} == {"changed", "retained"}


WILLS = [
    ("kept", None, [("will", b"gone", 1, False)]),
    ("payload", "changed", [("will", b"changed", 1, False)]),
    ("topic", Change(topic="elsewhere", qos=2, retain=True), [("elsewhere", b"gone", 2, True)]),
    ("several", [Change(topic="first"), Change(topic="second")], [("first", b"gone", 1, False)]),
    ("dropped", Drop, []),
]


@pytest.mark.parametrize("version", [V31, V311, V5])
@pytest.mark.parametrize(("name", "answer", "published"), WILLS, ids=[row[0] for row in WILLS])
def test_a_will_is_asked_about_when_its_client_connects(
    broker, join, watcher, name, answer, published, version
):
    asked = Seen()

    @broker.transform("will")
    def judge(msg, client):
        asked.append((msg.topic, msg.payload, msg.qos, client.client_id))
        return answer

    client = join(broker, "w", version=version, will=Will("will", b"gone", 1))
    assert asked == [("will", b"gone", 1, "w")]
    client.close()
    for topic, payload, qos, retain in published:
        watcher.expect_message(topic, payload, qos=qos, retain=retain)
    join(broker).publish("end", b"", 1)
    watcher.expect_message("end", b"", qos=1)
    assert len(asked) == 1, "nobody is asked when it is published"


def test_the_delay_of_a_will_stays(broker, join, watcher):
    broker.transform("will")(lambda msg: Change(payload="changed", properties={"content_type": "x"}))
    sent = {"will_delay_interval": 1, "message_expiry_interval": 60, "content_type": "old"}
    will = Will("will", b"gone", 1, properties=sent)
    client = join(broker, "w", will=will, properties={"session_expiry_interval": 60})
    client.close()
    watcher.expect_nothing(0.5)
    got = watcher.read()
    assert (got.topic, got.payload, got.properties["content_type"]) == ("will", b"changed", "x")
    assert 58 <= got.properties["message_expiry_interval"] <= 60


@pytest.mark.parametrize(
    ("answer", "code", "old", "words"),
    [
        (lambda: raising(Deny("no such will")), NOT_AUTHORIZED, 5, "no such will"),
        (lambda: Deny("no such will"), NOT_AUTHORIZED, 5, "no such will"),
        # [MQTT-3.2.2-6] of 3.1.1: there is no return code for it
        (lambda: raising(Deny("no such will", code=INVALID)), INVALID, None, "no such will"),
        (lambda: raising(ValueError("secret")), FAILED, None, None),
        (lambda: 5j, FAILED, None, None),
    ],
    ids=["denied", "denial returned", "denied with a code", "raises", "wrong"],
)
def test_a_will_that_is_refused_refuses_its_client(broker, join, watcher, answer, code, old, words):
    connected = Seen()
    broker.on_client_connected(lambda client: connected.append(client.client_id))
    broker.transform("will")(lambda msg: answer())
    client = join(broker, "w", code=code, will=Will("will", b"gone", 1))
    why = client.connack.properties.get("reason_string", "")
    assert "secret" not in why and (words is None or why == words)
    client.expect_closed()
    if old is None:
        with pytest.raises(Closed):
            join(broker, "w3", version=V311, will=Will("will", b"gone", 1))
    else:
        join(broker, "w3", version=V311, code=old, will=Will("will", b"gone", 1)).expect_closed()
    watcher.expect_nothing()
    assert broker.wait_for_hooks()
    assert connected == []


# Order ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [V311, V5])
def test_the_order_of_a_client_stays_when_only_some_match(broker, join, watcher, version):
    @broker.transform("t/#")
    def slowly(msg):
        if int(msg.payload) % 50 == 0:
            threading.Event().wait(0.02)
        return msg.payload + b"!"

    publisher = join(broker, version=version)
    sent = []
    for number in range(600):
        qos = number % 3
        topic = "t/x" if number % 5 in (0, 3) else "n/x"
        sent.append(Publish(topic, b"%d" % number, qos, id=number + 1 if qos else None))
    sender = threading.Thread(target=publisher.send, args=sent)  # it must not wait for who reads
    sender.start()
    for number in range(600):
        topic = "t/x" if number % 5 in (0, 3) else "n/x"
        payload = b"%d" % number + (b"!" if topic == "t/x" else b"")
        watcher.acknowledge(watcher.expect(Publish(topic, payload, number % 3)))
    sender.join()
    answered = [publisher.read() for _ in range(400)]
    assert [(type(one), one.id) for one in answered] == [
        (Puback if one.qos == 1 else Pubrec, one.id) for one in sent if one.qos
    ]


def test_what_comes_behind_waits_and_comes_in_its_order(broker, join):
    gate = Gate()

    @broker.transform("slow")
    def slow(msg):
        gate.wait()

    client = join(broker)
    client.subscribe("old", qos=1)
    client.send(
        Publish("slow", b"1", 1, id=1),
        Subscribe(2, [subscription("slow", 1)]),
        Publish("old", b"2", 1, id=3),
        Unsubscribe(4, ["old"]),
        Publish("old", b"3", 1, id=5),
        Publish("slow", b"4", 2, id=6),
        Pubrel(6),
        Pingreq(),
    )
    assert gate.entered.wait(DEADLINE)
    with pytest.raises(AssertionError):
        client.read(0.1)
    gate.opened.set()
    client.expect(Puback(1, 0x10))
    client.expect(Suback(2, [1]))
    got = [client.read() for _ in range(7)]
    own = [one for one in got if isinstance(one, Publish)]
    assert [(one.topic, one.payload) for one in own] == [("old", b"2"), ("slow", b"4")]
    assert [one for one in got if not isinstance(one, Publish)] == [
        Puback(3, 0),
        Unsuback(4, [0]),
        Puback(5, 0x10),
        Pubrec(6, 0),
        Pubcomp(6, 0),
    ]
    client.expect(Pingresp())


def test_a_disconnect_behind_a_publish_waits_for_it(broker, join, watcher):
    gate = Gate()

    @broker.transform("slow")
    def slow(msg):
        gate.wait()
        return "changed"

    client = join(broker, will=Will("will", b"gone"))
    client.send(Publish("slow", b"1", 1, id=1), Publish("next", b"2"), Disconnect())
    assert gate.entered.wait(DEADLINE)
    gate.opened.set()
    client.expect_closed(Puback(1))
    watcher.expect_message("slow", b"changed", qos=1)
    watcher.expect_message("next", b"2")
    watcher.expect_nothing()


def test_a_client_that_goes_meanwhile(broker, join, watcher):
    gate = Gate()

    @broker.transform("slow")
    def slow(msg):
        gate.wait()

    client = join(broker, "c")
    client.send(Publish("slow", b"1", 1, id=1))
    assert gate.entered.wait(DEADLINE)
    again = join(broker, "c")  # takes its own session over
    client.expect_closed(Disconnect(0x8E))
    gate.opened.set()
    assert again.publish("slow", b"2", 1) == 0
    got = [one.payload for one in watcher.drain()]
    assert got in ([b"1", b"2"], [b"2"])


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("version", [V311, V5])
def test_a_qos_2_message_that_comes_twice_is_asked_about_once(broker, join, watcher, together, version):
    asked = Seen()

    @broker.transform("a")
    def count(msg):
        asked.append(msg.text)
        return f"{msg.text} {len(asked)}"

    publisher = join(broker, version=version)
    publisher.send(Publish("a", b"x", 2, id=1), *([Publish("a", b"x", 2, dup=True, id=1)] * together))
    publisher.expect(Pubrec(1))
    if not together:
        publisher.send(Publish("a", b"x", 2, dup=True, id=1))
    publisher.expect(Pubrec(1))
    publisher.send(Pubrel(1))
    publisher.expect(Pubcomp(1))
    watcher.expect_message("a", b"x 1", qos=2)
    watcher.expect_nothing()
    assert asked == ["x"]
    publisher.send(Publish("a", b"y", 2, id=1))  # released, so it is another
    publisher.expect(Pubrec(1))
    watcher.expect_message("a", b"y 2", qos=2)


def test_a_qos_2_message_is_not_asked_about_again_on_the_next_connection(broker, join, watcher):
    asked = Seen()
    broker.transform("a")(lambda msg: asked.append(msg.text))
    expiry = {"session_expiry_interval": 60}
    first = join(broker, "p", properties=expiry)
    first.send(Publish("a", b"x", 2, id=1))
    first.expect(Pubrec(1))
    first.close()
    again = join(broker, "p", clean=False, properties=expiry)
    assert again.connack.session_present
    again.send(Publish("a", b"x", 2, dup=True, id=1))
    again.expect(Pubrec(1))
    again.send(Pubrel(1))
    again.expect(Pubcomp(1))
    watcher.expect_message("a", b"x", qos=2)
    watcher.expect_nothing()
    assert asked == ["x"]


# Together ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_twenty_clients_at_once(broker, join, kind):
    def mark(msg, client):
        return f"{msg.text} {client.client_id}"

    async def mark_later(msg, client):
        await asyncio.sleep(0.001)
        return mark(msg, client)

    broker.transform("c/#")(mark if kind == "def" else mark_later)
    watcher = join(broker)
    watcher.subscribe("#", qos=1)
    publishers = [join(broker, f"c{index}") for index in range(20)]
    for index, publisher in enumerate(publishers):
        publisher.send(*(Publish(f"c/{index}", b"%d" % n, 1, id=n + 1) for n in range(50)))
    got: dict[str, list[str]] = {}
    for _ in range(1000):
        message = watcher.read()
        watcher.send(Puback(message.id))
        got.setdefault(message.topic, []).append(message.payload.decode())
    assert got == {f"c/{i}": [f"{n} c{i}" for n in range(50)] for i in range(20)}
    for publisher in publishers:
        for number in range(50):
            publisher.expect(Puback(number + 1))
    assert (broker.hooks[0].calls, broker.hooks[0].errors) == (1000, 0)


def test_a_slow_answer_delays_only_who_waits_for_it(broker, join, watcher):
    gate = Gate()

    @broker.transform("slow")
    def slow(msg):
        gate.wait()

    slow_one, other = join(broker), join(broker)
    slow_one.send(Publish("slow", b"1", 1, id=1))
    assert gate.entered.wait(DEADLINE)
    assert other.publish("quick", b"2", 2) == 0
    watcher.expect_message("quick", b"2", qos=2)
    gate.opened.set()
    slow_one.expect(Puback(1))
    watcher.expect_message("slow", b"1", qos=1)


CELL = """
@broker.transform("a")
def judge(msg):
    wait(msg)
    return mark
"""


def test_nothing_slips_through_while_a_hook_is_replaced(broker_factory, join, redefine):
    """What waits for an answer is asked about, by the old function or by the new one."""
    broker = broker_factory({"hooks.decision_threads": 1})
    gate = Gate()
    watcher = join(broker)
    watcher.subscribe("#", qos=1)
    redefine(broker, CELL, mark="old", wait=lambda msg: gate.wait())
    first, second = join(broker), join(broker)
    first.send(Publish("a", b"raw 1", 1, id=1))
    assert gate.entered.wait(DEADLINE)
    second.send(Publish("a", b"raw 2", 1, id=1))
    third = join(broker)
    third.publish("b", b"", 1)  # what was sent before has been read by now
    watcher.expect_message("b", b"", qos=1)
    redefine(broker, CELL, mark="new", wait=lambda msg: None)
    gate.opened.set()
    first.expect(Puback(1))
    second.expect(Puback(1))
    assert {one.payload for one in watcher.drain()} <= {b"old", b"new"}


# With what else there is ------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [None, "changed"], ids=repr)
def test_a_publisher_is_held_while_a_queue_is_full(broker_factory, join, answer):
    """What a hook has changed needs room as well."""
    settings = {
        "limits.queue_policy": "hold",
        "limits.max_queued_messages": 5,
        "limits.hold_timeout": 0.2,
    }
    broker = broker_factory(settings)
    broker.transform("a")(lambda msg: answer)
    sleeper = join(broker, "s", properties={"session_expiry_interval": 60})
    sleeper.subscribe("a", qos=1)
    sleeper.close()
    eventually(lambda: broker.statistics["clients_connected"] == 0)
    publisher = join(broker)
    codes = [publisher.publish("a", b"x", 1) for _ in range(8)]
    assert codes == [0] * 5 + [0x97] * 3


def test_with_authorize_and_without(broker, join, watcher):
    """The publishes of one client stay in order when each is asked about by two kinds of hooks."""
    broker.authorize(lambda client, action, topic: None)
    broker.transform("t/#")(lambda msg: msg.text + "!")
    publisher = join(broker)
    publisher.send(*(Publish(f"{'tn'[n % 2]}/x", b"%d" % n, 1, id=n + 1) for n in range(100)))
    for number in range(100):
        text = b"%d" % number + (b"!" if number % 2 == 0 else b"")
        watcher.expect_message(f"{'tn'[number % 2]}/x", text, qos=1)


def test_paho_does_not_notice(broker):
    @broker.transform("raw/{tank}")
    def celsius(msg, tank):
        return Change(topic=f"celsius/{tank}", payload={"celsius": (float(msg.text) - 32) / 1.8})

    with Device(broker) as device:
        device.subscribe("celsius/#", 2)
        assert device.publish("raw/7", "212", 2) == 0
        message = device.receive()
    assert (message.topic, message.payload) == ("celsius/7", b'{"celsius":100.0}')
