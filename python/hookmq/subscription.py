"""Messages for an iterator in this process."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from types import TracebackType

    from ._hookmq import Inbox, Message

__all__ = ["Subscription"]

_STEP = 0.5
"""Seconds of one native wait: between two of them Ctrl+C is heard."""

_MISSED = 0.2
"""Seconds after which an async iterator looks without being told, should another reader take its bell."""


class Subscription:
    """The messages that match a filter, as an iterator and an async iterator.

    It begins with the retained messages and goes on until :meth:`close` or until the broker stops. Up to
    ``maxsize`` messages wait; then the oldest go, counted in :attr:`dropped`.

    >>> from hookmq import Broker
    >>> with Broker(port=0, http_port=None) as broker, broker.subscribe("a/#") as messages:
    ...     broker.publish("a/b", "hello")
    ...     messages.get(timeout=1).text
    'hello'
    """

    def __init__(self, filter: str, inbox: Inbox, unsubscribe: Callable[[], None]) -> None:
        self.filter = filter
        self._inbox = inbox
        self._unsubscribe = unsubscribe

    def get(self, *, timeout: float | None = None) -> Message | None:
        """Return the next message, or ``None`` when none came within ``timeout`` seconds or it is closed."""
        deadline = float("inf") if timeout is None else time.monotonic() + timeout
        while True:
            left = deadline - time.monotonic()
            if (message := self._inbox.take(max(0.0, min(left, _STEP)))) is not None:
                return message
            if not left > _STEP or (self._inbox.closed and not len(self._inbox)):
                return None

    @property
    def dropped(self) -> int:
        """Messages that were lost because the reader was too slow."""
        return self._inbox.dropped

    def close(self) -> None:
        """End it: what waits can still be read, then the iteration ends."""
        if not self._inbox.closed:
            self._unsubscribe()
            self._inbox.close()

    def __len__(self) -> int:
        return len(self._inbox)

    def __iter__(self) -> Iterator[Message]:
        while (message := self.get()) is not None:
            yield message

    async def __aiter__(self) -> AsyncIterator[Message]:
        import asyncio

        loop = asyncio.get_running_loop()
        bell = asyncio.Event()
        # A network thread rings by writing to a socket: it never enters Python, and the loop waits for a
        # file descriptor like for any other.
        loop.add_reader(self._inbox.fileno(), self._rung, bell)
        try:
            while True:
                if (message := self._inbox.take(0)) is not None:
                    yield message
                elif self._inbox.closed:
                    return
                else:
                    try:
                        await asyncio.wait_for(bell.wait(), _MISSED)
                    except TimeoutError:
                        continue
                    bell.clear()
        finally:
            loop.remove_reader(self._inbox.fileno())

    def _rung(self, bell: asyncio.Event) -> None:
        self._inbox.silence()
        bell.set()

    def __del__(self) -> None:
        # One that is forgotten must not go on collecting messages.
        self.close()

    def __enter__(self) -> Subscription:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
