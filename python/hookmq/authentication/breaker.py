"""A circuit breaker: a service that is down is left alone for a while, and clients are answered at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["Breaker"]


class Breaker:
    """Opens after some failures in a row; when ``pause`` is over, one question is let through to try.

    Args:
        failures: how many in a row open it; 0 never does.
        pause: seconds until a trial, and between two of them. A trial that never comes back needs no care.
        clock: what tells the time, in seconds.

    >>> now = 0.0
    >>> breaker = Breaker(failures=2, pause=10, clock=lambda: now)
    >>> breaker.failed(), breaker.admits(), breaker.failed(), breaker.admits()
    (None, True, None, False)
    >>> now = 10.0
    >>> breaker.admits(), breaker.admits()  # one of them is the trial
    (True, False)
    >>> breaker.answered(), breaker.admits()
    (None, True)
    """

    def __init__(
        self, *, failures: int = 5, pause: float = 10.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = failures
        self._pause = pause
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._next_trial: float | None = None  # None while it is closed

    @property
    def is_open(self) -> bool:
        """Whether the service is left alone."""
        return self._next_trial is not None

    def admits(self) -> bool:
        """Say whether the service may be asked now."""
        if self._next_trial is None:  # read without the lock: asked for each client
            return True
        with self._lock:
            now = self._clock()
            if self._next_trial is None:
                return True
            if now < self._next_trial:
                return False
            self._next_trial = now + self._pause
            return True

    def answered(self) -> None:
        """Note that the service has answered, whatever it was: close."""
        if not self._failures:
            return
        with self._lock:
            self._failures, self._next_trial = 0, None

    def failed(self) -> None:
        """Note that the service could not be asked."""
        with self._lock:
            self._failures += 1
            if self._most and self._failures >= self._most:
                self._next_trial = self._clock() + self._pause
