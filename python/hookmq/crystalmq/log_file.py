"""The broker's log file, and the logger that extensions are given."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from logging.handlers import RotatingFileHandler

from ..log import logger
from .configuration import LogFile

__all__ = ["EXTENSIONS", "BrokerLog"]

EXTENSIONS = "hookmq.extensions"
"""The name of ``logger_p``, below the broker's own: the file has both, and so has the terminal."""


class BrokerLog:
    """Writes what the broker and its extensions log into a rotated file; ``open()`` and ``close()`` nest."""

    def __init__(self, file: LogFile) -> None:
        self._file = file
        self._level: int = getattr(logging, file.level.upper())
        self._handler: logging.Handler | None = None
        self._users = 0
        self.extensions = logger(EXTENSIONS)
        """What extensions know as ``logger_p``."""

    def open(self) -> None:
        """Begin to write. A file that cannot be written costs the file, not the broker."""
        self._users += 1
        if self._users > 1:
            return
        _levels.add(self._level)
        path = self._file.path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handler = RotatingFileHandler(
                path, maxBytes=self._file.max_bytes, backupCount=self._file.backups, encoding="utf-8"
            )
        except OSError as error:
            logger().warning("the log %s cannot be written: %s", path, error.strerror or error)
            return
        handler.setLevel(self._level)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
        logger().addHandler(handler)
        self._handler = handler

    def close(self) -> None:
        """Write no more."""
        self._users -= 1
        if self._users:
            return
        if self._handler is not None:
            logger().removeHandler(self._handler)
            self._handler.close()
            self._handler = None
        _levels.remove(self._level)

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """Write while a block runs."""
        self.open()
        try:
            yield
        finally:
            self.close()


class _Levels:
    """Lets the loggers make what the most talkative of the open logs takes.

    A level that somebody else has set, as ``hookmq run`` does, is kept.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted: list[int] = []
        self._ours: dict[str, int] = {}
        """Loggers whose level is set from here, and to what."""

    def add(self, level: int) -> None:
        """Take a log that was opened."""
        with self._lock:
            self._wanted.append(level)
            self._apply()

    def remove(self, level: int) -> None:
        """Forget a log that was closed."""
        with self._lock:
            self._wanted.remove(level)
            self._apply()

    def _apply(self) -> None:
        level = min(self._wanted, default=logging.NOTSET)
        for name in ("hookmq", EXTENSIONS):
            one = logger(name)
            if one.level == self._ours.get(name, logging.NOTSET):
                one.setLevel(level)
                self._ours[name] = level


_levels = _Levels()
