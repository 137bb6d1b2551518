"""A question to deciders: asked one after the other, until the answer is known."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from .._hookmq import VerdictReply
from ..decisions import Allow, Deny, Identity
from ..execution.aio import EventLoop
from .exchanges import NOT_AUTHORIZED, denial
from .failures import FailureLog
from .hook import Hook

__all__ = ["Asking", "Terms"]

BAD_USER_NAME_OR_PASSWORD = 0x86

LONGEST = 10 * 365 * 86400.0
"""Seconds that an answer holds at most: clocks do not count to infinity."""

Pairs = Sequence[tuple[Hook, tuple[Any, ...]]]
"""Hooks, and what each is given."""


@dataclass
class Terms:
    """On which terms something is allowed.

    ``ttl`` is for how many seconds the answer holds: as long as every hook says, not at all if one says
    nothing; ``None`` while nobody was asked.
    """

    qos: int = 2
    user: str | None = None
    ttl: float | None = None

    def hold(self, ttl: float) -> None:
        """Let the answer hold no longer than this."""
        self.ttl = min(ttl, LONGEST) if self.ttl is None else min(self.ttl, ttl)


class Asking:
    """A question, from the first hook to the answer. What goes wrong on the way denies.

    With ``first`` the first opinion counts, else the first denial; ``allowed`` is the answer if nobody has an
    opinion. ``remember`` is told on which terms it was allowed. An answer is given by calling ``reply``,
    which an asynchronous hook does later; a reply that is dropped denies.
    """

    def __init__(
        self,
        pairs: Pairs,
        reply: VerdictReply,
        *,
        first: bool,
        allowed: bool,
        loop: Callable[[], EventLoop],
        failures: FailureLog,
        timeout: float | None = None,
        remember: Callable[[Terms], None] | None = None,
    ) -> None:
        self._timeout = timeout
        self._pairs = pairs
        self._reply = reply
        self._first = first
        self._allowed = allowed
        self._loop = loop
        self._failures = failures
        self._remember = remember
        self._terms = Terms()

    def go(self, index: int = 0) -> None:
        """Ask from this hook on."""
        for place in range(index, len(self._pairs)):
            hook, arguments = self._pairs[place]
            if hook.paused:
                return self._reply(False, NOT_AUTHORIZED, f"{hook.name} is paused")
            hook.calls += 1
            began = time.perf_counter()
            with hook.watched():
                try:
                    opinion = hook.function(*arguments[: hook.positional])
                except BaseException as error:
                    return self._deny(hook, error)
                finally:
                    hook.busy += time.perf_counter() - began
            if isinstance(opinion, Coroutine):
                return self._go_on_later(place, opinion)
            try:
                over = self._is_over(hook, opinion)
            except BaseException as error:
                return self._deny(hook, error)
            if over:
                return None
        return self._end()

    def _end(self) -> None:
        if not self._allowed:
            return self._reply(False, NOT_AUTHORIZED, "nobody vouches for this client")
        return self._allow()

    def _allow(self) -> None:
        terms = self._terms
        ttl = terms.ttl or 0.0
        if self._remember is not None and ttl > 0:
            self._remember(terms)
        return self._reply(True, qos=terms.qos, user=terms.user, ttl=ttl)

    def _go_on_later(self, place: int, opinion: Coroutine[Any, Any, Any]) -> None:
        """Let a coroutine give the opinion, and ask the hooks behind it when it has."""
        hook = self._pairs[place][0]
        watch = hook.watched()
        watch.__enter__()

        def answered(future: Future[Any]) -> None:
            watch.__exit__(None, None, None)
            try:
                over = self._is_over(hook, future.result())
            except BaseException as error:
                return self._deny(hook, error)
            return None if over else self.go(place + 1)

        # Nobody waits for the answer any longer than this.
        self._loop().ask(lambda: opinion, timeout=self._timeout).add_done_callback(answered)

    def _is_over(self, hook: Hook, opinion: object) -> bool:
        """Read an opinion. Say whether the answer is known, and was given."""
        if isinstance(opinion, Deny):
            self._deny(hook, opinion)
            return True
        if opinion is False:
            self._reply(False, _denial_code(hook), None)
            return True
        terms = self._terms
        if hook.spec.name == "on_subscribe" and _is_qos(opinion):
            terms.qos = min(terms.qos, int(str(opinion)))
            terms.hold(0.0)
            return False
        if hook.spec.name == "authenticate" and isinstance(opinion, Identity):
            terms.user = opinion.username
            terms.hold(opinion.ttl)
        elif hook.spec.name in ("authenticate", "authorize") and isinstance(opinion, Allow):
            terms.hold(opinion.ttl)
        elif opinion is None or opinion is True:
            terms.hold(0.0)
        else:
            hook.errors += 1
            # Not the value: it may be the password.
            problem = f"{hook.spec.name} hooks return {_KINDS[hook.spec.name]}, not {type(opinion).__name__}"
            self._failures.failed(hook.name, TypeError(problem))
            self._reply(False, _denial_code(hook), None)
            return True
        if self._first and opinion is not None:
            self._allow()
            return True
        return False

    def _deny(self, hook: Hook, error: BaseException) -> None:
        if isinstance(error, Deny):
            code, text = denial(error)
            try:
                return self._reply(False, code, text)
            except ValueError:  # no reason code has this value
                return self._reply(False, NOT_AUTHORIZED, text)
        hook.errors += 1
        self._failures.failed(hook.name, error)
        return self._reply(False, NOT_AUTHORIZED, None)


_KINDS = {
    "authenticate": "True, False, None, Identity, Allow or Deny",
    "authorize": "True, False, None, Allow or Deny",
    "on_connect": "True, False, None or Deny",
    "on_subscribe": "a QoS, True, False, None or Deny",
}


def _is_qos(opinion: object) -> bool:
    return isinstance(opinion, int) and not isinstance(opinion, bool) and 0 <= opinion <= 2


def _denial_code(hook: Hook) -> int:
    return BAD_USER_NAME_OR_PASSWORD if hook.spec.name == "authenticate" else NOT_AUTHORIZED
