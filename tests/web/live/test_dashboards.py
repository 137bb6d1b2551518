"""What the widgets of a dashboard are told."""

from __future__ import annotations

import base64

import pytest

from hookmq.web.dashboards.layout import KINDS

from ...api.helpers import eventually


@pytest.fixture
def dashboards(site):
    return site._console.dashboards


def dashboard(dashboards, *widgets):
    return dashboards.add({"title": "T", "widgets": [{"id": f"w{n}"} | one for n, one in enumerate(widgets)]})


@pytest.mark.parametrize(
    "kind",
    [kind for kind in KINDS if kind not in ("line", "area", "bar", "table", "map", "log", "image", "python")],
)
def test_values(site, page, dashboards, kind):
    made = dashboard(dashboards, {"kind": kind, "topic": "t/+", "path": "v"}, {"kind": kind})
    page.watch("dashboard", id=made.id)
    page.until(lambda: page.shown.get("dashboard") == {"version": 1, "title": "T", "items": {}})
    site.publish("t/1", {"v": 1})
    site.publish("t/2", {"v": "on"})
    item = page.until(lambda: page.items("dashboard").get("w0"))
    page.until(lambda: page.items("dashboard")["w0"]["value"] == "on")
    assert item.keys() == {"value", "at", "topic"}
    assert "w1" not in page.items("dashboard")  # it has no topic


@pytest.mark.parametrize("kind", ["line", "area", "bar"])
def test_points(site, page, dashboards, kind):
    made = dashboard(dashboards, {"kind": kind, "topic": "t/+", "path": "v"})
    site.publish("t/1", {"v": 0})
    eventually(lambda: site._run.native.topic_value("t/1"))
    points = []
    page.watch("dashboard", id=made.id)

    def told(count):
        def enough():
            if page.frames:
                frame = page.frames[-1]
                shown = frame.get("set") or (frame.get("whole") or {}).get("items") or {}
                new = shown.get("w0", {}).get("points", [])
                if new != points[-len(new) :] or not new:
                    points.extend(new)
            return len(points) >= count

        return enough

    page.until(told(1))
    for number in range(1, 4):
        site.publish(f"t/{number}", {"v": number})
        site.publish(f"t/{number}", "no number")
    page.until(told(4))
    assert [(topic, number) for topic, _, number in points] == [
        ("t/1", 0),
        ("t/1", 1),
        ("t/2", 2),
        ("t/3", 3),
    ]


@pytest.mark.parametrize("kind", ["table", "map"])
def test_rows(site, page, dashboards, kind):
    made = dashboard(dashboards, {"kind": kind, "topic": "t/+"})
    page.watch("dashboard", id=made.id)
    page.until(lambda: "dashboard" in page.shown)
    for name in ("b", "a", "b"):
        site.publish(f"t/{name}", {"lat": 1, "n": name})
    page.until(lambda: len(page.items("dashboard").get("w0", {}).get("rows", [])) == 2)
    assert [row["topic"] for row in page.items("dashboard")["w0"]["rows"]] == ["t/a", "t/b"]
    assert page.items("dashboard")["w0"]["rows"][0]["value"] == {"lat": 1, "n": "a"}


def test_a_log(site, page, dashboards):
    made = dashboard(dashboards, {"kind": "log", "topic": "#"})
    page.watch("dashboard", id=made.id)
    page.until(lambda: "dashboard" in page.shown)
    site.publish("a", "1")
    site.publish("b", "2")
    rows = page.until(lambda: page.items("dashboard").get("w0", {}).get("rows"))
    assert [(row["topic"], row["value"]) for row in rows] == [("a", 1), ("b", 2)]


def test_a_log_has_the_lines_it_asks_for(site, page, dashboards):
    made = dashboard(
        dashboards,
        {"kind": "log", "topic": "n", "options": {"limit": 450}},
        {"kind": "log", "topic": "n", "options": {"limit": 3}},
        {"kind": "log", "topic": "n"},
    )
    page.watch("dashboard", id=made.id)
    page.until(lambda: "dashboard" in page.shown)
    for n in range(460):
        site.publish("n", str(n))
    last = lambda: [row["value"] for row in page.items("dashboard").get("w1", {}).get("rows", [])][-1:]  # noqa: E731
    page.until(lambda: last() == [459])
    page.watch("dashboard", "again", id=made.id)  # who looks later is told all that is kept
    page.until(lambda: "again" in page.shown)
    told = {id: [row["value"] for row in item["rows"]] for id, item in page.items("again").items()}
    assert told == {"w0": [*range(10, 460)], "w1": [457, 458, 459], "w2": [*range(360, 460)]}


def test_a_picture(site, page, dashboards):
    made = dashboard(dashboards, {"kind": "image", "topic": "cam"})
    page.watch("dashboard", id=made.id)
    page.until(lambda: "dashboard" in page.shown)
    site.publish("cam", b"\x89PNG" + bytes(300_000))
    item = page.until(lambda: page.items("dashboard").get("w0"))
    assert base64.b64decode(item["payload_base64"])[:4] == b"\x89PNG" and item["bytes"] == 300_004
    site.publish("cam", bytes(600_000))
    page.until(lambda: "error" in page.items("dashboard")["w0"])
    assert "600000 bytes" in page.items("dashboard")["w0"]["error"]


def test_a_widget_in_python(site, page, dashboards):
    site.widget("Answer", name="answer")(lambda: 42)
    made = dashboard(
        dashboards,
        {"kind": "python", "options": {"widget": "answer"}},
        {"kind": "python", "options": {"widget": "none"}},
    )
    page.watch("dashboard", id=made.id)
    page.until(lambda: page.items("dashboard").get("w0", {}).get("value") == 42)
    assert "no widget 'none'" in page.items("dashboard")["w1"]["error"]


def test_what_was_there_before_is_shown_at_once(site, page, dashboards):
    site.publish("t/1", {"v": 1}, retain=True)
    made = dashboard(
        dashboards, {"kind": "value", "topic": "t/#", "path": "v"}, {"kind": "log", "topic": "t/#"}
    )
    page.watch("dashboard", id=made.id)
    page.until(lambda: page.shown.get("dashboard"))
    assert page.items("dashboard")["w0"]["value"] == 1
    assert page.items("dashboard")["w1"]["rows"][0]["topic"] == "t/1"


def test_a_change_is_shown_to_who_looks(site, page, dashboards):
    made = dashboard(dashboards, {"kind": "value", "topic": "a"})
    page.watch("dashboard", id=made.id)
    site.publish("a", "1")
    page.until(lambda: page.items("dashboard").get("w0"))
    dashboards.change(made.id, {"title": "New", "widgets": [{"id": "n", "kind": "value", "topic": "b"}]})
    page.until(lambda: page.shown["dashboard"]["version"] == 2)
    assert page.shown["dashboard"]["title"] == "New" and page.items("dashboard") == {}
    site.publish("b", "2")
    page.until(lambda: page.items("dashboard").get("n", {}).get("value") == 2)
    feed = site._console._feeds["/api/v1/live"]
    assert len(feed._taps) == 1
    dashboards.remove(made.id)
    assert page.until(lambda: page.errors.get("dashboard"))["code"] == "not_found"
    eventually(lambda: not feed._taps)


def test_a_table_of_long_payloads_is_bounded(site, page, dashboards):
    made = dashboard(dashboards, {"kind": "table", "topic": "t/#", "path": "n"})
    page.watch("dashboard", id=made.id)
    page.until(lambda: "dashboard" in page.shown)
    for number in range(150):
        site.publish(f"t/{number:03}", {"n": number, "text": "\u0001" * 1000})
    site.publish("t/last", {"n": "end"})
    page.until(
        lambda: (page.items("dashboard").get("w0", {}).get("rows") or [{}])[-1].get("topic") == "t/last"
    )
    rows = page.items("dashboard")["w0"]["rows"]
    # Whole payloads, because columns have paths of their own; the newest that have room.
    assert rows[-1]["value"] == {"n": "end"} and 10 < len(rows) < 100
    assert [row["topic"] for row in rows] == sorted(row["topic"] for row in rows)
