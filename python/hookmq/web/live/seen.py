"""Messages as the live feed looks at them, and how much it reads of them in a round."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ..json_path import find, number_of, read_value

if TYPE_CHECKING:
    from ...message import Message

__all__ = ["NotYet", "Reading", "Seen"]

LONGEST = 256 << 10
"""Bytes up to which a payload is read as JSON."""

IN_A_ROUND, IN_A_LOOK = 2 << 20, 512 << 10
"""Bytes of payloads that are read in a round, and for one view in it: read, they take up to sixty times as
much, and reading 256 KiB can take forty milliseconds."""

_UNREAD = object()


class NotYet(Exception):
    """There was no time to read a payload in this round."""


class Reading:
    """What payloads say: read once in a round for all who look, and forgotten at its end.

    >>> reading = Reading()
    >>> reading.value(b'{"a": 1}')
    {'a': 1}
    >>> reading.allow(-1.0)
    >>> reading.value(b'{"a": 1}')  # it was read already
    {'a': 1}
    >>> reading.value(b'{"a": 2}')
    Traceback (most recent call last):
        ...
    hookmq.web.live.seen.NotYet
    """

    def __init__(self) -> None:
        self._values: dict[bytes, Any] = {}
        self._round = IN_A_ROUND
        self._look = IN_A_LOOK
        self._until = float("inf")

    def allow(self, seconds: float) -> None:
        """Let the next view read for so long."""
        self._look, self._until = IN_A_LOOK, perf_counter() + seconds

    def end(self) -> None:
        """End the round: what was read would take many times what it was read from."""
        self._values = {}
        self._round = IN_A_ROUND

    def value(self, payload: bytes) -> Any:
        """Return a payload's JSON, or else its text; ``None`` if it is neither, or too long.

        Raises:
            NotYet: it was not read in this round, and there is no time left.
        """
        if len(payload) > LONGEST:
            return None
        value = self._values.get(payload, _UNREAD)
        if value is _UNREAD:
            if self._round <= 0 or self._look <= 0 or perf_counter() > self._until:
                raise NotYet
            self._round -= len(payload)
            self._look -= len(payload)
            value = self._values[payload] = read_value(payload)
        return value


class Seen:
    """A message, with a number of its own: who keeps that knows it again, and holds nothing."""

    __slots__ = ("at", "message", "number", "reading", "size", "topic")

    _numbers: Iterator[int] = count(1)

    def __init__(self, message: Message, reading: Reading) -> None:
        self.message = message
        self.reading = reading
        self.topic = message.topic
        self.at = message.timestamp
        self.size = len(message.payload)
        self.number = next(self._numbers)

    @property
    def value(self) -> Any:
        """What the payload says. Raises :class:`NotYet`; see :meth:`Reading.value`."""
        return None if self.size > LONGEST else self.reading.value(self.message.payload)

    def find(self, path: tuple[str | int, ...]) -> Any:
        """Return what a path leads to in the payload, ``None`` if it leads nowhere. Raises ``NotYet``."""
        return find(self.value, path)

    def find_number(self, path: tuple[str | int, ...]) -> float | None:
        """Return what a path leads to as a number; ``None`` if it is none. Raises ``NotYet``."""
        return number_of(self.find(path))
