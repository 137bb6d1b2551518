"""Schemas and values that several subjects have in common."""

from __future__ import annotations

import dataclasses
import datetime
import types
import typing
from typing import Any

from ..schema import Anything, Array, Boolean, Field, Integer, Nullable, Number, Object, Ref, Schema, Text
from ..shown_message import message, packed

__all__ = [
    "AT",
    "MESSAGE",
    "QOS",
    "SECONDS",
    "TOPIC",
    "listed",
    "message",
    "named",
    "packed",
    "plain",
    "schema_of",
]

AT = Number(0)
"""Seconds since the Unix epoch."""

SECONDS = Number(0)

QOS = Integer(0, 2)

TOPIC = Text(1)

COUNT = Integer()

MESSAGE = Ref(
    "Message",
    Object(
        [
            Field("topic", Text(), required=True),
            Field("payload", Nullable(Text()), "null if it is not UTF-8", required=True),
            Field("payload_base64", Text(format="byte"), "only if it is not UTF-8"),
            Field("bytes", COUNT, "of the whole payload", required=True),
            Field("cut", Boolean(), "only if not all of the payload is there"),
            Field("qos", QOS, required=True),
            Field("retain", Boolean(), required=True),
            Field("client_id", Text(), required=True),
            Field("at", Nullable(AT), required=True),
            Field("properties", Object(more=Anything()), required=True),
        ],
        more=Anything(),
    ),
)


# What the package tells in dataclasses -------------------------------------------------------------------


def plain(info: Any) -> dict[str, Any]:
    """Return a dataclass as values of JSON; a local time is ISO 8601, and once more as ``…_at``."""
    made: dict[str, Any] = {}
    for one in dataclasses.fields(info):
        value = getattr(info, one.name)
        if "datetime" in str(one.type):
            made[one.name] = None if value is None else value.astimezone().isoformat()
            made[f"{one.name}_at"] = None if value is None else value.timestamp()
        elif dataclasses.is_dataclass(value):
            made[one.name] = plain(value)
        elif isinstance(value, tuple | list):
            made[one.name] = [plain(item) if dataclasses.is_dataclass(item) else item for item in value]
        else:
            made[one.name] = value
    return made


def listed(infos: Any) -> list[dict[str, Any]]:
    """Return dataclasses as values of JSON."""
    return [plain(info) for info in infos]


def named(name: str, cls: type, *more: Field) -> Ref:
    """Return the schema of what :func:`plain` makes of a dataclass, with further members."""
    hints = typing.get_type_hints(cls)
    fields: list[Field] = []
    for one in dataclasses.fields(cls):
        fields.append(Field(one.name, schema_of(hints[one.name]), required=True))
        if _may_be(hints[one.name], datetime.datetime):
            fields.append(Field(f"{one.name}_at", Nullable(AT), required=True))
    return Ref(name, Object([*fields, *more]))


def schema_of(hint: Any) -> Schema:
    """Return the schema of a type.

    >>> schema_of(int | None).json()["type"]
    ['integer', 'null']
    """
    simple: dict[Any, Schema] = {
        int: Integer(-(2**63), 2**63),
        float: Number(),
        str: Text(),
        bool: Boolean(),
        datetime.datetime: Text(format="date-time"),
    }
    if hint in simple:
        return simple[hint]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return Text(among=arguments)
    if origin in (types.UnionType, typing.Union) and type(None) in arguments:
        rest = [one for one in arguments if one is not type(None)]
        return Nullable(schema_of(rest[0])) if len(rest) == 1 else Anything()
    if origin in (tuple, list):
        return Array(schema_of(arguments[0]))
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return named(hint.__name__, hint)
    return Anything()


def _may_be(hint: Any, kind: type) -> bool:
    return hint is kind or kind in typing.get_args(hint)
