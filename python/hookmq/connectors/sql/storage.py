"""The connector to a database of SQL."""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from ...errors import HookMQError
from ...storage.database import Database, open_database
from ..connector import Connector, Rejection
from ..record import Record
from .dialects import Dialect, dialect_of
from .retention import Retention
from .rows import Rows
from .tables import SchemaMismatch, Tables

__all__ = ["SQL"]

_MYSQL_ERRORS = frozenset({1153, 3819, 4025})
"""Errors of MySQL and MariaDB about rows that have no class of their own: too large, against a check."""

_STATES = frozenset({"21", "22", "23", "54"})
"""Classes of SQLSTATE about rows: wrong cardinality, wrong data, broken constraints, exceeded limits."""


class SQL(Connector):
    """Messages, connections, subscriptions and errors in SQLite, PostgreSQL, MySQL, MariaDB or SQL Server.

    Args:
        url: a SQLAlchemy URL: ``sqlite:///file.db``, ``postgresql://user:password@host/database``,
            ``mysql://…``, ``mariadb://…``, ``mssql://…``.
        prefix: what the names of its tables begin with.
        max_age: seconds after which messages, connections and errors are removed; ``None`` keeps them.
        max_rows: rows of each of these tables beyond which the oldest are removed.
        timeout: seconds that a connection, and where the driver can do that an answer, may take.
        name, batch_rows, batch_delay: as those of :class:`~hookmq.connectors.Connector`.

    ```python
    broker.send_to(SQL("postgresql://mqtt:secret@db/plant"), "plant/#", ack="stored")
    ```

    >>> SQL("postgresql://mqtt:secret@db/plant").describe()
    'postgresql+psycopg://mqtt:***@db/plant'
    """

    kind = "sql"

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "mqtt_",
        max_age: float | None = None,
        max_rows: int | None = None,
        timeout: float = 10.0,
        name: str | None = None,
        batch_rows: int = 2000,
        batch_delay: float = 0.05,
    ) -> None:
        super().__init__(name=name, batch_rows=batch_rows, batch_delay=batch_delay)
        if prefix and not prefix.isidentifier():
            raise ValueError(f"the prefix of tables is letters, digits and _, not {prefix!r}")
        self.tables = Tables.named(prefix)
        self.retention = Retention(max_age, max_rows)
        try:
            self._database: Database = open_database(url, timeout=timeout)
        except HookMQError as error:
            reason = f"{error.fields['url']}: {error.fields['reason']}"
            raise HookMQError("E603", name=self.name, reason=reason, help=error.help or "") from None
        self._dialect: Dialect = dialect_of(self._database.writer.dialect.name)
        self._socket: int | None = None
        self._aborting = threading.Lock()
        self._largest = 1 << 62

    def open(self) -> None:
        """Connect, and make or check the tables."""
        try:
            with self._database.writing() as connection:
                if self._database.name == "SQLite":
                    # What was acknowledged as stored is not to be lost when the power fails.
                    connection.exec_driver_sql("PRAGMA synchronous=FULL")
                    # Two programs that open a new file at once must not both make its tables.
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                self.tables.prepare(connection)
                self._largest = self._dialect.largest_statement(connection)
        except SchemaMismatch as error:
            raise HookMQError("E603", name=self.name, reason=str(error), help=error.help) from None

    def write(self, records: Sequence[Record], *, again: bool) -> Sequence[Rejection] | None:
        """Write the records in one transaction."""
        large = [each for each in records if _literal_size(each) > self._largest]
        rows = Rows.of((each for each in records if each not in large) if large else records, self.tables)
        with self._writing() as connection:
            for table, added in rows.events.items():
                if added:
                    self._dialect.add(connection, table, added, again=again)
            for table, states in rows.states.items():
                if states:
                    self._dialect.put(connection, table, list(states.values()))
            for table, keys in rows.removed.items():
                if keys:
                    self._dialect.remove(connection, table, keys)
        return [Rejection(each, f"the server takes no more than {self._largest:,} bytes") for each in large]

    def idle(self) -> None:
        """Remove some of what is too old."""
        if self.retention.is_due():
            with self._writing() as connection:
                self.retention.step(connection, self.tables.events)

    def abort(self) -> None:
        """Break the connection, so that a driver that waits for an answer gives up."""
        with self._aborting:
            if self._socket is None:
                return
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self._socket)) as broken:
                broken.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of the connection."""
        self._database.close()

    def is_rejection(self, error: Exception) -> bool:
        """Whether rows are at fault rather than the database: that a table is missing is not about them."""
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            return False
        cause = getattr(error, "orig", None) or error
        if cause.args and cause.args[0] in _MYSQL_ERRORS and self.dialect_name in ("mysql", "mariadb"):
            return True
        if state := str(getattr(cause, "sqlstate", None) or ""):
            return state[:2] in _STATES
        kinds = {kind.__name__ for kind in type(cause).__mro__}
        if not isinstance(cause, sqlite3.ProgrammingError) and kinds & {
            "DataError",
            "IntegrityError",
            "InterfaceError",
        }:
            return True
        if "binding parameter" in str(cause):
            return True
        return isinstance(cause, TypeError | ValueError | OverflowError)

    def describe(self) -> str:
        """The URL without secrets."""
        return self._database.location

    def reason(self, error: BaseException) -> str:
        """What the database said, without secrets."""
        if isinstance(error, HookMQError):
            return error.message
        return self._database.reason(error)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Connection]:
        """A transaction that :meth:`abort` can break off."""
        with self._database.writing() as connection:
            with self._aborting:
                self._socket = _descriptor(connection.connection.dbapi_connection)
            try:
                yield connection
            finally:
                # Its number may soon be that of somebody else's.
                with self._aborting:
                    self._socket = None

    @property
    def dialect_name(self) -> str:
        """``"sqlite"``, ``"postgresql"``, ``"mysql"``, ``"mariadb"`` or ``"mssql"``."""
        return self._database.writer.dialect.name


def _literal_size(record: Record) -> int:
    """Return the bytes that a record takes at most, when it is written as text with escapes."""
    size = len(record.payload)
    if size > 1 << 18:  # of small ones nobody needs to know
        size += sum(record.payload.count(byte) for byte in b"\0\n\r\x1a\"'\\")
    return size + 4096 + 2 * (len(record.topic) + len(record.client_id))


def _descriptor(connection: Any) -> int | None:
    """Return the descriptor of a driver's socket, if it has one and waits without a limit: psycopg's."""
    fileno = getattr(connection, "fileno", None)
    if fileno is None:
        return None
    with contextlib.suppress(Exception):
        return int(fileno())
    return None
