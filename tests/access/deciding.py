"""How tests ask what somebody may do: by doing it."""

from __future__ import annotations

from typing import Any

from ..protocol.packets import V5, Connect, Suback, Subscribe, subscription
from ..protocol.wire import Wire

NOT_AUTHORIZED = 0x87


def session(seconds: int = 60, **fields: Any) -> dict[str, Any]:
    """Fields of a CONNECT whose session outlives its connection."""
    return {"clean": False, "properties": {"session_expiry_interval": seconds}} | fields


def may_publish(wire: Wire, topic: str, qos: int = 1) -> bool:
    """Whether a PUBLISH is taken; it must be refused with the one right code."""
    code = wire.publish(topic, b"x", qos)
    assert code in (0, 0x10, NOT_AUTHORIZED), f"0x{code:02X}"
    return code != NOT_AUTHORIZED


def may_subscribe(wire: Wire, topic_filter: str) -> bool:
    """Whether a subscription is made. Messages that it brings at once are left unread."""
    number = wire.next_id()
    wire.send(Subscribe(number, [subscription(topic_filter)]))
    answer = wire.read()
    assert isinstance(answer, Suback), answer
    assert answer.codes in ([0], [NOT_AUTHORIZED]), answer
    return answer.codes == [0]


def received(wire: Wire) -> list[tuple[str, bytes]]:
    """Topics and payloads of all messages that are there, without those of the $SYS tree."""
    return [(str(m.topic), m.payload) for m in wire.drain() if not str(m.topic).startswith("$SYS/")]


def topics(wire: Wire) -> list[str]:
    """Topics of all messages that are there."""
    return [topic for topic, _ in received(wire)]


def enter(dial: Any, client: str = "c1", user: str | None = "tank", **fields: Any) -> Wire:
    """A client with exactly this identifier and this user name; `to` is a broker, `code` a CONNACK's."""
    wire: Wire = dial(fields.pop("version", V5), to=fields.pop("to", None))
    code = fields.pop("code", 0)
    wire.connect(Connect(client, username=user, **fields), code=code)
    return wire
