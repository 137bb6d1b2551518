"""The actions of one rule while it runs: what the native side is told of them, and their couriers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..connectors.courier import Courier
from ..connectors.dead_letters import DeadLetters
from ..connectors.record import Numbers
from .actions.action import Action
from .actions.connector import ToConnector
from .actions.delivery import Context, CourierAction
from .actions.native import NativeAction
from .actions.result import Result
from .info import ActionInfo

if TYPE_CHECKING:
    from .._hookmq import HookHandle, Lane, NativeBroker

__all__ = ["Deliveries", "Placed"]

DEAD_LETTERS = "dead-letters.jsonl"


class Placed:
    """One action in its place: its hook, if it has one, and its courier."""

    def __init__(self, action: Action, number: int, directory: Path | None) -> None:
        self.action, self.number = action, number
        self.directory = directory
        self.courier: Courier | None = None
        self.dead: DeadLetters | None = None
        self.hook: HookHandle | None = None
        self.errors = 0

    def native(self) -> dict[str, Any]:
        """Return it as the native side takes it."""
        if not isinstance(self.action, NativeAction):
            return {"kind": "hook", "hook": self.hook}
        told = self.action.native()
        return told if self.hook is None else told | {"dead": self.hook}

    def info(self, counted: Mapping[str, Any] | None) -> ActionInfo:
        """Say how it is; ``counted`` is what the native side says."""
        counted = counted or {}
        done, failed = int(counted.get("done", 0)), int(counted.get("failed", 0))
        about = ActionInfo(
            self.number,
            self.action.kind,
            self.action.target,
            done,
            failed,
            reason=str(counted.get("error") or ""),
            dead_letters=None if self.directory is None else str(self.directory / DEAD_LETTERS),
        )
        if self.courier is None:
            return about
        told = self.courier.info()
        return ActionInfo(
            self.number,
            self.action.kind,
            about.target,
            told.written,
            failed + told.rejected + told.dropped,
            told.queued + told.spooled,
            told.retries,
            told.state,
            told.reason or about.reason,
            about.dead_letters,
        )


class Deliveries:
    """The actions of one rule.

    Args:
        rule: its name.
        native, lane: where hooks get their places, and on which thread they are called.
        context: what actions may need.
        numbers: gives results their names.
        directory: of the rule, for spools and dead letters; ``None`` keeps everything in memory.
        failed: is told what an action raises that nobody else sees.
    """

    def __init__(
        self,
        rule: str,
        native: NativeBroker,
        lane: Lane,
        context: Context,
        numbers: Numbers,
        directory: Path | None,
        failed: Callable[[str, BaseException], None],
    ) -> None:
        self._rule = rule
        self._native, self._lane = native, lane
        self._context, self._numbers = context, numbers
        self._directory = directory
        self._failed = failed
        self.placed: list[Placed] = []

    def prepare(self, actions: Sequence[Action], before: Deliveries | None = None) -> None:
        """Make hooks and couriers, none of which writes yet; those of equal actions go on.

        Raises:
            HookMQError: E603, E711 for an action that cannot be.
        """
        kept = {} if before is None else {one.number: one for one in before.placed}
        try:
            for number, action in enumerate(actions, start=1):
                old = kept.get(number)
                if old is not None and old.action == action:
                    self.placed.append(old)
                else:
                    self.placed.append(self._place(number, action))
        except BaseException:
            self.discard(before)
            raise

    def native(self) -> list[dict[str, Any]]:
        """Return what the native side is told."""
        return [one.native() for one in self.placed]

    def begin(self, before: Deliveries | None, grace: float) -> None:
        """Begin to write, in the place of couriers that end."""
        gone = {} if before is None else {one.number: one for one in before.placed if one not in self.placed}
        for one in self.placed:
            old = gone.get(one.number)
            if before is not None and one in before.placed:
                continue
            if old is not None and old.courier is not None:
                # Both have one directory: what still comes waits in the new one.
                old.courier.successor = one.courier
                old.courier.stop(grace)
            if one.courier is not None:
                one.courier.start()
        self._release(gone.values(), grace)
        still = {one.number for one in self.placed}
        for number, old in gone.items():
            if old.courier is not None and number not in still:
                old.courier.stop(grace)

    def discard(self, before: Deliveries | None) -> None:
        """Forget what was prepared and will not be used."""
        kept = [] if before is None else before.placed
        self._release([one for one in self.placed if one not in kept], 0)
        self.placed = []

    def stop(self, grace: Callable[[], float], *, release: bool) -> None:
        """Write what waits, for at most so many seconds; ``release`` the hooks as well."""
        if release:
            self._release(self.placed, grace())
        for one in self.placed:
            if one.courier is not None:
                one.courier.stop(grace())

    def wait(self, timeout: Callable[[], float]) -> bool:
        """Wait until everything that was selected is where it was to go. Return whether it was in time."""
        return all(one.courier is None or one.courier.wait(timeout()) for one in self.placed)

    def _place(self, number: int, action: Action) -> Placed:
        directory = None if self._directory is None else self._directory / f"{number}-{action.kind}"
        one = Placed(action, number, directory)
        if isinstance(action, CourierAction):
            delivery = action.delivery(f"{self._rule}-{number}-{action.kind}", self._context)
            delivery.check()
            limits = {key: action.options[key] for key in ("queue_rows", "spool_bytes")}
            one.courier = courier = Courier(delivery, directory, **limits)
            self._hook(one, lambda row, source: courier.put((Result(row, source).record(self._numbers),)))
        elif isinstance(action, ToConnector):
            self._hook(one, lambda row, source: action.put(Result(row, source), self._numbers, self._context))
        elif isinstance(action, NativeAction) and action.publishes:
            path = None if directory is None else directory / DEAD_LETTERS
            one.dead = dead = DeadLetters(path)
            self._hook(one, lambda row, source: self._bury(dead, row))
        return one

    def _hook(self, one: Placed, take: Callable[[Mapping[str, Any], Mapping[str, Any]], None]) -> None:
        one.hook = self._native.add_hook(
            [self._lane],
            "rule",
            take,
            name=f"{self._rule}-{one.number}-{one.action.kind}",
            positional=2,
            overflow="block",
        )
        self._native.swap_hooks([one.hook], [])

    def _release(self, placed: Iterable[Placed], grace: float) -> None:
        """Let hooks go, when they were told what was selected before, for at most so many seconds."""
        hooks = [one.hook for one in placed if one.hook is not None]
        if hooks:
            self._native.swap_hooks([], hooks, drain=True)
            self._lane.wait(grace)

    def _bury(self, dead: DeadLetters, row: Mapping[str, Any]) -> None:
        """Keep what was not published."""
        with contextlib.suppress(Exception):  # whoever calls has others to see to
            source = {"topic": row.get("topic"), "payload": row.get("payload")}
            record = Result(row.get("result") or {}, source).record(self._numbers)
            dead.add(f"the rule {self._rule}", record, str(row.get("error")))
