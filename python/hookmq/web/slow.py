"""Requests whose answers may take seconds, on threads of their own: others need not wait behind them."""

from __future__ import annotations

import queue
import re
from collections.abc import Callable

__all__ = ["SlowAnswers", "is_slow"]

THREADS = 2
WAITING = 100
"""Requests that wait for a thread; further ones are refused."""

_SLOW = re.compile(r"/api/v1/(history(/.*)?|shared/.+/chart|hooks/.+/run|widgets/.+|security/explain|reload)")


def is_slow(path: str) -> bool:
    """Say whether an answer may take long: what reads much of the history, or calls functions of the app.

    >>> is_slow("/api/v1/history/chart"), is_slow("/healthz")
    (True, False)
    """
    return _SLOW.fullmatch(path) is not None


class SlowAnswers:
    """Makes answers one after the other.

    Args:
        start: starts a thread with a name; its function is called with it.

    >>> import threading
    >>> slow = SlowAnswers(lambda name, run: threading.Thread(target=run, args=(name,)).start())
    >>> slow.put(lambda: None)
    True
    >>> slow.close()
    """

    def __init__(self, start: Callable[[str, Callable[[str], None]], None]) -> None:
        self._waiting: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        for index in range(THREADS):
            start(f"slow-page-{index}", self._run)

    def put(self, answer: Callable[[], None]) -> bool:
        """Let an answer be made. Returns whether there was room."""
        if self._waiting.qsize() >= WAITING:
            return False
        self._waiting.put(answer)
        return True

    def close(self) -> None:
        """End the threads behind what waits."""
        for _ in range(THREADS):
            self._waiting.put(None)

    def _run(self, name: str) -> None:
        while (answer := self._waiting.get()) is not None:
            answer()
