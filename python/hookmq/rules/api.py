"""What the HTTP API answers below ``/api/v1/rules``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .._hookmq import rule_functions
from ..errors import HookMQError
from ..web.api import FRESH, Operation
from ..web.request import BadBody, Request
from ..web.response import Response
from .book import RuleBook
from .live import LiveRule
from .store import Version

__all__ = ["operations"]

_NAME = r"([^/]+)"


def operations(book: Callable[[], RuleBook]) -> Sequence[Operation]:
    """Return what can be asked of the rules of a broker, and be done with them."""
    api = _RulesApi(book)
    return [
        Operation.of("GET", "rules", api.list),
        Operation.of("POST", "rules", api.create),
        Operation.of("POST", "rules/test", api.test),
        Operation.of("GET", "rules/functions", api.functions),
        Operation.of("GET", f"rules/{_NAME}", api.show),
        Operation.of("PUT", f"rules/{_NAME}", api.change),
        Operation.of("DELETE", f"rules/{_NAME}", api.delete),
        Operation.of("POST", f"rules/{_NAME}/(enable|disable)", api.switch),
        Operation.of("GET", f"rules/{_NAME}/versions", api.versions),
        Operation.of("POST", rf"rules/{_NAME}/versions/(\d{{1,9}})/restore", api.restore),
    ]


class _RulesApi:
    def __init__(self, book: Callable[[], RuleBook]) -> None:
        self._book = book

    def list(self, request: Request) -> Response:
        rules = [dataclasses.asdict(live.info()) for live in self._book().values()]
        return _answer({"rules": rules})

    def functions(self, request: Request) -> Response:
        return _answer({"functions": rule_functions()})

    def show(self, request: Request, name: str) -> Response:
        return _shown(self._book().find(name))

    def create(self, request: Request) -> Response:
        return _shown(self._book().create(_body(request), _who(request)), status=201)

    def change(self, request: Request, name: str) -> Response:
        table = _body(request)
        if table.get("name", name) != name:
            raise HookMQError("E709", reason="a rule keeps its name: make a new one, and remove this one")
        return _shown(self._book().change(name, table, _who(request), expected=_expected(request)))

    def delete(self, request: Request, name: str) -> Response:
        self._book().delete(name, _who(request), expected=_expected(request))
        return _answer({"removed": name})

    def switch(self, request: Request, name: str, action: str) -> Response:
        return _shown(self._book().switch(name, action == "enable", _who(request)))

    def versions(self, request: Request, name: str) -> Response:
        return _answer({"versions": [_version(one) for one in self._book().versions(name)]})

    def restore(self, request: Request, name: str, version: str) -> Response:
        return _shown(self._book().restore(name, int(version), _who(request)))

    def test(self, request: Request) -> Response:
        asked = _body(request)
        unknown = asked.keys() - {"name", "rule", "sql", "samples", "sample"}
        if unknown:
            raise HookMQError("E709", reason=f"`{min(unknown)}` is none of name, rule, sql, samples, sample")
        samples = asked.get("samples", [asked["sample"]] if "sample" in asked else None)
        if samples is not None and not isinstance(samples, list):
            raise HookMQError("E709", reason="`samples` is a list of objects")
        table = asked.get("rule", {"sql": asked["sql"]} if "sql" in asked else None)
        if table is not None and not isinstance(table, Mapping):
            raise HookMQError("E709", reason="`rule` is an object, as a rule is made of")
        if table is None and not isinstance(asked.get("name"), str):
            raise HookMQError("E709", reason="name a rule with `name`, or write one with `sql` or `rule`")
        name = asked.get("name")
        tried = self._book().test(name=name if isinstance(name, str) else None, table=table, samples=samples)
        return _answer(tried.json())


def _answer(body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(body, status=status, headers={**FRESH, **(headers or {})})


def _shown(live: LiveRule, *, status: int = 200) -> Response:
    body = {"rule": live.rule.table(secrets=False), "info": dataclasses.asdict(live.info())}
    etag = {} if live.version is None else {"ETag": f'"{live.version}"'}
    return _answer(body, status=status, headers=etag)


def _version(version: Version) -> dict[str, Any]:
    shown = dataclasses.asdict(version)
    if version.rule is not None:
        from .definition import Rule

        try:
            shown["rule"] = Rule.of(version.rule, "api", "").table(secrets=False)
        except HookMQError as error:  # of a later HookMQ, or a file of secrets is gone
            shown["rule"] = {"name": version.rule.get("name"), "problem": error.message}
    return shown


def _body(request: Request) -> dict[str, Any]:
    try:
        found = request.json()
    except BadBody as error:
        raise HookMQError("E709", reason=str(error)) from None
    if not isinstance(found, dict):
        raise HookMQError("E709", reason="the request's body is a JSON object")
    return found


def _expected(request: Request) -> int | None:
    """Return the version that ``If-Match`` names."""
    given = request.headers.get("if-match")
    if given is None or given.strip() == "*":
        return None
    text = given.strip().removeprefix("W/").strip('"')
    if not text.isdigit():
        raise HookMQError("E709", reason=f"If-Match is {given}, which is no version of a rule")
    return int(text)


def _who(request: Request) -> str:
    """Return who asks, as they say themselves, and from where."""
    said = request.headers.get("x-hookmq-user", "").strip()[:100]
    return f"{said} at {request.address}" if said and said.isprintable() else request.address
