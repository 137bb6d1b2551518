"""The action that stores results in a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.exc import DBAPIError

from ...connectors.connector import Rejection
from ...connectors.record import Record
from ...connectors.sql import SQL
from ...connectors.sql.dialects import Dialect, dialect_of
from ...errors import HookMQError
from ...storage.database import Database, open_database
from .action import Option
from .columns import LONGEST, Columns, column_name
from .delivery import RETRYING, Context, CourierAction, Delivery
from .result import Result

__all__ = ["Store"]


class Store(CourierAction):
    """Adds a row for each result to a table whose columns are the names of the result."""

    kind = "store"
    what = "adds a row to a table of a database; the table and its columns are made as they are needed"
    OPTIONS = (
        Option("table", "str", "Name of the table.", required=True),
        Option("url", "str", "SQLAlchemy URL of the database; `storage.url` if it is left out.", secret=True),
        Option("timeout", "duration", "Time for a connection and for an answer.", 10.0, minimum=0.1),
        *RETRYING,
    )

    def check(self) -> None:
        """Refuse a name that is none of a table."""
        name = str(self.options["table"])
        if column_name(name) != name or len(name) > LONGEST:
            expected = f"at most {LONGEST} letters, digits and `_`"
            raise HookMQError("E303", where=self.where, key="table", value=repr(name), expected=expected)

    @property
    def target(self) -> str:
        """The table."""
        return f"the table {self.options['table']}"

    def delivery(self, name: str, context: Context) -> Delivery:
        """What adds rows. Raises E711 without a database."""
        url = self.options["url"] or context.storage_url
        if url is None:
            raise HookMQError(
                "E711", where=self.where, reason="it names no database: write `url`, or set `storage.url`"
            )
        try:
            database = open_database(url, timeout=self.options["timeout"])
        except HookMQError as error:
            raise HookMQError("E711", where=self.where, reason=error.message, help=error.help or "") from None
        return _Rows(name, self, database, SQL(url, name=name))

    def preview(self, row: Mapping[str, Any], source: Mapping[str, Any]) -> dict[str, Any]:
        """The row that would be added."""
        table = Columns(str(self.options["table"]))
        values = table.row(0, 0, 0, row)
        return {"table": self.options["table"], "row": dict(list(values.items())[3:])}


class _Rows(Delivery):
    kind = "store"

    def __init__(self, name: str, action: Store, database: Database, errors: SQL) -> None:
        super().__init__(name, action.patience, batch_rows=500)
        self._columns = Columns(str(action.options["table"]))
        self._database = database
        self._errors = errors  # knows which errors of which database are about rows
        self._dialect: Dialect = dialect_of(database.writer.dialect.name)

    def open(self) -> None:
        with self._database.writing() as connection:
            self._columns.prepare(connection)

    def write(self, records: Sequence[Record], *, again: bool) -> Sequence[Rejection] | None:
        before = self._columns.table
        try:
            self._add(records, again)
        except Exception as error:
            self._columns.table = before  # what the transaction had added is gone with it
            if self.is_rejection(error) or (why := self.gives_up(records[-1])) is None:
                raise
            return [Rejection(record, f"{self.reason(error)}; given up {why}") for record in records]
        return None

    def _add(self, records: Sequence[Record], again: bool) -> None:
        with self._database.writing() as connection:
            rows = [
                self._columns.row(
                    record.run, record.number, round(record.time * 1_000_000), Result.of(record).row
                )
                for record in records
            ]
            self._columns.widen(connection, rows)
            table = self._columns.table
            values = [tuple(row.get(column.name) for column in table.columns) for row in rows]
            self._dialect.add(connection, table, values, again=again)

    def close(self) -> None:
        self._database.close()
        self._errors.close()

    def is_rejection(self, error: Exception) -> bool:
        return self._errors.is_rejection(error)

    def describe(self) -> str:
        return f"{self._columns.table.name} in {self._database.location}"

    def reason(self, error: BaseException) -> str:
        return self._database.reason(error) if isinstance(error, DBAPIError) else super().reason(error)
