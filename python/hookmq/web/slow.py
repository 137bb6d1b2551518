"""Requests whose answers may take seconds, on threads of their own: others need not wait behind them."""

from __future__ import annotations

import re
import threading
from collections import deque
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
    """Makes answers, of those who ask in turn: who asks for many waits for himself.

    Args:
        start: starts a thread with a name; its function is called with it.

    >>> import threading
    >>> slow = SlowAnswers(lambda name, run: threading.Thread(target=run, args=(name,)).start())
    >>> slow.put("anna", lambda: None)
    True
    >>> slow.close()
    """

    def __init__(self, start: Callable[[str, Callable[[str], None]], None]) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[str, deque[Callable[[], None]]] = {}
        self._count = 0
        self._closed = False
        for index in range(THREADS):
            start(f"slow-page-{index}", self._run)

    def put(self, who: str, answer: Callable[[], None]) -> bool:
        """Let an answer to somebody be made. Returns whether there was room."""
        with self._changed:
            if self._count >= WAITING:
                return False
            self._count += 1
            self._waiting.setdefault(who, deque()).append(answer)
            self._changed.notify()
            return True

    def close(self) -> None:
        """End the threads behind what waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            while not self._waiting:
                if self._closed:
                    return None
                self._changed.wait()
            who = next(iter(self._waiting))
            theirs = self._waiting.pop(who)
            answer = theirs.popleft()
            if theirs:
                self._waiting[who] = theirs  # behind the others
            self._count -= 1
            return answer

    def _run(self, name: str) -> None:
        while (answer := self._next()) is not None:
            answer()
