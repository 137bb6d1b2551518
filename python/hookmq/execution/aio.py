"""The event loop on which ``async def`` hooks run."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, InvalidStateError
from typing import TYPE_CHECKING, Any

from .threads import interrupt

if TYPE_CHECKING:
    from .._hookmq import LoopLane
    from .coroutines import CoroutineLane

__all__ = ["EventLoop"]

HELD = 1.0
"""Seconds for which a coroutine may hold the loop when it is replaced."""

_Factory = Callable[[], Coroutine[Any, Any, Any]]


class EventLoop:
    """One asyncio loop on a thread of its own.

    >>> loop = EventLoop()
    >>> async def double(x): return 2 * x
    >>> loop.ask(lambda: double(21)).result(1)
    42
    >>> loop.stop(1)
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._asked: set[Future[Any]] = set()
        self._lanes: list[CoroutineLane] = []
        self._forked = False
        self._loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run, name="hookmq-asyncio", daemon=True)
        self.thread.start()
        _loops.add(self)

    def attach(self, lane: LoopLane) -> None:
        """Make the calls of a lane from now on, until the loop stops."""
        self._loop.call_soon_threadsafe(self._attach, lane)

    def _attach(self, lane: LoopLane) -> None:
        from .coroutines import CoroutineLane

        self._lanes.append(CoroutineLane(lane, self._loop, self._spawn))

    def ask(self, make: _Factory, *, timeout: float | None = None) -> Future[Any]:
        """Run a coroutine at once and return its future.

        When ``timeout`` seconds are over it is cancelled, and the future raises ``TimeoutError``. It is
        cancelled when the loop stops before the coroutine is over, or has stopped. A future that is cancelled
        cancels the coroutine.
        """
        future: Future[Any] = Future()
        self._asked.add(future)
        future.add_done_callback(self._asked.discard)
        try:
            self._loop.call_soon_threadsafe(self._begin, make, future, timeout)
        except RuntimeError:  # the loop was stopped
            future.cancel()
            make().close()
        return future

    def relieve(self) -> None:
        """Interrupt a coroutine that has held the loop for a while, and with it all the others.

        To be called when something that ran on the loop was replaced: it may be what holds it.
        """
        reached = threading.Event()
        with contextlib.suppress(RuntimeError):  # the loop was stopped
            self._loop.call_soon_threadsafe(reached.set)
            if threading.current_thread() is not self.thread and not reached.wait(HELD):
                interrupt(self.thread)

    def stop(self, grace: float) -> None:
        """Wait ``grace`` seconds for what runs, cancel the rest, end the thread."""
        if self._loop.is_closed():
            return
        finishing = asyncio.run_coroutine_threadsafe(self._finish(grace), self._loop)
        try:
            finishing.result(grace + 1.2)
        except TimeoutError:  # a coroutine holds the loop
            interrupt(self.thread)
        with contextlib.suppress(RuntimeError):  # the interruption ended the loop
            self._loop.call_soon_threadsafe(self._loop.stop)
        self.thread.join(0.5)

    def after_fork(self) -> None:
        """In a child that a hook has forked: end it where it comes back out of the hook, or waits.

        The child's copy of the loop waits for the same file descriptors as its parent's, and would take away
        what is meant for that one.
        """
        if threading.current_thread() is self.thread:
            self._forked = True
            for lane in self._lanes:
                lane.forked = True
            self._loop.call_soon(os._exit, 0)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            with contextlib.suppress(SystemExit):  # from an interruption
                self._loop.run_forever()
        finally:
            # Tasks that hooks created end here, too.
            if left := asyncio.all_tasks(self._loop):
                for task in left:
                    task.cancel()
                self._loop.run_until_complete(asyncio.wait(left, timeout=1))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()
            for future in list(self._asked):  # nobody is left who could begin or end these
                future.cancel()

    def _begin(self, make: _Factory, future: Future[Any], timeout: float | None) -> None:
        if future.cancelled():
            return make().close()
        task = self._loop.create_task(self._answer(make, future, timeout))
        self._keep(task)

        def cancel(future: Future[Any]) -> None:
            if future.cancelled():
                with contextlib.suppress(RuntimeError):  # the loop was stopped
                    self._loop.call_soon_threadsafe(task.cancel)

        future.add_done_callback(cancel)
        # A task that is cancelled before its first step never comes to do it itself.
        task.add_done_callback(lambda _: future.cancel())
        return None

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._keep(self._loop.create_task(coroutine))

    async def _finish(self, grace: float) -> None:
        for lane in self._lanes:
            lane.close()
        tasks = set(self._tasks)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=1)

    async def _answer(self, make: _Factory, future: Future[Any], timeout: float | None) -> None:
        try:
            async with asyncio.timeout(timeout):
                result = await make()
        except asyncio.CancelledError:
            raise  # the future is cancelled with the task
        except BaseException as error:  # SystemExit as well: it would end the loop
            if self._forked:
                os._exit(0)
            with contextlib.suppress(InvalidStateError):  # nobody waits any more
                future.set_exception(error)
        else:
            if self._forked:
                os._exit(0)
            with contextlib.suppress(InvalidStateError):
                future.set_result(result)


_loops: weakref.WeakSet[EventLoop] = weakref.WeakSet()


def _after_fork() -> None:
    for loop in list(_loops):
        loop.after_fork()


os.register_at_fork(after_in_child=_after_fork)
