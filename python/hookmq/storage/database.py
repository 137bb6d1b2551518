"""The engines of a history database (one writer, many readers), and the words for what went wrong with it."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import StaticPool

from hookmq.errors import HookMQError

# The writer asks again itself (see history.py), where close() can interrupt it; SQLite's own waiting cannot
# be.
_WRITER_WAIT = 0.1
# In WAL mode a reader waits for nobody, but recovery after a crash and other programs may lock the file for a
# moment.
_READER_WAIT = 5.0

# What a plain "mysql://" means here: the drivers of our extras, rather than SQLAlchemy's defaults.
_DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "mssql": "mssql+mssqlpython",
}
_EXTRAS = {"postgresql": "postgres", "mysql": "mysql", "mariadb": "mysql", "mssql": "mssql"}
_NAMES = {
    "sqlite": "SQLite",
    "postgresql": "PostgreSQL",
    "mysql": "MySQL",
    "mariadb": "MariaDB",
    "mssql": "SQL Server",
}
_SECRET = re.compile(r"pass|pwd|secret|token|odbc_connect", re.IGNORECASE)

_REMEDIES = (
    ("is locked", "end the other program that holds the database"),
    ("is full", "free some space on the disk, or lower history.max_age or history.max_rows"),
    ("readonly", "make the file and its directory writable for the user of the broker"),
    ("unable to open", "make sure that the directory exists and is writable for the user of the broker"),
    ("disk i/o", "check the disk and the free space"),
    ("malformed", "restore the file from a backup, or move it away:   mv {path} {path}.bad"),
    ("not a database", "restore the file from a backup, or move it away:   mv {path} {path}.bad"),
)


@dataclass(frozen=True, slots=True)
class Database:
    """An open database: `writing()` for the one writer, `reading()` for everybody else."""

    url: str
    """The URL with every secret replaced by `***`."""
    name: str
    """What to call the database: "SQLite", "PostgreSQL", …"""
    location: str
    """Where it is, in words: the path of the file, "in memory", or the URL without secrets."""
    writer: Engine
    reader: Engine
    shared: threading.Lock | None
    """Held around every use of the one connection that a database in memory has."""
    secrets: tuple[str, ...]

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction of the writer, committed at the end, rolled back on an exception."""
        with _held(self.shared), self.writer.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection to read from. Keep it for one short query: in memory it makes the writer wait."""
        with _held(self.shared), self.reader.connect() as connection:
            yield connection

    def close(self) -> None:
        """Closes the connections that are not in use; a reader at work closes its own when it is done."""
        self.reader.dispose()
        if self.writer is not self.reader:
            self.writer.dispose()

    def unusable(self, error: BaseException) -> HookMQError:
        """The error as E601, in words without secrets and with the remedy."""
        reason = self.reason(error)
        return HookMQError("E601", help=self.remedy(reason), url=self.url, reason=reason)

    def reason(self, error: BaseException) -> str:
        """What the database said, on one line, without secrets."""
        return _reason(error, self.secrets)

    def remedy(self, reason: str) -> str:
        """What to do about a reason."""
        return _remedy(reason, self.location)


def open_database(url: str, *, timeout: float | None = None) -> Database:
    """Makes the engines; SQLAlchemy connects them when they are first used.

    With `timeout` a server that is silent for so many seconds is given up, as far as its driver can do that.

    Raises:
        HookMQError: E601, when the URL is none, its driver is missing or the directory cannot be made.
    """
    parsed = _parse(url)
    shown, secrets = _redact(parsed)
    backend = parsed.get_backend_name()
    options: dict[str, Any] = {"hide_parameters": True}  # payloads do not belong in a log
    try:
        if backend != "sqlite":
            options |= {"pool_pre_ping": True, "connect_args": _timeouts(parsed, timeout)}
            writer = create_engine(parsed, pool_size=1, max_overflow=0, **options)
            reader = create_engine(parsed, pool_size=4, max_overflow=12, **options)
            return Database(shown, _NAMES.get(backend, backend), shown, writer, reader, None, secrets)
        path = _sqlite_path(parsed)
        if path is None:
            # A second connection to a database in memory would see another, empty database.
            memory = create_engine(
                parsed, poolclass=StaticPool, connect_args={"check_same_thread": False}, **options
            )
            return Database(shown, "SQLite", "in memory", memory, memory, threading.Lock(), secrets)
        path.parent.mkdir(parents=True, exist_ok=True)
        writer = create_engine(
            parsed, pool_size=1, max_overflow=0, connect_args={"timeout": _WRITER_WAIT}, **options
        )
        reader = create_engine(
            parsed, pool_size=4, max_overflow=12, connect_args={"timeout": _READER_WAIT}, **options
        )
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise _no_driver(shown, backend, error) from None
    except (ArgumentError, OSError, TypeError, ValueError) as error:
        reason = _reason(error, secrets)
        raise HookMQError("E601", help=_remedy(reason, shown), url=shown, reason=reason) from None
    event.listen(writer, "connect", _make_writer)
    event.listen(reader, "connect", _make_reader)
    return Database(shown, "SQLite", str(path), writer, reader, None, secrets)


@contextmanager
def _held(lock: threading.Lock | None) -> Iterator[None]:
    if lock is None:
        yield
    else:
        with lock:
            yield


def _make_writer(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    # Readers do not wait for the writer, nor it for them. Where the file system cannot do that (some network
    # shares), SQLite keeps its old journal and everything still works, one after the other.
    cursor.execute("PRAGMA journal_mode=WAL")
    # In WAL mode a crash of the program loses nothing, a power cut at most the last moments: history is no
    # ledger.
    cursor.execute("PRAGMA synchronous=NORMAL")
    # After a long read the log shrinks again.
    cursor.execute("PRAGMA journal_size_limit=67108864")
    cursor.close()


def _make_reader(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA query_only=ON")
    cursor.close()


def _parse(text: str) -> URL:
    try:
        url = make_url(text)
        driver = _DRIVERS.get(url.drivername, url.drivername)
        return url.set(drivername=driver)
    except (ArgumentError, ValueError):
        # The text could be anything, a password too: only what is before "://" is safe to show.
        scheme, separator, _ = text.partition("://")
        shown = f"{scheme}://…" if separator and re.fullmatch(r"[a-z0-9+_]+", scheme) else "…"
        raise HookMQError(
            "E601",
            help="write it like   sqlite:///data/history.db   or   postgresql://user:password@host/database",
            url=shown,
            reason="it is not a database URL",
        ) from None


def _redact(url: URL) -> tuple[str, tuple[str, ...]]:
    secrets = {name: value for name, value in url.query.items() if _SECRET.search(name)}
    hidden = url.update_query_dict(dict.fromkeys(secrets, "***"))
    values = [str(url.password)] if url.password else []
    for value in secrets.values():
        values += [value] if isinstance(value, str) else value
    return hidden.render_as_string(hide_password=True).replace("%2A%2A%2A", "***"), tuple(values)


def _sqlite_path(url: URL) -> Path | None:
    if url.database in {None, "", ":memory:"} or url.query.get("mode") == "memory":
        return None
    name = str(url.database)
    return Path(name.removeprefix("file:").partition("?")[0] if name.startswith("file:") else name)


def _reason(error: BaseException, secrets: tuple[str, ...]) -> str:
    if isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    else:
        text = " ".join(str(error).split()) or type(error).__name__
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def _remedy(reason: str, location: str) -> str:
    lowered = reason.lower()
    for words, remedy in _REMEDIES:
        if words in lowered:
            return remedy.format(path=location)
    return "check the database and the setting history.url"


def _timeouts(url: URL, timeout: float | None) -> dict[str, Any]:
    """What the driver is told; the URL has the last word."""
    if timeout is None:
        return {}
    seconds = max(1, round(timeout))
    match url.drivername:
        case "postgresql+psycopg":
            # The server ends a statement, the kernel a connection whose other end does not answer; who waits
            # for a server that is frozen is woken by closing the socket.
            told: dict[str, Any] = {
                "connect_timeout": seconds,
                "options": f"-c statement_timeout={seconds * 1000}",
                "tcp_user_timeout": seconds * 1000,
            }
        case "mysql+pymysql" | "mariadb+pymysql":
            told = {"connect_timeout": seconds, "read_timeout": seconds, "write_timeout": seconds}
        case _:
            told = {}
    return {name: value for name, value in told.items() if name not in url.query}


def _no_driver(shown: str, backend: str, error: Exception) -> HookMQError:
    if isinstance(error, ModuleNotFoundError) and error.name and backend in _EXTRAS:
        return HookMQError(
            "E601",
            help=f"install it:   pip install 'hookmq[{_EXTRAS[backend]}]'",
            url=shown,
            reason=f"the driver `{error.name}` is not installed",
        )
    return HookMQError(
        "E601",
        help="use sqlite, postgresql, mysql, mariadb or mssql, or install the driver that SQLAlchemy needs",
        url=shown,
        reason=" ".join(str(error).split()),
    )
