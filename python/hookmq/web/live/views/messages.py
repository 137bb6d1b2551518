"""Messages: of a filter as they come, and the newest of one topic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...operations.shapes import message
from ...schema import Field, Integer, Nullable, Object
from ..seen import Seen
from ..states import Stream, Whole
from .view import FILTER, Context, TopicText, View, ViewKind

__all__ = ["MESSAGES", "TOPIC"]

KEPT = 200
"""Messages that are told at a time; who can read more than a thousand a second?"""

SHOWN = 512 << 10
"""Bytes of payloads that are told at a time, or one that is longer: a browser is sent no more in a round."""

CUT, CUT_ONE = 64 << 10, 128 << 10
"""Bytes of a payload in a stream of messages, and where one is shown alone."""


class _Messages(View):
    """Messages in their order, with the number of those that were too many."""

    def __init__(self, context: Context, options: Mapping[str, Any]) -> None:
        self._context, self._least = context, options["qos"]
        (self._tap,) = context.open([options["filter"]])
        self._is_new = self._tap.users > 1  # what a tap has that was there before is not what was asked for
        self.state: Stream = Stream(KEPT, head="[]")

    def look(self, now: float) -> None:
        if self._is_new:
            self._is_new = False
            return
        fresh = self._tap.fresh
        if self._least:
            fresh = [one for one in fresh if one.message.qos >= self._least]
        shown = _that_fit(fresh)
        self.state.lose(self._tap.lost + len(fresh) - len(shown))
        for one in shown:
            self.state.add(message(one.message, cut=CUT))

    def skip(self) -> None:
        if not self._is_new:
            self.state.lose(self._tap.lost + len(self._tap.fresh))

    def close(self) -> None:
        self._context.close([self._tap])


class _Topic(View):
    """The newest message of a topic, ``null`` while there is none."""

    def __init__(self, context: Context, options: Mapping[str, Any]) -> None:
        self._context, self._topic = context, options["topic"]
        (self._tap,) = context.open([self._topic])
        self._shown = 0
        self.state: Whole = Whole()

    def look(self, now: float) -> None:
        seen = self._tap.latest.get(self._topic)
        if seen is None:
            self.state.put(None)
        elif seen.number != self._shown:
            self.state.put(message(seen.message, cut=CUT_ONE))
        self._shown = 0 if seen is None else seen.number

    def close(self) -> None:
        self._context.close([self._tap])


def _that_fit(fresh: list[Seen]) -> list[Seen]:
    """Return the newest of them, in their order."""
    room, first = SHOWN, len(fresh)
    while first and len(fresh) - first < KEPT:
        room -= min(fresh[first - 1].size, CUT)
        if room < 0 and first < len(fresh):
            break
        first -= 1
    return fresh[first:]


MESSAGES = ViewKind(Object([FILTER, Field("qos", Nullable(Integer(0, 2)))]), _Messages)
TOPIC = ViewKind(Object([Field("topic", TopicText(), required=True)]), _Topic)
