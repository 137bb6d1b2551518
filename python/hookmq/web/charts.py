"""Series of numbers out of the history, small enough to be drawn."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from .json_path import find, number_of, read_value

__all__ = ["MAX_TOPICS", "PATIENCE", "Buckets", "chart"]

MAX_TOPICS = 20
"""Series of one chart."""

PATIENCE = 5.0
"""Seconds after which a chart shows what was read so far."""


class _Row(Protocol):
    @property
    def timestamp(self) -> float:
        """Unix seconds."""

    @property
    def topic(self) -> str:
        """The topic."""

    @property
    def payload(self) -> bytes:
        """The payload."""


class Buckets:
    """Numbers of one series in at most ``count`` intervals of a period, each as what a chart draws of it.

    >>> buckets = Buckets(0.0, 10.0, 2)
    >>> for at, number in ((0.0, 1.0), (1.0, 3.0), (9.0, 5.0)): buckets.add(at, number)
    >>> buckets.points()
    [[0.5, 1.0, 2.0, 3.0, 2], [9.0, 5.0, 5.0, 5.0, 1]]
    """

    def __init__(self, start: float, end: float, count: int) -> None:
        self._start = start
        self._width = max(end - start, 1e-6) / count
        self._last = count - 1
        self._buckets: dict[int, list[float]] = {}

    def add(self, at: float, number: float) -> None:
        """Take a number."""
        index = min(max(int((at - self._start) / self._width), 0), self._last)
        bucket = self._buckets.get(index)
        if bucket is None:
            self._buckets[index] = [at, number, number, number, 1]
            return
        bucket[0] += at
        bucket[1] = min(bucket[1], number)
        bucket[2] += number
        bucket[3] = max(bucket[3], number)
        bucket[4] += 1

    def points(self) -> list[list[float]]:
        """Return ``[time, least, mean, greatest, count]`` of every interval that has any."""
        return [
            [at / count, least, total / count, greatest, int(count)]
            for _, (at, least, total, greatest, count) in sorted(self._buckets.items())
        ]


def chart(
    rows: Iterable[_Row | None],
    path: tuple[str | int, ...],
    *,
    start: float,
    end: float,
    points: int,
    topics: Sequence[str] = (),
    deadline: float | None = None,
) -> tuple[dict[str, list[list[float]]], bool]:
    """Return the series of the topics that the rows are of, and whether something was left out.

    ``topics`` are those that are asked for by name; otherwise the first that come, up to :data:`MAX_TOPICS`.
    The newest rows come first: behind the deadline, a time of ``time.monotonic()``, the oldest are left out.
    A row that is None is one that is not drawn, and only lets the time be looked at.
    """
    series: dict[str, Buckets] = {topic: Buckets(start, end, points) for topic in topics[:MAX_TOPICS]}
    truncated = len(topics) > MAX_TOPICS
    deadline = time.monotonic() + PATIENCE if deadline is None else deadline
    for row in rows:
        if time.monotonic() > deadline:
            truncated = True
            break
        if row is None:
            continue
        buckets = series.get(row.topic)
        if buckets is None and (topics or len(series) >= MAX_TOPICS):
            truncated = truncated or not topics
            continue
        number = _number(row.payload, path)
        if number is None:
            continue
        if buckets is None:
            buckets = series[row.topic] = Buckets(start, end, points)
        buckets.add(row.timestamp, number)
    return {topic: buckets.points() for topic, buckets in series.items()}, truncated


def _number(payload: bytes, path: tuple[str | int, ...]) -> float | None:
    if not path:  # by far the most: a number as it stands
        try:
            number = float(payload)
        except ValueError:
            return number_of(read_value(payload))
        return number if abs(number) < float("inf") else None
    value: Any = find(read_value(payload), path)
    return number_of(value)
