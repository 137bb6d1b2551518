"""What the HTTP port answers: pages, WebSockets of pages, and applications that are mounted."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from .web.request import Request, decode_path
from .web.response import Response
from .web.routes import RouteInfo, Routes
from .web.stream import Streams

if TYPE_CHECKING:
    from ._hookmq import PageReply
    from .console import Console
    from .execution.aio import EventLoop
    from .run import Run
    from .web.asgi import AsgiMount
    from .web.slow import SlowAnswers
    from .web.sockets import PageSockets
    from .web.static import StaticFiles

__all__ = ["Pages"]


class Pages:
    """The pages, WebSockets and applications of a broker, and their answers.

    ``failed(name, error)`` is told what they raise; ``loop()`` gives the event loop for ``async def`` pages;
    ``relieve()`` is called when something was replaced that may not come back. The console answers
    where no page and no application does.
    """

    def __init__(
        self,
        loop: Callable[[], EventLoop],
        failed: Callable[[str, BaseException], None],
        relieve: Callable[[], None],
        console: Console,
    ) -> None:
        self._console = console
        self._relieve = relieve
        self._loop = loop
        self._failed = failed
        self._routes = Routes()
        self._streams = Streams(loop, failed)
        self._sockets: dict[str, PageSockets] = {}
        self._files: StaticFiles | None = None
        self._run: Run | None = None
        self._slow: SlowAnswers | None = None
        self._making = threading.Lock()

    @property
    def infos(self) -> list[RouteInfo]:
        """Every page, every place for WebSockets, and then every application."""
        told = self._routes.infos
        pages = [one for one in told if one.kind == "page"]
        live = [RouteInfo(path, *one.place, None, "websocket") for path, one in self._sockets.items()]
        return [*pages, *live, *told[len(pages) :]]

    def has_current(self) -> bool:
        """Whether the calling thread is one that makes the pieces of an answer."""
        return self._streams.has_current()

    # Registering ----------------------------------------------------------------------------------------

    def add(self, path: str, function: Callable[..., Any], methods: tuple[str, ...] | None) -> None:
        """Register a page; one of the same path and methods is replaced."""
        self._routes.add(path, function, methods)

    def add_websocket(self, path: str) -> PageSockets:
        """Return the place for WebSockets at a path."""
        from .web.sockets import PageSockets

        live = self._sockets.get(path)
        if live is None:
            live = self._sockets[path] = PageSockets(path, self._loop, self._failed)
            live.relieve = self._relieve
            if self._run is not None:
                self._open(live, self._run)
        return live

    def add_mount(self, path: str, app: Any) -> None:
        """Register an application; one at the same path is replaced."""
        from .web.asgi import AsgiMount

        mount = AsgiMount(path, app, self._loop, self._failed)
        replaced = self._routes.mount(mount)
        run = self._run
        if run is not None:
            _start(mount, run)
            if replaced is not None:
                replaced.stop(run.grace)

    # Life -----------------------------------------------------------------------------------------------

    def open(self, run: Run) -> None:
        """Give WebSockets and applications their places in a run."""
        self._run, self._files = run, None
        for live in self._sockets.values():
            self._open(live, run)
        for mount in self._routes.mounts:
            _start(mount, run)

    def close(self, left: Callable[[], float]) -> list[str]:
        """End what goes on, in the seconds that are ``left()``; return the names of what did not end."""
        self._run = None
        with self._making:
            if self._slow is not None:
                self._slow.close()
                self._slow = None
        for mount in self._routes.mounts:
            mount.stop(left())
        for live in self._sockets.values():
            live.detach()
        return self._streams.close(left())

    def replace(self, fresh: Pages | None) -> None:
        """Take what another has registered, if anything, in the place of one's own, while it runs."""
        run = self._run
        stopping = self._routes.replace(Routes() if fresh is None else fresh._routes)
        before, self._sockets = self._sockets, {} if fresh is None else dict(fresh._sockets)
        if run is None:
            return
        for mount in self._routes.mounts:
            _start(mount, run)
        left = {mount.path for mount in self._routes.mounts}
        for mount in stopping:
            mount.stop(run.grace)
            if mount.path not in left:
                run.native.remove_hub(mount.path, below=True)
        for path in before.keys() - self._sockets.keys():
            run.native.remove_hub(path)
        for path, live in self._sockets.items():
            if path in before:
                live.take_over(before[path])
            else:
                self._open(live, run)

    def _open(self, live: PageSockets, run: Run) -> None:
        path = live.path

        def event(*arguments: Any) -> None:
            # Looked up, because new code may have put another in its place.
            if (current := self._sockets.get(path)) is not None:
                current.event(*arguments)

        live.attach(run.hub(path, event))

    # Answering ------------------------------------------------------------------------------------------

    def answer(
        self,
        method: str,
        path: str,
        query: str,
        headers: list[tuple[str, str]],
        body: bytes,
        address: str,
        reply: PageReply,
    ) -> None:
        """Answer an HTTP request."""
        if (run := self._run) is not None and (base := run.settings["http_base"]):
            from .web.security_headers import without_base

            path = without_base(path, str(base))
        decoded = decode_path(path)
        if sum(name == "host" for name, _ in headers) > 1:
            # RFC 9112, 3.2: whoever checks one name must not serve another.
            request = Request(method, decoded, query, {}, b"", address)
            several = Response("the request has several Host headers\n", status=400)
            return self._streams.answer("the pages", request, lambda: several, reply)
        mount = self._routes.mounted(decoded)
        if mount is not None:
            return mount.answer(method, path, query, headers, body, address, reply)
        request = Request(method, decoded, query, dict(headers), body, address, raw_path=path)
        name = "the pages"
        try:
            name, call, response = self._routes.find(request)
            if call is None and (file := self._file(request, response)) is not None:
                name, response = "the dashboard", file
            elif call is None and response.status == 404:
                if (slow := self._slow_for(decoded)) is not None:
                    unanswered = response
                    who = request.headers.get("authorization") or request.headers.get("cookie") or address
                    if slow.put(who, lambda: self._answer_slowly(request, unanswered, reply)):
                        return None
                    response = Response("too many requests wait that take long\n", status=503)
                else:
                    name, response = "the API", self._console.answer(request) or response
            value = response if call is None else call()
        except BaseException as error:
            return self._streams.fail(name, error, reply)
        if not isinstance(value, Coroutine):
            return self._streams.answer(name, request, lambda: value, reply)
        coroutine = value
        future = self._loop().ask(lambda: coroutine)
        future.add_done_callback(lambda done: self._streams.answer(name, request, done.result, reply))
        return None

    def _slow_for(self, path: str) -> SlowAnswers | None:
        """Return where a request is answered whose answer may take seconds; None for all others."""
        run = self._run
        if run is None or not path.startswith("/api/v1/"):
            return None
        from .web.slow import SlowAnswers, is_slow

        if not is_slow(path):
            return None
        with self._making:
            if self._slow is None:
                self._slow = SlowAnswers(run.threads.start)
            return self._slow

    def _answer_slowly(self, request: Request, unanswered: Response, reply: PageReply) -> None:
        if not reply.gone:  # whoever asked may not have waited
            answer = functools.partial(self._console.answer, request)
            self._streams.answer("the API", request, lambda: answer() or unanswered, reply)

    def _file(self, request: Request, unanswered: Response) -> Response | None:
        """Return a file of the dashboard, where no page answers."""
        if unanswered.status not in (200, 404):  # 405: a page has the path
            return None
        from .web.static import StaticFiles

        name = StaticFiles.name_of(request.path)
        if name is None or (run := self._run) is None or not run.settings.get("dashboard", True):
            return None
        if self._files is None:
            self._files = StaticFiles(base=str(run.settings.get("http_base", "")))
        answer = self._files.answer(request, name)
        # Without a dashboard in the package there is the list of pages.
        return None if answer.status == 404 and request.path == "/" else answer


def _start(mount: AsgiMount, run: Run) -> None:
    mount.attach(run.hub(mount.path, mount.event, below=True))
    port = run.http_port
    server = None if port is None else (str(run.settings["host"]), port)
    mount.start(server, secure=bool(run.settings["tls.http"]))
