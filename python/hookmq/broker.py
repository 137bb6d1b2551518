"""The broker: one object that a script creates, decorates and runs."""

from __future__ import annotations

import atexit
import functools
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping

from .errors import HookMQError
from .hooks.own_hooks import OwnHooks
from .log import logger
from .message import encode_payload
from .registration import Registration
from .run import Run, left
from .settings import config
from .source import Source, is_loading
from .subscription import Subscription

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

    from .replaying.replayed import Replay
    from .settings.listeners import ListenerInfo
    from .storage import History

__all__ = ["Broker"]

_UNSET: Any = object()

_STARTING = 5.0
"""Seconds that a start on another thread may take when the process ends."""

_LOOK = 0.05
"""Seconds from one look of ``run()`` to the next, whether it is to end."""


class Broker(Registration):
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
        super().__init__()
        self._stopped = threading.Event()
        self._stopped.set()
        self._stopping = threading.Event()
        self._reloading = threading.RLock()
        self._unapplied: list[str] = []
        """Settings that new code has, but that hold from the next start on."""
        self._source = Source.of_caller(sys._getframe(1))

    # Life -----------------------------------------------------------------------------------------------

    def start(self) -> Broker:
        """Bind and serve in the background; return at once. Without effect while it runs.

        Raises:
            HookMQError: E1xx if an address cannot be bound, E3xx for a wrong setting, E601 if the history's
                database cannot be used. Nothing is left behind then, and it can be started again.
        """
        if config.importing_app or is_loading(self):
            return self
        with self._lifecycle:
            if self._run is not None:
                self._check_process()
                return self
            settings = self._resolve()
            config.require_authentication(settings, authenticated=self._callbacks.asks_who_it_is)
            run = Run(settings, self._callbacks, self._event_loop)
            # From here on there are threads, which must end before the process does.
            _running.add(self)
            try:
                run.open(self._hooks)
            except BaseException:
                _running.discard(self)
                self._stop_loop(time.monotonic() + run.grace)
                raise
            self._run = run
            self._stopped.clear()
            if self._pages is not None:
                self._pages.open(run)
            if self._scheduler is not None:
                self._scheduler.start()
            run.serve()
            try:
                OwnHooks(self._hooks, self._event_loop, self._failures).start()
            except BaseException:
                self._stop_now()
                raise
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
        if config.importing_app or is_loading(self):
            return
        from .announcement import announce
        from .terminal import SignalWatch, log_to_terminal, supervisor

        # From the first moment on: nobody knows how soon a supervisor changes its mind.
        with SignalWatch() as signals:
            try:
                self._start_or_exit()
                signals.raises = False
                log_to_terminal(str(self.settings["log.level"]))
                if (run := self._run) is not None:  # a hook may have stopped it already
                    announce(run, self.hooks, self.jobs, self.routes)
                supervisor.tell("ready")
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
        from .reloading import summary
        from .terminal import supervisor

        try:
            self.reload()
            clients = self.statistics["clients_connected"]
        except Exception as error:  # whatever it is: the clients have nothing to do with it
            unexpected = None if isinstance(error, HookMQError) else error
            logger().error("%s", error, exc_info=unexpected)
            supervisor.tell("failed")
            return
        if self._source is None:
            logger().info("certificates, users and access rules were read again")
            return
        if self._unapplied and supervisor.tell("restart", ", ".join(self._unapplied)):
            return
        done = summary(len(self.hooks), len(self.jobs), len(self.routes), clients)
        if not supervisor.tell("reloaded", done):
            logger().info("%s", done)

    def _start_or_exit(self) -> None:
        try:
            self.start()
        except HookMQError as error:
            from .banner import wants_colour
            from .errors import render

            print(render(error, colour=wants_colour(sys.stderr)), file=sys.stderr)
            raise SystemExit(error.exit_code) from None

    async def serve(self) -> None:
        """Start, and serve until it is stopped or this task is cancelled.

        ```python
        async def main():
            await Broker(port=1884).serve()
        ```
        """
        import asyncio
        import contextlib

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
        import asyncio

        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import asyncio

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
        return list(self._active().listeners)

    def reload(self, *, code: bool = True) -> None:
        """Load the app's code again, and certificates, users and access rules; no connection is dropped.

        The file in which this broker was made is run anew, with the modules beside it that it imports. When
        that went well, what it registers (hooks, jobs, pages) takes the place of what was there, all at once;
        when it fails, the old code stays. Settings of ``Broker(...)`` hold from the next start on.
        ``on_startup`` hooks are not called. With ``code=False`` only the files are read, which happens by
        itself when one changes.

        SIGHUP does the same while :meth:`run` runs.

        Raises:
            HookMQError: E511 when the code fails, E3xx for settings with which it could not be started; E305
                for a file that cannot be used, which lets nobody in until it can. E503 when the broker does
                not run.
        """
        run = self._active()
        try:
            if code and self._source is not None:
                self._load_code(self._source, run)
        finally:
            run.reload()

    def _load_code(self, source: Source, run: Run) -> None:
        from .reloading import differences, load

        def check(fresh: Broker) -> None:
            self._unapplied = differences(run.settings, fresh._resolve())
            # What asks nobody who he is must not open by a reload what a start would not have opened.
            config.require_authentication(run.settings, authenticated=fresh._callbacks.asks_who_it_is)

        with self._reloading:  # or code that was read before could take the place of newer
            fresh = load(source, self, check)
            arguments = fresh._arguments  # before both become one
            self._adopt(fresh, run)
            self._arguments = arguments
        if self._unapplied:
            logger().warning("new settings hold from the next start on: %s", ", ".join(self._unapplied))

    @property
    def http_port(self) -> int | None:
        """The HTTP port, ``None`` without HTTP."""
        if self.running:
            return self._active().http_port
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
        data = encode_payload(payload)
        replay = _replaying()
        if replay is not None and replay.catch(topic, data, qos, retain, properties):
            return
        native = self._active().native
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
        replay = _replaying()
        if self._run is None and replay is not None and (trial := replay.captured.get()) is not None:
            stored: History = trial.history(
                filter, since=since, until=until, client=client, limit=limit, newest=newest
            )
            return stored
        recorder = self._active().recorder
        if recorder is None:
            raise HookMQError("E507")
        return recorder.store.query(
            filter, since=since, until=until, client=client, limit=limit, newest=newest
        )

    def disconnect(self, client_id: str) -> bool:
        """End a client's connection. Return whether it had one."""
        replay = _replaying()
        if replay is not None and (trial := replay.captured.get()) is not None and trial.replay.dry_run:
            return False
        return self._active().native.disconnect(client_id)

    def replay(
        self,
        filter: str = "#",
        *,
        hook: str | Callable[..., Any],
        since: Any = None,
        until: Any = None,
        client: str | None = None,
        speed: float | None = None,
        dry_run: bool = True,
        limit: int | None = None,
        progress: Callable[[Replay], None] | None = None,
    ) -> Replay:
        """Give stored messages to a hook once more, and tell what came of it.

        Args:
            filter: a topic filter: which of them.
            hook: the name of a hook, the function, or any function of a message.
            since, until, client, limit: as those of :meth:`history`.
            speed: 1.0 as it happened, 10.0 ten times faster; as fast as it goes by default.
            dry_run: what the hook publishes is caught and told, not published; what a ``transform`` hook
                changes is shown beside what was stored.
            progress: is told now and then how far it is.

        ```python
        print(broker.replay("tank/+/level", hook="watch", since="1h"))
        ```

        Raises:
            HookMQError: E503 when the broker does not run, E507 when the history is switched off.
            ValueError: if there is no such hook.
            TypeError: if it cannot be replayed.
        """
        from .replaying.replay import replay

        self._active()
        return replay(
            self._hooks,
            self.history,
            filter,
            hook=hook,
            since=since,
            until=until,
            client=client,
            speed=speed,
            dry_run=dry_run,
            limit=limit,
            progress=progress,
            event_loop=self._event_loop,
            stopped=self._stopping,
        )

    # Counting -------------------------------------------------------------------------------------------

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
        deadline = time.monotonic() + timeout
        told = all(lane.wait(left(deadline)) for lane in run.lanes)
        # Hooks in other processes have their messages when their lane is done, and still work on them.
        elsewhere = [hook.executor for hook in self._hooks if hook.executor is not None]
        return told and all(executor.drain(left(deadline)) for executor in elsewhere)

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

    def _in_hook(self, run: Run) -> bool:
        current = threading.current_thread()
        is_loop = self._loop is not None and current is self._loop.thread
        of_job = current.name.startswith(("hookmq-job-", "hookmq-shutdown"))
        of_page = self._pages is not None and self._pages.has_current()
        return is_loop or of_job or of_page or run.threads.has_current()

    def _stop_now(self) -> None:
        with self._lifecycle:
            run = self._run
            if run is None:
                return
            deadline = time.monotonic() + run.grace
            self._stopping.set()
            OwnHooks(self._hooks, self._event_loop, self._failures).stop(left(deadline))
            run.native.stop()
            for subscription in list(run.subscriptions):
                subscription.close()
            if self._scheduler is not None:
                self._scheduler.stop(left(deadline))
            # What happened before the stop is still told; what hooks publish meanwhile is still stored.
            run.settle(deadline, self._hooks)
            if self._pages is not None and (late := self._pages.close(lambda: left(deadline))):
                logger().warning("a page did not end: %s", ", ".join(late))
            self._stop_loop(deadline)
            run.end(deadline)
            self._stop_loop(deadline)  # a thread that went on may have asked for another
            for hook in self._hooks:
                hook.handle = hook.executor = None
            self._run = None
            _running.discard(self)
            self._stopping.clear()
            self._stopped.set()

    def _stop_loop(self, deadline: float) -> None:
        with self._making:
            loop = self._loop
        if loop is not None:
            loop.stop(left(deadline))
            self._loop = None


def _replaying() -> Any:
    """Return the module of replays if there may be one: who never replays does not import it."""
    return sys.modules.get("hookmq.replaying.replay")


# Brokers that run, so that none of their threads outlives the interpreter.
_running: weakref.WeakSet[Broker] = weakref.WeakSet()


@atexit.register
def _stop_all() -> None:
    for broker in list(_running):
        # One that starts at this moment on another thread is waited for, if it comes to an end.
        if broker._lifecycle.acquire(timeout=_STARTING):
            broker._lifecycle.release()
        broker.stop()
