"""Messages from publishers to subscribers."""

from __future__ import annotations

import contextlib
import selectors
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..errors import HookMQError
from .wire import Client, Place, publish

__all__ = ["Flow", "Seen", "latencies"]

_READ = 1 << 18
_PATIENCE = 10.0
_BYTES_UNDER_WAY = 1 << 20
_PUBACK = 4
_IDENTIFIERS = 60_000


@dataclass(frozen=True)
class Seen:
    """What came of a flow: messages that arrived, and in how many seconds."""

    messages: int
    seconds: float


class Flow:
    """Publishers of one topic and its subscribers.

    At most 500 messages are under way, as the slowest subscriber sees it, so nothing need be dropped and what
    is measured is the broker.
    """

    def __init__(
        self, place: Place, *, publishers: int = 1, subscribers: int = 1, qos: int = 0, size: int = 256
    ) -> None:
        self._qos = qos
        self._topic = "hookmq/bench"
        self._frame = len(publish(self._topic, size, qos, 1))
        self._identifier = self._frame - size - 2
        self._window = max(1, min(500, _BYTES_UNDER_WAY // self._frame))
        count = 8_192 // self._window * self._window or self._window
        ids = range(1, 1 + (min(count, _IDENTIFIERS) if qos else 1))
        self._block = b"".join(publish(self._topic, size, qos, one) for one in ids) * (1 if qos else count)
        self._subscribers = [Client(place, f"bench-s{number}") for number in range(subscribers)]
        for client in self._subscribers:
            client.subscribe(self._topic, qos)
        self._publishers = [Client(place, f"bench-p{number}") for number in range(publishers)]

    def run(self, seconds: float, tell: Callable[[float], None] = lambda done: None) -> Seen:
        """Publish for so many seconds, and wait until all of it has arrived. Raises E405 if it does not."""
        selector = selectors.DefaultSelector()
        rest = {client: bytearray() for client in self._subscribers}
        received = dict.fromkeys(self._subscribers, 0)
        answered = dict.fromkeys(self._publishers, 0)  # bytes of PUBACK
        for client in (*self._subscribers, *self._publishers):
            client.socket.setblocking(True)
            selector.register(client.socket, selectors.EVENT_READ, client)
        published = turn = 0
        at = dict.fromkeys(self._publishers, 0)
        began = alive = time.perf_counter()
        size = self._frame
        while True:
            now = time.perf_counter()
            tell(min((now - began) / seconds, 1.0))
            done = min(received.values())
            room = self._window - (published - done)
            if now - began < seconds:
                if room >= self._window // 4 or room == self._window:
                    client = self._publishers[turn % len(self._publishers)]
                    turn += 1
                    start = at[client]
                    end = min(start + room * size, len(self._block))
                    self._send(client, memoryview(self._block)[start:end])
                    at[client] = end % len(self._block)
                    published += (end - start) // size
            elif done == published and (not self._qos or sum(answered.values()) >= _PUBACK * published):
                break
            for key, _ in selector.select(0.05):
                client = key.data
                data = client.socket.recv(_READ)
                if not data:
                    raise client.lost()
                alive = now
                if client in answered:
                    answered[client] += len(data)
                else:
                    received[client] += self._take(client, rest[client], data)
            if now - alive > _PATIENCE:
                raise HookMQError("E405", reason=f"{published - done:,} messages did not arrive")
        selector.close()
        return Seen(sum(received.values()), time.perf_counter() - began)

    def _take(self, client: Client, rest: bytearray, data: bytes) -> int:
        """Count whole frames, and acknowledge them where that is due."""
        rest += data
        count = len(rest) // self._frame
        if self._qos:
            at = self._identifier
            starts = range(at, count * self._frame, self._frame)
            self._send(client, b"".join(b"\x40\2" + rest[one : one + 2] for one in starts))
        del rest[: count * self._frame]
        return count

    @staticmethod
    def _send(client: Client, data: bytes | memoryview) -> None:
        try:
            client.socket.sendall(data)
        except OSError as error:
            raise client.lost(error) from None

    def close(self) -> None:
        """Let the clients go."""
        for client in (*self._publishers, *self._subscribers):
            client.close()

    @classmethod
    @contextlib.contextmanager
    def between(cls, place: Place, **numbers: int) -> Iterator[Flow]:
        """Connect the clients for the block."""
        flow = cls(place, **numbers)
        try:
            yield flow
        finally:
            flow.close()


def latencies(
    place: Place, seconds: float, size: int, tell: Callable[[float], None] = lambda done: None
) -> Sequence[float]:
    """Send one message at a time; return the seconds that each took from one client to another, sorted."""
    subscriber, publisher = Client(place, "bench-s"), Client(place, "bench-p")
    try:
        subscriber.subscribe("hookmq/bench", 0)
        frame = publish("hookmq/bench", size)
        taken = []
        began = time.perf_counter()
        while (sent := time.perf_counter()) - began < seconds:
            publisher.socket.sendall(frame)
            missing = len(frame)
            while missing:
                data = subscriber.socket.recv(missing)
                if not data:
                    raise subscriber.lost()
                missing -= len(data)
            taken.append(time.perf_counter() - sent)
            if len(taken) % 256 == 0:
                tell((sent - began) / seconds)
        return sorted(taken)
    except OSError as error:
        raise subscriber.lost(error) from None
    finally:
        publisher.close()
        subscriber.close()
