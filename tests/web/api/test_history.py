"""The history: pages, filters, charts, paths and files."""

from __future__ import annotations

import csv
import datetime
import io
import json
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow.parquet
import pytest

from hookmq import Broker
from hookmq.web.charts import Buckets, chart
from hookmq.web.exports import MOST, MOST_OF_ONE, Exports, export
from hookmq.web.problem import Problem
from hookmq.web.slow import THREADS, WAITING, SlowAnswers

from .site import Site, publish


def fill(site: Site, count: int = 25) -> None:
    publish(site, *((f"tank/{number % 3}/level", b'{"level": %d}' % number) for number in range(count)))


def pages(site: Site, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        page = site.get("history", **query)
        found += page["items"]
        if page["next"] is None:
            return found
        query["cursor"] = page["next"]


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_have_every_message_once(site: Site, order: str) -> None:
    fill(site)
    levels = [json.loads(one["payload"])["level"] for one in pages(site, limit=7, order=order)]
    assert levels == sorted(range(25), reverse=order == "desc")


def test_pages_of_messages_of_the_same_moment(site: Site) -> None:
    """The cursor is a time and a number: batches are stored with one time for many."""
    store = site.broker._active_run().recorder.store
    moment = time.time() - 10
    store.write([(moment, "same", "pump", b"%d" % number, 0, False, None) for number in range(50)])
    for order in ("asc", "desc"):
        found = [int(one["payload"]) for one in pages(site, topic="same", limit=7, order=order)]
        assert found == sorted(range(50), reverse=order == "desc")


def test_what_comes_meanwhile_is_on_no_older_page(site: Site) -> None:
    fill(site)
    first = site.get("history", limit=10)
    publish(site, ("tank/9/level", b'{"level": 99}'))
    second = site.get("history", limit=10, cursor=first["next"])
    assert [json.loads(one["payload"])["level"] for one in second["items"]] == list(range(14, 4, -1))


def test_filters(site: Site) -> None:
    fill(site, 9)
    publish(site, ("tank/0/level", b'{"level": 77, "note": "Hot"}'), client="other")
    count = lambda **query: len(pages(site, **query))  # noqa: E731
    assert count(filter="tank/+/level") == 10 and count(topic="tank/0/level") == 4
    assert count(client="other") == 1 and count(contains="hot") == 1 and count(path="note") == 1
    assert count(since="1h") == 10 and count(until="1h") == 0
    times = [one["at"] for one in pages(site, order="asc")]
    later = sum(at >= times[5] for at in times)
    assert count(since=f"{times[5]:.6f}") == later and count(until=f"{times[5]:.6f}") == 10 - later
    assert count(since=datetime.datetime.fromtimestamp(times[5], datetime.UTC).isoformat()) == later


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"filter": "a", "topic": "b"}, "not both"),
        ({"filter": "a/#/b"}, "whole last level"),
        ({"topic": "a/+"}, "wildcard"),
        ({"since": "yesterday"}, "`since`"),
        ({"path": "a..b"}, "`path`"),
        ({"order": "down"}, "asc"),
        ({"limit": 0}, "from 1 to 1000"),
        ({"cursor": "x"}, "`cursor`"),
        ({"cursor": "WyJjbGllbnRzIiwiYSJd"}, "another list"),
        ({"limt": 1}, "did you mean `limit`"),
        ({"limit": [1, 2]}, "twice"),
    ],
    ids=str,
)
def test_what_cannot_be_asked(site: Site, query: dict[str, Any], words: str) -> None:
    problem = site.do("GET", "history", status=400, **query)
    assert words in problem["detail"]


def test_a_large_payload_is_cut(site: Site) -> None:
    publish(site, ("tank/1/level", b'{"level": 1}'))
    site.broker.publish("big", b"x" * 300_000)
    (shown,) = site.get("history", topic="big")["items"]
    assert (shown["bytes"], len(shown["payload"]), shown["cut"]) == (300_000, 256 << 10, True)
    site.broker.publish("bytes", b"\xff\x00")
    (shown,) = site.get("history", topic="bytes")["items"]
    assert (shown["payload"], shown["payload_base64"]) == (None, "/wA=")


# Charts ---------------------------------------------------------------------------------------------------


def test_a_chart_is_made_of_the_numbers(site: Site) -> None:
    fill(site)
    publish(site, ("tank/0/level", b"no number"), ("tank/0/level", b'{"level": "on"}'))
    found = site.get("history/chart", filter="tank/+/level", path="level", points=5000)
    assert not found["truncated"]
    for series in found["series"]:
        rest = int(series["topic"].split("/")[1])
        assert sum(point[4] for point in series["points"]) == len(range(rest, 25, 3))
        assert min(point[1] for point in series["points"]) == rest
    one = site.get("history/chart", topic=["tank/1/level", "tank/2/level", "none"], path="level", points=1)
    assert {series["topic"]: len(series["points"]) for series in one["series"]} == {
        "tank/1/level": 1,
        "tank/2/level": 1,
        "none": 0,
    }
    (least, mean, greatest, count) = one["series"][0]["points"][0][1:]
    assert (least, greatest, count) == (1, 22, 8) and mean == pytest.approx(11.5)


def test_buckets_are_what_a_simple_count_says() -> None:
    numbers = [(at * 0.37 % 100, float(at * 7 % 23)) for at in range(1000)]
    buckets = Buckets(0, 100, 10)
    for at, number in numbers:
        buckets.add(at, number)
    for index, point in enumerate(buckets.points()):
        inside = [number for at, number in numbers if int(at // 10) == index]
        assert point[1:] == [min(inside), pytest.approx(sum(inside) / len(inside)), max(inside), len(inside)]


class Row:
    """A stored message, as far as a chart and a file look at it."""

    qos, retain, client_id = 0, False, "pump"
    properties: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, number: int, payload: bytes | None = None) -> None:
        self.timestamp = 1_700_000_000 + number / 1000
        self.topic = f"tank/{number % 7}"
        self.payload = b"%d" % number if payload is None else payload


def test_a_chart_of_a_million_needs_little_memory() -> None:
    tracemalloc.start()
    rows = (Row(number) for number in range(200_000))
    series, _ = chart(rows, (), start=1_700_000_000, end=1_700_000_200, points=100)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(series) == 7 and peak < 4 << 20


def test_more_topics_than_a_chart_has(site: Site) -> None:
    publish(site, *((f"many/{number}", b"1") for number in range(25)))
    # The access list allows tank/#, so the broker publishes them.
    for number in range(25):
        site.broker.publish(f"many/{number}", b"%d" % number)
    found = site.get("history/chart", filter="many/#")
    assert len(found["series"]) == 20 and found["truncated"]
    site.do("GET", "history/chart", status=400)
    site.do("GET", "history/chart", topic=[str(number) for number in range(21)], status=400)


def test_paths(site: Site) -> None:
    site.broker.publish("p", {"a": {"b": 1}, "c d": [True, "x"], "n": None})
    site.broker.publish("p", b"plain")
    found = {one["path"]: one["kind"] for one in site.get("history/paths", topic="p")["paths"]}
    assert found == {"": "text", "a.b": "number", '["c d"][0]': "bool", '["c d"][1]': "text"}


# Files ----------------------------------------------------------------------------------------------------


def test_files_have_what_was_published(site: Site) -> None:
    payloads = [b"1", b'=cmd|"', "ü\n,".encode(), b"\xff\xfe", b""]
    for payload in payloads:
        site.broker.publish("out", payload, qos=1)
    site.broker.publish("else", b"x")
    expected = [one if one != b"\xff\xfe" else None for one in payloads]

    reply = site.ask("GET", "history/export", format="csv", topic="out")
    assert reply.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert 'attachment; filename="hookmq-history-' in reply.headers["Content-Disposition"]
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    rows = list(csv.DictReader(io.StringIO(reply.body.decode(), newline="")))
    assert [row["payload"].encode() for row in rows] == [one or b"" for one in expected]
    assert rows[3]["payload_base64"] == "//4=" and rows[0]["qos"] == "1"
    assert abs(int(rows[0]["time_us"]) / 1e6 - time.time()) < 30
    assert datetime.datetime.fromisoformat(rows[0]["time"]).timestamp() == int(rows[0]["time_us"]) / 1e6

    lines = site.ask("GET", "history/export", format="jsonl", topic="out").body.decode().splitlines()
    assert [one["payload"] for one in map(json.loads, lines)] == [
        None if one is None else one.decode() for one in expected
    ]

    body = site.ask("GET", "history/export", format="parquet", topic="out").body
    table = pyarrow.parquet.read_table(io.BytesIO(body))
    assert table.column("payload").to_pylist() == [None if one is None else one.decode() for one in expected]
    assert table.column("topic").to_pylist() == ["out"] * 5
    assert [moment.timestamp() for moment in table.column("time").to_pylist()] == [
        int(row["time_us"]) / 1e6 for row in rows
    ]


def test_a_spreadsheet_runs_nothing_in_a_file_that_is_asked_for_so(site: Site) -> None:
    large = "=" + "x" * 100_000 + '"'
    payloads = ["-5.3", "+1e9", "=1+1", "+cmd", "-cmd", "@SUM(A1)", "\t=1", "\r=1", "a=1", "", large]
    for payload in payloads:
        site.broker.publish("=out", payload, qos=1)

    def asked(**query: str) -> list[dict[str, str]]:
        body = site.ask("GET", "history/export", format="csv", topic="=out", **query).body
        return list(csv.DictReader(io.StringIO(body.decode(), newline="")))

    kept, escaped = asked(), asked(formulas="escape")
    assert [row["payload"] for row in kept] == payloads and {row["topic"] for row in kept} == {"=out"}
    harmless = {"-5.3", "+1e9", "a=1", ""}
    assert [row["payload"] for row in escaped] == [one if one in harmless else f"'{one}" for one in payloads]
    assert {row["topic"] for row in escaped} == {"'=out"}
    assert [row["time_us"] for row in escaped] == [row["time_us"] for row in kept]
    assert site.ask("GET", "history/export", format="csv", formulas="run").status == 400


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet"])
def test_a_file_of_many_messages_needs_little_memory(format: str) -> None:
    tracemalloc.start()
    size = 0
    for piece in export((Row(number, b"x" * 200) for number in range(60_000)), format):
        size += len(piece)
        assert len(piece) < 256 << 10
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size > (100_000 if format == "parquet" else 12 << 20) and peak < 40 << 20


def test_a_file_begins_before_anything_is_found(site: Site) -> None:
    """Whoever waits sees that it comes."""
    read = []

    def rows() -> Iterator[None]:
        for number in range(3):
            read.append(number)
            yield None

    pieces = export(rows(), "csv")
    assert next(pieces).startswith(b"time,time_us,topic")
    assert not read
    assert [*pieces] == [b""] * 4 and len(read) == 3
    assert b"".join(export(iter([None, None]), "jsonl")) == b""
    table = pyarrow.parquet.read_table(io.BytesIO(b"".join(export(iter([None]), "parquet"))))
    assert table.num_rows == 0


def download(site: Site, format: str) -> str:
    return site.ask("GET", "history/export", format=format).body.decode()


LARGE = [
    '"' * 70_000,
    "é" * 70_001,
    "a" + "日本語\n" * 40_000,
    json.dumps({"text": "😀" * 30_000}),
    "=" + "1" * 65_536,
]


@pytest.mark.parametrize("payload", LARGE, ids=["quotes", "odd", "lines", "JSON", "formula"])
def test_large_payloads_are_written_in_parts_and_are_what_was_published(site: Site, payload: str) -> None:
    for topic, text in (("out/a", "before"), ("out/b", payload), ("out/c", "behind")):
        site.broker.publish(topic, text)
    wanted = [("out/a", "before"), ("out/b", payload), ("out/c", "behind")]
    csv.field_size_limit(1 << 24)
    rows = list(csv.DictReader(io.StringIO(download(site, "csv"), newline="")))
    assert [(row["topic"], row["payload"]) for row in rows] == wanted
    assert {(row["qos"], row["retain"], row["payload_base64"]) for row in rows} == {("0", "false", "")}
    lines = [json.loads(line) for line in download(site, "jsonl").split("\n")[:-1]]
    assert [(line["topic"], line["payload"]) for line in lines] == wanted
    assert len({frozenset(line) for line in lines}) == 1


def test_who_asks_for_many_files_waits_and_others_do_not() -> None:
    exports, made = Exports(), []
    begun = [exports.begin("anna", lambda: iter([b"a"])) for _ in range(MOST_OF_ONE)]
    with pytest.raises(Problem, match="you have 4 exports") as caught:
        exports.begin("anna", lambda: made.append(1) or iter([b"a"]))
    assert caught.value.status == 503 and "Retry-After" in caught.value.headers and not made
    others = [exports.begin(f"{number}", lambda: iter([b"a"])) for number in range(MOST - MOST_OF_ONE)]
    with pytest.raises(Problem, match="16 exports are under way"):
        exports.begin("bert", lambda: iter([b"a"]))
    assert [*begun[0]] == [b"a"]  # to its end
    exports.begin("anna", lambda: iter([b"a"])).close()  # never begun
    exports.begin("bert", lambda: iter([b"a"]))
    for one in [*begun, *others]:
        one.close()
        one.close()
    with pytest.raises(ZeroDivisionError):
        exports.begin("carl", lambda: 1 // 0)
    assert all(exports.begin("carl", lambda: iter([])) for _ in range(MOST_OF_ONE))


def test_slow_answers_are_made_of_those_who_ask_in_turn() -> None:
    gate, made = threading.Event(), []
    threads = []

    def start(name: str, run: Callable[[str], None]) -> None:
        threads.append(threading.Thread(target=run, args=(name,)))
        threads[-1].start()

    slow = SlowAnswers(start)
    entered = [threading.Event() for _ in range(THREADS)]
    for one in entered:
        slow.put("first", lambda one=one: one.set() or gate.wait(10))
    assert all(one.wait(10) for one in entered)
    lock = threading.Lock()
    for who in "aaaabbc":
        slow.put(who, lambda who=who: (lock.acquire() and made.append(who)) or lock.release())
    for _ in range(WAITING - 7):
        assert slow.put("a", lambda: None)
    assert not slow.put("d", lambda: None)
    slow.close()
    gate.set()
    for thread in threads:
        thread.join()
    assert sorted(made[:3]) == ["a", "b", "c"] and sorted(made) == sorted("aaaabbc")


def test_an_empty_file(site: Site) -> None:
    assert site.ask("GET", "history/export", format="csv", topic="none").body.count(b"\r\n") == 1
    assert site.ask("GET", "history/export", format="jsonl", topic="none").body == b""
    body = site.ask("GET", "history/export", format="parquet", topic="none").body
    assert pyarrow.parquet.read_table(io.BytesIO(body)).num_rows == 0


def test_without_a_history(broker_factory: Callable[..., Broker]) -> None:
    site = Site(broker_factory(http_port=0, history={"enabled": False}))
    for path in ("history", "history/export?format=csv", "history/chart?topic=a", "history/paths?topic=a"):
        assert site.ask("GET", path).json["code"] == "E507"
