"""How often something may be tried in vain."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

__all__ = ["Throttle"]

FREE = 5
"""Failures after which waiting begins, unless it is said otherwise: 1 s, then twice as long each time."""

FORGET = 3600.0
"""Seconds after the last failure until all is forgotten."""

MOST = 10_000
"""Keys that are remembered; beyond it those are forgotten that failed longest ago."""


class Throttle:
    """Lets each key fail some times, and then only after longer and longer pauses.

    ``longest`` is the longest pause, ``free`` are the failures after which waiting begins. A try counts as
    failed until it has succeeded, so that many at the same time are not more than many one after the other.

    >>> now = 0.0
    >>> throttle = Throttle(60.0, lambda: now)
    >>> [throttle.attempt("anna") for _ in range(7)]
    [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0]
    >>> now = 1.0
    >>> throttle.attempt("anna"), throttle.attempt("anna"), throttle.attempt("bob")
    (0.0, 2.0, 0.0)
    """

    def __init__(self, longest: float, clock: Callable[[], float], *, free: int = FREE) -> None:
        self._longest = longest
        self._free = free
        self._clock = clock
        self._lock = threading.Lock()
        self._failed: OrderedDict[str, tuple[int, float]] = OrderedDict()
        """From a key to how often it failed, and when it did so last."""

    def attempt(self, key: str) -> float:
        """Begin a try and return 0, or return the seconds to wait before one."""
        now = self._clock()
        with self._lock:
            if (wait := self._wait(key, now)) > 0:
                return wait
            count, last = self._failed.get(key, (0, now))
            self._failed[key] = (1 if now - last > FORGET else count + 1, now)
            self._failed.move_to_end(key)
            if len(self._failed) > MOST:
                self._failed.popitem(last=False)
            return 0.0

    def wait(self, key: str) -> float:
        """Return the seconds to wait before a try, without beginning one."""
        with self._lock:
            return self._wait(key, self._clock())

    def _wait(self, key: str, now: float) -> float:
        count, last = self._failed.get(key, (0, now))
        if count < self._free or now - last > FORGET:
            return 0.0
        pause: float = min(self._longest, 2.0 ** min(count - self._free, 30))
        return max(0.0, last + pause - now)

    def succeeded(self, key: str, *, forget: bool) -> None:
        """Take a try back that did not fail; with ``forget`` also those before it that did."""
        with self._lock:
            count, last = self._failed.get(key, (0, 0.0))
            if forget or count <= 1:
                self._failed.pop(key, None)
            else:
                self._failed[key] = (count - 1, last)

    def clear(self) -> None:
        """Forget all failures."""
        with self._lock:
            self._failed.clear()

    def __len__(self) -> int:
        return len(self._failed)
