"""How the event loop takes calls of ``async def`` hooks out of their lane, and makes them."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
from collections import deque
from collections.abc import Callable, Coroutine
from types import CoroutineType
from typing import Any

from .._hookmq import CallToken, LoopLane

__all__ = ["CoroutineLane"]

CONCURRENT = 1000
"""Calls that are taken out at a time, to run or to wait for their client's turn; others wait in their native
queue, where they are bounded."""

TURN = 256
"""Calls after which others of the loop have their turn."""

_Call = tuple[CallToken, Callable[..., Any], tuple[Any, ...], dict[str, Any] | None, int]
_Spawn = Callable[[Coroutine[Any, Any, None]], None]


class CoroutineLane:
    """Makes the calls of one lane: those of a client one after the other, those of several side by side.

    A task of its own for every call would cost more than most calls do. So a few runners take calls out and
    await them in place: a hook that never waits costs no task at all. When a runner does wait, the loop comes
    to :meth:`_look`, which lets another one go on with what is left.
    """

    def __init__(self, lane: LoopLane, loop: asyncio.AbstractEventLoop, spawn: _Spawn) -> None:
        self._lane = lane
        self._loop = loop
        self._spawn = spawn
        self._runners = 0
        # Calls that were taken out and are not over, also those that wait for their client's turn.
        self._taken = 0
        self._looks = False
        self._busy: dict[int, deque[_Call] | None] = {}
        self._is_closed = False
        self.forked = False
        """This process is a child that a hook has forked: its calls are its parent's."""
        loop.add_reader(lane.fileno(), self._ring)

    def close(self) -> None:
        """Take no further calls."""
        self._is_closed = True
        self._loop.remove_reader(self._lane.fileno())

    def _ring(self) -> None:
        self._lane.silence()
        self._start_runner()

    def _start_runner(self) -> None:
        if self._runners < CONCURRENT and self._taken < CONCURRENT:
            self._runners += 1
            self._spawn(self._run())

    def _look(self) -> None:
        """Let another runner go on, if calls wait while all of them do."""
        self._looks = False
        if len(self._lane) and self._runners:
            self._start_runner()

    async def _run(self) -> None:
        # Asked for once: a runner makes all its calls in one task, and looks at it after each.
        task = asyncio.current_task()
        assert task is not None
        try:
            made = 0
            lane, busy = self._lane, self._busy
            while self._taken < CONCURRENT and (call := lane.next()) is not None:
                self._taken += 1
                # In order for each client and hook: who finds another at it leaves the call to that one.
                order = call[4]
                if order in busy:
                    waiting = busy[order]
                    if waiting is None:
                        busy[order] = waiting = deque()
                    waiting.append(call)
                    continue
                busy[order] = None
                try:
                    await self._make(call, task)
                    while waiting := busy[order]:
                        await self._make(waiting.popleft(), task)
                finally:
                    del busy[order]
                made += 1
                if made % TURN == 0:
                    await asyncio.sleep(0)
        finally:
            self._runners -= 1

    async def _make(self, call: _Call, task: asyncio.Task[Any]) -> None:
        token, function, arguments, levels, _ = call
        if not self._looks:
            self._looks = True
            self._loop.call_soon(self._look)
        try:
            made = function(*arguments, **levels) if levels else function(*arguments)
            # A decorator around it may have awaited it already.
            if type(made) is CoroutineType or inspect.isawaitable(made):
                await made
        except BaseException as error:
            self._end_if_forked()
            token.done(error)
            if isinstance(error, asyncio.CancelledError) and self._is_closed and task.cancelling():
                raise
        else:
            self._end_if_forked()
            token.done()
        finally:
            self._taken -= 1
        if task.cancelling() and not self._is_closed:
            await _absorb_cancel(task)

    def _end_if_forked(self) -> None:
        if self.forked:
            os._exit(0)


async def _absorb_cancel(task: asyncio.Task[Any]) -> None:
    """Undo what a hook did that cancelled the task it was called in: others are called in it as well."""
    while task.cancelling() > 0:
        task.uncancel()
    # One that was not thrown yet comes where the task next waits, on Pythons before 3.13 also when undone.
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(0)
