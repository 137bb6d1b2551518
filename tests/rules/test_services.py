"""Results into databases, connectors and Python functions."""

from __future__ import annotations

import json
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from hookmq import Broker
from hookmq.connectors import SQL, Webhook
from hookmq.errors import HookMQError

from ..api.helpers import Device, eventually
from ..connectors.peer import Peer
from ..servers.postgresql import PostgreSQL

INSTALLED = any(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
KINDS = ("sqlite", "postgresql") if INSTALLED else ("sqlite",)


def publish(broker: Any, *payloads: object, topic: str = "in") -> None:
    with Device(broker, "pump") as pump:
        for payload in payloads:
            pump.publish(topic, json.dumps(payload))


@pytest.fixture(scope="module")
def postgresql() -> Iterator[Callable[[], PostgreSQL]]:
    started: list[PostgreSQL] = []
    with tempfile.TemporaryDirectory(prefix="hookmq-rules-") as place:
        Path(place).chmod(0o755)

        def server() -> PostgreSQL:
            if not started:
                started.append(PostgreSQL(Path(place) / "pg"))
            started[0].empty()
            return started[0]

        yield server
        for one in started:
            one.close()


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path, postgresql: Callable[[], PostgreSQL]) -> str:
    return f"sqlite:///{tmp_path}/plant.db" if request.param == "sqlite" else postgresql().url


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sqlalchemy.text(query))]
    except sqlalchemy.exc.DBAPIError:
        return []  # the table is not there yet
    finally:
        engine.dispose()


# store ------------------------------------------------------------------------------------------------------


def test_a_row_for_each_result(broker: Broker, url: str) -> None:
    columns = "payload.t AS t, payload.open AS open, payload.list AS list, topic, payload.name AS name"
    sql = f'SELECT {columns} FROM "in"'
    broker.add_rule("store", sql, [{"kind": "store", "table": "readings", "url": url}])
    publish(
        broker,
        {"t": 20, "open": True, "list": [1, {"a": 2}], "name": "ü'; DROP TABLE x --"},
        {"t": 20.5, "open": False, "list": None, "name": None},
    )
    query = "SELECT t, open, list, topic, name, time_us > 0 FROM readings ORDER BY number"
    found = eventually(lambda: len(found := rows(url, query)) == 2 and found, 30)
    assert found == [
        (20.0, True, '[1,{"a":2}]', "in", "ü'; DROP TABLE x --", True),
        (20.5, False, None, "in", None, True),
    ]
    action = eventually(lambda: (a := broker.rules["store"].info().actions[0]).done == 2 and a)
    assert (action.failed, action.target) == (0, "the table readings")


def test_columns_are_added_as_they_come(broker: Broker, url: str) -> None:
    broker.add_rule("store", 'SELECT payload.* FROM "in"', [{"kind": "store", "table": "wide", "url": url}])
    publish(broker, {"a": 1})
    eventually(lambda: len(rows(url, "SELECT a FROM wide")) == 1, 30)
    publish(broker, {"a": 2, "flow rate": "x", "number": 7, "A": 3})
    query = "SELECT a, flow_rate, number_ FROM wide ORDER BY number"
    found = eventually(lambda: len(found := rows(url, query)) == 2 and found, 30)
    assert found[1][1:] == ("x", 7.0)
    publish(broker, {"a": 4})
    eventually(lambda: len(rows(url, query)) == 3, 30)


def test_too_many_columns_are_a_dead_letter(broker: Broker, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/plant.db"
    broker.add_rule("store", 'SELECT payload.* FROM "in"', [{"kind": "store", "table": "wide", "url": url}])
    publish(broker, {f"c{n}": n for n in range(150)}, {f"d{n}": n for n in range(150)}, {"c1": 7})
    eventually(lambda: len(rows(url, "SELECT c1 FROM wide")) == 2, 30)
    action = eventually(lambda: (a := broker.rules["store"].info().actions[0]).failed == 1 and a)
    assert action.done == 2


def test_a_value_that_does_not_fit_is_a_dead_letter(
    broker_factory: Callable[..., Any], postgresql: Callable[[], PostgreSQL], tmp_path: Path
) -> None:
    if not INSTALLED:
        return
    url = postgresql().url
    broker = broker_factory(data_dir=tmp_path / "data", history={"enabled": False})
    broker.add_rule("store", 'SELECT payload.t AS t FROM "in"', [{"kind": "store", "table": "r", "url": url}])
    publish(broker, {"t": 1}, {"t": "warm"}, {"t": 2})
    found = eventually(lambda: len(found := rows(url, "SELECT t FROM r ORDER BY number")) == 2 and found, 30)
    assert found == [(1.0,), (2.0,)]
    action = eventually(lambda: (a := broker.rules["store"].info().actions[0]).failed == 1 and a)
    assert "warm" in Path(action.dead_letters).read_text()


def test_a_database_that_is_away(
    broker_factory: Callable[..., Any], postgresql: Callable[[], PostgreSQL], tmp_path: Path
) -> None:
    if not INSTALLED:
        return
    server = postgresql()
    broker = broker_factory(data_dir=tmp_path / "data", history={"enabled": False})
    broker.add_rule(
        "store", 'SELECT payload.t AS t FROM "in"', [{"kind": "store", "table": "r", "url": server.url}]
    )
    publish(broker, {"t": 0})
    eventually(lambda: rows(server.url, "SELECT t FROM r"), 30)
    server.kill()
    try:
        publish(broker, *({"t": n} for n in range(1, 50)))
        eventually(lambda: broker.rules["store"].info().actions[0].state == "down", 30)
    finally:
        server.start()
    found = eventually(lambda: len(f := rows(server.url, "SELECT t FROM r ORDER BY number")) == 50 and f, 60)
    assert found == [(float(n),) for n in range(50)]


def test_the_storage_of_the_settings(broker_factory: Callable[..., Any], tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/plant.db"
    broker = broker_factory(storage={"url": url})
    broker.add_rule("store", 'SELECT payload.t AS t FROM "in"', [{"kind": "store", "table": "readings"}])
    publish(broker, {"t": 1})
    eventually(lambda: rows(url, "SELECT t FROM readings"), 30)


def test_no_database_and_a_table_of_somebody_else(broker: Broker, tmp_path: Path) -> None:
    with pytest.raises(HookMQError, match=r"it names no database: write `url`, or set `storage\.url`"):
        broker.add_rule("store", 'SELECT 1 AS x FROM "in"', [{"kind": "store", "table": "t"}])
    with sqlite3.connect(tmp_path / "other.db") as database:
        database.execute("CREATE TABLE t (x)")
    database.close()
    action = {"kind": "store", "table": "t", "url": f"sqlite:///{tmp_path}/other.db", "retries": 0}
    broker.add_rule("store", 'SELECT 1 AS x FROM "in"', [action])
    publish(broker, {})
    told = eventually(lambda: broker.rules["store"].info().actions[0].reason, 20)
    assert "there is a table `t` that no rule has made" in told


# connector --------------------------------------------------------------------------------------------------


def test_a_connector_gets_results(broker: Broker, peer: Peer) -> None:
    broker.send_to(Webhook(peer.url, name="plant"), "nothing/of/this")
    actions = [{"kind": "connector", "name": "plant", "topic": "converted/${clientid}"}]
    broker.add_rule("convert", 'SELECT payload.f * 2 AS c FROM "in"', actions)
    publish(broker, {"f": 21})
    eventually(lambda: peer.requests)
    (document,) = peer.requests[0].json()
    assert (document["topic"], document["payload"], document["client_id"]) == (
        "converted/pump",
        {"c": 42},
        "pump",
    )


def test_a_connector_of_sql(broker: Broker, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/plant.db"
    broker.send_to(SQL(url, name="plant"), "nothing/of/this")
    broker.add_rule("convert", 'SELECT payload.f AS c FROM "in"', [{"kind": "connector", "name": "plant"}])
    publish(broker, {"f": 1})
    found = eventually(lambda: rows(url, "SELECT topic, payload FROM mqtt_received"), 20)
    assert found == [("in", b'{"c":1}')]


def test_a_connector_that_is_not_there(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    broker.add_rule("convert", 'SELECT 1 AS x FROM "in"', [{"kind": "connector", "name": "plant"}])
    publish(broker, {})
    eventually(lambda: "there is no connector `plant`" in caplog.text)


# function ---------------------------------------------------------------------------------------------------


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A module `plant_of_the_test` with functions that remember what they were given."""
    (tmp_path / "plant_of_the_test.py").write_text(
        """
seen, fails = [], [0]

def one(row):
    if fails[0]:
        fails[0] -= 1
        raise RuntimeError("not yet")
    seen.append(row)

def two(row, source):
    seen.append((row, source["topic"]))

async def later(row):
    seen.append(row)
"""
    )
    monkeypatch.syspath_prepend(tmp_path)
    import importlib

    yield importlib.import_module("plant_of_the_test")
    del sys.modules["plant_of_the_test"]


@pytest.mark.parametrize("name", ["one", "two", "later"])
def test_a_function_is_called(broker: Broker, module: Any, name: str) -> None:
    actions = [{"kind": "function", "function": f"plant_of_the_test:{name}"}]
    broker.add_rule("call", 'SELECT payload.t AS t FROM "in"', actions)
    publish(broker, {"t": 1})
    assert eventually(lambda: module.seen) == ([({"t": 1}, "in")] if name == "two" else [{"t": 1}])


def test_a_function_that_raises_is_called_again(broker: Broker, module: Any) -> None:
    actions = [{"kind": "function", "function": "plant_of_the_test:one", "retries": 3}]
    broker.add_rule("call", 'SELECT payload.t AS t FROM "in"', actions)
    module.fails[0] = 2
    publish(broker, {"t": 1})
    eventually(lambda: module.seen, 20)
    module.fails[0] = 4
    publish(broker, {"t": 2}, {"t": 3})
    eventually(lambda: len(module.seen) == 2, 30)
    assert module.seen == [{"t": 1}, {"t": 3}]
    action = eventually(lambda: (a := broker.rules["call"].info().actions[0]).failed == 1 and a)
    assert "RuntimeError: not yet" in action.reason


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("no_such_module:f", "cannot be imported"),
        ("math:no_such", "cannot be imported"),
        ("math:pi", "not a function"),
    ],
)
def test_a_function_that_is_not_there(broker: Broker, address: str, words: str) -> None:
    with pytest.raises(HookMQError) as caught:
        broker.add_rule("call", 'SELECT 1 AS x FROM "in"', [{"kind": "function", "function": address}])
    assert caught.value.code == "E711" and words in str(caught.value)
    assert "call" not in broker.rules
