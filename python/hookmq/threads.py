"""The threads on which Python code of hooks runs, and how they end."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable

__all__ = ["HookThreads", "interrupt"]

INTERRUPTED = 1.0
"""Seconds a hook is given to end after it was interrupted."""


class HookThreads:
    """Threads that run native loops and stay attached to the interpreter.

    They are Python's own daemon threads, so that debuggers and thread-locals work in hooks. They must have
    ended before the interpreter does: a thread that comes back to an interpreter that is gone aborts the
    process.
    """

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []

    def start(self, name: str, loop: Callable[[], object]) -> None:
        """Run a loop on a new thread."""
        thread = threading.Thread(target=loop, name=f"hookmq-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def has_current(self) -> bool:
        """Whether the calling thread is one of these."""
        return threading.current_thread() in self._threads

    def join(self, grace: float) -> list[str]:
        """Wait for all to end, interrupt those that do not, and return the names of those that stay."""
        deadline = time.monotonic() + grace
        current = threading.current_thread()
        threads = [thread for thread in self._threads if thread is not current]
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        late = [thread for thread in threads if thread.is_alive()]
        for thread in late:
            interrupt(thread)
        deadline = time.monotonic() + INTERRUPTED
        for thread in late:
            thread.join(max(0.0, deadline - time.monotonic()))
        return [thread.name for thread in late if thread.is_alive()]


def interrupt(thread: threading.Thread) -> None:
    """Raise ``SystemExit`` in a thread as soon as it runs Python code: ends a loop, not a sleep."""
    if thread.ident is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
