"""From an annotation to the function that reads a payload, or a level of a topic, as that type.

The types are looked at once, when a function is registered; what is called for each message are closures.
JSON is read strictly: a boolean is no number, a number is no text. Keys that nobody declared are left out.
"""

# Without `from __future__ import annotations`, which would be another `annotations` in this module.

import json
import types
from collections.abc import Callable, Sequence
from typing import Any

from .annotated import alternatives, annotations, shown
from .invalid_payload import TOO_DEEP, Conversion, InvalidPayload
from .json_checks import Unknown, first_of, kind_of, union
from .model_libraries import library_of
from .single_values import ANYTHING, level_conversion

__all__ = ["InvalidPayload", "annotations", "level_conversion", "payload_conversion"]


def payload_conversion(annotation: Any) -> Conversion | None:
    """Return what makes such a value of a payload, or ``None`` if the type is not one for payloads.

    JSON is read as a dataclass, a ``TypedDict``, a pydantic model, a ``msgspec.Struct``, ``dict``, ``list``,
    ``tuple`` and generics of them. ``bytes`` is the payload as it is, ``str`` its text; ``int``, ``float``,
    ``bool``, ``Enum``, ``Literal``, ``UUID``, ``date`` and ``datetime`` are read from that text, as from a
    level of a topic. If ``None`` is among the types, the empty payload and JSON's ``null`` are ``None``. Of
    several types the first that fits is taken, JSON before single values, and text last.

    A time is ISO 8601 text, local if it has no offset, or a number, Unix seconds; a ``datetime`` always has
    its time zone.

    The function that is returned raises ``InvalidPayload``. Raises ``TypeError`` for a dataclass or a
    ``TypedDict`` with a field that cannot be read from JSON.

    >>> payload_conversion(dict[str, float])(b'{"level": 12}')
    {'level': 12.0}
    >>> payload_conversion(object) is None
    True
    """
    members = alternatives(annotation)
    others = [one for one in members if one is not types.NoneType]
    try:
        convert = _conversion(others)
    except RecursionError:
        raise TypeError(f"{shown(annotation)} contains itself; only a class may") from None
    if convert is None or len(others) == len(members):
        return convert
    is_text = any(one is str or one is bytes for one in others)

    def convert_optional(payload: bytes) -> Any:
        if not payload or (not is_text and payload.strip() == b"null"):
            return None
        return convert(payload)

    return convert_optional


def _conversion(members: Sequence[Any]) -> Conversion | None:
    """Return the conversion to whichever of the types fits."""
    structured: list[Any] = []
    single: list[Conversion] = []
    text: list[Conversion] = []
    for one in members:
        if one is str or one is bytes:
            text.append(_text if one is str else bytes)
        elif convert := level_conversion(one):
            single.append(_from_text(convert))
        else:
            structured.append(one)
    attempts = single + text
    if structured:
        try:
            attempts.insert(0, _from_json(structured))
        except Unknown:
            return None
    if not attempts:
        return None
    return attempts[0] if len(attempts) == 1 else first_of(attempts)


def _from_text(convert: Callable[[str], Any]) -> Conversion:
    return lambda payload: convert(_text(payload).strip())


def _from_json(members: Sequence[Any]) -> Conversion:
    if len(members) == 1 and (library := library_of(members[0])):
        return library[0]
    kind = union([kind_of(one, {}) for one in members])
    if kind is ANYTHING:
        raise Unknown
    check = kind.check

    def convert(payload: bytes) -> Any:
        try:
            return check(_read_json(payload))
        except RecursionError:
            raise InvalidPayload(TOO_DEEP) from None

    return convert


def _text(payload: bytes) -> str:
    try:
        return payload.decode()
    except UnicodeDecodeError as error:
        raise InvalidPayload(f"the payload is not UTF-8, from byte {error.start + 1} on") from None


def _read_json(payload: bytes) -> Any:
    text = _text(payload)
    try:
        return _decode(text)
    except json.JSONDecodeError as error:
        if not payload:
            raise InvalidPayload("the payload is empty, JSON is needed") from None
        raise InvalidPayload(f"the payload is not JSON, from character {error.pos + 1} on") from None
    except InvalidPayload:
        raise
    except ValueError:  # Python reads no integer of more than 4300 digits
        raise InvalidPayload("a number in the payload is too long") from None


def _no_number(name: str) -> Any:
    raise InvalidPayload(f"the payload is not JSON: {name} is no number")


# Made once: `json.loads` with an argument makes a decoder for each call.
_decode = json.JSONDecoder(parse_constant=_no_number).decode
