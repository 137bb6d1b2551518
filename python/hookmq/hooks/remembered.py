"""Who was let in not long ago: what `Allow(ttl=)` and `Identity(ttl=)` spare."""

from __future__ import annotations

import os
import threading
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .._hookmq import Client

__all__ = ["Remembered"]

MOST = 10_000
"""Clients that are remembered; beyond it all are forgotten, and asked about again."""


class Remembered:
    """Clients by what they showed, and until when. Passwords are kept as keyed hashes, for this process only.

    >>> Remembered().recall(b"somebody") is None
    True
    """

    def __init__(self) -> None:
        self._secret = os.urandom(32)
        self._lock = threading.Lock()
        self._known: dict[bytes, tuple[float, str | None]] = {}
        self.generation = 0
        """Changes whenever everyone is forgotten."""

    def key(self, client: Client) -> bytes:
        """Return what a client is known by: all that it showed."""
        import hashlib

        shown = (
            client.client_id,
            client.username,
            client.password_bytes,
            client.certificate,
            client.listener,
            client.address,  # services may decide by where a client comes from
        )
        return hashlib.blake2b(repr(shown).encode(), key=self._secret).digest()

    def recall(self, key: bytes) -> tuple[str | None] | None:
        """Return the user name that was given, in a tuple; ``None`` if nobody is known by this key now."""
        with self._lock:
            until, user = self._known.get(key, (0.0, None))
            if time.monotonic() < until:
                return (user,)
            self._known.pop(key, None)
            return None

    def remember(self, key: bytes, ttl: float, user: str | None, generation: int) -> None:
        """Remember a client for so many seconds, unless everyone was forgotten since it was asked about."""
        with self._lock:
            if generation != self.generation:
                return
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[key] = (time.monotonic() + ttl, user)

    def forget(self) -> None:
        """Forget everyone: others decide now."""
        with self._lock:
            self.generation += 1
            self._known.clear()
