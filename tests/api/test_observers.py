"""What observers are told, under which conditions, in which order, on which threads, and what they count."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from typing import Any

import pytest

from hookmq import HookMQError
from hookmq.hooks.hook import HookInfo

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
    Unsubscribe,
    subscription,
)
from .helpers import DEADLINE, Gate, Seen, eventually

EXPIRY = {"session_expiry_interval": 60}


def told(broker: Any, seen: Seen) -> list[Any]:
    """What hooks were told by now."""
    assert broker.wait_for_hooks()
    return list(seen)


def gone(broker: Any) -> None:
    """Wait until no client is connected."""
    eventually(lambda: broker.statistics["clients_connected"] == 0)


# on_message_acked -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize("version", [V31, V311, V5])
def test_acked_with_qos_1(broker, join, version, kind):
    seen = Seen()

    def acked(msg, room):
        seen.append((msg.client_id, msg.publisher, room, msg.payload, msg.qos, msg.packet_id))

    async def acked_later(msg, room):
        await asyncio.sleep(0)
        acked(msg, room)

    broker.on_message_acked("a/{room}")(acked if kind == "def" else acked_later)
    reader, publisher = join(broker, "r", version=version), join(broker, "p")
    reader.subscribe("#", qos=2)
    publisher.publish("a/1", b"x", 1)
    message = reader.expect(Publish("a/1", b"x", 1))
    publisher.publish("b", b"not asked for", 1)
    reader.expect_message("b", b"not asked for", qos=1)
    reader.ping()
    assert told(broker, seen) == []
    reader.send(Puback(message.id), Puback(message.id), Puback(999))
    assert seen.until(1) == [("r", "p", "1", b"x", 1, message.id)]
    reader.ping()
    assert len(told(broker, seen)) == 1


@pytest.mark.parametrize("version", [V311, V5])
def test_acked_with_qos_2(broker, join, version):
    seen = Seen()
    broker.on_message_acked(lambda msg: seen.append((msg.client_id, msg.payload, msg.qos, msg.packet_id)))
    reader = join(broker, "r", version=version)
    reader.subscribe("a", qos=2)
    broker.publish("a", "x", qos=2)
    message = reader.expect(Publish("a", b"x", 2))
    reader.send(Pubrec(message.id))
    reader.expect(Pubrel(message.id))
    reader.ping()
    assert told(broker, seen) == [], "only to the end"
    reader.send(Pubcomp(message.id))
    assert seen.until(1) == [("r", b"x", 2, message.id)]


def test_what_is_not_acknowledged(broker, join):
    seen = Seen()
    broker.on_message_acked(seen.append)
    reader = join(broker, "r")
    reader.subscribe("a", qos=2)
    broker.publish("a", "QoS 0")
    reader.expect_message("a", b"QoS 0")
    broker.publish("a", "refused", qos=2)
    message = reader.expect(Publish("a", b"refused", 2))
    reader.send(Pubrec(message.id, 0x80))
    reader.ping()
    assert told(broker, seen) == []


def test_acked_on_the_next_connection(broker, join):
    seen = Seen()
    broker.on_message_acked(lambda msg: seen.append((msg.client_id, msg.payload)))
    reader = join(broker, "r", properties=EXPIRY)
    reader.subscribe("a", qos=2)
    broker.publish("a", "1", qos=1)
    broker.publish("a", "2", qos=2)
    one, two = reader.expect(Publish("a", b"1", 1)), reader.expect(Publish("a", b"2", 2))
    reader.send(Pubrec(two.id))
    reader.expect(Pubrel(two.id))
    reader.close()
    gone(broker)
    again = join(broker, "r", clean=False, properties=EXPIRY)
    again.expect(Pubrel(two.id))
    again.expect(Publish("a", b"1", 1, dup=True, id=one.id))
    again.send(Pubcomp(two.id), Puback(one.id))
    assert seen.until(2) == [("r", b"2"), ("r", b"1")]


def test_acked_once_for_each_receiver(broker, join):
    seen = Seen()
    broker.on_message_acked(lambda msg: seen.append(msg.client_id))
    readers = [join(broker, f"r{index}") for index in range(5)]
    for reader in readers:
        reader.subscribe("a", qos=1)
    broker.publish("a", "x", qos=1, retain=True)
    for reader in readers:
        reader.expect_message("a", b"x", qos=1)
    late = join(broker, "late")
    late.subscribe("a", qos=1)
    late.expect_message("a", b"x", qos=1, retain=True)
    assert sorted(seen.until(6)) == ["late", "r0", "r1", "r2", "r3", "r4"]


# on_message_dropped -----------------------------------------------------------------------------------------


@pytest.fixture
def watch(broker_factory):
    """`watch(settings)` starts a broker, and returns it with what `on_message_dropped` is told."""

    def watch(settings: dict[str, Any] | None = None) -> tuple[Any, Seen]:
        broker, seen = broker_factory(settings), Seen()

        @broker.on_message_dropped("a/{level}")
        def lost(msg, client_id, reason, level):
            seen.append((msg.text, client_id, reason))

        return broker, seen

    return watch


def test_dropped_with_qos_0_for_a_client_that_is_gone(watch, join):
    broker, seen = watch()
    reader = join(broker, "r", properties=EXPIRY)
    reader.subscribe("#", qos=1)
    reader.close()
    gone(broker)
    broker.publish("a/1", "x")
    broker.publish("b", "not asked for")
    broker.publish("a/1", "kept", qos=1)
    assert told(broker, seen) == [("x", "r", "QoS 0, and the client is not connected")]


@pytest.fixture
def idle(watch, join):
    """A broker, what was dropped, and a client that does not read: three QoS 0 messages wait for it."""
    broker, seen = watch({"limits.max_queued_messages": 3, "limits.max_outbox_bytes": 1 << 16})
    reader = join(broker, "r", properties=EXPIRY)
    reader.subscribe("a/#", qos=1)
    sent = 0
    while not seen:
        broker.publish("a/1", f"{sent}".ljust(1 << 16))
        sent += 1
        assert broker.wait_for_hooks() and sent < 10_000
    return broker, seen, reader, sent


def test_dropped_from_a_full_queue(idle, join):
    """The oldest QoS 0 messages make room for newer ones, and for those that must be kept."""
    broker, seen, _, sent = idle
    ((text, *rest),) = seen
    lost = int(text)
    assert (lost, rest) == (sent - 4, ["r", "the queue is full"])
    broker.publish("a/1", "must be kept", qos=1)
    broker.publish("a/1", "new")
    assert [int(text) for text, *_ in told(broker, seen)[1:]] == [lost + 1, lost + 2]


def test_dropped_with_the_connection(idle):
    """QoS 0 messages that wait are in no session."""
    broker, seen, reader, sent = idle
    reader.close()
    gone(broker)
    assert [int(text) for text, *_ in seen.until(4)[1:]] == [sent - 3, sent - 2, sent - 1]


def test_dropped_because_it_expired(watch, join):
    broker, seen = watch()
    reader = join(broker, "r", properties=EXPIRY)
    reader.subscribe("a/#", qos=1)
    reader.close()
    gone(broker)
    broker.publish("a/1", "short", qos=1, properties={"message_expiry_interval": 1})
    broker.publish("a/1", "long", qos=1, properties={"message_expiry_interval": 60})
    began = time.monotonic()
    eventually(lambda: time.monotonic() > began + 1.1)
    again = join(broker, "r", clean=False, properties=EXPIRY)
    message = again.read()
    assert message.payload == b"long"
    assert seen.until(1) == [("short", "r", "it has expired")]


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_dropped_because_it_is_too_large(watch, join, qos):
    broker, seen = watch()
    reader = join(broker, "r", properties={"maximum_packet_size": 100})
    reader.subscribe("a/#", qos=2)
    other = join(broker, "other")
    other.subscribe("a/#", qos=2)
    broker.publish("a/1", "x" * 200, qos=qos)
    broker.publish("a/1", "small", qos=qos)
    reader.expect_message("a/1", b"small", qos=qos)
    other.expect_message("a/1", b"x" * 200, qos=qos)
    assert told(broker, seen) == [("x" * 200, "r", "it is larger than the client takes")]


def test_dropped_because_nobody_of_a_group_can_take_it(watch, join):
    broker, seen = watch()
    member = join(broker, "m", properties=EXPIRY)
    member.subscribe("$share/g/a/#", qos=0)
    member.close()
    gone(broker)
    broker.publish("a/1", "x")
    assert told(broker, seen) == [("x", "", "nobody of the shared group can take it")]


def test_dropped_by_a_hook(watch, join):
    broker, seen = watch()
    broker.on_deliver("a/no")(lambda msg: False)
    reader = join(broker, "r")
    reader.subscribe("a/#", qos=1)
    assert join(broker).publish("a/no", b"x", 1) == 0
    assert seen.until(1) == [("x", "r", "a hook decided so")]


@pytest.mark.parametrize("taken", [0, 1, 2, 3])
def test_dropped_takes_as_many_arguments_as_it_wants(broker, join, taken):
    seen = Seen()
    takers: list[Any] = [
        lambda: seen.append(()),
        lambda msg: seen.append((msg.text,)),
        lambda msg, client_id: seen.append((msg.text, client_id)),
        lambda msg, client_id, reason: seen.append((msg.text, client_id, reason)),
    ]
    broker.on_message_dropped("a")(takers[taken])
    reader = join(broker, "r", properties=EXPIRY)
    reader.subscribe("a", qos=1)
    reader.close()
    gone(broker)
    broker.publish("a", "x")
    assert seen.until(1) == [("x", "r", "QoS 0, and the client is not connected")[:taken]]


# on_subscribed and on_unsubscribed --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize("version", [V31, V311, V5])
def test_subscribed(broker, join, version, kind):
    seen = Seen()

    def subscribed(client, filter, qos):
        seen.append(("subscribed", client.client_id, client.username, filter, qos))

    async def subscribed_later(client, filter, qos):
        subscribed(client, filter, qos)

    broker.on_subscribed(subscribed if kind == "def" else subscribed_later)
    broker.on_unsubscribed(lambda client, filter: seen.append(("unsubscribed", client.client_id, filter)))
    wire = join(broker, "c", version=version, username="tom")
    wire.subscribe(("a/+", 1), ("#", 2))
    seen.until(2)
    wire.subscribe("a/+", qos=0)  # in the place of what was there
    seen.until(3)
    wire.unsubscribe("a/+")
    assert seen.until(4) == [
        ("subscribed", "c", "tom", "a/+", 1),
        ("subscribed", "c", "tom", "#", 2),
        ("subscribed", "c", "tom", "a/+", 0),
        ("unsubscribed", "c", "a/+"),
    ]


def test_what_is_granted_is_told_and_what_is_refused_is_not(broker, join):
    seen = Seen()
    broker.on_subscribed(lambda client, filter, qos: seen.append((filter, qos)))
    broker.on_unsubscribed(lambda client, filter: seen.append(filter))
    broker.on_subscribe(lambda client, filter, qos: {"low": 0, "no": False}.get(filter))
    wire = join(broker)
    pairs = [
        subscription("low", 2),
        subscription("no", 1),
        subscription("$share/g/x", 1),
        subscription("a/#/b", 1),
    ]
    wire.send(Subscribe(1, pairs))
    wire.expect(Suback(1, [0, 0x87, 1, 0x8F]))
    wire.send(Unsubscribe(2, ["no", "never", "$share/g/x", "low"]))
    assert wire.read().codes == [0x11, 0x11, 0, 0]
    assert seen.until(4) == [("low", 0), ("$share/g/x", 1), "$share/g/x", "low"]


def test_they_take_as_many_arguments_as_they_want(broker, join):
    seen = Seen()
    broker.on_subscribed(lambda: seen.append(0))
    broker.on_subscribed(lambda client: seen.append(1))
    broker.on_subscribed(lambda client, filter: seen.append(2))
    broker.on_subscribed(lambda *everything: seen.append(len(everything)))
    broker.on_unsubscribed(lambda *everything: seen.append(len(everything)))
    wire = join(broker)
    wire.subscribe("a")
    wire.unsubscribe("a")
    assert seen.until(5) == [0, 1, 2, 3, 2]


# where= -----------------------------------------------------------------------------------------------------

CONDITIONS = [
    ("level < 20", [0, 1]),
    ("level >= 20", [2]),
    ("level == 20 or level == 1.5", [0, 2]),
    ("not (level < 20)", [2, 3, 4]),
    ("state in ('open', 'stuck')", [0]),
    ("state != 'open' and level < 100", [1]),
    ("pump", [1]),
    ("pump == false", [0]),
    ("state is null", [2, 3, 4]),
    ("sensor.values[1] > 5", [4]),
    ("level < 20 and state == 'open' and not pump", [0]),
]
SENT = [
    b'{"level": 1.5, "state": "open", "pump": false}',
    b'{"level": 7, "state": "shut", "pump": true}',
    b'{"level": 20}',
    b'{"level": "none"}',
    b'{"sensor": {"values": [1, 6]}}',
    b"no JSON",
    b"",
]


@pytest.mark.parametrize("payload", [True, False], ids=["with payload", "without"])
@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize(("condition", "expected"), CONDITIONS, ids=[row[0] for row in CONDITIONS])
def test_a_condition(broker, join, condition, expected, kind, payload):
    seen = Seen()

    async def later(msg):
        seen.append(msg.payload)

    hook = later if kind == "async def" else lambda msg: seen.append(msg.payload)
    broker.on_message_received("a", where=condition, payload=payload, name="hook")(hook)
    publisher = join(broker)
    for one in SENT:
        publisher.publish("a", one, 1)
    found = seen.until(len(expected))
    assert broker.wait_for_hooks()
    assert found == ([SENT[index] for index in expected] if payload else [b""] * len(expected))
    (info,) = broker.hooks
    assert (info.calls, info.condition, info.errors) == (len(expected), condition, 0)


def test_a_condition_holds_for_every_kind_of_observer(broker, join):
    seen = Seen()
    for kind in ("received", "sent", "acked", "dropped"):
        decorate = getattr(broker, f"on_message_{kind}")
        decorate("a", where="n > 1", name=kind)(
            lambda msg, *, kind=kind: seen.append((kind, msg.json()["n"]))
        )
    sleeper = join(broker, "s", properties=EXPIRY)
    sleeper.subscribe("a", qos=0)
    sleeper.close()
    gone(broker)
    reader, publisher = join(broker), join(broker)
    reader.subscribe("a", qos=1)
    for number in (1, 2):
        publisher.publish("a", b'{"n": %d}' % number, 1)
        reader.expect_message("a", b'{"n": %d}' % number, qos=1)
    assert sorted(seen.until(4)) == [("acked", 2), ("dropped", 2), ("received", 2), ("sent", 2)]
    assert len(told(broker, seen)) == 4


@pytest.mark.parametrize(
    "condition", ["", "level <", "level << 2", "(a", "a ==", "a in ()", "1 2", "a" * 3 + "("]
)
def test_a_condition_that_is_none(broker, condition):
    with pytest.raises(HookMQError) as caught:
        broker.on_message_received("a", where=condition)(lambda msg: None)
    assert caught.value.code == "E501" and repr(condition) in str(caught.value)
    assert broker.hooks == []


# payload=False ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["received", "sent", "acked", "dropped"])
@pytest.mark.parametrize("others", [False, True], ids=["alone", "beside one with payload"])
def test_without_payload(broker, join, kind, others):
    seen, whole = Seen(), Seen()
    decorate = getattr(broker, f"on_message_{kind}")
    decorate("a/{level}", payload=False, name="bare")(
        lambda msg, level: seen.append((msg.topic, level, msg.payload, msg.publisher, msg.properties))
    )
    if others:
        decorate("a/+", name="whole")(lambda msg: whole.append(msg.payload))
    if kind == "dropped":
        reader = join(broker, "r", properties=EXPIRY)
        reader.subscribe("a/#", qos=0)
        reader.close()
        gone(broker)
    else:
        reader = join(broker, "r")
        reader.subscribe("a/#", qos=1)
    publisher = join(broker, "p")
    payload = b"x" * 5000
    publisher.publish("a/1", payload, 1, properties={"content_type": "text/plain"})
    if kind != "dropped":
        reader.expect_message("a/1", payload, qos=1, properties={"content_type": "text/plain"})
    assert seen.until(1) == [("a/1", "1", b"", "p", {"content_type": "text/plain"})]
    assert whole.until(int(others)) == ([payload] if others else [])
    assert [row.payload for row in broker.history("a/1")] == [payload]


# Priority ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["on_message_received", "on_subscribed", "on_client_connected"])
def test_priority(broker, join, kind):
    seen = Seen()
    for name, priority in (("one", 0), ("low", -3), ("two", 0), ("high", 7)):
        getattr(broker, kind)(priority=priority, name=name)(lambda *_, name=name: seen.append(name))
    wire = join(broker)
    wire.subscribe("x")
    wire.publish("a", b"", 1)
    assert seen.until(4) == ["high", "one", "two", "low"]
    assert [info.priority for info in broker.hooks] == [0, -3, 0, 7]


# threads= ---------------------------------------------------------------------------------------------------


def test_threads_keep_the_order_of_each_client(broker, join):
    seen: dict[str, list[int]] = {}
    threads: dict[str, set[str]] = {}

    @broker.on_message_received("a", threads=4, name="shared")
    def shared(msg):
        if int(msg.payload) % 25 == 0:
            time.sleep(0.002)
        seen.setdefault(msg.client_id, []).append(int(msg.payload))
        threads.setdefault(msg.client_id, set()).add(threading.current_thread().name)

    publishers = [join(broker, f"c{index}") for index in range(16)]
    for publisher in publishers:
        publisher.send(*(Publish("a", b"%d" % number, 1, id=number + 1) for number in range(200)))
    for publisher in publishers:
        for number in range(200):
            publisher.expect(Puback(number + 1, 0x10))
    assert broker.wait_for_hooks()
    assert seen == {f"c{index}": list(range(200)) for index in range(16)}
    assert all(len(names) == 1 for names in threads.values()), "a client stays on its thread"
    used = set().union(*threads.values())
    assert len(used) > 1 and used <= {f"hookmq-shared-{index}" for index in range(4)}
    (info,) = broker.hooks
    assert (info.calls, info.thread) == (3200, "hookmq-shared-N, N < 4")


def test_a_slow_hook_with_threads_holds_up_no_other_hook(broker, join):
    gate, seen = Gate(), Seen()

    @broker.on_message_received("a", threads=1)
    def slow(msg):
        gate.wait()

    broker.on_message_received("a")(lambda msg: seen.append(msg.text))
    join(broker).publish("a", b"x", 1)
    assert gate.entered.wait(DEADLINE)
    assert seen.until(1) == ["x"]
    gate.opened.set()


@pytest.mark.parametrize("threads", [0, -1])
def test_threads_that_cannot_be(broker, threads):
    with pytest.raises(HookMQError, match="E501"):
        broker.on_message_received("a", threads=threads)(lambda msg: None)


# Pausing ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_pause_and_resume(broker, join, kind):
    seen = Seen()

    async def later(msg):
        seen.append(msg.text)

    broker.on_message_received("a", name="watch")(
        later if kind == "async def" else lambda msg: seen.append(msg.text)
    )
    other = Seen()
    broker.on_message_received("a", name="other")(lambda msg: other.append(msg.text))
    publisher = join(broker)
    publisher.publish("a", b"1", 1)
    seen.until(1)
    broker.pause("watch")
    assert [info.paused for info in broker.hooks] == [True, False]
    for _ in range(3):
        publisher.publish("a", b"2", 1)
    broker.resume("watch")
    publisher.publish("a", b"3", 1)
    seen.until(2)
    assert broker.wait_for_hooks()
    assert (seen, other) == (["1", "3"], ["1", "2", "2", "2", "3"])
    assert [(info.calls, info.skipped, info.paused) for info in broker.hooks] == [
        (2, 3, False),
        (5, 0, False),
    ]


def test_all_hooks_of_a_name_are_paused(broker, join):
    """Several decorators of one function make as many hooks."""
    seen = Seen()

    @broker.on_message_received("a")
    @broker.on_message_received("b")
    def watch(msg):
        seen.append(msg.topic)

    publisher = join(broker)
    broker.pause("watch")
    publisher.publish("a", b"", 1)
    publisher.publish("b", b"", 1)
    assert broker.wait_for_hooks() and not seen
    broker.resume("watch")
    publisher.publish("a", b"", 1)
    publisher.publish("b", b"", 1)
    assert seen.until(2) == ["a", "b"]


def test_only_what_a_hook_would_have_been_told_is_skipped(broker, join):
    broker.on_message_received("a", where="level < 5", name="watch")(lambda msg: None)
    broker.pause("watch")
    publisher = join(broker)
    for level in range(10):
        publisher.publish("a", b'{"level": %d}' % level, 1)
    assert broker.hooks[0].skipped == 5


def test_pausing_before_the_start_and_over_a_restart(broker_factory, join):
    broker = broker_factory(start=False)
    seen = Seen()
    broker.on_client_connected(name="came")(lambda client: seen.append(client.client_id))
    broker.pause("came")
    for _ in range(2):
        with broker:
            join(broker, "c").disconnect()
            assert broker.wait_for_hooks()
            assert (broker.hooks[0].paused, broker.hooks[0].skipped) == (True, 1)
    broker.resume("came")
    with broker:
        join(broker, "d")
        assert seen.until(1) == ["d"]


def test_what_waits_when_a_hook_is_paused_still_comes(broker, join):
    gate, seen = Gate(), Seen()

    @broker.on_message_received("a")
    def watch(msg):
        gate.wait()
        seen.append(msg.text)

    publisher = join(broker)
    publisher.publish("a", b"1", 1)
    publisher.publish("a", b"2", 1)
    assert gate.entered.wait(DEADLINE)
    broker.pause("watch")
    publisher.publish("a", b"3", 1)
    gate.opened.set()
    assert told(broker, seen) == ["1", "2"]


def test_a_hook_that_is_not_there(broker):
    broker.on_message_received("a", name="watch")(lambda msg: None)
    for call in (broker.pause, broker.resume):
        with pytest.raises(HookMQError) as caught:
            call("wach")
        assert caught.value.code == "E508" and "watch" in caught.value.help


# HookInfo ---------------------------------------------------------------------------------------------------


def test_what_is_known_of_a_hook(broker, join):
    @broker.on_message_received("tank/{tank}", overflow="drop_newest", priority=3, where="level < 5")
    def watch(msg, tank): ...

    code = watch.__code__
    (info,) = broker.hooks
    assert isinstance(info, HookInfo)
    assert (info.name, info.kind, info.filter) == ("watch", "on_message_received", "tank/+")
    assert info.where == f"{os.path.relpath(code.co_filename)}:{code.co_firstlineno}"
    assert (info.overflow, info.priority, info.condition) == ("drop_newest", 3, "level < 5")
    assert (info.thread, info.paused) == ("hookmq-hooks", False)
    numbers = ("calls", "errors", "dropped", "queued", "skipped", "invalid", "busy")
    assert [getattr(info, name) for name in numbers] == [0] * 7
    assert (info.wait_p50, info.wait_p99, info.run_p50, info.run_p99) == (0.0, 0.0, 0.0, 0.0)


def test_times_are_measured(broker, join):
    gate = Gate()

    @broker.on_message_received("a")
    def watch(msg):
        if msg.text == "wait":
            gate.wait()
        elif msg.text == "work":
            began = time.perf_counter()
            while time.perf_counter() - began < 0.01:
                pass

    publisher = join(broker)
    publisher.publish("a", b"wait", 1)
    assert gate.entered.wait(DEADLINE)
    for _ in range(99):
        publisher.publish("a", b"work", 1)
    assert broker.hooks[0].queued == 99
    began = time.monotonic()
    eventually(lambda: time.monotonic() > began + 0.1)
    gate.opened.set()
    assert broker.wait_for_hooks()
    (info,) = broker.hooks
    assert (info.calls, info.queued) == (100, 0)
    assert 0.9 < info.busy < 10
    assert 0.008 < info.run_p50 < 0.1 and info.run_p50 <= info.run_p99
    assert 0.09 < info.wait_p50 <= info.wait_p99


THREADS = [
    ("on_message_received", "def", {}, "hookmq-hooks"),
    ("on_message_received", "async def", {}, "hookmq-asyncio"),
    ("on_message_received", "def", {"threads": 2}, "hookmq-f-N, N < 2"),
    ("on_batch", "def", {}, "hookmq-batch-f"),
    ("authenticate", "def", {}, "hookmq-decide-N"),
    ("authenticate", "async def", {}, "hookmq-asyncio"),
    ("transform", "def", {}, "hookmq-decide-N"),
    ("on_deliver", "def", {}, "hookmq-deliver"),
]


@pytest.mark.parametrize(("kind", "how", "options", "thread"), THREADS)
def test_on_which_thread_it_runs(broker, join, kind, how, options, thread):
    names = Seen()

    def f(one):
        names.append(threading.current_thread().name)
        return True if kind == "authenticate" else None

    async def later(one):
        return f(one)

    getattr(broker, kind)(name="f", **options)(f if how == "def" else later)
    reader = join(broker)
    reader.subscribe("a", qos=1)
    join(broker).publish("a", b"x", 1)
    names.until(1)
    assert broker.hooks[0].thread == thread
    prefix = thread.partition("N")[0]
    assert all(name.startswith(prefix) for name in names)


def test_the_counters_of_every_kind(broker, join):
    """Each call of each kind of hook is counted, and so is each error."""
    kinds = {
        **dict.fromkeys(("on_message_received", "on_message_sent", "on_message_acked"), 1),
        **dict.fromkeys(("on_client_connected", "on_client_disconnected"), 2),
        **dict.fromkeys(("on_subscribed", "on_unsubscribed", "on_batch"), 1),
    }
    for kind in kinds:

        def fails(*arguments):
            raise ValueError

        getattr(broker, kind)(name=kind)(fails)
    reader, publisher = join(broker), join(broker)
    reader.subscribe("a", qos=1)
    publisher.publish("a", b"x", 1)
    reader.expect_message("a", b"x", qos=1)
    reader.unsubscribe("a")
    reader.disconnect()
    publisher.disconnect()
    eventually(lambda: {info.name: info.errors for info in broker.hooks} == kinds)
    assert {info.name: info.calls for info in broker.hooks} == kinds


def test_the_counters_begin_anew_with_each_start(broker_factory, join):
    broker = broker_factory(start=False)
    broker.on_message_received("a")(lambda msg: None)
    broker.authenticate(lambda client: True)
    for _ in range(2):
        with broker:
            join(broker, "c").publish("a", b"x", 1)
            assert broker.wait_for_hooks()
            assert [info.calls for info in broker.hooks] == [1, 1]
