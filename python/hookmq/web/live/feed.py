"""The live feed: browsers, what they watch, and the thread that tells them."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from ...execution.threads import end
from ...hooks import traces  # noqa: F401 - what failed is told with it, also when no file can be opened
from ..json_text import encode
from ..operations.operation import may
from ..problem import Problem
from ..request import Request, decode_path
from ..schema import BadValue
from .data import LiveData
from .requests import Ping, RequestProblem, Unwatch, Watch, read_request
from .taps import FADES, Taps
from .views import VIEWS, Context
from .watching import Browser, Viewer, Watching, who_of

if TYPE_CHECKING:
    from ..._hookmq import Hub
    from ..access import Identity

__all__ = ["LiveFeed"]

TICK = 0.2
"""Seconds from one round to the next: a page shows five changes a second."""

SOON = 0.02
"""Seconds between rounds that are made because somebody asked for something."""

HEARING, TAKING, LOOKING, READING = 0.05, 0.04, 0.08, 0.02
"""Seconds of a round for what browsers said, for taking messages and for views, and for one view to read
payloads. What is too much for that waits for the next round, or is counted as lost; who cost least lately
comes first. So nobody's views stop those of others."""

MOST_WATCHES, MOST_VIEWS, MOST_BROWSERS, MOST_STRANGERS = 100, 2000, 5000, 2000
"""Watches of a browser, different views in all, browsers, and those among them that have not logged in."""

MOST_VIEWS_OF_ONE, MOST_BROWSERS_OF_ONE = 400, 1500
"""Different views, and browsers, of one account or API token: others are to have room as well."""

MOST_FRAMES, WINDOW = 200, 10.0
"""Frames that a browser may send in so many seconds."""

ROOM = 640 << 10
"""Bytes for a browser in one round; the native side closes it when 1 MiB waits."""

LINGER = 2.0
"""Seconds for which a view stays that nobody watches: a page that is loaded again finds it."""

PATIENCE = 5.0
"""Seconds in which who has not logged in must show a shared link."""

RECHECK = 10.0
"""Seconds from one look whether a session goes on to the next."""

ENDED = "the session or the token has ended: log in again, or connect with another token"

UNAUTHORIZED, FORBIDDEN, ABUSE, FULL = 4401, 4403, 1008, 1013
"""Codes with which a WebSocket is closed."""


class Admission(Protocol):
    """What the feed asks of :class:`~hookmq.web.access.Access`."""

    def check_socket(self, request: Request) -> Identity:
        """Return who opens a WebSocket. Raises a problem for pages of others."""

    @property
    def changes(self) -> int:
        """Grows whenever :meth:`holds` may have become false by what somebody did."""

    def holds(self, identity: Identity) -> bool:
        """Say whether somebody is still who he was."""


class LiveFeed:
    """Tells browsers what they watch, at most five times a second.

    Args:
        hub: its place on the HTTP port; :meth:`event` is to be called with what happens there.
        data: where views take from what they show.
        access: says who browsers are, and whether they still are.
        failed: is told what views raise, with their name.

    The events of browsers (:meth:`event`) come on the thread of WebSockets. All else happens on a thread of
    the feed, which runs from the first browser on and sleeps while nothing is watched.
    """

    def __init__(
        self,
        hub: Hub,
        data: LiveData,
        access: Admission,
        failed: Callable[[str, BaseException], None],
    ) -> None:
        self._hub = hub
        self._access = access
        self._failed = failed
        self._taps = Taps(data.native)
        self._context = Context(data, self._taps)
        self._said: deque[tuple[str, int, Any]] = deque()
        self._wake = threading.Condition()
        self._talk: dict[int, tuple[float, int]] = {}
        self._thread: threading.Thread | None = None
        self._closed = False
        # Of the feed's thread alone:
        self._browsers: dict[int, Browser] = {}
        self._watched: dict[str, Watching] = {}
        self._changes = 0
        """Of the admission, when all browsers were looked at last."""
        self._next_tick = 0.0
        self._round = 0
        self._looks = 0
        self._is_short = False
        """Whether the last round had no time for all views."""

    def event(
        self, kind: str, socket: int, data: str | bytes | None, request: tuple[Any, ...] | None
    ) -> None:
        """Hear what happened to a browser: ``"open"``, ``"message"`` or ``"close"``."""
        if kind == "open" and request is not None:
            method, path, query, headers, body, address = request
            self._talk[socket] = (time.monotonic(), 0)
            opened = Request(method, decode_path(path), query, dict(headers), body, address)
            return self._say("open", socket, opened)
        if kind == "close":
            self._talk.pop(socket, None)
            return self._say("close", socket, None)
        if socket not in self._talk:
            return None
        begun, count = self._talk[socket]
        now = time.monotonic()
        begun, count = (now, 1) if now - begun > WINDOW else (begun, count + 1)
        self._talk[socket] = (begun, count)
        if count > MOST_FRAMES:
            del self._talk[socket]
            return self._hub.close(socket, ABUSE)
        try:
            return self._say("asked", socket, read_request(b"" if data is None else data))
        except RequestProblem as problem:
            return self._say("problem", socket, problem)

    def close(self, grace: float) -> list[str]:
        """Let the thread end; return its name if it does not."""
        with self._wake:
            self._closed = True
            self._wake.notify_all()
            thread = self._thread
        return [] if thread is None or thread is threading.current_thread() else end({thread}, grace)

    def _say(self, kind: str, socket: int, value: Any) -> None:
        with self._wake:
            if self._closed:
                return
            self._said.append((kind, socket, value))
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="hookmq-live", daemon=True)
                try:
                    self._thread.start()
                except RuntimeError as error:  # the system has no more threads now: the next event tries
                    self._thread = None
                    self._report("the live feed", error)
            self._wake.notify_all()

    # The thread -----------------------------------------------------------------------------------------

    def _run(self) -> None:
        last = 0.0
        while not self._closed:
            try:
                with self._wake:
                    self._wake.wait_for(lambda: self._closed or bool(self._said), self._pause())
                # What many ask for at once is answered at once.
                time.sleep(max(0.0, min(SOON, last + SOON - time.monotonic())))
                last = time.monotonic()
                if not self._closed:
                    self._turn()
            except BaseException as error:  # of the feed itself: the next round may go better
                self._report("the live feed", error)
        for watching in list(self._watched.values()):
            self._drop(watching)

    def _report(self, what: str, error: BaseException) -> None:
        """Tell what failed. If the system has nothing left, that may fail as well: the feed goes on."""
        with contextlib.suppress(Exception):
            self._failed(what, error)

    def _pause(self) -> float | None:
        if not self._watched:
            return 1.0 if self._browsers else None
        return max(0.0, self._next_tick - time.monotonic())

    def _turn(self) -> None:
        fresh = self._hear()
        self._send_away_who_is_nobody_now()
        self._round += 1
        now, at = time.monotonic(), encode(round(time.time(), 3))
        if now < self._next_tick:
            for watching in fresh.values():
                self._tell(watching, at)
            return
        self._next_tick = (now // TICK + 1) * TICK
        self._check(now)
        try:
            self._taps.look(TAKING)
            self._looks += 1
            for watching in list(self._watched.values()):
                if not watching.viewers and now - watching.left > LINGER:
                    self._drop(watching)
            self._look_at_all(now, at)
        finally:
            self._taps.reading.end()

    def _look_at_all(self, now: float, at: str) -> None:
        """Let views look what is new, and tell it, as long as there is time."""
        in_turn, self._is_short = self._in_turn(), False
        begun = after = time.monotonic()
        for watching in in_turn:
            watching.spent *= FADES
            is_due = watching.view.period <= TICK or now >= watching.due
            if after - begun > LOOKING:
                self._is_short = True
                if is_due:
                    watching.view.skip()
                continue
            if is_due:
                self._look(watching, now)
            self._tell(watching, at)
            before, after = after, time.monotonic()
            watching.spent += after - before

    def _in_turn(self) -> list[Watching]:
        """Return what is watched. If time was too short for all: first of those who cost least lately."""
        watched = list(self._watched.values())
        # Whoever comes last in a round may find no room: that is another one each time.
        first = self._round % len(watched) if watched else 0
        if not self._is_short:
            return watched[first:] + watched[:first]
        costs: Counter[str] = Counter()
        for watching in watched:
            costs[watching.who] += watching.spent  # type: ignore[assignment]

        def turn(watching: Watching) -> tuple[float, float]:
            return costs[watching.who], watching.spent

        return sorted(watched, key=turn)

    def _hear(self) -> dict[str, Watching]:
        """Take what browsers said; return what somebody watches from now on."""
        fresh: dict[str, Watching] = {}
        begun = now = time.monotonic()
        while self._said and now - begun <= HEARING:
            now = time.monotonic()
            kind, socket, value = self._said.popleft()
            try:
                watching = self._take(kind, socket, value)
            except Exception as error:  # what others said is heard all the same
                self._report("the live feed", error)
                continue
            if watching is not None:
                fresh[watching.key] = watching
        return {key: watching for key, watching in fresh.items() if key in self._watched}

    def _take(self, kind: str, socket: int, value: Any) -> Watching | None:
        """Take what happened to a browser; return what it watches from now on, if it does."""
        if kind == "open":
            self._open(socket, value)
            return None
        browser = self._browsers.get(socket)
        if browser is None:
            return None
        if kind == "close":
            self._leave(browser)
        elif kind == "problem":
            self._tell_problem(browser, value.id, value)
        elif isinstance(value, Ping):
            self._send(f'{{"pong":{encode(round(time.time(), 3))}}}', [socket])
        elif isinstance(value, Unwatch):
            self._unwatch(browser, value.id)
        else:
            return self._watch(browser, value)
        return None

    def _open(self, socket: int, request: Request) -> None:
        try:
            found = self._access.check_socket(request)
        except Problem:  # a page of somebody else's, or a name that is not the broker's
            return self._hub.close(socket, FORBIDDEN)
        identity = found if may(found.role, "viewer") else None
        reason = "" if identity is not None else "; ".join(filter(None, (found.reason, found.help)))
        strangers = sum(1 for browser in self._browsers.values() if browser.identity is None)
        if len(self._browsers) >= MOST_BROWSERS or (identity is None and strangers >= MOST_STRANGERS):
            return self._hub.close(socket, FULL)
        who = who_of(identity)
        own = sum(1 for browser in self._browsers.values() if browser.who == who)
        if identity is not None and own >= MOST_BROWSERS_OF_ONE:
            return self._hub.close(socket, FULL)
        self._browsers[socket] = Browser(socket, request, identity, time.monotonic(), reason)
        return None

    def _leave(self, browser: Browser) -> None:
        self._browsers.pop(browser.socket, None)
        for id in list(browser.watches):
            self._unwatch(browser, id)

    def _send_away(self, browser: Browser, reason: str) -> None:
        """Close the connection of who is nobody, and say why before: a close has little room for it."""
        self._tell_problem(browser, None, RequestProblem("unauthorized", reason))
        self._leave(browser)
        self._hub.close(browser.socket, UNAUTHORIZED)

    # Watching -------------------------------------------------------------------------------------------

    def _watch(self, browser: Browser, asked: Watch) -> Watching | None:
        kind = VIEWS.get(asked.view)
        try:
            if browser.identity is None and (kind is None or not kind.is_shared(asked.options)):
                self._send_away(browser, browser.reason)
                return None
            if kind is None:
                raise RequestProblem("not_found", f"there is no view {asked.view!r}")
            self._unwatch(browser, asked.id)
            if len(browser.watches) >= MOST_WATCHES:
                raise RequestProblem("too_many", f"a browser may watch {MOST_WATCHES} views")
            try:
                options = kind.options.read(asked.options, "with")
            except (BadValue, RecursionError) as error:
                raise RequestProblem("bad_request", str(error)) from None
            context = dataclasses.replace(self._context, who=browser.who)
            if kind.differs and browser.identity is not None and may(browser.identity.role, "admin"):
                context = dataclasses.replace(context, admin=True)
            key = f"{asked.view} {encode(sorted(options.items(), key=lambda pair: pair[0]))}"
            key = f"{'admin' if context.admin else 'any'} {key}"
            watching = self._watched.get(key)
            if watching is None:
                self._check_room(browser)
                if len(self._watched) >= MOST_VIEWS:
                    raise RequestProblem("too_many", "the broker shows as many views as it can at a time")
                try:
                    view = kind.make(context, options)
                except Problem as problem:
                    raise RequestProblem(problem.code, problem.detail) from None
                except ValueError as error:  # of the native side
                    raise RequestProblem("bad_request", str(error)) from None
                except (OSError, MemoryError) as error:
                    self._report(f"the live view {asked.view}", error)
                    text = "the system has nothing left for it; the broker's log says more: come again later"
                    raise RequestProblem("internal", text) from None
                watching = self._watched[key] = Watching(key, asked.view, view, browser.who)
            # Whoever comes back has missed nothing, and is told nothing twice.
            seen = watching.viewers or watching.looked == self._looks
            failed = None if seen else self._look(watching, time.monotonic())
            if failed is not None:
                raise failed
        except RequestProblem as problem:
            self._tell_problem(browser, asked.id, problem)
            return None
        viewer = Viewer(browser, asked.id, watching)
        browser.watches[asked.id] = viewer
        watching.viewers[viewer] = None
        return watching

    def _unwatch(self, browser: Browser, id: str) -> None:
        viewer = browser.watches.pop(id, None)
        if viewer is None:
            return
        watching = viewer.watching
        watching.viewers.pop(viewer, None)
        if not watching.viewers:
            watching.left = time.monotonic()
        elif all(one.browser.who != watching.who for one in watching.viewers):
            watching.who = next(iter(watching.viewers)).browser.who

    def _check_room(self, browser: Browser) -> None:
        """Raise a problem if one account, or token, has as many views as one may have.

        A view counts for whoever made it, until it is dropped: also one that was left a moment ago.
        """
        own = sum(1 for watching in self._watched.values() if watching.who == browser.who)
        if browser.identity is not None and own >= MOST_VIEWS_OF_ONE:
            raise RequestProblem(
                "too_many",
                f"{browser.identity.name} watches {MOST_VIEWS_OF_ONE} different views, as many as one may: "
                "close a page",
            )

    def _drop(self, watching: Watching) -> None:
        if self._watched.pop(watching.key, None) is not None:
            try:
                watching.view.close()
            except Exception as error:
                self._report(f"the live view {watching.name}", error)

    def _look(self, watching: Watching, now: float) -> RequestProblem | None:
        """Let a view look what is new. One that fails is given up, and its viewers are told."""
        watching.due = (now // watching.view.period + 1) * watching.view.period
        watching.looked = self._looks
        self._taps.reading.allow(READING)
        try:
            watching.view.look(time.time())
        except RequestProblem as error:
            problem = error
        except Problem as error:  # of an operation that the view takes from
            problem = RequestProblem(error.code, error.detail)
        except Exception as error:
            self._report(f"the live view {watching.name}", error)
            problem = RequestProblem("internal", "it cannot be shown; the broker's log says why")
        else:
            return None
        for viewer in list(watching.viewers):
            self._tell_problem(viewer.browser, viewer.id, problem)
            viewer.browser.watches.pop(viewer.id, None)
        watching.viewers.clear()
        self._drop(watching)
        return problem

    # Telling --------------------------------------------------------------------------------------------

    def _tell(self, watching: Watching, at: str) -> None:
        for frame, viewers, mark in watching.frames(at, self._ready(watching)):
            size = len(frame) if frame.isascii() else len(frame.encode())
            sockets = []
            for viewer in viewers:
                browser = viewer.browser
                if browser.room >= size or browser.room == ROOM:  # what is larger goes alone
                    browser.room = max(0, browser.room - size)
                    viewer.mark = mark
                    sockets.append(browser.socket)
            if sockets:
                self._send(frame, sockets)

    def _ready(self, watching: Watching) -> Iterator[Viewer]:
        """Return the viewers whose browsers have taken what they were sent before."""
        hub, number = self._hub, self._round
        for viewer in watching.viewers:
            browser = viewer.browser
            if browser.round != number:
                browser.round, browser.room = number, ROOM
                browser.busy = hub.is_waiting(browser.socket)
            if not browser.busy:
                yield viewer

    def _tell_problem(self, browser: Browser, id: str | None, problem: RequestProblem) -> None:
        error = {"code": problem.code, "message": str(problem)}
        self._send(encode({"id": id, "error": error}), [browser.socket])

    def _send(self, frame: str, sockets: list[int]) -> None:
        self._hub.send(frame, sockets)

    def _send_away_who_is_nobody_now(self) -> None:
        """Send away whose session, token or account somebody has ended, before more is told."""
        if (changes := self._access.changes) == self._changes:
            return
        self._changes = changes
        for browser in list(self._browsers.values()):
            if browser.identity is not None and not self._access.holds(browser.identity):
                self._send_away(browser, ENDED)

    def _check(self, now: float) -> None:
        """Send away whose session is over, and strangers who show nothing."""
        for browser in list(self._browsers.values()):
            if browser.identity is None:
                if not browser.watches and now - browser.since > PATIENCE:
                    self._send_away(browser, browser.reason)
            elif now - browser.checked > RECHECK:
                browser.checked = now
                if not self._access.holds(browser.identity):
                    self._send_away(browser, ENDED)
