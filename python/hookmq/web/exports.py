"""The history as a file: CSV, JSON Lines or Parquet, made piece by piece."""

from __future__ import annotations

import base64
import csv
import datetime
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

from .problem import Problem
from .shown_message import packed

__all__ = ["COLUMNS", "FORMATS", "export"]

FORMATS = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}

COLUMNS = ("time", "time_us", "topic", "payload", "payload_base64", "qos", "retain", "client_id")
"""``payload`` is empty if it is not UTF-8; ``payload_base64`` is so only then."""

_PIECE = 64 << 10
_GROUP_ROWS, _GROUP_BYTES = 20_000, 16 << 20


def export(rows: Iterable[Any], format: str) -> Iterator[bytes]:
    """Return the pieces of a file. Raises a problem if the library for the format is not installed."""
    if format == "parquet":
        return _parquet(rows, _pyarrow())
    return _csv(rows) if format == "csv" else _lines(rows)


def _values(row: Any) -> tuple[str, int, str, str | None, str | None, int, bool, str]:
    payload: bytes = row.payload
    at = round(row.timestamp * 1e6)
    try:
        text, encoded = payload.decode(), None
    except UnicodeDecodeError:
        text, encoded = None, base64.b64encode(payload).decode()
    return (_iso(at), at, row.topic, text, encoded, row.qos, row.retain, row.client_id)


_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def _iso(microseconds: int) -> str:
    try:
        moment = _EPOCH + datetime.timedelta(microseconds=microseconds)
    except OverflowError:  # a clock that was set to where no calendar reaches
        return ""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _csv(rows: Iterable[Any]) -> Iterator[bytes]:
    # What begins a formula is left as it is: the file is to be what was published.
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for row in rows:
        at, micros, topic, payload, encoded, qos, retain, client = _values(row)
        writer.writerow((at, micros, topic, payload, encoded, qos, str(retain).lower(), client))
        if text.tell() >= _PIECE:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


def _lines(rows: Iterable[Any]) -> Iterator[bytes]:
    pieces: list[str] = []
    size = 0
    for row in rows:
        line = dict(zip(COLUMNS, _values(row), strict=True))
        if line["payload_base64"] is None:
            del line["payload_base64"]
        if row.properties:
            line["properties"] = packed(row.properties)
        pieces.append(json.dumps(line, ensure_ascii=False, separators=(",", ":")))
        size += len(pieces[-1])
        if size >= _PIECE:
            yield ("\n".join(pieces) + "\n").encode()
            pieces, size = [], 0
    if pieces:
        yield ("\n".join(pieces) + "\n").encode()


def _pyarrow() -> Any:
    try:
        import pyarrow  # type: ignore[import-untyped]
        import pyarrow.parquet  # type: ignore[import-untyped]
    except ImportError:
        raise Problem(
            409,
            "Parquet files need pyarrow, which is not installed",
            code="missing_library",
            help='install it beside the broker:   pip install "hookmq[parquet]"',
        ) from None
    return pyarrow


def _parquet(rows: Iterable[Any], pyarrow: Any) -> Iterator[bytes]:
    schema = pyarrow.schema(
        [
            ("time", pyarrow.timestamp("us", tz="UTC")),
            ("time_us", pyarrow.int64()),
            ("topic", pyarrow.string()),
            ("payload", pyarrow.string()),
            ("payload_base64", pyarrow.string()),
            ("qos", pyarrow.int8()),
            ("retain", pyarrow.bool_()),
            ("client_id", pyarrow.string()),
        ]
    )
    pipe = _Pipe()
    with pyarrow.parquet.ParquetWriter(pyarrow.PythonFile(pipe, mode="w"), schema) as writer:
        group: list[tuple[Any, ...]] = []
        size = 0
        for row in rows:
            values = _values(row)
            group.append((values[1], *values[1:]))
            size += len(row.payload) + len(row.topic) + 64
            if len(group) >= _GROUP_ROWS or size >= _GROUP_BYTES:
                writer.write_table(_table(pyarrow, schema, group))
                group, size = [], 0
                yield from pipe.take()
        if group:
            writer.write_table(_table(pyarrow, schema, group))
    yield from pipe.take()


def _table(pyarrow: Any, schema: Any, group: list[tuple[Any, ...]]) -> Any:
    columns = zip(*group, strict=True)
    arrays = [pyarrow.array(column, type=one.type) for column, one in zip(columns, schema, strict=True)]
    return pyarrow.table(arrays, schema=schema)


class _Pipe(io.RawIOBase):
    """What a library writes, to be taken in pieces."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        """Say that it can be written."""
        return True

    def write(self, data: Any, /) -> int:
        """Keep a piece."""
        piece = bytes(data)
        self._pieces.append(piece)
        self._written += len(piece)
        return len(piece)

    def tell(self) -> int:
        """Return how much was written."""
        return self._written

    def take(self) -> Iterator[bytes]:
        """Return what was written since the last time."""
        pieces, self._pieces = self._pieces, []
        for piece in pieces:
            yield from (piece[at : at + _PIECE] for at in range(0, len(piece), _PIECE))
