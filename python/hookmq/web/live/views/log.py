"""What the broker writes into its log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...schema import Field, Nullable, Object, Text
from ..states import Stream
from .view import Context, View, ViewKind

__all__ = ["LOG"]

KEPT = 200
"""Records that a browser begins with, and that are told at a time."""

LEVELS = ("debug", "info", "warning", "error", "critical")


class _Log(View):
    """Records of a level or above."""

    def __init__(self, context: Context, options: Mapping[str, Any]) -> None:
        self._read, self._level, self._admin = context.data.logs, options["level"], context.admin
        self._number = -1
        self.state: Stream = Stream(KEPT)

    def look(self, now: float) -> None:
        records = self._read(self._number, self._level, self._admin)
        if not records:
            return
        if self._number >= 0:
            self.state.lose(max(0, len(records) - KEPT))
        self._number = records[-1]["number"]
        for record in records[-KEPT:]:
            self.state.add(record)


LOG = ViewKind(Object([Field("level", Nullable(Text(among=LEVELS)))]), _Log, differs=True)
