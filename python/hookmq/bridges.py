"""What is told of links to other brokers."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

__all__ = ["BridgeInfo"]


@dataclasses.dataclass(frozen=True, slots=True)
class BridgeInfo:
    """What ``broker.bridges`` tells of one: how it is, and what it has done since the start.

    Messages that are repeated after a link broke are counted again.
    """

    name: str
    state: Literal["connecting", "connected", "waiting", "paused"]
    """``waiting`` is between two tries."""
    since: float
    """Since when, in Unix seconds."""
    address: str
    """Where the other broker is, or was tried last, as ``host:port``; empty before the first try."""
    protocol: str
    """The MQTT version of the link, ``"5.0"`` or ``"3.1.1"``; empty while it is down."""
    reason: str
    """Why the link was down last; empty if it never was."""
    waiting: int
    """Messages that wait here for the other broker, or are under way to it."""
    messages_sent: int
    bytes_sent: int
    messages_received: int
    bytes_received: int
    refused_there: int
    """Messages that the other broker refused for good."""
    refused_here: int
    """Messages that this broker refused for good: a hook says no, or none of five tries went well."""
    not_taken: int
    """Messages that it had no room for, or a hook failed at; the link is taken down, they come again."""
    dropped_unmapped: int
    """Messages that none of the topics matches: they were queued with other settings, for example."""
    dropped_too_large: int
    """Messages that are larger than the broker they were for takes."""
    dropped_too_slow: int
    """QoS 0 messages for which the other broker was too slow."""
    loops: int
    """Messages that had been at this broker before."""
    echoes: int
    """Messages that the other broker sent back at once."""
    connects: int
    """Links that came up."""
    failures: int
    """Links that broke, and tries that failed."""

    @classmethod
    def of(cls, told: dict[str, Any]) -> BridgeInfo:
        """Make it of what the native module tells."""
        return cls(**told)
