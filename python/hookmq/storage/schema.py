"""The tables of the message history, and the check that a database has ours."""

from __future__ import annotations

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
)
from sqlalchemy.dialects import mssql, mysql, postgresql

SCHEMA_VERSION = 1
"""Version of the tables below. A database that says more was made by a newer HookMQ and is refused."""

_HISTORY = "history"

metadata = MetaData()

# Topics and client identifiers are compared byte by byte, as MQTT does [MQTT-4.7.3-4], and intervals of
# topics are searched in an index: SQLite does so by itself, elsewhere the column has to say it.
_name = (
    Text()
    .with_variant(postgresql.TEXT(collation="C"), "postgresql")
    .with_variant(mysql.TEXT(charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")
    .with_variant(mssql.NVARCHAR(800, collation="Latin1_General_100_BIN2"), "mssql")
)

messages = Table(
    "messages",
    metadata,
    # SQLite makes a primary key the row number itself only when its type is INTEGER.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    # Microseconds since 1970 (UTC) as an integer. A float column is single precision in some databases (128 s
    # at today's times), and equality, which paging by (time, id) needs, is exact only for integers. Every
    # float time with microsecond resolution survives the way here and back until the year 2106.
    Column("time_us", BigInteger, nullable=False),
    Column("topic", _name, nullable=False),
    Column("client_id", _name, nullable=False),
    Column("payload", LargeBinary().with_variant(mysql.LONGBLOB, "mysql", "mariadb"), nullable=False),
    Column("qos", SmallInteger, nullable=False),
    Column("retain", Boolean, nullable=False),
    Column("properties", JSON(none_as_null=True), nullable=True),
    # MySQL indexes TEXT only by its first characters.
    Index(
        "messages_topic_time", "topic", "time_us", mysql_length={"topic": 255}, mariadb_length={"topic": 255}
    ),
    Index("messages_time", "time_us"),
    Index(
        "messages_client_time",
        "client_id",
        "time_us",
        mysql_length={"client_id": 255},
        mariadb_length={"client_id": 255},
    ),
)
"""One row for each message that was received."""

versions = Table(
    "hookmq_schema",
    metadata,
    Column("part", String(64), primary_key=True),
    Column("version", Integer, nullable=False),
)
"""Which version each part of the database has."""


class SchemaMismatch(Exception):
    """The database has tables that are not, or not yet, ours. `help` says what to do."""

    def __init__(self, reason: str, help: str) -> None:
        super().__init__(reason)
        self.help = help


def prepare(connection: Connection) -> None:
    """Creates the tables in a new database, checks them in another. To be called in a transaction.

    Raises:
        SchemaMismatch: when a newer HookMQ made the database, or another program its `messages`.
    """
    present = set(inspect(connection).get_table_names())
    version = None
    if versions.name in present:
        version = connection.scalar(select(versions.c.version).where(versions.c.part == _HISTORY))
    if version is None:
        if messages.name in present:
            raise SchemaMismatch(
                f"it has a table `{messages.name}` that HookMQ did not make",
                "name another database in history.url",
            )
        metadata.create_all(connection)
        connection.execute(versions.insert().values(part=_HISTORY, version=SCHEMA_VERSION))
    elif version > SCHEMA_VERSION:
        raise SchemaMismatch(
            f"its schema has version {version}, and this HookMQ reads version {SCHEMA_VERSION}",
            "upgrade:   pip install --upgrade hookmq   (or name another database in history.url)",
        )
    elif version < SCHEMA_VERSION:
        raise SchemaMismatch(
            f"its schema has version {version}, which no HookMQ ever wrote",
            "restore the database from a backup, or name another one in history.url",
        )
    elif messages.name not in present:
        raise SchemaMismatch(
            f"its table `{messages.name}` is missing",
            "restore the database from a backup, or name another one in history.url",
        )
