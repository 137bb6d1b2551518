"""Calls of ``async def`` handlers of WebSockets: those of one socket one after the other."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from ..execution.aio import EventLoop

__all__ = ["SocketCalls"]

_Call = tuple[str, Callable[[], Any]]

MOST = 1000
"""Calls that are under way or wait for the one before; who has more to make waits."""


class SocketCalls:
    """Hands calls to the event loop, in order for each socket, side by side for several.

    >>> calls = SocketCalls(EventLoop, lambda name, error: print(name, error))
    >>> calls.close()
    """

    def __init__(self, loop: Callable[[], EventLoop], failed: Callable[[str, BaseException], None]) -> None:
        self._loop = loop
        self._failed = failed
        self._changed = threading.Condition()
        self._count = 0
        self._closed = False
        self._waiting: dict[int, deque[_Call]] = {}

    def put(self, socket: int, name: str, make: Callable[[], Any]) -> None:
        """Make a call behind the others of its socket. Waits while too many are under way."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._count < MOST)
            if self._closed:
                return
            self._count += 1
            waiting = self._waiting.get(socket)
            if waiting is not None:  # somebody works it off, and comes to this one
                waiting.append((name, make))
                return
            self._waiting[socket] = waiting = deque([(name, make)])
        self._loop().ask(lambda: self._work_off(socket, waiting))

    def close(self) -> None:
        """Take no further calls: the loop is about to stop."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    async def _work_off(self, socket: int, waiting: deque[_Call]) -> None:
        while True:
            name, make = waiting[0]
            try:
                made = make()
                if inspect.isawaitable(made):  # a decorator around it may have awaited it already
                    await made
            except asyncio.CancelledError:
                # Of the loop's end, or the handler's own: what waits behind it must not wait for ever.
                with self._changed:
                    del self._waiting[socket]
                    self._count -= len(waiting)
                    self._changed.notify_all()
                raise
            except BaseException as error:  # SystemExit as well: it would end the loop
                self._failed(name, error)
            with self._changed:
                waiting.popleft()
                self._count -= 1
                self._changed.notify_all()
                if not waiting:
                    del self._waiting[socket]
                    return
