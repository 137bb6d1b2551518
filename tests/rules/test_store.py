"""Where versions are kept: nothing that was answered is lost, and what is damaged is told."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from hookmq.errors import HookMQError
from hookmq.rules.store import KEPT, RuleStore


def rule(name: str = "hot", n: int = 0) -> dict[str, object]:
    return {"name": name, "sql": f"SELECT {n} FROM 't'"}


def test_versions_go_on_counting(tmp_path: Path) -> None:
    with RuleStore(tmp_path / "rules.db") as store:
        assert [store.add(rule(n=n), "changed", "me").version for n in range(3)] == [1, 2, 3]
        store.remove("hot", "me")
        assert store.rules() == {}
    with RuleStore(tmp_path / "rules.db") as store:
        assert store.add(rule(), "created", "you").version == 5
        assert [version.version for version in store.versions("hot")] == [5, 4, 3, 2, 1]
        assert list(store.rules()) == ["hot"] and store.rules()["hot"].version == 5
        assert store.versions("none") == []


def test_switched(tmp_path: Path) -> None:
    with RuleStore(tmp_path / "rules.db") as store:
        store.switch("a", False, "me")
        store.switch("b", True, "me")
        store.switch("b", None, "me")
    with RuleStore(tmp_path / "rules.db") as store:
        assert store.switched() == {"a": False}


def test_many_threads() -> None:
    with RuleStore(None) as store:
        threads = [
            threading.Thread(target=lambda: [store.add(rule(), "changed", "x") for _ in range(50)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [version.version for version in store.versions("hot")] == list(range(200, 0, -1))


def test_the_oldest_versions_go() -> None:
    with RuleStore(None) as store:
        for n in range(KEPT + 10):
            store.add(rule(n=n), "changed", "x")
        versions = store.versions("hot")
        assert (len(versions), versions[0].version, versions[-1].version) == (KEPT, KEPT + 10, 11)


def test_a_later_format_and_a_damaged_file(tmp_path: Path) -> None:
    later = sqlite3.connect(tmp_path / "later.db")
    later.execute("PRAGMA user_version = 99")
    later.close()
    (tmp_path / "damaged.db").write_bytes(b"no database at all" * 500)
    for name, words in (("later.db", "its format 99 is later"), ("damaged.db", "not a database")):
        with pytest.raises(HookMQError) as caught:
            RuleStore(tmp_path / name)
        assert caught.value.code == "E602" and words in str(caught.value)
