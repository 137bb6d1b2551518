"""One request to an application of ASGI, and its answer."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

from .response import Response
from .stream import LOOK, MOMENT, Answer

if TYPE_CHECKING:
    from .._hookmq import PageReply

__all__ = ["Exchange"]

# The broker says by itself how it sends a body, and whether it keeps the connection.
_NOT_THEIRS = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade"})


class Exchange:
    """A request as an application receives it, and the answer that it sends; all on the event loop."""

    def __init__(self, method: str, body: bytes, reply: PageReply) -> None:
        self.complete = False
        self.gone = False
        self._is_head = method == "HEAD"
        self._body: bytes | None = body
        self._reply = reply
        self._replied = False
        self._started: tuple[int, list[tuple[str, str]]] | None = None
        self._answer: Answer | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def receive(self) -> dict[str, Any]:
        """Return the body of the request, and next that the browser is gone, or the answer complete."""
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        while not self._is_over():
            await asyncio.sleep(LOOK)
        return {"type": "http.disconnect"}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Send the head of the answer, or a part of its body. Raises ``BrokenPipeError`` if it is gone."""
        if self.complete:
            raise RuntimeError(f"{message['type']} was sent, but the answer is complete")
        if message["type"] == "http.response.start":
            self._start(message)
        elif message["type"] == "http.response.body":
            await self._send_body(bytes(message.get("body", b"")), bool(message.get("more_body", False)))
        else:
            raise RuntimeError(f"{message['type']} is nothing that can be sent")

    def fail(self) -> None:
        """Answer with an error if nothing was sent, else break the answer off."""
        if self.complete or self.break_off() or self._replied:
            return
        failure = Response("the application failed; the broker's log says why\n", status=500)
        self._reply(failure.status, failure.header_pairs(), failure.body)
        self.complete = True

    def break_off(self) -> bool:
        """Break the answer off if it has begun. Return whether it had."""
        self._cancel_timer()
        answer, self._answer = self._answer, None
        if answer is None or answer.take_back() is not None:
            return False
        self.complete = True
        return True

    def _is_over(self) -> bool:
        if not self.complete and self._answer is not None and self._answer.gone:
            self.gone = True
        return self.complete or self.gone

    def _start(self, message: MutableMapping[str, Any]) -> None:
        if self._started is not None:
            raise RuntimeError("http.response.start was sent twice")
        pairs = [(_text(name), _text(value)) for name, value in message.get("headers", ())]
        kept = [(name, value) for name, value in pairs if name.lower() not in _NOT_THEIRS]
        self._started = (int(message["status"]), kept)
        if not self._is_head:
            # The first piece may be long in coming, and who waits for events wants to know that they will.
            self._timer = asyncio.get_running_loop().call_later(MOMENT, self._begin)

    def _begin(self) -> Answer:
        self._cancel_timer()
        if self._answer is None:
            assert self._started is not None
            status, pairs = self._started
            self._answer = Answer(self._reply, status, pairs)
            self._answer.begin()
        return self._answer

    async def _send_body(self, data: bytes, more: bool) -> None:
        if self._started is None:
            raise RuntimeError("http.response.body was sent before http.response.start")
        if self._is_head or (self._answer is None and not more):
            self._reply_whole(data)
            self.complete = not more
            return
        answer = self._begin()
        if self.gone or not await answer.put(data):
            self.gone = True
            raise BrokenPipeError("the browser is gone")
        if not more:
            answer.close()
            self._answer, self.complete = None, True

    def _reply_whole(self, data: bytes) -> None:
        self._cancel_timer()
        if self._replied:  # further pieces of the body that HEAD has not
            return
        assert self._started is not None
        status, pairs = self._started
        self._replied = True
        if self._is_head:
            self._reply(status, pairs, b"")
        else:
            self._reply(status, [pair for pair in pairs if pair[0].lower() != "content-length"], data)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _text(value: bytes) -> str:
    """Return a header as the native side takes it; what is no UTF-8 has the older encoding of HTTP."""
    try:
        return bytes(value).decode()
    except UnicodeDecodeError:
        return bytes(value).decode("latin-1")
