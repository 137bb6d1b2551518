"""Where records wait while a service is away: files that outlive the broker."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..log import logger
from .record import Record

__all__ = ["Spool", "SpoolFull"]

SEGMENT_BYTES = 8 << 20
"""From this size on a segment is closed and another begun: it is removed when all of it was written."""

SUFFIX = ".jsonl"


class SpoolFull(Exception):
    """There is no room for more, in the bound that was set or on the disk."""


class Spool:
    """Records in files of a directory, in the order in which they came, one JSON value a line.

    A record is read until :meth:`release` says that it is somewhere else: after a crash it comes again. A
    last line that was cut off by a crash was promised to nobody and is skipped; any other line that cannot be
    read is reported and kept in ``damaged.jsonl``.

    It can be used from several threads: who appends does not wait for who reads.

    >>> import tempfile
    >>> spool = Spool(Path(tempfile.mkdtemp()))
    >>> spool.append([Record(1, number, "received", 0.0) for number in range(3)])
    >>> [[record.number for record in chunk] for chunk in spool.chunks(2)], len(spool)
    ([[0, 1], [2]], 0)
    """

    def __init__(self, directory: Path, *, max_bytes: int = 1 << 30) -> None:
        self.directory = directory
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        directory.mkdir(parents=True, exist_ok=True)
        self._numbers = sorted(int(path.stem) for path in directory.glob(f"[0-9]*{SUFFIX}"))
        self._next = self._numbers[-1] + 1 if self._numbers else 1
        self._file: int | None = None
        self._closed = False
        self._reported: set[tuple[str, int]] = set()  # lines that cannot be read
        self._read_to = 0  # of the first segment: what was written is not read again
        self._size = 0  # of the segment that is written
        self.bytes = sum(self._path(number).stat().st_size for number in self._numbers)
        self._rows = sum(_count_lines(self._path(number)) for number in self._numbers)

    def __len__(self) -> int:
        """How many records wait."""
        return self._rows

    def append(self, records: Sequence[Record]) -> None:
        """Put records at the end; when it returns they outlive the process and a power failure.

        Raises:
            SpoolFull: when there is no room; then none of them is there.
        """
        data = b"".join(record.to_json().encode() + b"\n" for record in records)
        with self._lock:
            if self._closed:
                raise SpoolFull(f"{self.directory} is closed")
            if self.bytes + len(data) > self.max_bytes:
                raise SpoolFull(f"{self.directory} has {self.bytes:,} of {self.max_bytes:,} bytes")
            try:
                self._write(data)
            except OSError as error:
                raise SpoolFull(f"{self.directory}: {error.strerror or error}") from None
            self.bytes += len(data)
            self._size += len(data)
            self._rows += len(records)

    def chunks(self, rows: int) -> Iterator[list[Record]]:
        """Return what waits, so many records at a time, until nothing does.

        When the next chunk is asked for, the one before is taken for written, and forgotten when its segment
        is through.
        """
        while True:
            with self._lock:
                if self._closed or not self._numbers:
                    return
                number = self._numbers[0]
                if self._file is not None and number == self._next - 1:
                    self._close()  # what comes from here on goes to another
            path = self._path(number)
            yield from self._read(path, rows)
            with self._lock:
                if self._closed:
                    return
                self._numbers.remove(number)
                self._read_to = 0
                with contextlib.suppress(OSError):
                    self.bytes -= path.stat().st_size
                    path.unlink()

    def close(self) -> None:
        """Close it: nothing is taken or read any more."""
        with self._lock:
            self._closed = True
            self._close()

    def _read(self, path: Path, rows: int) -> Iterator[list[Record]]:
        chunk: list[Record] = []
        damaged = 0
        with path.open("rb") as file:
            at = file.seek(self._read_to)
            for line in file:
                at += len(line)
                if not line.endswith(b"\n"):
                    continue  # whole or not, it was not counted
                try:
                    chunk.append(Record.from_json(line))
                except ValueError as error:
                    damaged += 1
                    self._keep_damaged(path, at - len(line), line, error)
                if len(chunk) == rows:
                    yield chunk
                    self._forget(len(chunk) + damaged, at)
                    chunk, damaged = [], 0
        if chunk:
            yield chunk
        self._forget(len(chunk) + damaged, at)

    def _forget(self, rows: int, read_to: int) -> None:
        with self._lock:
            self._rows -= rows
            self._read_to = read_to

    def _keep_damaged(self, path: Path, at: int, line: bytes, error: ValueError) -> None:
        if (path.name, at) in self._reported:
            return  # it is read again after each outage
        self._reported.add((path.name, at))
        place = self.directory / "damaged.jsonl"
        logger("hookmq.connectors").error(
            "%s cannot be read at byte %d (%s); the line is kept in %s", path, at, error, place
        )
        with contextlib.suppress(OSError), place.open("ab") as file:
            file.write(line)

    def _write(self, data: bytes) -> None:
        if self._file is None or self._size >= SEGMENT_BYTES:
            self._close()
            number = self._next
            self._next += 1
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
            self._file = os.open(self._path(number), flags, 0o600)
            self._numbers.append(number)
            self._size = 0
            _sync_directory(self.directory)
        before = self._size
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._file, view) :]
            os.fsync(self._file)
        except OSError:
            # Half of it would be taken for records that nobody was promised, or run into what comes next.
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, before)
            raise

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _path(self, number: int) -> Path:
        return self.directory / f"{number:010}{SUFFIX}"


def _count_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
