"""What hooks are given: messages and clients, both native and unchangeable.

``Message`` is an application message: ``topic``, ``payload`` (bytes), ``text``, ``json()``, ``qos``,
``retain``, ``client_id`` (the publisher's; in ``on_message_sent`` the receiver's), ``timestamp`` (Unix
seconds), ``properties`` (MQTT 5, a dict) and CrystalMQ's keys ``msg["sender"]``, ``["topic"]``,
``["message"]``, ``["unixtime"]``, ``["datetime"]``.

``Client`` is who connects: ``client_id``, ``username``, ``password`` (in ``authenticate`` only), ``address``,
``port``, ``version``, ``clean_start``, ``keep_alive``, ``connected_at``.
"""

from __future__ import annotations

from ._hookmq import Client, Message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

__all__ = ["Client", "Message", "Payload", "encode_payload", "rebuild"]

Payload: TypeAlias = (
    "bytes | bytearray | memoryview | str | int | float | bool | dict[str, object] | list[object] | None"
)
"""What can be published: bytes as they are, text as UTF-8, anything else as JSON, ``None`` as no payload."""


def encode_payload(payload: object) -> bytes:
    """Return the bytes of a payload.

    Raises ``TypeError`` for what has no JSON form, ``ValueError`` for numbers that are none and for text that
    is not Unicode.

    >>> encode_payload("warm"), encode_payload({"level": 42}), encode_payload(None)
    (b'warm', b'{"level":42}', b'')
    """
    if isinstance(payload, bytes):
        return payload
    if isinstance(payload, str):
        return payload.encode()
    if payload is None:
        return b""
    if isinstance(payload, bytearray | memoryview):
        return bytes(payload)
    import json

    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def rebuild(
    topic: str,
    payload: bytes,
    qos: int,
    retain: bool,
    client_id: str,
    timestamp: float,
    properties: dict[str, Any],
) -> Message:
    """Return a message made of its parts: what ``pickle`` calls.

    >>> import pickle
    >>> pickle.loads(pickle.dumps(Message("tank/7", b"42", qos=1))).payload
    b'42'
    """
    return Message(
        topic,
        payload,
        qos=qos,
        retain=retain,
        client_id=client_id,
        timestamp=timestamp,
        properties=properties or None,
    )
