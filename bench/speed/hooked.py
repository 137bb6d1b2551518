"""A stream that Python counts: a hook in HookMQ beside a broker with a client in Python."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

from .. import load
from ..brokers import Broker
from ..machine import CACHE, process_time
from ..peers import available, free_port
from .running import Job

__all__ = ["ROW", "TARGET", "jobs"]

ROW = "1 → 1 with Python that counts"
TARGET = 0.25
"""HookMQ's CPU for a message, its hook's included, divided by the best pair's."""

COUNT, WARM_UP = 100_000, 10_000
PATIENCE = 60.0
MANY = 1_000  # rounds
GMQTT = CACHE / "gmqtt/bin/python"
PYTHONS = {"hook": Path(sys.executable), "paho": Path(sys.executable), "gmqtt": GMQTT}


class Counting:
    """A process that counts."""

    def __init__(self, kind: str, port: int) -> None:
        program = Path(__file__).with_name("counting.py")
        self._process = subprocess.Popen(
            [PYTHONS[kind], program, kind, str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if self._line() != "ready":
            assert self._process.stderr is not None
            raise RuntimeError(f"{kind}: {self._process.stderr.read().strip()[-300:]}")

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    @property
    def cpu(self) -> float:
        """Seconds of processor time it has used."""
        return process_time(self._process.pid) / 1e9

    def until(self, count: int) -> None:
        """Wait until so many have come. Raises ``RuntimeError`` if they do not."""
        assert self._process.stdin is not None
        deadline = time.monotonic() + PATIENCE
        while True:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
            seen = int(self._line())
            if seen == count:
                return
            if time.monotonic() > deadline or seen > count:
                raise RuntimeError(f"{seen} of {count} messages were counted")
            time.sleep(0.05)

    def __enter__(self) -> Counting:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()


def _measure(port: int, counting: Counting, broker: Broker | None, scale: float) -> dict[str, float]:
    count = int(COUNT * scale)
    totals: list[float] = []
    expected = [WARM_UP, WARM_UP + count]

    def read() -> None:
        counting.until(expected[len(totals)])
        totals.append(counting.cpu + (0.0 if broker is None else broker.cpu))

    seen = load.measure(port, {"count": count, "warm-up": WARM_UP}, read, read)
    return {**seen, "cpu_us": (totals[1] - totals[0]) / count * 1e6}


def _pair(name: str, client: str, directory: Path, scale: float) -> dict[str, float]:
    with Broker(name, directory) as broker, Counting(client, broker.port) as counting:
        return _measure(broker.port, counting, broker, scale)


def _hook(scale: float) -> dict[str, float]:
    port = free_port()
    with Counting("hook", port) as counting:
        return _measure(port, counting, None, scale)


def jobs(scale: float) -> list[Job]:
    """What there is to measure."""
    found: list[Job] = [(ROW, "hookmq with a hook", lambda directory: _hook(scale), MANY)]
    for name in ("mosquitto", "nats-server", "rumqttd", "hookmq"):
        for client in ("gmqtt", "paho"):
            if name in available() and PYTHONS[client].exists():
                found.append(
                    (
                        ROW,
                        f"{name} and {client}",
                        lambda directory, name=name, client=client: _pair(name, client, directory, scale),
                        MANY,
                    )
                )
    return found
