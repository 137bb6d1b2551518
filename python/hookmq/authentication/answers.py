"""What a service said not long ago, for answers that the broker's own memory does not keep."""

from __future__ import annotations

import hashlib
import os
import threading
import time

from ..decisions import Deny
from .lease import Lease

__all__ = ["Answers"]

MOST = 10_000
"""Answers that are kept; beyond it the oldest are forgotten."""


class Answers:
    """Refusals and leases, by what the client showed, and until when.

    The broker remembers who was allowed (``Allow(ttl=)``), but neither who was refused, nor when a connection
    that it lets in without a question has to end. Credentials are kept as hashes with a key that is made anew
    for each process: nobody can look one up in a dump of its memory.

    >>> answers = Answers()
    >>> key = answers.key(("tank", b"secret"))
    >>> answers.keep(key, Deny("no"), 60)
    >>> str(answers.recall(key)), answers.recall(answers.key(("tank", b"other")))
    ('no', None)
    """

    def __init__(self) -> None:
        self._secret = os.urandom(32)
        self._lock = threading.Lock()
        self._kept: dict[bytes, tuple[float, Deny | Lease]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def key(self, shown: tuple[object, ...]) -> bytes:
        """Return what an answer is kept under."""
        return hashlib.blake2b(repr(shown).encode("utf-8", "surrogatepass"), key=self._secret).digest()

    def keep(self, key: bytes, answer: Deny | Lease, seconds: float) -> None:
        """Keep an answer for so many seconds."""
        if seconds <= 0:
            return
        with self._lock:
            self._kept.pop(key, None)
            while len(self._kept) >= MOST:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = time.monotonic() + seconds, answer

    def recall(self, key: bytes) -> Deny | Lease | None:
        """Return what was answered; ``None`` if nothing was, or it holds no longer."""
        with self._lock:
            until, answer = self._kept.get(key, (0.0, None))
            if answer is not None and time.monotonic() >= until:
                del self._kept[key]
                return None
            return answer

    def forget(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()
