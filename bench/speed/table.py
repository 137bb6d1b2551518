"""What came out: HookMQ beside mosquitto, and the others for comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from .scenarios import Scenario

__all__ = ["Samples", "as_markdown", "as_text", "rows", "write"]

Samples = dict[str, dict[str, list[dict[str, float]]]]
"""Scenario → broker → rounds."""

Row = tuple[str, ...]

BEGIN, END = "<!-- bench-speed -->", "<!-- /bench-speed -->"
HEAD: Row = ("scenario", "at most", "ratio", "", "hookmq", "mosquitto", "nats-server", "messages a second")
NAMES = {"cpu_us": "", "p50_us": ", median", "p99_us": ", 99 %"}


def rows(scenarios: Sequence[Scenario], samples: Samples) -> list[Row]:
    """One row for each scenario and figure; of times the smallest of the rounds, of rates the largest."""
    return [
        _row(scenario, figure, samples.get(scenario.name, {}))
        for scenario in scenarios
        for figure in ("cpu_us", *scenario.figures)
    ]


def _row(scenario: Scenario, figure: str, brokers: Mapping[str, list[dict[str, float]]]) -> Row:
    times = {name: min(sample[figure] for sample in rounds) for name, rounds in brokers.items()}
    cells = [f"{times[name]:.2f} µs" if name in times else "" for name in HEAD[4:7]]
    ratio = times["hookmq"] / times["mosquitto"] if {"hookmq", "mosquitto"} <= times.keys() else None
    met = None if ratio is None or scenario.target is None else ratio <= scenario.target
    rate = max(
        (one["messages"] / one["seconds"] for one in brokers.get("hookmq", []) if one["seconds"]), default=0
    )
    return (
        scenario.name + NAMES[figure],
        "" if scenario.target is None else f"{scenario.target:g}",
        "" if ratio is None else f"{ratio:.3f}",
        {None: "", True: "met", False: "missed"}[met],
        *cells,
        f"{rate:,.0f}" if figure == "cpu_us" else "",
    )


def as_text(lines: Sequence[Row], facts: Mapping[str, str]) -> str:
    """The table for a terminal."""
    table = [HEAD, *lines]
    widths = [max(len(row[column]) for row in table) for column in range(len(HEAD))]
    head = [f"{name:10} {fact}" for name, fact in facts.items()]
    body = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in table]
    return "\n".join([*head, "", *body])


def as_markdown(lines: Sequence[Row], facts: Mapping[str, str]) -> str:
    """The table for a page."""
    table = ["| " + " | ".join(row) + " |" for row in [HEAD, *lines]]
    table.insert(1, "|" + "---|" * len(HEAD))
    return "\n".join([*table, "", "; ".join(f"{name}: {fact}" for name, fact in facts.items())])


def write(file: Path, table: str) -> None:
    """Put the table between the marks of a Markdown file."""
    before, _, rest = file.read_text().partition(BEGIN)
    file.write_text(f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}")
