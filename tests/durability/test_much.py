"""Much of everything: messages that come and go leave no space behind, and a start with many is short."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ..hardening.server import mib
from . import flood
from .server import Node
from .sizes import LONG

QUEUES = {"max_queued_messages": 10_000_000, "max_queued_bytes": 2**40}


@pytest.mark.timeout(3600 if LONG else 120)
def test_messages_through_queues_leave_no_space_behind(
    node: Callable[..., Node], tmp_path: Path, figures: Callable[[str], None]
) -> None:
    total, at_once = (10_000_000, 50_000) if LONG else (300_000, 30_000)
    topic, payload = "to/everybody", bytes(200)
    broker = node(tmp_path / "data", limits=QUEUES)
    names = ["one", "other"]
    flood.sessions(broker.port, names, topic)
    # What is never fetched is in the oldest file, which must go all the same.
    flood.sessions(broker.port, ["away for ever"], "never")
    flood.publish(broker.port, ["never"], 10, payload)
    memory, most = [], 0
    for _ in range(total // at_once):
        flood.publish(broker.port, [topic], at_once, payload)
        most = max(most, broker.server.statistics()["store_bytes"])
        for name in names:
            flood.drain(broker.port, name, at_once, topic, payload)
        memory.append(broker.server.memory())
    left = broker.wait_until("store_live_bytes", lambda size: size < 100_000)
    size = broker.server.statistics()["store_bytes"]
    early = memory[len(memory) // 4]
    figures(
        f"queues: {total:,} messages through {len(names)} sessions each: {mib(most)} of disk at most, "
        f"{mib(size)} in the end, {mib(left)} of them in force; memory {mib(early)} after a quarter, "
        f"{mib(memory[-1])} after all"
    )
    # Twice what was in force at one time, and what may lie around before it is worth the work.
    assert most < 2 * at_once * (len(payload) + 3 * 100) + (80 << 20)
    assert memory[-1] < early + (16 << 20)
    broker.close()


@pytest.mark.timeout(600)
def test_a_start_with_many_sessions_and_messages(
    node: Callable[..., Node], tmp_path: Path, figures: Callable[[str], None]
) -> None:
    sessions, messages = (100_000, 1_000_000) if LONG else (5_000, 50_000)
    broker = node(tmp_path / "data", limits=QUEUES)
    names = [f"client-{number}" for number in range(sessions)]
    flood.sessions(broker.port, names)
    flood.publish(broker.port, [f"to/{name}" for name in names], messages, bytes(200))
    size = broker.server.statistics()["store_bytes"]
    broker.kill()
    began = time.perf_counter()
    broker.start()
    took = time.perf_counter() - began
    statistics = broker.server.statistics()
    assert (statistics["sessions"], statistics["queued_messages"]) == (sessions, messages)
    figures(
        f"recovery: {messages:,} messages of {sessions:,} sessions ({mib(size)}) there {took:.1f} s after "
        f"the process was started; {mib(broker.server.memory())} of memory"
    )
    assert took < 10
    broker.close()


def test_a_message_for_many_is_stored_once(
    node: Callable[..., Node], tmp_path: Path, figures: Callable[[str], None]
) -> None:
    many, size = 1_000, 256 << 10
    broker = node(tmp_path / "data")
    flood.sessions(broker.port, [f"client-{number}" for number in range(many)], "news")
    time.sleep(0.3)
    before = broker.server.statistics()["store_bytes"]
    flood.publish(broker.port, ["news"], 1, bytes(size))
    grown = broker.wait_until("store_bytes", lambda now: now > before) - before
    figures(f"fan-out: {mib(size)} to {many:,} offline sessions took {mib(grown)} of disk")
    assert size < grown < size + 100 * many
    broker.kill()
    broker.start()
    for name in ("client-0", "client-999"):
        flood.drain(broker.port, name, 1, "news", bytes(size))
    broker.close()
