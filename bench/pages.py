"""Tables in the pages of the documentation, between two marks that name them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["markdown", "put"]


def markdown(rows: Sequence[Sequence[str]], facts: Mapping[str, str]) -> str:
    """Return a table, and below it what it was taken on; the first row is its head."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    return "\n".join([*lines, "", "; ".join(f"{name}: {fact}" for name, fact in facts.items())])


def put(file: Path, name: str, text: str) -> None:
    """Put a text between ``<!-- name -->`` and ``<!-- /name -->``.

    Raises ``ValueError`` if the file has no such place.
    """
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, begun, rest = file.read_text().partition(begin)
    _, ended, after = rest.partition(end)
    if not (begun and ended):
        raise ValueError(f"{file} has no place for the table, between {begin} and {end}")
    file.write_text(f"{before}{begin}\n{text}\n{end}{after}")
