"""Hooks that are coroutines: in order for each client, side by side for several, and ended in time."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import time
from typing import Any

import pytest

from ..protocol.packets import Connect, Puback, Publish
from .helpers import DEADLINE, Seen, eventually


class Door:
    """Where coroutines wait until the test opens it."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self._open = False
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []

    async def wait(self) -> None:
        loop = asyncio.get_running_loop()
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            if not self._open:
                future = loop.create_future()
                self._waiting.append((loop, future))
                await future
        finally:
            self.inside -= 1

    def open(self) -> None:
        eventually(lambda: self._waiting)  # the loop may not have come to it yet
        loop, _ = self._waiting[0]
        loop.call_soon_threadsafe(self._let_in)

    def _let_in(self) -> None:
        self._open = True
        for _, future in self._waiting:
            if not future.done():
                future.set_result(None)


def send(wire: Any, topic: str, count: int) -> None:
    """Publish so many numbers in one write, and wait until all are acknowledged."""
    wire.send(*(Publish(topic, b"%d" % number, 1, id=number + 1) for number in range(count)))
    for number in range(count):
        wire.expect(Puback(number + 1, 0x10))


# Order and concurrency --------------------------------------------------------------------------------------


def test_in_order_for_each_client(broker, join):
    begun, ended = Seen(), Seen()
    chance = random.Random(1)

    @broker.on_message_received("a")
    async def watch(msg):
        begun.append((msg.client_id, int(msg.payload)))
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(chance.random() / 500)
        ended.append((msg.client_id, int(msg.payload)))

    for index in range(10):
        send(join(broker, f"c{index}"), "a", 100)
    ended.until(1000)
    for seen in (begun, ended):
        for index in range(10):
            assert [number for name, number in seen if name == f"c{index}"] == list(range(100))
    assert broker.hooks[0].calls == 1000


def test_one_call_of_a_client_ends_before_its_next_begins(broker, join):
    inside: dict[str, int] = {}
    overlaps = Seen()

    @broker.on_message_received("a")
    async def watch(msg):
        inside[msg.client_id] = inside.get(msg.client_id, 0) + 1
        if inside[msg.client_id] > 1:
            overlaps.append(msg)
        await asyncio.sleep(0)
        inside[msg.client_id] -= 1

    for index in range(4):
        send(join(broker, f"c{index}"), "a", 200)
    eventually(lambda: broker.hooks[0].calls == 800 and not any(inside.values()))
    assert overlaps == []


def test_side_by_side_for_several_clients(broker, join):
    door = Door()

    @broker.on_message_received("a")
    async def watch(msg):
        await door.wait()

    wires = [join(broker, f"c{index}") for index in range(60)]
    for wire in wires:
        send(wire, "a", 2)
    eventually(lambda: door.inside == 60)
    door.open()
    eventually(lambda: broker.hooks[0].calls == 120 and door.inside == 0)
    assert door.most == 60, "the second of each client waits for its first"


def test_several_hooks_of_one_client_side_by_side(broker, join):
    door, seen = Door(), Seen()

    @broker.on_message_received("a")
    async def slow(msg):
        await door.wait()

    @broker.on_message_received("a")
    async def quick(msg):
        seen.append(msg.text)

    send(join(broker), "a", 5)
    assert seen.until(5) == ["0", "1", "2", "3", "4"]
    door.open()


def test_functions_and_coroutines_do_not_hold_each_other_up(broker, join):
    door, seen = Door(), Seen()

    @broker.on_message_received("a")
    async def slow(msg):
        await door.wait()

    broker.on_message_received("a")(lambda msg: seen.append(msg.text))
    send(join(broker), "a", 3)
    assert seen.until(3) == ["0", "1", "2"]
    door.open()


def test_no_more_than_a_thousand_at_a_time(broker, join):
    door, done = Door(), Seen()
    for index in range(45):

        async def watch(msg):
            await door.wait()
            done.append(1)

        broker.on_message_received("a", name=f"hook {index}")(watch)
    for index in range(30):
        send(join(broker, f"c{index}"), "a", 1)
    eventually(lambda: door.inside >= 1000)
    door.open()
    assert len(done.until(45 * 30)) == 45 * 30
    assert door.most == 1000
    assert sum(info.calls for info in broker.hooks) == 45 * 30


def test_what_waits_is_bounded_and_dropped_is_counted(broker_factory, join):
    broker = broker_factory({"hooks.queue_events": 100})
    door, seen = Door(), Seen()

    @broker.on_message_received("a", overflow="drop_newest")
    async def slow(msg):
        seen.append(int(msg.payload))
        await door.wait()

    wire = join(broker)
    send(wire, "a", 1)
    eventually(lambda: door.inside == 1)
    for _ in range(20):
        send(wire, "a", 500)
    (info,) = broker.hooks
    assert info.dropped > 0
    assert info.queued + info.dropped + info.calls == 10_001
    door.open()
    eventually(lambda: broker.hooks[0].queued == 0 and door.inside == 0)
    (info,) = broker.hooks
    assert info.calls + info.dropped == 10_001 and len(seen) == info.calls


def test_deciders_wait_side_by_side(broker_factory, dial):
    """There are fewer threads than clients: coroutines hold none of them."""
    broker = broker_factory({"hooks.decision_threads": 2})
    door = Door()

    @broker.authenticate
    async def admit(client):
        await door.wait()
        return True

    wires = [dial(broker) for _ in range(50)]
    for index, wire in enumerate(wires):
        wire.send(Connect(f"c{index}"))
    eventually(lambda: door.inside == 50)
    door.open()
    assert [wire.read().code for wire in wires] == [0] * 50


def test_transforms_wait_side_by_side(broker_factory, join):
    broker = broker_factory({"hooks.decision_threads": 2})
    door = Door()

    @broker.transform("a")
    async def change(msg):
        await door.wait()
        return "changed"

    wires = [join(broker, f"c{index}") for index in range(20)]
    for wire in wires:
        wire.send(Publish("a", b"x", 1, id=1))
    eventually(lambda: door.inside == 20, timeout=2)
    door.open()
    for wire in wires:
        wire.expect(Puback(1, 0))


# What asyncio has -------------------------------------------------------------------------------------------


def test_what_asyncio_offers_works_in_hooks(broker, join):
    seen = Seen()

    @broker.on_message_received("a")
    async def watch(msg):
        task = asyncio.current_task()
        assert task is not None and asyncio.get_running_loop() is task.get_loop()
        try:
            async with asyncio.timeout(0.01):
                await asyncio.sleep(10)
        except TimeoutError:
            seen.append("timeout")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.sleep(10), 0.01)
        numbers = await asyncio.gather(*(asyncio.sleep(0.001 * n, n) for n in range(5)))
        seen.append(numbers)
        async with asyncio.TaskGroup() as group:
            made = [group.create_task(asyncio.sleep(0, n)) for n in range(3)]
        seen.append([one.result() for one in made])
        seen.append(await asyncio.to_thread(lambda: threading.current_thread().name.startswith("asyncio")))
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.001, future.set_result, "later")
        seen.append(await future)
        assert asyncio.current_task() is task
        seen.append(msg.text)

    send(join(broker), "a", 3)
    expected = ["timeout", [0, 1, 2, 3, 4], [0, 1, 2], True, "later"]
    assert seen.until(18) == [*expected, "0", *expected, "1", *expected, "2"]
    assert broker.hooks[0].errors == 0


def test_a_time_out_that_is_not_caught_is_an_error(broker, join):
    seen = Seen()

    @broker.on_message_received("a")
    async def watch(msg):
        async with asyncio.timeout(0.01):
            if msg.text == "0":
                await asyncio.sleep(10)
        await asyncio.sleep(0.03)  # the time of the one before must not catch up with this one
        seen.append(msg.text)

    send(join(broker), "a", 3)
    assert seen.until(2) == ["1", "2"]
    eventually(lambda: (broker.hooks[0].calls, broker.hooks[0].errors) == (3, 1))


@pytest.mark.parametrize("how", ["raises it", "cancels itself and waits", "cancels itself and returns"])
def test_a_hook_that_cancels_itself_harms_no_other(broker, join, how):
    seen = Seen()

    @broker.on_message_received("a")
    async def watch(msg):
        if msg.text == "1":
            if how == "raises it":
                raise asyncio.CancelledError
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            if how == "cancels itself and waits":
                await asyncio.sleep(0)
        else:
            await asyncio.sleep(0.001)
        seen.append(msg.text)

    other = Seen()

    @broker.on_message_received("a")
    async def beside(msg):
        await asyncio.sleep(0)
        other.append(msg.text)

    wire = join(broker)
    send(wire, "a", 5)
    assert other.until(5) == ["0", "1", "2", "3", "4"]
    expected = ["0", "2", "3", "4"] if how != "cancels itself and returns" else ["0", "1", "2", "3", "4"]
    assert seen.until(len(expected)) == expected
    send(wire, "a", 1)
    seen.until(len(expected) + 1)
    assert broker.hooks[0].calls == 6


def test_tasks_that_a_hook_leaves_behind_go_on(broker, join):
    seen, tasks = Seen(), []

    @broker.on_message_received("a")
    async def watch(msg):
        async def later():
            await asyncio.sleep(0.01)
            seen.append(msg.text)

        tasks.append(asyncio.create_task(later()))

    send(join(broker), "a", 3)
    assert sorted(seen.until(3)) == ["0", "1", "2"]


def test_a_hook_may_use_the_broker(broker, join):
    seen = Seen()

    @broker.on_message_received("ask")
    async def answer(msg):
        with broker.subscribe("reply") as replies:
            broker.publish("question", msg.text)
            async for reply in replies:
                seen.append(reply.text)
                break

    @broker.on_message_received("answers")
    async def forward(msg):
        broker.publish("reply", msg.text)

    reader = join(broker)
    reader.subscribe("question")
    wire = join(broker)
    send(wire, "ask", 1)
    reader.expect_message("question", b"0")
    send(reader, "answers", 1)
    assert seen.until(1) == ["0"]


# The end ----------------------------------------------------------------------------------------------------


def test_what_can_end_in_time_ends(broker_factory, join):
    broker = broker_factory({"hooks.stop_grace": 5})
    seen = Seen()

    @broker.on_message_received("a")
    async def watch(msg):
        await asyncio.sleep(0.05)
        seen.append(msg.text)

    send(join(broker), "a", 5)
    began = time.monotonic()
    broker.stop()
    assert seen == ["0", "1", "2", "3", "4"]
    assert time.monotonic() - began < 3


def test_what_does_not_end_in_time_is_cancelled(broker_factory, join):
    broker = broker_factory({"hooks.stop_grace": 0.2})
    begun, ended, late = Seen(), Seen(), Seen()

    @broker.on_message_received("a")
    async def watch(msg):
        begun.append(msg.client_id)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append(msg.client_id)
            raise
        finally:
            await asyncio.sleep(0)  # what tidies up may wait a little
            late.append(msg.client_id)

    for index in range(3):
        send(join(broker, f"c{index}"), "a", 2)
    begun.until(3)
    began = time.monotonic()
    broker.stop()
    assert time.monotonic() - began < 2
    assert sorted(begun) == sorted(ended) == sorted(late) == ["c0", "c1", "c2"], "and the others never begin"


@pytest.mark.parametrize("how", ["swallows it", "spins"])
def test_one_that_does_not_want_to_end_is_left_behind(broker_factory, join, how):
    broker = broker_factory({"hooks.stop_grace": 0.2})
    begun, release = Seen(), threading.Event()

    @broker.on_message_received("a")
    async def watch(msg):
        begun.append(1)
        while not release.is_set():
            if how == "spins":
                continue
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.01)

    send(join(broker), "a", 1)
    begun.until(1)
    began = time.monotonic()
    broker.stop()
    assert time.monotonic() - began < DEADLINE
    release.set()


def test_it_can_be_started_again(broker_factory, join):
    broker = broker_factory(start=False)
    seen = Seen()

    @broker.on_message_received("a")
    async def watch(msg):
        await asyncio.sleep(0)
        seen.append(msg.text)

    for count in (1, 2, 3):
        with broker:
            send(join(broker), "a", 1)
            seen.until(count)
