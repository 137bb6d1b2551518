"""The store of the message history: writes batches, removes what is too old, answers queries."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias

from sqlalchemy import URL, bindparam, delete, func, select
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
    StatementError,
)

from hookmq.errors import HookMQError
from hookmq.log import logger
from hookmq.storage.database import Database, open_database
from hookmq.storage.losses import Losses
from hookmq.storage.moments import Moment, microseconds, moment
from hookmq.storage.query import History
from hookmq.storage.row import pack
from hookmq.storage.schema import SchemaMismatch, messages, prepare
from hookmq.storage.topics import TopicFilter

Record: TypeAlias = tuple[float, str, str, bytes, int, bool, dict[str, Any] | None]
"""What `write` takes: time (Unix seconds), topic, client_id, payload, qos, retain, properties."""

_log = logger("hookmq.storage")

_COLUMNS = ("time_us", "topic", "client_id", "payload", "qos", "retain", "properties")
_INSERT = messages.insert().values({name: bindparam(name) for name in _COLUMNS})

# A batch waits at most this long for a locked or full database; meanwhile the native queue fills up behind
# it.
_PATIENCE = 2.0
_PROBE_INTERVAL = 5.0  # seconds from one try to the next, of a database that does not take what is published
_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 0.4

# Rows removed in one transaction: some 20 ms in which a batch has to wait.
_PRUNE_ROWS = 1_000
# What the writer needs to get hold of the lock between two of these.
_PRUNE_PAUSE = 0.005


@dataclass(frozen=True, slots=True)
class HistoryStatistics:
    """What the store has done since it was opened."""

    written_rows: int
    """Messages stored."""
    failed_rows: int
    """Messages lost because the database did not take them."""
    pruned_rows: int
    """Messages removed because of their age or their number."""
    last_error: str | None
    """What the database said last when it refused something."""
    last_error_time: float | None
    """When that was, in Unix seconds."""


class HistoryStore:
    """A message history in a database.

    >>> with HistoryStore() as store:
    ...     store.write([(1_650_000_000.0, "plant/north/flow", "pump", b"100.59", 1, False, None)])
    ...     [row.json() for row in store.query("plant/+/flow")]
    [100.59]

    Args:
        url: a SQLAlchemy URL. `sqlite://` is in memory; `sqlite_url(directory)` names the file in a data
            directory; `postgresql://…`, `mysql://…`, `mariadb://…`, `mssql://…` need the extra of that name.
        max_age: messages older than this many seconds are removed; None keeps them.
        max_rows: when there are more messages, the oldest are removed; None keeps them.
        prune_interval: seconds from one removal to the next. The first is made at once, in the background.
        barrier: called before each query reads. It should return when everything received so far was given to
            `write`, so that whoever publishes and then reads finds what was published.

    Raises:
        HookMQError: E601, when the database cannot be used.
        ValueError: when a limit is not positive.
    """

    def __init__(
        self,
        url: str = "sqlite://",
        *,
        max_age: float | None = None,
        max_rows: int | None = None,
        prune_interval: float = 60.0,
        barrier: Callable[[], object] | None = None,
    ) -> None:
        for name, value in (("max_age", max_age), ("max_rows", max_rows), ("prune_interval", prune_interval)):
            if value is not None and value <= 0:
                raise ValueError(f"{name} must be positive, not {value!r}")
        self.max_age = max_age
        self.max_rows = max_rows
        self._prune_interval = prune_interval
        self._barrier = barrier
        self._written = 0
        self._pruned = 0
        self._losses = Losses()
        self._closing = threading.Event()
        # Held for each transaction that writes: SQLite has one writer, and waiting here is fairer than in
        # SQLite. Order: this lock, then `Database.shared`.
        self._lock = threading.Lock()
        self._database = _open(url)
        # SQLite takes plain tuples 1.5 times as fast as through SQLAlchemy's types, which do nothing for it
        # here.
        self._plain_insert = (
            str(_INSERT.compile(dialect=self._database.writer.dialect))
            if self._database.name == "SQLite"
            else None
        )
        # One removal at a time: two that count what is too much would both remove it.
        self._pruning = threading.Lock()
        self._prober: threading.Thread | None = None
        self._pruner: threading.Thread | None = None
        if max_age is not None or max_rows is not None:
            self._pruner = threading.Thread(target=self._keep_pruning, name="hookmq-history", daemon=True)
            self._pruner.start()

    def write(self, rows: Sequence[Record]) -> None:
        """Stores the rows in one transaction. Never raises.

        A database that is locked, full or away is asked again for 2 s (until `close`); then the rows are
        counted as lost and the log says why. A row the database cannot hold is lost alone, not with its
        neighbours.
        """
        if not rows:
            return
        with self._lock:
            try:
                self._write(rows, time.monotonic() + _PATIENCE)
            except Exception as error:  # the caller is a native thread: there is nobody to catch it
                _log.exception("unexpected error in the history")
                self._lose(len(rows), error, outage=True)

    def flush(self) -> None:
        """Waits for a `write` at work, then makes all that was written safe from a power cut."""
        with self._lock:
            if self._closing.is_set() or self._database.name != "SQLite":
                return
            try:
                with self._database.writing() as connection:
                    connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")
            except Exception as error:  # the rows are committed; what is missing is only the early copy
                _log.warning("the history could not be flushed: %s", self._database.reason(error))

    def close(self) -> None:
        """Ends a `write` that waits for the database, and closes it. May be called again."""
        self._closing.set()
        if self._pruner is not None and self._pruner is not threading.current_thread():
            self._pruner.join(timeout=5)
        if (prober := self._prober) is not None:
            prober.join(timeout=5)
        with self._lock:
            self._database.close()

    def prune(self, now: float | None = None) -> int:
        """Removes what is older than `max_age` at `now` (Unix seconds), then the oldest beyond `max_rows`.

        The store does it by itself. It removes in small transactions, between which batches are written. The
        space is used again for new messages; the file does not become smaller.

        Returns:
            How many messages were removed.

        Raises:
            HookMQError: E601, when the database fails.
        """
        self._check_open()
        try:
            with self._pruning:
                return self._remove_old(now) + self._remove_surplus()
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise self._database.unusable(error) from error

    def query(
        self,
        filter: str = "#",
        *,
        since: Moment | None = None,
        until: Moment | None = None,
        client: str | None = None,
        limit: int | None = None,
        newest: bool = False,
    ) -> History:
        """The messages that match; read when the result is.

        Args:
            filter: an MQTT topic filter, or a template such as `plant/{pipe}/flow`.
            since: only messages at or after this moment: Unix seconds, "10m" (that long ago: ms, s, m, h, d,
                w), an ISO 8601 text, a `datetime` (naive is local time), or a `timedelta` (that long ago).
            until: only messages before this moment.
            client: only messages of this client identifier.
            limit: at most so many, counted in the order they come.
            newest: newest first rather than oldest first.

        Raises:
            HookMQError: E502, when the filter is none.
            ValueError: when a moment cannot be read, or `limit` is negative.
            TypeError: when a moment is of another type.
        """
        if limit is not None and limit < 0:
            raise ValueError(f"limit must not be negative: {limit!r}")
        now = time.time()
        return History(
            self._database,
            TopicFilter.parse(filter),
            since=None if since is None else microseconds(moment(since, now=now)),
            until=None if until is None else microseconds(moment(until, now=now)),
            client=client,
            limit=limit,
            newest=newest,
            before_reading=self._before_reading,
        )

    @property
    def url(self) -> str:
        """The URL of the database, with `***` for the password."""
        return self._database.url

    @property
    def kind(self) -> str:
        """What the database is: "SQLite", "PostgreSQL", …"""
        return self._database.name

    @property
    def location(self) -> str:
        """Where the database is: the path of its file, "in memory", or its URL without the password."""
        return self._database.location

    @property
    def is_well(self) -> bool:
        """Whether the database took the last batch."""
        return not self._losses.is_away

    def count(self) -> int:
        """How many messages are stored.

        Raises:
            HookMQError: E601, when the database fails.
        """
        self._check_open()
        try:
            with self._database.reading() as connection:
                return int(connection.scalar(select(func.count()).select_from(messages)) or 0)
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise self._database.unusable(error) from error

    def statistics(self) -> HistoryStatistics:
        """What the store has done since it was opened. Waits for nothing."""
        return HistoryStatistics(
            written_rows=self._written,
            failed_rows=self._losses.rows,
            pruned_rows=self._pruned,
            last_error=self._losses.last_error,
            last_error_time=self._losses.last_error_time,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, rows: Sequence[Record], deadline: float) -> None:
        if self._closing.is_set():
            self._lose(len(rows), RuntimeError("the history is closed"), outage=True)
            return
        pause = _FIRST_PAUSE
        while True:
            try:
                self._insert(rows)
            except Exception as error:
                if _is_about_rows(error):
                    self._write_apart(rows, deadline, error)
                    return
                late = time.monotonic() + pause > deadline
                if late or not _may_pass(error) or self._closing.wait(pause):
                    self._lose(len(rows), error, outage=True)
                    return
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                self._written += len(rows)
                self._losses.written()
                return

    def _write_apart(self, rows: Sequence[Record], deadline: float, error: Exception) -> None:
        """Writes each half, to find the row that the database cannot hold."""
        if len(rows) == 1 or time.monotonic() > deadline:
            self._lose(len(rows), error, outage=False)
            return
        middle = len(rows) // 2
        self._write(rows[:middle], deadline)
        self._write(rows[middle:], deadline)

    def _insert(self, rows: Sequence[Record]) -> None:
        records = [
            (microseconds(at), topic, client, payload, qos, retain, pack(properties) if properties else None)
            for at, topic, client, payload, qos, retain, properties in rows
        ]
        with self._database.writing() as connection:
            if self._plain_insert is None:
                connection.execute(_INSERT, [dict(zip(_COLUMNS, record, strict=True)) for record in records])
            else:
                plain = [
                    record if record[-1] is None else (*record[:-1], json.dumps(record[-1]))
                    for record in records
                ]
                connection.exec_driver_sql(self._plain_insert, plain)

    def _lose(self, rows: int, error: BaseException, *, outage: bool) -> None:
        reason = self._database.reason(error)
        remedy = (
            self._database.remedy(reason)
            if outage
            else "the database cannot hold this message; the others it has"
        )
        self._losses.add(rows, reason, remedy, outage=outage)
        if self._losses.is_away and not self._closing.is_set() and self._prober is None:
            self._prober = threading.Thread(
                target=self._keep_probing, name="hookmq-history-probe", daemon=True
            )
            self._prober.start()

    def _keep_probing(self) -> None:
        """Tries the database until it takes something: who waits for it to be well publishes nothing here."""
        while not self._closing.wait(_PROBE_INTERVAL):
            with self._lock:
                if self._losses.is_away and self._takes_something() and not self._closing.is_set():
                    self._losses.written()
                if not self._losses.is_away:
                    self._prober = None  # under the lock, or the next outage would begin without one
                    return

    def _takes_something(self) -> bool:
        """Whether the database takes a message, which nobody sees: it goes in the same transaction."""
        record = dict(zip(_COLUMNS, (0, "$probe", "", b"", 0, False, None), strict=True))
        try:
            with self._database.writing() as connection:
                made = connection.execute(_INSERT, record).inserted_primary_key
                connection.execute(delete(messages).where(messages.c.id == (made and made[0])))
        except Exception:
            return False
        return True

    def _remove_old(self, now: float | None) -> int:
        """Removes what is older than `max_age`."""
        if self.max_age is None:
            return 0
        oldest = microseconds((time.time() if now is None else now) - self.max_age)
        removed = 0
        while count := self._remove_oldest(_PRUNE_ROWS, before=oldest):
            removed += count
        return removed

    def _remove_surplus(self) -> int:
        """Removes the oldest beyond `max_rows`."""
        if self.max_rows is None:
            return 0
        excess = surplus = self._excess(self.max_rows)
        while excess > 0 and (count := self._remove_oldest(min(excess, _PRUNE_ROWS))):
            excess -= count
        return max(surplus - excess, 0)

    def _remove_oldest(self, rows: int, *, before: int | None = None) -> int:
        """Removes up to `rows` of the oldest messages; 0 when none are left or the store is being closed."""
        if self._closing.wait(_PRUNE_PAUSE):
            return 0
        oldest = select(messages.c.id).order_by(messages.c.time_us, messages.c.id).limit(rows)
        if before is not None:
            oldest = oldest.where(messages.c.time_us < before)
        # MySQL has no LIMIT in a subquery of IN, but in a subquery of that.
        numbers = select(oldest.subquery().c.id)
        with self._lock, self._database.writing() as connection:
            count = connection.execute(delete(messages).where(messages.c.id.in_(numbers))).rowcount
            self._pruned += count
        return count

    def _excess(self, limit: int) -> int:
        """How many messages there are beyond `limit`."""
        with self._database.reading() as connection:
            first, last = connection.execute(select(func.min(messages.c.id), func.max(messages.c.id))).one()
            # Counting reads a whole index; the numbers of the first and last row often tell that there is no
            # need.
            if first is None or last - first + 1 <= limit:
                return 0
            return int(connection.scalar(select(func.count()).select_from(messages)) or 0) - limit

    def _keep_pruning(self) -> None:
        failing = False
        while True:
            try:
                self.prune()
                failing = False
            except HookMQError as error:
                if not failing and not self._closing.is_set():
                    _log.error("old messages could not be removed from the history: %s", error)
                failing = True
            if self._closing.wait(self._prune_interval):
                return

    def _check_open(self) -> None:
        if self._closing.is_set():
            raise HookMQError(
                "E601", help="start the broker first", url=self._database.url, reason="the history is closed"
            )

    def _before_reading(self) -> None:
        self._check_open()
        if self._barrier is not None:
            self._barrier()


def sqlite_url(directory: Path | str) -> str:
    """The URL of the history in a data directory, whatever characters its path has.

    >>> sqlite_url("data")
    'sqlite:///data/history.db'
    """
    return URL.create("sqlite", database=str(Path(directory) / "history.db")).render_as_string()


def _open(url: str) -> Database:
    database = open_database(url)
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            with database.writing() as connection:
                if database.name == "SQLite":
                    # Two programs that open a new file at once must not both make its tables.
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                prepare(connection)
            return database
        except SchemaMismatch as error:
            database.close()
            raise HookMQError("E601", help=error.help, url=database.url, reason=str(error)) from None
        except Exception as error:
            if "is locked" in str(error) and time.monotonic() < deadline:
                time.sleep(_FIRST_PAUSE)
                continue
            database.close()
            raise database.unusable(error) from None


def _is_about_rows(error: Exception) -> bool:
    """Whether the rows are at fault rather than the database, so that fewer of them may succeed."""
    if isinstance(error, DBAPIError):
        if error.connection_invalidated:
            return False
        # PostgreSQL calls a topic too long for its index "program limit exceeded", among the operational
        # errors.
        state = str(getattr(error.orig, "sqlstate", None) or "")
        if state[:2] in {"22", "54"}:
            return True
        return isinstance(error, DataError | IntegrityError | InterfaceError | ProgrammingError)
    if isinstance(error, StatementError):
        return True
    return isinstance(error, TypeError | ValueError | OverflowError)


def _may_pass(error: Exception) -> bool:
    """Whether the same batch may succeed a moment later."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return isinstance(error, OperationalError | sqlite3.OperationalError)
