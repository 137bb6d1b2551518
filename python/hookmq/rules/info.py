"""What is told of a rule: how it is written, and what it has counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .definition import Source

__all__ = ["ActionInfo", "RuleInfo"]


@dataclass(frozen=True, slots=True)
class ActionInfo:
    """An action of a rule."""

    number: int
    """Counted from 1."""
    kind: str
    target: str
    """Where results go, without secrets."""
    done: int = 0
    """Results that are where they were to go."""
    failed: int = 0
    """Results that never will be: see the dead letters."""
    waiting: int = 0
    """Results that wait, in memory or on disk."""
    retries: int = 0
    """Attempts that were not the first."""
    state: str = ""
    """``"up"``, ``"down"`` or ``"starting"`` of what is delivered to a service; empty otherwise."""
    reason: str = ""
    """What went wrong last."""
    dead_letters: str | None = None
    """The file of what was given up, if there is a data directory."""


@dataclass(frozen=True, slots=True)
class RuleInfo:
    """A rule of a broker.

    ``matched`` are the messages and events that it was evaluated for, ``passed`` those that fulfilled its
    conditions, ``results`` what it has selected, ``failed`` evaluations that ended with an error, ``skipped``
    what came while it was disabled, ``loops`` what it did not evaluate because it comes from rules already.
    ``keys`` are those of which it remembers something, ``evicted`` those that it forgot for want of room.
    """

    name: str
    sql: str
    description: str
    enabled: bool
    source: Source
    where: str
    """Where it is written."""
    version: int | None
    """Of a rule of the HTTP API."""
    reads: tuple[str, ...] = ()
    """Topic filters, events and timers."""
    matched: int = 0
    passed: int = 0
    failed: int = 0
    results: int = 0
    skipped: int = 0
    loops: int = 0
    keys: int = 0
    evicted: int = 0
    last_error: str | None = None
    """What the last evaluation that failed said, with a caret."""
    last_result: dict[str, Any] | None = None
    problem: str | None = None
    """What is wrong with its file, while the rule of before runs on."""
    actions: tuple[ActionInfo, ...] = field(default=())
