"""The overview and series of numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ...json_text import encode
from ...schema import Array, Field, Integer, Object, Text
from ..requests import RequestProblem
from ..states import Stream, Whole
from .view import NOTHING_TO_SAY, NOW_AND_THEN, Context, View, ViewKind

__all__ = ["OVERVIEW", "SERIES"]

_SPANS = (300, 3600, 86_400)


class _Overview(View):
    """What ``GET overview`` answers, once a second."""

    period = NOW_AND_THEN

    def __init__(self, context: Context, options: Mapping[str, Any]) -> None:
        self._read = context.data.overview
        self.state: Whole = Whole()

    def look(self, now: float) -> None:
        self.state.put(self._read())


class _Series(View):
    """What ``GET series`` answers, and each step from then on."""

    period = NOW_AND_THEN

    def __init__(self, context: Context, options: Mapping[str, Any]) -> None:
        self._read, self._names, self._span = context.data.series, options["names"], options["span"]
        if self._span not in _SPANS:
            listed = ", ".join(map(str, _SPANS))
            raise RequestProblem("bad_request", f"`with.span` is {self._span}; expected one of {listed}")
        self.state: Stream = Stream(keep=400)
        self._end: float | None = None
        self._look(first=True)

    def look(self, now: float) -> None:
        self._look(first=False)

    def _look(self, *, first: bool) -> None:
        told = self._read(self._names, self._span)
        step, end, series = told["step"], told["end"], told["series"]
        self.state.head = encode(told)
        # Before the broker's first step has ended, the end is now.
        began = any(values and values[-1] is not None for values in series.values())
        if self._end is None or first or not began:
            self._end = end
            return
        # Every step that has ended since the last look.
        count = min(round((end - self._end) / step), *(len(values) for values in series.values()), 400)
        for back in range(count, 0, -1):
            at = end - (back - 1) * step
            values = {name: _finite(values[-back]) for name, values in series.items()}
            self.state.add([at, values])
        if count > 0:
            self._end = end


def _finite(value: float | None) -> float | None:
    return value if value is None or math.isfinite(value) else None


OVERVIEW = ViewKind(NOTHING_TO_SAY, _Overview)
SERIES = ViewKind(
    Object(
        [
            Field("names", Array(Text(1, 64), max=32), required=True),
            Field("span", Integer(1, 86_400), default=300),
        ]
    ),
    _Series,
)
