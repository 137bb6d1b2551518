"""The counters and `$SYS` topics that the pages name are those there are."""

from __future__ import annotations

import re

from hookmq import Broker

from .pages import DOCS

LIMITS = (DOCS / "limits.md").read_text(encoding="utf-8")
SYSTEM = (DOCS / "sys-topics.md").read_text(encoding="utf-8")


def first_cells(text: str) -> set[str]:
    """What stands in backticks in the first cell of each row of the tables."""
    cells = re.findall(r"^\| ((?:`[^`|]+`,? ?)+)", text, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def test_every_counter_is_explained_and_every_counter_that_is_explained_exists(broker: Broker) -> None:
    counted = LIMITS.partition("## What is counted")[2]
    named = first_cells(counted) - {"limit_…"} | set(re.findall(r"`(limit_\w+)`", LIMITS))
    assert named == set(broker.statistics)


def test_every_topic_is_explained_and_every_topic_that_is_explained_exists(broker: Broker) -> None:
    found: dict[str, str] = {}
    with broker.subscribe("$SYS/broker/#") as messages:
        while not {"version", "load/sockets/15min", "heap/maximum"} <= set(found):
            message = messages.get(timeout=10)
            assert message is not None, found
            found[message.topic.removeprefix("$SYS/broker/")] = message.text
        while (message := messages.get(timeout=0.2)) is not None:
            found[message.topic.removeprefix("$SYS/broker/")] = message.text
    ours = {topic for topic in found if topic.startswith("hookmq/")}
    loads = {topic for topic in found if topic.startswith("load/")}
    named = {name for name in first_cells(SYSTEM) if "…" not in name}
    assert {name for name in named if not name.startswith("load/")} == set(found) - ours - loads
    # Of the loads the page names the first of each three, and the other directions in words.
    kinds = {topic.rpartition("/")[0] for topic in loads}
    assert loads == {f"{kind}/{minutes}min" for kind in kinds for minutes in (1, 5, 15)}
    assert {name for name in named if name.startswith("load/")} <= loads
    assert kinds == {
        *(f"load/{what}/{way}" for what in ("messages", "publish", "bytes") for way in ("received", "sent")),
        *("load/publish/dropped", "load/connections", "load/sockets"),
    }
    assert {topic.removeprefix("hookmq/") for topic in ours} <= set(broker.statistics)
    for topic in re.findall(r"`\$SYS/broker/(hookmq/\w+)`", SYSTEM):
        assert topic in found
    assert found["version"] in SYSTEM
