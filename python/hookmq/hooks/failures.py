"""What hooks raise, in the log: at once and whole the first time, then counted."""

from __future__ import annotations

import threading
import time

from ..log import logger

__all__ = ["FailureLog"]

_NAME = "hookmq.hooks"

QUIET = 10.0
"""Seconds from one report of a hook to its next; what comes between is counted."""


class FailureLog:
    """Reports what hooks raise without filling the log: a hook that fails for each of a million messages
    is reported at once, and then every ten seconds with a count.

    >>> log = FailureLog()
    >>> log.dropped("watch", 3)
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[str, float] = {}
        self._silent: dict[str, int] = {}

    def failed(self, name: str, error: BaseException) -> None:
        """Report that a hook raised."""
        if (count := self._count(name, 1)) == 1:
            logger(_NAME).error("%s raised %s", name, _short(error), exc_info=error)
        elif count:
            logger(_NAME).error("%s raised %d times, last %s", name, count, _short(error), exc_info=error)

    def dropped(self, name: str, events: int) -> None:
        """Report that events for a hook were dropped, because it is slower than they come."""
        if count := self._count(f"{name} (dropped)", events):
            logger(_NAME).warning("%s is too slow: %d events were dropped", name, count)

    def invalid(self, name: str, problem: str) -> None:
        """Report payloads that are not what a hook's annotations say."""
        if count := self._count(f"{name} (invalid)", 1):
            logger(_NAME).warning(
                "%s was given %d payloads that are not what it asks for, last: %s", name, count, problem
            )

    def _count(self, key: str, number: int) -> int:
        """Return how many to report now, 0 for none yet."""
        now = time.monotonic()
        with self._lock:
            number += self._silent.pop(key, 0)
            if now - self._last.get(key, -QUIET) < QUIET:
                self._silent[key] = number
                return 0
            self._last[key] = now
            return number


def _short(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception as own:  # a mistake in the exception must not end the thread that reports it
        text = f"(its text cannot be had: {type(own).__name__})"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
