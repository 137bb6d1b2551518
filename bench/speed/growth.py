"""How cost grows: what a message costs as something is there a hundred times, or a hundred thousand times."""

from __future__ import annotations

from .scenarios import Scenario

__all__ = ["BESIDE", "GROWTH"]

BESIDE = ("hookmq", "mosquitto")
"""Who is measured."""


def _family(
    unit: str, numbers: tuple[int, ...], option: str, count: int = 200_000, **plan: int
) -> list[Scenario]:
    # What is beside costs no message anything, so the stream is the same in each.
    return [Scenario(f"{number:,} {unit}", None, count, {option: number, **plan}) for number in numbers]


GROWTH: dict[str, list[Scenario]] = {
    "idle connections beside a stream 1 → 1": _family("connections", (1, 10, 100, 1_000, 10_000), "idle"),
    "subscriptions beside it that do not match": _family(
        "subscriptions", (1, 100, 10_000, 100_000, 1_000_000), "others"
    ),
    "retained messages beside it": _family("messages", (1, 100, 10_000, 100_000), "retained"),
    "topics in turn, each with a subscription": [
        Scenario(
            f"{number:,} topics",
            None,
            200_000,
            {"topics": "many", "subscribers": min(number, 100), "filters": max(number // 100, 1)},
        )
        for number in (1, 100, 10_000, 100_000)
    ],
    "subscribers of one topic, for each delivery": [
        Scenario(f"{number:,} subscribers", None, max(300_000 // number, 100), {"subscribers": number})
        for number in (1, 10, 100, 1_000, 5_000)
    ],
    "publishers with a subscriber each": [
        Scenario(
            f"{number:,} pairs",
            None,
            100_000,
            {"publishers": number, "subscribers": number, "topics": "each", "window": max(number, 500)},
        )
        for number in (1, 10, 100, 1_000, 5_000)
    ],
    "bytes of a payload": [
        Scenario(f"{size:,} B", None, max(2_000_000_000 // (size + 20_000), 1), {"size": size, "window": 50})
        for size in (16, 256, 4_096, 65_536, 1_048_576)
    ],
}
"""Families of scenarios. Nothing may grow faster than what is counted; what does not match, not at all."""
