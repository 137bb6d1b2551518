"""Stored messages through a hook once more: what it does with them, or in a dry run what it would do.

What a ``transform`` hook makes of a message is compared with the message that was stored; what a hook
publishes in a dry run is kept instead, see :func:`catch`.

>>> from hookmq.storage import HistoryStore
>>> with HistoryStore() as store:
...     store.write([(1.5e9, "tank/7/level", "pump", b'{"level": 12}', 0, False, None)])
...     refine = lambda msg, tank: {"level": 13, "tank": tank}
...     made = replay([], store.query, "tank/{tank}/level", hook=refine)
>>> for field in made.changes[0].fields:
...     print(field.name, field.before, field.after)
payload.level 12 13
payload.tank ABSENT 7
"""

from __future__ import annotations

import functools
import inspect
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..decisions import Deny
from ..execution.aio import EventLoop
from ..hooks.functions import same_function
from ..hooks.hook import Hook
from ..hooks.registry import HOOKS
from ..message import Message
from .difference import Difference, is_changed
from .replayed import Publication, Replay

if TYPE_CHECKING:
    from ..storage import History, Row

__all__ = ["Trial", "captured", "catch", "replay"]

REPLAYED = ("on_message_received", "transform")
"""The kinds of hooks that are told of a message as it was published: what is stored."""

_REPORT = 0.1
"""Seconds from one report of progress to the next."""


# What a hook runs in --------------------------------------------------------------------------------------


@dataclass
class Trial:
    """The replay that a hook runs in: takes note of what it publishes, and in a dry run keeps it back."""

    replay: Replay
    history: Callable[..., History]
    """Answers ``Broker.history`` while the broker does not run."""
    cause: Message | None = None


captured: ContextVar[Trial | None] = ContextVar("hookmq.replaying.replay.captured", default=None)
"""The replay that this code runs in; coroutines and tasks that a hook starts have it from the hook."""


def catch(
    topic: str, payload: bytes, qos: int, retain: bool, properties: Mapping[str, object] | None
) -> bool:
    """Take note of a message that a hook publishes in a replay; say whether that is all it was to be.

    >>> catch("tank/7/alert", b"low", 0, False, None)
    False
    """
    trial = captured.get()
    if trial is None or trial.cause is None:
        return False
    given = None if properties is None else dict(properties)
    message = Message(
        topic, payload, qos=qos, retain=retain, timestamp=trial.cause.timestamp, properties=given
    )
    trial.replay.publishes(Publication(message, trial.cause))
    return trial.replay.dry_run


# Replaying ------------------------------------------------------------------------------------------------


def replay(
    hooks: Sequence[Hook],
    history: Callable[..., History],
    filter: str = "#",
    *,
    hook: str | Callable[..., Any],
    since: Any = None,
    until: Any = None,
    client: str | None = None,
    speed: float | None = None,
    dry_run: bool = True,
    limit: int | None = None,
    progress: Callable[[Replay], object] | None = None,
    event_loop: Callable[[], EventLoop] | None = None,
    stopped: threading.Event | None = None,
) -> Replay:
    """Hand stored messages to a hook in the order of time, each when the hook is done with the one before.

    ``Broker.replay`` is this for a broker's own hooks and history.

    Args:
        hooks: those that can be named.
        history: answers queries, like ``Broker.history``.
        filter: which messages; by default all that the hook is told of. Its ``{name}`` levels are handed to
            a function that is no hook.
        hook: the name of an ``on_message_received`` or ``transform`` hook, its function, or any other
            function: that is tried out as a ``transform`` hook.
        since, until, client: which messages, as in ``Broker.history``.
        speed: 1.0 is as it happened, 10.0 ten times as fast, ``None`` as fast as it goes.
        dry_run: whether what the hook publishes is kept instead of published.
        limit: at most so many messages are given to the hook.
        progress: called at the beginning, up to ten times a second and at the end, with the replay so far.
        event_loop: where coroutines run; by default on a loop of its own.
        stopped: ends the replay when it is set.

    Raises:
        HookMQError: E501 or E502 for a function or filter that does not fit, E601 when the database fails.
        ValueError: for a name that no hook has, for a moment, speed or limit that is none.
        TypeError: for a hook that cannot be replayed.
        RuntimeError: if it would wait for the event loop that it is called on.
    """
    if speed is not None and not 0 < speed < math.inf:
        raise ValueError(f"speed must be a positive number, or None for as fast as it goes, not {speed!r}")
    if limit is not None and limit < 0:
        raise ValueError(f"limit must not be negative: {limit!r}")
    chosen = _find(hooks, hook)
    is_hook = bool(chosen)
    if not is_hook:
        chosen = [Hook.of(HOOKS["on_message_received"], hook, filter)]  # type: ignore[arg-type]
    template = chosen[0].template
    if template is not None and len(chosen) == 1 and (filter == "#" or not is_hook):
        filter = template.filter  # so that the database looks at less than everything
    rows = history(filter, since=since, until=until, client=client)
    result = Replay(chosen[0].name, chosen[0].where, dry_run)
    if progress is not None:
        result.total = rows.count() if limit is None else min(rows.count(), limit)
        progress(result)
    player = _Player(result, chosen, event_loop, history, is_hook=is_hook)
    pace = _Pace(speed, stopped or threading.Event())
    # What the program itself publishes does not fire these hooks, and so is left out here, too.
    leaves_own = is_hook and client != ""
    began, reported, given = time.monotonic(), -math.inf, 0
    try:
        for row in rows if limit != 0 else ():
            if not pace.wait(row.timestamp):
                result.interrupted = True
                break
            result.read(row)
            if leaves_own and not row.client_id:
                result.own += 1
            else:
                given += player.play(row)
            if progress is not None and (now := time.monotonic()) - reported >= _REPORT:
                reported, result.seconds = now, now - began
                progress(result)
            if given == limit:
                break
    except KeyboardInterrupt:
        result.interrupted = True
        raise
    finally:
        player.close()
        result.seconds = time.monotonic() - began
    if progress is not None:
        progress(result)
    return result


def _find(hooks: Sequence[Hook], given: str | Callable[..., Any]) -> list[Hook]:
    """Return the hooks of a name or function, none for a function that is no hook."""
    if isinstance(given, str):
        found = [one for one in hooks if one.name == given]
        if not found:
            names = sorted({one.name for one in hooks if one.spec.name in REPLAYED})
            raise ValueError(
                f"there is no hook {given!r}; those that can be replayed: {', '.join(names) or 'none'}"
            )
    else:
        found = [one for one in hooks if _is_of(one.function, given)]
    fitting = [one for one in found if one.spec.name in REPLAYED]
    if found and not fitting:
        kinds = " and ".join(REPLAYED)
        raise TypeError(
            f"{found[0].name} is an {found[0].spec.name} hook; only {kinds} hooks can be replayed"
        )
    for one in fitting:
        if one.positional > 1:
            raise TypeError(f"{one.name} takes `{one.spec.arguments[1]}`, which is not stored")
    return fitting


def _is_of(function: Any, given: Callable[..., Any]) -> bool:
    """Say whether a hook's function is this one, or was put around it."""
    while function is not None:
        if same_function(function, given):
            return True
        function = getattr(function, "__wrapped__", None)
    return False


class _Pace:
    """Waits until a message is due, by the time between it and the first one."""

    def __init__(self, speed: float | None, stopped: threading.Event) -> None:
        self._speed = speed
        self._stopped = stopped
        self._began: tuple[float, float] | None = None

    def wait(self, timestamp: float) -> bool:
        """Wait; return whether the replay is to go on."""
        if self._speed is None:
            return not self._stopped.is_set()
        if self._began is None:
            self._began = (time.monotonic(), timestamp)
        begun, first = self._began
        due = begun + (timestamp - first) / self._speed
        while (left := due - time.monotonic()) > 0:
            # No lock can be waited for longer than this, and a history may have pauses of years.
            if self._stopped.wait(min(left, threading.TIMEOUT_MAX)):
                return False
        return not self._stopped.is_set()


class _Player:
    """Calls hooks with stored messages, one call after the other."""

    def __init__(
        self,
        result: Replay,
        hooks: Sequence[Hook],
        event_loop: Callable[[], EventLoop] | None,
        history: Callable[..., History],
        *,
        is_hook: bool,
    ) -> None:
        from ..storage.topics import TopicFilter

        self._trial = Trial(result, history)
        self._result = result
        self._event_loop = event_loop
        self._own_loop: EventLoop | None = None
        # A function that is no hook gets the messages of the query's filter, which is its own.
        filters = [one.template.filter if one.template and is_hook else None for one in hooks]
        self._hooks = [
            (
                one,
                None if filter is None else TopicFilter.parse(filter),
                not is_hook or one.spec.decides,
                one.is_async,
            )
            for one, filter in zip(hooks, filters, strict=True)
        ]
        if any(one.is_async for one in hooks):
            self._loop()

    def play(self, row: Row) -> bool:
        """Give a stored message to the hooks whose filter it matches; return whether there was one."""
        message: Message | None = None
        for hook, filter, decides, is_async in self._hooks:
            if filter is None or filter.matches(row.topic):
                message = _message_of(row) if message is None else message
                self._call(hook, message, decides=decides, is_async=is_async)
        return message is not None

    def close(self) -> None:
        """End the event loop, if it was made for this."""
        if self._own_loop is not None:
            self._own_loop.stop(0)

    def _call(self, hook: Hook, message: Message, *, decides: bool, is_async: bool) -> None:
        self._trial.cause = message
        self._result.calls += 1
        parts = message.topic.split("/")
        levels = {name: parts[index] for index, name in hook.levels}
        call = functools.partial(hook.function, *(message,)[: hook.positional], **levels)
        token = captured.set(self._trial)
        try:
            returned = self._finish(call) if is_async else call()
            if inspect.isawaitable(returned):
                awaitable = returned
                returned = self._finish(lambda: awaitable)
            if decides and returned is not None:
                self._compare(message, returned)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit as well: it would end the replay
            if decides and isinstance(error, Deny):
                self._result.differs(Difference("refused", message, reason=str(error)))
            else:
                self._result.failed(error, message)
        finally:
            captured.reset(token)

    def _compare(self, message: Message, returned: object) -> None:
        from ..hooks.transforms import outcome

        after = tuple(outcome(message, returned))
        if not after:
            self._result.differs(Difference("dropped", message))
        elif len(after) > 1 or is_changed(message, after[0]):
            self._result.differs(Difference("changed", message, after))

    def _finish(self, call: Callable[[], Any]) -> Any:
        """Run what makes a coroutine on the event loop, as hooks of a broker that serves, and wait for it."""

        async def run() -> Any:
            made = call()
            return await made if inspect.isawaitable(made) else made

        return self._loop().ask(run).result()

    def _loop(self) -> EventLoop:
        if self._event_loop is None:
            if self._own_loop is None:
                self._own_loop = EventLoop()
            return self._own_loop
        loop = self._event_loop()
        if loop.thread is threading.current_thread():
            help = "in a coroutine, write   await asyncio.to_thread(broker.replay, ...)"
            raise RuntimeError(f"a replay cannot wait for the event loop it is called on; {help}")
        return loop


def _message_of(row: Row) -> Message:
    return Message(
        row.topic,
        row.payload,
        qos=row.qos,
        retain=row.retain,
        client_id=row.client_id,
        timestamp=row.timestamp,
        properties=row.properties,
    )
