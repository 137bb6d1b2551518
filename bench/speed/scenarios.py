"""What is measured: plans for the load generator, and what a message may cost beside mosquitto."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["IDLE", "SCENARIOS", "VARIANTS", "Scenario"]


@dataclass(frozen=True)
class Scenario:
    """One row of a table.

    ``count`` messages are published, or connections made. ``target`` is the
    largest ratio of HookMQ's CPU time for a delivered message to mosquitto's, or to its own in the scenario
    that ``beside`` names.
    """

    name: str
    target: float | None
    count: int
    plan: dict[str, Any] = field(default_factory=dict)
    figures: tuple[str, ...] = ()
    """Beside the CPU time: ``p50_us`` and ``p99_us``, each with the same target."""
    carrier: str = "tcp"
    beside: str | None = None

    def options(self, scale: float) -> dict[str, Any]:
        """The arguments of the load generator."""
        count = max(int(self.count * scale), 1)
        return {"count": count, "warm-up": max(count // 10, 1), **self.plan}


def _flow(name: str, target: float | None, count: int, *figures: str, **plan: Any) -> Scenario:
    return Scenario(name, target, count, plan, figures)


SCENARIOS: tuple[Scenario, ...] = (
    _flow("1 → 1, window 500", 0.08, 300_000),
    _flow("1 → 1, 16 B", 0.075, 300_000, size=16),
    _flow("1 → 1, 4 KiB", 0.27, 100_000, size=4096),
    _flow("1 → 1, 64 KiB", 0.80, 10_000, size=65_536),
    _flow("1 → 1, QoS 1", 0.08, 100_000, qos=1),
    _flow("1 → 1, QoS 2", 0.10, 50_000, qos=2),
    _flow("1 → 1, one at a time", 0.88, 20_000, "p50_us", window=1),
    _flow("1 → 1, 1,000 a second", 0.88, 3_000, "p50_us", "p99_us", rate=1000),
    _flow("100 → 1", 0.05, 300_000, publishers=100, topics="gathered", window=5_000),
    _flow("1 → 100", 0.04, 20_000, subscribers=100),
    _flow("1 → 1,000", 0.08, 3_000, subscribers=1000),
    _flow("100 → 100, a topic each", 0.70, 200_000, publishers=100, subscribers=100, topics="each"),
    _flow(
        "1,000 → 1,000, a topic each",
        0.95,
        200_000,
        publishers=1000,
        subscribers=1000,
        topics="each",
        window=1000,
    ),
    _flow(
        "100 → 100, 10,000 a second",
        0.95,
        30_000,
        "p50_us",
        "p99_us",
        publishers=100,
        subscribers=100,
        topics="each",
        rate=10_000,
    ),
    _flow("shared group, 10 → 10", 0.14, 200_000, publishers=10, subscribers=10, topics="shared"),
    _flow("100,000 filters, 16 B", 0.20, 200_000, subscribers=100, filters=1000, topics="many", size=16),
    _flow("connects", 0.75, 20_000, kind="connects"),
)
"""The main table: 256 bytes, QoS 0, MQTT 3.1.1 and TCP unless said otherwise."""

_AGAIN = ("1 → 1, window 500", "1 → 1, QoS 1", "1 → 1, one at a time", "1 → 100", "100 → 1", "connects")
_KINDS: dict[str, tuple[dict[str, Any], str, float | None]] = {
    "MQTT 5": ({"version": 5}, "tcp", 1.1),
    "TLS": ({}, "tls", None),
    "WebSocket": ({}, "websocket", None),
}

_DEAR = {"tls": 20, "websocket": 200}
"""By how much fewer connects are measured."""

VARIANTS: tuple[Scenario, ...] = tuple(
    Scenario(
        f"{kind}: {one.name}",
        target,
        # A handshake takes mosquitto's WebSocket a fifth of a second.
        one.count // (_DEAR.get(carrier, 1) if one.name == "connects" else 1),
        one.plan | plan,
        one.figures,
        carrier,
        one.name,
    )
    for kind, (plan, carrier, target) in _KINDS.items()
    for one in SCENARIOS
    if one.name in _AGAIN
)
"""Some of it with MQTT 5, with TLS and with WebSocket, each beside its plain self."""

IDLE = Scenario("10,000 idle connections", 3_000, 10_000, {"kind": "idle", "publishers": 10_000})
"""Bytes of memory that each takes; the target is a number of bytes."""
