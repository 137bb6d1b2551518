"""A WebSocket of an application of ASGI."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .._hookmq import Hub

__all__ = ["AsgiSocket"]

MAX_WAITING = 1000
"""Messages that may wait for the application before its browser is sent away."""

MAX_BYTES = 1 << 20
"""Bytes, or characters, that these messages may have."""

NO_CODE, TOO_SLOW = 1005, 1013


class AsgiSocket:
    """A WebSocket as an application has it.

    Events come from a thread of the broker, everything else happens on the event loop. The broker has
    answered the handshake when the application hears of it, so to accept is a formality, and to close before
    is a close like any other.
    """

    def __init__(self, hub: Hub, number: int) -> None:
        self.number = number
        self.gone = False
        self._hub = hub
        self._waiting: deque[str | bytes] = deque()
        # Each is counted on one side alone: what waits is the difference.
        self._brought = 0
        self._taken = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news = asyncio.Event()
        self._greeted = False
        self._accepted = False
        self._closed = False

    # From a thread of the broker ------------------------------------------------------------------------

    def bring(self, data: str | bytes) -> None:
        """Hand a message of the browser over."""
        if len(self._waiting) >= MAX_WAITING or self._brought - self._taken >= MAX_BYTES:
            self._hub.close(self.number, TOO_SLOW)
            return
        self._waiting.append(data)
        self._brought += len(data)
        self._wake()

    def end(self) -> None:
        """Say that the browser is gone."""
        self.gone = True
        self._wake()

    def _wake(self) -> None:
        # Who begins looks after it has said where its loop is, and so sees what came before.
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop was stopped
                self._loop.call_soon_threadsafe(self._news.set)

    # On the event loop ----------------------------------------------------------------------------------

    def begin(self) -> None:
        """Say on which loop the application runs: the one that calls."""
        self._loop = asyncio.get_running_loop()

    async def receive(self) -> dict[str, Any]:
        """Return what the browser did."""
        if not self._greeted:
            self._greeted = True
            return {"type": "websocket.connect"}
        while not self._waiting and not self.gone and not self._closed:
            self._news.clear()
            # Once more: it may have come before the mark was taken away.
            if not self._waiting and not self.gone:
                await self._news.wait()
        if not self._waiting or self._closed:
            return {"type": "websocket.disconnect", "code": NO_CODE, "reason": ""}
        data = self._waiting.popleft()
        self._taken += len(data)
        is_text = isinstance(data, str)
        return {
            "type": "websocket.receive",
            "text": data if is_text else None,
            "bytes": None if is_text else data,
        }

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Accept, send or close. Raises ``BrokenPipeError`` without a browser."""
        kind = message["type"]
        if self._closed:
            raise RuntimeError(f"{kind} was sent, but the WebSocket is closed")
        if kind == "websocket.accept" and not self._accepted:
            self._accepted = True
        elif kind == "websocket.close":
            self.close(int(message.get("code") or 1000))
        elif kind == "websocket.send" and self._accepted:
            text = message.get("text")
            if not self._hub.send(bytes(message["bytes"]) if text is None else text, self.number):
                raise BrokenPipeError("the browser is gone")
        else:
            raise RuntimeError(f"{kind} cannot be sent now")

    def close(self, code: int) -> None:
        """Close it, once."""
        if not self._closed:
            self._closed = True
            self._news.set()
            if not self.gone:
                self._hub.close(self.number, code)
