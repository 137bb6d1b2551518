"""The connector that writes Parquet files, for duckdb, polars, pandas, Spark and the like."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..log import logger
from .connector import Connector, Rejection, unusable
from .library import library
from .record import Record, plain
from .shape import json_of
from .template import Template

__all__ = ["Parquet"]

COMPRESSIONS = ("zstd", "snappy", "gzip", "lz4", "none")

_NOT_IN_A_NAME = re.compile(r"[^\w.=+,@ -]")
_HIDDEN = re.compile(r"^[._]+")


class Parquet(Connector):
    """Records in Parquet files below a directory.

    A batch is first a small file in ``.incoming``, synced to the disk: from then on it outlives the process
    and a power failure. When there are ``rows`` records, or after ``seconds``, they become one large file for
    each directory of ``path``, written under another name, synced and renamed: readers see whole files only,
    and at most ``seconds`` late. Files are called ``run-first-last.parquet``, by the names of their first and
    last record. A record whose name is in a file already is left out, so nothing is there twice, also after a
    crash.

    The columns are ``time`` (microseconds, UTC), ``topic``, ``client_id``, ``qos``, ``retain``, ``payload``
    (bytes), ``id``, ``kind``, and ``properties`` and ``detail`` as JSON or null.

    Args:
        directory: where to; one connector writes there at a time.
        path: a :class:`~hookmq.connectors.Template` of directories below it, such as
            ``topic={topic[0]}/date=%Y-%m-%d``.
        rows: records of a large file, about.
        seconds: how long records wait in ``.incoming``, at most.
        compression: ``"zstd"``, ``"snappy"``, ``"gzip"``, ``"lz4"`` or ``"none"``.
        name, batch_rows, batch_delay: as those of :class:`~hookmq.connectors.Connector`.

    ```python
    broker.send_to(Parquet("/data/mqtt", path="topic={topic[0]}/date=%Y-%m-%d"), "plant/#", ack="stored")
    ```
    """

    kind = "parquet"

    def __init__(
        self,
        directory: str | Path,
        *,
        path: str = "%Y/%m/%d",
        rows: int = 100_000,
        seconds: float = 60.0,
        compression: str = "zstd",
        name: str | None = None,
        batch_rows: int = 10_000,
        batch_delay: float = 1.0,
    ) -> None:
        super().__init__(name=name, batch_rows=batch_rows, batch_delay=batch_delay)
        if rows < 1 or seconds < 0:
            raise ValueError("`rows` is at least 1, and `seconds` is not negative")
        if compression not in COMPRESSIONS:
            raise ValueError(f"the compression is one of {', '.join(COMPRESSIONS)}, not {compression!r}")
        self.directory = Path(directory).absolute()
        self._path = Template.parse(path)
        self._rows, self._seconds, self._compression = rows, seconds, compression
        self._incoming: _Incoming | None = None

    def check(self) -> None:
        """Find a missing library, and a directory that is none."""
        self._library("pyarrow")
        if self.directory.exists() and not self.directory.is_dir():
            raise unusable(self, f"{self.directory} is no directory", "name another one")

    def open(self) -> None:
        """Take the directory, and put into files what an earlier run has left in ``.incoming``."""
        self._incoming = _Incoming(self.directory / ".incoming", self._library("pyarrow"))
        if self._incoming.rows:
            self._store(self._incoming)

    def write(self, records: Sequence[Record], *, again: bool) -> Sequence[Rejection] | None:
        """Write the records into a small file; it is on the disk when this returns."""
        if self._incoming is None:
            self.open()
        assert self._incoming is not None
        self._incoming.add(self._table(records))
        return None

    def idle(self) -> None:
        """Make a large file of what has come, when it is time."""
        incoming = self._incoming
        if incoming is None or not incoming.rows:
            return
        if incoming.rows >= self._rows or time.monotonic() - incoming.since >= self._seconds:
            self._store(incoming)

    def close(self) -> None:
        """Make a file of what has come, and let go of the directory."""
        incoming, self._incoming = self._incoming, None
        if incoming is None:
            return
        with incoming.closing():
            if incoming.rows:
                self._store(incoming)

    def describe(self) -> str:
        """The directory and what is below it."""
        return f"{self.directory}/{self._path.text}"

    def reason(self, error: BaseException) -> str:
        """What is wrong with the directory or the disk."""
        if isinstance(error, OSError) and error.strerror:
            return f"{error.strerror}: {error.filename or self.directory}"
        return super().reason(error)

    # From records to files ------------------------------------------------------------------------------

    def _library(self, module: str) -> Any:
        return library(module, kind=self.kind, extra="parquet")

    def _table(self, records: Sequence[Record]) -> Any:
        arrow = self._library("pyarrow")
        texts, columns = arrow.string(), arrow.array
        return arrow.table(
            {
                "time": columns([round(r.time * 1e6) for r in records], arrow.timestamp("us", tz="UTC")),
                "topic": columns([r.topic for r in records], texts),
                "client_id": columns([r.client_id for r in records], texts),
                "qos": columns([r.qos for r in records], arrow.uint8()),
                "retain": columns([r.retain for r in records], arrow.bool_()),
                "payload": columns([r.payload for r in records], arrow.binary()),
                "id": columns([r.id for r in records], texts),
                "kind": columns([r.kind for r in records], texts),
                "properties": columns([_json(plain(r.properties)) for r in records], texts),
                "detail": columns([_json(r.detail) for r in records], texts),
                "path": columns([self._below(r) for r in records], texts),
            }
        )

    def _below(self, record: Record) -> str:
        """Return the directory of a record; no topic leads out of ours, or into what readers pass over."""
        levels = self._path.render(record).split("/")
        return "/".join(_HIDDEN.sub("-", _NOT_IN_A_NAME.sub("_", level))[:100] or "-" for level in levels)

    def _store(self, incoming: _Incoming) -> None:
        table, files = incoming.read()
        if table is not None:
            for (below, run), rows in _grouped(table).items():
                self._write_file(incoming, below, run, table.drop_columns(["path"]).take(rows))
        incoming.forget(files)

    def _write_file(self, incoming: _Incoming, below: str, run: int, table: Any) -> None:
        directory = self.directory / below
        _make_directories(directory)
        names = table["id"].to_pylist()
        first, last = _range(names)
        if present := self._present(directory, run, first, last):
            table = table.filter(self._library("pyarrow").array([name not in present for name in names]))
            if not table.num_rows:
                return
            first, last = _range(table["id"].to_pylist())
        name = f"{run:016x}-{first}-{last}.parquet"
        parquet = self._library("pyarrow.parquet")
        compression = None if self._compression == "none" else self._compression
        incoming.place(
            lambda file: parquet.write_table(table, file, compression=compression), directory / name
        )

    def _present(self, directory: Path, run: int, first: int, last: int) -> set[str]:
        """Return the names of the records that files of the same run, with numbers in between, have."""
        parquet = self._library("pyarrow.parquet")
        found: set[str] = set()
        for path in directory.glob(f"{run:016x}-*-*.parquet"):
            with contextlib.suppress(ValueError):
                begins, ends = map(int, path.stem.split("-")[1:])
                if begins <= last and first <= ends:
                    found.update(
                        parquet.read_table(path, columns=["id"], partitioning=None)["id"].to_pylist()
                    )
        return found


class _Incoming:
    """Small files that are on the disk and wait to become large ones."""

    def __init__(self, directory: Path, arrow: Any) -> None:
        self.directory = directory
        self._arrow = arrow
        _make_directories(directory)
        self._lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise OSError(f"another program writes into {directory.parent}") from None
        for path in directory.glob("*.tmp"):
            path.unlink(missing_ok=True)  # was not whole when a process ended
        self._files = sorted(directory.glob("[0-9]*.arrow"))
        self._next = int(self._files[-1].stem) + 1 if self._files else 1
        self.rows = len(self._files)
        """How many records wait; of an earlier run at least so many."""
        self.since = time.monotonic()
        """Since when the first of them waits."""

    def add(self, table: Any) -> None:
        """Add a file."""

        def write(file: Any) -> None:
            with self._arrow.ipc.new_file(file, table.schema) as writer:
                writer.write_table(table)

        path = self.directory / f"{self._next:012}.arrow"
        self._next += 1
        self.place(write, path)
        if not self.rows:
            self.since = time.monotonic()
        self._files.append(path)
        self.rows += table.num_rows

    def place(self, write: Callable[[Any], None], path: Path) -> None:
        """Write a file that is there as a whole or not at all, and survives a power failure when it is."""
        temporary = self.directory / f"{path.name}.tmp"
        try:
            with temporary.open("wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_directory(path.parent)

    def read(self) -> tuple[Any, list[Path]]:
        """Return what waits in one table, or ``None``, and the files that it is in."""
        files, tables = list(self._files), []
        for path in files:
            try:
                with self._arrow.OSFile(str(path)) as source:
                    tables.append(self._arrow.ipc.open_file(source).read_all())
            except self._arrow.ArrowInvalid as error:
                aside = path.with_suffix(".damaged")
                path.rename(aside)
                logger("hookmq.connectors").error(
                    "%s cannot be read (%s); it is kept as %s", path, error, aside
                )
        return (self._arrow.concat_tables(tables) if tables else None), files

    def forget(self, files: Sequence[Path]) -> None:
        """Remove files whose records are somewhere else."""
        for path in files:
            path.unlink(missing_ok=True)
            self._files.remove(path)
        self.rows = 0

    @contextlib.contextmanager
    def closing(self) -> Iterator[None]:
        """Let go of the directory at the end."""
        try:
            yield
        finally:
            os.close(self._lock)


def _grouped(table: Any) -> dict[tuple[str, int], list[int]]:
    """Return the rows of each directory and run, those that are there twice once."""
    groups: dict[tuple[str, int], dict[str, int]] = {}
    for row, (below, name) in enumerate(zip(table["path"].to_pylist(), table["id"].to_pylist(), strict=True)):
        groups.setdefault((below, _named(name)[0]), {}).setdefault(name, row)
    return {key: list(rows.values()) for key, rows in groups.items()}


def _named(name: str) -> tuple[int, int]:
    """Return the run and the number in the name of a record."""
    run, _, number = name.partition("-")
    return int(run, 16), int(number)


def _range(names: Sequence[str]) -> tuple[int, int]:
    """Return the lowest and the highest number in names of records."""
    numbers = [_named(name)[1] for name in names]
    return min(numbers), max(numbers)


def _json(value: Any) -> str | None:
    return json_of(value).decode() if value else None


def _make_directories(directory: Path) -> None:
    """Make a directory and those above it; each is in the one above when this returns."""
    missing = [each for each in (directory, *directory.parents) if not each.exists()]
    directory.mkdir(parents=True, exist_ok=True)
    for each in missing:
        _sync_directory(each.parent)


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
