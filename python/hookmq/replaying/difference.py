"""What a ``transform`` hook made of a message, compared with the message that was stored."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from ..message import Message

__all__ = ["ABSENT", "Difference", "Field", "is_changed", "message_to_dict", "payload_text"]

_COMPARED = ("topic", "qos", "retain", "properties")


class _Absent(enum.Enum):
    ABSENT = "ABSENT"

    def __str__(self) -> str:
        return self.value


ABSENT = _Absent.ABSENT
"""Stands for a field of a payload that is not there."""


class Field(NamedTuple):
    """What differs: ``"topic"``, ``"payload"`` or ``"payload.level"`` with its two values."""

    name: str
    before: object
    after: object


@dataclass(frozen=True, slots=True)
class Difference:
    """What a ``transform`` hook made of one message: ``after`` is empty if it was dropped or refused.

    ``reason`` are the words of a refusal.
    """

    kind: Literal["changed", "dropped", "refused"]
    before: Message
    after: tuple[Message, ...] = ()
    reason: str = ""

    @property
    def fields(self) -> list[Field]:
        """What differs between the stored message and the first that came out.

        The payload is compared field by field where both are JSON objects, else as bytes.
        """
        return _differing(self.before, self.after[0]) if self.after else []

    def to_dict(self) -> dict[str, Any]:
        """The difference as values that JSON knows; what is not there has no ``before`` or no ``after``."""
        fields = []
        for name, before, after in self.fields:
            values = (("before", before), ("after", after))
            fields.append({"field": name} | {key: _plain(one) for key, one in values if one is not ABSENT})
        return {
            "kind": self.kind,
            "message": message_to_dict(self.before),
            "fields": fields,
            "further": [message_to_dict(message) for message in self.after[1:]],
            "reason": self.reason,
        }


def is_changed(before: Message, after: Message) -> bool:
    """Say whether anything differs that subscribers would get."""
    return any(getattr(before, name) != getattr(after, name) for name in ("payload", *_COMPARED))


def _differing(before: Message, after: Message) -> list[Field]:
    found = [Field(name, getattr(before, name), getattr(after, name)) for name in _COMPARED]
    found = [one for one in found if one.before != one.after]
    if before.payload == after.payload:
        return found
    old, new = _json_object(before.payload), _json_object(after.payload)
    fields = [] if old is None or new is None else list(_json_fields("payload", old, new))
    # Objects that are the same can be written differently, and subscribers get what is written.
    return [*found, *(fields or [Field("payload", before.payload, after.payload)])]


def _json_fields(path: str, before: dict[str, Any], after: dict[str, Any]) -> Iterator[Field]:
    for key in {**before, **after}:
        name, old, new = f"{path}.{key}", before.get(key, ABSENT), after.get(key, ABSENT)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _json_fields(name, old, new)
        # As they are written: to Python, 1, 1.0 and True are the same.
        elif old is ABSENT or new is ABSENT or json.dumps(old) != json.dumps(new):
            yield Field(name, old, new)


def _json_object(payload: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(payload)
        json.dumps(found, allow_nan=False)  # JSON knows no NaN, Python does
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def message_to_dict(message: Message) -> dict[str, Any]:
    """Return a message as values that JSON knows, those of a row of the history."""
    from ..storage import Row

    facts = (
        message.timestamp,
        message.topic,
        message.client_id,
        message.payload,
        message.qos,
        message.retain,
    )
    return Row(0, *facts, message.properties).to_dict()


def _plain(value: object) -> Any:
    from ..storage.row import pack

    text = payload_text(value) if isinstance(value, bytes) else None
    return pack(value) if text is None else text


def payload_text(payload: bytes) -> str | None:
    """Return a payload as text, ``None`` if it is none."""
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return None
