"""Many messages at a time: as messages, as dicts, and as Arrow columns that other libraries read in place."""

from __future__ import annotations

import datetime
import subprocess
import sys
import threading
import time
from typing import Any

import duckdb
import pandas
import polars
import pyarrow
import pyarrow.compute
import pytest

from hookmq import HookMQError, Message

from ..protocol.packets import V311, Puback, Publish
from .helpers import DEADLINE, Gate, Seen, eventually

MINUTE = 60.0


def send(wire: Any, topic: str, payloads: list[bytes], **fields: Any) -> None:
    """Publish all in one write with QoS 1 and wait until all are acknowledged."""
    for start in range(0, len(payloads), 500):
        part = payloads[start : start + 500]
        wire.send(*(Publish(topic, one, 1, id=index + 1, **fields) for index, one in enumerate(part)))
        for index in range(len(part)):
            wire.expect(Puback(index + 1, 0x10 if wire.version == 5 else 0))


# How many at a time -----------------------------------------------------------------------------------------


def test_no_more_than_max_rows(broker, join):
    batches = Seen()
    broker.on_batch("a", max_rows=100, max_delay=MINUTE)(
        lambda rows: batches.append([row.text for row in rows])
    )
    send(join(broker), "a", [b"%d" % number for number in range(1000)])
    assert [len(batch) for batch in batches.until(10)] == [100] * 10
    assert [int(text) for batch in batches for text in batch] == list(range(1000))


def test_no_longer_than_max_delay(broker, join):
    batches = Seen()
    broker.on_batch("a", max_delay=0.3)(lambda rows: batches.append((time.monotonic(), len(rows))))
    began = time.monotonic()
    wire = join(broker)
    send(wire, "a", [b"1"])
    send(wire, "a", [b"2", b"3"])
    ((at, count),) = batches.until(1)
    assert count == 3 and 0.25 < at - began < 1.5


def test_without_delay(broker, join):
    batches = Seen()
    broker.on_batch("a", max_delay=0)(lambda rows: batches.append(len(rows)))
    send(join(broker), "a", [b"x"])
    assert batches.until(1) == [1]


def test_a_slow_hook_gets_what_came_meanwhile(broker, join):
    gate, batches = Gate(), Seen()

    @broker.on_batch("a", max_rows=300, max_delay=0.01)
    def slow(rows):
        batches.append([int(row.payload) for row in rows])
        if len(batches) == 1:
            gate.wait()

    wire = join(broker)
    send(wire, "a", [b"0"])
    assert gate.entered.wait(DEADLINE)
    send(wire, "a", [b"%d" % number for number in range(1, 1000)])
    assert broker.hooks[0].queued == 999
    gate.opened.set()
    assert broker.wait_for_hooks()
    assert batches[0] == [0] and [len(batch) for batch in batches[1:]] == [300, 300, 300, 99]
    assert [number for batch in batches for number in batch] == list(range(1000))
    (info,) = broker.hooks
    assert (info.calls, info.queued, info.dropped, info.errors) == (1000, 0, 0, 0)


def test_waiting_for_hooks_does_not_wait_for_the_delay_for_ever(broker, join):
    batches = Seen()
    broker.on_batch("a", max_delay=0.2)(lambda rows: batches.append(len(rows)))
    send(join(broker), "a", [b"x"] * 3)
    assert broker.wait_for_hooks()
    assert batches == [3]


def test_what_waits_is_told_when_the_broker_stops(broker, join):
    batches = Seen()
    broker.on_batch("a", max_delay=MINUTE)(lambda rows: batches.append(len(rows)))
    send(join(broker), "a", [b"x"] * 3)
    began = time.monotonic()
    broker.stop()
    assert batches == [3]
    assert time.monotonic() - began < 3, "it need not wait for the delay"


def test_messages_of_many_clients_in_their_order(broker, join):
    batches = Seen()
    broker.on_batch("a/+", max_rows=64)(
        lambda rows: batches.append([(r.client_id, int(r.payload)) for r in rows])
    )
    wires = [join(broker, f"c{index}") for index in range(8)]
    threads = [
        threading.Thread(target=send, args=(wire, f"a/{index}", [b"%d" % n for n in range(300)]))
        for index, wire in enumerate(wires)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert broker.wait_for_hooks()
    for index in range(8):
        own = [number for batch in batches for client, number in batch if client == f"c{index}"]
        assert own == list(range(300))


# What goes wrong --------------------------------------------------------------------------------------------


def test_a_batch_that_fails_is_counted_and_others_come(broker, join):
    batches = Seen()

    @broker.on_batch("a", max_rows=10, max_delay=MINUTE)
    def fails(rows):
        batches.append(len(rows))
        if len(batches) == 2:
            raise ValueError("wrong")

    send(join(broker), "a", [b"x"] * 40)
    assert batches.until(4) == [10] * 4
    assert broker.wait_for_hooks()
    (info,) = broker.hooks
    assert (info.calls, info.errors) == (40, 1)


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest"])
def test_what_is_dropped_is_counted(broker_factory, join, overflow):
    broker = broker_factory({"hooks.queue_events": 10})
    gate, seen = Gate(), Seen()

    @broker.on_batch("a", overflow=overflow, max_delay=0)
    def slow(rows):
        seen.extend(int(row.payload) for row in rows)
        gate.wait()

    wire = join(broker)
    send(wire, "a", [b"0"])
    assert gate.entered.wait(DEADLINE)
    for number in range(1, 31):
        send(wire, "a", [b"%d" % number])
    assert (broker.hooks[0].dropped, broker.hooks[0].queued) == (20, 10)
    gate.opened.set()
    assert broker.wait_for_hooks()
    assert seen == [0, *(range(21, 31) if overflow == "drop_oldest" else range(1, 11))]


def test_acknowledged_after_the_batch(broker, join):
    gate = Gate()

    @broker.on_batch("a", ack="after_hook", max_rows=2, max_delay=MINUTE)
    def keep(rows):
        gate.wait()
        if rows[0].text == "bad":
            raise ValueError

    wire = join(broker)
    wire.send(Publish("a", b"1", 1, id=1), Publish("a", b"2", 1, id=2))
    assert gate.entered.wait(DEADLINE)
    wire.ping()
    gate.opened.set()
    wire.expect(Puback(1, 0x10))
    wire.expect(Puback(2, 0x10))
    wire.send(Publish("a", b"bad", 1, id=1), Publish("a", b"good", 1, id=2))
    wire.expect(Puback(1, 0x83))
    wire.expect(Puback(2, 0x83))


def test_pause_and_condition(broker, join):
    seen = Seen()
    broker.on_batch("a", name="watch", where="n >= 5", max_delay=0)(
        lambda rows: seen.extend(row.json()["n"] for row in rows)
    )
    wire = join(broker)
    send(wire, "a", [b'{"n": %d}' % n for n in range(10)])
    assert broker.wait_for_hooks()
    broker.pause("watch")
    send(wire, "a", [b'{"n": 50}'])
    broker.resume("watch")
    send(wire, "a", [b'{"n": 51}'])
    assert broker.wait_for_hooks()
    assert seen == [5, 6, 7, 8, 9, 51]


@pytest.mark.parametrize(
    ("options", "how"),
    [
        ({"max_rows": 0}, "def"),
        ({"max_delay": -1}, "def"),
        ({"format": "csv"}, "def"),
        ({"fields": ["level"]}, "def"),
        ({"format": "arrow", "fields": {"level": list}}, "def"),
        ({"format": "arrow", "fields": ["level["]}, "def"),
        ({"format": "arrow", "fields": ["topic"]}, "def"),
        ({"format": "arrow", "fields": ["level", "level"]}, "def"),
        ({"format": "arrow", "fields": "level"}, "def"),
        ({"format": "arrow", "fields": ["level < 5 or x"]}, "def"),
        ({"format": "arrow", "fields": [""]}, "def"),
        ({}, "async def"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("running", [False, True], ids=["before the start", "while it runs"])
def test_what_cannot_be(broker_factory, options, how, running):
    broker = broker_factory(start=running)

    def f(rows): ...

    async def later(rows): ...

    with pytest.raises(HookMQError) as caught:
        broker.on_batch("a", **options)(f if how == "def" else later)
    assert caught.value.code == "E501"
    assert broker.hooks == []


# Formats ----------------------------------------------------------------------------------------------------


def test_messages(broker, join):
    batches = Seen()
    broker.on_batch("a/{x}", max_rows=2, max_delay=MINUTE)(batches.append)
    wire = join(broker, "c")
    wire.publish("a/1", b"\xff", 1, retain=True, properties={"content_type": "x"})
    wire.publish("a/2", b"y", 0)
    ((one, two),) = batches.until(1)
    assert isinstance(one, Message)
    assert (one.topic, one.payload, one.qos, one.retain, one.client_id) == ("a/1", b"\xff", 1, True, "c")
    assert one.properties == {"content_type": "x"}
    assert (two.topic, two.qos, two.retain) == ("a/2", 0, False)


def test_dicts(broker, join):
    batches = Seen()
    broker.on_batch("a/#", format="dicts", max_rows=3, max_delay=MINUTE)(batches.append)
    wire = join(broker, "cä")
    wire.publish("a/1", b"\xff", 1, retain=True)
    wire.publish("a/1", b"", 2)
    wire.publish("a/ü", b"y", 0)
    (rows,) = batches.until(1)
    assert [type(row) for row in rows] == [dict] * 3
    times = [row.pop("timestamp") for row in rows]
    assert all(abs(one - time.time()) < 10 for one in times) and times == sorted(times)
    assert rows == [
        {"topic": "a/1", "payload": b"\xff", "qos": 1, "retain": True, "client_id": "cä"},
        {"topic": "a/1", "payload": b"", "qos": 2, "retain": False, "client_id": "cä"},
        {"topic": "a/ü", "payload": b"y", "qos": 0, "retain": False, "client_id": "cä"},
    ]


# Arrow ------------------------------------------------------------------------------------------------------


@pytest.fixture
def batch(broker, join):
    """Three messages as columns, with a field of each type."""
    batches = Seen()
    fields = {"level": float, "count": int, "state": str, "open": bool, "sensor.values[1]": float}
    broker.on_batch("a/#", format="arrow", fields=fields, max_rows=3, max_delay=MINUTE)(batches.append)
    wire = join(broker, "c")
    whole = b'{"level":1.5,"count":7,"state":"\\u00fcber","open":true,"sensor":{"values":[0,2.5]}}'
    wire.publish("a/1", whole, 1, retain=True)
    wire.publish("a/2", b'{"level":2,"count":2.5,"state":null,"open":"yes"}', 2)
    wire.publish("a/3", b"no JSON \xff", 0)
    return batches.until(1)[0]


ROWS = {
    "topic": ["a/1", "a/2", "a/3"],
    "client": ["c", "c", "c"],
    "qos": [1, 2, 0],
    "retain": [True, False, False],
    "level": [1.5, 2.0, None],
    "count": [7, None, None],
    "state": ["über", None, None],
    "open": [True, None, None],
    "sensor.values[1]": [2.5, None, None],
}


def test_an_arrow_batch(batch):
    assert (len(batch), batch.num_rows) == (3, 3)
    names = ["time", "topic", "client", "qos", "retain", "payload"]
    assert batch.column_names == [*names, "level", "count", "state", "open", "sensor.values[1]"]
    assert repr(batch).startswith("<ArrowBatch 3 rows: time, topic")


def test_read_by_pyarrow(batch):
    table = pyarrow.table(batch)
    assert table.schema == pyarrow.schema(
        [
            pyarrow.field("time", pyarrow.timestamp("ms", tz="UTC"), nullable=False),
            pyarrow.field("topic", pyarrow.string(), nullable=False),
            pyarrow.field("client", pyarrow.string(), nullable=False),
            pyarrow.field("qos", pyarrow.uint8(), nullable=False),
            pyarrow.field("retain", pyarrow.bool_(), nullable=False),
            pyarrow.field("payload", pyarrow.binary(), nullable=False),
            ("level", pyarrow.float64()),
            ("count", pyarrow.int64()),
            ("state", pyarrow.string()),
            ("open", pyarrow.bool_()),
            ("sensor.values[1]", pyarrow.float64()),
        ]
    )
    table.validate(full=True)
    assert {name: table[name].to_pylist() for name in ROWS} == ROWS
    assert table["payload"].to_pylist()[2] == b"no JSON \xff"
    now = datetime.datetime.now(datetime.UTC)
    assert all(abs(now - at) < datetime.timedelta(seconds=10) for at in table["time"].to_pylist())
    assert pyarrow.compute.mean(table["level"]).as_py() == 1.75


def addresses(array: Any) -> list[int | None]:
    """Where the buffers of an array of pyarrow are."""
    return [None if one is None else one.address for one in array.buffers()]


def test_it_is_read_in_place(batch):
    """Two readers share one memory: neither has copied it."""
    first, second = pyarrow.record_batch(batch), pyarrow.record_batch(batch)
    for name in first.schema.names:
        assert addresses(first[name]) == addresses(second[name]), name
    streamed = pyarrow.RecordBatchReader.from_stream(batch).read_all().to_batches()[0]
    for name in first.schema.names:
        assert addresses(first[name]) == addresses(streamed[name]), name
    series = polars.DataFrame(batch)["level"]
    assert series.to_arrow().buffers()[1].address == first["level"].buffers()[1].address


def test_it_outlives_its_batch_and_its_broker(broker, join):
    tables = Seen()
    broker.on_batch("a", format="arrow", fields=["n"], max_rows=1000, max_delay=MINUTE)(
        lambda rows: tables.append(pyarrow.table(rows))
    )
    send(join(broker), "a", [b'{"n":%d}' % n for n in range(1000)])
    (table,) = tables.until(1)
    broker.stop()
    assert table["n"].to_pylist() == list(range(1000))
    table.validate(full=True)


def test_read_by_polars(batch):
    frame = polars.DataFrame(batch)
    assert frame.schema == {
        "time": polars.Datetime("ms", "UTC"),
        "topic": polars.String,
        "client": polars.String,
        "qos": polars.UInt8,
        "retain": polars.Boolean,
        "payload": polars.Binary,
        "level": polars.Float64,
        "count": polars.Int64,
        "state": polars.String,
        "open": polars.Boolean,
        "sensor.values[1]": polars.Float64,
    }
    assert frame.select(list(ROWS)).to_dict(as_series=False) == ROWS
    assert frame.filter(polars.col("level") > 1.6)["topic"].to_list() == ["a/2"]


def test_read_by_pandas(batch):
    frame = pandas.DataFrame.from_arrow(batch)
    assert list(frame.columns) == batch.column_names
    assert frame["topic"].tolist() == ROWS["topic"]
    assert frame["level"].isna().tolist() == [False, False, True]
    assert frame["level"].sum() == 3.5
    assert str(frame["time"].dtype).startswith("datetime64[ms, UTC")


def test_read_by_duckdb(batch):
    columns = "topic, level, count, state, open, octet_length(payload)"
    query = f"select {columns} from batch order by level desc nulls last"
    with duckdb.connect() as connection:
        connection.register("batch", pyarrow.table(batch))
        found = connection.execute(query).fetchall()
    assert found == [
        ("a/2", 2.0, None, None, None, 49),
        ("a/1", 1.5, 7, "über", True, 83),
        ("a/3", None, None, None, None, 9),
    ]


def test_read_by_duckdb_itself(batch):
    """Without pyarrow between: by its stream."""
    with duckdb.connect() as connection:
        assert connection.execute("select sum(level), count(*) from batch").fetchall() == [(3.5, 3)]


def test_the_capsules(batch):
    schema, array = batch.__arrow_c_array__()
    assert [type(one).__name__ for one in (schema, array, batch.__arrow_c_stream__())] == ["PyCapsule"] * 3
    assert type(batch.__arrow_c_schema__()).__name__ == "PyCapsule"
    assert pyarrow.schema(batch) == pyarrow.table(batch).schema
    del schema, array  # which nobody has read: what they hold is freed
    assert pyarrow.table(batch).num_rows == 3
    wanted = pyarrow.schema([("topic", pyarrow.large_string())])
    assert len(batch.__arrow_c_array__(wanted.__arrow_c_schema__())) == 2  # a wish, no more


FIELDS = [
    (
        float,
        "v",
        [b"1", b"1.5", b"-1e300", b"true", b'"1"', b"null", b"[1]", b"{}"],
        [1, 1.5, -1e300, *[None] * 5],
    ),
    (int, "v", [b"1", b"-9223372036854775808", b"1.0", b"1e3", b"true", b'"1"'], [1, -(2**63), *[None] * 4]),
    (int, "v", [b"9223372036854775808", b"18446744073709551616"], [None, None]),
    (str, "v", [b'"a"', b'""', b'"\\ud83d\\ude00"', b"1", b"null"], ["a", "", "😀", None, None]),
    (bool, "v", [b"true", b"false", b"0", b'"true"', b"null"], [True, False, None, None, None]),
]


@pytest.mark.parametrize(("kind", "path", "values", "expected"), FIELDS)
def test_the_types_of_fields(broker, join, kind, path, values, expected):
    batches = Seen()
    broker.on_batch("a", format="arrow", fields={path: kind}, max_rows=len(values), max_delay=MINUTE)(
        batches.append
    )
    send(join(broker), "a", [b'{"%s":%s}' % (path.encode(), value) for value in values])
    assert pyarrow.table(batches.until(1)[0])[path].to_pylist() == expected


@pytest.mark.parametrize(
    "text", [b"", b"{}", b"[]", b"1", b'{"v":', b'{"v":1}x', b'{"w":1}', b"\xff", b'{"v":1,"v":2}']
)
def test_what_has_no_such_field_is_null(broker, join, text):
    batches = Seen()
    broker.on_batch("a", format="arrow", fields=["v"], max_rows=1, max_delay=MINUTE)(batches.append)
    send(join(broker), "a", [text])
    (value,) = pyarrow.table(batches.until(1)[0])["v"].to_pylist()
    assert value is None or text.count(b'"v"') == 2


def test_an_empty_identifier_and_no_payload(broker, join):
    batches = Seen()
    broker.on_batch("#", format="arrow", max_rows=2, max_delay=MINUTE)(batches.append)
    join(broker, version=V311).publish("a", b"", 1)
    join(broker, "x").publish("b", b"", 0)
    table = pyarrow.table(batches.until(1)[0])
    assert table["payload"].to_pylist() == [b"", b""]
    table.validate(full=True)


def test_many_rows(broker, join):
    seen = Seen()
    broker.on_batch("a", format="arrow", fields={"n": int}, overflow="block")(
        lambda rows: seen.extend(pyarrow.table(rows)["n"].to_pylist())
    )
    wires = [join(broker) for _ in range(4)]
    each = 5000
    threads = [
        threading.Thread(
            target=send, args=(wire, "a", [b'{"n":%d}' % (each * index + n) for n in range(each)])
        )
        for index, wire in enumerate(wires)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eventually(lambda: len(seen) == 4 * each)
    assert sorted(seen) == list(range(4 * each))
    assert broker.hooks[0].calls == 4 * each


# What is imported -------------------------------------------------------------------------------------------

HEAVY = """
heavy = ("pyarrow", "polars", "pandas", "duckdb", "numpy", "pydantic", "msgspec", "sqlalchemy")
print([name for name in heavy if name in sys.modules])
"""
IMPORT = f"import sys, hookmq\nfrom hookmq import *\nhookmq.Broker\n{HEAVY}"
SCRIPT = f"""
import sys
from hookmq import Broker
broker = Broker(port=0, http_port=None, history=dict(enabled=False))
@broker.on_batch("a", format="arrow", fields=["n"], max_rows=1)
def rows(batch):
    got.append(batch)
got = []
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
with broker:
    client = Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    client.publish("a", b'{{"n":1}}', 1).wait_for_publish(5)
    broker.wait_for_hooks()
    client.disconnect()
    client.loop_stop()
assert len(got) == 1, got
{HEAVY}"""


@pytest.mark.parametrize(
    "script", ["import hookmq, sys\nhookmq.Broker\nprint([])", SCRIPT], ids=["import", "use"]
)
def test_nothing_of_it_is_imported(script, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, timeout=30
    )
    assert (done.stdout, done.stderr, done.returncode) == ("[]\n", "", 0)
