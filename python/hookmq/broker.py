"""The broker: one object that a script creates, decorates and runs."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import logging
import os
import platform
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import config
from .aio import EventLoop
from .callbacks import Callbacks
from .decorators import Decorators
from .errors import HookMQError, render
from .failures import FailureLog
from .hooks import Hook, HookInfo
from .listeners import ListenerInfo
from .message import encode_payload
from .run import Run, left
from .subscription import Subscription
from .terminal import SignalWatch, log_to_terminal
from .web import RouteInfo, Routes

if TYPE_CHECKING:
    import schedule

    from .scheduler import JobInfo, Scheduler
    from .storage import History

__all__ = ["Broker"]

_log = logging.getLogger("hookmq")

_UNSET: Any = object()

_LOOK = 0.05
"""Seconds from one look of ``run()`` to the next, whether it is to end."""


class Broker(Decorators):
    """An MQTT broker (3.1, 3.1.1 and 5.0) with hooks in this process.

    Args:
        host: address to listen on. ``127.0.0.1`` by default: only this machine can connect.
        port: MQTT port, 1883 by default; 0 takes a free one, see :attr:`port`; ``None`` serves no plain MQTT.
        http_port: port of the pages, 8080 by default; 0 takes a free one, ``None`` serves none.
        data_dir: directory for what outlives the process; in memory without one.
        config: a TOML file; ``hookmq.toml`` in the working directory is read by itself.
        allow_anonymous: lets everyone connect although other machines can.
        settings: sections of the configuration, such as ``limits={"max_clients": 5}``.

    Flags and ``HOOKMQ_…`` variables win over these arguments, these win over the file. Nothing is bound
    before :meth:`start`; hooks can be added before and after.

    >>> broker = Broker(port=0, http_port=None)
    >>> @broker.on_message_received("tank/{tank}/level")
    ... def watch(msg, tank):
    ...     print(tank, msg.json())
    >>> with broker:
    ...     broker.port > 0
    True
    """

    def __init__(
        self,
        *,
        host: str = _UNSET,
        port: int | None = _UNSET,
        http_port: int | None = _UNSET,
        data_dir: str | os.PathLike[str] | None = _UNSET,
        config: str | os.PathLike[str] | None = _UNSET,
        allow_anonymous: bool = _UNSET,
        **settings: Any,
    ) -> None:
        named = {
            "host": host,
            "port": port,
            "http_port": http_port,
            "data_dir": data_dir,
            "config": config,
            "allow_anonymous": allow_anonymous,
        }
        self._arguments = {key: value for key, value in named.items() if value is not _UNSET} | settings
        self._lifecycle = threading.RLock()
        self._stopped = threading.Event()
        self._stopped.set()
        self._run: Run | None = None
        self._hooks: list[Hook] = []
        self._routes = Routes()
        self._failures = FailureLog()
        self._loop: EventLoop | None = None
        self._loop_lock = threading.Lock()
        self._callbacks = Callbacks(self._routes, self._event_loop, self._failures)
        self._scheduler: Scheduler | None = None

    # Life -----------------------------------------------------------------------------------------------

    def start(self) -> Broker:
        """Bind and serve in the background; return at once. Without effect while it runs.

        Raises:
            HookMQError: E1xx if an address cannot be bound, E3xx for a wrong setting, E601 if the history's
                database cannot be used. Nothing is left behind then, and it can be started again.
        """
        if config.importing_app:
            return self
        with self._lifecycle:
            if self._run is not None:
                self._check_process()
                return self
            settings = self._resolve()
            asks = bool(self._callbacks.authenticators or self._callbacks.exchanges.hooks)
            config.require_authentication(settings, authenticated=asks)
            run = Run(settings, self._callbacks, self._event_loop)
            try:
                run.open(self._hooks)
            except BaseException:
                self._stop_loop(time.monotonic() + run.grace)
                raise
            self._run = run
            self._stopped.clear()
            _running.add(self)
            if self._scheduler is not None:
                self._scheduler.start()
        return self

    def stop(self) -> None:
        """Say farewell to the clients, let the hooks finish what waits, end every thread.

        Takes at most ``hooks.stop_grace`` (5 s) for hooks that do not end. Called from a hook, it returns at
        once and the stop goes on behind it. Without effect when it does not run.
        """
        run = self._run
        if run is None or run.process != os.getpid():
            return
        if self._in_hook(run):
            threading.Thread(target=self._stop_now, name="hookmq-stop").start()
        else:
            self._stop_now()

    def run(self) -> None:
        """Start, tell where, and serve until Ctrl+C, SIGTERM or :meth:`stop`.

        An error at the start is printed with its remedy and ends the process with its exit code.
        """
        if config.importing_app:
            return
        # From the first moment on: nobody knows how soon a supervisor changes its mind.
        with SignalWatch() as signals:
            try:
                self._start_or_exit()
                signals.raises = False
                log_to_terminal(str(self.settings["log.level"]))
                self._print_banner()
                while not (signals.received or self._stopped.is_set()):
                    if signals.take_reload():
                        self._reload_on_signal()
                    time.sleep(_LOOK)
            except KeyboardInterrupt:
                pass
            finally:
                self.stop()
                with self._lifecycle:  # a stop that a hook asked for is over when this can be had
                    pass

    def _reload_on_signal(self) -> None:
        try:
            self.reload()
            _log.info("certificates, users and access rules were read again")
        except HookMQError as error:
            _log.error("%s", error)

    def _start_or_exit(self) -> None:
        try:
            self.start()
        except HookMQError as error:
            from .banner import wants_colour

            print(render(error, colour=wants_colour(sys.stderr)), file=sys.stderr)
            raise SystemExit(error.exit_code) from None

    async def serve(self) -> None:
        """Start, and serve until it is stopped or this task is cancelled.

        ```python
        async def main():
            await Broker(port=1884).serve()
        ```
        """
        starting = asyncio.ensure_future(asyncio.to_thread(self.start))
        try:
            # The thread cannot be cancelled: it has to be waited for, and what it started to be stopped.
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            with contextlib.suppress(HookMQError):
                await starting
            await asyncio.to_thread(self.stop)
            raise
        try:
            while not self._stopped.is_set():
                await asyncio.sleep(0.1)
        finally:
            await asyncio.to_thread(self.stop)

    def __enter__(self) -> Broker:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Broker:
        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    # Where it is ----------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether it serves."""
        return self._run is not None and self._run.process == os.getpid()

    @property
    def settings(self) -> config.Settings:
        """Every setting and where its value came from; while it does not run, as a start would find them."""
        return self._run.settings if self._run is not None else self._resolve()

    @property
    def host(self) -> str:
        """The address it listens on."""
        return str(self.settings["host"])

    @property
    def port(self) -> int:
        """The MQTT port; with ``port=0`` the one that was free. Raises E503 while it does not run then.

        It is 0 without a plain MQTT port (``port=None``); :attr:`listeners` has all there are.
        """
        configured = self.settings["port"]
        if configured is None:
            return 0
        return self.listeners[0].port if self.running or configured == 0 else int(str(configured))

    @property
    def listeners(self) -> list[ListenerInfo]:
        """Where MQTT is served, with the ports that were free: the plain port, TLS, then the others."""
        run = self._active()
        bound = zip(run.settings.listeners, run.native.listeners, strict=True)
        return [ListenerInfo(url, listener.scheme, port) for listener, (url, port) in bound]

    def reload(self) -> None:
        """Read certificates, keys, revocation lists, users and access rules again, dropping no connection.

        It happens by itself when a file changes, and when the process gets SIGHUP while :meth:`run` runs.

        Raises:
            HookMQError: E305 for a file that cannot be used; until it can, it lets nobody in. E503 when the
                broker does not run.
        """
        self._active().reload()

    @property
    def http_port(self) -> int | None:
        """The HTTP port, ``None`` without HTTP."""
        if self.running:
            return self._active().native.http_port
        configured = self.settings["http_port"]
        return None if configured is None else int(str(configured))

    # Messages -------------------------------------------------------------------------------------------

    def publish(
        self,
        topic: str,
        payload: object = None,
        *,
        qos: int = 0,
        retain: bool = False,
        properties: Mapping[str, object] | None = None,
    ) -> None:
        """Publish a message from this process, from any thread.

        Args:
            topic: a topic name, without wildcards.
            payload: ``bytes`` as they are, ``str`` as UTF-8, ``None`` as nothing, anything else as JSON.
            qos: 0, 1 or 2.
            retain: whether the broker keeps it for later subscribers; without payload it clears the topic.
            properties: MQTT 5's, as in :attr:`Message.properties`.

        Raises:
            HookMQError: E503 when it does not run, E506 when a subscriber's queue is full (QoS 1 and 2) or
                there is no room for another retained message.
            ValueError: for a topic, QoS or property that cannot be.
            TypeError: for a payload that has no JSON form.
        """
        native = self._active().native
        data = encode_payload(payload)
        try:
            native.publish(topic, data, qos, retain, None if properties is None else dict(properties))
        except RuntimeError as error:
            raise HookMQError("E506", topic=topic, reason=str(error)) from None

    def subscribe(self, filter: str = "#", *, retained: bool = True, maxsize: int = 10_000) -> Subscription:
        """Return the messages that match as an iterator and an async iterator, the retained ones first.

        Args:
            filter: a topic filter.
            retained: whether it begins with the retained messages.
            maxsize: messages that may wait; beyond it the oldest go, counted in ``Subscription.dropped``.

        ```python
        with broker.subscribe("tank/#") as messages:
            for msg in messages:
                print(msg.topic, msg.text)
        ```

        Raises:
            HookMQError: E502 if the filter is none, E503 when the broker does not run.
        """
        run = self._active()
        try:
            inbox, number = run.native.subscribe(filter, retained, maxsize)
        except ValueError as error:
            raise HookMQError("E502", filter=filter, problem=str(error)) from None
        unsubscribe = functools.partial(run.native.unsubscribe, filter, number)
        subscription = Subscription(filter, inbox, unsubscribe)
        run.subscriptions.add(subscription)
        return subscription

    def history(
        self,
        filter: str = "#",
        *,
        since: Any = None,
        until: Any = None,
        client: str | None = None,
        limit: int | None = None,
        newest: bool = False,
    ) -> History:
        """Return the stored messages that match: of clients and of the broker itself.

        It is read when the result is, and contains what was published before. See
        :meth:`hookmq.storage.HistoryStore.query` for the arguments.

        ```python
        for row in broker.history("tank/+/level", since="10m").last(by="topic"):
            print(row.topic, row.json())
        ```

        Raises:
            HookMQError: E503 when the broker does not run, E507 when the history is switched off.
        """
        recorder = self._active().recorder
        if recorder is None:
            raise HookMQError("E507")
        return recorder.store.query(
            filter, since=since, until=until, client=client, limit=limit, newest=newest
        )

    def disconnect(self, client_id: str) -> bool:
        """End a client's connection. Return whether it had one."""
        return self._active().native.disconnect(client_id)

    # What is registered ---------------------------------------------------------------------------------

    @property
    def hooks(self) -> list[HookInfo]:
        """Every hook with its counters since the start."""
        return [hook.info() for hook in self._hooks]

    @property
    def jobs(self) -> list[JobInfo]:
        """Every scheduled job and what became of its runs."""
        return [] if self._scheduler is None else self._scheduler.jobs

    @property
    def routes(self) -> list[RouteInfo]:
        """Every page."""
        return self._routes.infos

    @property
    def statistics(self) -> dict[str, int]:
        """Counters since the start and totals of this moment, by name."""
        run = self._active()
        counters = dict(run.native.statistics())
        if run.recorder is not None:
            counters |= run.recorder.counters()
        return counters

    def wait_for_hooks(self, timeout: float = 5.0) -> bool:
        """Wait until every observer was told what happened before. Return whether they were in time.

        For tests, and for scripts that end: hooks run behind the broker, not in its way. Coroutines count
        from when they are begun.
        """
        run = self._active()
        return all(lane.wait(timeout) for lane in run.lanes)

    # Registering, for the decorators --------------------------------------------------------------------

    def _add_hook(self, hook: Hook) -> None:
        with self._lifecycle:
            replaced = [other for other in self._hooks if hook.replaces(other)]
            _insert(self._hooks, hook, replaced)
            deciders = self._deciders(hook)
            if deciders is not None:
                _insert(deciders, hook, replaced)
            if self._run is not None:
                self._run.connect(hook)
            # Afterwards, so that there is no moment in which nobody decides.
            for other in replaced:
                self._hooks.remove(other)
                if deciders is not None:
                    deciders.remove(other)
                if self._run is not None:
                    self._run.disconnect(other)

    def _add_job(self, job: schedule.Job, function: Callable[..., Any], name: str | None) -> None:
        with self._lifecycle:
            if self._scheduler is None:
                from .scheduler import Scheduler

                self._scheduler = Scheduler(self._failures.failed, self._event_loop)
            self._scheduler.add(job, function, name)
            if self._run is not None:
                self._scheduler.start()

    def _add_route(self, path: str, function: Callable[..., Any], methods: tuple[str, ...] | None) -> None:
        self._routes.add(path, function, methods)

    def _deciders(self, hook: Hook) -> list[Hook] | None:
        deciders = {
            "authenticate": self._callbacks.authenticators,
            "authorize": self._callbacks.authorizers,
            "enhanced_authenticate": self._callbacks.exchanges.hooks,
        }
        return deciders.get(hook.spec.name)

    # Inside ---------------------------------------------------------------------------------------------

    def _active(self) -> Run:
        if self._run is None:
            raise HookMQError("E503")
        self._check_process()
        return self._run

    def _check_process(self) -> None:
        if self._run is not None and self._run.process != os.getpid():
            raise HookMQError("E504")

    def _resolve(self) -> config.Settings:
        return config.resolve(
            arguments=self._arguments, flags=config.process_flags, defaults=config.process_defaults
        )

    def _event_loop(self) -> EventLoop:
        with self._loop_lock:
            if self._loop is None:
                self._loop = EventLoop(self._failures.failed)
            return self._loop

    def _in_hook(self, run: Run) -> bool:
        current = threading.current_thread()
        is_loop = self._loop is not None and current is self._loop.thread
        return is_loop or run.threads.has_current() or current.name.startswith("hookmq-job-")

    def _stop_now(self) -> None:
        with self._lifecycle:
            run = self._run
            if run is None:
                return
            deadline = time.monotonic() + run.grace
            run.native.stop()
            for subscription in list(run.subscriptions):
                subscription.close()
            if self._scheduler is not None:
                self._scheduler.stop(left(deadline))
            # What happened before the stop is still told; what hooks publish meanwhile is still stored.
            run.settle(deadline)
            self._stop_loop(deadline)
            run.end(deadline)
            for hook in self._hooks:
                hook.handle = None
            self._run = None
            _running.discard(self)
            self._stopped.set()

    def _stop_loop(self, deadline: float) -> None:
        if self._loop is not None:
            self._loop.stop(left(deadline))
            self._loop = None

    def _hosts(self) -> list[str]:
        settings = self._active().settings
        doors = [*settings.listeners, settings.http]
        return [door.host for door in doors if door is not None and door.host is not None]

    def _print_banner(self) -> None:
        from . import __version__
        from .banner import BannerHook, BannerInfo, write

        run = self._active()
        host = self.host if ":" not in self.host else f"[{self.host}]"
        scheme = "https" if self.settings["tls.http"] else "http"
        http = None if self.http_port is None else f"{scheme}://{host}:{self.http_port}/"
        path = self.settings["websocket.path"]
        hooks = [BannerHook(hook.name, hook.filter or hook.kind, hook.where) for hook in self.hooks] + [
            BannerHook(job.name, job.description, job.where, scheduled=True) for job in self.jobs
        ]
        info = BannerInfo(
            version=__version__,
            python=platform.python_version(),
            platform=f"{platform.system()} {platform.machine()}",
            mqtt=[listener.url for listener in self.listeners],
            http=http,
            websocket=None if http is None else f"{http[:-1].replace('http', 'ws', 1)}{path}",
            pages=[route.path for route in self.routes],
            storage=None if run.recorder is None else run.recorder.describe(),
            hooks=hooks,
            loopback_only=all(config.is_loopback(host) for host in self._hosts()),
        )
        write(info, sys.stdout)
        sys.stdout.flush()


def _insert(hooks: list[Hook], hook: Hook, replaced: list[Hook]) -> None:
    """Put a hook in the place of what it replaces, or at the end: deciders are asked in their order."""
    hooks.insert(hooks.index(replaced[0]) if replaced else len(hooks), hook)


# Brokers that run, so that none of their threads outlives the interpreter.
_running: weakref.WeakSet[Broker] = weakref.WeakSet()


@atexit.register
def _stop_all() -> None:
    for broker in list(_running):
        broker.stop()
