"""Connections that end when their token does."""

from __future__ import annotations

import contextlib
import heapq
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from ..errors import HookMQError

if TYPE_CHECKING:
    from .._hookmq import Client

__all__ = ["Expiries"]

Connection: TypeAlias = tuple[str, str | None, int | None, float]
"""What tells a connection from all others: client identifier, address, port, and when it was made."""

FORGOTTEN = 60.0
"""Seconds after which nobody expects any more that a client which was let in has connected."""

LONGEST_SLEEP = 60.0
"""Seconds between two looks at the clock: somebody may set it."""

_PLACE = "_token_expiries"


class Disconnects(Protocol):
    """A broker, as far as it matters here."""

    def disconnect(self, client_id: str) -> bool:
        """End a client's connection."""


class Expiries:
    """Knows until when each connection may last, and ends those that may no longer.

    There is one for each broker. A client that was let in is *expected*; when it has connected it is
    *current*. So a client that comes back with a newer token is not disconnected for the older one, and one
    that is refused in the end leaves the connection alone that it has.
    """

    def __init__(self, broker: Disconnects) -> None:
        self._broker = broker
        self._changed = threading.Condition()
        self._expected: dict[Connection, tuple[float, float]] = {}  # until when, and noted when
        self._current: dict[str, tuple[Connection, float]] = {}
        self._heap: list[tuple[float, str, Connection]] = []
        self._thread: threading.Thread | None = None
        self._stopped = False

    @classmethod
    def of(cls, broker: Any) -> Expiries:
        """Return those of a broker.

        They are kept in the broker: new code that is loaded while it runs finds what the old code has noted.
        """
        kept = vars(broker)
        found = kept.get(_PLACE)
        made: Expiries = kept.setdefault(_PLACE, cls(broker)) if found is None else found
        return made

    @classmethod
    def watch(cls, broker: Any) -> None:
        """See to it that a broker tells its own who comes and goes. Without effect a second time."""
        name = "token-expiry"
        if any(hook.name == name for hook in broker.hooks):
            return

        def connected(client: Client) -> None:
            cls.of(broker).connected(client)

        def disconnected(client: Client) -> None:
            cls.of(broker).disconnected(client)

        def begin() -> None:
            cls.of(broker).start()

        def end() -> None:
            cls.of(broker).stop()

        # A token whose connection went unnoticed would never expire, so nothing may be dropped.
        broker.on_client_connected(connected, name=name, overflow="block")
        broker.on_client_disconnected(disconnected, name=name, overflow="block")
        broker.on_startup(begin, name=name)
        broker.on_shutdown(end, name=name)

    # What is known --------------------------------------------------------------------------------------

    def expect(self, client: Client, until: float) -> None:
        """Note that a client is about to connect, and until when it may stay, in seconds since 1970."""
        now = time.monotonic()
        with self._changed:
            self._expected[_connection(client)] = until, now
            # The oldest come first.
            while now - self._expected[oldest := next(iter(self._expected))][1] > FORGOTTEN:
                del self._expected[oldest]

    def connected(self, client: Client) -> None:
        """Note that a client has connected."""
        connection = _connection(client)
        with self._changed:
            until, _ = self._expected.pop(connection, (None, None))
            if until is None:  # it needed no token this time
                self._current.pop(client.client_id, None)
                return
            self._current[client.client_id] = connection, until
            self._push(until, client.client_id, connection)

    def disconnected(self, client: Client) -> None:
        """Note that a connection has ended."""
        connection = _connection(client)
        with self._changed:
            self._expected.pop(connection, None)
            if self._current.get(client.client_id, (None, 0.0))[0] == connection:
                del self._current[client.client_id]

    def __len__(self) -> int:
        return len(self._current)

    # What is due ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to end connections, also after a stop."""
        with self._changed:
            self._stopped = False

    def stop(self) -> None:
        """End the thread, and forget everything: the broker stops."""
        with self._changed:
            self._stopped = True
            self._expected.clear()
            self._current.clear()
            self._heap.clear()
            self._changed.notify()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(2.0)

    def _push(self, until: float, client_id: str, connection: Connection) -> None:
        if len(self._heap) > 2 * len(self._current) + 1000:
            # Most of it is about connections that ended before their time.
            self._heap = [(end, name, one) for name, (one, end) in self._current.items()]
            heapq.heapify(self._heap)
        heapq.heappush(self._heap, (until, client_id, connection))
        if self._stopped:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="hookmq-expiry", daemon=True)
            self._thread.start()
        elif self._heap[0][2] == connection:
            self._changed.notify()

    def _run(self) -> None:
        while (client_id := self._next()) is not None:
            with contextlib.suppress(HookMQError):  # it does not run any more
                self._broker.disconnect(client_id)

    def _next(self) -> str | None:
        """Wait for the next client whose time is over; ``None`` when there is nothing more to do."""
        with self._changed:
            while not self._stopped:
                now = time.time()
                if not self._heap:
                    self._changed.wait(LONGEST_SLEEP)
                elif (delay := self._heap[0][0] - now) > 0:
                    self._changed.wait(min(delay, LONGEST_SLEEP))
                else:
                    _, client_id, connection = heapq.heappop(self._heap)
                    current, until = self._current.get(client_id, (None, 0.0))
                    if current != connection:
                        continue
                    if now < until + PATIENCE and self._is_coming(client_id, now):
                        heapq.heappush(self._heap, (now + 1.0, client_id, connection))
                        continue
                    del self._current[client_id]
                    return client_id
            self._thread = None
            return None

    def _is_coming(self, client_id: str, now: float) -> bool:
        """Say whether the client was let in anew: the connection that would be ended may be the new one."""
        recent = time.monotonic() - PATIENCE
        return any(
            one[0] == client_id and until > now and noted > recent
            for one, (until, noted) in self._expected.items()
        )


def _connection(client: Client) -> Connection:
    return client.client_id, client.address, client.port, client.connected_at


PATIENCE = 10.0
"""Seconds for which an end is put off because the client seems to come with another token."""
