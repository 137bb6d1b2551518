"""The two shapes in which services get a record."""

from __future__ import annotations

import json
from typing import Any, Literal, TypeAlias

from .record import Record

__all__ = ["SHAPES", "Shape", "checked_shape", "is_binary", "json_of", "shaped"]

Shape: TypeAlias = Literal["document", "crystalmq"]

SHAPES = ("document", "crystalmq")
"""``"document"`` is :meth:`Record.document`, ``"crystalmq"`` the keys that CrystalMQ's connectors store."""


def checked_shape(shape: str) -> str:
    """Return a shape. Raises ``ValueError`` if there is none of this name."""
    if shape not in SHAPES:
        raise ValueError(f"the shape of a record is 'document' or 'crystalmq', not {shape!r}")
    return shape


def shaped(record: Record, shape: str) -> dict[str, Any]:
    """Return a record in one of the shapes.

    >>> sorted(shaped(Record(1, 7, "received", 0.0, "pump", "plant/flow", b"1"), "crystalmq"))
    ['datetime', 'message', 'sender', 'timestamp', 'topic', 'unixtime']
    """
    return record.crystalmq() if shape == "crystalmq" else record.document()


def is_binary(payload: Any) -> bool:
    """Whether the ``payload`` of :meth:`Record.document` stands for bytes that are no text.

    >>> is_binary(Record(1, 7, "received", 0.0, payload=b"\\xff").document()["payload"])
    True
    """
    return isinstance(payload, dict) and payload.keys() == {"$base64"}


def json_of(value: Any) -> bytes:
    r"""Return a value as JSON in ASCII, without spaces.

    In ASCII, because a payload may be JSON with half a surrogate pair in it, which no UTF-8 can hold.

    >>> json_of({"text": "\ud83d"})
    b'{"text":"\\ud83d"}'
    """
    return _ENCODER.encode(value).encode("ascii")


# Made once: `json.dumps` makes one for each call that has options.
_ENCODER = json.JSONEncoder(separators=(",", ":"), default=str)
