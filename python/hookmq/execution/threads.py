"""The threads on which Python code of hooks runs, and how they end."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Collection

from .._hookmq import after_fork

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging
    from types import FrameType
    from typing import ClassVar, NoReturn

__all__ = ["HookThreads", "end", "interrupt"]

INTERRUPTED = 1.0
"""Seconds a thread is given to end after it was interrupted."""

SETTLING = 0.2
"""Seconds every thread is given to end by itself, even when a hook has used all the grace up."""

PATIENCE = 0.1
"""Seconds to wait for a thread to be where it can be interrupted."""

HALTING = 0.5
"""Seconds at the end of the process in which threads that would not end are brought to a halt."""

# A child that a hook has forked is not to go on where its parent does: see rust/python/src/hooks/forked.rs.
os.register_at_fork(after_in_child=after_fork)

# Threads that were interrupted, in case they go on.
_interrupted: weakref.WeakSet[threading.Thread] = weakref.WeakSet()


class HookThreads:
    """Threads that run native loops and stay attached to the interpreter.

    They are Python's own daemon threads, so that debuggers and thread-locals work in hooks. They must have
    ended before the interpreter does: a thread that comes back to an interpreter that is gone aborts the
    process.
    """

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []

    def start(self, name: str, loop: Callable[[str], object]) -> None:
        """Run a loop on a new thread; it is given its name, for the system's tools."""
        thread = threading.Thread(target=loop, args=(f"hmq-{name}",), name=f"hookmq-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def has_current(self) -> bool:
        """Whether the calling thread is one of these."""
        return threading.current_thread() in self._threads

    def join(self, grace: float) -> list[str]:
        """Wait for all to end, interrupt those that do not, and return the names of those that stay."""
        current = threading.current_thread()
        return end([thread for thread in self._threads if thread is not current], max(grace, SETTLING))


def end(threads: Collection[threading.Thread], grace: float) -> list[str]:
    """Wait for all to end, interrupt those that do not, and return the names of those that stay."""
    deadline = time.monotonic() + grace
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
    _interrupted.add(thread)
    deadline = time.monotonic() + PATIENCE
    while thread.is_alive() and not _raise_in(thread, SystemExit) and time.monotonic() < deadline:
        time.sleep(0.001)


class _Halt(SystemExit):
    """Brings the thread that it is raised in to a halt: it waits for ever where the exception is made."""

    halted: ClassVar[set[int]] = set()

    def __init__(self) -> None:
        # Caught and made later than it was raised, it may have come to where it must not.
        if not _is_logging(sys._getframe(1)):
            self.halted.add(threading.get_ident())
            _wait_for_ever()


def _wait_for_ever() -> NoReturn:
    lock = threading.Lock()
    lock.acquire()
    while True:
        lock.acquire()


# Registered before the broker's own, and so run after it: when the brokers were stopped.
@atexit.register
def _halt_what_goes_on() -> None:
    """Halt hooks that neither their end nor an interruption ended, such as a loop around ``except:``.

    The interpreter ends a thread that comes back to it during its own end without regard to the native
    frames below, which aborts the process. A thread that waits does not come back.
    """
    for thread in list(_interrupted):
        thread.join(HALTING / 5)  # it may be about to end
    deadline = time.monotonic() + HALTING
    while going := [one for one in list(_interrupted) if one.is_alive() and one.ident not in _Halt.halted]:
        if time.monotonic() > deadline:
            return
        # Who writes to the log is halted there, by locks that only this thread still gets.
        for handler in _log_handlers():
            if handler.lock is not None:
                handler.lock.acquire(timeout=0.01)
        for thread in going:
            _raise_in(thread, _Halt)
        time.sleep(0.01)


def _log_handlers() -> list[logging.Handler]:
    import logging

    loggers = [logging.getLogger(), *logging.getLogger().manager.loggerDict.values()]
    handlers = [one for logger in loggers if isinstance(logger, logging.Logger) for one in logger.handlers]
    return [*handlers, *([logging.lastResort] if logging.lastResort else [])]


def _raise_in(thread: threading.Thread, error: type[SystemExit]) -> bool:
    """Raise an error in a thread, but not while it writes to the log; say whether that was done.

    An exception from outside may come between taking a lock and the ``try`` that gives it back, and the end
    of the process waits for the log's locks.
    """
    import ctypes

    if thread.ident is None:
        return False
    interval = sys.getswitchinterval()
    sys.setswitchinterval(10)  # so that the thread does not go on between the look and the deed
    try:
        if _is_logging(sys._current_frames().get(thread.ident)):
            return False
        ident = ctypes.c_ulong(thread.ident)
        return bool(ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(error)))
    finally:
        sys.setswitchinterval(interval)


def _is_logging(frame: FrameType | None) -> bool:
    while frame is not None:
        if str(frame.f_globals.get("__name__")).partition(".")[0] == "logging":
            return True
        frame = frame.f_back
    return False
