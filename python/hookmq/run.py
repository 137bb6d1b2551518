"""What exists from a broker's start to its stop: the native broker, its hooks' places, its threads."""

from __future__ import annotations

import errno
import functools
import inspect
import logging
import os
import time
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ._hookmq import BindError, FileError, Lane, NativeBroker
from .aio import EventLoop
from .callbacks import Callbacks
from .config import Settings
from .errors import HookMQError
from .hooks import Hook
from .subscription import Subscription
from .threads import HookThreads

if TYPE_CHECKING:
    from .recorder import Recorder

__all__ = ["Run", "left"]

_log = logging.getLogger("hookmq")


class Run:
    """One run of a broker: made with its settings, opened once, ended once."""

    def __init__(self, settings: Settings, callbacks: Callbacks, event_loop: Callable[[], EventLoop]) -> None:
        self.settings = settings
        self.native = NativeBroker(settings.native(), callbacks)
        self.recorder = self._open_recorder()
        self.process = os.getpid()
        self.threads = HookThreads()
        self.subscriptions: weakref.WeakSet[Subscription] = weakref.WeakSet()
        self._callbacks = callbacks
        self._event_loop = event_loop
        self._observers = self.native.lane()
        self._coroutines: Lane | None = None
        self._deciding = False

    @property
    def lanes(self) -> list[Lane]:
        """The queues of what observers are told."""
        return [self._observers] if self._coroutines is None else [self._observers, self._coroutines]

    def open(self, hooks: Sequence[Hook]) -> None:
        """Give every hook its place, then bind and serve: nobody slips in unasked.

        Raises:
            HookMQError: E1xx if an address cannot be bound. Nothing is left behind then.
        """
        self._start_threads()
        for hook in hooks:
            self.connect(hook)
        try:
            self.native.start()
        except BaseException as error:
            self.end(time.monotonic() + self.grace)
            if isinstance(error, BindError):
                raise _bind_error(error) from None
            raise _file_error(error) if isinstance(error, FileError) else error from None

    def reload(self) -> None:
        """Read certificates, users and access rules again. Raises E305 for a file that cannot be used."""
        try:
            self.native.reload()
        except FileError as error:
            raise _file_error(error) from None

    @property
    def grace(self) -> float:
        """Seconds that a stop may take."""
        return float(str(self.settings["hooks.stop_grace"]))

    # Hooks ----------------------------------------------------------------------------------------------

    def connect(self, hook: Hook) -> None:
        """Give a hook its place in the native broker."""
        if hook.spec.decides:
            self._start_deciding()
            self.tell_deciders()
            return
        lane, function = self._observers, hook.function
        if hook.is_async:
            lane, function = self._lane_of_coroutines(), self._later(hook)
        hook.handle = self.native.add_hook(
            lane,
            hook.spec.native,
            function,
            name=hook.name,
            filter=hook.template.filter if hook.template else None,
            # The key of an asynchronous call is taken from the first argument.
            positional=len(hook.spec.arguments) if hook.is_async else hook.positional,
            levels=list(hook.levels),
            overflow=hook.overflow,
        )

    def disconnect(self, hook: Hook) -> None:
        """Take a hook's place away; it is not called any more."""
        if hook.spec.decides:
            self.tell_deciders()
        elif hook.handle is not None:
            self.native.remove_hook(hook.handle)

    def tell_deciders(self) -> None:
        """Tell the native broker whether anyone wants to be asked."""
        callbacks = self._callbacks
        self.native.decide(
            bool(callbacks.authenticators), bool(callbacks.authorizers), list(callbacks.exchanges.methods)
        )

    def _start_deciding(self) -> None:
        if not self._deciding:
            self._deciding = True
            for index in range(int(str(self.settings["hooks.decision_threads"]))):
                self.threads.start(f"decide-{index}", self.native.decisions().run)

    def _lane_of_coroutines(self) -> Lane:
        if self._coroutines is None:
            self._coroutines = self.native.lane()
            self.threads.start("async-hooks", self._coroutines.run)
        return self._coroutines

    def _later(self, hook: Hook) -> Callable[..., None]:
        """Return a function that runs the coroutine function on the event loop, in order for each client."""
        loop = self._event_loop()

        async def run(*arguments: Any, **levels: str) -> None:
            try:
                made = hook.function(*arguments[: hook.positional], **levels)
                if inspect.isawaitable(made):  # a decorator around it may have awaited it already
                    await made
            except BaseException:
                hook.errors += 1
                raise

        def call(*arguments: Any, **levels: str) -> None:
            key = f"{id(hook)} {arguments[0].client_id}"
            loop.call(hook.name, key, functools.partial(run, *arguments, **levels))

        return call

    # Threads --------------------------------------------------------------------------------------------

    def _open_recorder(self) -> Recorder | None:
        if not self.settings["history.enabled"]:
            return None
        from .recorder import Recorder

        return Recorder(self.settings, self.native)

    def _start_threads(self) -> None:
        self.threads.start("hooks", self._observers.run)
        self.threads.start("log", functools.partial(self.native.log().run, self._callbacks.log))
        if self.recorder is not None and not self.recorder.in_memory:
            self.threads.start("history", self.recorder.run)
        if self.settings["http_port"] is not None:
            for index in range(int(str(self.settings["hooks.page_threads"]))):
                self.threads.start(f"page-{index}", self.native.pages().run)

    def settle(self, deadline: float) -> None:
        """Let observers be told what happened so far, and drop what they do not come to."""
        for lane in self.lanes:
            if not lane.wait(left(deadline)):
                lane.clear()

    def end(self, deadline: float) -> None:
        """Close the history and end the threads; the network is closed already, or never was open."""
        if self.recorder is not None:
            self.recorder.close(left(deadline))
        for lane in self.lanes:
            lane.close()
        for pool in (self.native.decisions(), self.native.pages()):
            pool.close()
        self.native.log().close()
        if stuck := self.threads.join(left(deadline)):
            _log.warning("a hook did not end: %s", ", ".join(stuck))
        self.native.close()


def left(deadline: float) -> float:
    """Return the seconds until a deadline, 0 when it has passed.

    >>> left(time.monotonic() - 1)
    0.0
    """
    return max(0.0, deadline - time.monotonic())


def _bind_error(error: BindError) -> HookMQError:
    purpose, host, port, number, text = error.args
    if purpose == "unix":
        return HookMQError("E102", host=host, reason=text, help="")
    # The ports that have a flag of their own; further listeners are in the configuration.
    flag = {"mqtt": "--port", "http": "--http-port", "https": "--http-port"}.get(purpose)
    if number == errno.EADDRINUSE:
        return HookMQError("E101", port=port, what=purpose, flag=flag)
    if number in (errno.EACCES, errno.EPERM):
        return HookMQError("E103", port=port, what=purpose, flag=flag)
    return HookMQError("E102", host=host, reason=text)


def _file_error(error: FileError) -> HookMQError:
    path, reason = error.args
    where = os.fspath(path)
    line, _, rest = reason.removeprefix("line ").partition(": ")
    if reason.startswith("line ") and line.isdigit():
        where, reason = f"{where}:{line}", rest
    return HookMQError("E305", where=where, reason=reason)
