"""Hooks that raise, and hooks that are slower than what happens."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from .helpers import Device, Gate, Seen, eventually


class Later:
    def __init__(self, seen: list[Any]) -> None:
        self.seen = seen

    async def __call__(self, msg):
        await asyncio.sleep(0)
        self.seen.append(("async object", msg.text))


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize("error", [ValueError("wrong"), SystemExit(1), KeyboardInterrupt(), Unspeakable()])
def test_a_hook_that_raises_stops_nobody(broker, caplog, kind, error):
    seen = Seen()

    def fail(msg):
        raise error

    async def fail_later(msg):
        raise error

    broker.on_message_received("a", name="bad")(fail if kind == "def" else fail_later)
    broker.on_message_received("a")(seen.append)
    broker.on_message_received("a", name="async good")(Later(later := Seen()))
    with caplog.at_level(logging.DEBUG, logger="hookmq.hooks"), Device(broker) as device:
        for _ in range(5):
            device.publish("a", "x")
        assert (len(seen.until(5)), len(later.until(5))) == (5, 5)
        eventually(lambda: broker.hooks[0].errors == 5)
    (record,) = [record for record in caplog.records if record.name == "hookmq.hooks"]
    assert record.levelno == logging.ERROR
    assert record.getMessage().startswith(f"bad raised {type(error).__name__}")
    assert record.exc_info is not None and record.exc_info[1] is error
    assert record.exc_info[2] is not None


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest"])
def test_what_is_dropped_is_counted(broker_factory, caplog, overflow):
    broker = broker_factory({"hooks.queue_events": 10})
    gate, seen = Gate(), Seen()

    @broker.on_message_received("a", overflow=overflow)
    def slow(msg):
        seen.append(int(msg.payload))
        if len(seen) == 1:
            gate.wait()

    with Device(broker) as device:
        device.publish("a", "0")
        assert gate.entered.wait(5)
        for number in range(1, 31):
            device.publish("a", str(number))
        assert (broker.hooks[0].dropped, broker.hooks[0].queued) == (20, 10)
        gate.opened.set()
        seen.until(11)
    assert broker.wait_for_hooks()
    assert seen == [0, *(range(21, 31) if overflow == "drop_oldest" else range(1, 11))]
    (hook,) = broker.hooks
    assert (hook.calls, hook.dropped, hook.queued) == (11, 20, 0)
    assert [record.getMessage() for record in caplog.records if record.name == "hookmq.hooks"] == [
        "slow is too slow: 20 events were dropped"
    ]
    assert broker.statistics["messages_received"] == 31


def test_the_queue_of_hooks_is_bounded_in_bytes(broker_factory):
    broker = broker_factory({"hooks.queue_bytes": 1 << 20})
    gate = Gate()

    @broker.on_message_received("a")
    def slow(msg):
        gate.wait()

    with Device(broker) as device:
        device.publish("a")
        assert gate.entered.wait(5)
        for _ in range(50):
            device.publish("a", b"")
        for _ in range(20):
            device.publish("a", bytes(500_000))
        queued = broker.hooks[0].queued
        gate.opened.set()
    assert queued <= 3
