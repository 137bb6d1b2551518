"""A dashboard: what each of its widgets shows, by the widget's ``id``."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from ...dashboards import Dashboard
from ...json_path import find, number_of, parse_path
from ...json_text import encode
from ...schema import Field, Nullable, Object, Text
from ..requests import RequestProblem
from ..seen import NotYet, Seen
from ..states import Keyed
from ..taps import Tap
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
        self.seen = 0
        """The number of the message that it was shown last."""
        self.rows: dict[str, tuple[int, str]] = {}
        """Of a table, by topic: which message a row shows, and its JSON."""

    def newest(self) -> Seen | None:
        """Return the newest message of its topics, if that is another one than before."""
        assert self.tap is not None
        latest = self.tap.latest
        if not latest:
            return None
        seen = next(reversed(latest.values()))
        return None if seen.number == self.seen else seen


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
            except NotYet:  # the next look does, if it is still the newest then
                continue
            except (ValueError, RecursionError) as error:  # of what was published: the others go on
                self.state.put(shown_widget.id, {"error": f"it cannot be shown: {error}"[:200]})

    def close(self) -> None:
        widgets, self._widgets = self._widgets, []
        self._context.close(widget.tap for widget in widgets if widget.tap is not None)

    def _of_token(self) -> Dashboard:
        # Asked each time: a link that was taken back shows nothing any more.
        found = self._context.data.dashboards.of_token(self._token)
        if found is None:
            raise RequestProblem("not_found", "this link shows nothing: it was taken back, or is misspelt")
        return found

    def _show(self, dashboard: Dashboard) -> None:
        """Begin anew with another version."""
        before, context = self._widgets, self._context
        taps = iter(context.open(widget["topic"] for widget in dashboard.widgets if widget["topic"]))
        self._widgets = [
            _Shown(widget, next(taps) if widget["topic"] else None) for widget in dashboard.widgets
        ]
        # Afterwards, so that what both have stays open.
        context.close(widget.tap for widget in before if widget.tap is not None)
        self._version = dashboard.version
        self.state.restart(f'"version":{dashboard.version},"title":{encode(dashboard.title)},')

    # What widgets show ----------------------------------------------------------------------------------

    def _value(self, widget: _Shown) -> None:
        if widget.tap is not None and (seen := widget.newest()) is not None:
            value = shown(seen.find(widget.path))
            widget.seen = seen.number
            self.state.put(widget.id, {"value": value, "at": seen.at, "topic": seen.topic})

    def _points(self, widget: _Shown) -> None:
        for seen, value in self._fresh(widget, POINTS):
            if (number := number_of(find(value, widget.path))) is not None:
                self.state.append(widget.id, "points", [seen.topic, seen.at, number], POINTS)

    def _log(self, widget: _Shown) -> None:
        lines = min(widget.options.get("limit", LINES), MOST_LINES)
        for seen, value in self._fresh(widget, lines):
            row = {"topic": seen.topic, "value": shown(value, ROW), "at": seen.at}
            self.state.append(widget.id, "rows", row, lines)

    def _fresh(self, widget: _Shown, most: int) -> list[tuple[Seen, Any]]:
        """Return what came since the last look, with its value; at first, the newest of each topic.

        What there is no time for is left out: the newest is what somebody wants to see.
        """
        if widget.tap is None:
            return []
        fresh = widget.tap.fresh if widget.begun else list(widget.tap.latest.values())
        widget.begun = True
        found: list[tuple[Seen, Any]] = []
        for seen in reversed(fresh[-most:]):
            try:
                found.append((seen, seen.value))
            except NotYet:
                break
        found.reverse()
        return found

    def _table(self, widget: _Shown) -> None:
        # Whole payloads: columns and places have paths of their own.
        if widget.tap is None or (newest := widget.newest()) is None:
            return
        limit = widget.options.get("limit", ROWS)
        rows: dict[str, tuple[int, str]] = {}
        room, is_all = TABLE, True
        for seen in islice(reversed(widget.tap.latest.values()), limit):
            row = widget.rows.get(seen.topic)
            if row is None or row[0] != seen.number:
                try:
                    row = (
                        seen.number,
                        encode({"topic": seen.topic, "value": shown(seen.value, ROW), "at": seen.at}),
                    )
                except NotYet:  # what was there before stays until the next look
                    is_all = False
                    if row is None:
                        continue
            room -= len(row[1])
            if rows and room < 0:
                break  # the newest have room
            rows[seen.topic] = row
        widget.rows = rows
        widget.seen = newest.number if is_all else 0
        self.state.put_text(widget.id, f'{{"rows":[{",".join(rows[topic][1] for topic in sorted(rows))}]}}')

    def _image(self, widget: _Shown) -> None:
        if widget.tap is None or (seen := widget.newest()) is None:
            return
        widget.seen = seen.number
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
