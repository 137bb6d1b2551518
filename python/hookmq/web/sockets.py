"""WebSockets of pages, and what is pushed to them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import HookMQError
from ..execution.aio import EventLoop
from ..hooks.functions import function_name, is_coroutine_function, where_defined
from ..message import encode_payload
from .request import Request, decode_path
from .socket_calls import SocketCalls

if TYPE_CHECKING:
    from .._hookmq import Hub

__all__ = ["PageSocket", "PageSockets"]

F = TypeVar("F", bound=Callable[..., Any])

# What each kind of handler is given, at most.
_GIVEN = {"open": ("socket",), "message": ("message", "socket"), "close": ("socket",)}


class PageSocket:
    """One browser's WebSocket, as handlers are given it.

    ``id`` is its number, ``request`` the :class:`~hookmq.Request` it began with.
    """

    def __init__(self, id: int, request: Request, sockets: PageSockets) -> None:
        self.id = id
        self.request = request
        self._sockets = sockets

    def send(self, value: object) -> bool:
        """Send to this browser, as :meth:`PageSockets.send` does. Return whether it is still there."""
        return self._sockets.send(value, to=self.id) > 0

    def close(self, code: int = 1000) -> None:
        """Close it, with a code of RFC 6455."""
        self._sockets.close(to=self.id, code=code)

    def __repr__(self) -> str:
        return f"<PageSocket {self.id} of {self._sockets.path} from {self.request.address}>"


class PageSockets:
    """The WebSockets of all browsers that are connected to a path: ``broker.websocket("/live")``.

    It can be used from any thread, and before the broker runs: there is nobody then. A browser that does not
    read what it is sent is closed with code 1013 when 1 MiB waits for it, and counted in :attr:`dropped`.

    >>> live = PageSockets("/live", EventLoop, print)
    >>> @live.on_message
    ... def echo(message, socket):
    ...     socket.send(message)
    >>> live.send({"level": 42}), len(live)
    (0, 0)
    """

    def __init__(
        self, path: str, loop: Callable[[], EventLoop], failed: Callable[[str, BaseException], None]
    ) -> None:
        if not isinstance(path, str) or not path.startswith("/") or "{" in path:
            problem = f"the path {path!r} must begin with / and name no parts"
            raise HookMQError("E501", hook="websocket", function=repr(path), where="?", problem=problem)
        self.path = path
        self.hub: Hub | None = None
        self.relieve: Callable[[], None] | None = None
        """Called when a handler was replaced, which may be one that does not come back."""
        self._loop = loop
        self._failed = failed
        self._calls = SocketCalls(loop, failed)
        self._handlers: dict[str, tuple[Callable[..., Any], int]] = {}
        self._sockets: dict[int, PageSocket] = {}

    # Handlers -------------------------------------------------------------------------------------------

    def on_open(self, function: F) -> F:
        """Call the function with each new :class:`PageSocket`.

        Handlers are called in the order in which things happen to a socket; ``async def`` ones run on the
        broker's event loop. What they raise is logged. There is one handler of each kind: a later one takes
        its place.

        ```python
        live = broker.websocket("/live")

        @live.on_open
        def hello(socket):
            socket.send({"hello": socket.request.query.get("name")})
        ```
        """
        return self._register("open", function)

    def on_message(self, function: F) -> F:
        """Call the function with each message of a browser, ``str`` or ``bytes``, and its socket."""
        return self._register("message", function)

    def on_close(self, function: F) -> F:
        """Call the function with each socket that is closed, by whomever."""
        return self._register("close", function)

    def _register(self, kind: str, function: F) -> F:
        replaced = kind in self._handlers
        self._handlers[kind] = (function, _fit(kind, function))
        if replaced and self.relieve is not None:
            self.relieve()
        return function

    @property
    def place(self) -> tuple[str, str]:
        """The name of the first handler, and where that is written."""
        first = next((function for function, _ in self._handlers.values()), None)
        return ("", "?") if first is None else (function_name(first), where_defined(first))

    # Sending --------------------------------------------------------------------------------------------

    def send(self, value: object, *, to: int | None = None) -> int:
        """Send to every browser, or to the one whose ``id`` is given. Return to how many.

        ``str`` goes as text, ``bytes`` as bytes, anything else as JSON. It does not wait.

        Raises:
            TypeError: for a value that has no JSON form.
            ValueError: for numbers that have none, and for text that is not Unicode.
        """
        data = _encode(value)
        hub = self.hub
        return 0 if hub is None else hub.send(data, to)

    def close(self, *, to: int | None = None, code: int = 1000) -> None:
        """Close every socket, or the one whose ``id`` is given, with a code of RFC 6455."""
        if self.hub is not None:
            self.hub.close(to, code)

    def __len__(self) -> int:
        """How many browsers are connected."""
        return 0 if self.hub is None else self.hub.count

    def __bool__(self) -> bool:
        # It is there, also while nobody is connected.
        return True

    @property
    def dropped(self) -> int:
        """Browsers that were sent away because they did not read, since the broker's start."""
        return 0 if self.hub is None else self.hub.dropped

    # The broker's side ----------------------------------------------------------------------------------

    def attach(self, hub: Hub) -> None:
        """Take a place on the HTTP port: :meth:`event` is to be called with what happens there."""
        self.hub = hub

    def take_over(self, before: PageSockets) -> None:
        """Go on with the browsers that are connected to another of the same path."""
        self.hub = before.hub
        self._sockets = before._sockets
        self._calls = before._calls  # what is under way there comes before what comes here
        for socket in self._sockets.values():
            socket._sockets = self

    def detach(self) -> None:
        """Give the place up: nobody is connected any more."""
        self.hub = None
        self._calls.close()
        self._calls = SocketCalls(self._loop, self._failed)
        self._sockets.clear()

    def event(
        self, kind: str, socket: int, data: str | bytes | None, request: tuple[Any, ...] | None
    ) -> None:
        """Tell the handlers what happened to a socket: ``"open"``, ``"message"`` or ``"close"``."""
        if kind == "open" and request is not None:
            method, path, query, headers, body, address = request
            opened = Request(method, decode_path(path), query, dict(headers), body, address)
            self._sockets[socket] = PageSocket(socket, opened, self)
        known = self._sockets.pop(socket, None) if kind == "close" else self._sockets.get(socket)
        handler = self._handlers.get(kind)
        if known is None or handler is None:
            return
        function, positional = handler
        given = (data, known) if kind == "message" else (known,)
        name = f"{function_name(function)} ({self.path})"
        if is_coroutine_function(function):
            make = functools.partial(function, *given[:positional])
            self._calls.put(socket, name, make)
            return
        try:
            function(*given[:positional])
        except BaseException as error:  # SystemExit as well: it would end the broker's thread
            self._failed(name, error)


def _fit(kind: str, function: Callable[..., Any]) -> int:
    """Return how many arguments a handler takes. Raises E501 for one that cannot be called so."""
    given = _GIVEN[kind]

    def unfit(problem: str) -> HookMQError:
        name, where = function_name(function), where_defined(function)
        return HookMQError("E501", hook=f"on_{kind}", function=name, where=where, problem=problem)

    if not callable(function):
        raise unfit("it is not a function")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some built-ins tell nothing: give them all there is
        return len(given)
    for count in range(len(given), -1, -1):
        try:
            signature.bind(*given[:count])
        except TypeError:
            continue
        return count
    raise unfit(f"it is given {', '.join(given)}")


def _encode(value: object) -> str | bytes:
    if isinstance(value, str):
        value.encode()  # raises for what is not Unicode
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    return "null" if value is None else encode_payload(value).decode()
