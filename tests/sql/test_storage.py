"""What is stored, in each database that there is."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy.dialects import mssql

from hookmq import Broker
from hookmq.connectors import SQL, Courier, Record
from hookmq.connectors.sql import tables as sql_tables
from hookmq.connectors.sql.dialects import dialect_of
from hookmq.connectors.sql.retention import Retention
from hookmq.crystalmq.cursor import Cursor
from hookmq.errors import HookMQError

from ..protocol.packets import V5, Connect, Disconnect, Puback, Publish
from ..protocol.wire import Wire
from .conftest import KINDS, Database

EVERYTHING = ("received", "sent", "connected", "disconnected", "subscribed", "unsubscribed", "error")

everywhere = pytest.mark.parametrize("database", KINDS, indirect=True)


@pytest.fixture
def dial() -> Iterator[Callable[..., Wire]]:
    opened: list[Wire] = []

    def connect(broker: Broker, name: str, **fields: object) -> Wire:
        wire = Wire("127.0.0.1", broker.port, version=V5)
        opened.append(wire)
        wire.connect(Connect(name, **fields))  # type: ignore[arg-type]
        return wire

    yield connect
    for wire in opened:
        wire.close()


def eventually(check: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


def records(*numbers: int, run: int = 1, **fields: object) -> list[Record]:
    made = [
        Record(run, number, "received", 1_650_000_000.0 + number, "pump", "plant/flow") for number in numbers
    ]
    return [record._replace(**fields) for record in made]  # type: ignore[arg-type]


@everywhere
def test_everything_that_happens_is_there(
    database: Database, broker_factory: Callable[..., Broker], dial: Callable[..., Wire]
) -> None:
    broker = broker_factory()
    broker.send_to(SQL(database.url), events=EVERYTHING)
    eventually(lambda: broker.connectors[0].state == "up")
    reader = dial(broker, "reader", username="ann", password=b"secret")
    reader.subscribe("plant/#", qos=1)
    writer = dial(broker, "writer")
    properties = {"content_type": "text/plain", "correlation_data": b"\xff\0", "user_property": [("a", "b")]}
    writer.send(Publish("plant/flow", b"\0\xff\xfe binary", 1, id=1, retain=True, properties=properties))
    assert isinstance(writer.read(), Puback)
    sent = reader.read()
    assert isinstance(sent, Publish)
    reader.send(Puback(sent.id))
    reader.unsubscribe("plant/#")
    logging.getLogger("hookmq.test").warning("the pump in «Röhre» 7 leaks 💧")
    writer.send(Disconnect())
    eventually(lambda: database.count("mqtt_connections") == 3)
    for table in "mqtt_errors", "mqtt_received", "mqtt_sent":
        eventually(lambda table=table: database.count(table) == 1)
    (received,) = database.rows(
        "mqtt_received", "client_id", "topic", "payload", "qos", "retain", "properties", "time_us"
    )
    assert received[:4] == ("writer", "plant/flow", b"\0\xff\xfe binary", 1) and received[4]
    stored = json.loads(received[5]) if isinstance(received[5], str) else received[5]
    assert stored["content_type"] == "text/plain" and stored["correlation_data"] == {"$base64": "/wA="}
    assert abs(received[6] / 1e6 - time.time()) < 30
    assert [row[:3] for row in database.rows("mqtt_sent", "client_id", "topic", "payload")] == [
        ("reader", "plant/flow", b"\0\xff\xfe binary")
    ]
    assert database.rows("mqtt_sent", "packet_id") == [(sent.id,)]
    assert database.rows("mqtt_connections", "client_id", "event", "username", "address", "version") == [
        ("reader", "connected", "ann", "127.0.0.1", "5.0"),
        ("writer", "connected", None, "127.0.0.1", "5.0"),
        ("writer", "disconnected", None, "127.0.0.1", "5.0"),
    ]
    clients = {name: bool(there) for name, there in database.rows("mqtt_clients", "client_id", "connected")}
    assert clients == {"reader": True, "writer": False}
    assert database.count("mqtt_subscriptions") == 0
    assert database.rows("mqtt_retained", "topic", "payload", "qos") == [
        ("plant/flow", b"\0\xff\xfe binary", 1)
    ]
    assert database.rows("mqtt_errors", "level", "text") == [("warning", "the pump in «Röhre» 7 leaks 💧")]


@everywhere
def test_how_things_are_at_present(database: Database) -> None:
    connector = SQL(database.url)
    connector.open()
    subscribed = Record(1, 1, "subscribed", 10.0, "pump", "plant/#", qos=1)
    retained = Record(1, 2, "received", 10.0, "pump", "plant/flow", b"1", retain=True)
    connector.write([subscribed, retained], again=False)
    newer = [
        subscribed._replace(number=3, time=11.0, qos=2),
        retained._replace(number=4, time=11.0, payload=b"2"),
    ]
    connector.write(newer, again=False)
    # What is written again, because nobody knows whether it was written, puts nothing back.
    connector.write([subscribed, retained], again=True)
    assert database.rows("mqtt_subscriptions", "client_id", "filter", "qos") == [("pump", "plant/#", 2)]
    assert database.rows("mqtt_retained", "topic", "payload") == [("plant/flow", b"2")]
    gone = [subscribed._replace(number=5, kind="unsubscribed", time=12.0)]
    gone.append(retained._replace(number=6, time=12.0, payload=b""))
    connector.write(gone, again=False)
    connector.close()
    assert database.count("mqtt_subscriptions") == database.count("mqtt_retained") == 0
    assert database.count("mqtt_received") == 3


@everywhere
def test_a_batch_that_is_written_twice_is_there_once(database: Database) -> None:
    connector = SQL(database.url)
    connector.open()
    connector.write(records(1, 2, 3), again=False)
    connector.write(records(2, 3, 4, 5), again=True)
    connector.write(records(1, 2, run=2), again=True)
    connector.close()
    assert database.rows("mqtt_received", "run", "number", order="run, number") == [
        (1, 1),
        (1, 2),
        (1, 3),
        (1, 4),
        (1, 5),
        (2, 1),
        (2, 2),
    ]


@everywhere
def test_what_the_database_cannot_hold_goes_to_the_dead_letters_alone(
    database: Database, tmp_path: Path
) -> None:
    courier = Courier(SQL(database.url), tmp_path / "connectors")
    courier.start()
    wrong = records(2, topic="plant/\0")[0] if database.kind == "postgresql" else records(2, qos=None)[0]
    courier.put([*records(1), wrong, *records(3, 4)], promised=True)
    courier.stop(5)
    assert [row[0] for row in database.rows("mqtt_received", "number")] == [1, 3, 4]
    (line,) = (tmp_path / "connectors" / "dead-letters.jsonl").read_text().splitlines()
    assert json.loads(line)["record"]["number"] == 2 and json.loads(line)["reason"]
    assert courier.info().rejected == 1


@everywhere
def test_old_events_go_and_what_is_present_stays(database: Database) -> None:
    connector = SQL(database.url, max_rows=50, max_age=10**9)
    connector.open()
    connector.write(records(*range(100)), again=False)
    connector.write([Record(1, 200, "received", 1.0, "pump", "old", b"1", retain=True)], again=False)
    for _ in range(10):
        connector.idle()
    assert database.count("mqtt_received") == 50
    assert min(row[0] for row in database.rows("mqtt_received", "number")) == 50
    connector.retention = Retention(3600.0, None)
    for _ in range(10):
        connector.idle()
    connector.close()
    assert database.count("mqtt_received") == 0
    assert database.count("mqtt_retained") == 1


@everywhere
def test_tables_of_others_and_of_newer_versions_are_left_alone(database: Database) -> None:
    first = SQL(database.url, prefix="a_")
    first.open()
    first.close()
    engine = sqlalchemy.create_engine(first._database.writer.url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE hookmq_schema SET version = 99")
        connection.exec_driver_sql("CREATE TABLE b_sent (id INTEGER)")
    engine.dispose()
    for prefix, reason in (("a_", "version 99"), ("b_", "`b_sent` that HookMQ did not make")):
        connector = SQL(database.url, prefix=prefix)
        with pytest.raises(HookMQError, match=reason):
            connector.open()
        connector.close()


@everywhere
def test_older_tables_are_brought_up_to_date(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    first = SQL(database.url)
    first.open()
    first.write(records(1), again=False)
    first.close()

    def add_column(connection: sqlalchemy.Connection, tables: sql_tables.Tables) -> None:
        connection.exec_driver_sql(f"ALTER TABLE {tables.errors.name} ADD COLUMN host VARCHAR(20)")

    monkeypatch.setattr(sql_tables, "SCHEMA_VERSION", 2)
    monkeypatch.setattr(sql_tables, "MIGRATIONS", {1: add_column})
    for _ in range(2):  # the second finds nothing to do
        again = SQL(database.url)
        again.open()
        again.close()
    assert database.rows("mqtt_errors", "host") == []
    assert database.rows("hookmq_schema", "version", order="version") == [(2,)]
    assert database.count("mqtt_received") == 1


def test_the_statements_for_sql_server() -> None:
    """There is no server to be had here: what is sent to it is compiled by its dialect."""
    dialect, tables = dialect_of("mssql"), sql_tables.Tables.named("mqtt_")
    compiled = {
        table.name: str(sqlalchemy.schema.CreateTable(table).compile(dialect=mssql.dialect()))
        for table in (*tables.events, *tables.states)
    }
    assert "payload VARBINARY(max) NOT NULL" in compiled["mqtt_received"]
    assert "NVARCHAR(700) COLLATE Latin1_General_100_BIN2" in compiled["mqtt_received"]
    assert "PRIMARY KEY (client_id, filter)" in compiled["mqtt_subscriptions"]
    missing = str(dialect.insert_missing(tables.errors).compile(dialect=mssql.dialect()))
    assert "INSERT INTO mqtt_errors" in missing and "NOT (EXISTS (SELECT *" in missing
    older, added = (str(one.compile(dialect=mssql.dialect())) for one in dialect.upserts(tables.retained))
    assert older.startswith("UPDATE mqtt_retained SET") and "mqtt_retained.time_us <=" in older
    assert added.startswith("INSERT INTO mqtt_retained")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"url": "nonsense"}, "not a database URL"),
        ({"url": "oracle+nothing://h/d"}, "Can't load plugin"),
        ({"url": "sqlite:////proc/nowhere/plant.db"}, "/proc/nowhere"),
    ],
)
def test_what_cannot_be_is_told_when_it_is_made(options: dict[str, str], reason: str) -> None:
    with pytest.raises(HookMQError, match=reason) as raised:
        SQL(**options)
    assert raised.value.code == "E603"


def test_secrets_are_shown_nowhere() -> None:
    connector = SQL("postgresql://mqtt:hunter2@127.0.0.1:1/plant?password=hunter2")
    assert "hunter2" not in repr(connector)
    with pytest.raises(Exception) as raised:
        connector.open()
    assert "hunter2" not in connector.reason(raised.value)


def test_the_storage_of_the_settings(
    database: Database, broker_factory: Callable[..., Broker], dial: Callable[..., Wire]
) -> None:
    broker = broker_factory(storage={"url": database.url, "filter": "plant/#", "ack": "stored"})
    for _ in range(2):  # the hooks of a run go with it
        broker.start()
        writer = dial(broker, "writer")
        for topic in "plant/flow", "else":
            writer.send(Publish(topic, b"1", 1, id=1))
            assert writer.read().code < 0x80
        assert [info.name for info in broker.connectors] == ["storage"]
        assert broker.connectors[0].state == "up"
        broker.stop()
    assert database.count("mqtt_received") == 2
    assert database.count("mqtt_connections") == 4


@everywhere
def test_the_cursor_of_crystalmqs_plugins(database: Database) -> None:
    """`conf["sql"]`, on the broker's own database: several threads, and a connection that is lost."""
    connector = SQL(database.url)
    connector.open()
    connector.write(records(1, 2, 3), again=False)
    connector.close()
    cursor = Cursor(database.url)
    mark = "?" if database.kind == "sqlite" else "%s"
    cursor.execute("CREATE TABLE mine (number INTEGER)")
    with ThreadPoolExecutor(4) as threads:
        inserts = [
            threads.submit(cursor.execute, f"INSERT INTO mine VALUES ({mark})", (number,))
            for number in range(40)
        ]
        for insert in inserts:
            insert.result()
    assert cursor.execute("SELECT count(*) FROM mine").fetchone() == (40,)
    assert cursor.execute(f"SELECT number FROM mqtt_received WHERE number > {mark}", (1,)).fetchall() == [
        (2,),
        (3,),
    ]
    with pytest.raises(Exception, match="nowhere"):
        cursor.execute("SELECT * FROM nowhere")
    assert cursor.execute("SELECT count(*) FROM mine").fetchone() == (40,)
    cursor.close()


@everywhere
def test_columns_of_others_and_names_with_capitals(database: Database) -> None:
    connector = SQL(database.url, prefix="Plant_")
    connector.open()
    engine = sqlalchemy.create_engine(connector._database.writer.url)
    with engine.begin() as connection:
        table = connector.tables.received.name
        quoted = connection.dialect.identifier_preparer.quote(table)
        connection.exec_driver_sql(f"ALTER TABLE {quoted} ADD COLUMN plant INTEGER NOT NULL DEFAULT 7")
    connector.write(records(1, 2), again=False)
    connector.write(records(2, 3), again=True)
    connector.close()
    with engine.connect() as connection:
        found = connection.exec_driver_sql(f"SELECT number, plant FROM {quoted} ORDER BY number")
        assert [tuple(row) for row in found] == [(1, 7), (2, 7), (3, 7)]
    engine.dispose()


@pytest.mark.parametrize("database", [kind for kind in KINDS if kind == "mariadb"], indirect=True)
def test_a_row_that_is_larger_than_the_server_takes(database: Database, tmp_path: Path) -> None:
    courier = Courier(SQL(database.url), tmp_path / "connectors", patience=30)
    courier.start()
    large = records(2, payload=b"'" * (9 << 20))  # twice that, when it is written as text
    courier.put([*records(1), *large, *records(3)], promised=True)
    assert courier.wait(20)
    courier.stop(5)
    assert [row[0] for row in database.rows("mqtt_received", "number")] == [1, 3]
    assert courier.info().rejected == 1
