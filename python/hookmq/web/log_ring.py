"""The last records of the log, for those who look at them in a browser."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from ..records import Record

__all__ = ["LEVELS", "Entry", "LogRing"]

KEPT = 2000
"""Records that are kept."""

_LONGEST = 16_000
"""Characters of a message, and of a traceback, that are kept."""

LEVELS = ("debug", "info", "warning", "error", "critical")


class Entry(Record):
    """A record; ``number`` grows by one from record to record."""

    number: int
    at: float
    level: str
    logger: str
    message: str
    traceback: str | None


class LogRing(logging.Handler):
    """Keeps the last records of the package's log.

    >>> ring = LogRing()
    >>> ring.handle(logging.makeLogRecord({"msg": "the door is open", "levelno": 30, "name": "hookmq"}))
    True
    >>> [(entry.number, entry.level, entry.message) for entry in ring.entries()]
    [(1, 'warning', 'the door is open')]
    """

    def __init__(self) -> None:
        super().__init__()
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._number = 0
        self._changed = threading.Lock()
        self._told: list[Callable[[Entry], None]] = []

    def install(self) -> None:
        """Begin to keep what the package logs."""
        logger = logging.getLogger("hookmq")
        logger.addHandler(self)

    def remove(self) -> None:
        """Keep nothing more."""
        logging.getLogger("hookmq").removeHandler(self)

    def watch(self, told: Callable[[Entry], None]) -> Callable[[], None]:
        """Call ``told`` for each record from now on; return what ends that."""
        self._told = [*self._told, told]

        def end() -> None:
            self._told = [one for one in self._told if one is not told]

        return end

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        try:
            message = record.getMessage()
        except Exception:  # its arguments do not fit, which is no reason to lose it
            message = str(record.msg)
        traceback = None
        if record.exc_info is not None and record.exc_info[0] is not None:
            traceback = logging.Formatter().formatException(record.exc_info)
        with self._changed:
            self._number += 1
            entry = Entry(
                self._number,
                record.created or time.time(),
                _level(record.levelno),
                record.name,
                message[:_LONGEST],
                None if traceback is None else traceback[-_LONGEST:],
            )
            self._entries.append(entry)
        for told in self._told:
            told(entry)
        # A program that has set up no log sees warnings all the same, as if nobody kept records here.
        last = logging.lastResort
        if last is not None and record.levelno >= last.level and not _is_handled(record.name):
            last.handle(record)

    def entries(
        self,
        level: str = "debug",
        search: str | None = None,
        before: int | None = None,
        *,
        shown: Callable[[str], str] = str,
    ) -> list[Entry]:
        """Return what is kept, newest first: from a level on, with a text in it, before a number.

        The text is searched in what ``shown`` makes of a record: nobody finds what he is not shown.
        """
        least, wanted = LEVELS.index(level), None if search is None else search.lower()
        with self._changed:
            kept = list(self._entries)
        return [
            entry
            for entry in reversed(kept)
            if LEVELS.index(entry.level) >= least
            and (before is None or entry.number < before)
            and (
                wanted is None
                or wanted in shown(f"{entry.logger} {entry.message} {entry.traceback or ''}").lower()
            )
        ]


def _is_handled(name: str) -> bool:
    """Say whether somebody else does something with a record of a logger."""
    logger: logging.Logger | None = logging.getLogger(name)
    while logger is not None:
        if any(not isinstance(one, LogRing) for one in logger.handlers):
            return True
        logger = logger.parent if logger.propagate else None
    return False


def _level(number: int) -> str:
    """Return the level of a number.

    >>> _level(logging.INFO), _level(35), _level(1)
    ('info', 'warning', 'debug')
    """
    return LEVELS[min(max(number // 10, 1), len(LEVELS)) - 1]
