"""The description of the API (OpenAPI 3.1), derived from the table of operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .operations.operation import Operation
from .schema import Anything, Array, Field, Integer, Nullable, Object, Ref, Schema, Text

__all__ = ["document"]

_PROBLEM = Object(
    [
        Field("type", Text(), required=True),
        Field("title", Text(), required=True),
        Field("status", Integer(400, 599), required=True),
        Field("detail", Text(), "the cause", required=True),
        Field("code", Text(), "for programs: an E… of the reference, or a word", required=True),
        Field("help", Nullable(Text()), "the remedy", required=True),
        Field("line", Integer()),
        Field("column", Integer()),
        Field("length", Integer()),
        Field("hint", Anything()),
        Field("parameter", Text(), "the parameter that is wrong"),
        Field("member", Text(), "the member of the body that is wrong"),
        Field("error", Object(more=Anything()), "code, message and help once more"),
    ],
    more=Anything(),
)

_WORDS = {
    400: "A parameter, a member of the body or a cursor is wrong",
    401: "Nobody is logged in",
    403: "The role does not suffice, or `X-HookMQ: 1` is missing",
    404: "There is none",
    409: "It cannot be done as things are",
    410: "It is gone",
    412: "It was changed meanwhile",
    413: "The body is too large",
    414: "The query is too long",
    415: "The body is no JSON",
    422: "The text is wrong; `line` says where",
    429: "Too many tries; `Retry-After` says when",
    503: "The broker is not ready",
}

_DESCRIPTION = """\
Everything the broker knows and does. Times are seconds since the Unix epoch (`…_at`), durations seconds,
rates per second. Lists come in pages: `limit`, and `cursor`, which is `next` of the page before. Errors are
problems (RFC 9457). `GET` answers carry an `ETag`, and 304 if `If-None-Match` names it. A browser's session
changes something only with the header `X-HookMQ: 1`."""


def document(operations: Sequence[Operation], version: str) -> dict[str, Any]:
    """Return the OpenAPI document of these operations.

    >>> told = document([Operation("GET", "hello/{name}", print, "Greet")], "1.0")
    >>> list(told["paths"]), told["paths"]["/api/v1/hello/{name}"]["get"]["operationId"]
    (['/api/v1/hello/{name}'], 'get_hello_name')
    """
    paths: dict[str, dict[str, Any]] = {}
    schemas: dict[str, Schema] = {"Problem": _PROBLEM}
    for operation in operations:
        place = paths.setdefault(f"/api/v1/{operation.template}", {})
        place[operation.method.lower()] = _described(operation)
        for schema in (operation.answer, operation.body):
            _gather(schema, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "HookMQ",
            "version": version,
            "description": _DESCRIPTION,
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "../"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(one.tag for one in operations)],
        "security": [{"token": []}, {"session": [], "change": []}],
        "paths": paths,
        "components": {
            "schemas": {name: schema.json() for name, schema in sorted(schemas.items())},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "an API token, `hmq_…`"},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "hookmq_session_PORT",
                    "description": "the name ends with the broker's HTTP port, as in `hookmq_session_8080`",
                },
                "change": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-HookMQ",
                    "description": "`1`, with a session and for what changes something",
                },
            },
        },
    }


def _described(operation: Operation) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.tag],
        "x-role": operation.role,
        "responses": _responses(operation),
    }
    if operation.description:
        told["description"] = operation.description
    if operation.role == "anyone":
        told["security"] = []
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in operation.names
    ]
    parameters += [_parameter(one) for one in operation.query]
    if operation.versioned:
        parameters.append(
            {
                "name": "If-Match",
                "in": "header",
                "description": "the `ETag` of what is to be changed",
                "schema": {"type": "string", "pattern": r'^(\*|(W/)?"[0-9A-Za-z.]{1,64}")$'},
            }
        )
    if parameters:
        told["parameters"] = parameters
    if operation.body is not None:
        content: dict[str, Any] = {"schema": operation.body.json()}
        if operation.example is not None:
            content["example"] = operation.example
        needed = isinstance(operation.body, Object) and any(one.required for one in operation.body.fields)
        told["requestBody"] = {"required": needed, "content": {"application/json": content}}
    return told


def _parameter(one: Field) -> dict[str, Any]:
    schema = one.schema.json()
    if one.default is not None and not one.required:
        schema["default"] = one.default
    told: dict[str, Any] = {"name": one.name, "in": "query", "required": one.required, "schema": schema}
    if one.doc:
        told["description"] = one.doc
    if one.example is not None:
        told["example"] = one.example
    if isinstance(one.schema, Array):
        told |= {"style": "form", "explode": True}
    return told


def _responses(operation: Operation) -> dict[str, Any]:
    good: dict[str, Any] = {"description": operation.summary}
    if operation.status != 204:
        schema = {} if operation.answer is None else operation.answer.json()
        if operation.streams:
            schema = {}
        good["content"] = {media: {"schema": schema} for media in _media(operation)}
    if operation.method == "GET" and not operation.streams:
        good["headers"] = {"ETag": {"schema": {"type": "string"}}}
    responses = {str(operation.status): good}
    if operation.method == "GET" and not operation.streams:
        responses["304"] = {"description": "Nothing has changed"}
    statuses = {400, *operation.raises}
    if operation.query:
        statuses.add(414)
    if operation.role != "anyone":
        statuses |= {401, 403, 409}
    if operation.body is not None:
        statuses |= {413, 415}
    if operation.versioned:
        statuses.add(412)
    for status in sorted(statuses):
        if status == 414:  # the server's own: it has no body
            responses["414"] = {"description": _WORDS[414]}
            continue
        responses[str(status)] = {
            "description": _WORDS.get(status, "It cannot be done"),
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    return responses


def _media(operation: Operation) -> tuple[str, ...]:
    if operation.template == "history/export":
        from .exports import FORMATS

        return tuple(FORMATS.values())
    return (operation.media,)


def _gather(schema: Schema | None, into: dict[str, Schema]) -> None:
    """Find the schemas that have names."""
    if isinstance(schema, Ref):
        if schema.name in into:
            return
        into[schema.name] = schema.of
        _gather(schema.of, into)
    elif isinstance(schema, Object):
        for one in schema.fields:
            _gather(one.schema, into)
        _gather(schema.more, into)
    elif isinstance(schema, Array | Nullable):
        _gather(schema.of, into)
