"""What a view is: a state, and how it is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ...._hookmq import check_filter
from ...json_path import parse_path
from ...schema import BadValue, Field, Object, Schema, Text
from ..data import LiveData
from ..states import State
from ..taps import Tap, Taps

__all__ = ["Context", "FilterText", "PathText", "TopicText", "View", "ViewKind"]

OFTEN, NOW_AND_THEN = 0.2, 1.0
"""Seconds from one look to the next: 5 Hz is what a page shows, and once a second what people read."""


@dataclass(frozen=True, slots=True)
class Context:
    """What views are made with."""

    data: LiveData
    taps: Taps
    admin: bool = False
    """Whether an admin watches; see :attr:`ViewKind.differs`."""
    who: str = ""
    """For whom it counts what the view opens: an account or a token, or nobody."""

    def open(self, filters: Iterable[str]) -> list[Tap]:
        """Return the taps of filters, in their order: all, or none if one cannot be had."""
        opened: list[Tap] = []
        try:
            for filter in filters:
                opened.append(self.taps.open(filter, self.who))
        except BaseException:
            self.close(opened)
            raise
        return opened

    def close(self, taps: Iterable[Tap]) -> None:
        """Let go of taps."""
        for tap in taps:
            self.taps.close(tap, self.who)


class View:
    """Something that is shown to whoever watches it, as long as somebody does.

    It is made, looked at and closed on the thread of the live feed.
    """

    period = OFTEN
    """Seconds from one :meth:`look` to the next."""

    state: State

    def look(self, now: float) -> None:
        """Bring the state up to date; ``now`` is the time of the wall clock."""
        raise NotImplementedError

    def skip(self) -> None:
        """There is no time for a look in this round: what came in it will not come again."""

    def close(self) -> None:
        """Nobody watches it any more."""


@dataclass(frozen=True, slots=True)
class ViewKind:
    """A view as browsers name it: what it is to be told, and how it is made.

    ``make`` raises :class:`~hookmq.web.live.requests.RequestProblem` for what is not there.
    """

    options: Object
    make: Callable[[Context, Mapping[str, Any]], View]
    is_shared: Callable[[Mapping[str, Any]], bool] = lambda options: False
    """Whether these options open it to who has not logged in; they are checked where it is made."""
    differs: bool = False
    """Whether admins are shown something else than others, who share no view with them then."""


MOST_LEVELS = 201
"""Levels of a filter: as many as clients may have. The native side walks them on the stack."""


class FilterText(Schema):
    """A topic filter.

    >>> FilterText().read("", "filter")
    Traceback (most recent call last):
        ...
    hookmq.web.schema.BadValue: `filter` is empty
    """

    def read(self, value: Any, where: str) -> str:
        """Return the text."""
        text = Text(1).read(value, where)
        try:
            if text.count("/") >= MOST_LEVELS:
                raise ValueError(f"it has more than {MOST_LEVELS} levels")
            check_filter(text)
        except ValueError as error:
            raise BadValue(where, f"is no topic filter: {error}") from None
        if text.startswith("$share/"):
            raise BadValue(where, "is a shared subscription, which would take messages from its clients")
        return text


class TopicText(Schema):
    """A topic name."""

    def read(self, value: Any, where: str) -> str:
        """Return the text."""
        text = FilterText().read(value, where)
        if "+" in text or "#" in text:
            raise BadValue(where, "has a wildcard; expected the name of one topic")
        return text


class PathText(Schema):
    """A path in a payload, read."""

    def read(self, value: Any, where: str) -> Any:
        """Return its steps."""
        try:
            return parse_path(Text().read(value, where))
        except ValueError as error:
            if isinstance(error, BadValue):
                raise
            raise BadValue(where, f"cannot be read: {error}") from None


NOTHING_TO_SAY = Object()
"""The options of views that have none."""

FILTER = Field("filter", FilterText(), required=True)
PATH = Field("path", PathText(), default=())
