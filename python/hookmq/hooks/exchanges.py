"""Enhanced authentications that hooks lead: which method belongs to which hook, and those under way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine, Generator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from concurrent.futures import Future
    from typing import Any

    from .._hookmq import Client, StepReply
    from ..decisions import Deny
    from ..execution.aio import EventLoop
    from .failures import FailureLog
    from .hook import Hook

__all__ = ["NOT_AUTHORIZED", "Exchanges", "denial"]

NOT_AUTHORIZED = 0x87

MAX_WORDS = 1000
"""Characters of a denial's words that go to the client: it may take only small packets."""


class Exchanges:
    """The hooks of ``enhanced_authenticate`` and the exchanges that wait for a client's answer."""

    def __init__(self, loop: Callable[[], EventLoop], failures: FailureLog) -> None:
        self.hooks: list[Hook] = []
        self._loop = loop
        self._failures = failures
        self._waiting: dict[int, tuple[Hook, Generator[bytes, bytes, Any]]] = {}
        self._lock = threading.Lock()
        self.timeout: float | None = None
        """Seconds after which nobody waits for a hook's answer any more."""

    @property
    def methods(self) -> list[str]:
        """The methods that hooks know."""
        return [hook.method for hook in self.hooks if hook.method is not None]

    def step(self, exchange: int, method: str, client: Client, data: bytes, reply: StepReply) -> None:
        """Begin an exchange with a client's first data, or go on with its answer."""
        with self._lock:
            waiting = self._waiting.pop(exchange, None)
        if waiting is not None:
            hook, generator = waiting
            if hook.paused:
                generator.close()
                return reply.deny(NOT_AUTHORIZED, f"{hook.name} is paused")
            return self._answer(exchange, hook, reply, lambda: self._next(generator, data))
        hook = next((hook for hook in reversed(self.hooks) if hook.method == method), None)  # type: ignore[assignment]
        if hook is None:
            return reply.deny(NOT_AUTHORIZED, None)
        if hook.paused:
            return reply.deny(NOT_AUTHORIZED, f"{hook.name} is paused")
        hook.calls += 1
        return self._answer(exchange, hook, reply, lambda: hook.function(*(client, data)[: hook.positional]))

    def forget(self, exchange: int) -> None:
        """Forget an exchange: the client is gone, or the end was reached."""
        with self._lock:
            waiting = self._waiting.pop(exchange, None)
        if waiting is not None:
            waiting[1].close()

    def _answer(self, exchange: int, hook: Hook, reply: StepReply, call: Callable[[], Any]) -> None:
        with hook.watched():
            try:
                result = call()
                if isinstance(result, Generator):
                    result = self._next(result, None)
            except BaseException as error:
                return self._deny(hook, error, reply)
        if isinstance(result, _Challenge):
            with self._lock:
                self._waiting[exchange] = hook, result.generator
            return reply.go_on(result.data)
        if isinstance(result, Coroutine):
            coroutine, watch = result, hook.watched()
            watch.__enter__()

            def answered(done: Future[Any]) -> None:
                watch.__exit__(None, None, None)
                self._finish(hook, done.result, reply)

            # Nobody waits for the answer any longer than this.
            self._loop().ask(lambda: coroutine, timeout=self.timeout).add_done_callback(answered)
            return None
        return self._finish(hook, lambda: result, reply)

    @staticmethod
    def _next(generator: Generator[bytes, bytes, Any], data: bytes | None) -> Any:
        """Return the next challenge, or what the generator returned at its end."""
        try:
            challenge = next(generator) if data is None else generator.send(data)
        except StopIteration as end:
            return end.value
        if not isinstance(challenge, bytes):
            generator.close()
            raise TypeError(f"enhanced_authenticate hooks yield bytes, not {type(challenge).__name__}")
        return _Challenge(generator, challenge)

    def _finish(self, hook: Hook, result: Callable[[], Any], reply: StepReply) -> None:
        try:
            value = result()
            if value is False:
                return reply.deny(NOT_AUTHORIZED, None)
            if value is None or value is True:
                return reply.allow(b"")
            if isinstance(value, bytes):
                return reply.allow(value)
            # Not the value: it may be a secret.
            kind = type(value).__name__
            raise TypeError(f"enhanced_authenticate hooks return True, False, None or bytes, not {kind}")
        except BaseException as error:
            return self._deny(hook, error, reply)

    def _deny(self, hook: Hook, error: BaseException, reply: StepReply) -> None:
        from ..decisions import Deny

        if isinstance(error, Deny):
            return reply.deny(*denial(error))
        hook.errors += 1
        self._failures.failed(hook.name, error)
        return reply.deny(NOT_AUTHORIZED, None)


class _Challenge:
    """What a generator yielded, and the generator."""

    def __init__(self, generator: Generator[bytes, bytes, Any], data: bytes) -> None:
        self.generator = generator
        self.data = data


def denial(error: Deny) -> tuple[int, str]:
    """Return a denial's reason code and its words, as MQTT can carry them.

    >>> from hookmq import Deny
    >>> denial(Deny("come back tomorrow", code=0x88))
    (136, 'come back tomorrow')
    """
    valid = isinstance(error.code, int) and 0x80 <= error.code <= 0xFF
    text = str(error).encode(errors="replace").decode().replace("\0", "")
    return error.code if valid else NOT_AUTHORIZED, text[:MAX_WORDS]
