"""What a dashboard may look like: the table that checks it, member by member."""

from __future__ import annotations

import itertools
from typing import Any

from ..._hookmq import check_filter
from ..json_path import parse_path
from ..schema import Array, BadValue, Boolean, Field, Integer, Nullable, Number, Object, Schema, Text

__all__ = ["COLUMNS", "DASHBOARD", "KINDS", "WIDGET", "WIDGETS", "read_layout"]

COLUMNS = 12
"""Columns of the grid, unless the dashboard says another number."""

WIDGETS = 200
"""Widgets of one dashboard."""

_LONG = 365 * 86_400.0 * 10


class _Filter(Schema):
    """A topic filter, or nothing."""

    def read(self, value: Any, where: str) -> str:
        text = Text(max=65_535).read(value, where)
        try:
            if text:
                check_filter(text)
        except ValueError as error:
            raise BadValue(where, f"is no topic filter: {error}") from None
        if text.startswith("$share/"):
            raise BadValue(where, "is a shared subscription; a widget shows what it sees itself")
        return text

    def json(self) -> dict[str, Any]:
        return {"type": "string"}


class _Topic(_Filter):
    """A topic name, or nothing."""

    def read(self, value: Any, where: str) -> str:
        text = _Filter().read(value, where)
        if "+" in text or "#" in text:
            raise BadValue(where, "has a wildcard; a message goes to one topic")
        return text


class _Path(Schema):
    """A path in a payload."""

    def read(self, value: Any, where: str) -> str:
        text = Text(max=512).read(value, where)
        try:
            parse_path(text)
        except ValueError as error:
            raise BadValue(where, f"cannot be read: {error}") from None
        return text

    def json(self) -> dict[str, Any]:
        return {"type": "string", "maxLength": 512}


_SHORT, _PAYLOAD, _FLAG = Text(max=200), Text(max=65_536), Boolean()
_NUMBER = Nullable(Number())

_SENDS = (
    Field("command", _Topic(), "where it publishes"),
    Field("qos", Integer(0, 2)),
    Field("retain", _FLAG),
    Field("timeout", Number(0.1, 3600), "seconds until it shows again what is there"),
)
_STATES = (
    Field("on", _PAYLOAD, "the value that means on"),
    Field("off", _PAYLOAD, "the value that means off"),
    Field("on_label", _SHORT),
    Field("off_label", _SHORT),
)
_CHART = (
    Field("legend", _FLAG),
    Field("stacked", _FLAG),
    Field("names", Text(among=("topic", "short")), "how lines are called"),
)
_SETS = (*_SENDS, Field("step", Number(0)), Field("template", _PAYLOAD, "the payload, with {value}"))

KINDS: dict[str, tuple[Field, ...]] = {
    "value": (Field("sparkline", _FLAG),),
    "line": _CHART,
    "area": _CHART,
    "bar": _CHART,
    "gauge": (Field("sweep", Integer(90, 360), "degrees"),),
    "vertical": (),
    "horizontal": (),
    "tank": (),
    "led": _STATES,
    "switch": (*_SENDS, *_STATES),
    "button": (*_SENDS, Field("payload", _PAYLOAD), Field("label", _SHORT), Field("confirm", _FLAG)),
    "slider": _SETS,
    "text": (Field("size", Text(among=("small", "medium", "large"))),),
    "number": _SETS,
    "table": (Field("columns", Array(_Path(), max=30)), Field("limit", Integer(1, 200))),
    "log": (Field("limit", Integer(1, 500)),),
    "map": (
        Field("latitude", _Path()),
        Field("longitude", _Path()),
        Field("label", _Path()),
        Field("trail", _FLAG),
    ),
    "image": (Field("fit", Text(among=("contain", "cover"))),),
    "python": (Field("widget", Text(1, 200), "the name of an @broker.widget", required=True),),
}
"""Members of ``options`` by the kind of a widget."""

_THRESHOLD = Object(
    [
        Field("at", Number(), "from this value on", required=True),
        Field("color", Text(among=("ok", "warning", "error")), required=True),
    ]
)

WIDGET = Object(
    [
        Field(
            "id",
            Text(1, 64, pattern="[A-Za-z0-9_-]+", meant="letters, digits, - and _"),
            "it is there once in the dashboard; without, it gets one",
        ),
        Field("kind", Text(among=tuple(KINDS)), required=True),
        Field("title", _SHORT, default=""),
        Field("x", Nullable(Integer(0, 23)), "column; without column and row, below the others"),
        Field("y", Nullable(Integer(0, 10_000)), "row"),
        Field("w", Integer(1, 24), "columns", default=3),
        Field("h", Integer(1, 100), "rows", default=2),
        Field("topic", _Filter(), "a topic filter: where it has its values from", default=""),
        Field("path", _Path(), "where in the payload, as in a.b[0].c", default=""),
        Field("unit", Text(max=32), default=""),
        Field("min", _NUMBER),
        Field("max", _NUMBER),
        Field("decimals", Nullable(Integer(0, 10))),
        Field("thresholds", Array(_THRESHOLD, max=20), default=[]),
        Field("span", Number(0, _LONG), "seconds of history that are shown; 0: live only", default=0.0),
        Field("options", Object(more=Schema()), "what only this kind has", default={}),
    ]
)
"""A widget; its ``options`` are checked by :data:`KINDS`."""

DASHBOARD = Object(
    [
        Field("title", Text(1, 200), required=True),
        Field("columns", Integer(1, 24), default=COLUMNS),
        Field("widgets", Array(WIDGET, max=WIDGETS), default=[]),
        # What an export has beside: it is imported as it is, and these are given anew.
        Field("id", Text(max=64)),
        Field("version", Integer(0)),
        Field("updated_at", Number()),
        Field("shared", Boolean()),
    ]
)
"""A dashboard as a page sends it, and as an export has it."""


def read_layout(value: Any, where: str = "") -> dict[str, Any]:
    """Return title, columns and widgets of what was sent. Raises ``BadValue`` with the path of the member.

    >>> read_layout({"title": "Tanks", "widgets": [{"id": "a", "kind": "gauge", "options": {"sweep": 7}}]})
    Traceback (most recent call last):
    ...
    hookmq.web.schema.BadValue: `widgets[0].options.sweep` is 7; expected a whole number from 90 to 360
    """
    read = DASHBOARD.read(value, where)
    prefix = f"{where}." if where else ""
    known: set[str] = set()
    _complete(read["widgets"], read["columns"])
    for index, widget in enumerate(read["widgets"]):
        at = f"{prefix}widgets[{index}]"
        options = Object(KINDS[widget["kind"]]).read(widget["options"], f"{at}.options")
        widget["options"] = {name: option for name, option in options.items() if option is not None}
        widget["thresholds"] = [dict(one) for one in widget["thresholds"]]
        if widget["id"] in known:
            raise BadValue(f"{at}.id", f'is "{widget["id"]}", which is there twice')
        known.add(widget["id"])
        if widget["x"] + widget["w"] > read["columns"]:
            reason = f"is {widget['w']}, which leads beyond the {read['columns']} columns"
            raise BadValue(f"{at}.w", reason)
        low, high = widget["min"], widget["max"]
        if low is not None and high is not None and low >= high:
            raise BadValue(f"{at}.max", f"is {high:g}, which is not more than `min`")
    return {name: read[name] for name in ("title", "columns", "widgets")}


def _complete(widgets: list[dict[str, Any]], columns: int) -> None:
    """Give names and places to widgets that were written without them, in the order in which they were."""
    free = (f"w{number}" for number in itertools.count(1))
    taken = {widget["id"] for widget in widgets}
    placed = [widget for widget in widgets if widget["x"] is not None or widget["y"] is not None]
    x, y = 0, max(((widget["y"] or 0) + widget["h"] for widget in placed), default=0)
    tallest = 0
    for widget in widgets:
        if widget["id"] is None:
            widget["id"] = next(name for name in free if name not in taken)
        if widget["x"] is None and widget["y"] is None:
            if x + widget["w"] > columns and x > 0:
                x, y, tallest = 0, y + tallest, 0
            widget["x"], widget["y"] = x, y
            x, tallest = x + widget["w"], max(tallest, widget["h"])
        else:
            widget["x"], widget["y"] = widget["x"] or 0, widget["y"] or 0
