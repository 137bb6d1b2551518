"""What a hook that decides about a message returned: the messages that take its place."""

from __future__ import annotations

from typing import Any

from ..decisions import KEEP, Change, Deny, Drop
from ..message import Message, encode_payload

__all__ = ["outcome"]


def outcome(message: Message, returned: object) -> list[Message]:
    """Return the messages that take the place of one.

    ``None`` leaves it, :class:`~hookmq.Drop` drops it; bytes, text, a number or a dict is its new payload; a
    :class:`~hookmq.Change` or a :class:`~hookmq.Message` takes its place, and so does each of a list or a
    tuple of them, of which ``None`` is the message itself.

    Raises:
        Deny: if one was returned.
        TypeError: for anything else, ``ValueError`` for a topic or a QoS that cannot be.

    >>> message = Message("tank/7/level", '{"level": 42}', qos=1)
    >>> [made.json() for made in outcome(message, {"level": 4.2})]
    [{'level': 4.2}]
    >>> [made.topic for made in outcome(message, [None, Change(topic="archive")])]
    ['tank/7/level', 'archive']
    >>> outcome(message, Drop)
    []
    """
    if isinstance(returned, list | tuple):
        return [made for one in returned for made in _one(message, one)]
    return _one(message, returned)


def _one(message: Message, returned: object) -> list[Message]:
    if returned is None:
        return [message]
    if returned is Drop or isinstance(returned, Drop):
        return []
    if isinstance(returned, Message):
        return [returned]
    if isinstance(returned, Deny):
        raise returned
    if isinstance(returned, Change):
        return [_changed(message, returned)]
    if isinstance(returned, bytes | bytearray | memoryview | str | dict | int | float) and not isinstance(
        returned, bool
    ):
        return [_changed(message, Change(payload=returned))]
    kinds = "None, a payload (bytes, str, dict, a number), Change, Message, Drop, Deny or a list of them"
    raise TypeError(f"it returns {kinds}, not {type(returned).__name__}")


def _changed(message: Message, change: Change) -> Message:
    def chosen(new: Any, old: Any) -> Any:
        return old if new is KEEP else new

    payload = message.payload if change.payload is KEEP else encode_payload(change.payload)
    return Message(
        chosen(change.topic, message.topic),
        payload,
        qos=chosen(change.qos, message.qos),
        retain=bool(chosen(change.retain, message.retain)),
        client_id=message.client_id,
        timestamp=message.timestamp,
        properties=dict(chosen(change.properties, message.properties)),
    )
