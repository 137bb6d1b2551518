"""The tree of topics, as far as it is open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...schema import Array, Field, Integer, Nullable, Object, Text
from ..states import Keyed
from .view import Context, View, ViewKind

__all__ = ["TOPICS"]

SHOWN = 5000
"""Topics of one view: more than a page can show."""


class _Topics(View):
    """The levels below each open one; what is told and computed is what is visible."""

    def __init__(self, context: Context, options: Mapping[str, Any]) -> None:
        parents: list[str | None] = options["parents"]
        if None not in parents:  # "" is the top then; beside null it is the level without a name
            parents = [parent or None for parent in parents]
        parents = list(dict.fromkeys(parents))
        limit = max(1, min(options["limit"], SHOWN // max(1, len(parents))))
        self._watch = context.data.native.watch_topics(parents, limit)
        self.state: Keyed = Keyed()

    def look(self, now: float) -> None:
        changed, gone = self._watch.changes()
        for topic in gone:
            self.state.remove(topic)
        for topic, item in changed.items():
            self.state.put(topic, item)


TOPICS = ViewKind(
    Object(
        [
            Field("parents", Array(Nullable(Text()), max=200), required=True),
            Field("limit", Integer(1, 1000), default=500),
        ]
    ),
    _Topics,
)
