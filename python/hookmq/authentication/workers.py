"""The threads on which services are waited for."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

__all__ = ["Busy", "Workers"]

T = TypeVar("T")

IDLE = 5.0
"""Seconds after which a thread ends that has nothing to do."""


class Busy(Exception):
    """As much waits as may, or the workers were stopped."""


class Workers:
    """A few threads that are started when there is work.

    They are daemons, unlike those of :mod:`concurrent.futures`: a database that hangs for ever must not keep
    the process from ending.

    Args:
        name: of the threads.
        threads: how many at most.
        waiting: tasks that may wait for a thread.

    >>> workers = Workers("example", threads=1)
    >>> workers.submit(lambda: 6 * 7).result(5)
    42
    >>> workers.stop()
    """

    def __init__(self, name: str, *, threads: int, waiting: int = 1000) -> None:
        self._name = name
        self._most = threads
        self._waiting = waiting
        self._changed = threading.Condition()
        self._tasks: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._threads: set[threading.Thread] = set()
        self._idle = 0
        self._made = 0
        self._stopped = False

    def submit(self, function: Callable[[], T]) -> Future[T]:
        """Call a function on one of the threads; a future that is cancelled before is left out.

        Raises:
            Busy: if it cannot be.
        """
        future: Future[T] = Future()
        with self._changed:
            if self._stopped or len(self._tasks) >= self._waiting:
                raise Busy
            self._tasks.append((future, function))
            if self._idle >= len(self._tasks):
                self._changed.notify()
            elif len(self._threads) < self._most:
                self._begin()
        return future

    def start(self) -> None:
        """Take work again after a stop."""
        with self._changed:
            self._stopped = False

    def stop(self, grace: float = 2.0) -> None:
        """Drop what waits and end the threads; one that hangs for ``grace`` seconds is left behind."""
        with self._changed:
            self._stopped = True
            dropped = list(self._tasks)
            self._tasks.clear()
            self._changed.notify_all()
            threads = list(self._threads)
        for future, _ in dropped:
            if future.set_running_or_notify_cancel():
                future.set_exception(Busy())
        deadline = time.monotonic() + grace
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _begin(self) -> None:
        self._made += 1
        name = f"hookmq-auth-{self._name}-{self._made}"
        thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._threads.add(thread)
        thread.start()

    def _work(self) -> None:
        while (task := self._next()) is not None:
            future, function = task
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)
            del future, function  # or an idle thread would keep the last password alive

    def _next(self) -> tuple[Future[Any], Callable[[], Any]] | None:
        with self._changed:
            self._idle += 1
            self._changed.wait_for(lambda: self._tasks or self._stopped, IDLE)
            self._idle -= 1
            if self._tasks:
                return self._tasks.popleft()
            self._threads.discard(threading.current_thread())
            return None
