"""What exists from a broker's start to its stop: the native broker, its hooks' places, its threads."""

from __future__ import annotations

import errno
import functools
import os
import time
import weakref
from collections.abc import Callable, Sequence

from ._hookmq import BindError, FileError, NativeBroker, StoreError
from .errors import HookMQError
from .execution.threads import HookThreads
from .log import logger
from .recovering import Recovering, store_error
from .settings.listeners import ListenerInfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._hookmq import CallPool, DeliveryLane, HookHandle, Hub, Lane, LoopLane, Message, SocketLane
    from .execution.aio import EventLoop
    from .execution.processes import ProcessExecutor
    from .hooks.callbacks import Callbacks
    from .hooks.hook import Hook
    from .recorder import Recorder
    from .settings.config import Settings
    from .subscription import Subscription
    from .typed.adapter import Adapter

__all__ = ["Run", "left"]


CONSOLE = (
    "/api/v1/",
    "/api/openapi.json",
    "/healthz",
    "/readyz",
    "/metrics",
    "/dashboard",
    "/dashboard/",
    "/crystalmq/api/v1/",
    "/bwiot/api/v1/",
)
"""Paths of the broker's own pages, on threads of their own; one with ``/`` at its end is for all below."""

STUCK = 1.0
"""Seconds after which a call is taken for one that does not come back, when its hook is let go."""


class Run:
    """One run of a broker: made with its settings, opened once, served once, ended once."""

    def __init__(self, settings: Settings, callbacks: Callbacks, event_loop: Callable[[], EventLoop]) -> None:
        self.settings = settings
        if (directory := settings["data_dir"]) is not None:
            _take_backup(str(directory))
        try:
            self.native = NativeBroker(settings.native(), callbacks, Recovering())
        except StoreError as error:
            raise store_error(error) from None
        try:
            self.recorder = self._open_recorder()
        except BaseException:
            self.native.close()
            raise
        self.process = os.getpid()
        self.started_at = time.time()
        """When it began, in Unix seconds."""
        self.is_ready = False
        """Whether clients are let in."""
        self.threads = HookThreads()
        self.subscriptions: weakref.WeakSet[Subscription] = weakref.WeakSet()
        self.listeners: list[ListenerInfo] = []
        """Where MQTT is served, with the ports that were free."""
        self.http_port: int | None = None
        """Where HTTP is served, if it is."""
        self._callbacks = callbacks
        # The native side stops waiting first; from then on nobody needs the answer.
        callbacks.decision_timeout = float(str(settings["hooks.decision_timeout"])) + 0.5
        callbacks.exchanges.timeout = callbacks.decision_timeout
        self._event_loop = event_loop
        self._observers = self.native.lane()
        self._coroutines: LoopLane | None = None
        self._deliveries: DeliveryLane | None = None
        self._sockets: SocketLane | None = None
        self._console: CallPool | None = None
        self._console_sockets: SocketLane | None = None
        self._own: dict[Hook, list[Lane]] = {}
        self._further: list[Lane] = []
        self._decisions: CallPool | None = None
        self._pages: CallPool | None = None

    @property
    def lanes(self) -> list[Lane | DeliveryLane]:
        """The queues of what hooks are told, and of what they decide behind the publisher's back."""
        lanes: list[Lane | DeliveryLane] = [
            self._observers,
            *(lane for lanes in self._own.values() for lane in lanes),
            *self._further,
        ]
        if self._coroutines is not None:
            lanes.append(self._coroutines.lane)
        if self._deliveries is not None:
            lanes.append(self._deliveries)
        return lanes

    def open(self, hooks: Sequence[Hook]) -> None:
        """Give every hook its place, then bind: nobody slips in unasked. Who comes waits for :meth:`serve`.

        Raises:
            HookMQError: E1xx if an address cannot be bound. Nothing is left behind then.
        """
        self._start_threads()
        for hook in hooks:
            hook.count_anew()
            self.prepare(hook)
        self.swap(hooks, ())
        try:
            self.native.start()
        except BaseException as error:
            self.end(time.monotonic() + self.grace)
            if isinstance(error, BindError):
                raise _bind_error(error) from None
            raise _file_error(error) if isinstance(error, FileError) else error from None
        bound = zip(self.settings.listeners, self.native.listeners, strict=True)
        self.listeners = [ListenerInfo(url, listener.scheme, port) for listener, (url, port) in bound]
        self.http_port = self.native.http_port

    def serve(self) -> None:
        """Let clients in: hooks and pages find all that they may ask for."""
        self.native.serve()

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

    def prepare(self, hook: Hook, instead: Hook | None = None) -> None:
        """Make a hook's place and its threads; it is called from :meth:`swap` on.

        Among hooks of its priority it is told instead of another, or last.
        """
        if self._callbacks.hooks_of(hook.spec.name) is not None:
            hook.stopwatch = self.native.stopwatch(hook.name)
            self._start_deciding()
            return
        if not hook.spec.native:
            return  # it is called when the broker starts or stops
        options = hook.options
        lanes, function = self._place(hook)
        executor = hook.executor
        hook.handle = self.native.add_hook(
            lanes,
            hook.spec.native,
            function,
            name=hook.name,
            filter=hook.template.filter if hook.template else None,
            positional=hook.positional,
            levels=list(hook.levels),
            overflow="block" if hook.spec.decides else hook.overflow,
            rank=options.priority,
            condition=options.where,
            bare=not options.payload,
            keeps=options.ack is not None,
            later=hook.is_async and hook.spec.name == "transform",
            flush=None if executor is None else executor.flush,
            instead=None if instead is None else instead.handle,
        )
        hook.handle.pause(hook.paused)

    def _place(self, hook: Hook) -> tuple[list[Lane], Callable[..., Any]]:
        """Return where the calls of a hook wait, and what is called."""
        options = hook.options
        if hook.spec.decides:
            self._start_deciding()
            if hook.spec.name == "on_deliver":
                self._start_delivering()
            # Coroutines that transform are awaited on the loop; deliveries keep their order by waiting.
            waits = hook.is_async and hook.spec.name == "on_deliver"
            return [], self._waited_for(hook) if waits else hook.function
        # What must not be dropped has a lane to itself: a neighbour of another policy could push it out.
        alone = hook.overflow == "block"
        if hook.is_async:
            return [self._lane_of_coroutines(hook if alone else None)], hook.function
        if hook.spec.name == "on_batch":
            batches = self.native.batch_lane(
                options.format, options.max_rows, options.max_delay, list(options.fields)
            )
            self._own[hook] = [batches.lane]
            self.threads.start(f"batch-{hook.name}", batches.run)
            return [batches.lane], hook.function
        if options.executor == "process":
            from .execution.processes import ProcessExecutor

            hook.executor = ProcessExecutor(
                hook.name,
                hook.user_function,
                workers=options.workers or 1,
                failed=self._callbacks.failed,
            )
            function: Callable[..., Any] = hook.executor
            if hook.adapter is not None:
                function = _call_elsewhere(hook.adapter, hook.executor)
            # A full executor blocks its thread, so it has one of its own.
            return self._own_lanes(hook, 1), function
        if options.threads or alone:
            return self._own_lanes(hook, options.threads or 1), hook.function
        return [self._observers], hook.function

    def _own_lanes(self, hook: Hook, count: int) -> list[Lane]:
        lanes = [self.native.lane() for _ in range(count)]
        for index, lane in enumerate(lanes):
            self.threads.start(f"{hook.name}-{index}", lane.run)
        self._own[hook] = lanes
        return lanes

    def lane(self, name: str, *, waits: bool = False) -> Lane:
        """Make a queue with a thread of its own, for what belongs to no single hook.

        One that ``waits`` makes no calls before :meth:`begin`.
        """
        made = self.native.lane()
        self._further.append(made)
        if not waits:
            self.begin(made, name)
        return made

    def begin(self, lane: Lane, name: str) -> None:
        """Let a queue of :meth:`lane` make its calls."""
        self.threads.start(name, lane.run)

    def let_go(self, lane: Lane) -> None:
        """End a queue of :meth:`lane`; its thread ends when it has made the calls that wait."""
        self._further.remove(lane)
        lane.close()

    def _waited_for(self, hook: Hook) -> Callable[..., Any]:
        """Return a function that lets the event loop run the coroutine, and waits for what it returns."""
        loop, function = self._event_loop, hook.function
        timeout = float(str(self.settings["hooks.decision_timeout"]))

        def call(*arguments: Any, **levels: str) -> Any:
            future = loop().ask(lambda: function(*arguments, **levels))
            try:
                return future.result(timeout)
            except TimeoutError:
                future.cancel()
                raise

        return call

    def swap(self, added: Sequence[Hook], removed: Sequence[Hook], *, drain: bool = False) -> None:
        """Call hooks that were prepared in the place of others, all at once.

        What happens is told to these or to those. With ``drain`` those are called for what happened before,
        otherwise not any more.
        """
        handles = [[hook.handle for hook in hooks if hook.handle is not None] for hooks in (added, removed)]
        self.native.swap_hooks(*handles, drain=drain)
        self.tell_deciders()
        for hook in removed:
            self._let_go(hook, drain=drain)

    def _let_go(self, hook: Hook, *, drain: bool) -> None:
        asked = self._callbacks.hooks_of(hook.spec.name) is not None
        if hook.handle is not None:
            self._relieve(hook, hook.handle)
        # Threads that wait for its answers may never come back to decide about others.
        for _ in range(hook.active if asked else 0):
            self._start_decider()
        for lane in self._own.pop(hook, ()):
            lane.close()  # its thread ends when it has made the calls that wait
        if hook.executor is not None:
            hook.executor.stop(self.grace if drain else 0)
            hook.executor = None

    def _relieve(self, hook: Hook, handle: HookHandle) -> None:
        """Let another thread go on with what waits behind a call that does not come back."""
        if hook.is_async:
            return  # the event loop is relieved as a whole
        if hook.spec.decides and hook.spec.name != "on_deliver":
            for _ in range(handle.active):
                self._start_decider()
        elif (handle.busy_for or 0.0) < STUCK:
            return
        elif hook.spec.name == "on_deliver" and self._deliveries is not None:
            self._deliveries.take_over()
            self.threads.start("deliver", self._deliveries.run)
        elif hook not in self._own:
            self._observers.take_over()
            self.threads.start("hooks", self._observers.run)

    def tell_deciders(self) -> None:
        """Tell the native broker whether anyone wants to be asked. What was answered before holds no more."""
        deciders = self._callbacks.deciders
        self._callbacks.remembered.forget()
        authorizes = bool(deciders["authorize"])
        self.native.decide(
            bool(deciders["authenticate"]),
            bool(deciders["on_connect"]),
            authorizes,
            authorizes or bool(deciders["on_subscribe"]),
            list(self._callbacks.exchanges.methods),
        )

    def _start_deciding(self) -> None:
        if self._decisions is None:
            self._decisions = self.native.decisions()
            for index in range(int(str(self.settings["hooks.decision_threads"]))):
                self.threads.start(f"decide-{index}", self._decisions.run)

    def _start_decider(self) -> None:
        """Start another thread that decides, in the place of one that may never come back."""
        if self._decisions is not None:
            self.threads.start("decide", self._decisions.run)

    def _start_delivering(self) -> None:
        if self._deliveries is None:
            self._deliveries = self.native.deliveries()
            self.threads.start("deliver", self._deliveries.run)

    def _lane_of_coroutines(self, owner: Hook | None) -> Lane:
        """Return the lane that hooks share, or a new one for its owner alone."""
        if owner is None and self._coroutines is not None:
            return self._coroutines.lane
        made = self.native.loop_lane()
        self._event_loop().attach(made)
        if owner is None:
            self._coroutines = made
        else:
            self._own[owner] = [made.lane]
        return made.lane

    def relieve_sockets(self) -> None:
        """Let another thread tell what happens to WebSockets of pages, if a handler does not come back."""
        if self._sockets is not None and not self._sockets.wait(STUCK):
            self._sockets.take_over()
            self.threads.start("page-sockets", self._sockets.run)

    def hub(self, path: str, observer: Callable[..., None], *, below: bool = False) -> Hub:
        """Make a place for WebSockets of pages, whose events are told on a thread of their own."""
        if self._sockets is None:
            self._sockets = self.native.sockets()
            self.threads.start("page-sockets", self._sockets.run)
        return self.native.hub(self._sockets, path, observer, below=below)

    def console_hub(self, path: str, observer: Callable[..., None]) -> Hub:
        """Make a place for WebSockets of the broker's own pages, which wait for no handler of a user's."""
        if self._console_sockets is None:
            self._console_sockets = self.native.sockets()
            self.threads.start("console-sockets", self._console_sockets.run)
        return self.native.hub(self._console_sockets, path, observer)

    # Threads --------------------------------------------------------------------------------------------

    def _open_recorder(self) -> Recorder | None:
        if not self.settings["history.enabled"]:
            return None
        from .recorder import Recorder

        return Recorder(self.settings, self.native)

    def _start_threads(self) -> None:
        self.threads.start("hooks", self._observers.run)
        log = self.native.log()
        self.threads.start("log", lambda name: log.run(self._callbacks.log))
        if (recorder := self.recorder) is not None and not recorder.in_memory:
            self.threads.start("history", lambda name: recorder.run())
        if self.settings["http_port"] is not None:
            self._pages = self.native.pages()
            for index in range(int(str(self.settings["hooks.page_threads"]))):
                self.threads.start(f"page-{index}", self._pages.run)
            # Whether it is well can be asked however slow the pages of users are.
            bases = {"", str(self.settings["http_base"])}
            self._console = self.native.console([f"{base}{path}" for base in bases for path in CONSOLE])
            for index in range(2):
                self.threads.start(f"console-{index}", self._console.run)

    def settle(self, deadline: float, hooks: Sequence[Hook]) -> None:
        """Let observers be told what happened so far, and drop what they do not come to."""
        for lane in self.lanes:
            if not lane.wait(left(deadline)):
                lane.clear()
        for hook in hooks:
            if hook.executor is not None and (lost := hook.executor.stop(left(deadline))):
                logger().warning("%s did not come to %d events", hook.name, lost)

    def end(self, deadline: float) -> None:
        """Close the history and end the threads; the network is closed already, or never was open."""
        if self.recorder is not None:
            self.recorder.close(left(deadline))
        for lane in self.lanes:
            lane.close()
        for pool in (self._decisions, self._pages, self._console, self._sockets, self._console_sockets):
            if pool is not None:
                pool.close()
        self.native.log().close()
        if stuck := self.threads.join(left(deadline)):
            logger().warning("a hook did not end: %s", ", ".join(stuck))
        self.native.close()


def left(deadline: float) -> float:
    """Return the seconds until a deadline, 0 when it has passed.

    >>> left(time.monotonic() - 1)
    0.0
    """
    return max(0.0, deadline - time.monotonic())


def _take_backup(directory: str) -> None:
    """Put a backup in its place that ``hookmq restore`` has brought while a broker ran."""
    if not os.path.isdir(os.path.join(directory, "restoring")):
        return
    from pathlib import Path

    from .backup import take_staged

    logger().info("a backup was restored; what was there before is in %s", take_staged(Path(directory)))


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


def _call_elsewhere(adapter: Adapter, executor: ProcessExecutor) -> Callable[..., Any]:
    """Have payloads read here and the function called there, in order for each client."""

    def call(message: Message, *arguments: Any, **levels: Any) -> Any:
        # What is handed over need not say whose it is. One thread makes all calls of an executor.
        adapter.target = functools.partial(executor.put, message.client_id)
        return adapter.call(message, *arguments, **levels)

    return call
