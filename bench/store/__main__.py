"""The command: ``python -m bench.store``, in the folder of the project."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from ..brokers import Broker
from ..machine import describe
from ..pages import markdown, put
from ..peers import available, versions
from .load import connect, offline_sessions, publish_qos1, stream_qos0

ROUNDS = 5
SECONDS = 3.0
FAN_OUT = 1_000
FAN_OUT_SIZE = 4_096
STREAM = 400_000

Sample = dict[str, float]


def rate(broker: Broker) -> Sample:
    """Acknowledged publishes a second into an offline session, and the broker's CPU for each."""
    offline_sessions(broker.port, 1)
    publish_qos1(broker.port, 0.3)
    before = broker.cpu
    count, took = publish_qos1(broker.port, SECONDS)
    return {"rate": count / took, "cpu": (broker.cpu - before) / count * 1e6}


def fan_out(broker: Broker) -> Sample:
    """What a message for a thousand offline sessions takes on disk, divided by its payload."""
    offline_sessions(broker.port, FAN_OUT)
    before = broker.disk
    count, _ = publish_qos1(broker.port, 2.0, publishers=1, window=1, size=FAN_OUT_SIZE)
    return {"bytes": (broker.disk - before) / count, "count": count}


def stream(broker: Broker) -> Sample:
    """CPU of a QoS 0 message between connections that keep nothing."""
    connect(broker.port, "warm").close()
    stream_qos0(broker.port, STREAM // 10)
    before = broker.cpu
    stream_qos0(broker.port, STREAM)
    return {"cpu": (broker.cpu - before) / STREAM * 1e6}


SCENARIOS: dict[str, tuple[Callable[[Broker], Sample], tuple[str, ...]]] = {
    "rate": (rate, ("hookmq, os", "mosquitto, safe", "nats-server", "hookmq, always", "hookmq")),
    "fan-out": (fan_out, ("hookmq, os", "mosquitto, safe", "nats-server")),
    "stream": (stream, ("hookmq, os", "hookmq")),
}


def main() -> int:
    """Run, print the table, and return 0 unless a measurement failed; a missed target is no failure."""
    parser = argparse.ArgumentParser(prog="python -m bench.store", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"how often each is run ({ROUNDS})")
    parser.add_argument("--only", action="append", choices=SCENARIOS, metavar="NAME", help="one scenario")
    parser.add_argument("--json", action="store_true", help="print JSON, with the samples of each round")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into a Markdown file")
    options = parser.parse_args()
    samples, failures = interleave(options.only or list(SCENARIOS), options.rounds)
    rows = Table(samples).rows
    facts = describe(versions(["mosquitto", "nats-server"]))
    if options.json:
        print(json.dumps({"facts": facts, "samples": samples, "failures": failures}, indent=2))
    else:
        head = [f"{name:10} {fact}" for name, fact in facts.items()]
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        print("\n".join([*head, "", *lines, *failures]))
    if options.write is not None:
        put(options.write, "bench-store", markdown(rows, facts))
    return 1 if failures else 0


def interleave(scenarios: list[str], rounds: int) -> tuple[dict[str, dict[str, list[Sample]]], list[str]]:
    """Run every scenario on every broker, then again: what the machine does meanwhile meets all of them."""
    there = available()
    samples: dict[str, dict[str, list[Sample]]] = {}
    failures: list[str] = []
    place = Path(tempfile.mkdtemp(prefix="bench-store-"))
    try:
        for number in range(rounds):
            for scenario in scenarios:
                run, names = SCENARIOS[scenario]
                for name in names:
                    if name not in there:
                        failures.append(f"{name} is not installed")
                        continue
                    print(f"\r\033[K{number + 1}/{rounds} {scenario}: {name}", end="", file=sys.stderr)
                    try:
                        with Broker(name, place / name.replace(", ", "-")) as broker:
                            sample = run(broker)
                    except (OSError, RuntimeError) as error:
                        failures.append(f"{scenario}, {name}: {error}")
                        continue
                    samples.setdefault(scenario, {}).setdefault(name, []).append(sample)
    finally:
        shutil.rmtree(place, ignore_errors=True)
        print("\r\033[K", end="", file=sys.stderr)
    return samples, sorted(set(failures))


class Table:
    """What was asked for, and what came out; of rates the largest counts, of the rest the smallest."""

    def __init__(self, samples: dict[str, dict[str, list[Sample]]]) -> None:
        self._samples = samples
        self.rows: list[tuple[str, ...]] = [("what", "target", "figure", "", "beside")]
        for peer, factor in (("mosquitto, safe", 10.0), ("nats-server", 2.0)):
            self._faster(peer, factor)
        for name in SCENARIOS["rate"][1]:
            self._cost(name)
        for name in SCENARIOS["fan-out"][1]:
            self._fan_out(name)
        self._free()

    def _best(self, scenario: str, broker: str, what: str) -> float:
        values = [sample[what] for sample in self._samples.get(scenario, {}).get(broker, [])]
        return (max if what == "rate" else min)(values, default=0.0)

    def _faster(self, peer: str, factor: float) -> None:
        ours, theirs = self._best("rate", "hookmq, os", "rate"), self._best("rate", peer, "rate")
        if ours and theirs:
            ratio = ours / theirs
            what = f"acknowledged into an offline session, beside {peer}"
            beside = f"{ours:,.0f} a second; {peer} {theirs:,.0f}"
            self._row(what, f"≥ {factor:g} ×", f"{ratio:.1f} ×", ratio >= factor, beside)

    def _cost(self, name: str) -> None:
        if cpu := self._best("rate", name, "cpu"):
            beside = f"CPU of the broker a message, at {self._best('rate', name, 'rate'):,.0f} a second"
            self._row(f"the same, {name}", "", f"{cpu:.1f} µs", None, beside)

    def _fan_out(self, name: str) -> None:
        size = self._best("fan-out", name, "bytes")
        if name in self._samples.get("fan-out", {}):
            # Beside the payload, each session has a reference of some 50 bytes.
            ours = name == "hookmq, os"
            once = size < 2 * FAN_OUT_SIZE + 64 * FAN_OUT if ours else None
            what = f"{FAN_OUT_SIZE:,} bytes for {FAN_OUT:,} offline sessions, {name}"
            beside = f"on disk; copies would be {FAN_OUT * FAN_OUT_SIZE:,} B"
            self._row(what, "payload once" if ours else "", f"{size:,.0f} B", once, beside)

    def _free(self) -> None:
        kept, memory = (self._best("stream", name, "cpu") for name in SCENARIOS["stream"][1])
        if kept and memory:
            more = kept / memory - 1
            beside = f"{kept:.3f} µs a message; without a data directory {memory:.3f}"
            self._row(
                "QoS 0 between others, with a store", "≤ 3 % more", f"{more:+.1%}", more <= 0.03, beside
            )

    def _row(self, what: str, target: str, figure: str, met: bool | None, beside: str) -> None:
        verdict = {None: "", True: "met", False: "missed"}[met]
        self.rows.append((what, target, figure, verdict, beside))


if __name__ == "__main__":
    sys.exit(main())
