"""The table as text, Markdown and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .targets import Figure, Target
from .variants import Sample

__all__ = ["Line", "as_json", "as_markdown", "as_text"]

HEAD = ("what", "at least", "figure", "", "beside")


@dataclass(frozen=True)
class Line:
    """A target and what came out: a figure, or why there is none."""

    target: Target
    figure: Figure | None
    failure: str = ""

    @property
    def verdict(self) -> str:
        """``met``, ``missed``, ``failed``, or nothing where nothing is asked for."""
        if self.figure is None:
            return "failed"
        return {True: "met", False: "missed", None: ""}[self.figure.met]

    @property
    def cells(self) -> tuple[str, ...]:
        """What the columns say."""
        text, beside = ("", self.failure) if self.figure is None else (self.figure.text, self.figure.beside)
        return (self.target.what, self.target.at_least, text, self.verdict, beside)


def as_text(lines: Sequence[Line], facts: Mapping[str, str]) -> str:
    """Return the table for a terminal."""
    rows = [HEAD, *(line.cells for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    head = [f"{name:10} {fact}" for name, fact in facts.items()]
    body = [
        "  ".join(
            [
                row[0].ljust(widths[0]),
                row[1].ljust(widths[1]),
                row[2].rjust(widths[2]),
                row[3].ljust(widths[3]),
                row[4],
            ]
        ).rstrip()
        for row in rows
    ]
    return "\n".join([*head, "", *body, "", _summary(lines)])


def as_markdown(lines: Sequence[Line], facts: Mapping[str, str]) -> str:
    """Return the table as Markdown."""
    rows = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line.cells) + " |" for line in lines]
    head = ["| " + " | ".join(HEAD) + " |", "|---|---|---:|---|---|"]
    return "\n".join([*head, *rows, "", _summary(lines), "", "; ".join(f"{k} {v}" for k, v in facts.items())])


def as_json(lines: Sequence[Line], facts: Mapping[str, str], samples: Mapping[str, Sequence[Sample]]) -> str:
    """Return everything, with the samples of each round."""
    table = [
        {
            "group": line.target.group,
            "what": line.target.what,
            "at_least": line.target.at_least,
            "value": None if line.figure is None else line.figure.value,
            "text": line.cells[2],
            "verdict": line.verdict,
            "beside": line.cells[4],
        }
        for line in lines
    ]
    return json.dumps(
        {"facts": dict(facts), "table": table, "samples": samples}, indent=1, ensure_ascii=False
    )


def _summary(lines: Sequence[Line]) -> str:
    counts = {
        verdict: sum(line.verdict == verdict for line in lines) for verdict in ("met", "missed", "failed")
    }
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
