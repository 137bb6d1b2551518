"""The broker under test: ``serve.py MODE`` says its port and answers requests until its input ends.

``settle N`` waits until observers were told everything and the hook has counted N messages, if it counts;
``figures`` tells the CPU time of the threads, the memory, the hooks' counters.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hookmq import Broker

BUSY = 0.002
"""Seconds that a hook takes which is in nobody's way."""

PATIENCE = 50.0
"""Seconds hooks may take for what waits."""


@dataclass
class Tally:
    """What a hook saw: how many messages, if it counts, and the seconds since each was sent, if it looks."""

    count: Callable[[], int] | None = None
    ages: list[float] = field(default_factory=list)


def none(broker: Broker) -> Tally:
    """Nothing is registered."""
    return Tally()


def other(broker: Broker) -> Tally:
    """A hook, but none that messages fire."""

    @broker.on_client_connected
    def connected(client: object) -> None:
        pass

    return Tally()


def count(broker: Broker) -> Tally:
    """The trivial hook: it counts."""
    seen = 0

    @broker.on_message_received("#")
    def hook(message: object) -> None:
        nonlocal seen
        seen += 1

    return Tally(lambda: seen)


def build(broker: Broker) -> Tally:
    """The hook does what the paho consumer does: it makes a dict of the message."""
    seen = 0

    @broker.on_message_received("#")
    def hook(message: Any) -> None:
        nonlocal seen
        seen += 1
        {  # noqa: B018 - making it is the work
            "topic": message.topic,
            "payload": message.payload,
            "qos": message.qos,
            "retain": message.retain,
            "client": message.client_id,
            "time": message.timestamp,
        }

    return Tally(lambda: seen)


def coroutine(broker: Broker) -> Tally:
    """An asynchronous hook that awaits nothing."""
    seen = 0

    @broker.on_message_received("#")
    async def hook(message: object) -> None:
        nonlocal seen
        seen += 1

    return Tally(lambda: seen)


def batch(format: str) -> Callable[[Broker], Tally]:
    """Return a mode with an ``on_batch`` hook; of Arrow batches it takes the columns, as a reader would."""

    def mode(broker: Broker) -> Tally:
        seen = 0

        @broker.on_batch("#", format=format, max_rows=4096)
        def hook(rows: Any) -> None:
            nonlocal seen
            if format == "arrow":
                take = getattr(rows, "__arrow_c_array__", None) or rows.__arrow_c_stream__
                take()
            seen += len(rows)

        return Tally(lambda: seen)

    return mode


def wait(broker: Broker) -> Tally:
    """The hook looks how old each message is: its payload begins with the nanosecond in which it was sent.

    The monotonic clock is one for all processes of a machine.
    """
    tally = Tally()
    note, now, read = tally.ages.append, time.monotonic_ns, int.from_bytes

    @broker.on_message_received("#")
    def hook(message: Any) -> None:
        note((now() - read(message.payload[:8])) / 1e9)

    tally.count = lambda: len(tally.ages)
    return tally


def burn(broker: Broker) -> Tally:
    """The hook holds the interpreter for every message; far more come than it can take."""

    @broker.on_message_received("#")
    def hook(message: object) -> None:
        end = time.perf_counter() + BUSY
        while time.perf_counter() < end:
            pass

    return Tally()


def sleep(broker: Broker) -> Tally:
    """The hook sleeps for every message; far more come than it can take."""

    @broker.on_message_received("#")
    def hook(message: object) -> None:
        time.sleep(BUSY)

    return Tally()


def transform(broker: Broker) -> Tally:
    """A decider that leaves every message as it is."""

    @broker.transform("#")
    def hook(message: object) -> None:
        return None

    return Tally()


MODES: dict[str, Callable[[Broker], Tally]] = {
    "none": none,
    "other": other,
    "count": count,
    "build": build,
    "coroutine": coroutine,
    "arrow": batch("arrow"),
    "messages": batch("messages"),
    "dicts": batch("dicts"),
    "wait": wait,
    "burn": burn,
    "sleep": sleep,
    "transform": transform,
}


def thread_times() -> dict[str, int]:
    """Return nanoseconds of CPU: of the network threads, of this one, of all others, which are the hooks'."""
    times = {"network": 0, "main": 0, "hooks": 0}
    for task in Path("/proc/self/task").iterdir():
        spent = int((task / "schedstat").read_text().split()[0])
        if int(task.name) == threading.main_thread().native_id:
            times["main"] += spent
        elif (task / "comm").read_text().startswith("hookmq-net"):
            times["network"] += spent
        else:
            times["hooks"] += spent
    return times


def figures(broker: Broker, tally: Tally) -> dict[str, Any]:
    """Return what is known at this moment."""
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    hooks = broker.hooks
    return {
        "cpu": thread_times(),
        "resident": resident,
        "count": None if tally.count is None else tally.count(),
        "dropped": sum(hook.dropped for hook in hooks),
        "errors": sum(hook.errors for hook in hooks),
        "wait": [[getattr(hook, "wait_p50", None), getattr(hook, "wait_p99", None)] for hook in hooks],
        "ages": tally.ages,
    }


def settle(broker: Broker, tally: Tally, count: int) -> dict[str, Any]:
    """Wait until the hook has seen so many; what its thread does meanwhile is not disturbed."""
    deadline = time.monotonic() + PATIENCE
    told = broker.wait_for_hooks(PATIENCE)
    # Coroutines and batches may be begun later than they are told of.
    while tally.count is not None and tally.count() < count and time.monotonic() < deadline:
        time.sleep(0.002)
    return {"told": told}


def main() -> None:
    """Serve until the input ends."""
    broker = Broker(port=0, http_port=None, history={"enabled": False}, hooks={"stop_grace": 0.2})
    tally = MODES[sys.argv[1]](broker)
    with broker:
        print(json.dumps({"port": broker.port}), flush=True)
        for line in sys.stdin:
            request, *arguments = line.split()
            answer = (
                figures(broker, tally) if request == "figures" else settle(broker, tally, int(arguments[0]))
            )
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
