"""Widgets of dashboards that are written in Python: ``@broker.widget``."""

from __future__ import annotations

import functools
import inspect
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Generic, ParamSpec, TypeVar

from ..errors import HookMQError
from ..execution.aio import EventLoop
from ..execution.threads import end
from ..hooks.functions import function_name, is_coroutine_function, where_defined
from .json_text import encode
from .problem import Problem

__all__ = ["KINDS", "Widget", "Widgets"]

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])

KINDS = ("value", "line", "table", "text")
"""How a value is drawn: as a number or a word, a chart of ``[time, number]``, rows, or text."""

LARGEST = 256 << 10
"""Characters of a value in JSON."""

MOST = 32
"""Functions that are called at one time."""

PATIENCE = 10.0
"""Seconds that a request waits for a value, or for what a button does."""


class Widget(Generic[P, R]):
    """What ``@broker.widget`` makes of a function; it can be called like the function.

    >>> widget = Widget(lambda: 42, "Answer", name="answer")
    >>> widget(), widget.title
    (42, 'Answer')
    """

    def __init__(
        self,
        function: Callable[P, R],
        title: str,
        *,
        every: float = 5.0,
        kind: str = "value",
        name: str | None = None,
    ) -> None:
        self.name = function_name(function) if name is None else name
        self.where = where_defined(function)
        self.title, self.every, self.kind = title, every, kind
        self.function = function
        self.action: Callable[..., Any] | None = None
        self._takes_value = False
        problem = _problem(self)
        if problem is not None:
            raise _unfit("widget", self.name, self.where, problem)
        functools.update_wrapper(self, function)

    def __call__(self, *arguments: P.args, **named: P.kwargs) -> R:
        """Call the function."""
        return self.function(*arguments, **named)

    def on_action(self, function: F) -> F:
        """Call a function when somebody sends something from the widget; it is given the value.

        ```python
        @broker.widget("Pump", every=1)
        def pump():
            return "on" if state.on else "off"

        @pump.on_action
        def switch(value):
            state.on = value == "on"
        ```

        It runs on a thread of the pages, or on the event loop if it is ``async def``. What it raises is
        logged and shown to who sent the value, who must be an operator.
        """
        try:
            signature = inspect.signature(function)
        except (TypeError, ValueError):  # some built-ins tell nothing
            takes = True
        else:
            try:
                signature.bind(None)
                takes = True
            except TypeError:
                takes = False
                try:
                    signature.bind()
                except TypeError:
                    name, where = function_name(function), where_defined(function)
                    raise _unfit("on_action", name, where, "it is given the value") from None
        self.action, self._takes_value = function, takes
        return function

    def act(self, value: Any) -> Any:
        """Call the function that is there for it."""
        assert self.action is not None
        return self.action(value) if self._takes_value else self.action()

    def plain(self) -> dict[str, Any]:
        """Return what lists say of it."""
        return {
            "name": self.name,
            "title": self.title,
            "kind": self.kind,
            "every": self.every,
            "has_action": self.action is not None,
        }

    def __repr__(self) -> str:
        return f"<Widget {self.name} {self.where}>"


class _Shown:
    """What a widget has shown last."""

    def __init__(self) -> None:
        self.value: Any = None
        self.at: float | None = None
        self.error: str | None = None
        self.begun = 0.0
        self.running = False
        self.told: str | None = None
        """The error that is in the log already."""

    def plain(self) -> dict[str, Any]:
        return {"value": self.value, "at": self.at, "error": self.error}


class Widgets:
    """The widgets of a broker. Their functions are called only as long as somebody looks at them.

    ``loop()`` gives the event loop for ``async def`` ones, ``failed(name, error)`` is told what they raise.
    """

    def __init__(self, loop: Callable[[], EventLoop], failed: Callable[[str, BaseException], None]) -> None:
        self._loop = loop
        self._failed = failed
        self._widgets: dict[str, Widget[..., Any]] = {}
        self._shown: dict[str, _Shown] = {}
        self._changed = threading.Condition()
        self._threads: set[threading.Thread] = set()
        self._closed = False

    def add(self, widget: Widget[..., Any]) -> None:
        """Take a widget; one of the same name is replaced."""
        with self._changed:
            self._widgets[widget.name] = widget
            self._shown[widget.name] = _Shown()

    def replace(self, fresh: Widgets | None) -> None:
        """Take those of another in the place of one's own."""
        with self._changed:
            self._widgets = {} if fresh is None else dict(fresh._widgets)
            self._shown = {name: _Shown() for name in self._widgets}

    def __contains__(self, name: object) -> bool:
        return name in self._widgets

    def all(self) -> list[Widget[..., Any]]:
        """Return every widget, in the order of their registration."""
        return list(self._widgets.values())

    def open(self) -> None:
        """Call functions again."""
        self._closed = False

    def close(self, grace: float) -> list[str]:
        """Wait for functions that are being called, interrupt those that do not end; return who stays."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            threads = self._threads - {threading.current_thread()}
        return end(threads, grace)

    def has_current(self) -> bool:
        """Whether the calling thread is one on which a function is called."""
        return threading.current_thread() in self._threads

    # Values ---------------------------------------------------------------------------------------------

    def look(self, name: str) -> dict[str, Any]:
        """Return what a widget shows, and have its function called if that is due. Does not wait."""
        with self._changed:
            widget, shown = self._widgets.get(name), self._shown.get(name)
            if widget is None or shown is None:
                return {"value": None, "at": None, "error": f"there is no widget {name!r}"}
            if not shown.running and time.monotonic() - shown.begun >= widget.every:
                self._begin(widget, shown)
            return shown.plain()

    def read(self, name: str) -> dict[str, Any]:
        """Return what a widget shows; a value that is out of date is waited for."""
        with self._changed:
            if name not in self._widgets:
                raise _none(name)
        self.look(name)
        with self._changed:
            shown = self._shown.get(name)
            if shown is None:
                raise _none(name)
            self._changed.wait_for(lambda: not shown.running or self._closed, PATIENCE)
            return shown.plain()

    def act(self, name: str, value: Any) -> None:
        """Do what a widget does on an action. Raises a problem if it has none, or if it fails."""
        widget = self._widgets.get(name)
        if widget is None:
            raise _none(name)
        if widget.action is None:
            help = f"add a function with @{name}.on_action"
            raise Problem(409, f"the widget `{name}` does nothing", help=help)
        try:
            result = widget.act(value)
            if isinstance(result, Coroutine):
                coroutine = result
                self._loop().ask(lambda: coroutine).result(PATIENCE)
        except BaseException as error:  # SystemExit as well: it would end a thread of the pages
            self._failed(f"{name}.on_action", error)
            detail = f"the widget `{name}` failed: {_words(error)}"
            raise Problem(500, detail, code="failed", help="the broker's log says where") from None
        with self._changed:
            if (shown := self._shown.get(name)) is not None:
                shown.begun = 0.0  # what it shows now is another thing

    # Calling --------------------------------------------------------------------------------------------

    def _begin(self, widget: Widget[..., Any], shown: _Shown) -> None:
        if self._closed or len(self._threads) >= MOST:
            return
        shown.running, shown.begun = True, time.monotonic()
        if is_coroutine_function(widget.function):
            future = self._loop().ask(lambda: widget.function())
            future.add_done_callback(functools.partial(self._finished, widget, shown))
            return
        thread = threading.Thread(
            target=self._call, args=(widget, shown), name=f"hookmq-widget-{widget.name}", daemon=True
        )
        self._threads.add(thread)
        thread.start()

    def _call(self, widget: Widget[..., Any], shown: _Shown) -> None:
        try:
            try:
                value = widget.function()
            except BaseException as error:  # SystemExit as well: it would end the thread without a word
                self._keep(widget, shown, None, error)
            else:
                self._keep(widget, shown, value, None)
        finally:
            with self._changed:
                self._threads.discard(threading.current_thread())

    def _finished(self, widget: Widget[..., Any], shown: _Shown, future: Future[Any]) -> None:
        if future.cancelled():
            return self._keep(widget, shown, None, TimeoutError("it was cancelled"))
        error = future.exception()
        return self._keep(widget, shown, None if error is not None else future.result(), error)

    def _keep(self, widget: Widget[..., Any], shown: _Shown, value: Any, error: BaseException | None) -> None:
        if error is None:
            try:
                if len(encode(value)) > LARGEST:
                    error = ValueError("it returned more than 256 KiB of JSON")
            except (TypeError, RecursionError) as failure:
                error = TypeError(f"it returned what has no JSON form: {failure}")
        words = None if error is None else _words(error)
        with self._changed:
            told, shown.told = shown.told, words
            shown.value = value if error is None else shown.value
            shown.at, shown.error, shown.running = time.time(), words, False
            self._changed.notify_all()
        # The same error each time is in the log once.
        if error is not None and words != told:
            self._failed(widget.name, error)


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:500]


def _none(name: str) -> Problem:
    return Problem(
        404, f"there is no widget `{name[:200]}`", help="GET /api/v1/widgets lists those there are"
    )


def _problem(widget: Widget[..., Any]) -> str | None:
    """Say why a widget cannot be, if it cannot."""
    if not isinstance(widget.title, str) or not 0 < len(widget.title) <= 200:
        return f"the title {widget.title!r} is no text of 1 to 200 characters"
    if isinstance(widget.every, bool) or not isinstance(widget.every, int | float) or not widget.every >= 0.1:
        return f"every is {widget.every!r}, it must be a number of seconds from 0.1"
    if widget.kind not in KINDS:
        return f"kind is {widget.kind!r}, it must be one of {', '.join(KINDS)}"
    if not isinstance(widget.name, str) or not 0 < len(widget.name) <= 200:
        return f"the name {widget.name!r} is no text of 1 to 200 characters"
    if not callable(widget.function):
        return "it is not a function"
    try:
        inspect.signature(widget.function).bind()
    except TypeError:
        return "it is called without arguments"
    except ValueError:  # some built-ins tell nothing
        pass
    return None


def _unfit(hook: str, function: str, where: str, problem: str) -> HookMQError:
    return HookMQError("E501", hook=hook, function=function, where=where, problem=problem)
