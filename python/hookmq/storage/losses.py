"""The account of messages that could not be stored, and what the log says about them."""

from __future__ import annotations

import time

from hookmq.log import logger

_log = logger("hookmq.storage")

_LOG_INTERVAL = 10.0


class Losses:
    """Counts lost rows, and logs the first loss at once and then at most one line every 10 s.

    Used under the store's write lock; the counters may be read without it.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.last_error: str | None = None
        self.last_error_time: float | None = None
        self._unlogged = 0
        self._logged_at: float | None = None
        # Rows lost since the database last took a batch; None while it takes them.
        self._outage: int | None = None

    @property
    def is_away(self) -> bool:
        """Whether the database did not take the last batch."""
        return self._outage is not None

    def add(self, rows: int, reason: str, remedy: str, *, outage: bool) -> None:
        """Counts `rows` as lost. `outage`: because of the database, rather than of what is in the rows."""
        self.rows += rows
        self._unlogged += rows
        self.last_error, self.last_error_time = reason, time.time()
        if outage:
            self._outage = (self._outage or 0) + rows
        now = time.monotonic()
        if self._logged_at is None or now - self._logged_at >= _LOG_INTERVAL:
            _log.error(
                "%d message(s) could not be stored in the history: %s\n  help: %s",
                self._unlogged,
                reason,
                remedy,
            )
            self._logged_at, self._unlogged = now, 0

    def written(self) -> None:
        """Notes that the database took a batch; says so in the log when it did not before."""
        if self._outage is not None:
            _log.warning("the history is being written again; %d message(s) were lost", self._outage)
            self._outage, self._unlogged = None, 0
