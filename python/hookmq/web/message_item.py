"""A message as the API and the live feed write it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..message import Message

__all__ = ["message_item"]


def message_item(message: Message, size: int | None = None, *, cut: int = 256 << 10) -> dict[str, Any]:
    """Return a message as what JSON knows; of a payload the first ``cut`` bytes.

    ``size`` is that of the payload if the message has only the beginning of it.

    >>> from hookmq import Message
    >>> item = message_item(Message("tank/7", b"42", timestamp=1.5))
    >>> item["topic"], item["payload"], item["bytes"], item["at"]
    ('tank/7', '42', 2, 1.5)
    >>> message_item(Message("a", b"\\xff"))["payload_base64"]
    '/w=='
    """
    payload, whole = message.payload, message.payload if size is None else None
    size = len(payload) if size is None else size
    item: dict[str, Any] = {"topic": message.topic}
    text = _text(payload[:cut], is_cut=size > cut or size > len(payload))
    item["payload"] = text
    if text is None:
        item["payload_base64"] = base64.b64encode(payload[:cut]).decode()
    if size > cut or (whole is None and size > len(payload)):
        item["cut"] = True
    return item | {
        "bytes": size,
        "qos": message.qos,
        "retain": message.retain,
        "client_id": message.client_id,
        "at": message.timestamp,
        "properties": _plain(message.properties),
    }


def _text(payload: bytes, *, is_cut: bool) -> str | None:
    try:
        return payload.decode()
    except UnicodeDecodeError as error:
        # A character may have been cut in the middle.
        if is_cut and error.start >= len(payload) - 3 and error.reason == "unexpected end of data":
            return payload[: error.start].decode()
        return None


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {str(name): _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value
