"""Line protocol, and peers that answer as InfluxDB 1, 2 and 3 do; no InfluxDB was run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from hookmq.connectors import Courier, InfluxDB
from hookmq.connectors.line_protocol import MAX_FIELDS, fields_of, line, nanoseconds
from hookmq.errors import HookMQError

from .peer import Answer, Peer, Request
from .records import RUN, record, records, until

MakeCourier = Callable[..., Courier]

# Line protocol

LINES: list[tuple[str, dict[str, str], dict[str, Any], str]] = [
    ("m", {}, {"value": 1.0}, "m value=1.0 7"),
    ("m", {"b": "2", "a": "1"}, {"value": 1.0}, "m,a=1,b=2 value=1.0 7"),
    ("m", {"a": ""}, {"value": -0.5}, "m value=-0.5 7"),
    ("a b,c=d", {"t g": "a,b=c d"}, {"f d": 1e300}, "a\\ b\\,c=d,t\\ g=a\\,b\\=c\\ d f\\ d=1e+300 7"),
    ("m", {}, {"text": 'say "no"\\'}, 'm text="say \\"no\\"\\\\" 7'),
    ("m", {}, {"text": "two\nlines, one = field"}, 'm text="two\nlines, one = field" 7'),
    ("m", {"a": "two\nlines"}, {"ok": True}, "m,a=two\\nlines ok=true 7"),
    ("m", {"a": "ends\\"}, {"ok": False}, "m,a=ends_ ok=false 7"),
    ("#m", {}, {"value": 1.0}, "_m value=1.0 7"),
]


@pytest.mark.parametrize(("measurement", "tags", "fields", "expected"), LINES)
def test_a_line(measurement: str, tags: dict[str, str], fields: dict[str, Any], expected: str) -> None:
    assert line(measurement, tags, fields, 7) == expected


PAYLOADS: list[tuple[bytes, dict[str, Any]]] = [
    (b"20", {"value": 20.0}),
    (b"-1.5e3", {"value": -1500.0}),
    (b"9" * 400, {"value": "9" * 400}),
    (b"true", {"text": "true"}),
    (b"null", {"text": "null"}),
    (b"warm", {"text": "warm"}),
    (b'"warm"', {"text": '"warm"'}),
    (b"[1, 2]", {"text": "[1, 2]"}),
    (b"\xff", {"text": "b'\\xff'"}),
    (b"", {"text": ""}),
    (b"{}", {"text": "{}"}),
    (b'{"a": null}', {"text": '{"a": null}'}),
    (
        b'{"a": 1, "b": true, "c": "x", "d": {"e": [1, {"f": 2}]}}',
        {"a": 1.0, "b": True, "c": "x", "d.e.0": 1.0, "d.e.1.f": 2.0},
    ),
    (b'{"time": 5, "": 6}', {"time_": 5.0, "_": 6.0}),
]


@pytest.mark.parametrize(("payload", "expected"), PAYLOADS)
def test_fields(payload: bytes, expected: dict[str, Any]) -> None:
    found = fields_of(record(payload=payload))
    assert found == expected and [type(v) for v in found.values()] == [type(v) for v in expected.values()]


def test_what_a_client_publishes_makes_no_columns_without_end() -> None:
    many = json.dumps({str(n): n for n in range(5000)}).encode()
    assert len(fields_of(record(payload=many))) == MAX_FIELDS
    deep = b'{"a":' * 900 + b"1" + b"}" * 900
    assert fields_of(record(payload=deep)) == {".".join("a" * 900): 1.0}


def test_a_connection_has_fields() -> None:
    found = fields_of(record(kind="connected", payload=b"", detail={"port": 1883, "clean_start": True}))
    assert found == {"event": "connected", "port": 1883.0, "clean_start": True}


def test_times_are_unique_and_the_same_again() -> None:
    same = [record(number, time=1_780_000_000.123456) for number in range(1, 1001)]
    times = [nanoseconds(each) for each in same]
    assert len(set(times)) == 1000 and times == [nanoseconds(each) for each in same]
    assert all(time // 1000 == 1_780_000_000_123_456 for time in times)
    assert nanoseconds(record(1)) % 1000 == (RUN + 1) % 1000


# The API


class Database:
    """Stores points as InfluxDB does: by measurement, tags and time."""

    LINE = re.compile(r"^((?:[^ \\]|\\.)+) (.+) (\d+)$", re.DOTALL)

    def __init__(self, peer: Peer) -> None:
        self.points: dict[tuple[str, int], str] = {}
        peer.answer = self.answer

    def answer(self, request: Request) -> Answer:
        assert request.headers["content-encoding"] == "gzip"
        for text in request.body.decode().split("\n"):
            found = self.LINE.match(text)
            assert found is not None, text
            self.points[found.group(1), int(found.group(3))] = found.group(2)
        return Answer(204)


VERSIONS: list[tuple[dict[str, Any], str, dict[str, str], str | None]] = [
    ({"database": "plant"}, "/write", {"db": "plant", "precision": "ns"}, None),
    (
        {"database": "plant", "username": "a", "password": "b"},
        "/write",
        {"db": "plant", "precision": "ns"},
        "Basic YTpi",
    ),
    (
        {"bucket": "mqtt", "org": "plant", "token": "t0k"},
        "/api/v2/write",
        {"org": "plant", "bucket": "mqtt", "precision": "ns"},
        "Token t0k",
    ),
    (
        {"database": "plant", "version": 3, "token": "t0k"},
        "/api/v3/write_lp",
        {"db": "plant", "precision": "nanosecond", "accept_partial": "true"},
        "Bearer t0k",
    ),
]


@pytest.mark.parametrize(("options", "path", "query", "authorization"), VERSIONS)
def test_the_endpoint_of_each_version(
    peer: Peer,
    courier: MakeCourier,
    options: dict[str, Any],
    path: str,
    query: dict[str, str],
    authorization: str | None,
) -> None:
    database = Database(peer)
    one = courier(InfluxDB(peer.url + "/", **options), patience=30)
    one.put(records(100))
    assert one.wait(20)
    (request,) = peer.requests
    assert (request.method, request.path, request.query) == ("POST", path, query)
    assert request.headers.get("authorization") == authorization
    assert len(database.points) == 100
    key = ("plant,client_id=pump,topic=plant/north/flow", nanoseconds(record(7)))
    assert database.points[key] == "flow=100.59"


def test_what_is_written_again_replaces_itself(peer: Peer, courier: MakeCourier) -> None:
    database = Database(peer)
    connector = InfluxDB(peer.url, database="plant")
    connector.write(records(100), again=False)
    connector.write(records(150), again=True)
    assert len(database.points) == 150
    connector.close()


def test_version_3_names_the_lines_it_does_not_take(peer: Peer, courier: MakeCourier) -> None:
    answer = {
        "error": "partial write of line protocol occurred",
        "data": [
            {"original_line": "…", "line_number": 2, "error_message": "invalid column type"},
            {"original_line": "…", "line_number": 5, "error_message": "invalid column type"},
        ],
    }
    peer.answer = lambda request: Answer(400, answer)
    one = courier(InfluxDB(peer.url, database="plant", version=3), patience=30)
    one.put(records(5))
    assert one.wait(20)
    assert len(peer.requests) == 1
    assert (one.info().written, one.info().rejected) == (3, 2)


@pytest.mark.parametrize(
    ("options", "status", "body"),
    [
        (
            {"database": "plant"},
            400,
            {"error": 'partial write: field type conflict: input field "flow" dropped=1'},
        ),
        ({"bucket": "mqtt"}, 422, {"code": "unprocessable entity", "message": "partial write: dropped=1"}),
        ({"database": "plant", "version": 3}, 400, {"error": "partial write", "data": None}),
        ({"database": "plant", "version": 3}, 413, "too large"),
    ],
)
def test_the_others_are_asked_by_halves(
    peer: Peer, courier: MakeCourier, options: dict[str, Any], status: int, body: Any
) -> None:
    database = Database(peer)

    def answer(request: Request) -> Answer:
        return Answer(status, body) if b'flow="much"' in request.body else database.answer(request)

    peer.answer = answer
    one = courier(InfluxDB(peer.url, **options))
    one.put(
        [record(number, b'{"flow": "much"}' if number == 3 else b'{"flow": 1}') for number in range(1, 9)]
    )
    assert one.wait(10)
    assert (one.info().written, one.info().rejected) == (7, 1) and len(database.points) == 7


@pytest.mark.parametrize("status", [401, 404, 429, 503])
def test_what_comes_again(peer: Peer, courier: MakeCourier, status: int) -> None:
    database = Database(peer)
    peer.answer = lambda request: Answer(status, {"error": "no t0k for you"})
    one = courier(InfluxDB(peer.url, bucket="mqtt", token="t0k"))
    one.put(records(10))
    until(lambda: one.info().spooled == 10)
    assert f"it answered {status}" in one.info().reason and "t0k" not in one.info().reason
    peer.answer = database.answer
    assert one.wait(15)
    assert len(database.points) == 10


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"database": "a", "bucket": "b"},
        {"bucket": "b", "version": 3},
        {"database": "a", "version": 2},
        {"version": 4},
    ],
)
def test_options_that_cannot_be(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"database|version"):
        InfluxDB(**options)


def test_no_url() -> None:
    with pytest.raises(HookMQError) as caught:
        InfluxDB("influx:8086", database="plant").check()
    assert caught.value.code == "E603"
