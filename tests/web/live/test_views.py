"""What can be watched, seen by a page of a real broker."""

from __future__ import annotations

import base64
import json
import logging
import time
from itertools import pairwise

import pytest

from hookmq import every
from hookmq.web.live.views import VIEWS

from ...api.helpers import Device, eventually
from .conftest import open_page


def test_messages_come_as_they_are_published(site, page):
    site.publish("tank/1", "before")
    page.watch("messages", filter="tank/#")
    page.until(lambda: page.shown.get("messages") == [])
    site.publish("tank/1", {"level": 42}, qos=1, retain=True, properties={"content_type": "x"})
    site.publish("tank/2", b"\xff\0")
    site.publish("other", "nobody looks")
    first, second = page.until(lambda: len(page.streams["messages"]) == 2 and page.streams["messages"])
    assert first["topic"] == "tank/1" and json.loads(first["payload"]) == {"level": 42}
    assert (first["qos"], first["retain"], first["bytes"]) == (1, True, len(first["payload"]))
    assert first["properties"] == {"content_type": "x"} and abs(first["at"] - time.time()) < 10
    assert (second["payload"], base64.b64decode(second["payload_base64"])) == (None, b"\xff\0")


def test_messages_of_a_quality_of_service(site, page):
    page.watch("messages", filter="#", qos=1)
    page.until(lambda: "messages" in page.shown)
    for qos in (0, 1, 2):
        site.publish("a", str(qos), qos=qos)
    assert [
        one["qos"]
        for one in page.until(lambda: len(page.streams["messages"]) == 2 and page.streams["messages"])
    ] == [1, 2]


def test_a_long_payload_is_cut(site, page):
    page.watch("messages", filter="a")
    page.watch("topic", topic="a")
    page.until(lambda: {"messages", "topic"} <= page.shown.keys())
    site.publish("a", "ü" * 100_000)
    (item,) = page.until(lambda: page.streams["messages"])
    assert (item["payload"], item["bytes"], item["cut"]) == ("ü" * 32_768, 200_000, True)
    shown = page.until(lambda: page.shown["topic"])
    assert (shown["payload"], shown["cut"]) == ("ü" * 65_536, True)


def test_of_a_flood_the_newest_is_shown_and_the_rest_counted(site, page):
    page.watch("messages", filter="flood")
    page.until(lambda: "messages" in page.shown)
    for number in range(20_000):
        site.publish("flood", str(number))
    page.until(lambda: page.streams["messages"][-1:] and page.streams["messages"][-1]["payload"] == "19999")
    numbers = [int(one["payload"]) for one in page.streams["messages"]]
    assert numbers == sorted(set(numbers)) and len(numbers) + page.lost["messages"] == 20_000
    assert page.lost["messages"] > 10_000
    assert all(len(frame.get("add", [])) <= 200 for frame in page.frames)


def test_the_newest_message_of_a_topic(site, page):
    page.watch("topic", topic="tank/1")
    page.until(lambda: "topic" in page.shown)
    assert page.shown["topic"] is None
    for number in range(5):
        site.publish("tank/1", str(number))
    assert page.until(lambda: (page.shown["topic"] or {}).get("payload") == "4")


@pytest.mark.parametrize("filter", ["tank/1/level", "tank/+/level", "tank/#", "#", "+/1/level"])
@pytest.mark.parametrize("retain", [True, False], ids=["retained", "seen"])
def test_what_was_there_before_is_shown_at_once(site, page, filter, retain):
    site.publish("tank/1/level", {"v": 7}, retain=retain)
    site.publish("tank/1/other", "x", retain=retain)
    eventually(lambda: site._run.native.topic_value("tank/1/other"))
    page.watch("values", topic=filter, path="v")
    items = page.until(lambda: page.items("values"))
    assert items["tank/1/level"]["value"] == 7
    assert page.frames[-1].get("whole") is not None


def test_values_of_a_path(site, page):
    page.watch("values", topic="s/+", path="a.b[0]")
    page.until(lambda: "values" in page.shown)
    site.publish("s/1", {"a": {"b": [1]}})
    site.publish("s/2", {"a": {"b": ["on"]}})
    site.publish("s/3", {"a": {"b": [{"c": True}]}})
    site.publish("s/4", {"a": 1})
    site.publish("s/5", b"\xff")
    site.publish("s/6", b'{"a":{"b":[NaN]}}')
    items = page.until(lambda: len(page.items("values")) == 6 and page.items("values"))
    values = [items[f"s/{number}"]["value"] for number in range(1, 7)]
    assert values == [1, "on", {"c": True}, None, None, None]
    site.publish("s/1", {"a": {"b": [2]}})
    page.until(lambda: page.items("values")["s/1"]["value"] == 2)
    assert page.frames[-1]["set"].keys() == {"s/1"}


def test_points_are_numbers(site, page):
    page.watch("points", topics=["p/1", "p/2"], path="v")
    page.until(lambda: "points" in page.shown)
    for payload in ({"v": 1}, {"v": "2.5"}, {"v": True}, {"v": "on"}, {}, b"\xff", b'{"v":1e999}'):
        site.publish("p/1", payload)
    site.publish("p/3", {"v": 9})
    site.publish("p/2", {"v": -4})
    page.until(lambda: len(page.streams["points"]) >= 4)
    assert [(topic, number) for topic, _, number in page.streams["points"]] == [
        ("p/1", 1),
        ("p/1", 2.5),
        ("p/1", 1),
        ("p/2", -4),
    ]


def test_who_comes_later_is_not_told_what_was_before(site, page):
    page.watch("messages", "first", filter="a")
    page.until(lambda: "first" in page.shown)
    site.publish("a", "1")
    page.until(lambda: page.streams["first"])
    page.watch("messages", "second", filter="a", qos=0)
    page.watch("points", "third", filter="a")
    page.until(lambda: {"second", "third"} <= page.shown.keys())
    site.publish("a", "2")
    page.until(lambda: page.streams["second"] and page.streams["third"])
    assert [one["payload"] for one in page.streams["second"]] == ["2"]
    assert [point[2] for point in page.streams["third"]] == [2]


def test_the_tree_of_topics_as_far_as_it_is_open(site, page):
    site.publish("plant/tank/1", "7", retain=True)
    site.publish("plant/pump", "on")
    page.watch("topics", parents=[""])
    items = page.until(lambda: page.items("topics"))
    assert items["plant"]["children"] >= 1
    page.watch("topics", parents=["", "plant", "plant/tank"])
    page.until(lambda: {"plant", "plant/tank", "plant/pump", "plant/tank/1"} <= page.items("topics").keys())
    assert page.items("topics")["plant/tank/1"]["preview"] == "7"
    site.publish("plant/tank/2", "8")
    site.publish("elsewhere/x", "8")
    page.until(lambda: {"plant/tank/2", "elsewhere"} <= page.items("topics").keys())
    assert "elsewhere/x" not in page.items("topics")


def test_numbers_over_time(site, page):
    page.watch("overview")
    page.watch("series", names=["received", "clients"], span=300)
    overview = page.until(lambda: page.shown.get("overview"))
    assert {"at", "uptime", "rates", "totals", "latency", "alarms"} <= overview.keys()
    series = page.until(lambda: page.shown.get("series"))
    assert series["step"] == 1.0 and series["series"].keys() == {"received", "clients"}
    page.until(lambda: len(page.streams.get("series", [])) >= 3)
    times = [at for at, _ in page.streams["series"]]
    assert times[0] > series["end"]
    assert [late - early for early, late in pairwise(times)] == pytest.approx(
        [1.0] * (len(times) - 1), abs=0.2
    )
    assert page.streams["series"][0][1].keys() == {"received", "clients"}


def test_what_has_a_name(site, page):
    @site.on_message_received("a")
    def watch(message): ...

    @site.schedule(every(1).hours)
    def report(): ...

    site.add_rule("hot", 'SELECT payload.t AS t FROM "t/#" WHERE payload.t > 30')
    for view in ("hooks", "jobs", "rules", "bridges", "connectors"):
        page.watch(view)
    page.until(lambda: {"hooks", "jobs", "rules", "bridges", "connectors"} <= page.shown.keys())
    assert page.items("hooks")["watch"]["filter"] == "a"
    assert page.items("jobs")["report"]["runs"] == 0
    assert page.items("rules")["hot"]["sql"].startswith("SELECT")
    assert page.items("bridges") == page.items("connectors") == {}
    with Device(site) as device:
        device.publish("a", "1")
    page.until(lambda: page.items("hooks")["watch"]["calls"] == 1)
    site.remove_rule("hot")
    page.until(lambda: not page.items("rules"))


def test_clients_that_are_in_sight(site, page):
    with Device(site, "one"), Device(site, "two"):
        page.watch("clients", ids=["one", "three"])
        items = page.until(lambda: page.items("clients"))
        assert items.keys() == {"one"} and items["one"]["connected"] is True
        with Device(site, "three"):
            page.until(lambda: "three" in page.items("clients"))
    page.until(lambda: "one" not in page.items("clients") or not page.items("clients")["one"]["connected"])


def test_the_log(site, page):
    logging.getLogger("hookmq.hooks").warning("first")
    page.watch("log", level="warning")
    page.until(lambda: any(one["message"] == "first" for one in page.streams.get("log", [])))
    logging.getLogger("hookmq.hooks").error("second")
    logging.getLogger("hookmq.hooks").info("not of this level")
    logging.getLogger("hookmq.hooks").error("third")
    page.until(lambda: page.streams["log"][-1]["message"] == "third")
    assert [one["message"] for one in page.streams["log"]][-3:] == ["first", "second", "third"]


def test_a_widget(site, page):
    calls = []

    @site.widget("Answer", every=0.1)
    def answer():
        calls.append(1)
        return {"n": len(calls)}

    page.watch("widget", name="answer")
    page.until(
        lambda: (
            (page.shown.get("widget") or {}).get("value", None) and page.shown["widget"]["value"]["n"] >= 3
        )
    )
    page.say(do="unwatch", id="widget")
    page.say(do="ping")
    page.until(lambda: "pong" in page.frames[-1])
    eventually(lambda: not site._console._feeds["/api/v1/live"]._watched)
    count = len(calls)
    time.sleep(0.4)
    assert len(calls) <= count + 1  # nobody looks any more


@pytest.mark.parametrize(
    ("view", "options", "code", "says"),
    [
        ("nothing", {}, "not_found", "there is no view 'nothing'"),
        ("topic", {}, "bad_request", "`with.topic` is missing"),
        ("topic", {"topic": "a/+"}, "bad_request", "wildcard"),
        ("topic", {"topic": ""}, "bad_request", "is empty"),
        ("messages", {"filter": "#/a"}, "bad_request", "no topic filter"),
        ("messages", {"filter": "$share/g/a"}, "bad_request", "shared subscription"),
        ("messages", {"filter": "a", "qos": 3}, "bad_request", "from 0 to 2"),
        ("messages", {"filtre": "a"}, "bad_request", "did you mean `filter`?"),
        ("values", {"topic": "a", "path": "a..b"}, "bad_request", "`with.path`"),
        ("points", {}, "bad_request", "`topics` is missing"),
        ("points", {"topics": [f"t{n}" for n in range(21)]}, "bad_request", "at most 20"),
        ("topics", {"parents": "a"}, "bad_request", "expected a list"),
        ("topics", {"parents": [str(n) for n in range(201)]}, "bad_request", "at most 200"),
        ("series", {"names": ["recieved"]}, "bad_request", "received"),
        ("series", {"names": ["received"], "span": 7}, "bad_request", "span"),
        ("log", {"level": "loud"}, "bad_request", "expected debug"),
        ("clients", {"ids": [7]}, "bad_request", "expected a text"),
        ("dashboard", {}, "bad_request", "`id` is needed"),
        ("dashboard", {"id": "none"}, "not_found", "no such dashboard"),
        ("dashboard", {"token": "wrong"}, "not_found", "taken back"),
        ("widget", {"name": "none"}, "not_found", "there is no widget"),
        ("overview", {"x": 1}, "bad_request", "nothing is expected"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_cannot_be_shown(site, page, view, options, code, says):
    page.watch(view, "it", **options)
    error = page.until(lambda: page.errors.get("it"))
    assert error["code"] == code and says in error["message"]
    page.watch("topic", "it", topic="a")  # and the page goes on
    page.until(lambda: "it" in page.shown)


def test_a_view_that_fails_is_told_and_given_up(site, page, monkeypatch, caplog):
    page.watch("overview")
    page.until(lambda: "overview" in page.shown)
    monkeypatch.setattr("hookmq.web.live.of_source.overview", lambda source: 1 / 0)
    assert page.until(lambda: page.errors.get("overview"))["code"] == "internal"
    monkeypatch.undo()
    assert "the live view overview" in caplog.text and "ZeroDivisionError" in caplog.text
    page.watch("overview")
    page.until(lambda: page.frames[-1].get("whole"))


def test_nothing_is_done_when_nobody_watches(site):
    feeds = site._console._feeds
    assert not feeds
    with open_page(site) as page:
        for view, options in (("messages", {"filter": "#"}), ("values", {"topic": "a/+"}), ("overview", {})):
            page.watch(view, **options)
        page.until(lambda: len(page.shown) == 3)
        feed = feeds["/api/v1/live"]
        assert len(feed._taps) == 2
        page.say(do="unwatch", id="values")
        eventually(lambda: len(feed._taps) == 1)
        page.watch("values", topic="a/+")  # a page that comes back soon finds what it left
        page.watch("messages", filter="#")
        page.until(lambda: "values" in page.shown)
    eventually(lambda: not feed._taps and not feed._watched and not feed._browsers)


def test_every_view_has_a_test():
    with open(__file__) as stream:
        text = stream.read()
    tested = {view for view in VIEWS if f'"{view}"' in text}
    assert tested == VIEWS.keys()


@pytest.mark.parametrize(
    "payload",
    [b"[" * 600 + b"NaN" + b"]" * 600, b'{"a":' * 300 + b"1" + b"}" * 300, b"[1e999, NaN, -Infinity]"],
    ids=["deep and no number", "deep", "no numbers"],
)
def test_a_payload_that_cannot_be_written_again_harms_no_view(site, page, payload):
    page.watch("values", topic="x/#", path="")
    page.until(lambda: "values" in page.shown)
    site.publish("x/strange", payload)
    page.until(lambda: "x/strange" in page.items("values"))
    site.publish("x/well", "7")
    page.until(lambda: page.items("values").get("x/well", {}).get("value") == 7)
    page.watch("values", "again", topic="x/+", path="")
    page.until(lambda: page.items("again").keys() == {"x/strange", "x/well"})
    assert not page.errors


def test_a_frame_with_half_a_character_is_told_and_others_are_heard(site, page):
    page.socket.send('{"do":"watch","id":"x","view":"topics","with":{"parents":["\\ud800"]}}')
    page.say(do="ping")
    page.until(lambda: any("pong" in frame for frame in page.frames))
    assert "surrogate" in page.errors[None]["message"]


def test_who_comes_back_at_once_is_told_nothing_twice(site, page):
    page.watch("messages", filter="a")
    page.until(lambda: "messages" in page.shown)
    for number in range(8):
        site.publish("a", str(number))
        page.say(do="unwatch", id="messages")
        page.watch("messages", filter="a")
        time.sleep(0.25)
    site.publish("a", "last")

    def told():
        return [one["payload"] for frame in page.frames for one in frame.get("add", ())]

    page.until(lambda: "last" in told())
    assert len(told()) == len(set(told()))
