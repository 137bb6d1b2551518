"""What was there before somebody looked: the newest message of each topic, as far as it is known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .seen import Reading, Seen

if TYPE_CHECKING:
    from ..._hookmq import NativeBroker

__all__ = ["known", "newest"]

_STEPS = 2000
"""Levels of topics that are looked at to find those of a filter."""


def known(native: NativeBroker, filter: str, most: int, reading: Reading) -> Iterator[Seen]:
    """Return the newest message of topics that match, as far as it is known; ``most`` at most."""
    topics: dict[str, None] = {}
    if "+" not in filter and "#" not in filter:
        topics[filter] = None
    else:
        items, _, _ = native.retained(most, filter=filter)
        topics |= dict.fromkeys(item["topic"] for item in items)
        if not filter.startswith("$"):
            for topic in _walk(native, filter, most):
                if len(topics) >= most:
                    break
                topics[topic] = None
    for topic in topics:
        found = newest(native, topic, reading)
        if found is not None:
            yield found


def newest(native: NativeBroker, topic: str, reading: Reading) -> Seen | None:
    """Return the newest message of a topic, as far as it is known."""
    counted = native.topic_value(topic)
    if counted is not None and len(counted[0].payload) == counted[1]:
        return Seen(counted[0], reading)
    # The statistics keep the beginning of a large payload, which is none to read.
    retained = native.retained_value(topic)
    return None if retained is None else Seen(retained, reading)


def _walk(native: NativeBroker, filter: str, most: int) -> Iterator[str]:
    """Return topics that match and were published to, level by level."""
    levels = filter.split("/")
    steps = 0
    waiting: list[tuple[str | None, int]] = [(None, 0)]
    while waiting and steps < _STEPS:
        parent, depth = waiting.pop()
        level = levels[min(depth, len(levels) - 1)]
        steps += 1
        if level not in ("+", "#"):
            topic = level if parent is None else f"{parent}/{level}"
            item = native.topic(topic)
            children = [] if item is None else [item]
        else:
            children, _, _ = native.topics(most, parent=parent)
        for item in children:
            topic = item["topic"]
            steps += 1
            if parent is None and level in ("+", "#") and topic.startswith("$"):
                continue  # [MQTT-4.7.2-1]
            ends = level == "#" or depth == len(levels) - 1 or levels[depth + 1 :] == ["#"]
            if ends and item["messages"]:
                yield topic
            goes_on = level == "#" or depth < len(levels) - 1
            if goes_on and item["children"]:
                waiting.append((topic, depth if level == "#" else depth + 1))
