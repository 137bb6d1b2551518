"""The dicts that hooks are given."""

from __future__ import annotations

from typing import Any

from ..message import Message

__all__ = ["received", "sent"]


def received(message: Message) -> dict[str, Any]:
    """Return what a hook is told of a message that a client published: a fresh dict, its own.

    ``sender`` is the publisher's client identifier, ``message`` the payload as text or, if it is not UTF-8,
    ``repr`` of its bytes. ``timestamp`` is what MQTTRoute calls ``datetime``; both are local time.

    >>> data = received(Message("tank/7", b"42", client_id="pump", timestamp=7.5))
    >>> data["sender"], data["topic"], data["message"], data["unixtime"]
    ('pump', 'tank/7', '42', 7)
    """
    data: dict[str, Any] = {key: message[key] for key in message}
    data["timestamp"] = data["datetime"]
    return data


def sent(message: Message) -> dict[str, Any]:
    """Return what a hook is told of a message that was sent to a subscriber.

    ``sender`` is the client at the other end, here the receiver; with QoS 0 ``sent_packetid`` is 0, because
    such a packet has no identifier.

    >>> data = sent(Message("tank/7", b"\\xff", qos=1))
    >>> data["message"], data["sent_packetid"], data["retain"], data["qos"]
    ("b'\\\\xff'", 0, 0, 1)
    """
    data = received(message)
    data["sent_packetid"] = message.packet_id or 0
    data["retain"] = int(message.retain)
    data["qos"] = message.qos
    return data
