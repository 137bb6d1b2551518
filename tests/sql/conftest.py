"""Databases: SQLite in a file, and real servers that are started once."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from hookmq.connectors import SQL

from ..servers.mariadb import MariaDB
from ..servers.postgresql import PostgreSQL

SERVERS = {
    "postgresql": (
        "PostgreSQL (apt install postgresql)",
        any(Path("/usr/lib/postgresql").glob("*/bin/initdb")),
    ),
    "mariadb": ("MariaDB (apt install mariadb-server)", shutil.which("mariadbd") is not None),
}
INSTALLED = tuple(kind for kind, (_, there) in SERVERS.items() if there)
KINDS = ("sqlite", *INSTALLED)


def pytest_report_collectionfinish() -> list[str]:
    return [f"left out, not installed: {what}" for what, there in SERVERS.values() if not there]


@pytest.fixture(scope="session")
def open_directory() -> Iterator[Path]:
    """A directory that everybody may enter, unlike pytest's: PostgreSQL does not run as root."""
    with tempfile.TemporaryDirectory(prefix="hookmq-tests-") as place:
        Path(place).chmod(0o755)
        yield Path(place)


@pytest.fixture(scope="session")
def servers(open_directory: Path) -> Iterator[Callable[[str], Any]]:
    """`servers("postgresql")` is started when it is first asked for."""
    started: dict[str, Any] = {}

    def server(kind: str) -> Any:
        if kind not in started:
            made = {"postgresql": PostgreSQL, "mariadb": MariaDB}[kind]
            started[kind] = made(open_directory / kind)
        return started[kind]

    yield server
    for one in started.values():
        one.close()


class Database:
    """An empty database, and what is in it."""

    def __init__(self, kind: str, url: str) -> None:
        self.kind, self.url = kind, url

    def rows(self, table: str, *columns: str, order: str = "time_us") -> list[tuple[Any, ...]]:
        """What is in a table."""
        listed = ", ".join(columns) or "count(*)"
        tail = f" ORDER BY {order}" if columns else ""
        engine = sqlalchemy.create_engine(SQL(self.url)._database.writer.url)
        try:
            with engine.connect() as connection:
                found = connection.exec_driver_sql(f"SELECT {listed} FROM {table}{tail}")
                return [tuple(row) for row in found]
        finally:
            engine.dispose()

    def count(self, table: str) -> int:
        """How many rows are in a table."""
        return int(self.rows(table)[0][0])


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """A database without tables; its kind is the parameter, or SQLite."""
    kind = getattr(request, "param", "sqlite")
    if kind == "sqlite":
        return Database(kind, f"sqlite:///{tmp_path}/plant.db")
    server = request.getfixturevalue("servers")(kind)
    server.empty()
    return Database(kind, server.url)
