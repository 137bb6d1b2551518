"""The tables of the storage, their version, and how an older one becomes the present one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    inspect,
    select,
    update,
)
from sqlalchemy.dialects import mssql, mysql, postgresql

__all__ = ["MIGRATIONS", "SCHEMA_VERSION", "SchemaMismatch", "Tables"]

SCHEMA_VERSION = 1
"""Version of the tables below."""

MIGRATIONS: Mapping[int, Callable[[Connection, Tables], None]] = MappingProxyType({})
"""From each older version to the one behind it, in one transaction where the database can do that."""

_PART = "storage"

# Compared byte by byte, as MQTT compares names [MQTT-4.7.3-4].
_name = (
    Text()
    .with_variant(postgresql.TEXT(collation="C"), "postgresql")
    .with_variant(mysql.VARCHAR(700, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")
    .with_variant(mssql.NVARCHAR(700, collation="Latin1_General_100_BIN2"), "mssql")
)
# A filter and a client identifier together are a key: of 3072 bytes in MySQL and 1700 in SQL Server.
_short = (
    Text()
    .with_variant(postgresql.TEXT(collation="C"), "postgresql")
    .with_variant(mysql.VARCHAR(350, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")
    .with_variant(mssql.NVARCHAR(400, collation="Latin1_General_100_BIN2"), "mssql")
)
_text = Text().with_variant(mysql.LONGTEXT(charset="utf8mb4"), "mysql", "mariadb")
_bytes: Any = mssql.VARBINARY("max")  # type: ignore[no-untyped-call]
_payload = LargeBinary().with_variant(mysql.LONGBLOB, "mysql", "mariadb").with_variant(_bytes, "mssql")


class SchemaMismatch(Exception):
    """The database has tables that are not, or not yet, ours. ``help`` says what to do."""

    def __init__(self, reason: str, help: str) -> None:
        super().__init__(reason)
        self.help = help


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables, each with a prefix to its name.

    Events have the name of their record, ``run`` and ``number``, as their key: what is written a second time
    is there once. ``time_us`` is always microseconds since 1970 in UTC. The others hold how things are at
    present: which clients there are, what they are subscribed to, what is retained.

    >>> [table.name for table in Tables.named("mqtt_").events]
    ['mqtt_received', 'mqtt_sent', 'mqtt_connections', 'mqtt_errors']
    """

    metadata: MetaData
    received: Table
    sent: Table
    connections: Table
    errors: Table
    clients: Table
    subscriptions: Table
    retained: Table
    versions: Table

    @property
    def events(self) -> tuple[Table, ...]:
        """What happened; the oldest go when it is too much."""
        return (self.received, self.sent, self.connections, self.errors)

    @property
    def states(self) -> tuple[Table, ...]:
        """How things are."""
        return (self.clients, self.subscriptions, self.retained)

    @classmethod
    def named(cls, prefix: str) -> Tables:
        """Return the tables under names that begin with a prefix."""
        metadata = MetaData()

        def event(name: str, *columns: Column[Any]) -> Table:
            return Table(
                prefix + name,
                metadata,
                Column("run", BigInteger, primary_key=True, autoincrement=False),
                Column("number", BigInteger, primary_key=True, autoincrement=False),
                Column("time_us", BigInteger, nullable=False),
                Column("client_id", _name, nullable=False),
                *columns,
                Index(f"{prefix}{name}_time", "time_us"),
            )

        def message(name: str, *columns: Column[Any]) -> Table:
            table = event(
                name,
                Column("topic", _name, nullable=False),
                Column("payload", _payload, nullable=False),
                Column("qos", SmallInteger, nullable=False),
                Column("retain", Boolean, nullable=False),
                Column("properties", JSON(none_as_null=True)),
                *columns,
            )
            Index(f"{prefix}{name}_topic", table.c.topic, table.c.time_us)
            return table

        return cls(
            metadata,
            received=message("received"),
            sent=message("sent", Column("packet_id", Integer)),
            connections=event(
                "connections",
                Column("event", String(20), nullable=False),
                Column("username", _text),
                Column("address", String(64)),
                Column("port", Integer),
                Column("version", String(8)),
                Column("clean_start", Boolean),
                Column("keep_alive", Integer),
                Column("reason", _text),
            ),
            errors=event(
                "errors",
                Column("level", String(10), nullable=False),
                Column("source", String(100), nullable=False),
                Column("text", _text, nullable=False),
            ),
            clients=Table(
                f"{prefix}clients",
                metadata,
                Column("client_id", _name, primary_key=True),
                Column("time_us", BigInteger, nullable=False),
                Column("connected", Boolean, nullable=False),
                Column("username", _text),
                Column("address", String(64)),
                Column("version", String(8)),
                Column("reason", _text),
            ),
            subscriptions=Table(
                f"{prefix}subscriptions",
                metadata,
                Column("client_id", _short, primary_key=True),
                Column("filter", _short, primary_key=True),
                Column("time_us", BigInteger, nullable=False),
                Column("qos", SmallInteger, nullable=False),
            ),
            retained=Table(
                f"{prefix}retained",
                metadata,
                Column("topic", _name, primary_key=True),
                Column("time_us", BigInteger, nullable=False),
                Column("client_id", _name, nullable=False),
                Column("payload", _payload, nullable=False),
                Column("qos", SmallInteger, nullable=False),
            ),
            versions=Table(
                "hookmq_schema",
                metadata,
                Column("part", String(64), primary_key=True),
                Column("version", Integer, nullable=False),
            ),
        )

    def prepare(self, connection: Connection) -> None:
        """Make the tables in a new database, bring older ones up to date. To be called in a transaction.

        Raises:
            SchemaMismatch: when a newer HookMQ made them, or another program has tables of these names.
        """
        present = set(inspect(connection).get_table_names())
        part = f"{_PART} {self.received.name.removesuffix('received')}".strip()
        of_part = self.versions.c.part == part
        version = None
        if self.versions.name in present:
            version = connection.scalar(select(self.versions.c.version).where(of_part))
        ours = [table.name for table in (*self.events, *self.states)]
        if version is None:
            if taken := present.intersection(ours):
                raise SchemaMismatch(
                    f"it has a table `{min(taken)}` that HookMQ did not make",
                    "name another database, or give the tables another prefix",
                )
            self.metadata.create_all(connection)
            connection.execute(self.versions.insert().values(part=part, version=SCHEMA_VERSION))
            return
        if version > SCHEMA_VERSION:
            raise SchemaMismatch(
                f"its tables have version {version}, and this HookMQ writes version {SCHEMA_VERSION}",
                "upgrade:   pip install --upgrade hookmq   (or name another database)",
            )
        if missing := set(ours) - present:
            raise SchemaMismatch(
                f"its table `{min(missing)}` is missing", "restore it from a backup, or name another database"
            )
        for older in range(version, SCHEMA_VERSION):
            MIGRATIONS[older](connection, self)
        if version < SCHEMA_VERSION:
            connection.execute(update(self.versions).where(of_part).values(version=SCHEMA_VERSION))
