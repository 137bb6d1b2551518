"""What values of the API look like: one table checks what comes, and describes it in JSON Schema.

Each kind has ``read`` (a value of JSON), ``parse`` (a text of the query) and ``json`` (its JSON Schema).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .problem import nearest

__all__ = [
    "Anything",
    "Array",
    "BadValue",
    "Boolean",
    "Field",
    "Integer",
    "Nullable",
    "Number",
    "Object",
    "Ref",
    "Schema",
    "Text",
]

_SHOWN = 60
"""Characters of a wrong value that an error repeats."""


class BadValue(ValueError):
    """A value is not what the table says; ``where`` is the parameter or the path of the member."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"`{where}` {reason}" if where else reason)
        self.where = where


class Schema:
    """What a value is; any value, unless a kind says more."""

    def read(self, value: Any, where: str) -> Any:
        """Return a value of JSON as an operation takes it. Raises :class:`BadValue`."""
        return value

    def parse(self, text: str, where: str) -> Any:
        """Return a text of the query as an operation takes it. Raises :class:`BadValue`."""
        return self.read(text, where)

    def json(self) -> dict[str, Any]:
        """Return the JSON Schema."""
        return {}


@dataclass(frozen=True, slots=True)
class Anything(Schema):
    """Any value of JSON."""


@dataclass(frozen=True, slots=True)
class Text(Schema):
    """A text of ``min`` to ``max`` characters, one of ``among`` if that is given.

    >>> Text(among=("asc", "desc")).read("up", "order")
    Traceback (most recent call last):
    ...
    hookmq.web.schema.BadValue: `order` is "up"; expected asc or desc
    """

    min: int = 0
    max: int = 65_535
    among: tuple[str, ...] = ()
    pattern: str | None = None
    """A regular expression for the whole of it."""
    meant: str = "another text"
    """What the pattern says, in words."""
    format: str | None = None

    def read(self, value: Any, where: str) -> str:
        """Return the text."""
        if not isinstance(value, str):
            raise BadValue(where, f"is {_kind(value)}; expected a text")
        if self.among:
            if value not in self.among:
                # All of them: what is written most alike may mean the opposite.
                raise BadValue(where, f"is {_shown(value)}; expected {_or(self.among)}")
            return value
        if len(value) < self.min:
            raise BadValue(where, "is empty" if not value else f"is shorter than {self.min} characters")
        if len(value) > self.max:
            raise BadValue(where, f"is longer than {self.max} characters")
        if self.pattern is not None and not re.fullmatch(self.pattern, value):
            raise BadValue(where, f"is {_shown(value)}; expected {self.meant}")
        return value

    def json(self) -> dict[str, Any]:
        """Return the JSON Schema."""
        schema: dict[str, Any] = {"type": "string"}
        if self.among:
            return schema | {"enum": list(self.among)}
        if self.min:
            schema["minLength"] = self.min
        if self.max != 65_535:
            schema["maxLength"] = self.max
        if self.pattern is not None:
            schema["pattern"] = f"^(?:{self.pattern})$"
        if self.format is not None:
            schema["format"] = self.format
        return schema


@dataclass(frozen=True, slots=True)
class Integer(Schema):
    """A whole number from ``min`` to ``max``.

    >>> Integer(1, 1000).parse("0", "limit")
    Traceback (most recent call last):
    ...
    hookmq.web.schema.BadValue: `limit` is 0; expected a whole number from 1 to 1000
    """

    min: int = 0
    max: int = 2**53 - 1

    def read(self, value: Any, where: str) -> int:
        """Return the number."""
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # JSON does not tell 1 and 1.0 apart
        if isinstance(value, bool) or not isinstance(value, int) or not self.min <= value <= self.max:
            wanted = f"expected a whole number from {self.min} to {self.max}"
            raise BadValue(where, f"is {_shown(value)}; {wanted}")
        return value

    def parse(self, text: str, where: str) -> int:
        """Return the number of a text."""
        value = int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else text
        return self.read(value, where)

    def json(self) -> dict[str, Any]:
        """Return the JSON Schema."""
        return {"type": "integer", "minimum": self.min, "maximum": self.max}


@dataclass(frozen=True, slots=True)
class Number(Schema):
    """A number, and no infinity, from ``min`` to ``max``."""

    min: float | None = None
    max: float | None = None

    def read(self, value: Any, where: str) -> float:
        """Return the number."""
        try:
            good = not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value)
        except OverflowError:
            good = False
        low, high = self.min, self.max
        if not good or (low is not None and value < low) or (high is not None and value > high):
            ends = [f"from {low:g}" if low is not None else "", f"to {high:g}" if high is not None else ""]
            wanted = " ".join(["a number", *(end for end in ends if end)])
            raise BadValue(where, f"is {_shown(value)}; expected {wanted}")
        return float(value)

    def parse(self, text: str, where: str) -> float:
        """Return the number of a text."""
        value = float(text) if re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", text) else text
        return self.read(value, where)

    def json(self) -> dict[str, Any]:
        """Return the JSON Schema."""
        ends = {"minimum": self.min, "maximum": self.max}
        return {"type": "number"} | {name: end for name, end in ends.items() if end is not None}


@dataclass(frozen=True, slots=True)
class Boolean(Schema):
    """True or false."""

    def read(self, value: Any, where: str) -> bool:
        """Return the value."""
        if not isinstance(value, bool):
            raise BadValue(where, f"is {_shown(value)}; expected true or false")
        return value

    def parse(self, text: str, where: str) -> bool:
        """Return what a text says."""
        return self.read({"true": True, "false": False, "1": True, "0": False}.get(text, text), where)

    def json(self) -> dict[str, Any]:
        """Return the JSON Schema."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Nullable(Schema):
    """A value, or null."""

    of: Schema

    def read(self, value: Any, where: str) -> Any:
        """Return the value."""
        return None if value is None else self.of.read(value, where)

    def json(self) -> dict[str, Any]:
        """Return the JSON Schema."""
        inner = self.of.json()
        if isinstance(inner.get("type"), str) and "enum" not in inner:
            return inner | {"type": [inner["type"], "null"]}
        return {"anyOf": [inner, {"type": "null"}]} if inner else inner


@dataclass(frozen=True, slots=True)
class Array(Schema):
    """A list of at most ``max`` values. In the query: a parameter that may be repeated."""

    of: Schema
    max: int = 10_000

    def read(self, value: Any, where: str) -> list[Any]:
        """Return the list."""
        if not isinstance(value, list):
            raise BadValue(where, f"is {_kind(value)}; expected a list")
        if len(value) > self.max:
            raise BadValue(where, f"has {len(value)} entries; at most {self.max} are taken")
        return [self.of.read(one, f"{where}[{index}]") for index, one in enumerate(value)]

    def json(self) -> dict[str, Any]:
        """Return the JSON Schema."""
        limit = {} if self.max == 10_000 else {"maxItems": self.max}
        return {"type": "array", "items": self.of.json()} | limit


@dataclass(frozen=True, slots=True)
class Field:
    """A member of an object, or a parameter of the query."""

    name: str
    schema: Schema = field(default_factory=Text)
    doc: str = ""
    required: bool = False
    default: Any = None
    """What an operation is given if it is left out."""
    example: Any = None

    def json(self) -> dict[str, Any]:
        """Return the JSON Schema."""
        schema = self.schema.json()
        if "$ref" in schema:
            return schema
        if self.doc:
            schema["description"] = self.doc
        if self.example is not None:
            schema["examples"] = [self.example]
        if self.default is not None and not self.required:
            schema["default"] = self.default
        return schema


@dataclass(frozen=True, slots=True)
class Object(Schema):
    """An object of these members. Others are refused, unless ``more`` says what they are.

    >>> Object([Field("name", Text(1), required=True)]).read({"nam": "tank"}, "")
    Traceback (most recent call last):
    ...
    hookmq.web.schema.BadValue: `nam` is unknown; did you mean `name`?
    """

    fields: Sequence[Field] = ()
    more: Schema | None = None
    optional: bool = False
    """For answers: members may be missing. What is sent may leave out what is not required in any case."""

    def read(self, value: Any, where: str) -> dict[str, Any]:
        """Return the members, and the defaults of those that are missing."""
        if not isinstance(value, Mapping):
            raise BadValue(where, f"is {_kind(value)}; expected an object")
        return read_members(self.fields, value, where, self.more)

    def json(self) -> dict[str, Any]:
        """Return the JSON Schema."""
        schema: dict[str, Any] = {"type": "object"}
        if self.fields:
            schema["properties"] = {one.name: one.json() for one in self.fields}
        if required := [one.name for one in self.fields if one.required]:
            schema["required"] = required
        schema["additionalProperties"] = False if self.more is None else self.more.json()
        return schema


@dataclass(frozen=True, slots=True)
class Ref(Schema):
    """A schema with a name, which stands once in the document; it is for answers."""

    name: str
    of: Schema

    def read(self, value: Any, where: str) -> Any:
        """Return the value."""
        return self.of.read(value, where)

    def json(self) -> dict[str, Any]:
        """Return a reference."""
        return {"$ref": f"#/components/schemas/{self.name}"}


def read_members(
    fields: Sequence[Field], value: Mapping[str, Any], where: str, more: Schema | None = None
) -> dict[str, Any]:
    """Return members by the fields that there are, with the defaults of those that are missing."""
    known = {one.name: one for one in fields}
    prefix = f"{where}." if where else ""
    read: dict[str, Any] = {}
    for name, one in value.items():
        if name in known:
            read[name] = known[name].schema.read(one, prefix + name)
        elif more is not None:
            read[name] = more.read(one, prefix + name)
        else:
            raise unknown(name, known, prefix)
    for one in fields:
        if one.name not in read:
            if one.required:
                raise BadValue(prefix + one.name, "is missing")
            read[one.name] = one.default
    return read


def unknown(name: str, known: Mapping[str, Field], prefix: str = "") -> BadValue:
    """Return the error for a name that is none of the known ones."""
    meant = nearest(name, known)
    if meant is not None:
        hint = f"; did you mean `{meant}`?"
    elif known:
        hint = f"; expected {_or([f'`{one}`' for one in known])}"
    else:
        hint = "; nothing is expected here"
    return BadValue(prefix + name[:_SHOWN], f"is unknown{hint}")


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    words = {bool: "true or false", str: "a text", list: "a list", dict: "an object"}
    return words.get(type(value), "a number")


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value[:_SHOWN]}{"…" if len(value) > _SHOWN else ""}"'
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return str(value)[:_SHOWN]
        except ValueError:  # more digits than Python writes
            return "a number of very many digits"
    return _kind(value)


def _or(words: Sequence[str]) -> str:
    *before, last = words
    return f"{', '.join(before)} or {last}" if before else last
