"""Single values, those that are no list and no object: how they are checked, and read from text.

Such a text is a level of a topic, or a whole payload.
"""

from __future__ import annotations

import json
import re
import sys
import types
import typing
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any, Literal, NamedTuple
from uuid import UUID

from .annotated import alternatives
from .invalid_payload import Check, InvalidPayload

__all__ = [
    "ANYTHING",
    "GIVEN",
    "SIMPLE",
    "Kind",
    "choice",
    "enumeration",
    "level_conversion",
    "literal_options",
    "needed",
]

# Characters of the texts of errors, which go into reason strings.
_MAX_CHOICES = 120


def level_conversion(annotation: Any) -> Callable[[str], Any] | None:
    """Return what makes such a value of a level of a topic, or ``None`` if the level stays the text it is.

    There is one for ``int``, ``float``, ``bool`` (true, false, 1, 0, on, off), ``UUID``, ``date``,
    ``datetime``, and, by their values, ``Enum`` and ``Literal``. It raises ``InvalidPayload``.

    >>> level_conversion(int)("7")
    7
    """
    others = [one for one in alternatives(annotation) if one is not types.NoneType]
    if len(others) != 1:
        return None
    annotation = others[0]
    if typing.get_origin(annotation) is Literal:
        return choice(literal_options(annotation), from_text=True).check
    if not isinstance(annotation, type):
        return None
    if issubclass(annotation, Enum):
        return enumeration(annotation, from_text=True).check
    return _FROM_TEXT.get(annotation)


# Values of JSON


GIVEN: dict[type, str] = {
    types.NoneType: "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "an object",
}
"""What the values of JSON are called."""


class Kind(NamedTuple):
    """How a type is checked: what it needs, in words, and the types of JSON's values it can be read from.

    Of the members of a union, one that is only ``loosely`` read from a value is asked after the others.
    """

    check: Check
    need: str
    types: tuple[type, ...]
    loosely: tuple[type, ...] = ()


def enumeration(owner: type[Enum], *, from_text: bool = False) -> Kind:
    """Return how a member of an ``Enum`` is checked, by its value."""
    return choice([(one.value, one) for one in owner], from_text=from_text, otherwise=owner)


def literal_options(annotation: Any) -> list[tuple[Any, Any]]:
    """Return the values of a ``Literal``, each with what it becomes, as :func:`choice` takes them."""
    return [(one.value if isinstance(one, Enum) else one, one) for one in typing.get_args(annotation)]


def choice(
    options: Sequence[tuple[Any, Any]], *, from_text: bool = False, otherwise: type[Enum] | None = None
) -> Kind:
    """Return how one of some values is checked, each with what it becomes.

    ``otherwise`` is asked about other values: it may have a ``_missing_``, or be a set of flags.
    """
    options = [one for one in options if type(one[0]) in GIVEN]
    if from_text:
        options = [(one if type(one) is str else json.dumps(one), result) for one, result in options]
    given = tuple(dict.fromkeys(type(value) for value, _ in options))
    shown = ", ".join(value if from_text else json.dumps(value, ensure_ascii=False) for value, _ in options)
    if len(shown) > _MAX_CHOICES:
        shown = shown[:_MAX_CHOICES] + "…"
    need = shown if len(options) == 1 else f"one of {shown}"
    # True is 1 for a dict, but not here.
    table = {(type(value) is bool, value): result for value, result in options}

    def check(value: Any) -> Any:
        try:
            return table[type(value) is bool, value]
        except (KeyError, TypeError):  # a list or a dict has no hash
            pass
        if otherwise and type(value) is not bool:
            try:
                return otherwise(value)
            except Exception:  # whatever a `_missing_` raises
                pass
        raise InvalidPayload(f"{need} is needed") if type(value) in given else needed(need, value)

    return Kind(check, need, given)


def needed(need: str, value: Any) -> InvalidPayload:
    """Return the error for a value of another type."""
    return InvalidPayload(f"{need} is needed, not {GIVEN[type(value)]}")


def _exactly(given: type, need: str) -> Kind:
    def check(value: Any) -> Any:
        if type(value) is given:
            return value
        raise needed(need, value)

    return Kind(check, need, (given,))


def _parsed(parse: Callable[[str], Any], need: str) -> Kind:
    def check(value: Any) -> Any:
        if type(value) is not str:
            raise needed(need, value)
        try:
            return parse(value)
        except ValueError:
            raise InvalidPayload(f"{need} is needed") from None

    return Kind(check, need, (str,))


def _integer(value: Any) -> int:
    if type(value) is int:
        return value
    if type(value) is not float:
        raise needed("a whole number", value)
    if not value.is_integer():  # nor is the infinity that 1e999 is read as
        raise InvalidPayload("a whole number is needed, not a fraction")
    return int(value)


def _number(value: Any) -> float:
    if type(value) is not float and type(value) is not int:
        raise needed("a number", value)
    if not -sys.float_info.max <= value <= sys.float_info.max:
        raise InvalidPayload("the number is too large")
    return float(value)


def _moment(value: Any) -> datetime:
    if type(value) not in (str, int, float):
        raise needed(_MOMENT, value)
    try:
        if type(value) is not str:
            return datetime.fromtimestamp(value, UTC)
        moment = datetime.fromisoformat(value)
        return moment if moment.tzinfo else moment.astimezone()
    except (ValueError, OverflowError, OSError):
        raise InvalidPayload(f"{_MOMENT} is needed") from None


_MOMENT = "a time (ISO 8601 or Unix seconds)"

ANYTHING = Kind(lambda value: value, "a value", (), tuple(GIVEN))

SIMPLE: dict[type, Kind] = {
    types.NoneType: _exactly(types.NoneType, "null"),
    bool: _exactly(bool, "true or false"),
    str: _exactly(str, "text"),
    int: Kind(_integer, "a whole number", (int,), (float,)),
    float: Kind(_number, "a number", (float,), (int,)),
    datetime: Kind(_moment, _MOMENT, (str,), (int, float)),
    date: _parsed(date.fromisoformat, "a date (ISO 8601)"),
    UUID: _parsed(UUID, "a UUID"),
}


# Texts of single values


def _integer_of_text(text: str) -> int:
    if found := _INTEGER.fullmatch(text):
        return int(found[1])
    raise InvalidPayload("a whole number is needed")


def _number_of_text(text: str) -> float:
    if _NUMBER.fullmatch(text):
        return _number(float(text))
    raise InvalidPayload("a number is needed")


def _boolean_of_text(text: str) -> bool:
    value = _BOOLEANS.get(text.lower())
    if value is None:
        raise InvalidPayload("one of true, false, 1, 0, on, off is needed")
    return value


def _moment_of_text(text: str) -> datetime:
    return _moment(float(text) if _NUMBER.fullmatch(text) else text)


# At most as many digits as a float can have, because Python's `int` refuses thousands.
_INTEGER = re.compile(r"([+-]?[0-9]{1,309})(?:\.0+)?")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_BOOLEANS = {"true": True, "1": True, "on": True, "false": False, "0": False, "off": False}

_FROM_TEXT: dict[type, Callable[[str], Any]] = {
    int: _integer_of_text,
    float: _number_of_text,
    bool: _boolean_of_text,
    datetime: _moment_of_text,
    date: SIMPLE[date].check,
    UUID: SIMPLE[UUID].check,
}
