"""What is wrong with a rule: the line, a caret below it, and what may have been meant."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from .._hookmq import RuleError
from ..errors import HookMQError

__all__ = ["Place", "excerpt", "place_of", "wrong_sql"]

WIDTH = 100
"""Characters of a line that are shown; of a longer one those around what is wrong."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a text: line and column from 1 on, and how many characters of that line it is about."""

    line: int
    column: int
    length: int


def place_of(text: str, start: int, end: int) -> Place:
    r"""Return the place of some characters of a text.

    >>> place_of("SELECT a\nFROM t", 14, 15)
    Place(line=2, column=6, length=1)
    """
    start = min(max(start, 0), len(text))
    line = text.count("\n", 0, start) + 1
    begin = text.rfind("\n", 0, start) + 1
    stop = text.find("\n", start)
    stop = len(text) if stop < 0 else stop
    return Place(line, start - begin + 1, max(1, min(end, stop) - start))


def excerpt(text: str, start: int, end: int, hint: str | None = None, *, above: int = 0) -> str:
    """Return the line that has some characters of a text, and below it a caret for each of them.

    ``above`` is how many lines a file has above the text, ``hint`` what may have been meant.

    >>> print(excerpt("SELECT averge(t)", 7, 13, "average", above=1))
       2 | SELECT averge(t)
         |        ^^^^^^ did you mean `average`?
    """
    place = place_of(text, start, end)
    line = text.split("\n")[place.line - 1].expandtabs(1).rstrip("\r")
    before, wrong = line[: place.column - 1], line[place.column - 1 :][: place.length]
    rest = line[place.column - 1 + place.length :]
    if len(line) > WIDTH:
        room = max(0, WIDTH - len(wrong)) // 2
        before = f"…{before[-room:]}" if len(before) > room and room else before
        wrong = wrong[:WIDTH]
        rest = f"{rest[:room]}…" if len(rest) > room else rest
    number = f"{place.line + above:>4}"
    carets = "^" * max(1, _width(wrong))
    told = f" {_hint(hint)}" if hint else ""
    return f"{number} | {before}{wrong}{rest}\n{' ' * len(number)} | {' ' * _width(before)}{carets}{told}"


def wrong_sql(error: RuleError, sql: str, where: str, *, above: int = 0) -> HookMQError:
    """Return the error for SQL that cannot be: E710 with line and column."""
    message, start, end, hint = (*error.args, None, None, None)[:4]
    start, end = int(start or 0), int(end or 0)
    place = place_of(sql, start, end)
    at = f"{where}, line {place.line + above}, column {place.column}"
    return HookMQError(
        "E710",
        f"{at}: {message}\n{excerpt(sql, start, end, hint, above=above)}",
        where=at,
        problem=message,
        line=place.line + above,
        column=place.column,
        length=place.length,
        hint=None if hint is None else _hint(hint),
    )


def _hint(hint: str) -> str:
    return hint if " " in hint else f"did you mean `{hint}`?"


def _width(text: str) -> int:
    """Return how many columns a terminal gives a text: East Asian characters take two, accents none."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )
