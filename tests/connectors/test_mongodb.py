"""The real pymongo against a server of the wire protocol that can fail in every way; no MongoDB was run."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from hookmq.connectors import Courier, MongoDB
from hookmq.errors import HookMQError

from .mongo_server import MongoServer
from .records import BEGIN, record, records, until

MakeCourier = Callable[..., Courier]


@pytest.fixture
def server() -> Iterator[MongoServer]:
    with MongoServer() as made:
        yield made


# What is there


def test_documents(server: MongoServer, courier: MakeCourier) -> None:
    one = courier(MongoDB(server.url, database="plant"))
    one.put(
        [
            record(1, retain=True, properties={"correlation_data": b"\xff"}),
            record(2, b"\xff\x00"),
            record(3, b"warm"),
            record(4, kind="connected", payload=b"", topic="plant", detail={"port": 1883}),
        ]
    )
    assert one.wait(10)
    first, second, third, fourth = server.documents("plant")
    assert first == {
        "_id": "0000000000abcdef-1",
        "kind": "received",
        "time": datetime.fromtimestamp(BEGIN, UTC).replace(microsecond=1000),
        "client_id": "pump",
        "topic": "plant/north/flow",
        "payload": {"flow": 100.59},
        "qos": 1,
        "retain": True,
        "properties": {"correlation_data": {"$base64": "/w=="}},
        "number": 1,
    }
    assert second["payload"] == b"\xff\x00" and third["payload"] == "warm"
    assert fourth["port"] == 1883 and "payload" not in fourth
    assert {command["$db"] for command in server.commands} == {"plant"}


def test_documents_as_crystalmq_stores_them(server: MongoServer, courier: MakeCourier) -> None:
    one = courier(MongoDB(server.url, collection="mqttroute", shape="crystalmq"))
    one.put([record(1)])
    assert one.wait(10)
    assert server.documents("mqttroute") == [{"_id": record(1).id, **record(1).crystalmq()}]


def test_a_batch_is_one_command_for_each_collection(server: MongoServer, courier: MakeCourier) -> None:
    one = courier(MongoDB(server.url, collection="{topic[1]}"), patience=30)
    one.put(
        [record(number, topic=f"plant/{'north' if number % 2 else 'south'}") for number in range(1, 1001)]
    )
    assert one.wait(10)
    assert server.names() == ["insert", "insert"]
    assert server.numbers("north") == list(range(1, 1001, 2)) and server.numbers("south") == list(
        range(2, 1001, 2)
    )


@pytest.mark.parametrize(
    ("topic", "collection"),
    [
        ("/flow", "mqtt"),
        ("$SYS/uptime", "_SYS"),
        ("system.users/x", "_system.users"),
        ("..", "mqtt"),
        ("ä ö/x", "ä ö"),
        ("x" * 500, "x" * 150),
    ],
)
def test_any_topic_makes_a_collection(
    server: MongoServer, courier: MakeCourier, topic: str, collection: str
) -> None:
    one = courier(MongoDB(server.url))
    one.put([record(1, topic=topic)])
    assert one.wait(10)
    assert server.numbers(collection) == [1]


@pytest.mark.parametrize(
    "payload",
    [
        b'{"big": 36893488147419103232}',
        b'{"nul\\u0000key": 1}',
        b'"\\ud83d"',
    ],
)
def test_json_that_bson_cannot_hold_is_text(
    server: MongoServer, courier: MakeCourier, payload: bytes
) -> None:
    one = courier(MongoDB(server.url))
    one.put([record(1), record(2, payload), record(3)])
    assert one.wait(10)
    stored = {document["number"]: document["payload"] for document in server.documents("plant")}
    assert stored == {1: {"flow": 100.59}, 2: payload.decode(), 3: {"flow": 100.59}}


def test_max_age_is_an_index(server: MongoServer, courier: MakeCourier) -> None:
    one = courier(MongoDB(server.url, max_age=86400))
    one.put(records(3))
    assert one.wait(10)
    (index,) = server.indexes["plant"]
    assert (index["key"], index["expireAfterSeconds"]) == ({"time": 1}, 86400)


# Time series


def test_a_time_series(server: MongoServer, courier: MakeCourier) -> None:
    one = courier(MongoDB(server.url, time_series=True, max_age=60))
    one.put(records(3))
    assert one.wait(10)
    (create,) = [command for command in server.commands if "create" in command]
    assert create["timeseries"] == {"timeField": "time", "metaField": "source", "granularity": "seconds"}
    assert create["expireAfterSeconds"] == 60
    assert server.documents("plant")[0]["source"] == {"topic": "plant/north/flow", "client_id": "pump"}


def test_a_time_series_is_asked_before_something_comes_again(
    server: MongoServer, courier: MakeCourier
) -> None:
    one = courier(MongoDB(server.url, time_series=True), patience=10)
    one.put(records(3))
    assert one.wait(10)
    server.loses_answers = 1
    one.put(records(5, start=4))
    assert one.wait(10)
    one.put(records(3, start=9))
    assert one.wait(10)
    assert server.numbers() == list(range(1, 12))
    assert server.names().count("find") == 1


def test_a_collection_that_is_no_time_series(server: MongoServer, courier: MakeCourier) -> None:
    server.options["plant"] = {}
    one = courier(MongoDB(server.url, time_series=True))
    one.put(records(3))
    until(lambda: one.info().spooled == 3)
    assert "is no time series" in one.info().reason and one.info().rejected == 0


# Twice is once


def test_an_answer_that_is_lost(server: MongoServer, courier: MakeCourier) -> None:
    one = courier(MongoDB(server.url), patience=10)
    server.loses_answers = 3  # pymongo's own retry included
    one.put(records(10))
    assert one.wait(15)
    assert server.numbers() == list(range(1, 11)) and server.loses_answers == 0
    assert one.info().rejected == 0


# A server that fails


@pytest.mark.parametrize("way", ["stop", "hang"])
def test_a_server_that_is_away(server: MongoServer, courier: MakeCourier, way: str) -> None:
    one = courier(MongoDB(server.url, timeout=0.5, batch_rows=50))
    one.put(records(100))
    assert one.wait(20)
    if way == "stop":
        server.stop()
    else:
        server.hangs = True
    begun = time.monotonic()
    one.put(records(100, start=101), promised=True)
    assert time.monotonic() - begun < 2.0
    until(lambda: one.info().spooled > 0)
    if way == "stop":
        server.start()
    server.hangs = False
    assert one.wait(20)
    assert server.numbers() == list(range(1, 201))


@pytest.mark.parametrize("way", ["stop", "hang"])
def test_the_end_does_not_wait_for_a_server(server: MongoServer, courier: MakeCourier, way: str) -> None:
    one = courier(MongoDB(server.url))
    one.put(records(3))
    assert one.wait(20)
    server.hangs = way == "hang"
    if way == "stop":
        server.stop()
    one.put(records(3, start=4))
    until(lambda: one.info().queued == 0)
    begun = time.monotonic()
    one.stop(0.2)
    assert time.monotonic() - begun < 2.0  # of 5 for a connection, 10 for an answer
    assert one.info().dropped == 0


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (
            {"ok": 0.0, "code": 13, "codeName": "Unauthorized", "errmsg": "not authorized on plant"},
            "not authorized",
        ),
        (
            {"ok": 0.0, "code": 10107, "codeName": "NotWritablePrimary", "errmsg": "not primary"},
            "not primary",
        ),
        (
            {
                "ok": 1.0,
                "n": 0,
                "writeConcernError": {"code": 64, "errmsg": "waiting for replication timed out"},
            },
            "timed out",
        ),
        (
            {"ok": 1.0, "n": 0, "writeErrors": [{"index": 0, "code": 14031, "errmsg": "out of disk space"}]},
            "out of disk",
        ),
    ],
)
def test_what_speaks_of_the_server_is_an_absence(
    server: MongoServer, courier: MakeCourier, answer: dict[str, Any], says: str
) -> None:
    server.interfere = lambda command: answer if "insert" in command else None
    one = courier(MongoDB(server.url))
    one.put(records(3))
    until(lambda: one.info().spooled == 3)
    assert says in one.info().reason and one.info().rejected == 0
    server.interfere = lambda command: None
    assert one.wait(15)
    assert server.numbers() == [1, 2, 3]


@pytest.mark.parametrize(
    "error",
    [
        {"code": 121, "errmsg": "Document failed validation"},
        {"code": 10334, "errmsg": "object to insert too large"},
        {"code": 11000, "errmsg": "E11000 duplicate key", "keyPattern": {"serial": 1}},
    ],
)
def test_what_speaks_of_a_document_is_a_dead_letter(
    server: MongoServer, courier: MakeCourier, error: dict[str, Any]
) -> None:
    server.refuse = lambda document: error if document["number"] in (2, 5) else None
    one = courier(MongoDB(server.url))
    one.put(records(6))
    assert one.wait(10)
    assert server.numbers() == [1, 3, 4, 6] and one.info().rejected == 2
    assert one.directory is not None
    assert error["errmsg"] in (one.directory / "dead-letters.jsonl").read_text()


def test_a_document_that_is_too_large(server: MongoServer, courier: MakeCourier) -> None:
    one = courier(MongoDB(server.url))
    one.put([record(1), record(2, b"x" * (17 << 20)), record(3)])
    assert one.wait(20)
    assert server.numbers() == [1, 3] and one.info().rejected == 1


def test_no_secret_is_told(courier: MakeCourier, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "hookmq"):
        one = courier(MongoDB("mongodb://anna:conc%40ealed@127.0.0.1:1/?serverSelectionTimeoutMS=200"))
        until(lambda: one.info().state == "down")
    told = caplog.text + str(one.info()) + repr(one.connector)
    assert "ealed" not in told and "efused" in one.info().reason


# Options


@pytest.mark.parametrize(
    "url", ["", "localhost", "http://anna:concealed@db", "mongodb://anna:conc@ealed@db:x/", "mongodb://"]
)
def test_no_address(url: str) -> None:
    with pytest.raises(HookMQError) as caught:
        MongoDB(url).check()
    assert (
        caught.value.code == "E603"
        and "concealed" not in str(caught.value)
        and "ealed@" not in str(caught.value)
    )


@pytest.mark.parametrize(
    "options",
    [
        {"shape": "x"},
        {"shape": "crystalmq", "time_series": True},
        {"max_age": 0},
        {"collection": "{x}"},
        {"batch_rows": 0},
    ],
)
def test_options_that_cannot_be(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        MongoDB(**options)
