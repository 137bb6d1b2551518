"""The broker under test: ``serve.py MODE`` says its port, and answers each line with its figures."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hookmq import Broker

CONDITION = "payload.temp > 30"
"""What the rule looks at; the payload fulfils it."""


def none(broker: Broker) -> None:
    """No rule."""


def beside(count: int) -> Callable[[Broker], None]:
    """Return a mode with so many rules whose topics do not match."""

    def mode(broker: Broker) -> None:
        for index in range(count):
            broker.add_rule(f"r{index}", f'SELECT payload.temp FROM "other/{index}/#" WHERE {CONDITION}')

    return mode


def condition(broker: Broker) -> None:
    """One rule whose condition holds; nothing is done with its results."""
    broker.add_rule("r", f'SELECT payload.temp AS t, clientid FROM "bench/+/level" WHERE {CONDITION}')


def hundred(broker: Broker) -> None:
    """The same rule a hundred times: each runs on every message."""
    for index in range(100):
        broker.add_rule(f"r{index}", f'SELECT payload.temp AS t FROM "bench/+/level" WHERE {CONDITION}')


def republish(broker: Broker) -> None:
    """One rule that publishes each result."""
    broker.add_rule(
        "r",
        f'SELECT payload.temp AS t FROM "bench/+/level" WHERE {CONDITION}',
        actions=[{"kind": "republish", "topic": "alarms/${topic(2)}", "payload": '{"t": ${t}}'}],
    )


def window(broker: Broker) -> None:
    """One rule with a window."""
    broker.add_rule(
        "r",
        'SELECT topic, avg(payload.temp) AS t, count(*) AS n FROM "bench/+/level" '
        "GROUP BY topic, tumbling('1s')",
    )


def each(count: int) -> Callable[[Broker], None]:
    """Return a mode with so many rules, each on a topic of its own; the first ten are published to."""

    def mode(broker: Broker) -> None:
        for index in range(count):
            broker.add_rule(f"r{index}", f'SELECT payload.temp FROM "bench/{index}/level" WHERE {CONDITION}')

    return mode


def transform(broker: Broker) -> None:
    """The same condition as a hook in Python that decides."""

    @broker.transform("bench/+/level")
    def hot(message: Any) -> None:
        if message.json()["temp"] > 30:
            pass


MODES: dict[str, Callable[[Broker], None]] = {
    "none": none,
    "beside-100": beside(100),
    "condition": condition,
    "hundred": hundred,
    "republish": republish,
    "window": window,
    "each-10": each(10),
    "each-10000": each(10_000),
    "transform": transform,
}


def cpu() -> int:
    """Return nanoseconds of CPU of all threads but this one."""
    return sum(
        int((task / "schedstat").read_text().split()[0])
        for task in Path("/proc/self/task").iterdir()
        if int(task.name) != threading.main_thread().native_id
    )


def main() -> None:
    """Serve until the input ends."""
    broker = Broker(port=0, http_port=None, workers=1, history={"enabled": False})
    MODES[sys.argv[1]](broker)
    with broker:
        print(json.dumps({"port": broker.port}), flush=True)
        for _ in sys.stdin:
            print(json.dumps({"cpu": cpu(), **broker.statistics}), flush=True)


if __name__ == "__main__":
    main()
