"""Applications of ASGI 3.0, such as FastAPI's and Starlette's, below a path of the HTTP port."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Callable, Coroutine, MutableMapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeAlias

from ..errors import HookMQError
from ..execution.aio import EventLoop
from ..hooks.functions import bare, function_name, where_defined
from .asgi_exchange import Exchange
from .asgi_socket import AsgiSocket
from .request import decode_path
from .response import Response

if TYPE_CHECKING:
    from .._hookmq import Hub, PageReply

__all__ = ["AsgiMount"]

Application: TypeAlias = Callable[[Any, Any, Any], Coroutine[Any, Any, None]]
Headers: TypeAlias = list[tuple[str, str]]

VERSIONS = {"version": "3.0", "spec_version": "2.3"}

# How Starlette says that the browser is gone, beside OSError; it lets both through.
_DEPARTURES = frozenset({"ClientDisconnect", "WebSocketDisconnect"})


class AsgiMount:
    """An application that answers what lies below a path.

    It runs on the broker's event loop. ``failed(name, error)`` is told what it raises. It is started and
    stopped with the broker (the lifespan of ASGI); when its start fails it answers 503.

    Raises E501 for what is no application of ASGI 3.0, and for a path that cannot be.
    """

    def __init__(
        self,
        path: str,
        app: Application,
        loop: Callable[[], EventLoop],
        failed: Callable[[str, BaseException], None],
    ) -> None:
        if callable(path):
            raise bare("mount", path, 'broker.mount("/api", app)')
        self.name = function_name(app)
        # Of an object only its class could be said, which is somebody else's file.
        self.where = where_defined(app) if inspect.isroutine(app) else "?"
        problem = _problem(path, app)
        if problem is not None:
            raise HookMQError("E501", hook="mount", function=self.name, where=self.where, problem=problem)
        self.path = path.rstrip("/")
        self.hub: Hub | None = None
        self._app = app
        self._loop = loop
        self._failed = failed
        self._life: _Life | None = None
        self._server: tuple[str, int] | None = None
        self._secure = False
        self._sockets: dict[int, AsgiSocket] = {}

    @property
    def title(self) -> str:
        """What it is called in the log."""
        return f"the application at {self.path or '/'}"

    def answers(self, path: str) -> bool:
        """Say whether a path, which is percent-decoded, lies below its own."""
        return path == self.path or path.startswith(f"{self.path}/")

    # Life -----------------------------------------------------------------------------------------------

    def start(self, server: tuple[str, int] | None = None, *, secure: bool = False) -> None:
        """Start the application; requests wait until it has. Without effect when it is started.

        ``server`` is the HTTP port's address, ``secure`` says whether it is served with TLS.
        """
        if self._life is None:
            self._server, self._secure = server, secure
            self._life = life = _Life(self._app, self._report)
            life.task = self._loop().ask(life.run)

    def stop(self, grace: float) -> None:
        """Stop the application; wait ``grace`` seconds for it. Not to be called on the event loop."""
        life, self._life = self._life, None
        hub, self.hub = self.hub, None
        if hub is not None:
            hub.close(code=1001)  # nobody is left who would talk to them
        self._sockets.clear()
        if life is None or life.task is None:
            return
        self._loop().ask(life.end)
        # What does not end in time is cancelled with the loop.
        with contextlib.suppress(Exception):
            life.task.result(grace)

    def _report(self, error: BaseException) -> None:
        self._failed(self.title, error)

    # Requests -------------------------------------------------------------------------------------------

    def answer(
        self,
        method: str,
        path: str,
        query: str,
        headers: Headers,
        body: bytes,
        address: str,
        reply: PageReply,
    ) -> None:
        """Let the application answer a request; ``path`` is percent-encoded. Returns at once."""
        life = self._life
        if life is None:
            return _refuse(reply)
        scope = self._scope("http", path, query, headers, address)
        scope["method"] = method
        exchange = Exchange(method, body, reply)
        self._loop().ask(lambda: self._serve(life, scope, exchange, reply))
        return None

    async def _serve(self, life: _Life, scope: dict[str, Any], exchange: Exchange, reply: PageReply) -> None:
        if not await life.started():
            return _refuse(reply)
        scope["state"] = life.state.copy()
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except asyncio.CancelledError:  # the broker stops
            exchange.break_off()
            raise
        except BaseException as error:  # SystemExit as well: it would end the loop
            if not (exchange.gone and _is_departure(error)):
                self._report(error)
            exchange.fail()
        else:
            if not exchange.complete and not exchange.gone:
                self._report(RuntimeError("it returned before the answer was complete"))
            exchange.fail()

    def _scope(self, kind: str, path: str, query: str, headers: Headers, address: str) -> dict[str, Any]:
        scheme = "ws" if kind == "websocket" else "http"
        return {
            "type": kind,
            "asgi": dict(VERSIONS),
            "http_version": "1.1",
            "scheme": f"{scheme}s" if self._secure else scheme,
            "path": decode_path(path),
            "raw_path": path.encode(),
            "root_path": self.path,
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
            "client": (address, 0),
            "server": self._server,
        }

    # WebSockets -----------------------------------------------------------------------------------------

    def attach(self, hub: Hub) -> None:
        """Answer the WebSockets of a place as well: :meth:`event` is to be called with what they do."""
        self.hub = hub

    def event(
        self, kind: str, socket: int, data: str | bytes | None, request: tuple[Any, ...] | None
    ) -> None:
        """Tell the application what a WebSocket does: ``"open"``, ``"message"`` or ``"close"``."""
        life, hub = self._life, self.hub
        if life is None or hub is None:
            return
        if kind == "open" and request is not None:
            _, path, query, headers, _, address = request
            scope = self._scope("websocket", path, query, headers, address)
            scope["subprotocols"] = []
            self._sockets[socket] = opened = AsgiSocket(hub, socket)
            self._loop().ask(lambda: self._talk(life, scope, opened))
        elif kind == "message" and data is not None and (known := self._sockets.get(socket)) is not None:
            known.bring(data)
        elif kind == "close" and (known := self._sockets.pop(socket, None)) is not None:
            known.end()

    async def _talk(self, life: _Life, scope: dict[str, Any], socket: AsgiSocket) -> None:
        code = 1000
        try:
            socket.begin()
            if not await life.started():
                code = 1011
                return
            scope["state"] = life.state.copy()
            await self._app(scope, socket.receive, socket.send)
        except asyncio.CancelledError:
            code = 1012
            raise
        except BaseException as error:
            code = 1011
            if not (socket.gone and _is_departure(error)):
                self._report(error)
        finally:
            self._sockets.pop(socket.number, None)
            socket.close(code)


class _Life:
    """The lifespan of an application, from a start of the broker to its stop."""

    def __init__(self, app: Application, report: Callable[[BaseException], None]) -> None:
        self.state: dict[str, Any] = {}
        self.task: Future[Any] | None = None
        self._app = app
        self._report = report
        self._asked = False
        # Made on any thread, used on the loop alone.
        self._decided = asyncio.Event()
        self._ending = asyncio.Event()
        self._failure: str | None = None
        self._running = False

    async def started(self) -> bool:
        """Wait until the application has started, or failed to; say which."""
        await self._decided.wait()
        return self._failure is None

    async def end(self) -> None:
        """Let the application stop."""
        self._ending.set()

    async def run(self) -> None:
        """Start the application, wait for the end, stop it."""
        scope = {"type": "lifespan", "asgi": dict(VERSIONS), "state": self.state}
        try:
            await self._app(scope, self._receive, self._send)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            # One that raises before it has started knows no lifespan, which is permitted.
            if self._running or self._failure is not None:
                self._report(error)
        else:
            if self._failure is not None:
                self._report(RuntimeError(self._failure))
        finally:
            self._decided.set()

    async def _receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "lifespan.startup"}
        if self._failure is None:
            await self._ending.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        kind = message["type"]
        if kind == "lifespan.startup.complete":
            self._running = True
            self._decided.set()
        elif kind in ("lifespan.startup.failed", "lifespan.shutdown.failed"):
            self._failure = message.get("message") or "it gave no reason"
            self._decided.set()


def _problem(path: object, app: object) -> str | None:
    """Say why an application cannot be mounted there."""
    if not isinstance(path, str) or not path.startswith("/") or "{" in path:
        return f"the path {path!r} must begin with / and name no parts"
    if not callable(app):
        return "it is no application, but a value that cannot be called"
    try:
        signature = inspect.signature(app)
    except (TypeError, ValueError):  # some that are not written in Python tell nothing
        return None
    if _takes(signature, 3):
        return None
    if _takes(signature, 2):
        return (
            "it looks like an application of WSGI, such as Flask's or Django's; make it one of ASGI:   "
            "from a2wsgi import WSGIMiddleware; broker.mount(path, WSGIMiddleware(app))"
        )
    return "it is no application of ASGI 3.0, which takes the scope, receive and send"


def _is_departure(error: BaseException) -> bool:
    return isinstance(error, OSError) or type(error).__name__ in _DEPARTURES


def _takes(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def _refuse(reply: PageReply) -> None:
    refusal = Response("the application could not be started; the broker's log says why\n", status=503)
    reply(refusal.status, refusal.header_pairs(), refusal.body)
