"""The event loop on which ``async def`` hooks run."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any

from .threads import interrupt

__all__ = ["EventLoop"]

CONCURRENT = 1000
"""Coroutines of observers that run at a time; further events wait in their native queue."""

_Factory = Callable[[], Coroutine[Any, Any, Any]]


class EventLoop:
    """One asyncio loop on a thread of its own.

    Coroutines of one key, such as a client identifier, run one after the other; those of different keys run
    side by side. ``failed(name, error)`` is told what they raise.

    >>> loop = EventLoop(lambda name, error: print(name, error))
    >>> async def double(x): return 2 * x
    >>> loop.ask(lambda: double(21)).result(1)
    42
    >>> loop.stop(1)
    """

    def __init__(self, failed: Callable[[str, BaseException], None]) -> None:
        self._failed = failed
        self._room = threading.BoundedSemaphore(CONCURRENT)
        self._waiting: dict[str, deque[tuple[str, _Factory]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run, name="hookmq-asyncio", daemon=True)
        self.thread.start()

    def call(self, name: str, key: str, make: _Factory) -> None:
        """Run a coroutine behind the others of its key. Waits while too many run."""
        self._room.acquire()
        try:
            self._loop.call_soon_threadsafe(self._enqueue, name, key, make)
        except RuntimeError:  # the loop was stopped
            self._room.release()

    def ask(self, make: _Factory) -> Future[Any]:
        """Run a coroutine at once and return its future.

        It is cancelled when the loop stops before the coroutine is over, or has stopped.
        """
        future: Future[Any] = Future()
        try:
            self._loop.call_soon_threadsafe(self._begin, make, future)
        except RuntimeError:  # the loop was stopped
            future.cancel()
            make().close()
        return future

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

    def _begin(self, make: _Factory, future: Future[Any]) -> None:
        self._keep(self._loop.create_task(_answer(make, future)))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _enqueue(self, name: str, key: str, make: _Factory) -> None:
        queue = self._waiting.get(key)
        if queue is not None:
            queue.append((name, make))
            return
        self._waiting[key] = deque([(name, make)])
        self._keep(self._loop.create_task(self._work_off(key)))

    async def _work_off(self, key: str) -> None:
        queue = self._waiting[key]
        while queue:
            name, make = queue[0]
            try:
                made = make()
                if inspect.isawaitable(made):  # a decorator around it may have awaited it already
                    await made
            except asyncio.CancelledError:
                self._forget(key)
                raise
            except BaseException as error:
                self._failed(name, error)
            queue.popleft()
            self._room.release()
        del self._waiting[key]

    def _forget(self, key: str) -> None:
        for _ in self._waiting.pop(key):
            self._room.release()

    async def _finish(self, grace: float) -> None:
        tasks = set(self._tasks)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=1)


async def _answer(make: _Factory, future: Future[Any]) -> None:
    try:
        result = await make()
    except asyncio.CancelledError:
        future.cancel()
        raise
    except BaseException as error:  # SystemExit as well: it would end the loop
        future.set_exception(error)
    else:
        future.set_result(result)
