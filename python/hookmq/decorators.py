"""The decorators that register hooks, jobs and pages.

Each returns the function untouched, so it stays callable and testable. Those of hooks that observe are in
:mod:`hookmq.hooks.observing`, those of hooks that decide in :mod:`hookmq.hooks.deciding`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from .hooks.deciding import Deciding
from .hooks.observing import Observing
from .hooks.registering import overload
from .source import place_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal, ParamSpec, TypeVar, Unpack

    import schedule

    from .hooks.options import DeciderOptions, ObserverOptions
    from .hooks.registering import F
    from .web.sockets import PageSockets
    from .web.widgets import Widget

    P = ParamSpec("P")
    R = TypeVar("R")
    WidgetKind = Literal["value", "line", "table", "text"]

__all__ = ["Decorators"]


class Decorators(Observing, Deciding):
    """What ``Broker`` inherits to register hooks.

    Hooks can be added before the broker starts and while it runs: then they see what happens from that moment
    on. An ``authenticate`` hook that is added later asks clients that connect later.
    """

    def _add_job(self, job: schedule.Job, function: Callable[..., Any], name: str | None) -> None:
        raise NotImplementedError

    def _add_route(self, path: str, function: Callable[..., Any], methods: tuple[str, ...] | None) -> None:
        raise NotImplementedError

    def _add_mount(self, path: str, app: Any) -> None:
        raise NotImplementedError

    def _add_websocket(self, path: str) -> PageSockets:
        raise NotImplementedError

    def _add_widget(self, widget: Widget[..., Any]) -> None:
        raise NotImplementedError

    def _add_rule_hook(
        self, sql: str, function: Callable[..., Any], description: str, options: dict[str, Any], where: str
    ) -> None:
        raise NotImplementedError

    def _add_rule_function(self, function: Callable[..., Any], name: str | None) -> None:
        raise NotImplementedError

    # The broker's own life ------------------------------------------------------------------------------

    @overload
    def on_startup(self, function: F, /) -> F: ...
    @overload
    def on_startup(self, /, **options: Unpack[DeciderOptions]) -> Callable[[F], F]: ...
    def on_startup(self, function: Any = None, /, **options: Unpack[DeciderOptions]) -> Any:
        """Call the function when the broker has begun to serve, before ``start()`` returns.

        If it raises, the broker does not start. ``async def`` functions are waited for.

        ```python
        @broker.on_startup
        def announce():
            broker.publish("status", "up", retain=True)
        ```
        """
        return self._decorate("on_startup", function, options)

    @overload
    def on_shutdown(self, function: F, /) -> F: ...
    @overload
    def on_shutdown(self, /, **options: Unpack[DeciderOptions]) -> Callable[[F], F]: ...
    def on_shutdown(self, function: Any = None, /, **options: Unpack[DeciderOptions]) -> Any:
        """Call the function when the broker is about to stop, while clients are still connected.

        What it raises is logged. It has ``hooks.stop_grace`` seconds.

        ```python
        @broker.on_shutdown
        def farewell():
            broker.publish("status", "down", retain=True)
        ```
        """
        return self._decorate("on_shutdown", function, options)

    def schedule(self, when: schedule.Job, /, *, name: str | None = None) -> Callable[[F], F]:
        """Call the function at certain times, in the words of the ``schedule`` library.

        A run that is due while the last one still goes on is left out and counted, so a job never overlaps
        itself; an error is logged and counted, and the job comes again. Times are local.

        ```python
        from hookmq import every

        @broker.schedule(every(10).seconds)
        def report(): ...

        @broker.schedule(every().day.at("06:30"))
        async def morning(): ...
        ```
        """

        if callable(when):
            from .hooks.functions import bare

            raise bare("schedule", when, "@broker.schedule(every(10).seconds)")

        def decorate(function: F) -> F:
            self._add_job(when, function, name)
            return function

        return decorate

    # Rules ----------------------------------------------------------------------------------------------

    def rule(
        self, sql: str, /, *, description: str = "", **options: Unpack[ObserverOptions]
    ) -> Callable[[F], F]:
        """Call the function with each result of a rule, a dict by the names of its columns.

        The rule is evaluated natively: what it does not select costs no Python. A function that takes two
        arguments is given what the result was selected from as well, a dict too. It runs like any observer;
        see [Rules](../rules.md).

        ```python
        @broker.rule('''
            SELECT payload.temp AS t, clientid FROM "sensors/+/temp"
            WHERE payload.temp > 30 AND topic_level(2) = 'roof'
        ''')
        def hot(row):
            print(row["clientid"], row["t"])
        ```

        Raises:
            HookMQError: E710 for SQL that cannot be, at the start of the broker or at once if it runs; E711
                if there is a rule of this name already.
        """
        if callable(sql):
            from .hooks.functions import bare

            raise bare("rule", sql, """@broker.rule('SELECT * FROM "tank/#"')""")

        def decorate(function: F) -> F:
            self._add_rule_hook(sql, function, description, dict(options), place_of(sys._getframe(1)))
            return function

        return decorate

    @overload
    def rule_function(self, function: F, /) -> F: ...
    @overload
    def rule_function(self, /, *, name: str | None = None) -> Callable[[F], F]: ...
    def rule_function(self, function: Any = None, /, *, name: str | None = None) -> Any:
        """Let rules call the function by its name, or by ``name``.

        It is given values (``None``, ``bool``, ``int``, ``float``, ``str``, ``bytes``, ``list``, ``dict``)
        and returns one. A rule that calls it is evaluated on a thread of its own, ``hookmq-rule-NAME``; when
        it raises, that is logged, and the rule selects nothing.

        ```python
        @broker.rule_function
        def dew_point(temp, humidity):
            return temp - (100 - humidity) / 5
        ```

        Raises:
            HookMQError: E711 for the name of a function that rules have already.
        """
        if callable(function):
            self._add_rule_function(function, name)
            return function

        def decorate(given: F) -> F:
            self._add_rule_function(given, name)
            return given

        return decorate

    # Pages ----------------------------------------------------------------------------------------------

    def route(self, path: str, /, *, methods: tuple[str, ...] | None = None) -> Callable[[F], F]:
        """Serve what the function returns under a path of the HTTP port.

        Args:
            path: begins with ``/``; ``{name}`` stands for one part of it, ``{name:path}`` at the end for all
                that is left, handed over by name.
            methods: such as ``("GET", "POST")``; all of them by default.

        The function is given a :class:`~hookmq.Request`, if it takes an argument. It returns ``str`` (HTML if
        it begins with ``<``, else plain text), ``bytes``, ``dict`` or ``list`` (JSON), ``None`` (no content),
        a :class:`~hookmq.File`, an iterator or async iterator of pieces that are sent as they come, or a
        :class:`~hookmq.Response` around any of these. An error is logged and answered with 500.

        ```python
        @broker.route("/hello/{name}")
        def hello(request, name):
            return f"hello {name}"
        ```
        """

        if callable(path):
            from .hooks.functions import bare

            raise bare("route", path, '@broker.route("/hello")')

        def decorate(function: F) -> F:
            self._add_route(path, function, methods)
            return function

        return decorate

    def websocket(self, path: str, /) -> PageSockets:
        """Make a place for WebSockets of pages at a path of the HTTP port.

        What is sent to it goes to every page that is connected; see :class:`hookmq.PageSockets`.

        ```python
        live = broker.websocket("/live")

        @broker.on_message_received("tank/+/level")
        def push(msg):
            live.send({"topic": msg.topic, "level": msg.json()["level"]})
        ```
        """
        return self._add_websocket(path)

    def widget(
        self, title: str, /, *, every: float = 5.0, kind: WidgetKind = "value", name: str | None = None
    ) -> Callable[[Callable[P, R]], Widget[P, R]]:
        """Show what the function returns in a widget that dashboards can have.

        Args:
            title: what the widget is called.
            every: seconds from one call to the next. It is called only while somebody looks at the widget.
            kind: how the value is drawn: ``"value"`` (a number or a word), ``"line"`` (a list of
                ``[time, number]``), ``"table"`` (a dict, or a list of rows) or ``"text"``.
            name: by which dashboards know it; that of the function by default.

        The function takes no arguments and returns what JSON knows. ``async def`` ones run on the broker's
        event loop, others on a thread of their own, so one that is slow holds up nothing. What it raises is
        logged and shown in the widget. With ``on_action`` of what the decorator returns, something can be
        sent from the widget; see :meth:`hookmq.Widget.on_action`.

        ```python
        @broker.widget("Pump", every=1)
        def pump():
            return "on" if state.on else "off"

        @pump.on_action
        def switch(value):
            state.on = value == "on"
        ```
        """
        if callable(title):
            from .hooks.functions import bare

            raise bare("widget", title, '@broker.widget("Title")')

        def decorate(function: Callable[P, R]) -> Widget[P, R]:
            from .web.widgets import Widget

            widget = Widget(function, title, every=every, kind=kind, name=name)
            self._add_widget(widget)
            return widget

        return decorate

    def mount(self, path: str, app: Any, /) -> None:
        """Serve an ASGI application (FastAPI, Starlette, …) at a path of the HTTP port and below it.

        ```text
        from fastapi import FastAPI

        app = FastAPI()
        broker.mount("/api", app)
        ```
        """
        self._add_mount(path, app)
