"""The event loop on which ``async def`` hooks run."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any

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
        """Run a coroutine at once and return its future."""

        async def run() -> Any:
            return await make()

        return asyncio.run_coroutine_threadsafe(run(), self._loop)

    def stop(self, grace: float) -> None:
        """Wait ``grace`` seconds for what runs, cancel the rest, end the thread."""
        if self._loop.is_closed():
            return
        finishing = asyncio.run_coroutine_threadsafe(self._finish(grace), self._loop)
        try:
            finishing.result(grace + 2)
        except TimeoutError:
            return  # a coroutine holds the loop; its thread is a daemon and ends with the process
        self._loop.call_soon_threadsafe(self._loop.stop)
        self.thread.join(1)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    def _enqueue(self, name: str, key: str, make: _Factory) -> None:
        queue = self._waiting.get(key)
        if queue is not None:
            queue.append((name, make))
            return
        self._waiting[key] = deque([(name, make)])
        task = self._loop.create_task(self._work_off(key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work_off(self, key: str) -> None:
        queue = self._waiting[key]
        while queue:
            name, make = queue[0]
            try:
                await make()
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
