"""What a row answers, and rows as JSON, CSV and dicts."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookmq.storage import HistoryStore, Row
from hookmq.storage.row import pack, unpack


def stored(payload: bytes, *, topic: str = "a/b", client: str = "c", properties: Any = None) -> Row:
    with HistoryStore() as store:
        store.write([(1_650_000_000.25, topic, client, payload, 1, True, properties)])
        return store.query()[0]


def test_a_row_answers_like_a_message() -> None:
    row = stored(b'{"flow": 100.59}')
    assert (row.topic, row.client_id, row.qos, row.retain, row.timestamp) == (
        "a/b",
        "c",
        1,
        True,
        1_650_000_000.25,
    )
    assert row.payload == b'{"flow": 100.59}'
    assert row.text == '{"flow": 100.59}'
    assert row.json() == {"flow": 100.59}
    assert row.properties == {}
    assert row.datetime.timestamp() == row.timestamp
    assert row.datetime.utcoffset() is not None
    assert type(row.retain) is bool


def test_the_keys_of_crystalmq() -> None:
    row = stored(b"hello")
    assert dict(row) == {
        "sender": "c",
        "topic": "a/b",
        "message": "hello",
        "unixtime": 1_650_000_000,
        "datetime": datetime.fromtimestamp(1_650_000_000).strftime("%Y-%m-%d %H:%M:%S"),
    }
    assert stored(b"")["message"] == ""
    assert stored(b"\xff\x00")["message"] == "b'\\xff\\x00'"
    with pytest.raises(KeyError):
        row["payload"]


def test_bytes_that_are_no_text() -> None:
    row = stored(b"\xffabc")
    assert row.text == "\ufffdabc"
    with pytest.raises(ValueError):
        row.json()


def test_properties_come_back() -> None:
    properties = {
        "correlation_data": b"\x00\xff",
        "user_properties": [("a", "b"), ("a", "c")],
        "content_type": "x",
    }
    assert stored(b"", properties=properties).properties == properties


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(min_size=1).filter(lambda key: key[0] != "$"), inner)
    ),
)


@given(PLAIN)
def test_packing_is_reversible(value: Any) -> None:
    assert unpack(json.loads(json.dumps(pack(value)))) == value


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b'{"flow": 100.59}', {"flow": 100.59}),
        (b"17", 17),
        (b"null", None),
        (b"hello", "hello"),
        ("grün 日本".encode(), "grün 日本"),
        (b"", ""),
        (b"\xff\x00", {"$base64": "/wA="}),
        # Python would read these, JSON has no such numbers.
        (b"NaN", "NaN"),
        (b"[Infinity]", "[Infinity]"),
        (b"1e999", "1e999"),
        (b"[" * 100_000, "[" * 100_000),
        (b"9" * 5_000, "9" * 5_000),
    ],
)
def test_json(payload: bytes, expected: Any) -> None:
    with HistoryStore() as store:
        store.write([(1_650_000_000.25, "a", "c", payload, 0, False, {"correlation_data": b"\xff"})])
        history = store.query()

        def refuse(name: str) -> Any:
            raise AssertionError(f"{name} is not JSON")

        (row,) = json.loads(history.json(), parse_constant=refuse)
        assert row == {
            "topic": "a",
            "client_id": "c",
            "payload": expected,
            "qos": 0,
            "retain": False,
            "timestamp": 1_650_000_000.25,
            "datetime": datetime.fromtimestamp(1_650_000_000.25).astimezone().isoformat(),
            "properties": {"correlation_data": {"$base64": "/w=="}},
        }
        assert history.to_dicts() == [row]
        assert json.loads(history.json(indent=2)) == [row]
        assert "\n  " in history.json(indent=2)


def test_csv() -> None:
    with HistoryStore() as store:
        store.write(
            [
                (1.5, "a", "c", b"plain", 1, True, None),
                (2.5, "a", "c", b'with, "comma"\nand line', 0, False, {"x": 1}),
                (3.5, "a", "c", b"\xff", 2, False, None),
            ]
        )
        text = store.query().csv()
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        assert [row["payload"] for row in rows] == ["plain", 'with, "comma"\nand line', "/w=="]
        assert [row["payload_encoding"] for row in rows] == ["text", "text", "base64"]
        assert [row["timestamp"] for row in rows] == ["1.5", "2.5", "3.5"]
        assert [row["properties"] for row in rows] == ["", '{"x": 1}', ""]
        assert [(row["qos"], row["retain"]) for row in rows] == [("1", "1"), ("0", "0"), ("2", "0")]
        assert datetime.fromisoformat(rows[0]["datetime"]).timestamp() == 1.5


@pytest.mark.parametrize(
    "payload", ["=1+1", "+cmd", "-cmd", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1", "-"]
)
def test_csv_runs_nothing_in_a_spreadsheet(payload: str) -> None:
    with HistoryStore() as store:
        store.write([(1.0, f"={payload}", f"@{payload}", payload.encode(), 0, False, None)])
        (safe,) = csv.DictReader(io.StringIO(store.query().csv(), newline=""))
        assert (safe["topic"], safe["client_id"], safe["payload"]) == (
            f"'={payload}",
            f"'@{payload}",
            f"'{payload}",
        )
        (exact,) = csv.DictReader(io.StringIO(store.query().csv(spreadsheet_safe=False), newline=""))
        assert (exact["topic"], exact["client_id"], exact["payload"]) == (
            f"={payload}",
            f"@{payload}",
            payload,
        )


@pytest.mark.parametrize("number", ["-5.3", "+5", "-1e9", "5"])
def test_csv_leaves_numbers_alone(number: str) -> None:
    with HistoryStore() as store:
        store.write([(1.0, "a", "c", number.encode(), 0, False, None)])
        (row,) = csv.DictReader(io.StringIO(store.query().csv(), newline=""))
        assert row["payload"] == number


def test_csv_to_a_file(tmp_path: Path) -> None:
    with HistoryStore() as store:
        store.write([(1.0, "日本", "c", b"a\nb", 0, False, None), (2.0, "b", "c", b"", 0, False, None)])
        text = store.query().csv()
        for target in (tmp_path / "one.csv", str(tmp_path / "two.csv")):
            assert store.query().csv(target) == 2
            assert Path(target).read_bytes().decode("utf-8") == text
        opened = io.StringIO(newline="")
        assert store.query().csv(opened) == 2
        assert opened.getvalue() == text
