"""The command: ``python -m bench.hooks``, in the folder of the project."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from ..machine import describe
from ..pages import put
from ..peers import versions
from . import report
from .child import Failed
from .report import Line
from .targets import TARGETS, Samples, Target
from .variants import Plan, Sample, variants

SHORT = Plan(5, 1_000_000, 40_000, 10_000, 1.0, 2_000, 1.0, 10_000_000)
FULL = Plan(10, 4_000_000, 100_000, 20_000, 5.0, 10_000, 3.0, 10_000_000)

ONCE = ("memory",)
"""What is run in the first round only: it takes long, and does not become more exact."""


def main() -> int:
    """Run, print the table, and return 0 unless a measurement failed; a missed target is no failure."""
    groups = sorted({target.group for target in TARGETS})
    parser = argparse.ArgumentParser(prog="python -m bench.hooks", description=__doc__)
    parser.add_argument("--full", action="store_true", help="more rounds and more messages: half an hour")
    parser.add_argument("--only", action="append", choices=groups, metavar="NAME", help=", ".join(groups))
    parser.add_argument("--rounds", type=int, help="how often each is run, instead of 5 or 10")
    parser.add_argument("--json", action="store_true", help="print JSON, with the samples of each round")
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="put the table into a Markdown file as well"
    )
    options = parser.parse_args()

    plan = FULL if options.full else SHORT
    targets = [target for target in TARGETS if not options.only or target.group in options.only]
    facts = describe({"paho-mqtt": version("paho-mqtt")} | versions(["mosquitto", "amqtt"]))
    needed = {name for target in targets for name in target.needs}
    chosen = {name: run for name, run in variants(plan).items() if name in needed}
    samples, failures = interleave(chosen, options.rounds or plan.rounds)
    lines = [line(target, samples, failures) for target in targets]
    if options.write is not None:
        put(options.write, "bench-hooks", report.as_markdown(lines, facts))
    print(report.as_json(lines, facts, samples) if options.json else report.as_text(lines, facts))
    return 1 if failures else 0


def interleave(
    chosen: Mapping[str, Callable[[], Sample]], rounds: int
) -> tuple[dict[str, list[Sample]], dict[str, str]]:
    """Run all, then all again (A B C A B C): what the machine does meanwhile meets all of them.

    Returns the samples of each, and of each that failed why; that is not tried again.
    """
    samples: dict[str, list[Sample]] = {name: [] for name in chosen}
    failures: dict[str, str] = {}
    started = time.monotonic()
    for number in range(1, rounds + 1):
        for name, run in chosen.items():
            if name in failures or (number > 1 and name in ONCE):
                continue
            progress(f"{time.monotonic() - started:4.0f} s  round {number} of {rounds}  {name}")
            try:
                samples[name].append(run())
            except (Failed, OSError) as error:
                failures[name] = f"{name}: {error}"
    progress(f"{time.monotonic() - started:4.0f} s", last=True)
    return samples, failures


def line(target: Target, samples: Mapping[str, Sequence[Sample]], failures: Mapping[str, str]) -> Line:
    """Return a line of the table."""
    for name in target.needs:
        if name in failures:
            return Line(target, None, failures[name])
    return Line(target, target.figure(Samples(samples)))


def progress(text: str, *, last: bool = False) -> None:
    """Say where it is: on one line of a terminal, else a line for each."""
    if sys.stderr.isatty():
        print(f"\r\033[K  {text}", end="\n" if last else "", file=sys.stderr, flush=True)
    else:
        print(f"  {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
