"""The API below ``/api/v1/`` of the HTTP port: what the broker tells of hooks, jobs, connectors and
bridges, and does on request.

What it answers is derived from the registry and from the fields of ``HookInfo``, ``JobInfo``,
``ConnectorInfo`` and ``BridgeInfo``, so that a field that is new there is new here.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..errors import HookMQError
from ..hooks.registry import HOOKS
from ..settings.config import is_loopback
from .request import Request
from .response import Response

__all__ = ["FRESH", "PREFIX", "Api", "Operation", "is_of_this_machine", "kinds"]

PREFIX = "/api/v1/"
"""What every path of the API begins with."""

PERMIT = "x-hookmq"
"""The header without which nothing is changed: a page of somebody else's cannot send it unasked."""

# The native module's name of a kind says nothing to anyone else.
_INTERNAL = frozenset({"native"})

# What proxies add. The address that is seen is theirs then, not that of who asks.
_OF_PROXIES = ("forwarded", "x-forwarded-for", "x-real-ip", "via")

_HERE = "run the command on the machine on which the broker runs"


class Api:
    """Answers what is asked below :data:`PREFIX`, by calling what it was made with.

    Args:
        hooks: returns a dataclass for each hook, with its ``name``.
        jobs: returns a dataclass for each job.
        connectors: returns a dataclass for each connector.
        bridges: returns a dataclass for each bridge.
        pause: is called with a name, whether it is to be paused, and ``["hook"]``, ``["job"]`` or
            ``["bridge"]``. It raises E508 if there is none.
        reload: loads the app's code again. Raises E511 and others when that fails.
        rules: returns what can be asked of rules, and be done with them.

    There are no tokens yet, so only who is on the same machine is answered, and no pages of others: the
    client's address and the name by which it calls the broker must be of the loopback interface, an
    ``Origin`` must be the broker's own, and what changes something must carry the header ``X-HookMQ: 1``.

    >>> api = Api(hooks=list, jobs=list, connectors=list, bridges=list, pause=print, reload=print)
    >>> api.answer(Request("GET", "/api/v1/hooks", "", {"host": "localhost"}, b"", "127.0.0.1")).body
    b'{"hooks": []}'
    """

    def __init__(
        self,
        *,
        hooks: Callable[[], Sequence[Any]],
        jobs: Callable[[], Sequence[Any]],
        connectors: Callable[[], Sequence[Any]],
        bridges: Callable[[], Sequence[Any]],
        pause: Callable[[str, bool, Sequence[str]], None],
        reload: Callable[[], None],
        rules: Callable[[], Sequence[Operation]] = tuple,
    ) -> None:
        self._hooks = hooks
        self._jobs = jobs
        self._connectors = connectors
        self._bridges = bridges
        self._pause = pause
        self._reload = reload
        self._rules = rules

    @staticmethod
    def answers(path: str) -> bool:
        """Say whether a path, which is percent-decoded, is one of the API's."""
        return path.startswith(PREFIX)

    def answer(self, request: Request) -> Response:
        """Return the answer to a request, which is an error in JSON if it cannot be done."""
        reason = _distrust(request)
        if reason is not None:
            return _error(403, "forbidden", reason, _HERE)
        path = request.path.removeprefix(PREFIX)
        of_rules = path.partition("/")[0] == "rules"
        there = self._rules() if of_rules else self._own()
        found: dict[str, Operation] = {}
        for one in there:
            if one.pattern.fullmatch(path):
                found.setdefault(one.method, one)  # the first: it is the more special one
        if not found:
            return _error(404, "not_found", f"there is no {request.path}")
        method = "GET" if request.method == "HEAD" else request.method
        operation = found.get(method)
        if operation is None:
            allowed = ", ".join("GET, HEAD" if method == "GET" else method for method in found)
            reason = f"{request.method} is not for {request.path}, but {allowed}"
            return _error(405, "method_not_allowed", reason, headers={"Allow": allowed})
        if method != "GET" and request.headers.get(PERMIT) != "1":
            return _error(403, "forbidden", "the header X-HookMQ: 1 is missing")
        try:
            answer = operation.act(request, *operation.names(path))
        except HookMQError as error:
            # What is sent here is a configuration; elsewhere it is the broker's own that is at fault.
            status = 422 if of_rules and error.exit_code == 3 else _status(error)
            return _error(status, error.code, error.message, error.help, more=_place(error))
        return answer if isinstance(answer, Response) else Response(answer, headers=FRESH)

    def _own(self) -> Sequence[Operation]:
        return [
            Operation.of("GET", "hooks", lambda request: self._list_hooks()),
            Operation.of("GET", "hooks/kinds", lambda request: self._list_kinds()),
            # A hook may have any name, also one with a slash.
            Operation.of("POST", "hooks/(.+)/(pause|resume)", lambda request, *of: self._pause_hook(*of)),
            Operation.of("GET", "jobs", lambda request: self._list_jobs()),
            Operation.of("GET", "connectors", lambda request: self._list_connectors()),
            Operation.of("GET", "bridges", lambda request: self._list_bridges()),
            Operation.of("POST", "bridges/(.+)/(pause|resume)", lambda request, *of: self._pause_bridge(*of)),
            Operation.of("POST", "jobs/(.+)/(pause|resume)", lambda request, *of: self._pause_job(*of)),
            Operation.of("POST", "reload", lambda request: self._reload_code()),
        ]

    # What there is --------------------------------------------------------------------------------------

    def _list_hooks(self) -> dict[str, Any]:
        return {"hooks": _listed(self._hooks())}

    def _list_kinds(self) -> dict[str, Any]:
        return {"kinds": kinds()}

    def _list_jobs(self) -> dict[str, Any]:
        return {"jobs": _listed(self._jobs())}

    def _list_connectors(self) -> dict[str, Any]:
        return {"connectors": _listed(self._connectors())}

    def _list_bridges(self) -> dict[str, Any]:
        return {"bridges": _listed(self._bridges())}

    # What can be done -----------------------------------------------------------------------------------

    def _pause_hook(self, name: str, action: str) -> dict[str, Any]:
        self._pause(name, action == "pause", ["hook"])
        return {"hooks": _listed(hook for hook in self._hooks() if hook.name == name)}

    def _pause_job(self, name: str, action: str) -> dict[str, Any]:
        self._pause(name, action == "pause", ["job"])
        return {"jobs": _listed(job for job in self._jobs() if job.name == name)}

    def _pause_bridge(self, name: str, action: str) -> dict[str, Any]:
        self._pause(name, action == "pause", ["bridge"])
        return {"bridges": _listed(bridge for bridge in self._bridges() if bridge.name == name)}

    def _reload_code(self) -> dict[str, Any]:
        self._reload()
        return self._list_hooks() | self._list_jobs()


def kinds() -> list[dict[str, Any]]:
    """Return the registry of hooks as values that JSON knows.

    >>> [kind["name"] for kind in kinds() if kind["decides"]][:2]
    ['authenticate', 'enhanced_authenticate']
    """
    specs = _listed(HOOKS.values())
    return [{name: value for name, value in spec.items() if name not in _INTERNAL} for spec in specs]


@dataclasses.dataclass(frozen=True, slots=True)
class Operation:
    """Something that can be asked, or be done."""

    method: str
    pattern: re.Pattern[str]
    """Of its path; what stands in parentheses is handed over."""
    act: Callable[..., dict[str, Any] | Response]
    """Is given the request and the parts of the path; raises :class:`HookMQError`."""

    @classmethod
    def of(cls, method: str, pattern: str, act: Callable[..., dict[str, Any] | Response]) -> Operation:
        """Return one whose path is that of a regular expression."""
        return cls(method, re.compile(pattern, re.DOTALL), act)

    def names(self, path: str) -> tuple[str, ...]:
        """Return the parts of a path that are names."""
        match = self.pattern.fullmatch(path)
        return () if match is None else match.groups()


FRESH = {"Cache-Control": "no-store"}
"""The headers of every answer: what is true now may not be so in a moment."""

_STATUS = {"E508": 404, "E709": 400, "E712": 404}
"""The status of errors by their code; all others are 409."""


def _status(error: HookMQError) -> int:
    if error.code == "E713" and "version" in error.fields:
        return 412
    return _STATUS.get(error.code, 409)


def _place(error: HookMQError) -> dict[str, Any]:
    """Return where in a text something is wrong, if the error says so."""
    return {name: error.fields[name] for name in ("line", "column", "length", "hint") if name in error.fields}


def _error(
    status: int,
    code: str,
    message: str,
    help: str | None = None,
    *,
    headers: dict[str, str] | None = None,
    more: dict[str, Any] | None = None,
) -> Response:
    body = {"error": {"code": code, "message": message, "help": help, **(more or {})}}
    return Response(body, status=status, headers=FRESH | (headers or {}))


# Whom it answers ------------------------------------------------------------------------------------------


def is_of_this_machine(request: Request) -> bool:
    """Say whether a program of the broker's own machine asks, by a name of this machine."""
    return _foreign(request) is None


def _distrust(request: Request) -> str | None:
    """Say why a request is not answered, if it is not."""
    if (reason := _foreign(request)) is not None:
        return reason
    host, origin = request.headers.get("host", ""), request.headers.get("origin")
    if origin is not None and origin.partition("://")[2].lower() != host.lower():
        return f"pages of {origin} may not ask"
    return None


def _foreign(request: Request) -> str | None:
    headers = request.headers
    # An IPv4 client of a socket that takes both kinds has an address of IPv6.
    if not is_loopback(request.address.removeprefix("::ffff:")):
        return f"only programs on the broker's own machine are answered, not {request.address}"
    if any(name in headers for name in _OF_PROXIES):
        return "only programs on the broker's own machine are answered, not proxies"
    # Somebody else's name that leads here is how a page reaches what it should not: DNS rebinding.
    host = headers.get("host", "")
    if not is_loopback(_name(host)):
        return f"the broker is to be called localhost or by a loopback address, not {host!r}"
    return None


def _name(host: str) -> str:
    """Return a Host header without its port.

    >>> _name("localhost:8080"), _name("[::1]:8080"), _name("127.0.0.1")
    ('localhost', '[::1]', '127.0.0.1')
    """
    return host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]


# JSON -----------------------------------------------------------------------------------------------------


def _listed(infos: Iterable[Any]) -> list[dict[str, Any]]:
    return [
        {field.name: _plain(getattr(info, field.name)) for field in dataclasses.fields(info)}
        for info in infos
    ]


def _plain(value: Any) -> Any:
    """Return a time as ISO 8601 with its distance from UTC, anything else as it is."""
    return value.astimezone().isoformat() if isinstance(value, datetime.datetime) else value
