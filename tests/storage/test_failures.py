"""A database that cannot be used: at the opening an error that says why, later a count and a log."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hookmq.errors import HookMQError
from hookmq.storage import HistoryStore, history, losses, sqlite_url
from hookmq.storage.history import Record

from .reference import execute

ROOT = os.name == "posix" and os.geteuid() == 0


def rows(count: int, *, size: int = 1) -> list[Record]:
    return [(1_000.0 + n, "a/b", "c", bytes(size), 0, False, None) for n in range(count)]


def failure(url: str) -> HookMQError:
    with pytest.raises(HookMQError) as caught:
        HistoryStore(url)
    assert caught.value.code == "E601"
    return caught.value


def eventually(condition: Callable[[], bool]) -> None:
    """Waits until it holds."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program holds the whole database."""
    code = (
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "db.execute('PRAGMA locking_mode=EXCLUSIVE'); db.execute('BEGIN EXCLUSIVE')\n"
        "print('locked', flush=True); sys.stdin.read()"
    )
    program = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "locked\n"
    try:
        yield
    finally:
        program.communicate()


# Opening


def test_locked_at_the_opening(tmp_path: Path) -> None:
    HistoryStore(sqlite_url(tmp_path)).close()
    with locked(tmp_path / "history.db"):
        error = failure(sqlite_url(tmp_path))
    assert "database is locked" in error.message
    assert error.help == "end the other program that holds the database"
    HistoryStore(sqlite_url(tmp_path)).close()


def test_unlocked_during_the_opening(tmp_path: Path) -> None:
    HistoryStore(sqlite_url(tmp_path)).close()
    with locked(tmp_path / "history.db"):
        opened: list[HistoryStore] = []
        opener = threading.Thread(target=lambda: opened.append(HistoryStore(sqlite_url(tmp_path))))
        opener.start()
        time.sleep(0.3)
        assert opener.is_alive()
    opener.join()
    opened[0].close()


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    path.write_bytes(b"this is not a database, however long one looks at it\n" * 100)
    error = failure(sqlite_url(tmp_path))
    assert "file is not a database" in error.message
    assert str(error.help).endswith(f"mv {path} {path}.bad")
    assert path.read_bytes().startswith(b"this is not")


def test_a_directory_in_the_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "history.db").mkdir()
    assert "unable to open database file" in failure(sqlite_url(tmp_path)).message


def test_a_file_in_the_place_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    message = failure(sqlite_url(tmp_path / "data")).message
    assert "File exists" in message or "Not a directory" in message


@contextmanager
def as_ordinary_user() -> Iterator[None]:
    if not ROOT:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that every user can enter (pytest's own are private)."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    path.chmod(0o755)
    shutil.rmtree(path)


def test_a_read_only_directory(open_directory: Path) -> None:
    open_directory.chmod(0o555)
    with as_ordinary_user():
        error = failure(sqlite_url(open_directory))
        assert "unable to open database file" in error.message
        assert "writable" in str(error.help)
        assert "Permission denied" in failure(sqlite_url(open_directory / "new")).message


def test_a_read_only_file(open_directory: Path) -> None:
    with HistoryStore(sqlite_url(open_directory)) as store:
        store.write(rows(1))
    (open_directory / "history.db").chmod(0o444)
    open_directory.chmod(0o555)
    with as_ordinary_user():
        error = failure(sqlite_url(open_directory))
    assert "writable" in str(error.help)


def test_a_newer_schema(tmp_path: Path) -> None:
    with HistoryStore(sqlite_url(tmp_path)) as store:
        store.write(rows(3))
    execute(tmp_path / "history.db", "UPDATE hookmq_schema SET version = 7")
    error = failure(sqlite_url(tmp_path))
    assert "its schema has version 7, and this HookMQ reads version 1" in error.message
    assert "pip install --upgrade hookmq" in str(error.help)
    assert execute(tmp_path / "history.db", "SELECT count(*) FROM messages") == [(3,)]


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE hookmq_schema SET version = 0", "version 0, which no HookMQ ever wrote"),
        ("DROP TABLE messages", "its table `messages` is missing"),
        ("DROP TABLE hookmq_schema", "it has a table `messages` that HookMQ did not make"),
        ("DELETE FROM hookmq_schema", "it has a table `messages` that HookMQ did not make"),
    ],
)
def test_a_database_that_is_not_quite_ours(tmp_path: Path, statement: str, reason: str) -> None:
    HistoryStore(sqlite_url(tmp_path)).close()
    execute(tmp_path / "history.db", statement)
    assert reason in failure(sqlite_url(tmp_path)).message


@pytest.mark.parametrize(
    ("url", "driver", "extra"),
    [
        ("postgresql://hook:s3cr3t@db/hook", "psycopg", "postgres"),
        ("postgres://hook:s3cr3t@db/hook", "psycopg", "postgres"),
        ("mysql://hook:s3cr3t@db/hook", "pymysql", "mysql"),
        ("mariadb://hook:s3cr3t@db/hook", "pymysql", "mysql"),
        ("mssql://hook:s3cr3t@db/hook", "mssql_python", "mssql"),
    ],
)
def test_a_driver_that_is_not_installed(
    url: str, driver: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, driver, None)
    error = failure(url)
    assert f"the driver `{driver}` is not installed" in error.message
    assert error.help == f"install it:   pip install 'hookmq[{extra}]'"
    assert "s3cr3t" not in str(error)
    assert "hook:***@db" in error.message


@pytest.mark.parametrize(
    "url",
    [
        "no-url-s3cr3t",
        "",
        "postgresql:s3cr3t@host",
        "postgresql://user:1234@s3cr3t:port/x",
        "sqlite+nothing://user:s3cr3t@host/x",
        "nothing://user:s3cr3t@host/x",
        "nothing://host/x?password=s3cr3t&sslmode=require",
        "nothing://host/x?odbc_connect=PWD%3Ds3cr3t",
    ],
)
def test_secrets_stay_secret(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    error = failure(url)
    assert "s3cr3t" not in str(error)
    assert "s3cr3t" not in repr(error.fields)
    assert error.help
    assert error.__cause__ is None and error.__suppress_context__


# Writing


def test_locked_for_a_moment(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with HistoryStore(sqlite_url(tmp_path)) as store:
        other = sqlite3.connect(tmp_path / "history.db", isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.5, other.execute, ["ROLLBACK"])
        release.start()
        started = time.monotonic()
        store.write(rows(10))
        assert 0.4 < time.monotonic() - started < 1.9
        release.join()
        other.close()
        assert store.count() == 10
        assert store.statistics().failed_rows == 0
    assert caplog.records == []


def test_locked_for_long(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with HistoryStore(sqlite_url(tmp_path)) as store:
        store.write(rows(1))
        other = sqlite3.connect(tmp_path / "history.db", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        started = time.monotonic()
        store.write(rows(10))
        assert 1.5 < time.monotonic() - started < 2.5
        store.write(rows(7))
        statistics = store.statistics()
        assert (statistics.written_rows, statistics.failed_rows) == (1, 17)
        assert statistics.last_error == "database is locked"
        assert statistics.last_error_time == pytest.approx(time.time(), abs=5)
        # Twice within 10 s, once in the log.
        assert [record.getMessage() for record in caplog.records] == [
            "10 message(s) could not be stored in the history: database is locked\n"
            "  help: end the other program that holds the database"
        ]
        monkeypatch.setattr(losses, "_LOG_INTERVAL", 0.0)
        store.write(rows(5))
        assert caplog.records[-1].getMessage().startswith("12 message(s) could not be stored")
        other.execute("ROLLBACK")
        other.close()
        store.write(rows(3))
        assert (
            caplog.records[-1].getMessage() == "the history is being written again; 22 message(s) were lost"
        )
        assert caplog.records[-1].levelno == logging.WARNING
        store.write(rows(3))
        assert len(caplog.records) == 3
        assert store.count() == 7


def test_closing_ends_the_waiting(tmp_path: Path) -> None:
    store = HistoryStore(sqlite_url(tmp_path))
    with locked_by_connection(tmp_path / "history.db"):
        writer = threading.Thread(target=store.write, args=[rows(10)])
        writer.start()
        time.sleep(0.3)
        started = time.monotonic()
        store.close()
        writer.join()
        assert time.monotonic() - started < 0.7
    assert store.statistics().failed_rows == 10


@contextmanager
def locked_by_connection(path: Path) -> Iterator[None]:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    yield
    other.close()


def test_what_is_well_again_is_found_out_although_nothing_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "_PROBE_INTERVAL", 0.05)
    monkeypatch.setattr(history, "_PATIENCE", 0.2)
    with HistoryStore(sqlite_url(tmp_path)) as store:
        store.write(rows(1))
        with locked_by_connection(tmp_path / "history.db"):
            store.write(rows(2))
            assert not store.is_well and store._prober is not None
        eventually(lambda: store.is_well)
        eventually(lambda: store._prober is None)
        assert (store.count(), store.statistics().failed_rows) == (1, 2)  # the probe left nothing
        with locked_by_connection(tmp_path / "history.db"):
            store.write(rows(1))  # and the next outage has its own
        eventually(lambda: store.is_well)


def limit_pages(store: HistoryStore, extra: int | None) -> None:
    """Makes SQLite say that the disk is full after `extra` pages more."""
    with store._database.writing() as connection:
        pages = (
            connection.exec_driver_sql("PRAGMA page_count").scalar_one() + extra
            if extra is not None
            else 2**30
        )
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")


def test_a_full_disk_and_space_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with HistoryStore(sqlite_url(tmp_path)) as store:
        store.write(rows(5))
        limit_pages(store, 10)
        store.write(rows(100, size=4_000))
        statistics = store.statistics()
        assert (statistics.written_rows, statistics.failed_rows) == (5, 100)
        assert statistics.last_error == "database or disk is full"
        assert "history.max_age" in caplog.text
        store.write(rows(2))  # what still fits is stored
        assert store.count() == 7
        limit_pages(store, None)
        store.write(rows(100, size=4_000))
        assert store.count() == 107
    assert "written again; 100 message(s) were lost" in caplog.text


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(path)]
    if not ROOT or subprocess.run(mount, capture_output=True, check=False).returncode:
        # Nobody may mount here; a limit on the size of files is refused by the kernel in the same place.
        import resource

        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
        yield path
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        return
    yield path
    subprocess.run(["umount", str(path)], check=True)


def test_a_disk_that_is_really_full(small_disk: Path) -> None:
    with HistoryStore(sqlite_url(small_disk)) as store:
        store.write(rows(10))
        store.write(rows(500, size=4_000))
        statistics = store.statistics()
        assert (statistics.written_rows, statistics.failed_rows) == (10, 500)
        assert len(store.query()) == 10
        store.write(rows(1))
        assert store.count() == 11


def test_a_corrupt_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with HistoryStore(sqlite_url(tmp_path)) as store:
        store.write(rows(2_000, size=100))
    path = tmp_path / "history.db"
    content = bytearray(path.read_bytes())
    found = execute(path, "SELECT rootpage FROM sqlite_master WHERE tbl_name = 'hookmq_schema'")
    sound = {1, *(page for (page,) in found)}
    for start in range(0, len(content), 4_096):
        if start // 4_096 + 1 not in sound:
            content[start : start + 4_096] = b"\xa5" * 4_096
    path.write_bytes(content)
    with HistoryStore(sqlite_url(tmp_path)) as store:
        started = time.monotonic()
        store.write(rows(10))
        assert time.monotonic() - started < 1.0  # waiting would not help
        assert store.statistics().failed_rows == 10
        assert "malformed" in str(store.statistics().last_error)
        for read in (store.query().count, lambda: store.query().rows, store.count, store.query().last):
            with pytest.raises(HookMQError, match="malformed") as caught:
                read()
            assert f"mv {path} {path}.bad" in str(caught.value.help)
    assert f"mv {path} {path}.bad" in caplog.text


@pytest.mark.parametrize(
    "bad",
    [
        (float("nan"), "a", "c", b"", 0, False, None),
        (1.0, "\ud800", "c", b"", 0, False, None),
        (1.0, object(), "c", b"", 0, False, None),
        (1.0, None, "c", b"", 0, False, None),
        (1.0, "a", "c", b"", 2**70, False, None),
        (1.0, "a", "c", b"", 0, False, {"x": object()}),
        (1.0, "a", "c"),
    ],
)
def test_one_bad_row_is_lost_alone(bad: Any, caplog: pytest.LogCaptureFixture) -> None:
    with HistoryStore() as store:
        store.write([*rows(100), bad, *rows(50), bad])
        statistics = store.statistics()
        assert (statistics.written_rows, statistics.failed_rows) == (150, 2)
        assert store.count() == 150
        assert len(caplog.records) == 1
        store.write(rows(1))
        assert len(caplog.records) == 1  # it was no outage, so there is nothing to say about its end


def test_failing_removal_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    HistoryStore(sqlite_url(tmp_path)).close()
    store = HistoryStore(sqlite_url(tmp_path), max_rows=5, prune_interval=0.01)
    store.write(rows(20))
    execute(tmp_path / "history.db", "DROP TABLE messages")
    time.sleep(0.5)
    store.close()
    (record,) = caplog.records
    assert "could not be removed" in record.getMessage()
