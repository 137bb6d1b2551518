"""Stored messages through a hook: what a replay reports, what it leaves alone, and when it ends."""

from __future__ import annotations

import asyncio
import io
import json
import signal
import threading
import time
import tracemalloc
from contextlib import contextmanager

import pytest

from hookmq import Change, Deny, Drop, HookMQError
from hookmq.replaying.difference import ABSENT
from hookmq.replaying.replay import captured, replay
from hookmq.replaying.replayed import KEPT
from hookmq.storage import HistoryStore

from .helpers import Device, Seen, eventually, properties

START = 1_650_000_000.0


@contextmanager
def stored(*rows, start=START, step=1.0):
    """A history of its own: rows are (topic, payload) or (topic, payload, client)."""
    with HistoryStore() as store:
        records = [(topic, payload, *more, "pump")[:3] for topic, payload, *more in rows]
        store.write(
            [
                (start + number * step, topic, client, payload, 0, False, None)
                for number, (topic, payload, client) in enumerate(records)
            ]
        )
        yield store.query


def levels(count, **more):
    return stored(
        *((f"tank/{number % 3}/level", b'{"level":%d}' % number) for number in range(count)), **more
    )


def tried(history, function, filter="#", **more):
    return replay([], history, filter, hook=function, **more)


def fields(result):
    return [(one.name, one.before, one.after) for change in result.changes for one in change.fields]


# Which messages, in which order, with which arguments -------------------------------------------------------


def test_a_registered_hook_gets_what_it_got_live(broker):
    live, again = Seen(), []

    @broker.on_message_received("tank/{tank}/level")
    def watch(msg, tank):
        facts = msg.topic, msg.payload, msg.qos, msg.retain, msg.client_id, msg.properties, tank
        (again if captured.get() else live).append((*facts, round(msg.timestamp, 3)))

    more = properties(UserProperty=[("a", "1")], CorrelationData=b"\0\xff", ContentType="x")
    with Device(broker, "pump") as device:
        for number in range(5):
            device.publish(f"tank/{number}/level", b"%d" % number, number % 3, number == 4, properties=more)
            device.publish("tank/other", b"x")
    live.until(5)
    for hook in ("watch", watch):
        again.clear()
        result = broker.replay(hook=hook)
        assert again == live
        assert (result.hook, result.messages, result.calls, result.errors) == ("watch", 5, 5, 0)
        assert result.where.startswith(("tests/api/test_replay.py:", __file__))
    again.clear()
    assert broker.replay("tank/2/+", hook=watch).calls == 1
    assert broker.replay("tank/other", hook=watch).calls == 0
    assert [facts[6] for facts in again] == ["2"]
    assert (len(live), broker.hooks[0].calls) == (5, 5), "the hook's own counters are those of live messages"


def test_what_the_program_published_is_left_out_unless_asked_for(broker):
    seen = []
    broker.on_message_received("a/#", name="watch")(lambda msg: seen.append(msg.text))
    broker.publish("a/b", "own")
    with Device(broker, "pump") as device:
        device.publish("a/b", b"theirs")
    broker.wait_for_hooks()
    seen.clear()
    result = broker.replay(hook="watch")
    assert (seen, result.messages, result.own, result.calls) == (["theirs"], 2, 1, 1)
    assert "1 of the program itself left out" in str(result)
    assert broker.replay(hook="watch", client="").calls == 1
    assert seen == ["theirs", "own"]
    function = lambda msg: seen.append(msg.text)  # noqa: E731 - no hook, so it is given everything
    assert broker.replay("a/#", hook=function).calls == 2


def test_since_until_client_and_limit(broker):
    texts = []
    with levels(10) as history:
        numbers = lambda msg: texts.append(msg.json()["level"])  # noqa: E731
        assert tried(history, numbers, since=START + 3, until=START + 6).messages == 3
        assert tried(history, numbers, "tank/0/level", limit=2).calls == 2
        assert tried(history, numbers, client="nobody").calls == tried(history, numbers, limit=0).calls == 0
    assert texts == [3, 4, 5, 0, 3]


def test_a_limit_counts_what_the_hook_is_given(broker):
    broker.on_message_received("a", name="watch")(lambda msg: None)
    with Device(broker, "pump") as device:
        for _ in range(3):
            broker.publish("a", "own")
            device.publish("a", b"theirs")
    result = broker.replay(hook="watch", limit=2)
    assert (result.messages, result.own, result.calls) == (4, 2, 2)


def test_one_function_with_two_filters_is_called_for_both(broker):
    seen = []

    @broker.on_message_received("a/{x}")
    @broker.on_message_received("b/{x}/c")
    def watch(msg, x):
        seen.append((msg.topic, x))

    with Device(broker, "pump") as device:
        for topic in ("a/1", "b/2/c", "c/3", "a/4"):
            device.publish(topic)
    broker.wait_for_hooks()
    seen.clear()
    assert broker.replay(hook=watch).calls == 3
    assert seen == [("a/1", "1"), ("b/2/c", "2"), ("a/4", "4")]


def test_a_function_may_take_less_and_be_any_callable():
    class Watch:
        def __init__(self):
            self.seen = []

        def __call__(self, message, **names):
            self.seen.append((message.topic, names))

    watch = Watch()
    calls = []
    with stored(("a/b/c", b"")) as history:
        assert tried(history, lambda: calls.append(1), "a/{x}/c").calls == 1
        assert tried(history, watch, "a/{x}/{y}").calls == 1
    assert (calls, watch.seen) == ([1], [("a/b/c", {"x": "b", "y": "c"})])


def test_coroutines_run_to_their_end_one_after_the_other(broker):
    steps = []

    @broker.on_message_received("tank/#")
    async def watch(msg):
        steps.append(("begin", msg.text, threading.current_thread().name))
        await asyncio.sleep(0)
        steps.append(("end", msg.text, threading.current_thread().name))

    with Device(broker, "pump") as device:
        for number in range(3):
            device.publish("tank/1", b"%d" % number)
    eventually(lambda: len(steps) == 6)
    steps.clear()
    assert broker.replay(hook="watch").calls == 3
    loop = "hookmq-asyncio"  # the broker's own: what a hook keeps may belong to it
    assert steps == [(what, str(number), loop) for number in range(3) for what in ("begin", "end")]


def test_a_coroutine_without_a_broker():
    async def halve(msg):
        await asyncio.sleep(0)
        broker_of_it = captured.get()
        return {"level": msg.json()["level"] / 2, "dry": broker_of_it.replay.dry_run}

    with levels(2) as history:
        result = tried(history, halve)
    assert fields(result) == [
        ("payload.level", 0, 0.0),
        ("payload.dry", ABSENT, True),
        ("payload.level", 1, 0.5),
        ("payload.dry", ABSENT, True),
    ]


def test_it_cannot_wait_for_the_loop_it_is_called_on(broker):
    answers = Seen()

    @broker.on_message_received("a", name="watch")
    async def watch(msg):
        try:
            broker.replay(hook="watch")
        except RuntimeError as error:
            answers.append(str(error))

    with Device(broker, "pump") as device:
        device.publish("a")
    assert "asyncio.to_thread" in answers.until(1)[0]


# What a transform would have done ---------------------------------------------------------------------------


def scale(msg, tank):
    level = msg.json()["level"]
    match tank:
        case "same":
            return None
        case "drop":
            return Drop
        case "deny":
            raise Deny("nobody may", code=0x99)
        case "move":
            return Change(topic="elsewhere", retain=True, qos=1)
        case "two":
            return [Change(), Change(topic="copy")]
        case "wrong":
            return object()
    return {"level": level * 10}


TANKS = ("same", "7", "drop", "deny", "move", "two", "wrong")


def test_a_transform_is_compared_with_what_was_stored(broker):
    broker.transform("tank/{tank}/level", name="scale")(scale)
    with stored(*((f"tank/{tank}/level", b'{"level":3,"unit":"cm"}') for tank in TANKS)) as history:
        result = replay(broker._hooks, history, hook="scale")
    assert (result.messages, result.calls, result.errors) == (7, 7, 1)
    assert (result.changed, result.dropped, result.refused, result.published) == (3, 1, 1, 0)
    kinds = [(change.kind, change.before.topic.split("/")[1]) for change in result.changes]
    assert kinds == [
        ("changed", "7"),
        ("dropped", "drop"),
        ("refused", "deny"),
        ("changed", "move"),
        ("changed", "two"),
    ]
    seven, _, refused, moved, two = result.changes
    assert [tuple(one) for one in seven.fields] == [
        ("payload.level", 3, 30),
        ("payload.unit", "cm", ABSENT),
    ]
    assert refused.reason == "nobody may"
    assert [tuple(one) for one in moved.fields] == [
        ("topic", "tank/move/level", "elsewhere"),
        ("qos", 0, 1),
        ("retain", False, True),
    ]
    assert (two.fields, [message.topic for message in two.after]) == ([], ["tank/two/level", "copy"])
    (failure,) = result.failures
    assert (failure.kind, failure.count, failure.first.topic) == ("TypeError", 1, "tank/wrong/level")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (b'{"a":1}', b'{"a":1}', []),
        (b'{"a":{"b":1,"c":2}}', b'{"a":{"b":1,"c":3}}', [("payload.a.c", 2, 3)]),
        (b'{"a":1}', b'{"a":1.0}', [("payload.a", 1, 1.0)]),
        (b'{"a":1}', b'{"a":true}', [("payload.a", 1, True)]),
        (b'{"a":[1,2]}', b'{"a":[1,3]}', [("payload.a", [1, 2], [1, 3])]),
        (b'{"a":1}', b'{"b":1}', [("payload.a", 1, ABSENT), ("payload.b", ABSENT, 1)]),
        (b'{"a":{}}', b'{"a":null}', [("payload.a", {}, None)]),
        # The same, written differently: subscribers get other bytes.
        (b'{"a": 1}', b'{"a":1}', [("payload", b'{"a": 1}', b'{"a":1}')]),
        (b'{"a":NaN}', b'{"a":1}', [("payload", b'{"a":NaN}', b'{"a":1}')]),
        (b"[1]", b"[2]", [("payload", b"[1]", b"[2]")]),
        (b"\xff", b"x", [("payload", b"\xff", b"x")]),
        (b"", b'{"a":1}', [("payload", b"", b'{"a":1}')]),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, b"", None),
    ],
)
def test_payloads_are_compared_field_by_field_where_both_are_objects(before, after, expected):
    with stored(("a", before)) as history:
        result = tried(history, lambda msg: after)
    assert result.changed == (expected != [])
    assert fields(result) == ([("payload", before, after)] if expected is None else expected)


def test_what_an_observer_returns_is_ignored(broker):
    broker.on_message_received("tank/#", name="watch")(lambda msg: {"level": 0})
    with levels(3) as history:
        result = replay(broker._hooks, history, hook="watch")
    assert (result.calls, result.changed, result.errors) == (3, 0, 0)


def test_all_are_counted_and_the_first_thousand_kept():
    with levels(KEPT + 50) as history:
        result = tried(history, lambda msg: b"changed")
    assert (result.changed, len(result.changes)) == (KEPT + 50, KEPT)
    assert [change.before.json()["level"] for change in result.changes] == list(range(KEPT))
    assert str(result).endswith(f"… and {KEPT + 30:,} more")


def test_large_payloads_are_not_all_kept():
    with stored(*(("a", b"x" * 9_000_000) for _ in range(10))) as history:
        result = tried(history, lambda msg: b"")
    assert (result.changed, len(result.changes)) == (10, 7)


# What the hook publishes ------------------------------------------------------------------------------------


def alert(broker):
    @broker.on_message_received("tank/{tank}/level")
    def watch(msg, tank):
        if msg.json()["level"] < 2:
            broker.publish(f"tank/{tank}/alert", {"low": True}, qos=1, retain=True)

    with Device(broker, "pump") as device:
        for number in range(4):
            device.publish(f"tank/{number}/level", b'{"level":%d}' % number)
    broker.wait_for_hooks()


def test_a_dry_run_publishes_nothing(broker):
    alert(broker)
    before = broker.history().count()
    with broker.subscribe("tank/+/alert", retained=False) as messages:
        result = broker.replay(hook="watch")
        broker.publish("tank/x/alert", "after the replay, publishing is publishing")
        assert messages.get(timeout=5).topic == "tank/x/alert"
    assert broker.history().count() == before + 1
    assert result.published == 2
    published = [(one.message.topic, one.message.payload, one.cause.topic) for one in result.publications]
    assert published == [
        ("tank/0/alert", b'{"low":true}', "tank/0/level"),
        ("tank/1/alert", b'{"low":true}', "tank/1/level"),
    ]
    assert all((one.message.qos, one.message.retain) == (1, True) for one in result.publications)
    assert '+tank/0/alert {"low":true}   QoS 1   retained   ← tank/0/level' in str(result)


def test_for_real_it_publishes(broker):
    alert(broker)
    with broker.subscribe("tank/+/alert", retained=False) as messages:
        result = broker.replay(hook="watch", dry_run=False)
        assert [messages.get(timeout=5).topic for _ in range(2)] == ["tank/0/alert", "tank/1/alert"]
    assert (result.published, result.dry_run) == (2, False)
    assert "2 published" in str(result)


def test_a_message_that_cannot_be_published_is_an_error_of_the_hook(broker):
    broker.publish("a", "x")
    result = broker.replay("a", hook=lambda msg: broker.publish("a/#", "x"))
    assert (result.errors, result.published, result.failures[0].kind) == (1, 0, "ValueError")
    result = broker.replay("a", hook=lambda msg: broker.publish("a", {1, 2}))
    assert (result.errors, result.published, result.failures[0].kind) == (1, 0, "TypeError")


def test_live_hooks_publish_while_a_dry_run_goes_on(broker):
    inside, go_on = threading.Event(), threading.Event()
    broker.on_message_received("live")(lambda msg: broker.publish("from/live", msg.payload))

    def slow(msg):
        inside.set()
        assert go_on.wait(8)

    broker.publish("a", "x")
    with broker.subscribe("from/live") as messages, Device(broker, "pump") as device:
        thread = threading.Thread(target=broker.replay, args=("a",), kwargs={"hook": slow})
        thread.start()
        assert inside.wait(8)
        device.publish("live", b"1")
        assert messages.get(timeout=8).text == "1"
        go_on.set()
        thread.join(8)


def test_tasks_and_threads_of_asyncio_belong_to_the_dry_run(broker):
    async def watch(msg):
        await asyncio.gather(asyncio.to_thread(broker.publish, "b", "1"), publish())

    async def publish():
        broker.publish("c", "2")

    broker.publish("a", "x")
    result = broker.replay("a", hook=watch)
    assert sorted(one.message.topic for one in result.publications) == ["b", "c"]
    assert broker.history().count() == 1


# Errors -----------------------------------------------------------------------------------------------------


def test_the_replay_goes_on_after_errors():
    class Unspeakable(Exception):
        def __str__(self):
            raise RuntimeError("no")

    def fail(msg):
        number = msg.json()["level"]
        if number % 2:
            return {}["missing"]
        if number == 0:
            raise SystemExit(3)
        if number == 2:
            raise Unspeakable
        return int("x")

    with levels(10) as history:
        result = tried(history, fail)
    assert (result.calls, result.errors) == (10, 10)
    kinds = [(one.kind, one.count, one.first.json()["level"]) for one in result.failures]
    expected = [("SystemExit", 1, 0), ("KeyError", 5, 1), ("test_the_replay_goes_on_after_errors", 1, 2)]
    assert [(kind.partition(".")[0], *more) for kind, *more in kinds] == [*expected, ("ValueError", 3, 4)]
    failure = result.failures[1]
    assert (failure.text, "test_replay.py:" in failure.where) == ("'missing'", True)
    assert 'return {}["missing"]' in failure.traceback
    assert "hookmq/replaying/replay.py" not in failure.traceback, "it begins with the hook"
    assert "5 × KeyError" in str(result)


def test_an_error_of_a_coroutine_has_the_traceback_of_the_hook():
    async def fail(msg):
        await asyncio.sleep(0)
        raise ValueError("late")

    with levels(1) as history:
        (failure,) = tried(history, fail).failures
    lines = failure.traceback.splitlines()
    assert "test_replay.py" in lines[1]
    assert (lines[-1], failure.text) == ("ValueError: late", "late")


def test_an_observer_that_denies_has_failed(broker):
    def deny(msg):
        raise Deny("no")

    broker.on_message_received("tank/#", name="watch")(deny)
    with levels(1) as history:
        result = replay(broker._hooks, history, hook="watch")
    assert (result.errors, result.refused, result.failures[0].kind) == (1, 0, "Deny")


def test_what_cannot_be_replayed_is_said_before_anything_is_called(broker):
    broker.on_message_received("a", name="watch")(lambda msg: None)
    broker.authenticate(admit := lambda client: True)
    calls = []
    with pytest.raises(ValueError, match="there is no hook 'wach'; those that can be replayed: watch"):
        broker.replay(hook="wach")
    for hook in (admit, "<lambda>"):
        with pytest.raises(TypeError, match="is an authenticate hook"):
            broker.replay(hook=hook)
    for speed in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="speed"):
            broker.replay(hook=calls.append, speed=speed)
    with pytest.raises(ValueError, match="limit"):
        broker.replay(hook=calls.append, limit=-1)
    with pytest.raises(ValueError, match="moment"):
        broker.replay(hook=calls.append, since="yesterday or so")
    for filter, hook, code in (
        ("a/#/b", calls.append, "E502"),
        ("a/#/b", "watch", "E502"),
        ("a", 5, "E501"),
        ("a", lambda msg, other: None, "E501"),
    ):
        with pytest.raises(HookMQError, match=code):
            broker.replay(filter, hook=hook)
    assert calls == []


def test_a_broker_that_does_not_run_has_no_history_to_replay(broker_factory):
    with pytest.raises(HookMQError, match="E503"):
        broker_factory(start=False).replay(hook=lambda msg: None)


# Speed, progress, ending ------------------------------------------------------------------------------------


def test_speed_keeps_the_distances():
    times = []
    with levels(5, step=2.0) as history:
        result = tried(history, lambda msg: times.append(time.monotonic()), speed=40)
    # Not before it is due; how late a busy machine is, nobody knows.
    assert [later - times[0] >= number * 0.05 - 0.005 for number, later in enumerate(times)] == [True] * 5
    assert result.seconds >= 0.195


def test_without_speed_years_take_no_time():
    with levels(5, step=100_000_000.0, start=0.0) as history:
        assert tried(history, lambda msg: None).seconds < 5


def has_moved_on(rows):
    """The clock has: two messages in a row may be of the same millisecond."""
    return rows[-1].timestamp > rows[0].timestamp


def test_a_broker_that_stops_ends_the_replay(broker):
    with Device(broker, "pump") as device:
        eventually(lambda: device.publish("a") >= 0 and has_moved_on(broker.history("a").rows))
    first, results = threading.Event(), Seen()
    # A microsecond becomes a quarter of an hour.
    wanted = {"hook": lambda msg: first.set(), "speed": 1e-9, "progress": lambda result: None}
    thread = threading.Thread(target=lambda: results.append(broker.replay("a", **wanted)))
    thread.start()
    assert first.wait(8)
    broker.stop()
    (result,) = results.until(1)
    thread.join(8)
    assert result.interrupted and "interrupted" in str(result)
    assert result.calls < result.total


def test_ctrl_c_ends_it_and_leaves_what_there_is():
    so_far = []

    def interrupted(msg):
        if msg.json()["level"] == 2:
            signal.raise_signal(signal.SIGINT)

    with levels(5) as history, pytest.raises(KeyboardInterrupt):
        tried(history, interrupted, progress=so_far.append)
    result = so_far[0]
    assert (result.interrupted, result.calls, result.errors) == (True, 3, 0)


def test_progress(broker):
    steps = []
    report = lambda result: steps.append((result.messages, result.total))  # noqa: E731
    with levels(3) as history:
        tried(history, lambda msg: time.sleep(0.11), progress=report)
        assert (steps[0], steps[-1]) == ((0, 3), (3, 3))
        assert [count for count, _ in steps] == sorted(count for count, _ in steps)
        assert len(steps) > 3
        steps.clear()
        tried(history, lambda msg: None, progress=report, limit=2)
    assert (steps[0], steps[-1]) == ((0, 2), (2, 2))
    broker.publish("a", "x")
    with broker.subscribe("progress", retained=False) as messages:
        broker.replay("a", hook=lambda msg: None, progress=lambda result: broker.publish("progress", "x"))
        assert messages.get(timeout=5).text == "x", "who is told of progress is no hook"


def test_what_is_published_meanwhile_is_not_replayed(broker):
    for number in range(3):
        broker.publish("a", str(number))
    result = broker.replay("a", hook=lambda msg: broker.publish("a", "more"), dry_run=False)
    assert (result.calls, result.published) == (3, 3)
    assert broker.history("a").count() == 6


def test_a_long_history_is_never_in_memory_as_a_whole():
    with stored(*(("a", b"x" * 2_000) for _ in range(20_000))) as history:
        tracemalloc.start()
        try:
            assert tried(history, lambda msg: None).calls == 20_000
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert most < 10_000_000, "they are 40 MB together"


# The report -------------------------------------------------------------------------------------------------


def test_the_report():
    with stored(*((f"tank/{tank}/level", b'{"level":3,"unit":"cm"}') for tank in TANKS)) as history:
        result = tried(history, scale, "tank/{tank}/level")
    lines = str(result).splitlines()
    assert lines[0].startswith("Replay of scale   ")
    assert lines[1].startswith("  7 messages from 2022-04-1") and lines[1].endswith(", a dry run")
    assert lines[2] == "  7 calls   3 changed   1 dropped   1 refused   1 error"
    assert [line for line in lines if line.startswith(("-", "+"))] == [
        "-payload.level: 3",
        "+payload.level: 30",
        '-payload.unit: "cm"',
        '-tank/drop/level {"level":3,"unit":"cm"}',
        '-tank/deny/level {"level":3,"unit":"cm"}',
        '-topic: "tank/move/level"',
        '+topic: "elsewhere"',
        "-qos: 0",
        "+qos: 1",
        "-retain: false",
        "+retain: true",
        '+copy {"level":3,"unit":"cm"}',
    ]
    heads = [line for line in lines if line.startswith("@@")]
    assert heads[2].startswith("@@ refused: nobody may, tank/deny/level   2022-04-1")
    assert heads[2].endswith("   pump @@")
    assert heads[-1].startswith("@@ TypeError at ")


def test_colour_is_for_terminals(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    with stored(("a", b"1")) as history:
        result = tried(history, lambda msg: b"2")
    terminal, file = Terminal(), io.StringIO()
    result.show(terminal)
    result.show(file)
    assert "\x1b[31m-payload: 1\x1b[0m\n\x1b[32m+payload: 2\x1b[0m\n" in terminal.getvalue()
    assert file.getvalue() == f"{result}\n"
    assert "\x1b" not in str(result)
    monkeypatch.setenv("NO_COLOR", "1")
    plain = Terminal()
    result.show(plain)
    assert plain.getvalue() == file.getvalue()


def test_what_devices_send_cannot_move_the_cursor():
    with stored(("a\x1b[2J", b"\x1b[31m\n\x9b\xc2\x9b", "c\x1b]0;x\x07")) as history:
        result = tried(history, lambda msg: b"\x1b[31m\r\nx")

    def fail(msg):
        raise ValueError("\x1b[31m")

    with stored(("a", b"")) as history:
        text = f"{result}\n{tried(history, fail)}"
    assert [char for char in text if not char.isprintable() and char != "\n"] == []
    assert "\\x1b[31m\\r\\nx" in text


def test_of_long_values_the_difference_is_shown():
    long = b"x" * 5_000
    with stored(("a", long + b"1" + long)) as history:
        text = str(tried(history, lambda msg: long + b"2" + long))
    (before,) = [line for line in text.splitlines() if line.startswith("-")]
    (after,) = [line for line in text.splitlines() if line.startswith("+")]
    assert ("1x" in before, "2x" in after, len(before) < 250) == (True, True, True)


def test_as_json(broker):
    with stored(("tank/7/level", b'{"level":3}'), ("raw", b"\xff")) as history:
        result = tried(history, lambda msg: {"level": 4})
        broker.publish("a", "x")
        caught = broker.replay("a", hook=lambda msg: broker.publish("b", "y"))
    facts = json.loads(json.dumps(result.to_dict()))
    assert (facts["messages"], facts["changed"], facts["dry_run"]) == (2, 2, True)
    first, second = facts["changes"]
    assert first["fields"] == [{"field": "payload.level", "before": 3, "after": 4}]
    assert (first["kind"], first["message"]["topic"], first["message"]["timestamp"]) == (
        "changed",
        "tank/7/level",
        START,
    )
    assert second["fields"] == [
        {"field": "payload", "before": {"$base64": "/w=="}, "after": '{"level":4}'},
    ]
    (publication,) = caught.to_dict()["publications"]
    assert (publication["message"]["topic"], publication["cause"]["topic"]) == ("b", "a")
