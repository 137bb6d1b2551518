"""What tests of bridges have in common: their settings, and waiting until a link is up."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from hookmq import Broker
from hookmq.bridges import BridgeInfo

from ..protocol.packets import Publish
from ..protocol.wire import Late, Wire

QUICK = {"reconnect_min": 0.05, "reconnect_max": 0.5}

BOTH = ({"filter": "#", "direction": "both", "local_prefix": "here/", "remote_prefix": "there/"},)


def bridge(url: str | Sequence[str], *topics: Mapping[str, object], **settings: object) -> dict[str, Any]:
    """The settings of a bridge that does not wait long between its tries."""
    named = {"name": "other", "url": url, "topics": list(topics or BOTH)}
    return {**named, **QUICK, **settings}


def linked(broker: Broker, name: str = "other", *, seconds: float = 15) -> BridgeInfo:
    """Waits until a link is up."""
    return stands(broker, "connected", name, seconds=seconds)


def stands(broker: Broker, state: str, name: str = "other", *, seconds: float = 15) -> BridgeInfo:
    """Waits until a bridge is in a state."""
    deadline = time.monotonic() + seconds
    while True:
        (info,) = [one for one in broker.bridges if one.name == name]
        if info.state == state:
            return info
        assert time.monotonic() < deadline, f"still {info}"
        time.sleep(0.01)


def told(broker: Broker, name: str = "other") -> BridgeInfo:
    """What the broker tells of a bridge."""
    (info,) = [one for one in broker.bridges if one.name == name]
    return info


def take(wire: Wire, count: int, seconds: float = 10) -> list[Publish]:
    """The next messages, acknowledged, in the order in which they come."""
    found: list[Publish] = []
    deadline = time.monotonic() + seconds
    while len(found) < count:
        try:
            packet = wire.read(max(deadline - time.monotonic(), 0.001))
        except Late:
            raise AssertionError(f"{len(found)} of {count} messages came: {found[-3:]}") from None
        assert isinstance(packet, Publish), f"expected a message, got {packet}"
        wire.acknowledge(packet)
        found.append(packet)
    return found


def texts(messages: Sequence[Publish]) -> list[tuple[str, bytes]]:
    """Topics and payloads."""
    return [(str(message.topic), message.payload) for message in messages]
