"""Messages of topic filters, each taken once for all views that show them."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from time import perf_counter
from typing import TYPE_CHECKING

from .known import known, newest
from .requests import RequestProblem
from .seen import Reading, Seen

if TYPE_CHECKING:
    from ..._hookmq import NativeBroker

__all__ = ["Tap", "Taps"]

MOST = 2000
"""Messages of a filter that are taken at a time; of more than that the newest."""

TOPICS = 500
"""Topics of a filter whose newest message is kept."""

MOST_TAPS, MOST_TAPS_OF_ONE = 2000, 500
"""Filters that are watched in all, and by one account or API token."""

FRESH, HELD = 8 << 20, 64 << 20
"""Bytes of payloads that came of a filter since the last look, and of the newest of all topics of all
filters: the oldest make room."""

FEW = 20
"""Messages of a filter that take no time worth mentioning: they are taken before those of floods."""

FADES = 0.97
"""What is left in each round of what a tap, or a view, has cost before: who cost least in the last seconds
comes first. One that needs less than an equal share of the time has it in each round then."""


class Tap:
    """The messages of a filter since the last look, and the newest of each topic."""

    def __init__(self, native: NativeBroker, filter: str, reading: Reading) -> None:
        self.filter = filter
        self.users = 0
        self.of: Counter[str] = Counter()
        """How often each account has it open."""
        self.fresh: list[Seen] = []
        """What came since the look before, in its order; the newest if it was more than can be shown."""
        self.lost = 0
        """How many came since then and are not in :attr:`fresh`."""
        self.held = 0
        """Bytes of the payloads in :attr:`latest`."""
        self.spent = 0.0
        """Seconds that it has cost lately."""
        self._native = native
        self._reading = reading
        self._inbox, self._number = native.subscribe(filter, False, MOST, FRESH)
        self._dropped = 0
        self._latest: OrderedDict[str, Seen] | None = None

    @property
    def latest(self) -> OrderedDict[str, Seen]:
        """The newest message of each topic, the newest last; it begins with what was there before."""
        if self._latest is None:
            self._latest = OrderedDict()
            found = known(self._native, self.filter, TOPICS, self._reading)
            for one in (*sorted(found, key=lambda one: one.at), *self.fresh):
                self._keep(one)
        return self._latest

    @property
    def waiting(self) -> int:
        """How many messages have come since the last look."""
        return len(self._inbox)

    def look(self) -> None:
        """Take what came."""
        take = self._inbox.take
        fresh: deque[Seen] = deque()
        taken = size = 0
        while taken < MOST and (message := take(0)) is not None:
            fresh.append(one := Seen(message, self._reading))
            taken += 1
            size += one.size
            while size > FRESH and len(fresh) > 1:
                size -= fresh.popleft().size
        dropped = self._inbox.dropped
        self.fresh = list(fresh)
        self.lost = dropped - self._dropped + taken - len(fresh)
        self._dropped = dropped
        if self._latest is not None:
            for one in fresh:
                self._keep(one)
            if self.lost:
                self._catch_up()

    def wait(self) -> None:
        """Leave what came for the next round: there is no time for it in this one."""
        self.fresh, self.lost = [], 0

    def make_room(self, most: float) -> None:
        """Forget the oldest until no more than so many bytes are held."""
        while self.held > most and self._latest:
            self.held -= self._latest.popitem(last=False)[1].size

    def close(self) -> None:
        """Take no more."""
        self._native.unsubscribe(self.filter, self._number)
        self._inbox.close()

    def _keep(self, one: Seen) -> None:
        latest = self._latest
        assert latest is not None
        if (before := latest.pop(one.topic, None)) is not None:
            self.held -= before.size
        latest[one.topic] = one
        self.held += one.size
        if len(latest) > TOPICS:
            self.held -= latest.popitem(last=False)[1].size

    def _catch_up(self) -> None:
        """Ask the statistics for what was lost of the topics that are shown."""
        for topic, shown in list(self.latest.items()):
            found = newest(self._native, topic, self._reading)
            if found is not None and found.at > shown.at:
                self._keep(found)


class Taps:
    """The taps that are in use."""

    def __init__(self, native: NativeBroker) -> None:
        self.reading = Reading()
        self._native = native
        self._taps: dict[str, Tap] = {}
        self._of: Counter[str] = Counter()

    def open(self, filter: str, who: str = "") -> Tap:
        """Return the tap of a filter; :meth:`close` is to be called as often.

        ``who`` is for whom it counts: an account, or a token, has a bound of its own. Nobody (``""``) sees
        what dashboards show, and nothing else.

        Raises:
            RequestProblem: as many filters are watched as may be.
            ValueError: it is no filter.
        """
        tap = self._taps.get(filter)
        if who and (tap is None or who not in tap.of) and self._of[who] >= MOST_TAPS_OF_ONE:
            raise RequestProblem(
                "too_many",
                f"{who.partition(' ')[2]} watches {MOST_TAPS_OF_ONE} different topics and filters, as many "
                "as one may: close a page, or watch one filter with a wildcard instead of many topics",
            )
        if tap is None:
            if len(self._taps) >= MOST_TAPS:
                raise RequestProblem(
                    "too_many",
                    f"{MOST_TAPS} different topics and filters are watched, as many as the broker can at a "
                    "time: close a page, or come again later",
                )
            tap = self._taps[filter] = Tap(self._native, filter, self.reading)
        if who not in tap.of:
            self._of[who] += 1
        tap.of[who] += 1
        tap.users += 1
        return tap

    def close(self, tap: Tap, who: str = "") -> None:
        """Let go of a tap."""
        tap.users -= 1
        tap.of[who] -= 1
        if not tap.of[who]:
            del tap.of[who]
            self._of[who] -= 1
            if not self._of[who]:
                del self._of[who]
        if not tap.users:
            del self._taps[tap.filter]
            tap.close()

    def look(self, seconds: float) -> None:
        """Let them take what came, those first that cost least. Those that time is too short for wait."""
        costs: Counter[str] = Counter()
        for tap in self._taps.values():
            for who in tap.of:
                costs[who] += tap.spent  # type: ignore[assignment]

        def turn(tap: Tap) -> tuple[float, bool, float]:
            return min(costs[who] for who in tap.of), tap.waiting > FEW, tap.spent

        in_turn = sorted(self._taps.values(), key=turn)
        begun = now = perf_counter()
        for tap in in_turn:
            tap.spent *= FADES
            if now - begun > seconds:
                tap.wait()
                continue
            tap.look()
            before, now = now, perf_counter()
            tap.spent += now - before
        self._make_room()

    def _make_room(self) -> None:
        """Keep what all hold within its bound: what one does not need of its part is for the others."""
        if sum(tap.held for tap in self._taps.values()) <= HELD:
            return
        left = HELD
        by_size = sorted(self._taps.values(), key=lambda tap: tap.held)
        for at, tap in enumerate(by_size):
            tap.make_room(left / (len(by_size) - at))
            left -= tap.held

    def __len__(self) -> int:
        return len(self._taps)
