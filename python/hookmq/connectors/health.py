"""How a connector is, and what the log says of it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ..log import logger

__all__ = ["ConnectorInfo", "Health", "State"]

State: TypeAlias = Literal["starting", "up", "down", "stopped"]

_LOG_AGAIN = 60.0
"""Seconds between two lines of the log about a service that is still away."""


@dataclass(frozen=True, slots=True)
class ConnectorInfo:
    """What ``broker.connectors`` tells of one: what it is, how it is, what it has done since the start."""

    name: str
    kind: str
    target: str
    """Where it writes to, without secrets."""
    state: State
    since: float
    """Since when, in Unix seconds."""
    reason: str
    """What the service said when it was last away; empty if it never was."""
    written: int
    """Records it has taken."""
    rejected: int
    """Records it will never take: see the dead letters."""
    dropped: int
    """Records that were lost, because neither it nor the spool had room; never one that was promised."""
    retries: int
    """Batches that were tried again."""
    queued: int
    """Records that wait in memory."""
    spooled: int
    """Records that wait in the spool."""
    write_time: float
    """Seconds spent in the service."""


class Health:
    """The state of a service, and since when something of it is waited for.

    >>> health = Health("storage")
    >>> health.begin()
    >>> health.set("up"), health.state, health.is_late(60.0)
    (None, 'up', False)
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.state: State = "starting"
        self.since = time.time()
        self.reason = ""
        self._begun: float | None = None
        self._logged: float | None = None

    def begin(self, *, anew: bool = True) -> None:
        """Something is asked of the service; not ``anew`` if it is asked again, because it was away."""
        if anew or self._begun is None:
            self._begun = time.monotonic()

    def done(self) -> None:
        """It has done what was asked."""
        self._begun = None

    def is_late(self, patience: float) -> bool:
        """Whether something was asked of it that it has not done for so many seconds."""
        begun = self._begun
        return begun is not None and time.monotonic() - begun > patience

    def set(self, state: State, reason: str | None = None) -> None:
        """Note how it is, and say so in the log when it is back."""
        if reason is not None:
            self.reason = reason
        if state == self.state:
            return
        before, self.state, self.since = self.state, state, time.time()
        if state == "up" and before == "down":
            self._logged = None
            logger("hookmq.connectors").info("%s is back", self._name)

    def complain(self, text: str) -> None:
        """Say something in the log, not too often."""
        now = time.monotonic()
        if self._logged is None or now - self._logged > _LOG_AGAIN:
            self._logged = now
            logger("hookmq.connectors").warning("%s: %s", self._name, text)
