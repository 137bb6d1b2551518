"""The API below ``/api/v1/`` of the HTTP port: it finds what is asked for, says who may, and answers."""

from __future__ import annotations

import gzip
import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import unquote

from ..errors import HookMQError
from ..log import logger
from .operations.operation import Answer, Ask, Operation, Who, may
from .problem import Problem, problem_of
from .request import BadBody, Request
from .response import Response
from .schema import Array, BadValue, unknown
from .security_headers import FRESH

__all__ = ["PREFIX", "Api", "finished", "refusal", "unauthorized"]

PREFIX = "/api/v1/"
"""What every path of the API begins with."""

DOCUMENT = "/api/openapi.json"
"""Where it is described."""

MAX_BODY = 4 << 20
"""Bytes of the largest body that is read."""

_BODY_OF_ANYONE = 16 << 10
"""The same where nobody has to say who he is: a name and the longest password, each character escaped."""

_GZIP_FROM = 1024
"""Bytes from which an answer is compressed, where that is accepted."""

_SHOWN_SECRET = {"WWW-Authenticate": 'Bearer realm="HookMQ"'}


class Identifying(Protocol):
    """Says who asks, as :class:`hookmq.web.access.Access` does."""

    def identify(self, request: Request) -> Who:
        """Return who asks. Raises :class:`Problem` for what is refused whoever it is."""


class Api:
    """Answers what is asked below :data:`PREFIX` by a table of operations.

    Args:
        operations: returns what can be asked, and be done; it is called once.
        access: says who asks.
        version: of the package, for the description.

    >>> from types import SimpleNamespace
    >>> somebody = SimpleNamespace(name="anna", role="viewer", via="token")
    >>> access = SimpleNamespace(identify=lambda request: somebody)
    >>> api = Api(lambda: [Operation("GET", "hello", lambda ask: "hello", "Greet")], access, "1")
    >>> api.answer(Request("GET", "/api/v1/hello", "", {}, b"", "127.0.0.1")).body
    b'"hello"'
    """

    def __init__(
        self, operations: Callable[[], Sequence[Operation]], access: Identifying, version: str
    ) -> None:
        self._make = operations
        self._access = access
        self._version = version
        self._operations: dict[str, list[Operation]] | None = None
        self._document: Response | None = None

    @staticmethod
    def answers(path: str) -> bool:
        """Say whether a path, which is percent-decoded, is one of the API's."""
        return path.startswith(PREFIX) or path == DOCUMENT

    @property
    def operations(self) -> list[Operation]:
        """Everything that can be asked, and be done."""
        return [one for several in self._table().values() for one in several]

    def answer(self, request: Request) -> Response:
        """Return the answer to a request, which is a problem in JSON if it cannot be done."""
        try:
            if request.path == DOCUMENT:
                return finished(request, self._described(request))
            return self._answer(request)
        except Problem as problem:
            return finished(request, refusal(problem))

    def _answer(self, request: Request) -> Response:
        identity = self._access.identify(request)
        operation, names = self._find(request)
        if not may(identity.role, operation.role):
            raise _forbidden(identity, operation)
        if operation.before is not None:
            operation.before(request)
        ask = Ask(request, identity, names, _query(operation, request), _body(operation, request))
        try:
            answer = operation.act(ask)
        except BadValue as error:
            raise Problem(400, str(error)) from None
        except HookMQError as error:
            raise problem_of(error, configures=operation.tag == "rules") from None
        except Problem:
            raise
        except Exception as error:
            logger("hookmq.web").error("%s failed", operation.id, exc_info=error)
            detail = f"{operation.method} {operation.template} failed: {type(error).__name__}"
            raise Problem(500, detail, code="internal", help="the broker's log says why") from None
        if isinstance(answer, Response):
            answer.headers = {**FRESH, **answer.headers}
            return answer
        if not isinstance(answer, Answer):
            answer = Answer(answer, operation.status)
        return finished(request, _response(answer, tagged=request.method in ("GET", "HEAD")))

    # Finding --------------------------------------------------------------------------------------------

    def _table(self) -> dict[str, list[Operation]]:
        """Return the operations by the first part of their path."""
        if self._operations is None:
            table: dict[str, list[Operation]] = {}
            for operation in self._make():
                table.setdefault(operation.tag, []).append(operation)
            for several in table.values():  # `rules/functions` goes before `rules/{name}`
                several.sort(key=lambda one: [part.startswith("{") for part in one.template.split("/")])
            self._operations = table
        return self._operations

    def _find(self, request: Request) -> tuple[Operation, dict[str, str]]:
        whole = request.raw_path or request.path
        parts = whole.removeprefix(PREFIX).split("/")
        if not whole.startswith(PREFIX):  # something in the prefix is percent-encoded
            parts = request.path.removeprefix(PREFIX).split("/")
        found: dict[str, tuple[Operation, dict[str, str]]] = {}
        template = None
        for operation in self._table().get(unquote(parts[0]), ()):
            # The first is the most special one: `rules/functions` is no rule of the name `functions`.
            if template in (None, operation.template) and (names := operation.match(parts)) is not None:
                template = operation.template
                found[operation.method] = (operation, names)
        if not found:
            raise Problem(404, f"there is no {request.path}", help=f"{DOCUMENT} lists what there is")
        method = "GET" if request.method == "HEAD" else request.method
        if method not in found:
            allowed = ", ".join("GET, HEAD" if method == "GET" else method for method in found)
            detail = f"{request.method} is not for {request.path}, but {allowed}"
            raise Problem(405, detail, headers={"Allow": allowed})
        return found[method]

    def _described(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            detail = f"{request.method} is not for {DOCUMENT}, but GET, HEAD"
            raise Problem(405, detail, headers={"Allow": "GET, HEAD"})
        if self._document is None:
            from .openapi import document

            self._document = _response(Answer(document(self.operations, self._version)), tagged=True)
        return self._document


# What comes -----------------------------------------------------------------------------------------------


def unauthorized(identity: Who) -> Problem:
    """Return why somebody is not known, and what to do then."""
    return Problem(401, identity.reason, help=identity.help, headers=_SHOWN_SECRET)


def _forbidden(identity: Who, operation: Operation) -> Problem:
    if not may(identity.role, "viewer"):
        return unauthorized(identity)
    needed = f"{operation.method} {operation.template} is for {operation.role}s"
    return Problem(403, f"{needed}; {identity.name} has the role {identity.role}", help="ask an admin")


def _query(operation: Operation, request: Request) -> dict[str, Any]:
    known = {one.name: one for one in operation.query}
    read: dict[str, Any] = {}
    try:
        for name, text in request.query_pairs:
            if name not in known:
                raise unknown(name, known)
            schema = known[name].schema
            if isinstance(schema, Array):
                read.setdefault(name, []).append(schema.of.parse(text, name))
                if len(read[name]) > schema.max:
                    raise BadValue(name, f"is there more than {schema.max} times")
            elif name in read:
                raise BadValue(name, "is there twice")
            else:
                read[name] = schema.parse(text, name)
        for one in operation.query:
            if one.name not in read:
                if one.required:
                    raise BadValue(one.name, "is missing")
                read[one.name] = one.default
    except BadValue as error:
        raise Problem(400, f"parameter {error}", more={"parameter": error.where}) from None
    except ValueError as error:  # very many parameters
        raise Problem(400, f"the query cannot be read: {error}") from None
    return read


def _body(operation: Operation, request: Request) -> Any:
    schema = operation.body
    if schema is None:
        return None
    most = _BODY_OF_ANYONE if operation.role == "anyone" else MAX_BODY
    if len(request.body) > most:
        raise Problem(413, f"the body has {len(request.body):,} bytes; at most {most:,} are taken")
    media = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if request.body and media != "application/json" and not media.endswith("+json"):
        raise Problem(
            415,
            f"the body is {media[:60]}; expected application/json",
            help="send the header Content-Type: application/json",
        )
    try:
        return schema.read(read_json(request), "")
    except (BadBody, BadValue) as error:
        where = getattr(error, "where", "")
        raise Problem(400, str(error), more={"member": where} if where else None) from None


def read_json(request: Request) -> Any:
    """Return the body of a request read as JSON, an empty one as an empty object."""
    if not request.body:
        return {}
    value = request.json()
    # Half a character, which JSON can write and UTF-8 cannot, would fail somewhere later; so would NaN.
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise BadBody(f"the request's body is not JSON: {error}") from None
    return value


# What goes ------------------------------------------------------------------------------------------------


def refusal(problem: Problem) -> Response:
    """Return a problem as it is answered."""
    return Response(
        _encode(problem.body()),
        status=problem.status,
        content_type="application/problem+json",
        headers={**FRESH, **problem.headers},
    )


def _response(answer: Answer, *, tagged: bool) -> Response:
    headers = {**FRESH, **answer.headers}
    if answer.body is None and answer.status in (200, 204):
        return Response(status=204, headers=headers)
    body = _encode(answer.body)
    if tagged:
        digest = hashlib.blake2b(body, digest_size=8).hexdigest()
        version = "" if answer.version is None else f"{answer.version}."
        headers["ETag"] = f'W/"{version}{digest}"'
    elif answer.version is not None:
        headers["ETag"] = f'W/"{answer.version}"'
    return Response(body, status=answer.status, content_type="application/json", headers=headers)


def finished(request: Request, response: Response) -> Response:
    """Answer 304 where nothing is new, and compress where that is accepted."""
    tag = response.headers.get("ETag")
    wanted = request.headers.get("if-none-match", "")
    if tag is not None and response.status == 200 and request.method in ("GET", "HEAD") and wanted:
        bare = tag.removeprefix("W/")
        if wanted.strip() == "*" or bare in (one.strip().removeprefix("W/") for one in wanted.split(",")):
            kept = {name: value for name, value in response.headers.items() if name != "Content-Encoding"}
            return Response(status=304, headers=kept)
    if len(response.body) < _GZIP_FROM or not _takes_gzip(request):
        return response
    headers = dict(response.headers) | {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    body = gzip.compress(response.body, 1, mtime=0)
    return Response(body, status=response.status, content_type=response.content_type, headers=headers)


def _takes_gzip(request: Request) -> bool:
    for one in request.headers.get("accept-encoding", "").split(","):
        name, _, weight = one.strip().partition(";")
        if name.strip().lower() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _encode(value: Any) -> bytes:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:
        text = json.dumps(_finite(value), ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="replace")  # names of files may have what is no character


def _finite(value: Any) -> Any:
    """Return a value with null for what JSON has no number for."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return value
