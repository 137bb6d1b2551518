"""How each database takes many rows at once, and none of them twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, and_, bindparam, delete, exists, func, insert, select, update
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.sql import Executable

__all__ = ["Dialect", "dialect_of"]

Row = Mapping[str, Any]
Values = tuple[Any, ...]


class Dialect:
    """What all of them understand; for SQL Server it is what is used."""

    def add(self, connection: Connection, table: Table, rows: Sequence[Values], *, again: bool) -> None:
        """Add rows of events. With ``again`` some of them may be there."""
        names = [column.name for column in table.columns]
        named = [dict(zip(names, row, strict=True)) for row in rows]
        for row in named:
            if row.get("properties"):
                row["properties"] = json.loads(row["properties"])  # its type writes JSON by itself
        connection.execute(self.insert_missing(table) if again else insert(table), named)

    def put(self, connection: Connection, table: Table, rows: Sequence[Row]) -> None:
        """Put rows of states in the place of older ones."""
        for statement in self.upserts(table):
            connection.execute(
                statement, [{f"_{name}": value for name, value in row.items()} for row in rows]
            )

    def remove(self, connection: Connection, table: Table, keys: Mapping[tuple[str, ...], int]) -> None:
        """Remove rows of states that are not newer."""
        columns = list(table.primary_key.columns)
        same = [column == bindparam(f"_{column.name}") for column in columns]
        statement = delete(table).where(*same, table.c.time_us <= bindparam("_time_us"))
        names = [f"_{column.name}" for column in columns]
        connection.execute(
            statement, [dict(zip(names, key, strict=True), _time_us=at) for key, at in keys.items()]
        )

    def largest_statement(self, connection: Connection) -> int:
        """The bytes of a statement beyond which the server ends the connection."""
        return 1 << 62

    def insert_missing(self, table: Table) -> Executable:
        """An INSERT that passes over rows that are there."""
        names = [column.name for column in table.columns]
        values = [bindparam(column.name, type_=column.type) for column in table.columns]
        same = [column == bindparam(column.name, type_=column.type) for column in table.primary_key.columns]
        missing = select(*(value.label(name) for name, value in zip(names, values, strict=True)))
        return insert(table).from_select(names, missing.where(~exists().where(and_(*same))))

    def upserts(self, table: Table) -> Sequence[Executable]:
        """Statements that together put a row in the place of an older one; parameters begin with ``_``."""
        columns = {column.name: bindparam(f"_{column.name}", type_=column.type) for column in table.columns}
        same = [column == columns[column.name] for column in table.primary_key.columns]
        changed = {name: value for name, value in columns.items() if not table.c[name].primary_key}
        older = update(table).where(*same, table.c.time_us <= columns["time_us"]).values(changed)
        missing = select(*(value.label(name) for name, value in columns.items()))
        added = insert(table).from_select(list(columns), missing.where(~exists().where(and_(*same))))
        return older, added


class SQLite(Dialect):
    """SQLite: plain tuples are half as dear as rows through SQLAlchemy's types."""

    def add(self, connection: Connection, table: Table, rows: Sequence[Values], *, again: bool) -> None:
        marks = ", ".join("?" for _ in table.columns)
        statement = f"INSERT INTO {_place(connection, table)} VALUES ({marks}) ON CONFLICT DO NOTHING"
        connection.exec_driver_sql(statement, list(rows))

    def upserts(self, table: Table) -> Sequence[Executable]:
        return (_on_conflict(sqlite.insert(table), table),)


class PostgreSQL(Dialect):
    """PostgreSQL: COPY, three to five times the rate of INSERT."""

    def add(self, connection: Connection, table: Table, rows: Sequence[Values], *, again: bool) -> None:
        # COPY passes over nothing. What may be there goes by way of a table that ends with the transaction;
        # it has only the columns that are written, for somebody may have added others, with defaults of their
        # own.
        name, columns = _name(connection, table), _columns(connection, table)
        target = "hookmq_again" if again else name
        cursor = connection.connection.cursor()
        try:
            if again:
                listed = columns[1:-1]
                cursor.execute(
                    f"CREATE TEMP TABLE {target} ON COMMIT DROP AS SELECT {listed} FROM {name} WITH NO DATA"
                )
            with cursor.copy(f"COPY {target} {columns} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            if again:
                selected = f"SELECT {columns[1:-1]} FROM {target}"
                cursor.execute(f"INSERT INTO {name} {columns} {selected} ON CONFLICT DO NOTHING")
                cursor.execute(f"DROP TABLE {target}")
        finally:
            cursor.close()

    def upserts(self, table: Table) -> Sequence[Executable]:
        return (_on_conflict(postgresql.insert(table), table),)


class MySQL(Dialect):
    """MySQL and MariaDB: the driver makes one INSERT of many rows."""

    def largest_statement(self, connection: Connection) -> int:
        return int(connection.exec_driver_sql("SELECT @@max_allowed_packet").scalar() or 1 << 62)

    def add(self, connection: Connection, table: Table, rows: Sequence[Values], *, again: bool) -> None:
        marks = ", ".join("%s" for _ in table.columns)
        # INSERT IGNORE would pass over rows that are wrong as well.
        tail = " ON DUPLICATE KEY UPDATE run = run" if again else ""
        statement = f"INSERT INTO {_place(connection, table)} VALUES ({marks}){tail}"
        connection.exec_driver_sql(statement, list(rows))

    def upserts(self, table: Table) -> Sequence[Executable]:
        columns = {column.name: bindparam(f"_{column.name}", type_=column.type) for column in table.columns}
        statement = mysql.insert(table).values(columns)
        new = statement.inserted
        # They are set one after the other: the time, which decides, comes last.
        names = [name for name in columns if not table.c[name].primary_key and name != "time_us"]
        newer = new.time_us >= table.c.time_us
        changed = [(name, func.if_(newer, new[name], table.c[name])) for name in names]
        changed.append(("time_us", func.greatest(new.time_us, table.c.time_us)))
        return (statement.on_duplicate_key_update(changed),)


_DIALECTS: Mapping[str, Callable[[], Dialect]] = {
    "sqlite": SQLite,
    "postgresql": PostgreSQL,
    "mysql": MySQL,
    "mariadb": MySQL,
}


def dialect_of(name: str) -> Dialect:
    """Return how a database of this kind is written to."""
    return _DIALECTS.get(name, Dialect)()


def _on_conflict(statement: Any, table: Table) -> Executable:
    columns = {column.name: bindparam(f"_{column.name}", type_=column.type) for column in table.columns}
    statement = statement.values(columns)
    changed = {name: statement.excluded[name] for name in columns if not table.c[name].primary_key}
    upsert: Executable = statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_=changed,
        where=statement.excluded.time_us >= table.c.time_us,
    )
    return upsert


def _name(connection: Connection, table: Table) -> str:
    """Return the name of a table, in quotes if it needs some."""
    return connection.dialect.identifier_preparer.format_table(table)


def _place(connection: Connection, table: Table) -> str:
    """Return what rows are inserted into."""
    return f"{_name(connection, table)} {_columns(connection, table)}"


def _columns(connection: Connection, table: Table) -> str:
    """Return the columns that are written; somebody may have added others."""
    quote = connection.dialect.identifier_preparer.quote
    return f"({', '.join(quote(column.name) for column in table.columns)})"
