"""The broker's log file, and the logger that extensions are given."""

from __future__ import annotations

import contextlib
import logging
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
        self._level = getattr(logging, file.level.upper())
        self._handler: logging.Handler | None = None
        self._users = 0
        self._before: dict[str, int] = {}
        self.extensions = logger(EXTENSIONS)
        """What extensions know as ``logger_p``."""

    def open(self) -> None:
        """Begin to write. A file that cannot be written costs the file, not the broker."""
        self._users += 1
        if self._users > 1:
            return
        # A level that somebody set, as `hookmq run` does, is kept.
        for one in (logger(), self.extensions):
            self._before[one.name] = one.level
            if one.level == logging.NOTSET:
                one.setLevel(self._level)
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
        for name, level in self._before.items():
            logger(name).setLevel(level)

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """Write while a block runs."""
        self.open()
        try:
            yield
        finally:
            self.close()
