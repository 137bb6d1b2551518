"""A broker that is the whole program: how it hears signals, where its log goes, and who watches over it."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import threading
from types import FrameType, TracebackType

__all__ = ["SignalWatch", "Supervisor", "log_to_terminal", "supervisor"]


class SignalWatch:
    """Hears SIGINT and SIGTERM while it is entered; only the main thread can.

    The first one sets ``received``, and as long as ``raises`` is true raises ``KeyboardInterrupt`` as well,
    to end what takes long. Nothing may be raised while a program waits on a lock: the exception can come
    between taking the lock and remembering that it was taken, and then nobody releases it. Further signals
    change nothing. SIGHUP asks for a reload, see :meth:`take_reload`. :meth:`wait` returns when one came.

    >>> with SignalWatch() as signals:
    ...     signals.received
    False
    """

    def __init__(self) -> None:
        self.received = False
        self.raises = True
        self._reload = False
        self._previous: dict[signal.Signals, object] = {}
        self._open = threading.Lock()
        self._bell: tuple[int, int] | None = None
        self._wakeup = -1

    def __enter__(self) -> SignalWatch:
        self._bell = os.pipe()
        for end in self._bell:
            os.set_blocking(end, False)
        if threading.current_thread() is threading.main_thread():
            # The system gives a signal to any thread, so it interrupts the wait of none: it has to ring.
            self._wakeup = signal.set_wakeup_fd(self._bell[1], warn_on_full_buffer=False)
            # A shell starts background jobs with SIGINT ignored; a broker is to end by it all the same.
            for number in (signal.SIGTERM, signal.SIGINT):
                self._previous[number] = signal.signal(number, self._hear)
            self._previous[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._hear_reload)
        return self

    def take_reload(self) -> bool:
        """Say whether SIGHUP came since this was asked last."""
        asked, self._reload = self._reload, False
        return asked

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        if self._previous:
            signal.set_wakeup_fd(self._wakeup)
        with self._open:
            ends, self._bell = self._bell, None
        for end in ends or ():
            os.close(end)

    def wait(self) -> None:
        """Return when a signal came, or another thread rang. Nothing wakes up before."""
        if self._bell is not None:
            poll = select.poll()
            poll.register(self._bell[0], select.POLLIN)
            poll.poll()
            with contextlib.suppress(BlockingIOError):
                os.read(self._bell[0], 1024)

    def ring(self) -> None:
        """Let :meth:`wait` return; for other threads."""
        with self._open, contextlib.suppress(BlockingIOError):  # a pipe that is full is heard as well
            if self._bell is not None:
                os.write(self._bell[1], b"!")

    def _hear(self, _number: int, _frame: FrameType | None) -> None:
        is_first, self.received = not self.received, True
        if is_first and self.raises:
            raise KeyboardInterrupt

    def _hear_reload(self, _number: int, _frame: FrameType | None) -> None:
        self._reload = True


def log_to_terminal(level: str) -> None:
    """Show the log on stderr, unless the program set logging up for itself."""
    if not logging.getLogger().handlers:
        logging.basicConfig(format="%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S")
        logging.getLogger("hookmq").setLevel(level.upper())


class Supervisor:
    """The program that has started this one, if it wants to be told how the broker does: ``hookmq dev``.

    >>> Supervisor().tell("ready")
    False
    """

    def __init__(self) -> None:
        self._pipe: int | None = None

    def attend(self, pipe: int) -> None:
        """Tell it through this pipe from now on, which programs that the app starts do not inherit."""
        os.set_inheritable(pipe, False)
        self._pipe = pipe

    def tell(self, what: str, text: str = "") -> bool:
        """Tell what became of the broker, as a line. Return whether there is anyone to tell."""
        if self._pipe is None:
            return False
        with contextlib.suppress(OSError):  # it is gone: the broker goes on
            os.write(self._pipe, f"{what} {text}".encode() + b"\n")
        return True


supervisor = Supervisor()
"""The supervisor of this process."""
