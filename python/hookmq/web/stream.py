"""How the answer of a page reaches the browser: whole, as a file, or piece by piece."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any

from ..execution.aio import EventLoop
from ..execution.threads import end
from .file import File
from .request import BadBody, Request
from .response import Response

if TYPE_CHECKING:
    from .._hookmq import BodySink, PageReply

__all__ = ["Answer", "Streams"]

MAX_THREADS = 256
"""Generators that are not asynchronous and run at one time; each has a thread."""

PATIENCE = 60.0
"""Seconds a browser may take to make room for the next piece before it counts as gone."""

MOMENT = 0.05
"""Seconds from which the head is sent although there is no piece yet."""

LOOK = 0.25
"""Seconds from one look whether a browser is gone to the next, while nothing is sent to it."""

_PIECE = 64 << 10
_PAUSE, _LONG_PAUSE = 0.002, 0.05


class Answer:
    """An answer that is sent piece by piece, from one thread or from the event loop.

    Its head goes with the first piece, or a moment after if there is none yet: until then what fails can
    still be answered with an error. It is broken off, so that the browser does not take it for complete,
    unless it is closed.

    No frame may hold the sink itself: a traceback in the log would keep it, and with it the answer, open.
    """

    def __init__(self, reply: PageReply, status: int, headers: list[tuple[str, str]]) -> None:
        self._lock = threading.Lock()
        self._reply: PageReply | None = reply
        self._head = (status, headers)
        self._sink: BodySink | None = None

    @property
    def begun(self) -> bool:
        """Whether the head was sent, or another answer."""
        return self._reply is None

    def begin(self) -> None:
        """Send the head, if that was not done."""
        with self._lock:
            if self._reply is not None:
                self._sink, self._reply = self._reply.stream(*self._head), None

    def take_back(self) -> PageReply | None:
        """Return the reply, to give another answer, if this one has not begun; else break it off."""
        with self._lock:
            reply, self._reply, self._sink = self._reply, None, None
        return reply

    def close(self) -> None:
        """Say that the answer is complete."""
        self.begin()
        with self._lock:
            if self._sink is not None:
                self._sink.close()
                self._sink = None

    @property
    def gone(self) -> bool:
        """Whether the browser is gone, as far as can be seen."""
        return self.begun and self._offer(b"") is None

    def send(self, data: bytes) -> bool:
        """Send, waiting for room. Return whether there is still a browser."""
        self.begin()
        for piece in _pieces(data):
            sink = self._sink
            sent = sink is not None and sink.send(piece, PATIENCE)
            del sink
            if not sent:
                return False
        return True

    async def put(self, data: bytes) -> bool:
        """Send without holding the event loop up. Return whether there is still a browser."""
        self.begin()
        for piece in _pieces(data):
            pause, deadline = _PAUSE, time.monotonic() + PATIENCE
            while not (taken := self._offer(piece)):
                if taken is None or time.monotonic() > deadline:
                    return False
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONG_PAUSE)
        return True

    def _offer(self, data: bytes) -> bool | None:
        """Say whether the piece was taken; ``None`` if the browser is gone."""
        try:
            return None if self._sink is None else self._sink.offer(data)
        except (BrokenPipeError, AttributeError):  # AttributeError: it was broken off between the two looks
            return None


class Streams:
    """Sends what pages return.

    ``failed(name, error)`` is told what pages raise. Generators that are not asynchronous run on threads of
    their own, so that a slow browser holds up no page.
    """

    def __init__(self, loop: Callable[[], EventLoop], failed: Callable[[str, BaseException], None]) -> None:
        self._loop = loop
        self._failed = failed
        self._threads: set[threading.Thread] = set()
        self._lock = threading.Lock()

    def answer(self, name: str, request: Request, result: Callable[[], object], reply: PageReply) -> None:
        """Answer a request with what ``result`` returns or raises; ``name`` is the page's for the log."""
        try:
            response = Response.of(result())
            pairs = response.header_pairs()
            if isinstance(response, File):
                response.send(request, reply)
            elif request.method == "HEAD":
                _head(reply, response, pairs)
            elif response.chunks is None:
                reply(response.status, pairs, response.body)
            else:
                self._stream(name, response.chunks, Answer(reply, response.status, pairs))
        except BaseException as error:
            self.fail(name, error, reply)

    def fail(self, name: str, error: BaseException, reply: PageReply) -> None:
        """Report what a page raised, and answer with an error."""
        if isinstance(error, BadBody):
            response = Response(f"{error}\n", status=400, content_type="text/plain; charset=utf-8")
        else:
            self._failed(name, error)
            response = Response("the page failed; the broker's log says why\n", status=500)
        reply(response.status, response.header_pairs(), response.body)

    def has_current(self) -> bool:
        """Whether the calling thread is one on which a generator runs."""
        return threading.current_thread() in self._threads

    def close(self, grace: float) -> list[str]:
        """Wait for the generators, interrupt those that do not end, return the threads of those that stay."""
        with self._lock:
            threads = self._threads - {threading.current_thread()}
        return end(threads, grace)

    def _stream(self, name: str, chunks: Iterator[Any] | AsyncIterator[Any], answer: Answer) -> None:
        if not isinstance(chunks, Iterator):
            self._loop().ask(lambda: self._send_later(name, chunks, answer))
            return
        arguments = (name, chunks, answer)
        thread = threading.Thread(target=self._send, args=arguments, name="hookmq-stream", daemon=True)
        with self._lock:
            free = len(self._threads) < MAX_THREADS
            if free:
                self._threads.add(thread)
                thread.start()
        if free:
            self._loop().ask(lambda: _begin_soon(answer))
        elif (reply := answer.take_back()) is not None:
            _drop(chunks)
            full = Response("too many answers are being sent\n", status=503)
            reply(full.status, full.header_pairs(), full.body)

    # Generators -----------------------------------------------------------------------------------------

    def _send(self, name: str, chunks: Iterator[Any], answer: Answer) -> None:
        try:
            try:
                complete = all(_pass_on(_encode(chunk), answer) for chunk in chunks)
            finally:
                _drop(chunks)  # a generator that is not at its end has a `finally` of its own to do
            if complete:
                answer.close()
        except BaseException as error:  # SystemExit as well: it would end the thread without a word
            self._break_off(name, error, answer)
        finally:
            answer.take_back()
            with self._lock:
                self._threads.discard(threading.current_thread())

    async def _send_later(self, name: str, chunks: AsyncIterator[Any], answer: Answer) -> None:
        sending = asyncio.ensure_future(self._send_all(name, chunks, answer))
        try:
            await asyncio.wait({sending}, timeout=MOMENT)
            if not sending.done():
                answer.begin()
            while not sending.done() and not answer.gone:
                await asyncio.wait({sending}, timeout=LOOK)
        finally:
            # Also while the generator waits for something to send: nobody wants it any more.
            sending.cancel()
            await asyncio.wait({sending})

    async def _send_all(self, name: str, chunks: AsyncIterator[Any], answer: Answer) -> None:
        try:
            complete = True
            try:
                async for chunk in chunks:
                    if not (complete := await answer.put(_encode(chunk))):
                        break
            finally:
                if (close := getattr(chunks, "aclose", None)) is not None:
                    await close()
            if complete:
                answer.close()
        except asyncio.CancelledError:  # the browser is gone, or the broker stops
            raise
        except BaseException as error:  # SystemExit as well: it would end the loop
            self._break_off(name, error, answer)
        finally:
            answer.take_back()

    def _break_off(self, name: str, error: BaseException, answer: Answer) -> None:
        reply = answer.take_back()
        if reply is not None:
            self.fail(name, error, reply)
        else:
            self._failed(name, error)


def _pass_on(data: bytes, answer: Answer) -> bool:
    # What is empty lets a generator that has nothing to send ask whether to go on.
    return answer.send(data) if data else not answer.gone


def _head(reply: PageReply, response: Response, pairs: list[tuple[str, str]]) -> None:
    """Answer HEAD as GET without the body: with its length, or with none if that is not known."""
    if response.chunks is not None:
        Answer(reply, response.status, pairs).close()
        _drop(response.chunks)
        return
    has_length = response.status in (204, 304) or any(name.lower() == "content-length" for name, _ in pairs)
    length = [] if has_length else [("content-length", str(len(response.body)))]
    reply(response.status, pairs + length, b"")


def _drop(chunks: object) -> None:
    """Close a generator that nobody wants, or a file."""
    if isinstance(chunks, Iterator) and (close := getattr(chunks, "close", None)) is not None:
        close()


async def _begin_soon(answer: Answer) -> None:
    await asyncio.sleep(MOMENT)
    answer.begin()


def _pieces(data: bytes) -> Iterator[bytes]:
    """Cut what is longer than the room that a browser may leave."""
    if len(data) <= _PIECE:
        return iter((data,) if data else ())
    view = memoryview(data)
    return (bytes(view[at : at + _PIECE]) for at in range(0, len(data), _PIECE))


def _encode(chunk: object) -> bytes:
    if isinstance(chunk, str):
        return chunk.encode()
    if isinstance(chunk, bytes | bytearray | memoryview):
        return bytes(chunk)
    raise TypeError(f"a page's generator makes str or bytes, not {type(chunk).__name__}")
