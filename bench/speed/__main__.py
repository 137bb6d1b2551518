"""The command: ``python -m bench.speed``, in the folder of the project."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from .. import load
from ..machine import describe
from ..pages import put
from ..peers import PEERS, available, versions
from . import hooked, table
from .growth import BESIDE, GROWTH
from .running import Job, Samples, can, measure, take_turns
from .scenarios import IDLE, SCENARIOS, VARIANTS, Scenario

ALL = ("hookmq", "mosquitto", "nats-server", "rumqttd", "rmqtt", "aedes", "amqtt")
FEW = ("hookmq", "mosquitto", "nats-server")
MANY = 1_000
TABLES = ("costs", "variants", "idle", "hook", "growth")


def main() -> int:
    """Run, print the tables, and return 0 unless a measurement of HookMQ failed; a missed target is none."""
    parser = argparse.ArgumentParser(prog="python -m bench.speed", description=__doc__)
    parser.add_argument("--full", action="store_true", help="all tables, all brokers")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is run (5)")
    parser.add_argument("--scale", type=float, help="times the messages (1)")
    parser.add_argument("--table", action="append", choices=TABLES, help="one of the tables (costs)")
    parser.add_argument("--only", action="append", metavar="TEXT", help="scenarios whose name has this in it")
    parser.add_argument("--peer", action="append", choices=ALL, help="one of the brokers")
    parser.add_argument("--json", action="store_true", help="print JSON, with the samples of each round")
    parser.add_argument(
        "--from", type=Path, dest="taken", action="append", metavar="FILE", help="tables of such JSON instead"
    )
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the tables into a Markdown file")
    options = parser.parse_args()
    if options.taken is None:
        load.build()
    scale = options.scale or 1.0
    peers = [name for name in options.peer or (ALL if options.full else FEW) if name in available()]
    wanted = options.table or (TABLES if options.full else ("costs", "idle", "hook"))

    def chosen(scenarios: Iterable[Scenario]) -> list[Scenario]:
        return [
            one for one in scenarios if not options.only or any(text in one.name for text in options.only)
        ]

    if options.taken is None:
        samples, failures = take_turns(_jobs(wanted, chosen, peers, scale), options.rounds)
        facts = describe(versions(name for name in peers if name != "hookmq"))
    else:
        samples, failures, facts = _taken(options.taken)
    tables = []
    if "costs" in wanted:
        for make in (table.costs, table.rates, table.memory):
            tables.append(make(chosen(SCENARIOS), samples, peers))
    if "variants" in wanted:
        tables.append(table.variants(chosen(VARIANTS), samples, peers))
    if "idle" in wanted:
        tables.append(table.idle(IDLE, samples, peers))
    if "hook" in wanted:
        tables.append(table.hooked(samples))
    if "growth" in wanted:
        tables += table.growth(samples)
    if options.json:
        print(json.dumps({"facts": facts, "samples": samples, "failures": failures}, indent=2))
    else:
        print("\n".join([table.as_text(tables, facts), *failures]))
    if options.write is not None:
        put(options.write, "bench-speed", table.as_markdown(tables, facts))
    return 1 if any(", hookmq" in failure for failure in failures) else 0


def _taken(files: Iterable[Path]) -> tuple[Samples, list[str], dict[str, str]]:
    """Samples that were taken before. Of several runs the first one that has something counts."""
    samples: Samples = {}
    failures: list[str] = []
    facts: dict[str, str] = {}
    for file in files:
        found = json.loads(file.read_text())
        failures += found["failures"]
        facts = {**found["facts"], **facts}
        for row, brokers in found["samples"].items():
            for name, rounds in brokers.items():
                samples.setdefault(row, {}).setdefault(name, rounds)
    return samples, failures, facts


def _jobs(wanted: Iterable[str], chosen, peers: list[str], scale: float) -> list[Job]:  # type: ignore[no-untyped-def]
    """All measurements of the tables, in the order in which they take turns."""

    def jobs(
        scenarios: Iterable[Scenario], names: Iterable[str], scale: float, most: int = MANY
    ) -> list[Job]:
        # One round of the slow ones takes as long as all of the others.
        return [
            (
                one.name,
                name,
                lambda place, one=one, name=name: measure(one, name, place, scale),
                most if PEERS[name].pace == 1 else 1,
            )
            for one in scenarios
            for name in names
            if can(one, name)
        ]

    found: list[Job] = []
    if "costs" in wanted:
        found += jobs(chosen(SCENARIOS), peers, scale)
    elif "variants" in wanted:
        plain = {one.beside for one in chosen(VARIANTS)}
        found += jobs((one for one in SCENARIOS if one.name in plain), ["hookmq"], scale)
    if "variants" in wanted:
        found += jobs(chosen(VARIANTS), peers, scale)
    if "idle" in wanted:
        found += jobs([IDLE], peers, 1.0)
    if "hook" in wanted:
        found += hooked.jobs(scale)
    if "growth" in wanted:
        there = [name for name in BESIDE if name in peers]
        found += jobs((one for family in GROWTH.values() for one in chosen(family)), there, scale, most=1)
    return found


if __name__ == "__main__":
    sys.exit(main())
