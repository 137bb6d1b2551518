"""What a widget shows that was defined in Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...schema import Field, Object, Text
from ..requests import RequestProblem
from ..states import Whole
from .view import Context, View, ViewKind

__all__ = ["WIDGET"]


class _WidgetView(View):
    """The value that its function returned last. It is called as long as it is looked at."""

    def __init__(self, context: Context, options: Mapping[str, Any]) -> None:
        self._name, self._widgets = options["name"], context.data.widgets
        if self._name not in self._widgets:
            raise RequestProblem("not_found", f"there is no widget {self._name!r}")
        self.state: Whole = Whole()

    def look(self, now: float) -> None:
        self.state.put(self._widgets.look(self._name))


WIDGET = ViewKind(Object([Field("name", Text(1, 200), required=True)]), _WidgetView)
