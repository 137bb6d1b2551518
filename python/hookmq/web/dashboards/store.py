"""All dashboards there are."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import threading
import time
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..problem import Problem
from ..schema import BadValue
from .dashboard import Dashboard
from .folder import LARGEST, Folder
from .layout import read_layout

__all__ = ["Dashboards"]

MOST = 500
"""Dashboards that there are at most."""

_LIST = "GET /api/v1/dashboards lists those there are"


class Dashboards:
    """Keeps dashboards, in ``DATA_DIR/dashboards`` or in memory without a directory.

    They are read when they are first asked for. Any thread may ask.

    >>> dashboards = Dashboards()
    >>> made = dashboards.add({"title": "Tanks", "widgets": [{"id": "a", "kind": "tank", "topic": "tank/1"}]})
    >>> made.id[:6], made.version, dashboards.change(made.id, {"title": "All tanks"}).version
    ('tanks-', 1, 2)
    """

    def __init__(self, directory: Path | None = None, clock: Callable[[], float] = time.time) -> None:
        self._folder = None if directory is None else Folder(directory / "dashboards")
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[str, Dashboard] | None = None
        self._shared: dict[bytes, str] = {}

    def all(self) -> list[Dashboard]:
        """Return every dashboard, by title."""
        with self._lock:
            there = list(self._there().values())
        return sorted(there, key=lambda one: (one.title.casefold(), one.id))

    def find(self, id: str) -> Dashboard | None:
        """Return a dashboard, if there is one."""
        with self._lock:
            return self._there().get(id)

    def get(self, id: str) -> Dashboard:
        """Return a dashboard. Raises a problem (404) if there is none."""
        found = self.find(id)
        if found is None:
            raise Problem(404, f"there is no dashboard `{id[:64]}`", help=_LIST)
        return found

    def of_token(self, token: str) -> Dashboard | None:
        """Return what a link shows."""
        with self._lock:
            self._there()
            # By its hash: how long that takes says nothing about tokens that are right in part.
            id = self._shared.get(_digest(token))
            return None if id is None else self._there().get(id)

    def add(self, value: Any) -> Dashboard:
        """Take a new dashboard, also one that was exported. Raises a problem for what is wrong with it."""
        layout = _read(value)
        with self._lock:
            there = self._there()
            if len(there) >= MOST:
                raise Problem(409, f"there are {MOST} dashboards already", help="remove one that is not used")
            made = Dashboard(
                self._free_id(layout["title"], there), version=1, updated_at=self._clock(), **layout
            )
            return self._keep(made)

    def change(self, id: str, value: Any, check: Callable[[int], None] = lambda version: None) -> Dashboard:
        """Put something else in the place of a dashboard.

        ``check`` is given the version that is there, and raises if it is not the one that is meant.
        """
        layout = _read(value)
        with self._lock:
            before = self._one(id)
            check(before.version)
            version = before.version + 1
            return self._keep(replace(before, version=version, updated_at=self._clock(), **layout))

    def remove(self, id: str, check: Callable[[int], None] = lambda version: None) -> None:
        """Forget a dashboard, and the link to it."""
        with self._lock:
            before = self._one(id)
            check(before.version)
            if self._folder is not None:
                self._folder.remove(id)
            if before.share is not None:
                self._shared.pop(_digest(before.share), None)
            del self._there()[id]

    def share(self, id: str) -> str:
        """Return the token of the link by which anybody may look at a dashboard; it has 256 random bits."""
        with self._lock:
            before = self._one(id)
            if before.share is None:
                before = self._keep(replace(before, share=secrets.token_urlsafe(32)))
            assert before.share is not None
            return before.share

    def unshare(self, id: str) -> None:
        """Let the link show nothing any more."""
        with self._lock:
            before = self._one(id)
            if before.share is not None:
                self._keep(replace(before, share=None))
                self._shared.pop(_digest(before.share), None)

    # With the lock held ---------------------------------------------------------------------------------

    def _there(self) -> dict[str, Dashboard]:
        if self._kept is None:
            found = [] if self._folder is None else self._folder.read()
            self._kept = {one.id: one for one in found}
            self._shared = {
                _digest(one.share): one.id for one in self._kept.values() if one.share is not None
            }
        return self._kept

    def _one(self, id: str) -> Dashboard:
        found = self._there().get(id)
        if found is None:
            raise Problem(404, f"there is no dashboard `{id[:64]}`", help=_LIST)
        return found

    def _keep(self, dashboard: Dashboard) -> Dashboard:
        if self._folder is not None:
            self._folder.write(dashboard)
        self._there()[dashboard.id] = dashboard
        if dashboard.share is not None:
            self._shared[_digest(dashboard.share)] = dashboard.id
        return dashboard

    def _free_id(self, title: str, there: dict[str, Dashboard]) -> str:
        plain = unicodedata.normalize("NFKD", title.casefold()).encode("ascii", "ignore").decode()
        slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-") or "dashboard"
        while True:
            id = f"{slug}-{secrets.token_hex(3)}"
            if id not in there and not (self._folder is not None and self._folder.has(id)):
                return id


def _read(value: Any) -> dict[str, Any]:
    """Return what was sent as title, columns and widgets. Raises a problem that names the member."""
    try:
        layout = read_layout(value)
        size = len(json.dumps(layout, ensure_ascii=False).encode(errors="backslashreplace"))
    except RecursionError:
        raise Problem(400, "the dashboard is nested too deeply") from None
    except BadValue as error:
        raise Problem(400, str(error), more={"member": error.where}) from None
    if size > LARGEST:
        raise Problem(413, "the dashboard has more than 1 MiB", code="too_large", help="make it two")
    return layout


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()
