"""Where rules have their places in a broker that runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._hookmq import RuleError
from ..connectors.record import Numbers
from .actions.delivery import Context
from .deliveries import Deliveries
from .live import LiveRule
from .problem import wrong_sql

if TYPE_CHECKING:
    from .._hookmq import Lane

__all__ = ["Places"]


class Places:
    """The places of rules in one run of a broker.

    Args:
        run: of the broker.
        directory: for what waits and for dead letters, by rule; ``None`` keeps everything in memory.
        context: what actions may need.
        failed: is told what goes wrong where nobody waits for it.
    """

    def __init__(
        self,
        run: Any,
        directory: Path | None,
        context: Context,
        failed: Callable[[str, BaseException], None],
    ) -> None:
        self._run, self._directory = run, directory
        self._context, self._failed = context, failed
        self._numbers = Numbers()
        self._lane: Lane | None = None

    def put(
        self,
        live: LiveRule,
        before: LiveRule | None,
        functions: Mapping[str, Callable[..., Any]],
        *,
        enabled: bool,
    ) -> None:
        """Give a rule its place, in the place of another without a gap.

        Raises:
            HookMQError: E710 for SQL that cannot be, E603 and E711 for an action that cannot be; then the
                other is still there.
        """
        run, rule = self._run, live.rule
        described = rule.described(list(functions))
        live.reads = tuple(described["sources"])
        live.calls = frozenset(described["functions"])
        called = {name: functions[name] for name in live.calls}
        # It waits until the one before has made its calls: messages stay in their order.
        lane = run.lane(f"rule-{rule.name}", waits=True) if called else None
        directory = None if self._directory is None else self._directory / rule.name
        placed = Deliveries(
            rule.name, run.native, self._the_lane(), self._context, self._numbers, directory, self._failed
        )
        old = None if before is None else before.deliveries
        try:
            placed.prepare(rule.actions, old)
            actions = placed.native()
            if live.hook is not None:
                actions.append({"kind": "hook", "hook": live.hook.handle})
            live.handle = run.native.add_rule(
                rule.name,
                rule.sql,
                actions,
                functions=called or None,
                lane=lane,
                enabled=enabled,
                max_keys=rule.max_keys,
                instead=None if before is None else before.handle,
            )
        except BaseException as error:
            placed.discard(old)
            if lane is not None:
                run.let_go(lane)
            if isinstance(error, RuleError):
                raise wrong_sql(error, rule.sql, rule.shown_where, above=rule.above) from None
            raise
        live.deliveries, live.lane = placed, lane
        if before is not None and before.lane is not None:
            before.lane.wait(run.grace)  # what it still selects goes to hooks that are let go next
            run.let_go(before.lane)
        if lane is not None:
            run.begin(lane, f"rule-{rule.name}")
        placed.begin(old, run.grace)
        if before is not None:
            before.handle = before.deliveries = before.lane = None

    def take_away(self, live: LiveRule) -> None:
        """Take a rule out of its place; what it has selected is still delivered."""
        handle, deliveries, lane = live.handle, live.deliveries, live.lane
        live.handle = live.deliveries = live.lane = None
        if handle is not None:
            handle.remove()
        if lane is not None:
            lane.wait(self._run.grace)
            self._run.let_go(lane)
        if deliveries is not None:
            deliveries.stop(lambda: float(self._run.grace), release=True)

    def _the_lane(self) -> Lane:
        """Return the lane on which results are handed to couriers; it is made with the first rule."""
        if self._lane is None:
            made: Lane = self._run.lane("rules")
            self._lane = made
        return self._lane
