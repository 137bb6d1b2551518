"""What the tests of limits have in common: the counters, and how a client is refused."""

from __future__ import annotations

from typing import Any

from hookmq import Broker

from ..api.helpers import eventually
from ..protocol.packets import V5, Connack, Connect
from ..protocol.wire import Wire

UNAVAILABLE = 3  # the one return code of 3.1 and 3.1.1 that says "not now"
SERVER_BUSY, QUOTA_EXCEEDED, RETAIN_NOT_SUPPORTED, RATE_EXCEEDED = 0x89, 0x97, 0x9A, 0x9F


def keep(version: int = V5, seconds: int = 60) -> dict[str, Any]:
    """Fields of a CONNECT whose session outlives its connection."""
    given = {"session_expiry_interval": seconds} if version == V5 else {}
    return {"version": version, "clean": False, "properties": given}


def count(broker: Broker, name: str) -> int:
    """How often a limit took effect."""
    return broker.statistics[f"limit_{name}"]


def counted(broker: Broker, name: str, times: int) -> None:
    """The limit took effect so many times, or will have in a moment; and not once more."""
    eventually(lambda: count(broker, name) >= times)
    taken = count(broker, name)
    assert taken == times, f"limit_{name} counted {taken} times, not {times}"


def refuses(wire: Wire, packet: Connect, code: int) -> None:
    """The connection is refused with the code, or with "Server unavailable" before version 5, and closed."""
    wire.send(packet)
    wire.expect_closed(Connack(code if wire.version == V5 else UNAVAILABLE))
