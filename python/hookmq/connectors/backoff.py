"""How long to wait before something is tried again."""

from __future__ import annotations

import random

__all__ = ["Backoff"]


class Backoff:
    """Pauses that double from ``first`` to ``longest`` seconds, each between half and all of that.

    The jitter keeps a hundred brokers that lost the same database from coming back in the same moment.

    >>> backoff = Backoff(first=1.0, longest=3.0)
    >>> pauses = [backoff.pause() for _ in range(4)]
    >>> all(low <= pause <= high for pause, low, high in zip(pauses, (0.5, 1, 1.5, 1.5), (1, 2, 3, 3)))
    True
    """

    def __init__(self, *, first: float = 0.1, longest: float = 10.0) -> None:
        self.first, self.longest = first, longest
        self._next = first

    def pause(self) -> float:
        """The next pause in seconds."""
        pause = self._next * random.uniform(0.5, 1.0)
        self._next = min(2 * self._next, self.longest)
        return pause

    def reset(self) -> None:
        """Begin anew: it went well."""
        self._next = self.first
