"""The file of records that a service will never take."""

from __future__ import annotations

import contextlib
import json
import threading
from pathlib import Path

from ..log import logger
from .record import Record

__all__ = ["DeadLetters"]

MAX_BYTES = 64 << 20
"""A file that is larger becomes ``….1``, and the one before it is gone."""


class DeadLetters:
    """Keeps what was rejected, with the reason, one JSON value a line; without a path it is only logged.

    >>> DeadLetters(None).count
    0
    """

    def __init__(self, path: Path | None, *, max_bytes: int = MAX_BYTES) -> None:
        self.path = path
        self.max_bytes = max_bytes
        self.count = 0
        """Rejected since the start."""
        self._lock = threading.Lock()

    def add(self, name: str, record: Record, reason: str) -> None:
        """Keep a record that the connector ``name`` cannot place. Never raises."""
        with self._lock:
            self.count += 1
            seldom = self.count & (self.count - 1) == 0  # the 1st, 2nd, 4th, 8th, …
            kept = self._write(record, reason)
        if seldom:
            where = f"it is kept in {self.path}" if kept else "it is lost"
            logger("hookmq.connectors").warning(
                "%s refused a record of %s (%d until now): %s; %s",
                name,
                record.topic or record.client_id or record.kind,
                self.count,
                reason,
                where,
            )

    def _write(self, record: Record, reason: str) -> bool:
        if self.path is None:
            return False
        with contextlib.suppress(Exception):  # the caller has others to see to
            line = f'{{"reason":{json.dumps(reason)},"record":{record.to_json()}}}\n'
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.path.exists() and self.path.stat().st_size > self.max_bytes:
                self.path.replace(self.path.with_name(self.path.name + ".1"))
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line)
            return True
        return False
