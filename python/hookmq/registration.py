"""What is registered with a broker: its hooks, jobs and pages, and their places while it runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence

from .console import Console
from .decorators import Decorators
from .errors import HookMQError
from .hooks.callbacks import Callbacks
from .hooks.failures import FailureLog
from .parts import Parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    import schedule

    from .bridges import BridgeInfo
    from .connectors import ConnectorInfo
    from .execution.aio import EventLoop
    from .hooks.hook import Hook, HookInfo
    from .message import Message
    from .pages import Pages
    from .parts import Part
    from .rules import RuleBook
    from .run import Run
    from .scheduler import JobInfo, Scheduler
    from .web.routes import RouteInfo
    from .web.sockets import PageSockets
    from .web.source import Source as WebSource
    from .web.widgets import Widget, Widgets

__all__ = ["Registration", "data_dir_of"]


class Registration(Decorators):
    """What ``Broker`` inherits to keep what decorators hand over, before the broker runs and while it does.

    What not every broker has is made, and imported, when it is first used: the event loop, the scheduler and
    the pages.
    """

    def __init__(self) -> None:
        self._lifecycle = threading.RLock()
        self._run: Run | None = None
        self._failures = FailureLog()
        self._hooks: list[Hook] = []
        self._scheduler: Scheduler | None = None
        self._pages: Pages | None = None
        self._loop: EventLoop | None = None
        self._console = Console(self._web_source, self._the_widgets, self._failures.failed)
        self._making = threading.Lock()
        self._callbacks = Callbacks(self._answer, self._event_loop, self._failures)
        self._widgets: Widgets | None = None
        self._parts = Parts()
        self._book: RuleBook | None = None
        self._configured_hooks: list[Hook] = []
        """Those of what the settings name: they are there for one run."""

    # What is registered ---------------------------------------------------------------------------------

    @property
    def hooks(self) -> list[HookInfo]:
        """Every hook with its counters since the start."""
        if not self._hooks:
            return []
        from dataclasses import replace  # who has no hooks imports nothing of them

        return [replace(hook.info(), id=id) for id, hook in self._identified().items()]

    @property
    def jobs(self) -> list[JobInfo]:
        """Every scheduled job and what became of its runs."""
        return [] if self._scheduler is None else self._scheduler.jobs

    @property
    def routes(self) -> list[RouteInfo]:
        """Every page, place for WebSockets and application."""
        return [] if self._pages is None else self._pages.infos

    @property
    def widgets(self) -> list[Widget[..., Any]]:
        """Every widget that a function of :meth:`widget` draws."""
        return [] if self._widgets is None else self._widgets.all()

    @property
    def connectors(self) -> list[ConnectorInfo]:
        """Every connector: how it is, what it has written, and what waits."""
        infos = [part.info() for part in self._parts]
        return [info for info in infos if info is not None]

    @property
    def rules(self) -> RuleBook:
        """Every rule by its name; each can be switched, be tried, and tells what it has counted.

        >>> from hookmq import Broker
        >>> broker = Broker(port=0, http_port=None)
        >>> broker.add_rule("hot", 'SELECT payload.t AS t FROM "t/#" WHERE payload.t > 30')
        >>> broker.rules["hot"].test({"topic": "t/1", "payload": {"t": 31}}).results
        [{'t': 31}]
        """
        return self._the_book()

    @property
    def bridges(self) -> list[BridgeInfo]:
        """Every link to another broker: how it is, what went through it, what waits. Empty before start."""
        if self._run is None:
            return []
        from .bridges import BridgeInfo

        return [BridgeInfo.of(told) for told in self._run.native.bridges()]

    def pause(self, name: str) -> None:
        """Keep what happens from a hook or a job: it passes them by, counted in their ``skipped``.

        A decider that is paused denies. Of a bridge the link is taken down, and its messages wait. Raises
        E508 if there is nothing of this name.
        """
        self._pause(name, True)

    def resume(self, name: str) -> None:
        """Let a hook, a job or a bridge that was paused go on. Raises E508 if there is none of this name."""
        self._pause(name, False)

    def _pause(self, name: str, paused: bool, kinds: Sequence[str] = ("hook", "job", "bridge")) -> None:
        # Several decorators of one function make as many hooks.
        hooks = [hook for hook in self._hooks if hook.name == name] if "hook" in kinds else []
        if not hooks and "hook" in kinds and (other := self._identified().get(name)) is not None:
            hooks = [other]
        for hook in hooks:
            hook.pause(paused)
        scheduler = self._scheduler if "job" in kinds else None
        found = scheduler is not None and scheduler.pause(name, paused)
        linked = "bridge" in kinds and self._run is not None and self._run.native.pause_bridge(name, paused)
        if not (hooks or found or linked):
            known = {hook.name for hook in self._hooks} if "hook" in kinds else set()
            known |= {job.name for job in self.jobs} if "job" in kinds else set()
            known |= {bridge.name for bridge in self.bridges} if "bridge" in kinds else set()
            listed = ", ".join(sorted(known)) or "none"
            raise HookMQError("E508", what=_one_of(kinds), name=name, known=listed)
        decides = any(self._callbacks.hooks_of(hook.spec.name) is not None for hook in hooks)
        if paused and decides and self._run is not None:
            self._run.tell_deciders()  # what it has allowed for a while holds no longer

    # Hooks ----------------------------------------------------------------------------------------------

    def _add_hook(self, hook: Hook, prepared: Callable[[], object] | None = None) -> None:
        """Take a hook; ``prepared()`` is called when it has its place, before those that it replaces go."""
        with self._lifecycle:
            self._wire(hook)
            replaced = [other for other in self._hooks if hook.replaces(other)]
            if self._run is not None:
                self._run.prepare(hook, replaced[0] if replaced else None)
            if prepared is not None:
                prepared()
            _insert(self._hooks, hook, replaced)
            deciders = self._callbacks.hooks_of(hook.spec.name)
            if deciders is not None:
                _rank(deciders, hook, replaced)
            # Afterwards, so that there is no moment in which nobody decides.
            for other in replaced:
                self._hooks.remove(other)
                if deciders is not None:
                    deciders.remove(other)
            if self._run is not None:
                self._run.swap([hook], replaced)
            if any(other.is_async for other in replaced):
                self._relieve()

    def _remove_hook(self, hook: Hook) -> None:
        """Let a hook that observes go, when it was told what happened before."""
        with self._lifecycle:
            self._hooks.remove(hook)
            if self._run is not None:
                self._run.swap([], [hook], drain=True)

    def _relieve(self) -> None:
        """Something was replaced: see to it that what was there before holds nothing up any more."""
        if self._run is not None:
            self._run.relieve_sockets()
            if self._loop is not None:
                self._loop.relieve()

    def _wire(self, hook: Hook) -> None:
        """Say what becomes of payloads that are not what a hook's annotations say."""
        adapter, topic = hook.adapter, hook.options.dead_letter
        if adapter is None:
            return
        if topic is not None:
            from .message import Message

            Message(topic)  # raises ValueError for what is no topic name

        def reject(message: Message, error: ValueError) -> None:
            self._failures.invalid(hook.name, str(error))
            if topic is not None and self._run is not None:
                pairs = [("reason", str(error)), ("topic", message.topic)]
                properties: dict[str, object] = {"user_properties": pairs}
                self._run.native.publish(topic, message.payload, message.qos, False, properties)
            if hook.spec.decides:
                raise error

        adapter.reject = reject

    # Jobs -----------------------------------------------------------------------------------------------

    def _add_job(self, job: schedule.Job, function: Callable[..., Any], name: str | None) -> None:
        with self._lifecycle:
            scheduler = self._the_scheduler()
            scheduler.add(job, function, name)
            if self._run is not None:
                scheduler.start()
            self._relieve()

    def _the_scheduler(self) -> Scheduler:
        if self._scheduler is None:
            from .scheduler import Scheduler

            self._scheduler = Scheduler(self._failures.failed, self._event_loop)
        return self._scheduler

    # Rules ----------------------------------------------------------------------------------------------

    def _add_rule_hook(
        self, sql: str, function: Callable[..., Any], description: str, options: dict[str, Any], where: str
    ) -> None:
        from .hooks.hook import Hook, Options
        from .hooks.registry import HOOKS
        from .rules.definition import Rule

        name = options.pop("name", None)
        hook = Hook.of(HOOKS["rule"], function, None, Options(**options), name)
        # What is built in stands nowhere; the decorator does.
        where = where if hook.where == "?" else hook.where
        rule = Rule.of({"name": hook.name, "sql": sql, "description": description}, "python", where)
        book = self._the_book()
        with self._lifecycle:
            before = book.get(rule.name)
            again = before is not None and before.hook is not None and hook.replaces(before.hook)
            self._add_hook(hook, lambda: book.add(rule, hook=hook, before=before if again else None))

    def _add_rule_function(self, function: Callable[..., Any], name: str | None) -> None:
        from .hooks.functions import function_name

        with self._lifecycle:
            self._the_book().set_function(name or function_name(function), function)

    def _the_book(self) -> RuleBook:
        with self._making:
            if self._book is None:
                from .rules import RuleBook

                book = RuleBook(
                    self._courier_of, self._event_loop, self._stored_messages, self._failures.failed
                )
                if self._run is not None:  # it began without rules
                    book.open(self._run, data_dir_of(self._run))
                self._book = book
            return self._book

    def _courier_of(self, name: str) -> Any:
        """Return the courier of a connector. Raises E508 if there is none of the name."""
        from .connectors.feed import Feed

        feeds = {part.name: part for part in self._parts if isinstance(part, Feed)}
        if name not in feeds:
            known = ", ".join(sorted(feeds)) or "none"
            raise HookMQError("E508", what="connector", name=name, known=known)
        return feeds[name].courier

    def _stored_messages(self, filter: str, **chosen: Any) -> Any:
        """Return messages of the history; see :meth:`hookmq.broker.Broker.history`."""
        raise NotImplementedError

    # Pages ----------------------------------------------------------------------------------------------

    def _add_route(self, path: str, function: Callable[..., Any], methods: tuple[str, ...] | None) -> None:
        self._the_pages().add(path, function, methods)
        self._relieve()

    def _add_websocket(self, path: str) -> PageSockets:
        with self._lifecycle:
            return self._the_pages().add_websocket(path)

    def _add_mount(self, path: str, app: Any) -> None:
        with self._lifecycle:
            self._relieve()
            self._the_pages().add_mount(path, app)

    def _add_widget(self, widget: Widget[..., Any]) -> None:
        with self._lifecycle:
            self._the_widgets().add(widget)
            self._relieve()

    def _the_widgets(self) -> Widgets:
        with self._making:
            if self._widgets is None:
                from .web.widgets import Widgets

                self._widgets = Widgets(self._event_loop, self._failures.failed)
            return self._widgets

    def _the_pages(self) -> Pages:
        with self._making:
            if self._pages is None:
                from .pages import Pages

                self._pages = Pages(self._event_loop, self._failures.failed, self._relieve, self._console)
                if self._run is not None:
                    self._pages.open(self._run)
            return self._pages

    def _web_source(self) -> WebSource:
        """Return what the API asks of this broker."""
        from .web.source import Source as WebSource

        return WebSource(
            run=self._active_run,
            hooks=lambda: self.hooks,
            hook=self._find_hook,
            failures=self._failures,
            jobs=lambda: self.jobs,
            run_job=self._run_job,
            connectors=lambda: self.connectors,
            bridges=lambda: self.bridges,
            authenticators=lambda: self._authenticators,
            pause=self._pause,
            deciders=lambda kind: list(self._callbacks.hooks_of(kind) or ()),
            reload=self.reload,
            reload_files=lambda: self.reload(code=False),
            book=self._the_book,
            rules=lambda: [] if self._book is None else list(self._book.values()),
            statistics=lambda: self._count(),
            publish=self._publish_for,
            loop=self._event_loop,
            app=lambda: self._app_file,
        )

    def _active_run(self) -> Run:
        if self._run is None:
            raise HookMQError("E503")
        return self._run

    def _identified(self) -> dict[str, Hook]:
        from .hooks.hook import identified

        return identified(self._hooks)

    def _find_hook(self, name: str) -> Hook:
        """Return a hook by what `HookInfo.id` says. Raises E508 if there is none."""
        found = self._identified()
        if name not in found:
            raise HookMQError("E508", what="hook", name=name, known=", ".join(sorted(found)) or "none")
        return found[name]

    def _run_job(self, name: str) -> bool:
        """Start a run of a job now, unless one goes on. Raises E508 if there is none of the name."""
        started = None if self._scheduler is None else self._scheduler.run_now(name)
        if started is None:
            known = ", ".join(sorted({job.name for job in self.jobs})) or "none"
            raise HookMQError("E508", what="job", name=name, known=known)
        return started

    @property
    def _authenticators(self) -> list[str]:
        """The names of those who say who a client is."""
        hooks = [*self._callbacks.deciders["authenticate"], *self._callbacks.exchanges.hooks]
        return list(dict.fromkeys(hook.name for hook in hooks))

    @property
    def _app_file(self) -> str | None:
        """The file of the app, if it is known."""
        raise NotImplementedError

    def _count(self) -> dict[str, int]:
        """Return counters; see :attr:`hookmq.broker.Broker.statistics`."""
        raise NotImplementedError

    def _publish_for(
        self,
        publisher: str,
        topic: str,
        payload: object,
        qos: int,
        retain: bool,
        properties: Mapping[str, object] | None = None,
    ) -> None:
        """Publish for somebody who is not connected; hooks are called as for a client."""
        raise NotImplementedError

    def _answer(self, *request: Any) -> None:
        self._the_pages().answer(*request)

    # Parts ----------------------------------------------------------------------------------------------

    def _add_part(self, part: Part, register: Callable[[], None]) -> None:
        """Take a part; ``register()`` adds its hooks, which are called from then on."""
        with self._lifecycle:
            self._parts.add(part)
            try:
                if self._run is not None:
                    part.start(self, data_dir_of(self._run))
                register()
            except BaseException:
                self._parts.remove(part)
                part.stop(0)
                raise

    def _forget_configured(self) -> None:
        """Forget the parts that the settings of a run have named, and their hooks."""
        for hook in self._configured_hooks:
            self._hooks.remove(hook)
            deciders = self._callbacks.hooks_of(hook.spec.name)
            if deciders is not None:
                deciders.remove(hook)
        self._configured_hooks = []
        self._parts.forget_configured()

    # Coroutines -----------------------------------------------------------------------------------------

    def _event_loop(self) -> EventLoop:
        with self._making:
            if self._loop is None:
                from .execution.aio import EventLoop

                self._loop = EventLoop()
            return self._loop

    # New code -------------------------------------------------------------------------------------------

    def reload(self, *, code: bool = True) -> None:
        """Load the app's code again; see :meth:`hookmq.broker.Broker.reload`."""
        raise NotImplementedError

    def _adopt(self, fresh: Registration, run: Run) -> None:
        """Put what another has registered in the place of what this one has, all at once."""
        with self._lifecycle:
            if self._run is not run:
                raise HookMQError("E503")  # it was stopped while the code was loaded
            kept = self._configured_hooks
            old = [hook for hook in self._hooks if hook not in kept]
            new, callbacks, parts = list(fresh._hooks), fresh._callbacks, fresh._parts
            pages, scheduler, book = fresh._pages, fresh._scheduler, fresh._book
            widgets = fresh._widgets
            for hook in new:
                same = [other for other in old if other.name == hook.name and other.spec is hook.spec]
                hook.paused = bool(same) and same[0].paused
                self._wire(hook)
                run.prepare(hook)
            for hook in kept:
                if (deciders := callbacks.hooks_of(hook.spec.name)) is not None:
                    _rank(deciders, hook, [])
            # The new code knows its own broker by the name it gave it: both are this one from now on, before
            # anything of it is called.
            fresh.__dict__ = self.__dict__
            # The new ones decide before the old ones are let go: there is no moment in which nobody does.
            self._callbacks.deciders = callbacks.deciders
            self._callbacks.exchanges.hooks[:] = callbacks.exchanges.hooks
            self._parts.pair(parts)
            self._hooks[:] = [*new, *kept]
            if book is not None or self._book is not None:
                self._the_book().adopt(book)
            run.swap(new, old, drain=True)
            self._parts.replace(parts, self, data_dir_of(run), lambda: run.grace)
            if pages is not None or self._pages is not None:
                self._the_pages().replace(pages)
            if widgets is not None or self._widgets is not None:
                self._the_widgets().replace(widgets)
            if scheduler is not None or self._scheduler is not None:
                jobs = self._the_scheduler()
                jobs.replace(scheduler)
                jobs.start()


def data_dir_of(run: Run) -> Path | None:
    """Return where a run keeps what outlives it."""
    directory = run.settings["data_dir"]
    if directory is None:
        return None
    from pathlib import Path

    return Path(str(directory))


def _insert(hooks: list[Hook], hook: Hook, replaced: list[Hook]) -> None:
    """Put a hook in the place of what it replaces, or at the end."""
    hooks.insert(hooks.index(replaced[0]) if replaced else len(hooks), hook)


def _rank(deciders: list[Hook], hook: Hook, replaced: list[Hook]) -> None:
    """Put a decider where it is asked: by priority, in the place of what it replaces or behind its equals."""
    priority = hook.options.priority
    if replaced and replaced[0].options.priority == priority:
        return _insert(deciders, hook, replaced)
    lower = (index for index, other in enumerate(deciders) if other.options.priority < priority)
    return deciders.insert(next(lower, len(deciders)), hook)  # in one step: other threads read the list


def _one_of(words: Sequence[str]) -> str:
    """Return words as a sentence has them.

    >>> _one_of(["hook", "job", "bridge"])
    'hook, job or bridge'
    """
    *before, last = words
    return f"{', '.join(before)} or {last}" if before else last
