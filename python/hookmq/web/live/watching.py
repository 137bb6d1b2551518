"""A view that is watched, and how far each browser has come that watches it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..json_text import encode
from ..request import Request
from .states import NOTHING, Mark

if TYPE_CHECKING:
    from ..access import Identity
    from .views import View

__all__ = ["Browser", "Viewer", "Watching", "who_of"]


def who_of(identity: Identity | None) -> str:
    """Return what is the same for all browsers of one account, or of one API token."""
    return "" if identity is None else f"{identity.via} {identity.name}"


class Browser:
    """A browser that is connected."""

    def __init__(
        self, socket: int, request: Request, identity: Identity | None, now: float, reason: str = ""
    ) -> None:
        self.socket = socket
        self.request = request
        self.identity = identity
        """Who has logged in there; ``None`` is nobody: a shared link is all that they may see."""
        self.reason = reason
        """Why it is nobody, and what to do then."""
        self.who = who_of(identity)
        self.watches: dict[str, Viewer] = {}
        self.since = now
        self.checked = now
        """When it was last made sure that the session goes on."""
        self.round = 0
        self.busy = False
        """Whether it has not taken what it was sent before the round."""
        self.room = 0
        """Bytes that may be sent to it in this round."""


class Viewer:
    """A browser as it watches something, under a name that it chose."""

    __slots__ = ("browser", "id", "mark", "prefix", "watching")

    def __init__(self, browser: Browser, id: str, watching: Watching) -> None:
        self.browser = browser
        self.id = id
        self.watching = watching
        self.mark: Mark = NOTHING
        self.prefix = f'{{"id":{encode(id)},"at":'


class Watching:
    """A view with its options, shared by everybody who watches the same."""

    def __init__(self, key: str, name: str, view: View, who: str) -> None:
        self.key = key
        self.who = who
        """For whom it counts: who has made it, or watches it since that one left."""
        self.name = name
        self.view = view
        self.due = 0.0
        self.spent = 0.0
        """Seconds that it has cost lately."""
        self.looked = -1
        """In which look at the taps it was looked at last."""
        self.viewers: dict[Viewer, None] = {}
        self.left = 0.0
        """When its last viewer left."""

    def frames(self, at: str, ready: Iterator[Viewer]) -> Iterator[tuple[str, list[Viewer], Mark]]:
        """Return what to send, to whom, and the mark that they come to: each frame is written once.

        ``at`` is the time as JSON, ``ready`` are those viewers that can be told something.
        """
        groups: dict[tuple[Mark, str], list[Viewer]] = {}
        for viewer in ready:
            groups.setdefault((viewer.mark, viewer.prefix), []).append(viewer)
        news: dict[Mark, tuple[str, Mark] | None] = {}
        for (mark, prefix), viewers in groups.items():
            if mark not in news:
                news[mark] = self.view.state.news(mark)
            if (told := news[mark]) is not None:
                yield f"{prefix}{at},{told[0]}}}", viewers, told[1]
