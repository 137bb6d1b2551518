"""A broker that is the whole program: how it hears signals, and where its log goes."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
from collections.abc import Iterator
from types import FrameType

__all__ = ["ended_by_signals", "log_to_terminal"]


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let the first SIGINT or SIGTERM raise ``KeyboardInterrupt``. Only the main thread hears signals.

    Further ones change nothing: the stop goes on already, and takes no longer than its grace.

    >>> with ended_by_signals():
    ...     pass
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ending = False

    def end(_number: int, _frame: FrameType | None) -> None:
        nonlocal ending
        if not ending:
            ending = True
            raise KeyboardInterrupt

    # A shell starts background jobs with SIGINT ignored; a broker is to end by it all the same.
    previous = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def log_to_terminal(level: str) -> None:
    """Show the log on stderr, unless the program set logging up for itself."""
    if not logging.getLogger().handlers:
        logging.basicConfig(format="%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S")
        logging.getLogger("hookmq").setLevel(level.upper())
