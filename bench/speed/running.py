"""One measurement, and many in turn."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from .. import load
from ..brokers import Broker
from ..peers import PEERS
from .scenarios import Scenario

__all__ = ["Job", "Samples", "can", "measure", "take_turns"]

Sample = dict[str, float]
Samples = dict[str, dict[str, list[Sample]]]
"""Scenario → broker → rounds."""

Job = tuple[str, str, Callable[[Path], Sample], int]
"""The row and the column it is for, what measures it in an empty directory, and how often at most."""


def can(scenario: Scenario, name: str) -> bool:
    """Whether a broker knows what the scenario needs."""
    peer = PEERS[name]
    return scenario.carrier in peer.carriers and scenario.plan.get("version", 4) in peer.versions


def measure(scenario: Scenario, name: str, directory: Path, scale: float) -> Sample:
    """Run a scenario on a fresh broker: its CPU for a delivered message in µs, and what the generator saw."""
    with Broker(name, directory, scenario.carrier) as broker:
        times: list[float] = []
        memory: list[int] = []

        def read() -> None:
            times.append(broker.cpu)
            memory.append(broker.memory)

        options = scenario.options(scale * PEERS[name].pace)
        match scenario.carrier:
            case "tls":
                options["tls"] = broker.certificate.authority
            case "websocket":
                options["websocket"] = PEERS[name].path
        seen = load.measure(broker.port, options, read, read)
        cost = (times[1] - times[0]) / seen["messages"] * 1e6
        each = (memory[1] - memory[0]) / seen["messages"]
        return {**seen, "cpu_us": cost, "bytes": each, "memory": memory[1]}


def take_turns(jobs: Sequence[Job], rounds: int) -> tuple[Samples, list[str]]:
    """Run all, then all again: what the machine does meanwhile meets everyone. What fails is left out."""
    samples: Samples = {}
    failures: dict[tuple[str, str], str] = {}
    place = Path(tempfile.mkdtemp(prefix="bench-speed-"))
    try:
        for number in range(rounds):
            for row, column, run, most in jobs:
                if number >= most or (row, column) in failures:
                    continue
                print(f"\r\033[K{number + 1}/{rounds} {row}: {column}", end="", file=sys.stderr, flush=True)
                try:
                    sample = run(place / "broker")
                except (OSError, RuntimeError) as error:
                    failures[row, column] = f"{row}, {column}: {error}"
                    continue
                samples.setdefault(row, {}).setdefault(column, []).append(sample)
    finally:
        shutil.rmtree(place, ignore_errors=True)
        print("\r\033[K", end="", file=sys.stderr)
    return samples, list(failures.values())
