"""A rule of a broker: how it is written, what it counts, and where it can be switched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from ..connectors.record import plain
from .definition import Rule, Source
from .deliveries import Deliveries
from .info import RuleInfo
from .problem import excerpt
from .trial import Trials

if TYPE_CHECKING:
    from .._hookmq import Lane, RuleHandle
    from ..hooks.hook import Hook

__all__ = ["LiveRule"]

_COUNTS = ("matched", "passed", "failed", "results", "skipped", "loops", "keys", "evicted")


class Book(Protocol):
    """What a rule asks of those whom it is one of."""

    def is_enabled(self, live: LiveRule) -> bool:
        """Whether it is evaluated."""

    def switch(self, name: str, enabled: bool) -> LiveRule:
        """Enable or disable it."""

    def test(self, *, name: str | None = None, samples: Sequence[Mapping[str, Any]] | None = None) -> Trials:
        """Evaluate it for samples."""


class LiveRule:
    """A rule of a broker, as ``broker.rules["name"]`` returns it."""

    def __init__(self, book: Book, rule: Rule, *, hook: Hook | None = None) -> None:
        self._book = book
        self.rule = rule
        """As it is written."""
        self.hook = hook
        """The function that is given its results, if ``@broker.rule`` has made it."""
        self.handle: RuleHandle | None = None
        """Its place in a broker that runs."""
        self.deliveries: Deliveries | None = None
        self.lane: Lane | None = None
        """Where it is evaluated, if it calls Python functions."""
        self.calls: frozenset[str] = frozenset()
        """The Python functions that it calls."""
        self.reads: tuple[Mapping[str, Any], ...] = ()
        """What it reads, as the native side says."""
        self.version: int | None = None
        self.problem: str | None = None

    @property
    def name(self) -> str:
        """What it is called."""
        return self.rule.name

    @property
    def sql(self) -> str:
        """What it selects."""
        return self.rule.sql

    @property
    def source(self) -> Source:
        """Where it comes from."""
        return self.rule.source

    @property
    def enabled(self) -> bool:
        """Whether it is evaluated."""
        return self._book.is_enabled(self)

    def enable(self) -> None:
        """Evaluate it from now on; remembered if there is a data directory."""
        self._book.switch(self.name, True)

    def disable(self) -> None:
        """Evaluate it no more, until :meth:`enable`; remembered if there is a data directory."""
        self._book.switch(self.name, False)

    def test(self, *samples: Mapping[str, Any]) -> Trials:
        """Evaluate it for samples, step by step; its actions do nothing, and its own memory stays as it is.

        A sample is a dict with ``topic`` and ``payload``, and ``clientid``, ``username``, ``qos``,
        ``retain``, ``properties`` or ``timestamp`` if they matter, or with ``event`` and the fields of that.
        ``now`` (in milliseconds) lets time pass between samples. Without one, the newest stored message is
        taken that it reads.

        Raises:
            HookMQError: E709 if there is none, or what is given is no sample.
        """
        return self._book.test(name=self.name, samples=samples or None)

    def info(self) -> RuleInfo:
        """Return what is known of it at this moment."""
        handle = self.handle
        counts = {name: int(getattr(handle, name)) for name in _COUNTS} if handle is not None else {}
        told: list[Mapping[str, Any]] = [] if handle is None else list(handle.actions)
        placed = [] if self.deliveries is None else self.deliveries.placed
        actions = tuple(
            one.info(counted) for one, counted in zip(placed, [*told, *({} for _ in placed)], strict=False)
        )
        result = None if handle is None else handle.last_result
        return RuleInfo(
            self.name,
            self.sql,
            self.rule.description,
            self.enabled,
            self.source,
            self.rule.where,
            self.version,
            tuple(words(self.reads)),
            last_error=None if handle is None else self._last_error(handle.last_error),
            last_result=None if result is None else plain(result),
            problem=self.problem,
            actions=actions,
            **counts,
        )

    def _last_error(self, error: tuple[str, int, int, float] | None) -> str | None:
        if error is None:
            return None
        message, start, end, _ = error
        return f"{message}\n{excerpt(self.sql, start, end, above=self.rule.above)}"

    def __repr__(self) -> str:
        state = "enabled" if self.enabled else "disabled"
        return f"<rule {self.name}: {state}, from {self.rule.where or self.source}>"


def words(reads: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    """Return what a rule reads, in words.

    >>> list(words([{"topic": "t/#"}, {"event": "client_connected"}, {"timer": "every 10s"}]))
    ['t/#', '$events/client_connected', 'timer every 10s']
    """
    for source in reads:
        if "topic" in source:
            yield str(source["topic"])
        elif "event" in source:
            yield f"$events/{source['event']}"
        else:
            yield f"timer {source.get('timer')}"
