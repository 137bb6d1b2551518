"""PostgreSQL, as Debian has it."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg

from .process import Process, free_port


def _program(name: str) -> str:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name) or name


class PostgreSQL:
    """A cluster in a directory that everybody may enter; `url` is that of its database `plant`."""

    kind = "postgresql"

    def __init__(self, directory: Path, environment: Mapping[str, str] | None = None) -> None:
        self.port = free_port()
        self.data = directory / "pg"
        self.user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
        directory.mkdir(parents=True, exist_ok=True)
        if self.user:
            self.data.mkdir()
            owner = pwd.getpwnam(self.user)
            os.chown(self.data, owner.pw_uid, owner.pw_gid)
        subprocess.run(
            [
                _program("initdb"),
                *("-D", str(self.data), "-U", "owner", "-A", "trust"),
                *("-E", "UTF8", "--locale=C", "--no-sync"),
            ],
            check=True,
            capture_output=True,
            user=self.user,
            group=self.user,
            extra_groups=[] if self.user else None,
            cwd="/",
        )
        rules = "host all owner 127.0.0.1/32 trust\nhost all mqtt 127.0.0.1/32 scram-sha-256\n"
        (self.data / "pg_hba.conf").write_text(rules)
        settings = {"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": ""}
        settings |= {"fsync": "off", "max_connections": 100}
        flags = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        arguments = [_program("postgres"), "-D", str(self.data), *flags]
        self.process = Process(
            arguments, directory / "postgresql.log", user=self.user, environment=environment
        )
        self.start()
        self.execute("CREATE ROLE mqtt LOGIN PASSWORD 'secret'")
        self.execute("CREATE DATABASE plant OWNER mqtt")

    @property
    def url(self) -> str:
        return f"postgresql://mqtt:secret@127.0.0.1:{self.port}/plant"

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run a statement as the owner; return its rows."""
        target = f"host=127.0.0.1 port={self.port} user=owner dbname={database} connect_timeout=5"
        with psycopg.connect(target, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def empty(self) -> None:
        """Make the database anew."""
        self.execute("DROP DATABASE plant WITH (FORCE)")
        self.execute("CREATE DATABASE plant OWNER mqtt")

    def start(self) -> None:
        self.process.start(lambda: self.execute("SELECT 1"))

    def stop(self) -> None:
        self.process.stop(signal.SIGINT)  # fast shutdown

    def kill(self) -> None:
        """As a crash: everybody's connection is gone."""
        self.process.stop(signal.SIGQUIT)

    def freeze(self) -> None:
        """Every process of it hangs."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal_all(signal.SIGCONT)

    def reset_connections(self) -> None:
        """End every session of the database in the middle of what it does."""
        self.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'mqtt'")

    @contextlib.contextmanager
    def locked(self, table: str) -> Iterator[None]:
        """Somebody has a table for themselves."""
        target = f"host=127.0.0.1 port={self.port} user=owner dbname=plant"
        with psycopg.connect(target) as connection:
            connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            yield

    @contextlib.contextmanager
    def another_password(self) -> Iterator[None]:
        """The password was changed."""
        self.execute("ALTER ROLE mqtt PASSWORD 'another'")
        yield
        self.execute("ALTER ROLE mqtt PASSWORD 'secret'")

    def close(self) -> None:
        if self.process.process is not None:
            self.thaw()
        self.stop()

    def _signal_all(self, number: int) -> None:
        assert self.process.process is not None
        main = self.process.process.pid
        tasks = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        for process in (main, *map(int, tasks)):
            os.kill(process, number)
