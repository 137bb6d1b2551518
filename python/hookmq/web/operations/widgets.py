"""Widgets that are written in Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..schema import Anything, Array, Boolean, Field, Nullable, Number, Object, Text
from .operation import Answer, Ask, Operation

if TYPE_CHECKING:
    from ..widgets import Widgets

__all__ = ["operations"]

_ITEM = Object(
    [
        Field("name", Text(), required=True),
        Field("title", Text(), required=True),
        Field("kind", Text(), "how its value is drawn", required=True),
        Field("every", Number(), "seconds from one value to the next", required=True),
        Field("has_action", Boolean(), "whether something can be sent to it", required=True),
    ]
)
_LIST = Object(
    [
        Field("items", Array(_ITEM), required=True),
        Field("next", Nullable(Text()), required=True),
        Field("total", Nullable(Number()), required=True),
    ]
)
_VALUE = Object(
    [
        Field("value", Anything(), "what its function returned last", required=True),
        Field("at", Nullable(Number()), "when", required=True),
        Field("error", Nullable(Text()), "what it raised last, if it did", required=True),
    ]
)


def operations(widgets: Callable[[], Widgets]) -> Sequence[Operation]:
    """Return what can be asked of widgets; ``widgets()`` returns them."""
    api = _WidgetsApi(widgets)
    return [
        Operation("GET", "widgets", api.list, "List the widgets that are written in Python", answer=_LIST),
        Operation("GET", "widgets/{name}", api.read, "Show a widget's value", answer=_VALUE, raises=(404,)),
        Operation(
            "POST",
            "widgets/{name}",
            api.act,
            "Send something to a widget",
            role="operator",
            body=Object([Field("value", Anything(), "what its `on_action` function is given")]),
            answer=_VALUE,
            raises=(404, 409, 500),
            example={"value": True},
        ),
    ]


class _WidgetsApi:
    def __init__(self, widgets: Callable[[], Widgets]) -> None:
        self._widgets = widgets

    def list(self, ask: Ask) -> Any:
        items = [widget.plain() for widget in self._widgets().all()]
        return {"items": items, "next": None, "total": len(items)}

    def read(self, ask: Ask) -> Any:
        return self._widgets().read(ask.path["name"])

    def act(self, ask: Ask) -> Any:
        widgets, name = self._widgets(), ask.path["name"]
        widgets.act(name, ask.body["value"])
        return Answer(widgets.read(name))
