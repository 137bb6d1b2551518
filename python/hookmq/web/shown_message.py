"""A message as the API and the live feed show it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

__all__ = ["CUT", "message", "packed"]

CUT = 256 << 10
"""Bytes of a payload that are shown."""


def message(told: Any, *, size: int | None = None, cut: int = CUT) -> dict[str, Any]:
    """Return a message, or a row of the history, as the API shows it.

    >>> from hookmq import Message
    >>> shown = message(Message("tank/7", b"42", client_id="pump", timestamp=1.0))
    >>> shown["payload"], shown["bytes"], shown["at"]
    ('42', 2, 1.0)
    """
    payload: bytes = told.payload
    size = len(payload) if size is None else size
    shown = payload[:cut]
    whole = size == len(shown)
    text = _text(shown, whole)
    made: dict[str, Any] = {"topic": told.topic, "payload": text}
    if text is None:
        made["payload_base64"] = base64.b64encode(shown).decode()
    made["bytes"] = size
    if not whole:
        made["cut"] = True
    properties = told.properties
    return made | {
        "qos": told.qos,
        "retain": told.retain,
        "client_id": told.client_id,
        "at": told.timestamp,
        "properties": packed(properties) if properties else {},
    }


def _text(payload: bytes, whole: bool) -> str | None:
    try:
        return payload.decode()
    except UnicodeDecodeError as error:
        # What was cut off may have been the rest of a character.
        if not whole and error.start > len(payload) - 4:
            return payload[: error.start].decode()
        return None


def packed(value: Any) -> Any:
    """Return properties of MQTT 5 as values of JSON; bytes are ``{"$base64": …}``."""
    if isinstance(value, bytes | bytearray | memoryview):
        return {"$base64": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        return {str(name): packed(one) for name, one in value.items()}
    return [packed(one) for one in value] if isinstance(value, list | tuple) else value
