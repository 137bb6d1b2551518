"""Messages: of a filter as they come, and the newest of one topic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...operations.shapes import message
from ...schema import Field, Integer, Nullable, Object
from ..states import Stream, Whole
from .view import FILTER, Context, TopicText, View, ViewKind

__all__ = ["MESSAGES", "TOPIC"]

KEPT = 200
"""Messages that are told at a time; who can read more than a thousand a second?"""

CUT, CUT_ONE = 64 << 10, 128 << 10
"""Bytes of a payload in a stream of messages, and where one is shown alone."""


class _Messages(View):
    """Messages in their order, with the number of those that were too many."""

    def __init__(self, context: Context, options: Mapping[str, Any]) -> None:
        self._taps = context.taps
        self._least = options["qos"]
        self._tap = context.taps.open(options["filter"])
        self._is_new = self._tap.users > 1  # what a tap has that was there before is not what was asked for
        self.state: Stream = Stream(KEPT, head="[]")

    def look(self, now: float) -> None:
        if self._is_new:
            self._is_new = False
            return
        fresh = self._tap.fresh
        if self._least:
            fresh = [one for one in fresh if one.message.qos >= self._least]
        self.state.lose(self._tap.lost + max(0, len(fresh) - KEPT))
        for one in fresh[-KEPT:]:
            self.state.add(message(one.message, cut=CUT))

    def close(self) -> None:
        self._taps.close(self._tap)


class _Topic(View):
    """The newest message of a topic, ``null`` while there is none."""

    def __init__(self, context: Context, options: Mapping[str, Any]) -> None:
        self._taps, self._topic = context.taps, options["topic"]
        self._tap = context.taps.open(self._topic)
        self.state: Whole = Whole()

    def look(self, now: float) -> None:
        seen = self._tap.latest.get(self._topic)
        self.state.put(None if seen is None else message(seen.message, cut=CUT_ONE))

    def close(self) -> None:
        self._taps.close(self._tap)


MESSAGES = ViewKind(Object([FILTER, Field("qos", Nullable(Integer(0, 2)))]), _Messages)
TOPIC = ViewKind(Object([Field("topic", TopicText(), required=True)]), _Topic)
