"""Records what is published: from the native feed into the history's database."""

from __future__ import annotations

import os
import threading

from .errors import HookMQError
from .log import logger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._hookmq import HistoryFeed, NativeBroker
    from .settings.config import Settings
    from .storage import HistoryStore

__all__ = ["Recorder"]

IN_MEMORY_ROWS = 100_000
"""Messages that are kept without a data directory, unless ``history.max_rows`` is set."""

LAST_WRITE = 1.0
"""Seconds that what waits at the end has in any case."""

BARRIER = 5.0
"""Seconds a query waits for what was published before it to be written."""


class Recorder:
    """The history of one run.

    With a data directory or a URL the database is opened at the start, so that an error shows there, and
    written to all the time. In memory the last messages stay where they are, native and cheap, until somebody
    asks for them: who never does pays next to nothing, not even for importing SQLAlchemy.
    """

    def __init__(self, settings: Settings, native: NativeBroker) -> None:
        directory = settings["data_dir"]
        self._url = settings["history.url"]
        self._max_age = float(str(settings["history.max_age"]))
        self._max_rows = int(str(settings["history.max_rows"]))
        self._lock = threading.Lock()
        self._store: HistoryStore | None = None
        self._closed = False
        if self._url is None and directory is not None:
            from .storage import sqlite_url

            self._url = sqlite_url(str(directory))
            try:
                os.makedirs(str(directory), exist_ok=True)
            except OSError as error:
                reason = f"{error.strerror}: {directory}"
                help = "name a directory that can be written to:   hookmq run --data-dir DIRECTORY"
                raise HookMQError("E601", help=help, url=self._url, reason=reason) from None
        if self._url is None and settings.origin("history.max_rows") == "default":
            self._max_rows = IN_MEMORY_ROWS
        self.in_memory = self._url is None
        if not self.in_memory:
            self._open()
        rows = self._max_rows if self.in_memory else int(str(settings["history.queue_rows"]))
        # In memory the queue is the history: there the newest count.
        size = int(str(settings["history.queue_bytes"]))
        self._feed: HistoryFeed = native.history(rows, size, keep_newest=self.in_memory)
        self._draining = threading.Lock()

    @property
    def store(self) -> HistoryStore:
        """The database."""
        return self._store or self._open()

    @property
    def url(self) -> str:
        """The URL of the database, without the password."""
        if self._store is None:
            return "sqlite://"  # in memory, and nobody has asked yet
        return self._store.url

    def count(self) -> int:
        """Return how many messages there are. Raises E601 when the database fails."""
        stored = 0 if self._store is None else self._store.count()
        return stored + len(self._feed) if self.in_memory else stored

    @property
    def is_well(self) -> bool:
        """Whether the database takes what is published."""
        return self._store is None or self._store.is_well

    def run(self) -> None:
        """Write what is published until :meth:`close`."""
        self._feed.run(self._write)

    def close(self, grace: float) -> None:
        """Write what waits, for at most ``grace`` seconds, and close the database."""
        self._feed.close()
        # A hook that has used all the grace up takes nothing from the messages.
        if not self.in_memory and not self._feed.barrier(max(grace, LAST_WRITE)):
            logger("hookmq.history").warning("%d messages were not stored in time", len(self._feed))
        with self._lock:
            self._closed = True
        if self._store is not None:
            self._store.close()

    def describe(self) -> str:
        """Return where messages are stored, and how many there are."""
        if self._store is None:
            return f"in memory, the last {self._max_rows:,} messages"
        return f"{self._store.location} ({self._store.kind}, {self._store.count():,} messages)"

    def counters(self) -> dict[str, int]:
        """Return what was counted."""
        written = self._store.statistics() if self._store is not None else None
        return {
            "history_written": written.written_rows if written else 0,
            "history_failed": written.failed_rows if written else 0,
            "history_dropped": 0 if self.in_memory else self._feed.dropped,
            "history_queued": len(self._feed),
        }

    def _catch_up(self) -> None:
        """Have everything in the database that was published before."""
        if not self.in_memory:
            self._feed.barrier(BARRIER)
            return
        with self._draining:
            if self._feed.drain(self._write) * 10 > self._max_rows:
                self.store.prune()

    def _write(self, rows: list[tuple[Any, ...]]) -> None:
        self.store.write(rows)

    def _open(self) -> HistoryStore:
        from .storage import HistoryStore

        with self._lock:
            # A page that is answered while the broker stops must not open one that nobody would close.
            if self._closed:
                raise HookMQError("E503")
            if self._store is None:
                self._store = HistoryStore(
                    "sqlite://" if self._url is None else str(self._url),
                    max_age=self._max_age,
                    max_rows=self._max_rows,
                    barrier=self._catch_up,
                )
            return self._store
