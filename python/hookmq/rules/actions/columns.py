"""The table of an action that stores: a column for each name of a result, made when it first comes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    LargeBinary,
    MetaData,
    Table,
    Text,
    inspect,
)
from sqlalchemy.dialects import mssql, mysql
from sqlalchemy.schema import CreateColumn
from sqlalchemy.types import TypeEngine

from ...connectors.record import plain

__all__ = ["Columns", "TooManyColumns"]

MOST = 200
"""Columns of a table: names may come from payloads."""

LONGEST = 60

_OWN = ("run", "number", "time_us")

_text = Text().with_variant(mysql.LONGTEXT(charset="utf8mb4"), "mysql", "mariadb")
_largest: Any = mssql.VARBINARY("max")  # type: ignore[no-untyped-call]
_bytes = LargeBinary().with_variant(mysql.LONGBLOB, "mysql", "mariadb").with_variant(_largest, "mssql")


class TooManyColumns(ValueError):
    """A result has names that would make the table wider than it may be."""


class Columns:
    """A table and its columns, as the database has them.

    ``run`` and ``number`` are the key, so that a result that is written again is there once; ``time_us`` is
    when it was made, in microseconds since 1970 in UTC.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.table = Table(name, MetaData(), *_own_columns())

    def prepare(self, connection: Connection) -> None:
        """Make the table, or learn its columns."""
        found = inspect(connection)
        if not found.has_table(self._name):
            self.table = Table(self._name, MetaData(), *_own_columns())
            self.table.create(connection)
            return
        present = {column["name"]: column["type"] for column in found.get_columns(self._name)}
        if missing := [name for name in _OWN if name not in present]:
            raise ValueError(
                f"there is a table `{self._name}` that no rule has made: it has no column `{missing[0]}`"
            )
        own = {column.name: column for column in _own_columns()}
        columns = [own[name] if name in own else Column(name, kind) for name, kind in present.items()]
        self.table = Table(self._name, MetaData(), *columns)

    def row(self, run: int, number: int, time_us: int, result: Mapping[str, Any]) -> dict[str, Any]:
        """Return a result as values by column; those of names that no column has yet are among them."""
        known = {column.name.lower(): column for column in self.table.columns}
        row: dict[str, Any] = {"run": run, "number": number, "time_us": time_us}
        for key, value in result.items():
            name = column_name(key)
            column = known.get(name.lower())
            row[name if column is None else column.name] = _value(value, column)
        return row

    def widen(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add the columns that rows have and the table has not.

        Raises:
            TooManyColumns: if there would be too many.
        """
        known = {column.name for column in self.table.columns}
        new: dict[str, TypeEngine[Any]] = {}
        for row in rows:
            for name, value in row.items():
                # Nothing says what `None` would have been.
                if name not in known and name not in new and value is not None:
                    new[name] = _type_of(value)
        if not new:
            return
        if len(known) + len(new) > MOST:
            name = list(new)[MOST - len(known)]
            raise TooManyColumns(f"`{name}` would be one column too many: the table has {len(known)}")
        place = connection.dialect.identifier_preparer.format_table(self.table)
        for name, kind in new.items():
            written = CreateColumn(Column(name, kind)).compile(dialect=connection.dialect)
            word = "ADD" if connection.dialect.name == "mssql" else "ADD COLUMN"
            connection.exec_driver_sql(f"ALTER TABLE {place} {word} {written}".replace("%", "%%"))
        self.prepare(connection)


def column_name(key: str) -> str:
    """Return the column of a name: letters, digits and ``_``.

    >>> column_name("flow rate"), column_name("number"), column_name("7")
    ('flow_rate', 'number_', '_7')
    """
    name = re.sub(r"\W", "_", key, flags=re.ASCII)[:LONGEST] or "_"
    if name[0].isdigit():
        name = f"_{name}"
    return f"{name}_" if name.lower() in _OWN else name


def _own_columns() -> list[Column[Any]]:
    return [
        Column("run", BigInteger, primary_key=True, autoincrement=False),
        Column("number", BigInteger, primary_key=True, autoincrement=False),
        Column("time_us", BigInteger, nullable=False),
    ]


def _type_of(value: Any) -> TypeEngine[Any]:
    match value:
        case bool():
            return Boolean()
        case int() | float():
            return Double()  # a client that publishes 20 publishes 20.5 as well
        case bytes():
            return _bytes
    return _text


def _value(value: Any, column: Column[Any] | None) -> Any:
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(plain(value), separators=(",", ":"), ensure_ascii=False)
    if column is not None and isinstance(column.type, Text) and isinstance(value, bool | int | float):
        # The column was made for texts: a number is one as well.
        return json.dumps(value)
    return value
