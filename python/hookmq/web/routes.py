"""Which function answers a path."""

from __future__ import annotations

import functools
import inspect
import re
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any

from ..errors import HookMQError
from ..hooks.functions import function_name, where_defined
from .request import Request
from .response import Response

if TYPE_CHECKING:
    from .asgi import AsgiMount

__all__ = ["RouteInfo", "Routes"]

_ONE_PART = "[^/]+"
# No part of it is . or .., and it does not begin with /: as the end of a file's name it never leads outside.
_THE_REST = r"(?!/)(?!(?s:(?:.*/)?\.\.?(?:/|\Z)))(?s:.*)"


@dataclass(frozen=True, slots=True)
class RouteInfo:
    """What ``broker.routes`` tells of a page, a place for WebSockets, or an application.

    ``kind`` is ``"page"``, ``"websocket"`` or ``"application"``.
    """

    path: str
    name: str
    where: str
    methods: tuple[str, ...] | None = None
    kind: str = "page"


@dataclass(frozen=True, slots=True)
class _Route:
    info: RouteInfo
    function: Callable[..., Any]
    pattern: re.Pattern[str]
    takes_request: bool
    takes_names: bool

    @property
    def beginning(self) -> str:
        """What the path begins with before its first name."""
        return self.info.path.partition("{")[0]

    @property
    def generality(self) -> int:
        """0 for a path without names; the more general a path is, the later it comes."""
        path = self.info.path
        if ":path}" not in path:
            return 1 if "{" in path else 0
        # Of those that take the rest, the one that says less of the path.
        return sys.maxsize - len(re.sub(r"\{[^{}]*\}", "", path))

    def call(self, request: Request) -> Any:
        arguments = (request,) if self.takes_request else ()
        return self.function(*arguments, **(request.params if self.takes_names else {}))


class Routes:
    """The pages that were registered, looked through in the order of their registration; a path without
    ``{name}`` comes before one with, and this before one with ``{name:path}``. Applications that are mounted
    answer what lies below their path, except where a page has that very path or begins with a longer one.

    >>> routes = Routes()
    >>> routes.add("/hello/{name}", lambda request, name: f"hello {name}", None)
    >>> routes.answer(Request("GET", "/hello/tank", "", {}, b"", "")).body
    b'hello tank'
    """

    def __init__(self) -> None:
        self._routes: list[_Route] = []
        self._mounts: list[AsgiMount] = []
        self._lock = threading.Lock()

    def add(self, path: str, function: Callable[..., Any], methods: tuple[str, ...] | None) -> None:
        """Register a page; one of the same path and methods is replaced."""
        where = where_defined(function)
        name = function_name(function)

        def unfit(problem: str) -> HookMQError:
            return HookMQError("E501", hook="route", function=name, where=where, problem=problem)

        if not isinstance(path, str) or not path.startswith("/"):
            raise unfit(f"the path {path!r} does not begin with /")
        if isinstance(methods, str):
            raise unfit(f'methods is {methods!r}, it must be a tuple such as ("GET", "POST")')
        methods = tuple(method.upper() for method in methods) if methods else None
        pattern, names = _compile(path, unfit)
        takes_request, takes_names = _signature(function, names, unfit)
        route = _Route(RouteInfo(path, name, where, methods), function, pattern, takes_request, takes_names)
        with self._lock:
            kept = [one for one in self._routes if (one.info.path, one.info.methods) != (path, methods)]
            self._routes = sorted([*kept, route], key=lambda one: one.generality)

    def mount(self, mount: AsgiMount) -> AsgiMount | None:
        """Register an application; return the one of the same path that it replaces."""
        with self._lock:
            replaced = next((one for one in self._mounts if one.path == mount.path), None)
            kept = [one for one in self._mounts if one is not replaced]
            self._mounts = sorted([*kept, mount], key=lambda one: -len(one.path))
        return replaced

    def replace(self, fresh: Routes) -> list[AsgiMount]:
        """Take the pages and applications of another; return the applications that are to be stopped."""
        with self._lock:
            stopping, self._mounts = self._mounts, fresh._mounts
            self._routes = fresh._routes
        return stopping

    @property
    def mounts(self) -> list[AsgiMount]:
        """Every application that is mounted."""
        return list(self._mounts)

    @property
    def infos(self) -> list[RouteInfo]:
        """Every page, and then every application."""
        mounts = [
            RouteInfo(one.path or "/", one.name, one.where, None, "application") for one in self._mounts
        ]
        return [route.info for route in self._routes] + mounts

    def mounted(self, path: str) -> AsgiMount | None:
        """Return the application that answers a path, which is percent-decoded, or ``None`` if pages do."""
        mount = next((one for one in self._mounts if one.answers(path)), None)
        if mount is None:
            return None
        for route in self._routes:
            nearer = not route.generality or len(route.beginning) > len(mount.path) + 1
            if nearer and route.pattern.fullmatch(path):
                return None
        return mount

    def find(self, request: Request) -> tuple[str, Callable[[], Any] | None, Response]:
        """Return the page's name for the log and what to call, or the answer when there is nothing to call.

        The name is not the request's path: of those there are as many as somebody likes to ask for.
        """
        allowed: set[str] = set()
        for route in self._routes:
            if (match := route.pattern.fullmatch(request.path)) is None:
                continue
            methods = route.info.methods
            method = "GET" if request.method == "HEAD" and "HEAD" not in (methods or ()) else request.method
            if methods is None or method in methods:
                named = replace(request, params=match.groupdict())
                name = f"{route.info.name} ({route.info.path})"
                return name, functools.partial(route.call, named), Response()
            allowed.update(methods)
        if allowed and request.method == "OPTIONS":
            allowed |= {"OPTIONS", "HEAD"} if "GET" in allowed else {"OPTIONS"}
            return "", None, Response(status=204, headers={"Allow": ", ".join(sorted(allowed))})
        if allowed:
            headers = {"Allow": ", ".join(sorted(allowed))}
            return "", None, Response("method not allowed\n", status=405, headers=headers)
        return "", None, self._not_found(request.path)

    def answer(self, request: Request) -> Response:
        """Return the answer of a page that is not asynchronous."""
        _, call, response = self.find(request)
        return Response.of(call()) if call is not None else response

    def _not_found(self, path: str) -> Response:
        links = "\n".join(
            f'<li><a href="{escape(info.path)}">{escape(info.path)}</a> {escape(info.name)}'
            if "{" not in info.path
            else f"<li>{escape(info.path)} {escape(info.name)}"
            for info in self.infos
        )
        if path == "/":
            title, status = "HookMQ", 200
            hint = (
                ""
                if links
                else '<p>There are no pages yet: add one with <code>@broker.route("/hello")</code>.'
            )
        else:
            title, status, hint = "There is no such page", 404, ""
        head = f"<!doctype html>\n<meta charset=utf-8>\n<title>{title}</title>"
        page = f"{head}\n<h1>{title}</h1>{hint}\n<ul>\n{links}\n</ul>\n"
        return Response(page, status=status)


def _compile(path: str, unfit: Callable[[str], HookMQError]) -> tuple[re.Pattern[str], list[str]]:
    pattern, names = "", []
    for part in re.split(r"(\{[^{}]*\})", path):
        if not part.startswith("{"):
            pattern += re.escape(part)
            continue
        name, _, kind = part[1:-1].partition(":")
        if kind not in ("", "path") or part.endswith(":}"):
            raise unfit(f"`{part}` in {path} is neither {{name}} nor {{name:path}}")
        if kind and not path.endswith(f"/{part}"):
            raise unfit(f"`{part}` in {path} takes the rest of the path: it must be the last part of it")
        if not name.isidentifier() or name in names:
            raise unfit(f"`{part}` in {path} is no name, or is there twice")
        names.append(name)
        pattern += f"(?P<{name}>{_THE_REST if kind else _ONE_PART})"
    return re.compile(pattern), names


def _signature(
    function: Callable[..., Any], names: list[str], unfit: Callable[[str], HookMQError]
) -> tuple[bool, bool]:
    """Say whether the function takes the request, and whether it takes the path's names."""
    parameters: Mapping[str, inspect.Parameter] = inspect.signature(function).parameters
    plain = [
        one
        for one in parameters.values()
        if one.name not in names and one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)
    ]
    any_name = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    required = [one for one in plain if one.default is one.empty]
    if len(required) > 1 or any(one.kind is one.KEYWORD_ONLY for one in required):
        raise unfit(f"it takes `{required[-1].name}`, but is given the request and the path's names")
    takes_names = bool(names) and (any_name or all(name in parameters for name in names))
    if not takes_names and any(name in parameters for name in names):
        missing = next(name for name in names if name not in parameters)
        raise unfit(f"it takes some parts of the path by name, but not `{missing}`")
    takes_request = bool(required) or any(one.kind is one.VAR_POSITIONAL for one in parameters.values())
    return takes_request, takes_names
