"""``custom_ui_server.py``: pages on the broker's HTTP port."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from ..authentication.workers import Busy, Workers
from ..errors import HookMQError
from ..hooks.functions import function_name, where_defined
from ..web.file import File
from ..web.request import Request
from ..web.response import Response
from .extensions import Extensions, function_of, refusal
from .host import Host
from .keys import NO, YES
from .login import WebLogin
from .templates import Templates
from .working_directory import Inside, StandIn, WorkingDirectory

__all__ = ["METHODS", "Pages", "Urls", "parameters", "redirect_root", "register_static"]

METHODS = ("GET", "POST", "DELETE")
LOGIN_PATHS = ("/login", "/logout")

_EXAMPLE = 'write for example   {"urls": [{"/new-page": new_page}]}'


class Urls:
    """What ``custom_urls()`` returned: the pages, where ``/`` leads, and whether a login guards them."""

    def __init__(self, found: Any, where: str) -> None:
        if not isinstance(found, dict):
            raise refusal(where, f"custom_urls returned {type(found).__name__}, not a dict", _EXAMPLE)
        self.guarded = _is_on(found.get("AUTHENTICATION", "DISABLE"), where)
        self.redirect = str(found.get("URL_REDIRECT") or "/")
        self.pages = list(_pages(found.get("urls", ()), where))

    @classmethod
    def of(cls, module: ModuleType, extensions: Extensions) -> Urls:
        """Ask a file. Raises E803 for one that describes no pages."""
        path = Path(str(module.__file__))
        describe = function_of(module, "custom_urls")
        if describe is None:
            raise refusal(
                path, "it does not define custom_urls", "write   def custom_urls():   or remove the file"
            )
        return cls(extensions.call(path, describe), where_defined(describe))


class Pages:
    """Calls pages of an extension, on threads of their own in its working directory."""

    def __init__(self, templates: Templates, workers: Workers, directory: WorkingDirectory) -> None:
        self._templates = templates
        self._workers = workers
        self._directory = directory

    def answer(self, function: Callable[..., Any], request: Request, login: WebLogin | None = None) -> Any:
        """Return what a page answers to a request; ``login`` guards it."""
        if login is not None and not login.admits(request):
            return login.challenge(request)
        data = parameters(request)
        given = (data,) if takes_data(function) else ()
        call = Inside(lambda: self._rendered(function(*given), data), self._directory)
        try:
            return self._workers.submit(call).result()
        except Busy:
            return Response("too much waits for this page\n", status=503)

    def register(self, broker: Host, urls: Urls, login: WebLogin | None) -> None:
        """Add pages. Raises E803 for a path that cannot be, and for a function that cannot be called."""
        for path, function in urls.pages:
            if login is not None and path in LOGIN_PATHS:
                help = "give the page another path, or set AUTHENTICATION to DISABLE"
                raise refusal(where_defined(function), f"{path} is a page of the login", help)
            takes_data(function)
            page = functools.partial(self.answer, function, login=login)
            try:
                broker.route(path, methods=METHODS)(StandIn(page, function))
            except HookMQError as error:
                problem = str(error.fields.get("problem", error.message))
                raise refusal(where_defined(function), problem, _EXAMPLE) from None
        if "/" not in dict(urls.pages):
            redirect_root(broker, urls.redirect)

    def _rendered(self, value: Any, data: dict[str, Any]) -> Any:
        if isinstance(value, str) and value.endswith(".html") and not set(value) & set("<>\n"):
            return Response(self._templates.render(value, data), content_type="text/html; charset=utf-8")
        return value


def redirect_root(broker: Host, target: str) -> None:
    """Let ``/`` lead to another page, if that is another."""
    if target != "/":
        broker.route("/", methods=("GET",))(lambda: Response(status=302, headers={"Location": target}))


def parameters(request: Request) -> dict[str, str]:
    """Return what a request asks with: of the query, of a form, and of a JSON object, the last of a name.

    >>> body = b'{"level": 42, "unit": "cm"}'
    >>> parameters(Request("POST", "/x", "a=1", {"content-type": "application/json"}, body, "127.0.0.1"))
    {'a': '1', 'level': '42', 'unit': 'cm'}

    Raises:
        BadBody: for a body that says it is JSON, and is not. The answer is 400 then.
    """
    found = dict(request.query)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().casefold()
    if not request.body:
        return found
    if kind == "application/json":
        value = request.json()
        if isinstance(value, dict):
            found |= {
                str(key): one if isinstance(one, str) else json.dumps(one) for key, one in value.items()
            }
    elif kind == "multipart/form-data":
        found |= _multipart(request)
    elif kind in ("application/x-www-form-urlencoded", ""):
        found |= request.form
    return found


def register_static(broker: Host, ui: Path) -> None:
    """Serve ``HOME/ui/static`` as ``/static/…``; nothing outside of it is served, links or not."""

    @broker.route("/static/{path:path}", methods=("GET",))
    def static(path: str) -> File:
        return File(path, root=ui / "static")


def _multipart(request: Request) -> dict[str, str]:
    from email.message import EmailMessage
    from email.parser import BytesParser
    from email.policy import HTTP

    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    message = BytesParser(EmailMessage, policy=HTTP).parsebytes(head + request.body)
    found = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes):
            found[name] = content.decode(errors="replace")
    return found


def _pages(entries: Any, where: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    if not isinstance(entries, list | tuple):
        raise refusal(where, f"urls is {type(entries).__name__}, not a list", _EXAMPLE)
    for entry in entries:
        if not isinstance(entry, dict):
            raise refusal(where, f"an entry of urls is {type(entry).__name__}, not a dict", _EXAMPLE)
        for path, function in entry.items():
            if not callable(function):
                raise refusal(where, f"{path} leads to {function!r}, which is not a function", _EXAMPLE)
            yield path if str(path).startswith("/") else f"/{path}", function


def takes_data(function: Callable[..., Any]) -> bool:
    """Say whether a page is given the parameters. Raises E803 for one that can be called neither way."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some built-ins tell nothing
        return False
    candidates: tuple[tuple[Any, ...], ...] = (({},), ())
    for given in candidates:
        try:
            signature.bind(*given)
        except TypeError:
            continue
        return bool(given)
    help = "write   def page(data):   or   def page():"
    raise refusal(
        where_defined(function), f"{function_name(function)} is given the parameters, or nothing", help
    )


def _is_on(value: Any, where: str) -> bool:
    text = str(value).casefold()
    if text in YES | NO:
        return text in YES
    raise refusal(where, f"AUTHENTICATION is {value!r}", "write ENABLE or DISABLE")
