"""What ``setsqlconnector`` hands over: a cursor on the broker's own database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import HookMQError

if TYPE_CHECKING:
    from ..storage.database import Database

__all__ = ["Cursor"]


class Cursor:
    """A cursor of the Python database API (PEP 249) that all threads may share.

    Statements are executed one after the other, each committed at once; each thread has the rows of its own
    last statement. The connection is made when it is first needed, and made anew when the server closed it.
    The marks of parameters are the driver's: ``?`` of SQLite, ``%s`` of the others.

    >>> cursor = Cursor("sqlite://")
    >>> cursor.execute("SELECT ? + 1", (41,)).fetchone()
    (42,)
    >>> cursor.close()
    """

    arraysize = 1

    def __init__(self, url: str | None) -> None:
        self._url = url
        self._lock = threading.RLock()
        self._database: Database | None = None
        self._mine = threading.local()

    # PEP 249 --------------------------------------------------------------------------------------------

    def execute(self, statement: str, parameters: Any = None) -> Cursor:
        """Execute a statement. Raises what the driver raises, and E601 if there is no database."""
        given = () if parameters is None else (parameters,)
        return self._do(lambda cursor: cursor.execute(statement, *given))

    def executemany(self, statement: str, parameters: Sequence[Any]) -> Cursor:
        """Execute a statement once for each of the parameters."""
        return self._do(lambda cursor: cursor.executemany(statement, parameters))

    def fetchone(self) -> Any:
        """Return the next row, ``None`` behind the last."""
        rows = self._rows()
        return rows.pop(0) if rows else None

    def fetchmany(self, size: int | None = None) -> list[Any]:
        """Return the next rows, so many at most."""
        rows, count = self._rows(), self.arraysize if size is None else size
        taken = rows[:count]
        del rows[:count]
        return taken

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""
        rows, self._mine.rows = self._rows(), []
        return rows

    def __iter__(self) -> Iterator[Any]:
        while (row := self.fetchone()) is not None:
            yield row

    @property
    def description(self) -> Any:
        """The columns of this thread's last statement."""
        return getattr(self._mine, "description", None)

    @property
    def rowcount(self) -> int:
        """Rows that this thread's last statement found or changed, -1 if that is not known."""
        return int(getattr(self._mine, "rowcount", -1))

    @property
    def lastrowid(self) -> Any:
        """The number of the row that this thread's last statement added."""
        return getattr(self._mine, "lastrowid", None)

    @property
    def connection(self) -> Cursor:
        """Itself: what plugins commit is committed already."""
        return self

    def commit(self) -> None:
        """Do nothing: each statement is committed."""

    def rollback(self) -> None:
        """Do nothing: each statement is committed."""

    def cursor(self) -> Cursor:
        """Return itself: threads do not get in each other's way."""
        return self

    def close(self) -> None:
        """Close the connection; a later statement opens it again."""
        with self._lock:
            database, self._database = self._database, None
        if database is not None:
            database.close()

    # Inside ---------------------------------------------------------------------------------------------

    def _do(self, work: Callable[[Any], object]) -> Cursor:
        with self._lock:
            # A connection from the pool was asked whether it is still there, and is made anew if not.
            connection = self._open().writer.raw_connection()
            try:
                cursor = connection.cursor()
                try:
                    work(cursor)
                    self._mine.description = cursor.description
                    self._mine.rows = list(cursor.fetchall()) if cursor.description else []
                    self._mine.rowcount = cursor.rowcount
                    self._mine.lastrowid = getattr(cursor, "lastrowid", None)
                finally:
                    cursor.close()
                connection.commit()
            except BaseException:
                connection.rollback()
                raise
            finally:
                connection.close()
        return self

    def _open(self) -> Database:
        if self._url is None:
            raise HookMQError(
                "E601",
                url="of this home",
                reason="it has none",
                help="set RELATIONAL_PERSISTENCE_ENABLED = TRUE in conf/datastore.conf",
            )
        if self._database is None:
            from ..storage.database import open_database

            self._database = open_database(self._url, timeout=10.0)
        return self._database

    def _rows(self) -> list[Any]:
        rows: list[Any] = getattr(self._mine, "rows", [])
        return rows
