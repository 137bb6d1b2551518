"""Dashboards: kept, changed, shared by a link, and shown to who has the link."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..dashboards import Dashboard, Dashboards
from ..dashboards.layout import DASHBOARD, WIDGET
from ..problem import Problem
from ..schema import Array, Boolean, Field, Integer, Nullable, Number, Object, Ref, Schema, Text
from .history import moment_of
from .operation import Answer, Ask, Operation, may

__all__ = ["operations"]

_SUMMARY = (
    Field("id", Text(), required=True),
    Field("title", Text(), required=True),
    Field("version", Integer(1), "it grows with each change", required=True),
    Field("updated_at", Number(), required=True),
    Field("shared", Boolean(), "there is a link by which anybody may look at it", required=True),
)
_WIDGET: Schema = Ref("Widget", WIDGET)
_WHOLE: Schema = Ref(
    "Dashboard",
    Object([*_SUMMARY, Field("columns", Integer(1), required=True), Field("widgets", Array(_WIDGET))]),
)
_LIST = Object(
    [
        Field(
            "items",
            Array(Object([*_SUMMARY, Field("widgets", Integer(), "how many", required=True)])),
            required=True,
        ),
        Field("next", Nullable(Text()), required=True),
        Field("total", Integer(), required=True),
    ]
)
_LINK = Object(
    [
        Field("token", Text(), required=True),
        Field("url", Text(), "relative to the page", required=True),
    ]
)
_EXAMPLE = {
    "title": "Tanks",
    "widgets": [{"id": "level", "kind": "tank", "topic": "tank/7/level", "w": 3, "h": 4}],
}
_CHARTS = frozenset({"line", "area", "bar"})
"""Kinds of widgets that draw what was; the others show what is."""

Chart = Callable[..., Any]


def operations(dashboards: Dashboards, chart: Chart) -> Sequence[Operation]:
    """Return what can be asked of dashboards.

    ``chart`` is what ``GET history/chart`` answers, called with its parameters by name.
    """
    api = _DashboardsApi(dashboards, chart)
    shared = "Whoever has the link may ask; it tells nothing of what the dashboard does not show."
    period = (
        Field("since", Text(1, 64), "from then on", default="1h"),
        Field("until", Text(1, 64), "before then"),
        Field("points", Integer(1, 5000), "of a series at most", default=600),
    )
    return [
        Operation("GET", "dashboards", api.list, "List the dashboards", answer=_LIST),
        Operation(
            "POST",
            "dashboards",
            api.add,
            "Add a dashboard, or import one",
            role="operator",
            body=DASHBOARD,
            answer=_WHOLE,
            status=201,
            raises=(409, 413),
            description="It takes what `GET dashboards/{id}` answers; the `id` and the version are new.",
            example=_EXAMPLE,
        ),
        Operation("GET", "dashboards/{id}", api.get, "Show a dashboard", answer=_WHOLE, raises=(404,)),
        Operation(
            "PUT",
            "dashboards/{id}",
            api.change,
            "Put something else in the place of a dashboard",
            role="operator",
            body=DASHBOARD,
            answer=_WHOLE,
            versioned=True,
            raises=(404, 409, 412, 413),
            example=_EXAMPLE,
        ),
        Operation(
            "DELETE",
            "dashboards/{id}",
            api.remove,
            "Remove a dashboard and the link to it",
            role="operator",
            status=204,
            versioned=True,
            raises=(404, 409, 412),
        ),
        Operation(
            "POST",
            "dashboards/{id}/share",
            api.share,
            "Make a link by which anybody may look at a dashboard",
            role="admin",
            answer=_LINK,
            raises=(404, 409),
        ),
        Operation(
            "DELETE",
            "dashboards/{id}/share",
            api.unshare,
            "Let the link show nothing any more",
            role="admin",
            status=204,
            raises=(404, 409),
        ),
        Operation(
            "GET",
            "shared/{token}",
            api.shared,
            "Show the dashboard of a link",
            role="anyone",
            answer=_WHOLE,
            raises=(404,),
            description=shared,
        ),
        Operation(
            "GET",
            "shared/{token}/chart",
            api.chart,
            "Draw the history of a widget of a link's dashboard",
            role="anyone",
            query=(Field("widget", Text(1, 64), "its `id`", required=True), *period),
            raises=(404, 409),
            description="It answers as `GET history/chart` does, for charts alone, and nothing from before "
            f"the widget's `span`. {shared}",
        ),
    ]


class _DashboardsApi:
    def __init__(self, dashboards: Dashboards, chart: Chart) -> None:
        self._dashboards = dashboards
        self._chart = chart

    def list(self, ask: Ask) -> Any:
        found = [one.summary() for one in self._dashboards.all()]
        return {"items": found, "next": None, "total": len(found)}

    def add(self, ask: Ask) -> Any:
        made = self._dashboards.add(_layout(ask.body))
        headers = {"Location": f"dashboards/{made.id}"}
        return Answer(made.plain(), status=201, version=made.version, headers=headers)

    def get(self, ask: Ask) -> Any:
        return _answered(self._dashboards.get(ask.path["id"]))

    def change(self, ask: Ask) -> Any:
        before = self._dashboards.find(ask.path["id"])
        if before is not None and before.share is not None and not may(ask.identity.role, "admin"):
            shown: dict[tuple[str, str, str], float] = {}
            for widget in before.widgets:
                shown[_source(widget)] = max(_span(widget), shown.get(_source(widget), 0.0))
            if any(_span(widget) > shown.get(_source(widget), -1.0) for widget in ask.body["widgets"] or ()):
                raise Problem(
                    403,
                    "everybody who has this dashboard's link would see more: an admin has to add it",
                    help="ask an admin to do that or to take the link back, or duplicate the dashboard",
                )
        changed = self._dashboards.change(ask.path["id"], _layout(ask.body), ask.check_version)
        return _answered(changed)

    def remove(self, ask: Ask) -> Any:
        self._dashboards.remove(ask.path["id"], ask.check_version)
        return Answer(None, status=204)

    def share(self, ask: Ask) -> Any:
        token = self._dashboards.share(ask.path["id"])
        return {"token": token, "url": f"#/shared/{token}"}

    def unshare(self, ask: Ask) -> Any:
        self._dashboards.unshare(ask.path["id"])
        return Answer(None, status=204)

    def shared(self, ask: Ask) -> Any:
        return _answered(self._of_token(ask))

    def chart(self, ask: Ask) -> Any:
        dashboard = self._of_token(ask)
        widget = dashboard.widget(ask.query["widget"])
        if widget is None:
            raise Problem(404, f"the dashboard has no widget `{ask.query['widget']}`")
        span = _span(widget)
        if not span or not widget["topic"]:
            raise Problem(409, f"the widget `{widget['id']}` draws no history of a topic")
        now = time.time()
        since = moment_of(ask.query["since"], "since", now)
        # The topic is the widget's, whatever the browser says.
        wild = "+" in widget["topic"] or "#" in widget["topic"]
        return self._chart(
            topics=[] if wild else [widget["topic"]],
            filter=widget["topic"] if wild else None,
            path=widget["path"],
            since=now - span if since is None else max(since, now - span),
            until=ask.query["until"],
            points=ask.query["points"],
        )

    def _of_token(self, ask: Ask) -> Dashboard:
        found = self._dashboards.of_token(ask.path["token"])
        if found is None:
            help = "ask whoever gave it to you for another one"
            raise Problem(404, "this link shows nothing: it was taken back, or is misspelt", help=help)
        return found


def _answered(dashboard: Dashboard) -> Answer:
    return Answer(dashboard.plain(), version=dashboard.version)


def _source(widget: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return where a widget takes from what it shows."""
    options = widget.get("options") or {}
    named = str(options.get("widget") or "") if isinstance(options, Mapping) else ""
    return str(widget.get("topic") or ""), str(widget.get("path") or ""), named


def _span(widget: Mapping[str, Any]) -> float:
    """Return how many seconds of history a widget draws."""
    return float(widget["span"]) if widget["kind"] in _CHARTS else 0.0


def _layout(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a body says of the dashboard itself."""
    return {name: body[name] for name in ("title", "columns", "widgets")}
