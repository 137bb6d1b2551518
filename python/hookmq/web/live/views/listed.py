"""What the broker has by name: hooks, jobs, rules, bridges, connectors, and clients that are in sight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...schema import Array, Field, Object, Text
from ..states import Keyed
from .view import NOTHING_TO_SAY, NOW_AND_THEN, Context, View, ViewKind

__all__ = ["CLIENTS", "listed"]


class _Listed(View):
    """The items of a list, by name."""

    period = NOW_AND_THEN

    def __init__(self, context: Context, subject: str) -> None:
        self._read = context.data.listed[subject]
        self.state: Keyed = Keyed()

    def look(self, now: float) -> None:
        items: dict[str, Any] = {}
        for item in self._read():
            # Several hooks may share a name: one function with several decorators.
            items[str(item.get("id") or item["name"])] = dict(item)
        self.state.replace(items)


class _Clients(View):
    """Clients that a page has in sight."""

    period = NOW_AND_THEN

    def __init__(self, context: Context, options: Mapping[str, Any]) -> None:
        self._read, self._ids = context.data.clients, options["ids"]
        self.state: Keyed = Keyed()

    def look(self, now: float) -> None:
        self.state.replace({str(item["client_id"]): dict(item) for item in self._read(self._ids)})


def listed(subject: str) -> ViewKind:
    """Return the view of a list."""
    return ViewKind(NOTHING_TO_SAY, lambda context, options: _Listed(context, subject))


CLIENTS = ViewKind(Object([Field("ids", Array(Text(), max=500), required=True)]), _Clients)
