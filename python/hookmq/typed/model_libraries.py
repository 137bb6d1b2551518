"""Models of libraries that are never imported from here: who has a model has imported its library."""

from __future__ import annotations

import json
import re
import sys
import typing
from collections.abc import Callable
from typing import Any

from .invalid_payload import TOO_DEEP, Check, Conversion, InvalidPayload

__all__ = ["library_of"]


def library_of(annotation: Any) -> tuple[Conversion, Check] | None:
    """Return how a model reads a whole payload, and how a value of JSON inside of another type."""
    origin = typing.get_origin(annotation) or annotation
    if not isinstance(origin, type):
        return None
    if hasattr(origin, "__pydantic_validator__"):
        return _pydantic(origin)
    msgspec: Any = sys.modules.get("msgspec")
    struct = getattr(msgspec, "Struct", None)
    return _msgspec(msgspec, annotation) if struct and issubclass(origin, struct) else None


def _pydantic(model: Any) -> tuple[Conversion, Check]:
    def validate(payload: bytes | str) -> Any:
        try:
            if hasattr(model, "model_validate_json"):
                return model.model_validate_json(payload)
            return model.__pydantic_validator__.validate_json(payload)  # a dataclass of pydantic's
        except ValueError as error:
            if not hasattr(error, "errors"):
                raise
            first, *more = error.errors(include_url=False, include_context=False, include_input=False)
        invalid = InvalidPayload(f"{first['msg']} (and {len(more)} more)" if more else first["msg"])
        for step in reversed(first["loc"]):
            invalid.within(step)
        raise invalid

    # As JSON once more, because a strict model takes times and tuples from JSON only.
    return validate, lambda value: validate(json.dumps(value))


def _msgspec(msgspec: Any, annotation: Any) -> tuple[Conversion, Check]:
    def guarded(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def check(value: Any) -> Any:
            try:
                return read(value)
            except RecursionError:
                raise InvalidPayload(TOO_DEEP) from None
            except (msgspec.MsgspecError, UnicodeError) as error:
                found = _MSGSPEC_PATH.fullmatch(str(error))
                raise (InvalidPayload(found[1], found[2]) if found else InvalidPayload(str(error))) from None

        return check

    decode = msgspec.json.Decoder(annotation).decode
    return guarded(decode), guarded(lambda value: msgspec.convert(value, annotation))


_MSGSPEC_PATH = re.compile(r"(.*) - at (?:`key` in )?`\$(.*)`", re.DOTALL)
