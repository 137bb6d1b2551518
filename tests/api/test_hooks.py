"""What observers are told, in which order, and how functions become hooks."""

from __future__ import annotations

import asyncio
import functools
import os
import threading
from typing import Any

import pytest

from hookmq import Broker, HookMQError

from .helpers import Device, MQTTv5, MQTTv311, Seen, eventually


def here(function: Any) -> str:
    code = function.__code__
    return f"{os.path.relpath(code.co_filename)}:{code.co_firstlineno}"


# Decorators ---------------------------------------------------------------------------------------------

BARE = ["on_message_received", "on_message_sent", "on_client_connected", "on_client_disconnected"]


@pytest.mark.parametrize("kind", [*BARE, "authenticate", "authorize"])
@pytest.mark.parametrize("written", ["bare", "called", "named", "async"])
def test_a_decorator_returns_the_function_untouched(broker_factory, kind, written):
    broker = broker_factory(start=False)

    def plain(one): ...

    async def later(one): ...

    function = later if written == "async" else plain
    before = dict(vars(function))
    decorator = getattr(broker, kind)
    if written in ("bare", "async"):
        assert decorator(function) is function
    else:
        assert decorator(**({"name": "other"} if written == "named" else {}))(function) is function
    assert vars(function) == before
    (info,) = broker.hooks
    assert (info.kind, info.where) == (kind, here(function))
    assert info.name == ("other" if written == "named" else function.__name__)
    assert info.filter == ("#" if kind.startswith("on_message") else None)


def test_the_levels_of_a_template_come_by_name(broker):
    seen = Seen()

    @broker.on_message_received("plant/{hall}/{tank}/level")
    def all_levels(msg, tank, hall):
        seen.append((tank, hall, msg.text))

    @broker.on_message_received("plant/{hall}/{tank}/level")
    async def one_level(msg, *, tank):
        seen.append((tank, msg.text))

    @broker.on_message_received("plant/{hall}/{tank}/level")
    def only_levels(hall):
        seen.append(hall)

    @broker.on_message_received("plant/{hall}/{tank}/level")
    def everything(*arguments, **levels):
        seen.append((len(arguments), levels))

    @broker.on_message_received("plant/{hall}/#")
    def nothing():
        seen.append("called")

    with Device(broker) as device:
        device.publish("plant/north/t 7/level", "42")
        device.publish("plant//t7/other", "1")
    seen.until(6)
    assert broker.wait_for_hooks()
    eventually(lambda: ("t 7", "42") in seen)
    expected = [("t 7", "north", "42"), ("t 7", "42"), "north", "called", "called"]
    for entry in [*expected, (1, {"hall": "north", "tank": "t 7"})]:
        seen.remove(entry)
    assert seen == []


def test_a_template_that_is_none():
    broker = Broker(port=0)

    def watch(msg): ...

    for filter, problem in [
        ("a/{b", "`{b` must be a whole level that reads {name}"),
        ("a/x{b}", "`x{b}` must be a whole level that reads {name}"),
        ("a/{1b}", "`{1b}` must be a whole level that reads {name}"),
        ("{b}/{b}", "it names {b} twice"),
        ("", "it is empty"),
    ]:
        with pytest.raises(HookMQError) as caught:
            broker.on_message_received(filter)(watch)
        assert str(caught.value) == f"error[E502]: `{filter}` is not a topic filter: {problem}"
    for filter in ("a/#/b", "a+/b", "a\0b", "x" * 65536, 5, ("a",)):
        with pytest.raises(HookMQError, match="E502"):
            broker.on_message_received(filter)(watch)
    assert broker.hooks == []


def test_a_function_that_does_not_fit(broker_factory):
    broker = broker_factory(start=False)

    def two(msg, other): ...

    def behind(tank, msg): ...

    def behind_any(tank, msg, **more): ...

    def keyword(msg, *, other): ...

    levels = "the levels `tank/{tank}` names as {…}"
    for function, problem in [
        (two, f"it takes `other`, but is given message and {levels}"),
        (behind, "`msg` stands behind a level of the topic; the message comes first"),
        (behind_any, "`msg` stands behind a level of the topic; the message comes first"),
        (keyword, f"it takes `other`, but is given message and {levels}"),
    ]:
        with pytest.raises(HookMQError) as caught:
            broker.on_message_received("tank/{tank}")(function)
        text = f"{here(function)}  {function.__name__} does not fit on_message_received: {problem}"
        assert str(caught.value) == f"error[E501]: {text}"
        assert caught.value.exit_code == 1
    with pytest.raises(HookMQError) as caught:
        broker.on_client_connected(two)
    text = f"{here(two)}  two does not fit on_client_connected: it takes `other`, but is given client"
    assert str(caught.value) == f"error[E501]: {text}"
    for wrong in (
        lambda: broker.on_message_received("a")(7),
        lambda: broker.on_message_received("a", overflow="drop")(lambda msg: None),
        lambda: broker.on_client_connected("a/b")(lambda client: None),
        lambda: broker.authenticate("a/b")(lambda client: True),
        lambda: broker.schedule(behind),
        lambda: broker.route(behind),
    ):
        with pytest.raises(HookMQError, match="E501"):
            wrong()
    assert (broker.hooks, broker.jobs, broker.routes) == ([], [], [])


class Counter:
    def __init__(self, seen: list[Any], mark: str = "") -> None:
        self.seen, self.mark = seen, mark

    def __call__(self, msg):
        self.seen.append((self.mark or "object", msg.text))

    def method(self, msg):
        self.seen.append(("method", msg.text))


class Later:
    def __init__(self, seen: list[Any]) -> None:
        self.seen = seen

    async def __call__(self, msg):
        await asyncio.sleep(0)
        self.seen.append(("async object", msg.text))


def test_everything_that_can_be_called_can_be_a_hook(broker):
    seen = Seen()

    def marked(mark, msg):
        seen.append((mark, msg.text))

    async def later(mark, msg):
        seen.append((mark, msg.text))

    @functools.wraps(marked)
    def wrapper(*arguments):
        return marked("wrapped", *arguments[-1:])

    counter = Counter(seen)
    for function in (
        counter,
        counter.method,
        Later(seen),
        functools.partial(marked, "partial"),
        functools.partial(marked, "another partial"),
        functools.partial(later, "async partial"),
        lambda msg: seen.append(("lambda", msg.text)),
        lambda msg: seen.append(("another lambda", msg.text)),
        lambda msg: marked("third lambda", msg),
    ):
        assert broker.on_message_received("a")(function) is function
    kept: list[Any] = []
    other: list[Any] = []
    broker.on_message_received("a")(kept.append)
    broker.on_message_received("a")(other.append)
    with Device(broker) as device:
        device.publish("a", "x")
    names = {name for name, _ in seen.until(9)}
    assert broker.wait_for_hooks()
    assert names == {
        *("object", "method", "async object", "partial", "another partial", "async partial"),
        *("lambda", "another lambda", "third lambda"),
    }
    assert [msg.text for msg in kept] == [msg.text for msg in other] == ["x"]


def test_decorators_can_be_stacked_and_put_in_a_loop(broker):
    seen = Seen()

    @broker.on_message_received("a/{level}")
    @broker.on_message_received("b/+")
    def watch(msg, level="none"):
        seen.append((msg.topic, level))

    for room in ("kitchen", "hall"):

        @broker.on_message_received(f"room/{room}")
        def listen(msg, room=room):
            seen.append((msg.topic, room))

    broker.on_message_received("b/+")(watch)  # the same once more
    with Device(broker) as device:
        for topic in ("a/1", "b/1", "room/kitchen", "room/hall"):
            device.publish(topic)
    assert broker.wait_for_hooks()
    assert seen == [("a/1", "1"), ("b/1", "none"), ("room/kitchen", "kitchen"), ("room/hall", "hall")]


def test_two_functions_of_one_name_are_two_hooks(broker):
    seen = Seen()

    @broker.on_message_received("a")
    def watch(msg):
        seen.append(1)

    @broker.on_message_received("a")
    def watch(msg):  # noqa: F811
        seen.append(2)

    with Device(broker) as device:
        device.publish("a")
    assert sorted(seen.until(2)) == [1, 2]


CELL = """
@broker.on_message_received("{filter}")
def watch(msg):
    seen.append({number})

@broker.authenticate
def admit(client):
    return True
"""


def test_a_cell_that_is_run_again_replaces_its_hooks(broker):
    seen = Seen()
    notebook: dict[str, Any] = {"__name__": "__main__", "broker": broker, "seen": seen}
    exec(compile(CELL.format(filter="a", number=1), "/tmp/ipykernel_1/11.py", "exec"), notebook)
    exec(compile(CELL.format(filter="b", number=2), "/tmp/ipykernel_1/22.py", "exec"), notebook)
    exec(compile(CELL.format(filter="b", number=2), "/tmp/ipykernel_1/22.py", "exec"), notebook)
    assert [(hook.name, hook.filter) for hook in broker.hooks] == [("watch", "b"), ("admit", None)]
    with Device(broker) as device:
        device.publish("a")
        device.publish("b")
        device.publish("a")
    assert broker.wait_for_hooks()
    assert seen == [2]


# Observers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [MQTTv311, MQTTv5])
@pytest.mark.parametrize("kind", ["def", "async def"])
def test_the_messages_of_one_client_come_in_order(broker, kind, version):
    seen = Seen()
    if kind == "def":
        broker.on_message_received("{client}/x")(lambda msg, client: seen.append((client, int(msg.payload))))
    else:

        @broker.on_message_received("{client}/x")
        async def watch(msg, client):
            if int(msg.payload) % 7 == 0:
                await asyncio.sleep(0.001)
            seen.append((client, int(msg.payload)))

    def send(name: str) -> None:
        with Device(broker, name, version=version) as device:
            sent = [device.client.publish(f"{name}/x", str(number), 1) for number in range(200)]
            sent[-1].wait_for_publish(8)

    threads = [threading.Thread(target=send, args=(f"c{index}",)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen.until(800)
    for index in range(4):
        assert [number for name, number in seen if name == f"c{index}"] == list(range(200))
    (hook,) = broker.hooks
    assert (hook.calls, hook.errors, hook.dropped, hook.queued) == (800, 0, 0, 0)


def test_clients_are_told_of(broker):
    seen = Seen()

    @broker.on_client_connected
    def came(client):
        seen.append(("came", client.client_id, client.username, client.password, client.version))

    @broker.on_client_disconnected
    async def went(client, reason):
        seen.append(("went", client.client_id, reason))

    @broker.on_client_disconnected()
    def went_too(client):
        seen.append(("went too", client.client_id))

    with Device(broker, "one", login=("tom", "secret"), version=MQTTv311):
        seen.until(1)
    seen.until(3)
    assert seen[0] == ("came", "one", "tom", None, "3.1.1")
    assert {entry[:2] for entry in seen[1:]} == {("went", "one"), ("went too", "one")}
    dropped = Device(broker, "two")
    dropped.drop()
    seen.until(6)
    reasons = {entry[1]: entry[2] for entry in seen if entry[0] == "went"}
    assert all(isinstance(reason, str) and reason for reason in reasons.values())
    assert reasons["one"] != reasons["two"]


def test_a_will_fires_and_a_publish_of_the_broker_does_not(broker):
    seen = Seen()

    @broker.on_message_received("#")
    def again(msg):
        seen.append((msg.topic, msg.text, msg.client_id))
        broker.publish("again", "x")

    broker.publish("own", "x")
    Device(broker, "w", will=("gone", "bye", 1, False)).drop()
    seen.until(1)
    assert broker.wait_for_hooks()
    assert seen == [("gone", "bye", "w")]


def test_what_is_sent_is_told_of_for_each_receiver(broker):
    seen = Seen()

    @broker.on_message_sent("a/{level}")
    def sent(msg, level):
        seen.append((msg.client_id, msg.publisher, level, msg.qos, msg.packet_id, msg.retain))

    with Device(broker, "r0") as zero, Device(broker, "r1") as one, Device(broker, "p") as publisher:
        assert (zero.subscribe("a/+", 0), one.subscribe("a/+", 1)) == ([0], [1])
        publisher.publish("a/b", "1", 1)
        publisher.publish("a/c", "2", 1)
        broker.publish("a/d", "3", qos=1, retain=True)
        one_ids = [one.receive().mid for _ in range(3)]
        seen.until(6)
        zero.subscribe("a/d", 0)
        seen.until(7)
    assert [entry for entry in seen if entry[0] == "r0"] == [
        ("r0", "p", "b", 0, None, False),
        ("r0", "p", "c", 0, None, False),
        ("r0", "", "d", 0, None, False),
        ("r0", "", "d", 0, None, True),
    ]
    assert all(one_ids)
    assert [entry[3:5] for entry in seen if entry[0] == "r1"] == [(1, mid) for mid in one_ids]


def test_a_hook_added_while_it_runs_sees_what_comes_afterwards(broker):
    early, late = Seen(), Seen()
    broker.on_message_received("a")(early.append)
    with Device(broker) as device:
        device.publish("a", "1")
        broker.on_message_received("a")(late.append)
        device.publish("a", "2")
    assert broker.wait_for_hooks()
    assert [msg.text for msg in early] == ["1", "2"]
    assert [msg.text for msg in late] == ["2"]


@pytest.mark.parametrize(
    ("decorator", "happens"), [("transform('t')", "publish"), ("on_client_connected", "connect")]
)
def test_a_hook_that_is_defined_again_keeps_its_place(broker, join, redefine, decorator, happens):
    """Among those of its priority, also with another filter or function."""
    order: list[str] = []
    cell = f"@broker.{decorator}\ndef {{name}}(what): order.append('{{name}}')"
    for name in ("one", "two", "three", "two", "one"):
        redefine(broker, cell.format(name=name), order=order)
    redefine(broker, cell.format(name="two").replace("'t'", "'#'"), order=order)
    client = join(broker)
    if happens == "publish":
        client.publish("t", b"", 1)
    assert broker.wait_for_hooks()
    assert order == ["one", "two", "three"]
