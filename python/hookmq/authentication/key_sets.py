"""Where keys come from: they are given, stand in a file, or are published by whoever issues tokens."""

from __future__ import annotations

import abc
import threading
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from .http_client import HTTPClient, place
from .keys import Key, keys_of_set
from .trouble import Failure, Outage

__all__ = ["GivenKeys", "KeyFile", "KeySource", "PublishedKeys"]

MOST_TRIED = 8
"""Keys that a token without a key identifier is tried with."""

LOOK = 1.0
"""Seconds between two looks whether a file has changed, and between two attempts to get a first set."""


class KeySource(abc.ABC):
    """Has keys; ``algorithms`` are those that may be used, all that fit a key if it is ``None``."""

    def __init__(self, algorithms: Collection[str] | None) -> None:
        self._algorithms = algorithms

    @abc.abstractmethod
    def keys(self, kid: str | None) -> Sequence[Key]:
        """Return all keys; looks for new ones first if the one with this identifier is not among them.

        Raises:
            Outage: if there are none, because they cannot be had.
            Failure: if there are none, because what should be keys is not.
        """

    def is_stale(self, kid: str | None) -> bool:
        """Say whether :meth:`keys` would wait for somebody."""
        return False

    def find(self, kid: str | None, algorithm: object) -> list[Key]:
        """Return the keys that a token with this header may be signed with."""
        keys = self.keys(kid)
        fit = [key for key in keys if algorithm in key.algorithms]
        # A key without an identifier may be anyone's.
        named = [key for key in fit if key.id == kid or key.id is None] if kid is not None else fit
        return named[:MOST_TRIED]

    @abc.abstractmethod
    def describe(self) -> str:
        """Say where the keys come from."""

    def close(self) -> None:  # noqa: B027 - most have nothing to close
        """Close connections."""

    def _chosen(self, keys: Sequence[Key]) -> list[Key]:
        chosen = [one for key in keys if (one := key.only(self._algorithms)) is not None]
        if not chosen:
            raise Failure("no key fits the algorithms that are allowed")
        return chosen


class GivenKeys(KeySource):
    """Keys that stand in the settings. Raises ``ValueError`` if none of them fits the algorithms."""

    def __init__(self, keys: Sequence[Key], algorithms: Collection[str] | None, what: str) -> None:
        super().__init__(algorithms)
        try:
            self._keys = self._chosen(keys)
        except Failure:
            fit = ", ".join(one for key in keys for one in key.algorithms)
            raise ValueError(f"algorithms fits none of the {what}'s, which are {fit}") from None
        self._what = what

    def keys(self, kid: str | None) -> Sequence[Key]:
        """Return them."""
        return self._keys

    def describe(self) -> str:
        """What it is, not what is in it."""
        return f"a {self._what} for {', '.join(self._keys[0].algorithms)}"


class KeyFile(KeySource):
    """A JWK set in a file, read again when it changes.

    While a changed file cannot be read, its keys are none: somebody may have meant to take one away.
    """

    def __init__(self, path: Path, algorithms: Collection[str] | None) -> None:
        super().__init__(algorithms)
        self._path = path
        self._lock = threading.Lock()
        self._looked = -LOOK
        self._stamp: tuple[int, int, int] | None = None
        self._keys: list[Key] = []

    def keys(self, kid: str | None) -> Sequence[Key]:
        """Return those of the file as it is now, or was a second ago."""
        with self._lock:
            if time.monotonic() - self._looked >= LOOK:
                try:
                    self._read()
                except (Outage, Failure):
                    self._stamp, self._keys = None, []
                    raise
                self._looked = time.monotonic()
            return self._keys

    def _read(self) -> None:
        try:
            status = self._path.stat()
            stamp = status.st_mtime_ns, status.st_size, status.st_ino
            if stamp != self._stamp:
                self._keys = self._chosen(keys_of_set(self._path.read_bytes()))
                self._stamp = stamp
        except OSError as error:
            raise Failure(f"{self._path}: {error.strerror}") from None

    def describe(self) -> str:
        """The path."""
        return str(self._path)


class PublishedKeys(KeySource):
    """A JWK set behind a URL.

    It is fetched when it is first needed, when a token names a key that it does not have, and when it is old.
    That happens no more often than every ``pause`` seconds, whatever tokens name. While it cannot be fetched,
    the old keys go on to count, but not for ever: a key that was taken away must not be good because of an
    outage.

    Args:
        url: of the set.
        http: what fetches it.
        refresh: seconds after which it is fetched again.
        pause: seconds between two fetches.
        longest: seconds for which keys count that cannot be fetched again.
        report: is told why it cannot be fetched, while old keys count.
    """

    def __init__(
        self,
        url: str,
        http: HTTPClient,
        algorithms: Collection[str] | None,
        *,
        refresh: float = 3600.0,
        pause: float = 30.0,
        longest: float = 86400.0,
        report: Callable[[str], None],
    ) -> None:
        super().__init__(algorithms)
        self._url, self._http = url, http
        self._refresh, self._pause, self._longest = refresh, pause, longest
        self._report = report
        self._lock = threading.Lock()
        self._keys: list[Key] = []
        self._known: frozenset[str | None] = frozenset()
        self._fetched = self._tried = -float("inf")
        self._cause = "it was not fetched yet"

    def is_stale(self, kid: str | None) -> bool:
        """Whether the set is to be fetched before this key is looked for."""
        now = time.monotonic()
        if not self._keys:
            return now - self._tried >= LOOK
        wanted = self._lacks(kid) or now - self._fetched >= self._refresh
        return wanted and now - self._tried >= self._pause

    def _lacks(self, kid: str | None) -> bool:
        return not self._keys or (kid is not None and kid not in self._known)

    def keys(self, kid: str | None) -> Sequence[Key]:
        """Return those that were fetched last, or are now."""
        # Who needs a new key waits for the one fetch; all others go on with the old ones.
        if self.is_stale(kid) and self._lock.acquire(blocking=self._lacks(kid)):
            try:
                if self.is_stale(kid):
                    self._fetch()
            finally:
                self._lock.release()
        if self._keys and time.monotonic() - self._fetched > self._longest:
            self._keys, self._known = [], frozenset()
        if not self._keys:
            raise Outage(f"there are no keys: {self._cause}")
        return self._keys

    def _fetch(self) -> None:
        try:
            answer = self._http.ask("GET", self._url)
            if answer.status != 200:
                raise Outage(f"{place(self._url)} answered {answer.status}")
            keys = self._chosen(keys_of_set(answer.body))
        except (Outage, Failure) as error:
            self._cause = str(error)
            if self._keys:
                self._report(f"the keys cannot be fetched, the old ones count: {error}")
        else:
            self._keys, self._known = keys, frozenset(key.id for key in keys)
            self._fetched = time.monotonic()
        finally:
            self._tried = time.monotonic()

    def describe(self) -> str:
        """The address, without its query."""
        return place(self._url)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
