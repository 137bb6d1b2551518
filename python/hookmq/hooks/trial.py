"""A hook that is called once with a message of somebody's choice, to see what it does."""

from __future__ import annotations

import contextlib
import contextvars
import io
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from ..errors import HookMQError
from ..records import Record
from .traces import Frame, Trace

if TYPE_CHECKING:
    from .._hookmq import Message
    from ..execution.aio import EventLoop
    from .hook import Hook

__all__ = ["Stranger", "Trial", "can_be_tried", "try_hook"]

PATIENCE = 20.0
"""Seconds a call may take; then it is told that it did not end, and goes on."""

PRINTED = 64 << 10
"""Characters of what is printed that are kept."""

SHOWN = 16 << 10
"""Characters of the result that are shown."""


class Trial(Record):
    """What became of a call."""

    result: str | None
    """What was returned, as it is shown; None if it was nothing."""
    error: str | None
    frames: tuple[Frame, ...]
    text: str | None
    """The traceback."""
    seconds: float
    printed: str


def can_be_tried(hook: Hook) -> bool:
    """Say whether a hook is called with a message, so that it can be tried with one."""
    return bool(hook.spec.payload) or hook.spec.name == "on_batch"


def try_hook(hook: Hook, message: Message, loop: Callable[[], EventLoop]) -> Trial:
    """Call the function of a hook with a message, and tell what came of it; it counts nowhere.

    ``async def`` hooks run on the event loop, others on a thread of their own, also those that have
    processes. What it publishes is published. Raises E501 for hooks that are called with no message.
    """
    if not can_be_tried(hook):
        problem = "it is not called with a message, so it cannot be tried with one"
        raise HookMQError("E501", hook=hook.spec.name, function=hook.name, where=hook.where, problem=problem)
    arguments, levels = _arguments(hook, message)
    printed = io.StringIO()
    begun = time.perf_counter()
    done: Future[Any] = Future()
    if hook.is_async:
        done = loop().ask(lambda: _awaited(hook, arguments, levels, printed), timeout=PATIENCE)
    else:

        def call() -> None:
            _printed.set(printed)
            try:
                done.set_result(hook.user_call(*arguments, **levels))
            except BaseException as error:  # SystemExit as well: it would end the thread without a word
                done.set_exception(error)

        context = contextvars.Context()
        thread = threading.Thread(target=context.run, args=(call,), name="hookmq-trial", daemon=True)
        with _catching():
            thread.start()
            thread.join(PATIENCE)
            return _told(done, begun, printed)
    with _catching(), contextlib.suppress(BaseException):
        done.exception(PATIENCE)
    return _told(done, begun, printed)


async def _awaited(
    hook: Hook, arguments: tuple[Any, ...], levels: dict[str, str], printed: io.StringIO
) -> Any:
    _printed.set(printed)
    result = hook.user_call(*arguments, **levels)
    return await result if isinstance(result, Coroutine) else result


def _told(done: Future[Any], begun: float, printed: io.StringIO) -> Trial:
    seconds = time.perf_counter() - begun
    text = printed.getvalue()
    if not done.done():
        error = f"it did not end within {PATIENCE:g} seconds, and goes on"
        return Trial(None, error, (), None, seconds, text)
    if done.cancelled():
        return Trial(None, "it was cancelled: the broker stops", (), None, seconds, text)
    raised = done.exception()
    if raised is not None:
        trace = Trace.of(raised, skip=_ours())
        return Trial(None, trace.error, trace.frames, trace.text, seconds, text)
    result = done.result()
    return Trial(None if result is None else _shown(result), None, (), None, seconds, text)


def _ours() -> str:
    import os

    return os.path.dirname(os.path.dirname(__file__)) + os.sep


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except Exception as error:  # of the user's own class
        text = f"(its repr cannot be had: {type(error).__name__})"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _arguments(hook: Hook, message: Message) -> tuple[tuple[Any, ...], dict[str, str]]:
    parts = message.topic.split("/")
    levels = {name: parts[index] for index, name in hook.levels if index < len(parts)}
    if hook.spec.name == "on_batch":
        return (_batch(hook, message),), {}
    others: dict[str, Any] = {
        "client_id": message.client_id,
        "reason": "it is a trial",
        "client": Stranger(message.client_id),
    }
    given = [message, *(others.get(name) for name in hook.spec.arguments[1:])]
    return tuple(given[: hook.positional]), levels


class Stranger:
    """Stands for a client where there is none: in trials of hooks, and where they are asked what if."""

    def __init__(self, client_id: str, *, username: str | None = None, address: str | None = None) -> None:
        self.client_id, self.username, self.address = client_id, username, address
        self.password = self.password_bytes = self.port = self.certificate = None
        self.principal = username
        self.listener, self.version, self.clean_start, self.keep_alive = "", "5.0", True, 0
        self.connected_at = time.time()


def _batch(hook: Hook, message: Message) -> Any:
    if hook.options.format == "messages":
        return [message]
    row = {
        "time": message.timestamp,
        "topic": message.topic,
        "client": message.client_id,
        "qos": message.qos,
        "retain": message.retain,
        "payload": message.payload,
    }
    if hook.options.format == "dicts":
        return [row]
    problem = "batches of Arrow columns cannot be made of one message: try it with format='dicts'"
    raise HookMQError("E501", hook=hook.spec.name, function=hook.name, where=hook.where, problem=problem)


# What is printed ------------------------------------------------------------------------------------------

_printed: contextvars.ContextVar[io.StringIO | None] = contextvars.ContextVar("printed", default=None)
_lock = threading.Lock()
_catchers = 0


class _Output:
    """Standard output that keeps what trials print, and lets everything else through."""

    def __init__(self, real: Any) -> None:
        self.real = real

    def write(self, text: str) -> int:
        kept = _printed.get()
        if kept is None:
            if self.real is not None:
                self.real.write(text)  # whatever it returns: some return nothing
            return len(text)
        if (room := PRINTED - kept.tell()) > 0:
            kept.write(text[:room])
        return len(text)

    def flush(self) -> None:
        if _printed.get() is None and self.real is not None:
            self.real.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


@contextlib.contextmanager
def _catching() -> Iterator[None]:
    global _catchers
    with _lock:
        _catchers += 1
        if _catchers == 1:
            sys.stdout, sys.stderr = _Output(sys.stdout), _Output(sys.stderr)
    try:
        yield
    finally:
        with _lock:
            _catchers -= 1
            if _catchers == 0:
                # Somebody may have put an output of their own in place meanwhile.
                if isinstance(sys.stdout, _Output):
                    sys.stdout = sys.stdout.real
                if isinstance(sys.stderr, _Output):
                    sys.stderr = sys.stderr.real
