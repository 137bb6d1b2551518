"""The command: ``python -m bench.speed``, in the folder of the project."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from .. import load
from ..brokers import Broker, available, nats_version
from ..machine import describe
from .scenarios import SCENARIOS, Scenario
from .table import Samples, as_markdown, as_text, rows, write

PEERS = ("hookmq", "mosquitto", "nats-server")


def main() -> int:
    """Run, print the table, and return 0 unless a measurement failed; a missed target is no failure."""
    parser = argparse.ArgumentParser(prog="python -m bench.speed", description=__doc__)
    parser.add_argument("--full", action="store_true", help="ten times as many messages")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is run (5)")
    parser.add_argument("--only", action="append", metavar="TEXT", help="scenarios whose name has this in it")
    parser.add_argument("--peer", action="append", choices=PEERS, help="brokers beside HookMQ and mosquitto")
    parser.add_argument("--json", action="store_true", help="print JSON, with the samples of each round")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into a Markdown file")
    options = parser.parse_args()
    load.build()
    wanted = [one for one in SCENARIOS if not options.only or any(text in one.name for text in options.only)]
    peers = [name for name in options.peer or PEERS if name in available()]
    samples, failures = interleave(wanted, peers, options.rounds, 10.0 if options.full else 1.0)
    about = describe() | {"nats-server": nats_version()}
    facts = {
        name: about[name]
        for name in ("date", "hookmq", "python", "mosquitto", "nats-server", "machine", "load")
    }
    lines = rows(wanted, samples)
    if options.json:
        print(json.dumps({"facts": facts, "samples": samples, "failures": failures}, indent=2))
    else:
        print("\n".join([as_text(lines, facts), *failures]))
    if options.write is not None:
        write(options.write, as_markdown(lines, facts))
    return 1 if failures else 0


def interleave(
    scenarios: list[Scenario], peers: list[str], rounds: int, scale: float
) -> tuple[Samples, list[str]]:
    """Run every scenario on every broker, then all again: what the machine does meanwhile meets all."""
    samples: Samples = {}
    failures: dict[tuple[str, str], str] = {}
    place = Path(tempfile.mkdtemp(prefix="bench-speed-"))
    try:
        for number in range(rounds):
            for scenario in scenarios:
                for name in peers:
                    if (scenario.name, name) in failures:
                        continue
                    print(f"\r\033[K{number + 1}/{rounds} {scenario.name}: {name}", end="", file=sys.stderr)
                    try:
                        sample = measure(scenario, name, place / name, scale)
                    except (OSError, RuntimeError) as error:
                        failures[scenario.name, name] = f"{scenario.name}, {name}: {error}"
                        continue
                    samples.setdefault(scenario.name, {}).setdefault(name, []).append(sample)
    finally:
        shutil.rmtree(place, ignore_errors=True)
        print("\r\033[K", end="", file=sys.stderr)
    return samples, list(failures.values())


def measure(scenario: Scenario, name: str, directory: Path, scale: float) -> dict[str, float]:
    """Run a scenario on a fresh broker: its CPU for a delivered message in µs, and what the generator saw."""
    with Broker(name, directory) as broker:
        times: list[float] = []
        read = lambda: times.append(broker.cpu)  # noqa: E731 - twice the same
        seen = load.measure(broker.port, scenario.options(scale), read, read)
        return {**seen, "cpu_us": (times[1] - times[0]) / seen["messages"] * 1e6, "memory": broker.memory}


if __name__ == "__main__":
    sys.exit(main())
