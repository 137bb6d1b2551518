"""From a broker's start to its stop: what it serves, how it ends, and new code in between."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
import weakref
from collections.abc import Mapping

from .errors import HookMQError
from .hooks.own_hooks import OwnHooks
from .log import logger
from .registration import Registration, data_dir_of
from .run import Run, left
from .settings import config
from .source import Source, is_loading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any, Self

    from .settings.listeners import ListenerInfo

__all__ = ["Lifecycle"]

LAST_WRITE = 1.0
"""Seconds that connectors have at the end in any case, also if a hook has used all the grace up."""

RULES = "rules.db"
"""The file of the data directory that has rules of the HTTP API, as :mod:`hookmq.rules.store` calls it."""

_STARTING = 5.0
"""Seconds that a start on another thread may take when the process ends."""


class Lifecycle(Registration):
    """What ``Broker`` inherits to start, run, reload and stop.

    ``arguments`` are settings by name, ``source`` is where the broker was made, if that can be done again.
    """

    def __init__(self, arguments: Mapping[str, Any], source: Source | None) -> None:
        super().__init__()
        self._arguments = dict(arguments)
        self._source = source
        self._stopped = threading.Event()
        self._stopped.set()
        self._stopping = threading.Event()
        self._ring: Callable[[], None] | None = None
        self._reloading = threading.RLock()
        self._unapplied: list[str] = []
        """Settings that new code has, but that hold from the next start on."""

    @property
    def _app_file(self) -> str | None:
        return None if self._source is None else self._source.path

    # Life -----------------------------------------------------------------------------------------------

    def start(self) -> Self:
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
            try:
                self._configure(settings)
                if self._has_rules(settings):
                    self._the_book().prepare(settings)
                config.require_authentication(settings, authenticated=self._callbacks.asks_who_it_is)
                run = Run(settings, self._callbacks, self._event_loop)
            except BaseException:
                self._forget_configured()
                raise
            # From here on there are threads, which must end before the process does.
            _running.add(self)
            try:
                self._parts.start(self, data_dir_of(run))
                try:
                    run.open(self._hooks)
                except BaseException:
                    self._parts.stop(lambda: 0.0)
                    raise
            except BaseException:
                _running.discard(self)
                self._stop_loop(time.monotonic() + run.grace)
                self._forget_configured()
                raise
            self._run = run
            self._stopped.clear()
            self._console.open(run)
            if self._pages is not None:
                self._pages.open(run)
            if self._scheduler is not None:
                self._scheduler.start()
            if self._widgets is not None:
                self._widgets.open()
            try:
                if self._has_rules(settings):
                    self._the_book().open(run, data_dir_of(run))
                run.serve()
                OwnHooks(self._hooks, self._event_loop, self._failures).start()
                run.is_ready = True
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
            self._ring = signals.ring
            try:
                self._start_or_exit()
                signals.raises = False
                log_to_terminal(str(self.settings["log.level"]))
                if (run := self._run) is not None:  # a hook may have stopped it already
                    announce(
                        run,
                        self.hooks,
                        self.jobs,
                        self.routes,
                        self.widgets,
                        [] if self._book is None else self._book,
                        self._console.link_token if run.settings["dashboard"] else None,
                    )
                supervisor.tell("ready")
                while not (signals.received or self._stopped.is_set()):
                    signals.wait()
                    if signals.take_reload():
                        self._reload_on_signal()
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
            clients = dict(self._active().native.statistics())["clients_connected"]
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
        done = summary(
            len(self.hooks), len(self.jobs), sum(one.kind != "websocket" for one in self.routes), clients
        )
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

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
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
            self._reload_rules()
        finally:
            run.reload()

    def _reload_rules(self) -> None:
        """Read the rules of the settings again."""
        settings = self._resolve()
        if settings["rules"] or self._book is not None:
            self._the_book().reload(settings)

    def _load_code(self, source: Source, run: Run) -> None:
        from .reloading import differences, load

        def check(fresh: Lifecycle) -> None:
            # Rules are read again at once: see `_reload_rules`.
            changed = differences(run.settings, fresh._resolve())
            self._unapplied = [key for key in changed if key != "rules"]
            if self._book is not None:
                self._book.check_adoption(fresh._book)
            # What asks nobody who he is must not open by a reload what a start would not have opened.
            config.require_authentication(run.settings, authenticated=fresh._callbacks.asks_who_it_is)
            try:
                self._parts.pair(fresh._parts)
            except ValueError as error:
                raise HookMQError("E511", path=source.path, problem=str(error)) from None

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

    @property
    def http_ports(self) -> list[int]:
        """The HTTP port and the further ones, while it runs."""
        return list(self._active().native.http_ports)

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

    def _configure(self, settings: config.Settings) -> None:
        """Make the parts that the settings name, and register their hooks."""
        if settings["storage.url"] is None and not settings["connectors"] and not settings["authentication"]:
            return
        from .configured import parts_of

        before = list(self._hooks)
        try:
            for part in parts_of(settings):
                self._parts.add(part, configured=True)
                part.register(self)
        finally:
            self._configured_hooks = [hook for hook in self._hooks if hook not in before]

    def _has_rules(self, settings: config.Settings) -> bool:
        """Whether there may be rules: who has none does not import what they are."""
        if self._book is not None or settings["rules"] or settings["rules_folder"] is not None:
            return True
        directory = settings["data_dir"]
        return directory is not None and os.path.exists(os.path.join(str(directory), RULES))

    def check_rules(self) -> list[HookMQError]:
        """Return what is wrong with rules of the settings, of files and of Python; nothing is started."""
        try:
            settings = self._resolve()
            return self._the_book().problems(settings) if self._has_rules(settings) else []
        except HookMQError as error:
            return [error]

    def _in_hook(self, run: Run) -> bool:
        current = threading.current_thread()
        is_loop = self._loop is not None and current is self._loop.thread
        of_job = current.name.startswith(("hookmq-job-", "hookmq-shutdown"))
        of_page = self._pages is not None and self._pages.has_current()
        of_page = of_page or (self._widgets is not None and self._widgets.has_current())
        return is_loop or of_job or of_page or run.threads.has_current()

    def _stop_now(self) -> None:
        with self._lifecycle:
            run = self._run
            if run is None:
                return
            run.is_ready = False
            deadline = time.monotonic() + run.grace
            self._stopping.set()
            OwnHooks(self._hooks, self._event_loop, self._failures).stop(left(deadline))
            run.native.stop()
            for subscription in list(run.subscriptions):
                subscription.close()
            if late := self._console.close_live(left(deadline)):
                logger().warning("the live feed did not end: %s", ", ".join(late))
            if self._scheduler is not None:
                self._scheduler.stop(left(deadline))
            if self._widgets is not None and (late := self._widgets.close(left(deadline))):
                logger().warning("a widget did not end: %s", ", ".join(late))
            # What happened before the stop is still told; what hooks publish meanwhile is still stored.
            run.settle(deadline, self._hooks)
            if self._book is not None:
                self._book.close(lambda: max(left(deadline), LAST_WRITE))
            self._parts.stop(lambda: max(left(deadline), LAST_WRITE))
            if self._pages is not None and (late := self._pages.close(lambda: left(deadline))):
                logger().warning("a page did not end: %s", ", ".join(late))
            self._stop_loop(deadline)
            run.end(deadline)
            self._stop_loop(deadline)  # a thread that went on may have asked for another
            for hook in self._hooks:
                hook.handle = hook.executor = None
            self._forget_configured()
            self._console.close()
            self._run = None
            _running.discard(self)
            self._stopping.clear()
            self._stopped.set()
            if self._ring is not None:
                self._ring()

    def _stop_loop(self, deadline: float) -> None:
        with self._making:
            loop = self._loop
        if loop is not None:
            loop.stop(left(deadline))
            self._loop = None


# Brokers that run, so that none of their threads outlives the interpreter.
_running: weakref.WeakSet[Lifecycle] = weakref.WeakSet()


@atexit.register
def _stop_all() -> None:
    for broker in list(_running):
        # One that starts at this moment on another thread is waited for, if it comes to an end.
        if broker._lifecycle.acquire(timeout=_STARTING):
            broker._lifecycle.release()
        broker.stop()
