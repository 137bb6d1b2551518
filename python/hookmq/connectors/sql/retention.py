"""Removes events that are too old, or too many."""

from __future__ import annotations

import time

from sqlalchemy import Connection, Table, delete, func, select

__all__ = ["Retention"]

EVERY = 60.0
"""Seconds from one look to the next."""

ROWS = 2_000
"""Rows removed in one transaction: some 20 ms in which nothing else is written."""


class Retention:
    """Bounds on the rows of each table of events, kept in small steps between batches.

    Args:
        max_age: seconds after which an event is forgotten; ``None`` keeps it.
        max_rows: rows of each table beyond which the oldest go.
    """

    def __init__(self, max_age: float | None, max_rows: int | None) -> None:
        for name, value in (("max_age", max_age), ("max_rows", max_rows)):
            if value is not None and value <= 0:
                raise ValueError(f"{name} must be positive, not {value!r}")
        self.max_age, self.max_rows = max_age, max_rows
        self.removed = 0
        """Rows removed until now."""
        self._next = 0.0
        self._left: list[Table] = []

    def is_due(self) -> bool:
        """Whether there may be something to remove now."""
        if self.max_age is None and self.max_rows is None:
            return False
        return bool(self._left) or time.monotonic() >= self._next

    def step(self, connection: Connection, tables: tuple[Table, ...], now: float | None = None) -> int:
        """Remove some rows. Return how many."""
        if not self._left:
            self._left = list(tables)
            self._next = time.monotonic() + EVERY
        table = self._left[0]
        count = self._remove(connection, table, time.time() if now is None else now)
        if count < ROWS:
            self._left.pop(0)
        self.removed += count
        return count

    def _remove(self, connection: Connection, table: Table, now: float) -> int:
        limits = []
        if self.max_age is not None:
            limits.append(round((now - self.max_age) * 1_000_000))
        if self.max_rows is not None:
            newest = select(table.c.time_us).order_by(table.c.time_us.desc())
            surplus = connection.scalar(newest.offset(self.max_rows).limit(1))
            if surplus is not None:
                limits.append(surplus + 1)
        if not limits:
            return 0
        oldest = select(table.c.time_us).where(table.c.time_us < max(limits)).order_by(table.c.time_us)
        # Not more than so many at a time; of those that happened in the same microsecond all or none.
        step = oldest.limit(ROWS).subquery()
        until = connection.scalar(select(func.max(step.c.time_us)))
        if until is None:
            return 0
        return connection.execute(delete(table).where(table.c.time_us <= until)).rowcount
