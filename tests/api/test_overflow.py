"""Hooks that are slower than what happens: what is dropped, what waits, and that the sums are exact."""

from __future__ import annotations

import asyncio
import resource
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hookmq import Broker
from hookmq.execution.coroutines import CONCURRENT

from ..limits.conftest import connect, dial, root
from ..protocol.packets import V5, Pingreq, Pingresp, Puback, Publish
from ..protocol.wire import Wire
from . import failing_hooks
from .helpers import Gate, Seen, eventually

__all__ = ["connect", "dial", "root"]

ROOM = 50
"""Events that may wait for a hook."""

SLICE = 256
"""Events that the thread of a hook takes at a time: those are not in the queue any more."""

FORMS = ["def", "threads", "async def", "batch"]


class Slow:
    """A hook in one of its forms. It stops at a gate when it is called first, and notes what it is given."""

    def __init__(self, broker: Broker, form: str, filter: str = "a/#", **options: Any) -> None:
        self.gate, self.seen = Gate(), Seen()
        self.pause = 0.0
        self._broker, self._first = broker, threading.Event()
        match form:
            case "batch":
                broker.on_batch(filter, max_rows=10, max_delay=0, name="slow", **options)(self._batch)
            case "async def":
                broker.on_message_received(filter, name="slow", **options)(self._later)
            case "threads":
                broker.on_message_received(filter, name="slow", threads=2, **options)(self._message)
            case _:
                broker.on_message_received(filter, name="slow", **options)(self._message)

    @property
    def info(self) -> Any:
        return next(hook for hook in self._broker.hooks if hook.name == "slow")

    def _note(self, msg: Any) -> bool:
        self.seen.append((msg.client_id, int(msg.payload[:8])))
        first, _ = not self._first.is_set(), self._first.set()
        return first

    def _message(self, msg: Any) -> None:
        if self._note(msg):
            self.gate.wait()
        if self.pause:
            time.sleep(self.pause)

    async def _later(self, msg: Any) -> None:
        if self._note(msg):
            await asyncio.to_thread(self.gate.wait)
        if self.pause:
            await asyncio.sleep(self.pause)

    def _batch(self, rows: list[Any]) -> None:
        if any([self._note(msg) for msg in rows]):
            self.gate.wait()
        if self.pause:
            time.sleep(self.pause * len(rows))


def send(wire: Wire, topic: str, numbers: range, size: int = 8) -> None:
    """Publish with QoS 1; return when everything is acknowledged."""
    for start in range(numbers.start, numbers.stop, 100):
        part = range(start, min(start + 100, numbers.stop))
        wire.send(*(Publish(topic, f"{one:08}".encode().ljust(size), 1, id=one + 1) for one in part))
        for one in part:
            answer = wire.read()
            assert isinstance(answer, Puback) and (answer.id, answer.code & 0x80) == (one + 1, 0)


# What is dropped -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest"])
def test_the_first_or_the_last_are_dropped(broker_factory, connect, overflow, form):
    """Exactly so many, and exactly those. What the hook's thread has taken out already is not dropped."""
    broker = broker_factory({"hooks.queue_events": ROOM})
    slow = Slow(broker, form, overflow=overflow)
    count = 2000
    wire = connect("one", to=broker)
    send(wire, "a/x", range(1))
    assert slow.gate.entered.wait(5)
    send(wire, "a/x", range(1, count))
    waiting = slow.info.queued
    slow.gate.opened.set()
    assert broker.wait_for_hooks()
    eventually(lambda: slow.info.calls + slow.info.dropped == count)
    numbers = [number for _, number in slow.seen]
    assert numbers == sorted(set(numbers))
    assert (slow.info.calls, slow.info.dropped, slow.info.queued) == (len(numbers), count - len(numbers), 0)
    assert broker.statistics["messages_received"] == count
    if form == "async def":  # the loop has taken some out while they came, but not all
        assert ROOM < len(numbers) <= CONCURRENT + SLICE + ROOM
    else:
        assert (len(numbers), waiting) == (1 + ROOM, ROOM)
    if overflow == "drop_oldest":
        assert numbers[-ROOM:] == list(range(count - ROOM, count))
    elif form != "async def":
        assert numbers == list(range(1 + ROOM))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest"])
def test_under_load_every_message_is_called_or_dropped(broker_factory, connect, overflow, form):
    """Three clients, a hook that is slower than they are, and no gate that makes it easy."""
    broker = broker_factory({"hooks.queue_events": ROOM})
    slow = Slow(broker, form, overflow=overflow)
    slow.gate.opened.set()
    slow.pause = 0.0005
    wires = [connect(f"client{number}", to=broker) for number in range(3)]
    threads = [threading.Thread(target=send, args=(wire, "a/x", range(1000))) for wire in wires]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eventually(lambda: slow.info.calls + slow.info.dropped == 3000)
    assert broker.wait_for_hooks()
    info = slow.info
    eventually(lambda: len(slow.seen) == info.calls)
    assert (len(slow.seen), info.queued, info.errors) == (3000 - info.dropped, 0, 0)
    assert form == "async def" or info.dropped > 0
    for wire in wires:  # what each client's came to is in their order
        numbers = [number for name, number in slow.seen if name == wire.client_id]
        assert numbers == sorted(set(numbers))


def test_a_slow_coroutine_does_not_hold_all_that_comes(broker_factory, connect):
    """Calls of one client wait for each other, and those that wait are bounded like all others."""
    broker = broker_factory({"hooks.queue_events": ROOM})
    slow = Slow(broker, "async def")
    wire = connect(to=broker)
    send(wire, "a/x", range(1))
    assert slow.gate.entered.wait(5)
    send(wire, "a/x", range(1, 5000))
    assert slow.info.dropped >= 5000 - (CONCURRENT + SLICE + ROOM)
    slow.gate.opened.set()
    assert broker.wait_for_hooks()


@pytest.mark.parametrize("overflow", ["block", None])
def test_a_hook_that_drops_leaves_alone_what_is_for_one_that_does_not(broker_factory, connect, overflow):
    """Both share a thread, and so a queue. With ack="after_hook" a drop would be a broken promise."""
    broker = broker_factory({"hooks.queue_events": ROOM})
    options = {"overflow": "block"} if overflow else {"ack": "after_hook"}
    slow = Slow(broker, "def", **options)
    other = Seen()
    broker.on_message_received("b", name="loses", overflow="drop_oldest")(other.append)
    keeps, drops = connect("keeps", to=broker), connect("drops", to=broker)
    keeps.send(Publish("a/x", b"00000000", 1, id=1))
    assert slow.gate.entered.wait(5)
    keeps.send(*(Publish("a/x", f"{number:08}".encode(), 1, id=number + 1) for number in range(1, 30)))
    eventually(lambda: slow.info.queued == 29)
    send(drops, "b", range(200))
    slow.gate.opened.set()
    assert [keeps.read().code & 0x80 for _ in range(30)] == [0] * 30
    assert broker.wait_for_hooks()
    assert (slow.info.dropped, [number for _, number in slow.seen]) == (0, list(range(30)))
    (loses,) = [hook for hook in broker.hooks if hook.name == "loses"]
    assert (loses.calls, loses.dropped) == (len(other), 200 - len(other))


# What waits ----------------------------------------------------------------------------------------------

FLOOD = 20_000
"""Messages of 1 KiB: more than sockets and queues take."""


class Flood:
    """A client that publishes with QoS 0 as fast as it is let, on a thread of its own."""

    def __init__(self, wire: Wire, topic: str) -> None:
        self._wire = wire
        wire._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 << 10)
        self.sent = 0
        self._packets = (Publish(topic, f"{one:08}".encode().ljust(1024)).encode(V5) for one in range(FLOOD))
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        self._wire._socket.settimeout(30)
        for packet in self._packets:
            self._wire._write(packet)
            self.sent += 1

    def stalled(self) -> bool:
        """Whether nothing more could be sent for a while."""
        before = self.sent
        time.sleep(0.3)
        return self.sent == before

    def end(self) -> None:
        self._thread.join(30)
        assert self.sent == FLOOD


def memory() -> int:
    """Bytes this process holds at this moment."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


@pytest.mark.parametrize("form", FORMS)
def test_block_drops_nothing_and_holds_only_who_causes_it(broker_factory, connect, form):
    broker = broker_factory({"hooks.queue_events": ROOM})
    slow = Slow(broker, form, overflow="block")
    held, other, reader = connect("held", to=broker, keep_alive=1), connect(to=broker), connect(to=broker)
    reader.subscribe("b", qos=1)
    before = memory()
    flood = Flood(held, "a/x")
    assert slow.gate.entered.wait(5)
    eventually(flood.stalled)
    sent = flood.sent
    assert sent < FLOOD
    # Others are served meanwhile, for longer than the Keep Alive of the one that is held.
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        began = time.monotonic()
        assert other.publish("b", b"x", 1) == 0
        reader.expect_message("b", b"x", qos=1)
        assert time.monotonic() - began < 0.5
    assert flood.stalled()
    # One read of 64 KiB may come on top of a full queue; an async hook has taken out as much as it may.
    outside = CONCURRENT + SLICE if form == "async def" else SLICE
    assert slow.info.queued <= ROOM + outside
    assert slow.info.queued + slow.info.calls <= ROOM + outside + 2 * 64
    assert memory() - before < 16 << 20
    slow.gate.opened.set()
    flood.end()
    held.send(Pingreq())
    held.expect(Pingresp(), 10)
    slow.seen.until(FLOOD)
    assert broker.wait_for_hooks()
    assert [number for _, number in slow.seen] == list(range(FLOOD))
    assert (slow.info.calls, slow.info.dropped, slow.info.queued) == (FLOOD, 0, 0)


def test_block_holds_every_publisher_that_causes_it_and_lets_all_go(broker_factory, connect):
    broker = broker_factory({"hooks.queue_events": ROOM})
    slow = Slow(broker, "def", overflow="block")
    wires = [connect(f"held{number}", to=broker) for number in range(3)]
    floods = [Flood(wire, f"a/{number}") for number, wire in enumerate(wires)]
    assert slow.gate.entered.wait(5)
    eventually(lambda: all(flood.stalled() for flood in floods))
    slow.gate.opened.set()
    for flood in floods:
        flood.end()
    slow.seen.until(3 * FLOOD)
    for wire in wires:
        assert [number for name, number in slow.seen if name == wire.client_id] == list(range(FLOOD))
    assert (slow.info.calls, slow.info.dropped) == (3 * FLOOD, 0)


def test_block_counts_bytes_as_well(broker_factory, connect):
    broker = broker_factory({"hooks.queue_bytes": 256 << 10})
    slow = Slow(broker, "def", overflow="block")
    flood = Flood(connect("held", to=broker), "a/x")
    assert slow.gate.entered.wait(5)
    eventually(flood.stalled)
    assert slow.info.queued <= (256 + 2 * 64) + SLICE
    slow.gate.opened.set()
    flood.end()
    slow.seen.until(FLOOD)
    assert slow.info.dropped == 0


def test_a_held_publisher_that_leaves_loses_nothing(broker_factory, connect):
    """What the broker has read is told, whatever becomes of the connection."""
    broker = broker_factory({"hooks.queue_events": ROOM})
    slow = Slow(broker, "def", overflow="block")
    wire = connect("held", to=broker)
    wire.send(*(Publish("a/x", f"{number:08}".encode(), 1, id=number + 1) for number in range(300)))
    assert slow.gate.entered.wait(5)
    acknowledged = sum(isinstance(wire.read(), Puback) for _ in range(ROOM))
    wire.reset()
    slow.gate.opened.set()
    eventually(lambda: broker.statistics["clients_connected"] == 0)
    assert broker.wait_for_hooks()
    numbers = [number for _, number in slow.seen]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= acknowledged and slow.info.dropped == 0


def test_block_for_a_hook_in_another_process(broker_factory, connect, tmp_path):
    broker: Any = broker_factory({"hooks.queue_events": ROOM})
    gate = tmp_path / "opened"
    broker.on_message_received(f"{gate.parent.name}/#", executor="process", overflow="block", name="slow")(
        failing_hooks.wait_for_file
    )
    topic = f"{gate.parent.name}/x"
    held, other = connect("held", to=broker), connect("other", to=broker)

    def info() -> Any:
        return broker.hooks[0]

    count = 5000
    path = str(gate).encode()
    packets: Callable[[], Any] = lambda: (Publish(topic, path.ljust(1024)) for _ in range(count))  # noqa: E731
    thread = threading.Thread(target=lambda: [held._write(packet.encode(V5)) for packet in packets()])
    held._socket.settimeout(30)
    thread.start()
    eventually(lambda: info().queued >= ROOM)
    assert other.publish("b", b"x", 1) & 0x80 == 0
    gate.touch()
    thread.join(30)
    eventually(lambda: info().calls == count, 20)
    assert (info().dropped, info().errors, info().queued) == (0, 0, 0)
