"""Opening, writing, removing, reopening: real SQLite files."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hookmq.errors import HookMQError
from hookmq.storage import HistoryStore, history, sqlite_url
from hookmq.storage.history import Record

from . import reference


def rows(count: int, *, start: float = 1_000.0, topic: str = "a/b") -> list[Record]:
    return [(start + n, topic, "c", b"%d" % n, 0, False, None) for n in range(count)]


def wait_until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def test_importing_hookmq_errors_does_not_import_sqlalchemy() -> None:
    code = "import hookmq.errors, sys; sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_rows_outlive_the_store(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)
    written = reference.random_rows(3, 500)
    with HistoryStore(url) as store:
        store.write(written[:250])
    with HistoryStore(url) as store:
        assert store.count() == 250
        store.write(written[250:])
        assert store.count() == 500
        assert store.statistics().written_rows == 250
    with HistoryStore(url) as store:
        assert sorted(row.payload for row in store.query()) == sorted(
            row[3] for row in written if not row[1].startswith("$")
        )


def test_the_file_is_plain_sqlite_in_wal_mode(tmp_path: Path) -> None:
    with HistoryStore(sqlite_url(tmp_path)) as store:
        store.write([(1.5, "a/b", "c", b"x", 1, True, {"k": b"\x00"}), (2.5, "a/b", "c", b"y", 0, False, {})])
        file = tmp_path / "history.db"
        assert reference.execute(file, "PRAGMA journal_mode") == [("wal",)]
        columns = "time_us, topic, client_id, payload, qos, retain"
        assert reference.execute(file, f"SELECT {columns} FROM messages") == [
            (1_500_000, "a/b", "c", b"x", 1, 1),
            (2_500_000, "a/b", "c", b"y", 0, 0),
        ]
        found = reference.execute(file, "SELECT properties FROM messages")
        assert found == [('{"k": {"$base64": "AA=="}}',), (None,)]
        assert reference.execute(file, "SELECT part, version FROM hookmq_schema") == [("history", 1)]


def test_the_directory_is_made_and_may_have_any_name(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "50% off? #1 & 日本:x@y"
    with HistoryStore(sqlite_url(directory)) as store:
        store.write(rows(1))
        assert store.location == str(directory / "history.db")
        assert store.kind == "SQLite"
    assert (directory / "history.db").exists()


def test_in_memory() -> None:
    with HistoryStore("sqlite://") as one, HistoryStore("sqlite:///:memory:") as other:
        one.write(rows(3))
        assert (one.count(), other.count()) == (3, 0)
        assert one.location == other.location == "in memory"


def test_writing_nothing() -> None:
    with HistoryStore() as store:
        store.write([])
        assert store.statistics() == history.HistoryStatistics(0, 0, 0, None, None)


def test_flush_brings_everything_to_the_main_file(tmp_path: Path) -> None:
    with HistoryStore(sqlite_url(tmp_path)) as store:
        store.write(rows(100))
        store.flush()
        copy = tmp_path / "copy.db"
        copy.write_bytes((tmp_path / "history.db").read_bytes())
        assert reference.execute(copy, "SELECT count(*) FROM messages") == [(100,)]
    store.flush()


def test_the_barrier_is_asked_before_each_reading() -> None:
    calls: list[int] = []
    waiting: list[Record] = []

    def barrier() -> None:
        calls.append(1)
        store.write(waiting)
        waiting.clear()

    with HistoryStore(barrier=barrier) as store:
        for read in (lambda query: query.count(), lambda query: len(query.rows), lambda query: len([*query])):
            waiting += rows(1)
            before = len(calls)
            assert read(store.query()) == before + 1
            assert len(calls) == before + 1
        waiting += rows(1, topic="other")
        assert [row.topic for row in store.query().last(by="topic")] == ["a/b", "other"]
        assert len(calls) == 4


def test_closing_twice_and_using_afterwards(tmp_path: Path) -> None:
    store = HistoryStore(sqlite_url(tmp_path))
    store.write(rows(2))
    query = store.query()
    store.close()
    store.close()
    for use in (store.count, store.prune, lambda: query.rows):
        with pytest.raises(HookMQError, match="closed") as caught:
            use()
        assert caught.value.code == "E601"
    store.write(rows(5))
    assert store.statistics().failed_rows == 5


def test_removing_by_age(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "_PRUNE_ROWS", 7)
    now = time.time()
    with HistoryStore(sqlite_url(tmp_path), max_age=100) as store:
        store.write([(now + n, "a", "c", b"%d" % n, 0, False, None) for n in range(50)])
        assert store.prune(now + 100) == 0
        assert store.prune(now + 120.5) == 21
        assert [row.text for row in store.query()] == [str(n) for n in range(21, 50)]
        assert store.prune(now + 120.5) == 0
        assert store.statistics().pruned_rows == 21


def test_removing_by_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "_PRUNE_ROWS", 7)
    url = sqlite_url(tmp_path)
    written = reference.random_rows(4, 200, levels=["a", "b"])
    with HistoryStore(url) as store:
        store.write(written)
    with HistoryStore(url, max_rows=60, prune_interval=3600) as store:
        wait_until(lambda: store.count() == 60)  # at the opening, in the background
        assert [row.payload for row in store.query()] == [row[3] for row in reference.select(written, "#")][
            -60:
        ]
        # More of them, older than what is there: these go first.
        store.write(rows(30, start=0.0))
        assert store.prune() == 30
        assert store.prune() == 0
        assert [row.payload for row in store.query()] == [row[3] for row in reference.select(written, "#")][
            -60:
        ]


def test_removing_again_and_again(tmp_path: Path) -> None:
    with HistoryStore(sqlite_url(tmp_path), max_rows=10, prune_interval=0.02) as store:
        for _ in range(3):
            store.write(rows(50))
            wait_until(lambda: store.count() == 10)
        assert store.statistics().pruned_rows == 140


def test_batches_are_written_between_removals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "_PRUNE_ROWS", 50)
    with HistoryStore(sqlite_url(tmp_path)) as store:
        store.write(rows(4_000))
        store.max_age = 1.0
        remover = threading.Thread(target=store.prune)
        remover.start()
        wait_until(lambda: store.statistics().pruned_rows > 0)
        written = 0
        while remover.is_alive():
            store.write(rows(1, start=time.time()))
            written += 1
        remover.join()
        assert written > 10
        assert store.query(since="1h").count() == written


@pytest.mark.parametrize("limits", [{"max_age": 0}, {"max_rows": -1}, {"prune_interval": 0}])
def test_limits_must_be_positive(limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        HistoryStore(**limits)  # type: ignore[arg-type]


@pytest.mark.parametrize("where", ["file", "memory"])
def test_readers_while_writing(tmp_path: Path, where: str) -> None:
    """Every reader sees whole batches, in order, and never an error."""
    batch, batches, readers = 100, 60, 4
    problems: list[str] = []
    done = threading.Event()

    with HistoryStore(sqlite_url(tmp_path) if where == "file" else "sqlite://") as store:

        def read() -> None:
            try:
                seen = 0
                while not done.is_set():
                    numbers = [row.json() for row in store.query("a/+")]
                    if numbers != [*range(len(numbers))] or len(numbers) % batch or len(numbers) < seen:
                        problems.append(f"{len(numbers)} rows after {seen}")
                    seen = len(numbers)
                    if seen and [row.topic for row in store.query("a/+").last(by="topic")] != ["a/b"]:
                        problems.append("no last row")
            except Exception as error:
                problems.append(repr(error))

        threads = [threading.Thread(target=read) for _ in range(readers)]
        for thread in threads:
            thread.start()
        for number in range(batches):
            start = number * batch
            store.write(
                [(float(n), "a/b", "c", b"%d" % n, 0, False, None) for n in range(start, start + batch)]
            )
        done.set()
        for thread in threads:
            thread.join()
        assert problems == []
        assert store.count() == batch * batches
        assert store.statistics().failed_rows == 0


def test_a_reader_that_rests_does_not_stop_the_writer(tmp_path: Path) -> None:
    with HistoryStore(sqlite_url(tmp_path)) as store:
        store.write(rows(3_000))
        resting = iter(store.query())
        next(resting)
        started = time.monotonic()
        store.write(rows(10, start=9_000.0))
        assert time.monotonic() - started < 1.0
        assert store.prune() == 0
        assert sum(1 for _ in resting) == 2_999


def test_rows_removed_during_an_iteration_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hookmq.storage import query

    monkeypatch.setattr(query, "_SORT_COST", 0.001)
    with HistoryStore(sqlite_url(tmp_path)) as store:
        store.write(rows(100))
        reading = iter(store.query("a/+"))
        assert next(reading).text == "0"
        store.max_age = 1.0
        assert store.prune(1_051.0) == 50
        rest = [int(row.text) for row in reading]
        assert rest[-50:] == [*range(50, 100)]
        assert len(rest) < 99


def test_two_stores_open_a_new_file_at_once(tmp_path: Path) -> None:
    code = (
        "import sys; from hookmq.storage import HistoryStore\n"
        "with HistoryStore(sys.argv[1]) as store: store.write([(1.0, 'a', 'c', b'', 0, False, None)])\n"
        "sys.exit(store.statistics().failed_rows)"
    )
    programs = [
        subprocess.Popen([sys.executable, "-c", code, sqlite_url(tmp_path)], env=os.environ) for _ in range(4)
    ]
    assert [program.wait(30) for program in programs] == [0, 0, 0, 0]
    with HistoryStore(sqlite_url(tmp_path)) as store:
        assert store.count() == 4
