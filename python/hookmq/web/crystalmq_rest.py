"""REST calls of the old product: below ``/crystalmq/api/v1/``, and MQTTRoute's ``/bwiot/api/v1/``.

A program logs in and is given a token, which it sends with every other call (``Authorization: Bearer …``).
The token is a session of one of this broker's accounts, with its role. What is sent may be a form or JSON,
and paths may end with a slash, as programs for the old product do it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import HookMQError
from .operations.operation import Role, may
from .operations.subscriptions import check_topic
from .operations.topics import publisher
from .problem import Problem
from .request import BadBody, Request
from .response import Response
from .security_headers import FRESH

if TYPE_CHECKING:
    from .access import Access
    from .source import Source

__all__ = ["PREFIXES", "CrystalMQRest"]

PREFIXES = ("/crystalmq/api/v1/", "/bwiot/api/v1/")

_PAGE = 50
"""Devices, and subscriptions, of a page."""

_LARGEST = 1 << 20

_STATUSES = {"all": None, "act": True, "inact": False}

_ACCOUNTS = "WEB_USERNAME and WEB_PASSWORD are no account here: add one with `hookmq accounts add NAME`"


class CrystalMQRest:
    """Answers the calls of programs that were written for the old product."""

    def __init__(self, source: Source, access: Access) -> None:
        self._source = source
        self._access = access
        self._calls: dict[str, tuple[str, Role, Callable[[Mapping[str, str], str], dict[str, Any]]]] = {
            "clientsend": ("POST", "operator", self._send),
            "client/send": ("POST", "operator", self._send),
            "sendall": ("POST", "operator", self._send_all),
            "topic/send_command": ("POST", "operator", self._send_all),
            "device/list": ("GET", "viewer", self._devices),
            "devices": ("GET", "viewer", self._devices),
            "subscription/list": ("GET", "viewer", self._subscriptions),
            "subscriptions": ("GET", "viewer", self._subscriptions),
        }

    def answer(self, request: Request) -> Response:
        """Return the answer to a request, which says in its own way what went wrong."""
        name = next(request.path.removeprefix(one) for one in PREFIXES if request.path.startswith(one))
        try:
            return _told(self._answer(request, name.strip("/")))
        except Problem as problem:
            return _told(_failed(problem.detail), problem.status, problem.headers)
        except HookMQError as error:
            return _told(_failed(error.message), 409)

    def _answer(self, request: Request, name: str) -> dict[str, Any]:
        if name == "login":
            if request.method != "POST":
                raise Problem(405, "log in with POST", headers={"Allow": "POST"})
            return self._login(request)
        if name not in self._calls:
            raise Problem(404, f"there is no call {name[:60]!r}; the API below /api/v1/ has everything")
        method, role, call = self._calls[name]
        if request.method != method:
            raise Problem(405, f"{name} is called with {method}", headers={"Allow": method})
        try:
            identity = self._access.identify(_with_token(request, self._access.cookie.name))
        except Problem as problem:
            # Programs for the old product send no header of ours: what they lack is the token.
            raise _no_token() if problem.code == "csrf" else problem from None
        if not may(identity.role, role):
            if identity.role is None:
                raise _no_token()
            raise Problem(403, f"a {identity.role} may not do that")
        return call(_parameters(request), identity.name)

    def _login(self, request: Request) -> dict[str, Any]:
        given = _parameters(request)
        name, password = _needed(given, "username"), _needed(given, "password")
        # No cookie is set, so nobody else's page gains anything by logging somebody in.
        try:
            login = self._access.login(_permitted(request, ""), name, password)
        except Problem as problem:
            if problem.status == 401:
                problem.detail += f"; {_ACCOUNTS}"
            raise
        told = {"bwapi-status": "success", "bwapi-status-reason": "Logged in"}
        return told | {"access_token": login.token}

    # Messages -------------------------------------------------------------------------------------------

    def _send(self, given: Mapping[str, str], who: str) -> dict[str, Any]:
        """Publish to a topic that a client is subscribed to; who else is gets it as well."""
        client = given.get("clientid") or given.get("client_id") or _needed(given, "clientid")
        if self._source.run().native.client(client) is None:
            raise Problem(404, f"Message could not be delivered to {client}: there is no such client")
        self._publish(given, who)
        return _done(f"Message has been sent to {client}")

    def _send_all(self, given: Mapping[str, str], who: str) -> dict[str, Any]:
        self._publish(given, who)
        return _done(f"Message has been sent to subscribers of topic - {given['topic']}")

    def _publish(self, given: Mapping[str, str], who: str) -> None:
        topic, payload = _needed(given, "topic"), _needed(given, "message")
        check_topic(topic)
        if topic.startswith("$"):
            raise Problem(403, f"{topic[:60]} is the broker's own")
        qos = given.get("QoS") or given.get("qos") or "0"
        if qos not in ("0", "1", "2"):
            raise Problem(400, f"QoS is {qos[:20]}; it is 0, 1 or 2")
        retain = given.get("retain", "0").lower() in ("1", "true")
        try:
            self._source.publish(publisher(who), topic, payload, qos=int(qos), retain=retain)
        except ValueError as error:
            raise Problem(400, str(error)) from None

    # Lists ----------------------------------------------------------------------------------------------

    def _devices(self, given: Mapping[str, str], who: str) -> dict[str, Any]:
        status = given.get("status") or "all"
        if status not in _STATUSES:
            raise Problem(400, f"status is {status[:20]}; it is {', '.join(_STATUSES)}")
        connected = _STATUSES[status]
        search = given.get("search") or None
        native = self._source.run().native

        def read(limit: int, after: str | None) -> tuple[list[dict[str, Any]], str | None, int | None]:
            return native.clients(limit, after, search=search, connected=connected)

        items, pages = _page(given, read)
        devices = [
            {
                "device": one["client_id"],
                "client_id": one["client_id"],
                "username": one["username"] or "",
                "connect_status": 2 if one["connected"] else 1,
                "clean_session": int(one["clean_start"]),
                "ip": one["address"] or "",
                "time": int((one["connected_at"] if one["connected"] else one["disconnected_at"]) or 0),
            }
            for one in items
        ]
        return _done("", status="Success", page=pages, devices=devices)

    def _subscriptions(self, given: Mapping[str, str], who: str) -> dict[str, Any]:
        client = given.get("clientid") or given.get("client_id") or None
        search = given.get("search") or None
        native = self._source.run().native

        def read(limit: int, after: str | None) -> tuple[list[dict[str, Any]], str | None, int | None]:
            return native.subscriptions(limit, after, search=search, client=client)

        items, pages = _page(given, read)
        subscriptions = [
            {"client_id": one["client_id"], "topic_name": one["filter"], "qos": one["qos"]} for one in items
        ]
        return _done("", status="Success", page=pages, subscriptions=subscriptions)


Read = Callable[[int, "str | None"], "tuple[list[dict[str, Any]], str | None, int | None]"]


def _page(given: Mapping[str, str], read: Read) -> tuple[list[dict[str, Any]], int]:
    """Return the items of a page by its number, and how many pages there are."""
    text = given.get("page", "1") or "1"
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= 1000 or len(text) > 9:
        raise Problem(400, "page is a number from 1 to 1000; /api/v1/clients has a cursor for more")
    after: str | None = None
    items: list[dict[str, Any]] = []
    for number in range(1, int(text) + 1):
        items, after, total = read(_PAGE, after)
        if after is None:  # this is the last one
            return (items if number == int(text) else []), number
    # How many there are may not be known: one more there is.
    return items, int(text) + 1 if total is None else -(-total // _PAGE)


def _with_token(request: Request, cookie: str) -> Request:
    """Return a request as the session's that its token is of, if it has one."""
    given = request.headers.get("authorization", "")
    token = given.partition(" ")[2].strip() if given.lower().startswith("bearer ") else given.strip()
    if not token or token.startswith("hmq_"):
        return request
    # Only who has been told the token can send it so: no page sends that header unasked.
    return _permitted(request, f"{cookie}={token}" if token.isascii() and token.isprintable() else "")


def _no_token() -> Problem:
    detail = "Invalid token: log in first, or send an API token (Authorization: Bearer …)"
    return Problem(401, detail, headers={"WWW-Authenticate": "Bearer"})


def _permitted(request: Request, cookie: str) -> Request:
    kept = {name: value for name, value in request.headers.items() if name not in ("authorization", "cookie")}
    return dataclasses.replace(request, headers={**kept, "cookie": cookie, "x-hookmq": "1"})


def _parameters(request: Request) -> dict[str, str]:
    """Return what is sent: in the query, in a form, or in JSON."""
    if len(request.body) > _LARGEST:
        raise Problem(413, "the request is too large")
    given: dict[str, Any] = dict(request.query)
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.body and (media == "application/json" or request.body.lstrip()[:1] == b"{"):
        try:
            found = request.json()
        except BadBody as error:
            raise Problem(400, str(error)) from None
        if not isinstance(found, dict):
            raise Problem(400, "the request's body is no object")
        given |= found
    elif request.body:
        given |= request.form
    return {str(name): _text(value) for name, value in given.items()}


def _text(value: Any) -> str:
    import json

    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.encode(errors="replace").decode()


def _needed(given: Mapping[str, str], name: str) -> str:
    if name not in given or not given[name]:
        raise Problem(400, f"Missing parameter:{name}")
    return given[name]


def _done(reason: str, **more: Any) -> dict[str, Any]:
    return {"bwapi-status": "success", "bwapi-status-reason": reason, **more}


def _failed(reason: str) -> dict[str, Any]:
    return {"bwapi-status": "fail", "bwapi-status-reason": reason}


def _told(body: dict[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(body, status=status, headers={**FRESH, **(headers or {})})
