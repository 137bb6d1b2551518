"""What a start shows while it reads the store, and what it says when it cannot."""

from __future__ import annotations

import sys
import time

from ._hookmq import StoreError
from .errors import HookMQError

__all__ = ["Recovering", "store_error"]

_PATIENCE = 0.5
"""Seconds that nobody is told of."""

_HELP = {
    "in use": "another broker runs on this data directory: stop it, or name another with --data-dir",
    "newer": "update HookMQ (pip install -U hookmq), or restore a backup that this version has made",
    "foreign": "a file of another store was put there: move it away",
    "unidentified": "restore a backup (hookmq restore), or move the directory away to begin anew",
    "system": "see whether it can be written to and the disk has room, or name another with --data-dir",
}


class Recovering:
    """Shows on stderr how far the reading of a store is, if that is a terminal and it takes a while."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._shown = False

    def __call__(self, done: int, total: int) -> None:
        """``done`` of ``total`` bytes were read."""
        if not sys.stderr.isatty() or (not self._shown and time.monotonic() - self._began < _PATIENCE):
            return
        self._shown = True
        width = 30
        filled = width * done // max(total, 1)
        bar = "━" * filled + " " * (width - filled)
        end = "\r\033[K" if done >= total else ""
        text = f"\rreading the store {bar} {done / 2**20:,.0f} of {total / 2**20:,.0f} MiB{end}"
        print(text, end="", file=sys.stderr, flush=True)


def store_error(error: StoreError) -> HookMQError:
    """Return the error of the catalogue for one of the native module."""
    why, path, reason = error.args
    return HookMQError("E602", help=_HELP[why], path=path, reason=reason)
