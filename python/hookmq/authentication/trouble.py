"""What goes wrong with a service, and what the log says of it: the cause, no secret, not too often."""

from __future__ import annotations

import threading
import time
import traceback

from ..log import logger

__all__ = ["Failure", "Outage", "Troubles", "where_raised"]

LOG = "hookmq.authentication"

QUIET = 10.0
"""Seconds from one report of a service to its next; what comes between is counted."""


class Outage(Exception):
    """A service cannot be asked: it is away, too slow or too busy. Several in a row open its breaker.

    The text goes into the log, so it must not contain a secret.
    """


class Failure(Exception):
    """A service was asked, and its answer means nothing, or says that it is set up wrongly.

    That says nothing of the next client, so it leaves the breaker alone. The text goes into the log.
    """


class Troubles:
    """Reports what goes wrong with a service: the first time at once, then every ten seconds with a count.

    >>> Troubles("ldap").over()
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._last = -QUIET
        self._silent = 0
        self._down = False

    def report(self, cause: str, *, down: bool = False) -> None:
        """Report a cause; ``down`` says that the service is out of reach."""
        with self._lock:
            self._down |= down
            self._silent += 1
            now = time.monotonic()
            if now - self._last < QUIET:
                return
            count, self._silent, self._last = self._silent, 0, now
        if count == 1:
            logger(LOG).warning("%s: %s", self._name, cause)
        else:
            logger(LOG).warning("%s: %s (%d times since the last report)", self._name, cause, count)

    def over(self) -> None:
        """Report that a service which was out of reach answers again."""
        if not self._down:  # read without the lock: asked for each client
            return
        with self._lock:
            was_down, self._down = self._down, False
            self._last, self._silent = -QUIET, 0
        if was_down:
            logger(LOG).info("%s answers again", self._name)


def where_raised(error: BaseException) -> str:
    """Say what an unexpected error is and where it comes from, but not its words: they may be a password.

    >>> try:
    ...     int("secret")
    ... except ValueError as error:
    ...     where_raised(error).partition(" in ")[0]
    'ValueError'
    """
    frames = traceback.extract_tb(error.__traceback__)
    kind = type(error).__name__
    return f"{kind} in {frames[-1].filename}:{frames[-1].lineno}" if frames else kind
