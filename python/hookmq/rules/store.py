"""Where rules of the HTTP API are kept with all their versions, and which rules were switched off."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import HookMQError

__all__ = ["FILE", "RuleStore", "Version"]

FILE = "rules.db"
"""Its name in the data directory."""

KEPT = 1000
"""Versions of a rule that are kept; the oldest go first."""

_FORMAT = 1

_TABLES = """
CREATE TABLE IF NOT EXISTS versions (
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    time REAL NOT NULL,
    who TEXT NOT NULL,
    change TEXT NOT NULL,
    rule TEXT,
    PRIMARY KEY (name, version)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS switched (
    name TEXT PRIMARY KEY,
    enabled INTEGER NOT NULL,
    time REAL NOT NULL,
    who TEXT NOT NULL
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a rule."""

    version: int
    """Counted from 1; a rule that is removed and made again goes on counting."""
    time: float
    """When it was made, in Unix seconds."""
    who: str
    """Who made it, as far as that is known."""
    change: str
    """``"created"``, ``"changed"``, ``"enabled"``, ``"disabled"``, ``"removed"``, ``"restored from 3"``."""
    rule: dict[str, Any] | None
    """The rule as a table; ``None`` if it was removed."""


class RuleStore:
    """A database of SQLite; in memory without a path.

    Each change is in the file, and synchronized, when the method that makes it returns.

    >>> with RuleStore(None) as store:
    ...     store.add({"name": "hot", "sql": "…"}, "created", "me").version
    ...     [version.change for version in store.versions("hot")]
    1
    ['created']
    """

    def __init__(self, path: Path | None) -> None:
        self._where = "memory" if path is None else str(path)
        self._lock = threading.Lock()
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # rules may have secrets in them
            target = ":memory:" if path is None else str(path)
            self._database = sqlite3.connect(target, check_same_thread=False, isolation_level=None)
            with self._writing(open_now=False) as database:
                (version,) = database.execute("PRAGMA user_version").fetchone()
                if version > _FORMAT:
                    raise HookMQError(
                        "E602",
                        path=self._where,
                        reason=f"its format {version} is later than this HookMQ's",
                        help="upgrade:   pip install --upgrade hookmq",
                    )
                database.executescript(_TABLES)
                database.execute(f"PRAGMA user_version = {_FORMAT}")
        except sqlite3.Error as error:
            raise self._unusable(error) from None
        except OSError as error:
            raise HookMQError("E602", path=self._where, reason=(error.strerror or str(error))) from None

    def __enter__(self) -> RuleStore:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it."""
        with self._lock:
            self._database.close()

    # Rules ----------------------------------------------------------------------------------------------

    def rules(self) -> dict[str, Version]:
        """Return the newest version of each rule that there is."""
        with self._reading() as database:
            rows = database.execute(
                "SELECT name, version, time, who, change, rule FROM versions AS v WHERE rule IS NOT NULL"
                " AND version = (SELECT max(version) FROM versions WHERE name = v.name) ORDER BY name"
            ).fetchall()
        return {name: _version(rest) for name, *rest in rows}

    def versions(self, name: str) -> list[Version]:
        """Return every version of a rule, the newest first; also of one that was removed."""
        with self._reading() as database:
            rows = database.execute(
                "SELECT version, time, who, change, rule FROM versions WHERE name = ? ORDER BY version DESC",
                (name,),
            ).fetchall()
        return [_version(row) for row in rows]

    def add(self, rule: dict[str, Any], change: str, who: str) -> Version:
        """Add a version of a rule, and return it."""
        return self._add(str(rule["name"]), rule, change, who)

    def remove(self, name: str, who: str) -> Version:
        """Add the version in which a rule is no more."""
        return self._add(name, None, "removed", who)

    def _add(self, name: str, rule: dict[str, Any] | None, change: str, who: str) -> Version:
        text = None if rule is None else json.dumps(rule, ensure_ascii=False)
        with self._writing() as database:
            (last,) = database.execute(
                "SELECT coalesce(max(version), 0) FROM versions WHERE name = ?", (name,)
            ).fetchone()
            made = Version(last + 1, time.time(), who, change, rule)
            database.execute(
                "INSERT INTO versions (name, version, time, who, change, rule) VALUES (?, ?, ?, ?, ?, ?)",
                (name, made.version, made.time, who, change, text),
            )
            database.execute(
                "DELETE FROM versions WHERE name = ? AND version <= ?", (name, made.version - KEPT)
            )
        return made

    # What was switched ----------------------------------------------------------------------------------

    def switched(self) -> dict[str, bool]:
        """Return which rules of settings, files and Python were enabled or disabled, against their text."""
        with self._reading() as database:
            rows = database.execute("SELECT name, enabled FROM switched").fetchall()
        return {name: bool(enabled) for name, enabled in rows}

    def switch(self, name: str, enabled: bool | None, who: str) -> None:
        """Remember that a rule was switched; ``None`` forgets it: what its text says holds again."""
        with self._writing() as database:
            if enabled is None:
                database.execute("DELETE FROM switched WHERE name = ?", (name,))
            else:
                database.execute(
                    "INSERT OR REPLACE INTO switched (name, enabled, time, who) VALUES (?, ?, ?, ?)",
                    (name, int(enabled), time.time(), who),
                )

    # Inside ---------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _writing(self, *, open_now: bool = True) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                if open_now:
                    self._database.execute("BEGIN IMMEDIATE")
                yield self._database
                if open_now:
                    self._database.execute("COMMIT")
            except BaseException as error:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise self._unusable(error) from None
                raise

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._database
            except sqlite3.Error as error:
                raise self._unusable(error) from None

    def _unusable(self, error: sqlite3.Error) -> HookMQError:
        return HookMQError("E602", path=self._where, reason=str(error))


def _version(row: Any) -> Version:
    version, at, who, change, rule = row
    return Version(version, at, who, change, None if rule is None else json.loads(rule))
