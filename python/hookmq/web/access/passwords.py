"""Passwords of accounts: Argon2id, never more than two at a time."""

from __future__ import annotations

import contextlib
import threading
import unicodedata
from collections.abc import Iterator

from ..._hookmq import hash_user, verify_user
from ...errors import HookMQError
from . import secret
from .refusal import Refusal

__all__ = ["SHORTEST", "Passwords"]

SHORTEST = 8
"""Characters that a password has at least."""

LONGEST = 1024
"""Bytes that it has at most."""

AT_ONCE = 2
"""Passwords that are hashed at one time: each takes 64 MiB and a processor for some 50 ms."""

PATIENCE = 2.0
"""Seconds that a login waits for its turn."""

# Threads that wait for their turn are missing where pages are answered.
_WAITING = 1

_NAME = "account"  # the lines of users files have names


class Passwords:
    """Hashes and checks passwords, ``at_once`` of them at a time, as long as not too many want that.

    >>> passwords = Passwords()
    >>> stored = passwords.hash("correct horse")
    >>> stored[:10], passwords.fits("correct horse", stored), passwords.fits("wrong horse", stored)
    ('$argon2id$', True, False)
    """

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._places = threading.BoundedSemaphore(at_once + _WAITING)
        self._turns = threading.BoundedSemaphore(at_once)
        self._lock = threading.Lock()
        self._decoy: str | None = None

    def hash(self, password: str) -> str:
        """Return the hash of a new password.

        Raises:
            HookMQError: E705 for one that is too short, too long, or no text.
            Refusal: if too many are hashed at this moment.
        """
        if len(password) < SHORTEST:
            raise HookMQError("E705", reason=f"it has fewer than {SHORTEST} characters")
        data = _bytes(password)
        if data is None:
            raise HookMQError("E705", reason="it is not Unicode text")
        if len(data) > LONGEST:
            raise HookMQError("E705", reason=f"it has more than {LONGEST} bytes")
        with self._turn():
            return hash_user(_NAME, data, False).partition(":")[2].strip()

    def fits(self, password: str, stored: str | None) -> bool:
        """Say whether a password is the one of a hash; without a hash no, after the same time.

        Raises:
            Refusal: if too many are checked at this moment.
        """
        data = _bytes(password)
        if data is None or len(data) > LONGEST:
            data, stored = b"", None
        with self._turn():
            try:
                fits = verify_user(f"{_NAME}:{stored or self._nobody_s()}\n", _NAME, data)
            except ValueError:  # somebody has written another one into the file
                return False
        return fits is True and stored is not None

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        busy = Refusal.too_often(1, "too many passwords are checked at this moment")
        if not self._places.acquire(blocking=False):
            raise busy
        try:
            if not self._turns.acquire(timeout=PATIENCE):
                raise busy
            try:
                yield
            finally:
                self._turns.release()
        finally:
            self._places.release()

    def _nobody_s(self) -> str:
        with self._lock:
            if self._decoy is None:
                self._decoy = hash_user(_NAME, secret.make().encode(), False).partition(":")[2].strip()
            return self._decoy


def _bytes(password: str) -> bytes | None:
    # The same letters come composed or not, depending on the keyboard.
    try:
        return unicodedata.normalize("NFC", password).encode()
    except UnicodeEncodeError:
        return None
