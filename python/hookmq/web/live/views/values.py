"""What a path finds in payloads: the newest of each topic, and numbers as points of a chart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...json_text import encode
from ...schema import Array, Field, Object
from ..requests import RequestProblem
from ..seen import NotYet
from ..states import Keyed, Stream
from .view import PATH, Context, FilterText, TopicText, View, ViewKind

__all__ = ["POINTS", "VALUES", "shown"]

LONGEST = 16 << 10
"""Characters of a value that is shown."""

KEPT = 500
"""Points that are told at a time."""

FILTERS = 20
"""Filters in one view."""


def shown(value: Any, longest: int = LONGEST) -> Any:
    """Return a value as it is shown: what is too long is cut if it is a text, and else left out.

    >>> shown("warm", 2), shown([1, 2, 3], 4), shown({"a": 1})
    ('wa', None, {'a': 1})
    """
    if isinstance(value, str):
        return value[:longest]
    if isinstance(value, dict | list):
        try:
            return value if len(encode(value)) <= longest else None
        except (ValueError, RecursionError):
            return None
    return value


class _Values(View):
    """The newest value of each topic."""

    def __init__(self, context: Context, options: Mapping[str, Any]) -> None:
        self._context, self._path = context, options["path"]
        (self._tap,) = context.open([options["topic"]])
        self._shown: dict[str, int] = {}
        """The number of the message that is shown of each topic."""
        self.state: Keyed = Keyed()

    def look(self, now: float) -> None:
        latest = self._tap.latest
        for topic in self._shown.keys() - latest.keys():
            del self._shown[topic]
            self.state.remove(topic)
        for topic, seen in latest.items():
            if self._shown.get(topic) != seen.number:
                try:
                    value = shown(seen.find(self._path))
                except NotYet:  # the next look does, if it is still the newest then
                    continue
                self._shown[topic] = seen.number
                self.state.put(topic, {"value": value, "at": seen.at})

    def close(self) -> None:
        self._context.close([self._tap])


class _Points(View):
    """Numbers with their topic and time, as they come."""

    def __init__(self, context: Context, options: Mapping[str, Any]) -> None:
        filters = list(dict.fromkeys([*options["topics"], *([options["filter"]] * bool(options["filter"]))]))
        if not filters:
            raise RequestProblem("bad_request", "`topics` is missing, or `filter`")
        if len(filters) > FILTERS:
            raise RequestProblem("bad_request", f"at most {FILTERS} topics are shown in one view")
        self._context, self._path = context, options["path"]
        self._open = context.open(filters)
        self._new = {tap.filter for tap in self._open if tap.users > 1}
        self.state: Stream = Stream(KEPT, head="[]")

    def look(self, now: float) -> None:
        found: list[tuple[float, str, float]] = []
        lost = 0
        for tap in self._open:
            if tap.filter in self._new:  # somebody else's, with what was there before
                self._new.discard(tap.filter)
                continue
            read = 0
            points: list[tuple[float, str, float]] = []
            for seen in reversed(tap.fresh[-KEPT:]):  # the newest, if time is too short for all
                try:
                    number = seen.find_number(self._path)
                except NotYet:
                    break
                read += 1
                if number is not None:
                    points.append((seen.at, seen.topic, number))
            found += reversed(points)
            lost += tap.lost + len(tap.fresh) - read
        self.state.lose(lost)
        found.sort(key=lambda point: point[0])
        for at, topic, number in found:
            self.state.add([topic, at, number])

    def skip(self) -> None:
        self.state.lose(sum(tap.lost + len(tap.fresh) for tap in self._open if tap.filter not in self._new))
        self._new.clear()

    def close(self) -> None:
        self._context.close(self._open)


VALUES = ViewKind(Object([Field("topic", FilterText(), required=True), PATH]), _Values)
POINTS = ViewKind(
    Object(
        [
            Field("topics", Array(TopicText(), max=FILTERS), default=[]),
            Field("filter", FilterText()),
            PATH,
        ]
    ),
    _Points,
)
