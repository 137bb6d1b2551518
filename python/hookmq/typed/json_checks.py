"""From a type to the check of a value of JSON: records, lists, objects, unions, and what stands in them."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from typing import Any, ClassVar, Literal, TypeVar

from .annotated import alternatives, class_annotations, own_annotations, plain, shown
from .invalid_payload import Check, InvalidPayload
from .model_libraries import library_of
from .single_values import (
    ANYTHING,
    GIVEN,
    SIMPLE,
    Kind,
    choice,
    enumeration,
    level_conversion,
    literal_options,
    needed,
)

__all__ = ["Unknown", "first_of", "kind_of", "union"]


class Unknown(Exception):
    """A type that cannot be read from JSON."""


def kind_of(annotation: Any, seen: dict[Any, Kind]) -> Kind:
    """Return how a type is checked; ``seen`` are the records on the way, which may contain themselves."""
    members = alternatives(annotation)
    if len(members) > 1:
        return union([kind_of(one, seen) for one in members])
    annotation = members[0]
    origin, args = typing.get_origin(annotation) or annotation, typing.get_args(annotation)
    if annotation is Any or annotation is object or isinstance(annotation, TypeVar):
        return ANYTHING
    if origin is Literal:
        return choice(literal_options(annotation))
    if not isinstance(origin, type):
        raise Unknown(shown(annotation))
    if origin is tuple and args and args[-1] is not ...:
        return _tuple([kind_of(one, seen).check for one in args])
    if origin in (list, tuple, Sequence):
        return _list(kind_of(args[0] if args else Any, seen).check, tuple if origin is tuple else list)
    if origin in (dict, Mapping):
        key, item = args or (str, Any)
        return _dict(key, item, seen)
    if simple := SIMPLE.get(origin):
        return simple
    if issubclass(origin, Enum):
        return enumeration(origin)
    if library := library_of(annotation):
        return Kind(library[1], "an object", (dict,), tuple(GIVEN))
    if dataclasses.is_dataclass(origin) or hasattr(origin, "__required_keys__"):
        return _record(annotation, origin, args, seen)
    raise Unknown(shown(annotation))


def _record(annotation: Any, owner: Any, args: tuple[Any, ...], seen: dict[Any, Kind]) -> Kind:
    """Return how a dataclass or a ``TypedDict`` is checked."""
    if annotation in seen:
        return seen[annotation]
    fields: list[tuple[str, Check, bool]] = []
    is_dataclass = dataclasses.is_dataclass(owner)
    kind = Kind(_record_check(fields, owner if is_dataclass else None), "an object", (dict,))
    seen[annotation] = kind
    variables = dict(zip(getattr(owner, "__parameters__", ()), args, strict=False))
    hints = class_annotations(owner)
    for name, raw, required in _dataclass_fields(owner) if is_dataclass else _typed_dict_fields(owner):
        if name not in hints:
            raise TypeError(f"{owner.__qualname__}.{name}: its type, {shown(raw)}, cannot be found")
        hint = hints[name].type if isinstance(hints[name], dataclasses.InitVar) else hints[name]
        hint, marks = plain(hint)
        if "ClassVar" in marks or hint is ClassVar:
            continue
        # Written as text, they are not known to the TypedDict itself.
        required = "Required" in marks or (required and "NotRequired" not in marks)
        try:
            fields.append((name, kind_of(_substituted(hint, variables), seen).check, required))
        except Unknown as error:
            raise TypeError(f"{owner.__qualname__}.{name}: {error} cannot be read from JSON") from None
    return kind


def _dataclass_fields(owner: Any) -> Iterable[tuple[str, Any, bool]]:
    missing = dataclasses.MISSING
    for one in owner.__dataclass_fields__.values():  # `fields()` leaves out InitVar
        if one.init:
            yield one.name, one.type, one.default is missing and one.default_factory is missing


def _typed_dict_fields(owner: Any) -> Iterable[tuple[str, Any, bool]]:
    for name, raw in own_annotations(owner).items():
        yield name, raw, name in owner.__required_keys__


def _substituted(hint: Any, variables: Mapping[Any, Any]) -> Any:
    """Return the type with the variables of a generic class replaced; what is not given can be anything."""
    if isinstance(hint, TypeVar):
        return variables.get(hint, Any)
    parameters = () if isinstance(hint, type) else getattr(hint, "__parameters__", ())
    return hint[tuple(variables.get(one, Any) for one in parameters)] if parameters else hint


_ABSENT = object()


def _record_check(fields: list[tuple[str, Check, bool]], make: Callable[..., Any] | None) -> Check:
    def check(value: Any) -> Any:
        if type(value) is not dict:
            raise needed("an object", value)
        values = {}
        for name, convert, required in fields:
            given = value.get(name, _ABSENT)
            if given is not _ABSENT:
                try:
                    values[name] = convert(given)
                except InvalidPayload as error:
                    error.within(name)
                    raise
            elif required:
                raise InvalidPayload("it is missing").within(name)
        if make is None:
            return values
        try:
            return make(**values)
        except ValueError as error:  # of __post_init__: this is how a dataclass says that it is not valid
            raise InvalidPayload(str(error) or "it is not valid") from error

    return check


def _list(check: Check, make: type) -> Kind:
    """Return how a list or a tuple of any length is checked."""

    def check_items(value: Any) -> Any:
        if type(value) is not list:
            raise needed("a list", value)
        items: list[Any] = []
        try:
            for one in value:
                items.append(check(one))
        except InvalidPayload as error:
            error.within(len(items))
            raise
        return items if make is list else tuple(items)

    return Kind(check_items, "a list", (list,))


def _tuple(checks: list[Check]) -> Kind:
    def check_items(value: Any) -> Any:
        if type(value) is not list:
            raise needed("a list", value)
        if len(value) != len(checks):
            raise InvalidPayload(f"a list of {len(checks)} is needed, not of {len(value)}")
        items: list[Any] = []
        try:
            for check, one in zip(checks, value, strict=True):
                items.append(check(one))
        except InvalidPayload as error:
            error.within(len(items))
            raise
        return tuple(items)

    return Kind(check_items, "a list", (list,))


def _dict(key: Any, item: Any, seen: dict[Any, Kind]) -> Kind:
    """Return how an object with any keys is checked; keys are text, and are read as levels of a topic are."""
    check_key = level_conversion(key)
    if check_key is None and plain(key)[0] not in (str, Any, object):
        raise Unknown(shown(dict[key, item]))
    check = kind_of(item, seen).check

    def check_items(value: Any) -> Any:
        if type(value) is not dict:
            raise needed("an object", value)
        items, name = {}, ""
        try:
            for name, one in value.items():
                items[check_key(name) if check_key else name] = check(one)
        except InvalidPayload as error:
            error.within(name)
            raise
        return items

    return Kind(check_items, "an object", (dict,))


def union(kinds: Sequence[Kind]) -> Kind:
    """Return how a value is checked that may be of several types."""
    if len(kinds) == 1:
        return kinds[0]
    if any(one is ANYTHING for one in kinds):
        return ANYTHING
    need = " or ".join(dict.fromkeys(one.need for one in kinds))
    table: dict[type, Check] = {}
    for given in GIVEN:
        ranked = [one for one in kinds if given in one.types]
        ranked += [one for one in kinds if given in one.loosely and given not in one.types]
        if ranked:
            table[given] = ranked[0].check if len(ranked) == 1 else first_of([one.check for one in ranked])

    def check(value: Any) -> Any:
        chosen = table.get(type(value))
        if chosen is None:
            raise needed(need, value)
        return chosen(value)

    return Kind(check, need, tuple(table))


def first_of(checks: Sequence[Check]) -> Check:
    """Return what takes the first of the checks, or conversions, that succeeds."""

    def check(value: Any) -> Any:
        problems: dict[str, None] = {}
        for one in checks:
            try:
                return one(value)
            except InvalidPayload as error:
                problems[str(error)] = None
        raise InvalidPayload("; or ".join(problems))

    return check
