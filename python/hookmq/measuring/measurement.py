"""The measurements of ``hookmq bench``, one after the other."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import HookMQError
from .flow import Flow, latencies
from .wire import Client, Place

__all__ = ["MEASUREMENTS", "Figures", "measure", "own_broker"]

_FAN_OUT = 100
_GATHER = 20

Tell = Callable[[float], None]
"""Told of how much of the work is done, from 0 to 1."""

_OWN = """
import sys
from hookmq import Broker
with Broker(port=0, http_port=None, history={"enabled": False}) as broker:
    print(broker.port, flush=True)
    sys.stdin.read()
"""


@dataclass(frozen=True)
class Figures:
    """What came of a measurement. What could not be known is ``None``."""

    name: str
    rate: float | None = None
    """Messages, or connects, a second."""
    cpu_us: float | None = None
    """Microseconds of the broker's processor time for each."""
    p50_us: float | None = None
    """Half were faster, in microseconds."""
    p99_us: float | None = None
    """One of a hundred was slower."""


@contextlib.contextmanager
def own_broker() -> Iterator[tuple[Place, int]]:
    """Start a broker with the usual settings in a process of its own: where it is, and its process."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HOOKMQ_")}
    command = [sys.executable, "-c", _OWN]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            port = process.stdout.readline().strip()
            if not port:
                raise HookMQError("E402", host="127.0.0.1", port=0, reason="it did not start")
            yield Place(port=int(port)), process.pid
        finally:
            process.stdin.close()


def _processor_time(pid: int | None) -> float | None:
    """Seconds of processor time of a process of this machine; ``None`` where nobody tells."""
    if pid is None or not Path("/proc/self/task").exists():
        return None
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def _flow(name: str, **numbers: int) -> Callable[[Place, int | None, float, int, Tell], Figures]:
    def run(place: Place, pid: int | None, seconds: float, size: int, tell: Tell) -> Figures:
        with Flow.between(place, size=size, **numbers) as flow:
            flow.run(min(seconds, 0.2))  # whatever is slow only once
            before = _processor_time(pid)
            seen = flow.run(seconds, tell)
            after = _processor_time(pid)
        cpu = None if before is None or after is None else (after - before) / seen.messages * 1e6
        return Figures(name, seen.messages / seen.seconds, cpu)

    return run


def _latency(place: Place, pid: int | None, seconds: float, size: int, tell: Tell) -> Figures:
    latencies(place, min(seconds, 0.2), size)
    before = _processor_time(pid)
    taken = latencies(place, seconds, size, tell)
    after = _processor_time(pid)
    cpu = None if before is None or after is None else (after - before) / len(taken) * 1e6
    p50, p99 = (taken[int(len(taken) * part)] * 1e6 for part in (0.5, 0.99))
    return Figures("one at a time", len(taken) / sum(taken), cpu, p50, p99)


def _connects(place: Place, pid: int | None, seconds: float, size: int, tell: Tell) -> Figures:
    before = _processor_time(pid)
    began = time.perf_counter()
    count = 0
    while (elapsed := time.perf_counter() - began) < seconds:
        Client(place, f"bench-c{count}").close()
        count += 1
        tell(elapsed / seconds)
    after = _processor_time(pid)
    cpu = None if before is None or after is None else (after - before) / count * 1e6
    return Figures("connects", count / elapsed, cpu)


MEASUREMENTS = {
    "one to one": _flow("one to one"),
    "one to one, QoS 1": _flow("one to one, QoS 1", qos=1),
    f"one to {_FAN_OUT}": _flow(f"one to {_FAN_OUT}", subscribers=_FAN_OUT),
    f"{_GATHER} to one": _flow(f"{_GATHER} to one", publishers=_GATHER),
    "one at a time": _latency,
    "connects": _connects,
}
"""All measurements by name, in the order in which they are made."""


def measure(name: str, place: Place, pid: int | None, *, seconds: float, size: int, tell: Tell) -> Figures:
    """Make one of them. Raises E401 to E405 if the broker does not answer as it should."""
    return MEASUREMENTS[name](place, pid, seconds, size, tell)
