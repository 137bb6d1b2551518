"""Messages of topic filters, each taken once for all views that show them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..json_path import find, number_of, read_value

if TYPE_CHECKING:
    from ..._hookmq import NativeBroker
    from ...message import Message

__all__ = ["Seen", "Tap", "Taps"]

MOST = 2000
"""Messages of a filter that are taken at a time; of more than that the newest."""

TOPICS = 500
"""Topics of a filter whose newest message is kept."""

READ = 256 << 10
"""Bytes up to which a payload is read as JSON."""


class Seen:
    """A message, read at most once for all who look at it."""

    def __init__(self, message: Message) -> None:
        self.message = message
        self.topic = message.topic
        self.at = message.timestamp

    @cached_property
    def value(self) -> Any:
        """The payload as JSON, or else as text; ``None`` if it is neither, or too long to be read."""
        payload = self.message.payload
        return read_value(payload) if len(payload) <= READ else None

    def find(self, path: tuple[str | int, ...]) -> Any:
        """Return what a path leads to in the payload, ``None`` if it leads nowhere."""
        return find(self.value, path)

    def number(self, path: tuple[str | int, ...]) -> float | None:
        """Return what a path leads to as a number; ``None`` if it is none."""
        return number_of(self.find(path))


class Tap:
    """The messages of a filter since the last look, and the newest of each topic."""

    def __init__(self, native: NativeBroker, filter: str) -> None:
        self.filter = filter
        self.users = 0
        self.fresh: list[Seen] = []
        """What came since the look before, in its order; the newest if it was more than can be shown."""
        self.lost = 0
        """How many came since then and are not in :attr:`fresh`."""
        self._native = native
        self._inbox, self._number = native.subscribe(filter, False, MOST)
        self._dropped = 0
        self._latest: OrderedDict[str, Seen] | None = None

    @property
    def latest(self) -> OrderedDict[str, Seen]:
        """The newest message of each topic, the newest last; it begins with what was there before."""
        if self._latest is None:
            found = sorted(_known(self._native, self.filter), key=lambda one: one.at)
            self._latest = OrderedDict((one.topic, one) for one in found)
            for one in self.fresh:
                self._keep(one)
        return self._latest

    def look(self) -> None:
        """Take what came."""
        take = self._inbox.take
        fresh: list[Seen] = []
        while len(fresh) < MOST and (message := take(0)) is not None:
            fresh.append(Seen(message))
        dropped = self._inbox.dropped
        self.fresh, self.lost, self._dropped = fresh, dropped - self._dropped, dropped
        if self._latest is not None:
            for one in fresh:
                self._keep(one)
            if self.lost:
                self._catch_up()

    def close(self) -> None:
        """Take no more."""
        self._native.unsubscribe(self.filter, self._number)
        self._inbox.close()

    def _keep(self, one: Seen) -> None:
        latest = self._latest
        assert latest is not None
        latest[one.topic] = one
        latest.move_to_end(one.topic)
        if len(latest) > TOPICS:
            latest.popitem(last=False)

    def _catch_up(self) -> None:
        """Ask the statistics for what was lost of the topics that are shown."""
        for topic, known in list(self.latest.items()):
            found = _newest(self._native, topic)
            if found is not None and found.at > known.at:
                self._keep(found)


class Taps:
    """The taps that are in use."""

    def __init__(self, native: NativeBroker) -> None:
        self._native = native
        self._taps: dict[str, Tap] = {}

    def open(self, filter: str) -> Tap:
        """Return the tap of a filter; :meth:`close` is to be called as often. Raises ``ValueError``."""
        tap = self._taps.get(filter)
        if tap is None:
            tap = self._taps[filter] = Tap(self._native, filter)
        tap.users += 1
        return tap

    def close(self, tap: Tap) -> None:
        """Let go of a tap."""
        tap.users -= 1
        if not tap.users:
            del self._taps[tap.filter]
            tap.close()

    def look(self) -> None:
        """Let all of them take what came."""
        for tap in self._taps.values():
            tap.look()

    def __len__(self) -> int:
        return len(self._taps)


# What was there before ------------------------------------------------------------------------------------

_STEPS = 2000
"""Levels of topics that are looked at to find those of a filter."""


def _known(native: NativeBroker, filter: str) -> Iterator[Seen]:
    """Return the newest message of topics that match, as far as it is known."""
    topics: dict[str, None] = {}
    if "+" not in filter and "#" not in filter:
        topics[filter] = None
    else:
        items, _, _ = native.retained(TOPICS, filter=filter)
        topics |= dict.fromkeys(item["topic"] for item in items)
        if not filter.startswith("$"):
            for topic in _walk(native, filter):
                if len(topics) >= TOPICS:
                    break
                topics[topic] = None
    for topic in topics:
        found = _newest(native, topic)
        if found is not None:
            yield found


def _newest(native: NativeBroker, topic: str) -> Seen | None:
    counted = native.topic_value(topic)
    if counted is not None and len(counted[0].payload) == counted[1]:
        return Seen(counted[0])
    # The statistics keep the beginning of a large payload, which is none to read.
    retained = native.retained_value(topic)
    return None if retained is None else Seen(retained)


def _walk(native: NativeBroker, filter: str) -> Iterator[str]:
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
            children, _, _ = native.topics(TOPICS, parent=parent)
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
