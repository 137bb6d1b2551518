"""A dashboard: what each of its widgets shows, by the widget's ``id``."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from ...dashboards import Dashboard
from ...json_path import parse_path
from ...json_text import encode
from ...schema import Field, Nullable, Object, Text
from ..requests import RequestProblem
from ..states import Keyed
from ..taps import Seen, Tap
from .values import shown
from .view import Context, View, ViewKind

__all__ = ["DASHBOARD"]

POINTS = 500
"""Points of a chart that are told at a time."""

ROWS, ROW, TABLE = 200, 8 << 10, 128 << 10
"""Rows of a table or a map, characters of JSON of the value in one, and of those in all of them."""

LINES, MOST_LINES = 100, 500
"""Lines of a log that are told at a time: unless the widget says how many, and at most."""

PICTURE = 512 << 10
"""Bytes of a picture."""


class _Shown:
    """A widget, and what it was shown last."""

    def __init__(self, widget: Mapping[str, Any], tap: Tap | None) -> None:
        self.id: str = widget["id"]
        self.widget = widget
        self.tap = tap
        self.path = parse_path(widget["path"])
        self.options: Mapping[str, Any] = widget["options"]
        self.begun = False
        self.seen: Seen | None = None

    def newest(self) -> Seen | None:
        """Return the newest message of its topics, if that is another one than before."""
        assert self.tap is not None
        latest = self.tap.latest
        if not latest:
            return None
        seen = next(reversed(latest.values()))
        if seen is self.seen:
            return None
        self.seen = seen
        return seen


class _DashboardView(View):
    """All widgets of a dashboard; of what they show there is one state, however many look at it."""

    def __init__(self, context: Context, options: Mapping[str, Any]) -> None:
        id, self._token = options["id"], options["token"]
        if (id is None) == (self._token is None):
            raise RequestProblem("bad_request", "`id` is needed, or `token`")
        self._context = context
        self._id: str = id if id is not None else self._of_token().id
        self._version = 0
        self._widgets: list[_Shown] = []
        self.state: Keyed = Keyed()

    def look(self, now: float) -> None:
        found = self._of_token() if self._token is not None else self._context.data.dashboards.find(self._id)
        if found is None:
            raise RequestProblem("not_found", "there is no such dashboard")
        if found.version != self._version:
            self._show(found)
        for shown_widget in self._widgets:
            try:
                _SHOW[shown_widget.widget["kind"]](self, shown_widget)
            except (ValueError, RecursionError) as error:  # of what was published: the others go on
                self.state.put(shown_widget.id, {"error": f"it cannot be shown: {error}"[:200]})

    def close(self) -> None:
        for widget in self._widgets:
            if widget.tap is not None:
                self._context.taps.close(widget.tap)
        self._widgets = []

    def _of_token(self) -> Dashboard:
        # Asked each time: a link that was taken back shows nothing any more.
        found = self._context.data.dashboards.of_token(self._token)
        if found is None:
            raise RequestProblem("not_found", "this link shows nothing: it was taken back, or is misspelt")
        return found

    def _show(self, dashboard: Dashboard) -> None:
        """Begin anew with another version."""
        before, taps = self._widgets, self._context.taps
        self._widgets = [
            _Shown(widget, taps.open(widget["topic"]) if widget["topic"] else None)
            for widget in dashboard.widgets
        ]
        for widget in before:  # afterwards, so that what both have stays open
            if widget.tap is not None:
                taps.close(widget.tap)
        self._version = dashboard.version
        self.state.restart(f'"version":{dashboard.version},"title":{encode(dashboard.title)},')

    # What widgets show ----------------------------------------------------------------------------------

    def _value(self, widget: _Shown) -> None:
        if widget.tap is not None and (seen := widget.newest()) is not None:
            value = shown(seen.find(widget.path))
            self.state.put(widget.id, {"value": value, "at": seen.at, "topic": seen.topic})

    def _points(self, widget: _Shown) -> None:
        for seen in self._fresh(widget, POINTS):
            if (number := seen.number(widget.path)) is not None:
                self.state.append(widget.id, "points", [seen.topic, seen.at, number], POINTS)

    def _log(self, widget: _Shown) -> None:
        lines = min(widget.options.get("limit", LINES), MOST_LINES)
        for seen in self._fresh(widget, lines):
            row = {"topic": seen.topic, "value": shown(seen.value, ROW), "at": seen.at}
            self.state.append(widget.id, "rows", row, lines)

    def _fresh(self, widget: _Shown, most: int) -> list[Seen]:
        """Return what came since the last look; at first, the newest of each topic."""
        if widget.tap is None:
            return []
        if not widget.begun:
            widget.begun = True
            return list(widget.tap.latest.values())[-most:]
        return widget.tap.fresh[-most:]

    def _table(self, widget: _Shown) -> None:
        # Whole payloads: columns and places have paths of their own.
        if widget.tap is None or widget.newest() is None:
            return
        limit = widget.options.get("limit", ROWS)
        rows: list[dict[str, Any]] = []
        room = TABLE
        for seen in islice(reversed(widget.tap.latest.values()), limit):
            value = shown(seen.value, ROW)
            room -= len(encode(value))
            if rows and room < 0:
                break  # the newest have room
            rows.append({"topic": seen.topic, "value": value, "at": seen.at})
        rows.sort(key=lambda row: str(row["topic"]))
        self.state.put(widget.id, {"rows": rows})

    def _image(self, widget: _Shown) -> None:
        if widget.tap is None or (seen := widget.newest()) is None:
            return
        payload = seen.message.payload
        if len(payload) > PICTURE:
            item: dict[str, Any] = {"error": f"the picture has {len(payload)} bytes, more than {PICTURE}"}
        else:
            item = {"payload_base64": base64.b64encode(payload).decode()}
        self.state.put(widget.id, item | {"at": seen.at, "topic": seen.topic, "bytes": len(payload)})

    def _python(self, widget: _Shown) -> None:
        name, widgets = widget.options.get("widget", ""), self._context.data.widgets
        if name not in widgets:
            self.state.put(widget.id, {"value": None, "at": None, "error": f"there is no widget {name!r}"})
        else:
            self.state.put(widget.id, widgets.look(name))


_SHOW: dict[str, Callable[[_DashboardView, _Shown], None]] = {
    **dict.fromkeys(
        (
            "value",
            "gauge",
            "vertical",
            "horizontal",
            "tank",
            "led",
            "switch",
            "slider",
            "text",
            "number",
            "button",
        ),
        _DashboardView._value,
    ),
    **dict.fromkeys(("line", "area", "bar"), _DashboardView._points),
    **dict.fromkeys(("table", "map"), _DashboardView._table),
    "log": _DashboardView._log,
    "image": _DashboardView._image,
    "python": _DashboardView._python,
}

DASHBOARD = ViewKind(
    Object([Field("id", Nullable(Text(1, 64))), Field("token", Nullable(Text(1, 100)))]),
    _DashboardView,
    is_shared=lambda options: isinstance(options.get("token"), str) and options.get("id") is None,
)
