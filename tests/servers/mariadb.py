"""MariaDB, as Debian has it."""

from __future__ import annotations

import contextlib
import getpass
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pymysql

from .process import Process, free_port


class MariaDB:
    """A server in a directory; `url` is that of its database `plant`."""

    kind = "mariadb"

    def __init__(self, directory: Path, environment: Mapping[str, str] | None = None) -> None:
        self.port = free_port()
        directory.mkdir(parents=True, exist_ok=True)
        data, user = directory / "mariadb", getpass.getuser()
        subprocess.run(
            [
                *("mariadb-install-db", "--no-defaults", f"--datadir={data}", f"--user={user}"),
                *("--auth-root-authentication-method=normal", "--skip-test-db"),
            ],
            check=True,
            capture_output=True,
        )
        self.process = Process(
            [
                *("mariadbd", "--no-defaults", f"--datadir={data}", f"--user={user}"),
                *(f"--port={self.port}", "--bind-address=127.0.0.1", f"--socket={directory}/mariadb.sock"),
                *(
                    "--innodb-flush-log-at-trx-commit=2",
                    "--innodb-buffer-pool-size=64M",
                    "--skip-name-resolve",
                ),
            ],
            directory / "mariadb.log",
            environment=environment,
        )
        self.start()
        self.execute("CREATE DATABASE plant CHARACTER SET utf8mb4")
        self.execute("CREATE USER mqtt@'127.0.0.1' IDENTIFIED BY 'secret'")
        self.execute("GRANT ALL ON plant.* TO mqtt@'127.0.0.1'")

    @property
    def url(self) -> str:
        return f"mariadb://mqtt:secret@127.0.0.1:{self.port}/plant"

    def execute(self, statement: str, database: str | None = None) -> list[tuple[object, ...]]:
        """Run a statement as root; return its rows."""
        connection = pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user="root",
            database=database,
            autocommit=True,
            connect_timeout=5,
        )
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def empty(self) -> None:
        """Make the database anew."""
        self.execute("DROP DATABASE plant")
        self.execute("CREATE DATABASE plant CHARACTER SET utf8mb4")

    def start(self) -> None:
        self.process.start(lambda: self.execute("SELECT 1"), seconds=60)

    def stop(self) -> None:
        self.process.stop()

    def kill(self) -> None:
        """As a crash."""
        self.process.stop(signal.SIGKILL)

    def freeze(self) -> None:
        self.process.freeze()

    def thaw(self) -> None:
        self.process.thaw()

    def reset_connections(self) -> None:
        """End every session of the database in the middle of what it does."""
        for (number,) in self.execute("SELECT id FROM information_schema.processlist WHERE user = 'mqtt'"):
            with contextlib.suppress(pymysql.err.OperationalError):  # it has gone by itself
                self.execute(f"KILL {number}")

    @contextlib.contextmanager
    def locked(self, table: str) -> Iterator[None]:
        """Somebody has a table for themselves."""
        connection = pymysql.connect(host="127.0.0.1", port=self.port, user="root", database="plant")
        with connection, connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLES {table} WRITE")
            yield

    @contextlib.contextmanager
    def another_password(self) -> Iterator[None]:
        """The password was changed."""
        self.execute("ALTER USER mqtt@'127.0.0.1' IDENTIFIED BY 'another'")
        yield
        self.execute("ALTER USER mqtt@'127.0.0.1' IDENTIFIED BY 'secret'")

    def close(self) -> None:
        if self.process.process is not None:
            self.thaw()
        self.stop()
