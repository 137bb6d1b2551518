"""What hooks raise, in the log: at once and whole the first time, then counted."""

from __future__ import annotations

import os
import threading
import time

from ..log import logger
from ..records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

    from .traces import Trace

__all__ = ["Failure", "FailureLog"]

_NAME = "hookmq.hooks"

_OURS = os.path.dirname(os.path.dirname(__file__)) + os.sep
"""Frames of the package itself say nothing about the user's code."""

QUIET = 10.0
"""Seconds from one report of a hook to its next; what comes between is counted."""

KEPT = 1000
"""Hooks and jobs whose last error is kept."""


class Failure(Record):
    """The last error of a hook or a job: when it was (Unix seconds), and how many there were."""

    trace: Trace
    at: float
    count: int


class _Last:
    """What is kept of the last error, so that the next one of the same place costs next to nothing."""

    __slots__ = ("at", "count", "place", "summary", "trace")

    def __init__(self) -> None:
        self.count = 0
        self.at = 0.0
        self.place: Hashable = None
        self.summary = ""
        self.trace: Trace | None = None


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
        self._errors: dict[str, _Last] = {}

    def last_error(self, name: str) -> Failure | None:
        """Return the last error of a hook or a job, None if it had none.

        >>> log = FailureLog()
        >>> log.last_error("watch")
        """
        with self._lock:
            last = self._errors.get(name)
            if last is None or last.trace is None:
                return None
            from .traces import Trace

            trace = last.trace
            if trace.error != last.summary:  # the same place has raised again, with other words
                text = trace.text.removesuffix(trace.error) + last.summary
                trace = Trace(last.summary, text, trace.frames)
            return Failure(trace, last.at, last.count)

    def _keep(self, name: str, error: BaseException) -> None:
        from .traces import Trace, code_of, summary

        place, words = code_of(error), summary(error)
        chained = error.__cause__ is not None or error.__context__ is not None or hasattr(error, "__notes__")
        with self._lock:
            last = self._errors.get(name)
            if last is None:
                if len(self._errors) >= KEPT:
                    del self._errors[next(iter(self._errors))]
                last = self._errors[name] = _Last()
            now = time.time()
            # What has a story of its own is told anew, but not for each of a million messages.
            known = last.place == place and (not chained or now - last.at < 0.5)
            last.count += 1
            last.at, last.summary = now, words
            if known:
                return
            last.place = place
        trace = Trace.of(error, skip=_OURS)
        with self._lock:
            last.trace = trace

    def failed(self, name: str, error: BaseException) -> None:
        """Report that a hook raised."""
        from .traces import summary

        self._keep(name, error)
        if (count := self._count(name, 1)) == 1:
            logger(_NAME).error("%s raised %s", name, summary(error), exc_info=error)
        elif count:
            logger(_NAME).error("%s raised %d times, last %s", name, count, summary(error), exc_info=error)

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
