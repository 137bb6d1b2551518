"""What each subscriber gets of a message, decided one by one."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from hookmq import Change, Deny, Drop, Message

from ..protocol.packets import (
    V5,
    V31,
    V311,
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
from ..protocol.wire import Late
from .helpers import DEADLINE, Gate, Seen, eventually


def raising(error: BaseException) -> Any:
    raise error


# For each subscriber ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize("version", [V31, V311, V5])
def test_each_subscriber_gets_its_own(broker, join, lost, kind, version):
    def judge(msg, client, room):
        match client.client_id:
            case "changed":
                return {**msg.json(), "room": room}
            case "withheld":
                return False
            case "true":
                return True

    async def judge_later(msg, client, room):
        await asyncio.sleep(0)
        return judge(msg, client, room)

    broker.on_deliver("room/{room}", name="judge")(judge if kind == "def" else judge_later)
    readers = {name: join(broker, name, version=version) for name in ("none", "true", "changed", "withheld")}
    for reader in readers.values():
        reader.subscribe("room/#", qos=2)
    publisher = join(broker, "p")
    for qos in (0, 1, 2):
        assert publisher.publish("room/7", b'{"level":1}', qos) == 0
    assert broker.wait_for_hooks()
    for name, payload in (
        ("none", b'{"level":1}'),
        ("true", b'{"level":1}'),
        ("changed", b'{"level":1,"room":"7"}'),
    ):
        for qos in (0, 1, 2):
            readers[name].expect_message("room/7", payload, qos=qos)
    readers["withheld"].expect_nothing()
    assert lost.until(3) == [("room/7", "withheld", "a hook decided so")] * 3
    judge_info = broker.hooks[1]
    assert (judge_info.kind, judge_info.calls, judge_info.errors) == ("on_deliver", 12, 0)


ANSWERS = [
    ("True", True, [("a", b"old", 1, {})]),
    ("False", False, []),
    ("Drop", Drop, []),
    ("Drop()", Drop(), []),
    ("[]", [], []),
    ("bytes", b"new", [("a", b"new", 1, {})]),
    ("text", "nëw", [("a", "nëw".encode(), 1, {})]),
    ("dict", {"a": 1}, [("a", b'{"a":1}', 1, {})]),
    ("number", 0, [("a", b"0", 1, {})]),
    ("payload", Change(payload=None), [("a", b"", 1, {})]),
    ("topic", Change(topic="b"), [("b", b"old", 1, {})]),
    ("lower QoS", Change(qos=0), [("a", b"old", 0, {})]),
    ("higher QoS", Change(qos=2), [("a", b"old", 2, {})]),
    ("properties", Change(properties={"content_type": "x"}), [("a", b"old", 1, {"content_type": "x"})]),
    ("a message", Message("c", b"own", qos=1), [("c", b"own", 1, {})]),
    ("the first of several", ["one", "two"], [("a", b"one", 1, {})]),
]


@pytest.mark.parametrize(("name", "answer", "got"), ANSWERS, ids=[row[0] for row in ANSWERS])
def test_answers(broker, join, name, answer, got):
    broker.on_deliver("a")(lambda msg, client: answer)
    reader = join(broker)
    reader.subscribe("a", qos=2)
    publisher = join(broker)
    assert publisher.publish("a", b"old", 1) == 0
    for topic, payload, qos, properties in got:
        reader.expect_message(topic, payload, qos=qos, properties=properties)
    reader.expect_nothing()
    # The publisher, the observers and who comes later have the message that was published.
    assert [row.payload for row in broker.history("a")] == [b"old"]


WRONG = [
    ("raises", lambda: raising(ValueError("x"))),
    ("exits", lambda: raising(SystemExit(1))),
    ("an object", object),
    ("a topic with a wildcard", lambda: Change(topic="a/#")),
    ("no QoS", lambda: Change(qos=7)),
    ("no JSON", lambda: Change(payload=object())),
]


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize(("name", "answer"), WRONG, ids=[row[0] for row in WRONG])
def test_what_fails_withholds(broker, join, lost, caplog, name, answer, kind):
    def judge(msg, client):
        return answer() if client.client_id == "bad" else None

    async def judge_later(msg, client):
        await asyncio.sleep(0)
        return judge(msg, client)

    broker.on_deliver("a", name="judge")(judge if kind == "def" else judge_later)
    bad, good = join(broker, "bad"), join(broker, "good")
    bad.subscribe("#", qos=1)
    good.subscribe("#", qos=1)
    publisher = join(broker)
    assert publisher.publish("a", b"x", 1) == 0, "it was decided: it need not come again"
    good.expect_message("a", b"x", qos=1)
    assert publisher.publish("b", b"y", 1) == 0
    bad.expect_message("b", b"y", qos=1)
    assert lost.until(1) == [("a", "bad", "a hook failed")]
    assert (broker.hooks[1].calls, broker.hooks[1].errors) == (2, 1)
    (record,) = [record for record in caplog.records if record.name == "hookmq.hooks"]
    assert (record.levelno, record.exc_info is not None) == (logging.ERROR, True)


@pytest.mark.parametrize("how", ["raised", "returned"])
def test_deny_withholds(broker, join, lost, how):
    denial = Deny("not for you")
    broker.on_deliver("a")(lambda msg: raising(denial) if how == "raised" else denial)
    reader = join(broker, "r")
    reader.subscribe("a", qos=1)
    assert join(broker).publish("a", b"x", 1) == 0
    reader.expect_nothing()
    assert lost.until(1) == [("a", "r", "a hook decided so")]
    assert broker.hooks[1].errors == 0


def test_a_paused_hook_withholds(broker, join, lost):
    broker.on_deliver("a", name="judge")(lambda msg: None)
    reader = join(broker, "r")
    reader.subscribe("a", qos=1)
    broker.pause("judge")
    publisher = join(broker)
    assert publisher.publish("a", b"1", 1) == 0
    assert lost.until(1) == [("a", "r", "the hook that decides about it is paused")]
    broker.resume("judge")
    assert publisher.publish("a", b"2", 1) == 0
    reader.expect_message("a", b"2", qos=1)


def test_what_it_is_given(broker, join):
    seen = Seen()

    @broker.on_deliver("plant/{tank}")
    def judge(msg, client, tank):
        seen.append((tank, msg.topic, msg.payload, msg.qos, msg.retain, msg.client_id, msg.properties))
        seen.append((client.client_id, client.username, client.password, client.version))

    reader = join(broker, "r", username="tom", password=b"pw", version=V311)
    reader.subscribe("plant/+", qos=0)
    publisher = join(broker, "p")
    publisher.publish("plant/7", b"\xff", 2, properties={"content_type": "x"})
    assert seen == [
        ("7", "plant/7", b"\xff", 2, False, "p", {"content_type": "x"}),
        ("r", "tom", None, "3.1.1"),
    ]
    broker.on_deliver("b")(lambda: seen.append("nothing"))
    reader.subscribe("b")
    publisher.publish("b", b"", 1)
    assert seen[2:] == ["nothing"]


def test_each_hook_is_asked_about_what_the_one_before_left(broker, join):
    broker.on_deliver("a", name="one")(lambda msg: msg.text + "1")
    broker.on_deliver("a", name="high", priority=5)(lambda msg: msg.text + "h")
    broker.on_deliver("a", name="low", priority=-5)(lambda msg: msg.text + "l")
    broker.on_deliver("stop", priority=1)(lambda msg: False)
    behind = Seen()
    broker.on_deliver("stop")(lambda msg: behind.append(msg))
    reader = join(broker)
    reader.subscribe("#", qos=1)
    publisher = join(broker)
    publisher.publish("a", b"", 1)
    publisher.publish("stop", b"", 1)
    reader.expect_message("a", b"h1l", qos=1)
    reader.expect_nothing()
    assert behind == []


# Which deliveries -------------------------------------------------------------------------------------------


def test_nobody_is_asked_when_nobody_reads(broker, join):
    broker.on_deliver("#")(lambda msg: None)
    assert join(broker).publish("a", b"x", 1) == 0x10
    assert broker.hooks[0].calls == 0


def test_a_subscriber_with_several_subscriptions_is_asked_about_once(broker, join):
    broker.on_deliver("a/#")(lambda msg: "changed")
    reader = join(broker)
    reader.subscribe("a/+", qos=0, subscription_identifier=1)
    reader.subscribe("a/#", qos=2, subscription_identifier=2)
    assert join(broker).publish("a/b", b"x", 2) == 0
    reader.expect_message("a/b", b"changed", qos=2, properties={"subscription_identifier": [1, 2]})
    reader.expect_nothing()
    assert broker.hooks[0].calls == 1


def test_no_local_is_not_asked_about(broker, join):
    asked = Seen()
    broker.on_deliver("a")(lambda msg, client: asked.append(client.client_id))
    own, other = join(broker, "own"), join(broker, "other")
    own.subscribe(subscription("a", 1, no_local=True))
    other.subscribe("a", qos=1)
    assert own.publish("a", b"x", 1) == 0
    other.expect_message("a", b"x", qos=1)
    own.expect_nothing()
    assert asked == ["other"]


def test_a_shared_subscription_is_asked_about_for_the_one_that_gets_it(broker, join, lost):
    asked = Seen()

    @broker.on_deliver("a")
    def judge(msg, client):
        asked.append(client.client_id)
        return f"{msg.text} for {client.client_id}" if msg.text != "no" else False

    members = {name: join(broker, name) for name in ("m1", "m2", "m3")}
    for member in members.values():
        member.subscribe("$share/g/a", qos=1)
    single = join(broker, "single")
    single.subscribe("a", qos=1)
    publisher = join(broker)
    for number in range(30):
        assert publisher.publish("a", b"%d" % number, 1) == 0
    got = [(name, one.payload.decode()) for name, member in members.items() for one in member.drain()]
    assert sorted(int(text.split()[0]) for _, text in got) == list(range(30))
    assert all(text.endswith(f" for {name}") for name, text in got)
    assert len(single.drain()) == 30
    assert sorted(set(asked)) == ["m1", "m2", "m3", "single"] and len(asked) == 60
    # What is withheld from one of a group goes to no other of it.
    assert publisher.publish("a", b"no", 1) == 0
    assert len(lost.until(2)) == 2
    assert [member.drain() for member in members.values()] == [[], [], []]


@pytest.mark.parametrize("version", [V311, V5])
def test_retained_messages_are_asked_about(broker, join, lost, version):
    @broker.on_deliver("a/{what}")
    def judge(msg, client, what):
        return {"changed": "new", "withheld": False}.get(what)

    publisher = join(broker)
    for what in ("kept", "changed", "withheld"):
        publisher.publish(f"a/{what}", b"old", 1, retain=True)
    publisher.publish("b", b"old", 1, retain=True)  # nobody decides about this one
    reader = join(broker, "r", version=version)
    reader.send(Subscribe(1, [subscription("#", 1)]))
    reader.expect(Suback(1, [1]))
    assert broker.wait_for_hooks()
    got = {(one.topic, one.payload, one.qos, one.retain) for one in reader.drain()}
    assert got == {("a/kept", b"old", 1, True), ("a/changed", b"new", 1, True), ("b", b"old", 1, True)}
    assert lost.until(1) == [("a/withheld", "r", "a hook decided so")]
    with broker.subscribe("a/changed") as messages:
        assert messages.get(timeout=DEADLINE).payload == b"old", "what is kept is what was published"


def test_retain_as_published(broker, join):
    broker.on_deliver("a")(lambda msg: "new")
    plain, asking = join(broker), join(broker)
    plain.subscribe("a", qos=1)
    asking.subscribe(subscription("a", 1, retain_as_published=True))
    join(broker).publish("a", b"old", 1, retain=True)
    plain.expect_message("a", b"new", qos=1, retain=False)
    asking.expect_message("a", b"new", qos=1, retain=True)


def test_a_session_without_a_connection(broker, join, lost):
    asked = Seen()

    @broker.on_deliver("a")
    def judge(msg, client):
        asked.append((client.client_id, client.username))
        return msg.text + "!"

    expiry = {"session_expiry_interval": 60}
    sleeper = join(broker, "s", username="tom", properties=expiry)
    sleeper.subscribe("a", qos=1)
    sleeper.close()
    eventually(lambda: broker.statistics["clients_connected"] == 0)
    publisher = join(broker)
    assert publisher.publish("a", b"1", 1) == 0
    publisher.publish("a", b"2", 0)
    assert lost.until(1) == [("a", "s", "QoS 0, and the client is not connected")]
    again = join(broker, "s", username="tom", clean=False, properties=expiry)
    again.expect_message("a", b"1!", qos=1)
    again.expect_nothing()
    assert asked == [("s", "tom")] * 2, "not again when it is sent"


def test_a_will_and_what_the_broker_publishes(broker, join):
    broker.on_deliver("#")(lambda msg: f"{msg.text} from {msg.client_id or 'the broker'}")
    reader = join(broker)
    reader.subscribe("#", qos=1)
    broker.publish("a", "1", qos=1)
    reader.expect_message("a", b"1 from the broker", qos=1)
    join(broker, "w", will=Will("will", b"gone", 1)).close()
    reader.expect_message("will", b"gone from w", qos=1)


def test_on_message_sent_and_acked_have_what_was_sent(broker, join):
    seen = Seen()
    broker.on_message_sent("a")(lambda msg: seen.append(("sent", msg.client_id, msg.payload)))
    broker.on_message_acked("a")(lambda msg: seen.append(("acked", msg.client_id, msg.payload)))
    broker.on_deliver("a")(lambda msg, client: client.client_id)
    readers = [join(broker, name) for name in ("r1", "r2")]
    for reader in readers:
        reader.subscribe("a", qos=1)
    join(broker).publish("a", b"x", 1)
    for reader in readers:
        reader.expect_message("a", reader.client_id.encode(), qos=1)
    assert set(seen.until(4)) == {
        (what, name, name.encode()) for what in ("sent", "acked") for name in ("r1", "r2")
    }


# The publisher ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [V311, V5])
def test_the_acknowledgement_waits_for_the_answer(broker, join, version):
    gate = Gate()

    @broker.on_deliver("slow")
    def judge(msg, client):
        gate.wait()
        return "changed"

    reader = join(broker)
    reader.subscribe("#", qos=2)
    publisher = join(broker, version=version)
    publisher.send(
        Publish("slow", b"1", 1, id=1), Publish("slow", b"2", 2, id=2), Publish("quick", b"3", 1, id=3)
    )
    assert gate.entered.wait(DEADLINE)
    with pytest.raises(Late):
        publisher.read(0.2)
    publisher.ping()  # it waits for nothing else
    reader.expect_message("quick", b"3", qos=1)
    gate.opened.set()
    publisher.expect(Puback(1))
    publisher.expect(Pubrec(2))
    publisher.expect(Puback(3))
    publisher.send(Pubrel(2))
    publisher.expect(Pubcomp(2))
    reader.expect_message("slow", b"changed", qos=1)
    reader.expect_message("slow", b"changed", qos=2)


def test_the_broker_itself_does_not_wait(broker, join):
    gate = Gate()

    @broker.on_deliver("a")
    def judge(msg):
        gate.wait()

    reader = join(broker)
    reader.subscribe("a", qos=1)
    broker.publish("a", "x", qos=1)
    assert gate.entered.wait(DEADLINE)
    gate.opened.set()
    reader.expect_message("a", b"x", qos=1)
