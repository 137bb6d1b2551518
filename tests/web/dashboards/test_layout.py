"""What is wrong with a dashboard is said with the path of the member."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hookmq.web.dashboards.layout import KINDS, read_layout
from hookmq.web.schema import BadValue

A = {"id": "a", "kind": "value"}


def with_widget(**members):
    return {"title": "T", "widgets": [A | members]}


@pytest.mark.parametrize(
    ("value", "where", "says"),
    [
        ([], "", "is a list"),
        ({}, "title", "missing"),
        ({"title": ""}, "title", "empty"),
        ({"title": "x" * 201}, "title", "longer than 200"),
        ({"title": 7}, "title", "expected a text"),
        ({"titel": "T"}, "titel", "did you mean `title`?"),
        ({"title": "T", "columns": 0}, "columns", "from 1 to 24"),
        ({"title": "T", "widgets": {}}, "widgets", "expected a list"),
        ({"title": "T", "widgets": [A] * 201}, "widgets", "at most 200"),
        ({"title": "T", "widgets": [7]}, "widgets[0]", "expected an object"),
        ({"title": "T", "widgets": [{"id": "a"}]}, "widgets[0].kind", "missing"),
        ({"title": "T", "widgets": [A, A]}, "widgets[1].id", "there twice"),
        (with_widget(id="../a"), "widgets[0].id", "letters, digits"),
        (with_widget(id=""), "widgets[0].id", "empty"),
        (with_widget(kind="gage"), "widgets[0].kind", "expected value, line, area, bar, gauge"),
        (with_widget(kind="iframe"), "widgets[0].kind", "expected value, line"),
        (with_widget(script="x"), "widgets[0].script", "unknown"),
        (with_widget(x=-1), "widgets[0].x", "from 0"),
        (with_widget(x=1.5), "widgets[0].x", "whole number"),
        (with_widget(w=25), "widgets[0].w", "from 1 to 24"),
        (with_widget(x=10, w=3), "widgets[0].w", "beyond the 12 columns"),
        (with_widget(h=0), "widgets[0].h", "from 1"),
        (with_widget(y=10**9), "widgets[0].y", "from 0 to 10000"),
        (with_widget(topic="a/#/b"), "widgets[0].topic", "no topic filter"),
        (with_widget(topic="$share/g/a"), "widgets[0].topic", "shared subscription"),
        (with_widget(topic="a\0"), "widgets[0].topic", "no topic filter"),
        (with_widget(path="a..b"), "widgets[0].path", "cannot be read"),
        (with_widget(path="a" * 513), "widgets[0].path", "longer than 512"),
        (with_widget(path="a[x]"), "widgets[0].path", "cannot be read"),
        (with_widget(min="0"), "widgets[0].min", "expected a number"),
        (with_widget(max=float("inf")), "widgets[0].max", "expected a number"),
        (with_widget(min=5, max=5), "widgets[0].max", "not more than `min`"),
        (with_widget(decimals=11), "widgets[0].decimals", "from 0 to 10"),
        (with_widget(decimals=True), "widgets[0].decimals", "whole number"),
        (with_widget(thresholds=[{"at": 1}]), "widgets[0].thresholds[0].color", "missing"),
        (with_widget(thresholds=[{"at": 1, "color": "red"}]), "widgets[0].thresholds[0].color", "error"),
        (with_widget(thresholds=[{"at": 1, "color": "ok"}] * 21), "widgets[0].thresholds", "at most 20"),
        (with_widget(span=-1), "widgets[0].span", "from 0"),
        (with_widget(options=[]), "widgets[0].options", "expected an object"),
        (with_widget(options={"sparklin": True}), "widgets[0].options.sparklin", "did you mean `sparkline`?"),
        (with_widget(options={"sparkline": 1}), "widgets[0].options.sparkline", "true or false"),
        (with_widget(kind="tank", options={"a": 1}), "widgets[0].options.a", "nothing is expected"),
        (with_widget(kind="python"), "widgets[0].options.widget", "missing"),
        (with_widget(kind="switch", options={"command": "a/+"}), "widgets[0].options.command", "wildcard"),
        (with_widget(kind="switch", options={"qos": 3}), "widgets[0].options.qos", "from 0 to 2"),
        (with_widget(kind="table", options={"columns": ["a["]}), "widgets[0].options.columns[0]", "cannot"),
        (with_widget(kind="log", options={"limit": 501}), "widgets[0].options.limit", "from 1 to 500"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_is_refused(value, where, says):
    with pytest.raises(BadValue) as caught:
        read_layout(value)
    assert caught.value.where == where and says in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_with_nothing_but_what_it_needs(kind):
    options = {"widget": "pump"} if kind == "python" else {}
    layout = read_layout({"title": "T", "widgets": [{"id": "a", "kind": kind, "options": options}]})
    (widget,) = layout["widgets"]
    assert layout["columns"] == 12
    assert widget == {
        "id": "a",
        "kind": kind,
        "title": "",
        "x": 0,
        "y": 0,
        "w": 3,
        "h": 2,
        "topic": "",
        "path": "",
        "unit": "",
        "min": None,
        "max": None,
        "decimals": None,
        "thresholds": [],
        "span": 0.0,
        "options": options,
    }
    assert read_layout(layout) == layout  # what was read can be read


def test_what_an_export_has_beside_is_taken():
    exported = {"id": "t-1", "title": "T", "version": 3, "columns": 6, "widgets": [], "updated_at": 1.5}
    assert read_layout(exported | {"shared": True}) == {"title": "T", "columns": 6, "widgets": []}


def test_the_document_of_the_docs_is_taken_and_widgets_get_names_and_places():
    text = (Path(__file__).parents[3] / "docs/dashboards.md").read_text()
    document = json.loads(text.partition("```json\n")[2].partition("```")[0])
    read = read_layout(document)
    places = [tuple(widget[name] for name in ("id", "x", "y", "w", "h")) for widget in read["widgets"]]
    assert places == [("w1", 0, 0, 3, 2), ("w2", 3, 0, 6, 4), ("w3", 9, 0, 3, 2)]


def test_widgets_without_a_place_go_below_the_others():
    placed = {"id": "w1", "kind": "value", "x": 4, "y": 1, "h": 3}
    widgets = [{"kind": "value", "w": 8}, placed, {"kind": "text", "w": 4, "h": 3}, {"kind": "led", "x": 9}]
    widgets.append({"kind": "log", "w": 6})
    read = read_layout({"title": "T", "widgets": widgets})
    places = [(widget["id"], widget["x"], widget["y"]) for widget in read["widgets"]]
    assert places == [("w2", 0, 4), ("w1", 4, 1), ("w3", 8, 4), ("w4", 9, 0), ("w5", 0, 7)]
