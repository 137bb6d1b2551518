"""The history as a file: CSV, JSON Lines or Parquet, made piece by piece."""

from __future__ import annotations

import base64
import codecs
import csv
import datetime
import io
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ..storage.export import FORMULA_STARTS, guarded
from .problem import Problem
from .shown_message import packed

__all__ = ["COLUMNS", "FORMATS", "Exports", "export"]

FORMATS = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}

COLUMNS = ("time", "time_us", "topic", "payload", "payload_base64", "qos", "retain", "client_id")
"""``payload`` is empty if it is not UTF-8; ``payload_base64`` is so only then."""

MOST, MOST_OF_ONE = 16, 4
"""Exports at one time: in all, and of one."""

_PIECE = 64 << 10
_FORMULA_BYTES = tuple(start.encode() for start in FORMULA_STARTS)
_GROUP_ROWS, _GROUP_BYTES = 20_000, 16 << 20


def export(rows: Iterable[Any], format: str, *, escaped: bool = False) -> Iterator[bytes]:
    """Return the pieces of a file. Raises a problem if the library for the format is not installed.

    In CSV that is ``escaped``, a `'` stands before what a spreadsheet would take for a formula.

    A row that is None makes an empty piece: whoever sends them can look whether anybody is there still.
    """
    if format == "parquet":
        return _parquet(rows, _pyarrow())
    return _csv(rows, escaped) if format == "csv" else _lines(rows)


class Exports:
    """Counts the exports that are being sent: what waits for a browser that reads slowly takes memory.

    >>> exports = Exports()
    >>> begun = [exports.begin("anna", lambda: iter([b"a"])) for _ in range(MOST_OF_ONE)]
    >>> exports.begin("anna", lambda: iter([b"a"]))
    Traceback (most recent call last):
    hookmq.web.problem.Problem: you have 4 exports under way
    >>> list(begun[0]), list(exports.begin("anna", lambda: iter([b"b"])))
    ([b'a'], [b'b'])
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._going: dict[str, int] = {}

    def begin(self, who: str, make: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
        """Return the pieces of another one, to be read to the end or closed. Raises :class:`Problem`."""
        with self._lock:
            if sum(self._going.values()) >= MOST or self._going.get(who, 0) >= MOST_OF_ONE:
                most = sum(self._going.values()) >= MOST
                told = (
                    f"{MOST} exports are under way" if most else f"you have {MOST_OF_ONE} exports under way"
                )
                help = "wait until one has ended, or end it"
                raise Problem(503, told, help=help, headers={"Retry-After": "10"})
            self._going[who] = self._going.get(who, 0) + 1
        try:
            return _Counted(make(), lambda: self._end(who))
        except BaseException:
            self._end(who)
            raise

    def _end(self, who: str) -> None:
        with self._lock:
            self._going[who] -= 1
            if not self._going[who]:
                del self._going[who]


class _Counted(Iterator[bytes]):
    """Pieces that say when nobody wants more of them. A generator would not, if it never began."""

    def __init__(self, pieces: Iterator[bytes], end: Callable[[], None]) -> None:
        self._pieces = pieces
        self._end: Callable[[], None] | None = end

    def __next__(self) -> bytes:
        try:
            return next(self._pieces)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if close := getattr(self._pieces, "close", None):
            close()
        end, self._end = self._end, None
        if end is not None:
            end()


def _values(row: Any, *, large: bool = False) -> tuple[str, int, str, str | None, str | None, int, bool, str]:
    payload: bytes = b"" if large else row.payload  # a large one is written in parts
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


def _csv(rows: Iterable[Any], escaped: bool) -> Iterator[bytes]:
    # Unless it is asked for, what begins a formula is left as it is: the file is to be what was published.
    guard = guarded if escaped else str
    text = io.StringIO(newline="")
    writer = csv.writer(text)

    def taken() -> bytes:
        data = text.getvalue().encode()
        text.seek(0)
        text.truncate()
        return data

    writer.writerow(COLUMNS)
    yield taken()
    for row in rows:
        if row is None:
            yield taken()
        elif (parts := _parts(row.payload)) is None:
            at, micros, topic, payload, encoded, qos, retain, client = _values(row)
            shown = None if payload is None else guard(payload)
            line = (at, micros, guard(topic), shown, encoded, qos, str(retain).lower(), guard(client))
            writer.writerow(line)
        else:
            at, micros, topic, *_, qos, retain, client = _values(row, large=True)
            csv.writer(text, lineterminator=',"').writerow((at, micros, guard(topic)))
            yield taken()
            # Its end is not at hand to say that it is a number.
            if escaped and row.payload.startswith(_FORMULA_BYTES):
                yield b"'"
            for part in parts:
                yield part.replace('"', '""').encode()
            writer.writerow(('"', None, qos, str(retain).lower(), guard(client)))
            yield taken().replace(b'""""', b'"', 1)
        if text.tell() >= _PIECE:
            yield taken()
    yield taken()


def _parts(payload: bytes) -> Iterator[str] | None:
    """Return the text of a large payload in parts; None for a small one, and one that is not text."""
    if len(payload) <= _PIECE:
        return None
    try:
        payload.decode()
    except UnicodeDecodeError:
        return None
    decoder = codecs.getincrementaldecoder("utf-8")()
    view = memoryview(payload)
    return (decoder.decode(view[at : at + _PIECE]) for at in range(0, len(view), _PIECE))


def _lines(rows: Iterable[Any]) -> Iterator[bytes]:
    pieces: list[str] = []
    size = 0
    for row in rows:
        if row is not None:
            parts = _parts(row.payload)
            line = dict(zip(COLUMNS, _values(row, large=parts is not None), strict=True))
            if line["payload_base64"] is None:
                del line["payload_base64"]
            if row.properties:
                line["properties"] = packed(row.properties)
            if parts is not None:
                del line["payload"]
                pieces.append('{"payload":"')
                yield "".join(pieces).encode()
                for part in parts:
                    yield json.dumps(part, ensure_ascii=False)[1:-1].encode()
                pieces, size = ['",'], 0
                pieces.append(_json(line)[1:] + "\n")
            else:
                pieces.append(_json(line) + "\n")
            size += len(pieces[-1])
        if row is None or size >= _PIECE:
            yield "".join(pieces).encode()
            pieces, size = [], 0
    yield "".join(pieces).encode()


def _json(line: dict[str, Any]) -> str:
    return json.dumps(line, ensure_ascii=False, separators=(",", ":"))


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
            if row is None:
                yield b""
                continue
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
