"""A message history in plain Python, to compare the real one with; and random messages for both."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from hookmq.storage.history import Record

LEVELS = ["a", "a", "a", "b", "b", "b", "", "", "A", "a_", "a%", "a-b", "0", "é", "日本", "$x", "{n}", "a\\b"]
# fmt: off
FILTERS = [
    "#", "+", "a", "a/#", "a/b", "a/b/#", "a/+", "+/b", "+/+", "+/+/#", "a/+/b", "a/+/#", "/#", "/+", "+/",
    "a/", "a//b", "a//#", "$x/#", "$x", "$x/+/b", "A/#", "a_/#", "a%/+", "a-b/#", "a\\b/#", "é/+", "日本/#",
    "{n}/b", "a/{n}", "a/{n}/b", "zzz/#", "zzz", "+/a_", "+/a%/#",
]
# fmt: on


def matches(filter: str, topic: str) -> bool:
    """The definition of MQTT, level by level."""
    if filter[0] in "+#{" and topic.startswith("$"):
        return False
    pattern, levels = filter.split("/"), topic.split("/")
    for position, level in enumerate(pattern):
        if level == "#":
            return len(levels) >= position
        if position >= len(levels):
            return False
        if level != "+" and not level.startswith("{") and level != levels[position]:
            return False
    return len(pattern) == len(levels)


def random_rows(seed: int, count: int, *, levels: list[str] = LEVELS, start: int = 1_000) -> list[Record]:
    chance = random.Random(seed)
    rows: list[Record] = []
    while len(rows) < count:
        topic = "/".join(chance.choice(levels) for _ in range(chance.randint(1, 4)))
        if topic:
            payload = chance.randbytes(chance.randint(0, 12))
            properties: dict[str, Any] | None = {"n": chance.randint(0, 9)} if chance.random() < 0.2 else None
            # Few different times, so that many rows share one and their order depends on the number of the
            # row.
            at = start + chance.randint(0, count // 5)
            rows.append(
                (
                    at,
                    topic,
                    f"c{chance.randint(0, 3)}",
                    payload,
                    chance.randint(0, 2),
                    chance.random() < 0.3,
                    properties,
                )
            )
    return rows


def select(
    rows: Iterable[Record],
    filter: str,
    *,
    since: float | None = None,
    until: float | None = None,
    client: str | None = None,
    limit: int | None = None,
    newest: bool = False,
) -> list[Record]:
    chosen = [
        row
        for row in rows
        if matches(filter, row[1])
        and (since is None or row[0] >= since)
        and (until is None or row[0] < until)
        and (client is None or row[2] == client)
    ]
    chosen.sort(key=lambda row: row[0])  # stable: rows of one time stay in the order of arrival
    return (chosen[::-1] if newest else chosen)[:limit]


def last(rows: Iterable[Record], column: int) -> list[Record]:
    """The latest row for each value of a column; of equal times, the one that arrived later."""
    latest: dict[Any, Record] = {}
    for row in rows:
        if row[column] not in latest or row[0] >= latest[row[column]][0]:
            latest[row[column]] = row
    return [latest[key] for key in sorted(latest)]


def execute(path: Path, statement: str) -> list[Any]:
    """Asks the file itself, without HookMQ."""
    with closing(sqlite3.connect(path)) as database, database:
        return database.execute(statement).fetchall()
