"""What the native side calls: deciders, pages, and reports of what hooks raised."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from typing import Any

from ._hookmq import Client, PageReply, StepReply, VerdictReply
from .aio import EventLoop
from .exchanges import NOT_AUTHORIZED, Exchanges, denial
from .failures import FailureLog
from .hooks import Deny, Hook
from .web import Request, Response, Routes
from .web.request import BadBody, decode_path

__all__ = ["Callbacks"]

_log = logging.getLogger("hookmq")
_clients_log = logging.getLogger("hookmq.clients")

BAD_USER_NAME_OR_PASSWORD = 0x86


class Callbacks:
    """The functions that native threads call. None of them raises: what goes wrong is reported and denied.

    An answer is given by calling ``reply``, which an asynchronous hook does later; a reply that is dropped
    denies.
    """

    def __init__(self, routes: Routes, loop: Callable[[], EventLoop], failures: FailureLog) -> None:
        self.authenticators: list[Hook] = []
        self.authorizers: list[Hook] = []
        self.exchanges = Exchanges(loop, failures)
        self._routes = routes
        self._loop = loop
        self._failures = failures

    def failed(self, name: str, error: BaseException) -> None:
        """Report what a hook raised."""
        self._failures.failed(name, error)

    def dropped(self, name: str, events: int) -> None:
        """Report events that a hook was too slow for."""
        self._failures.dropped(name, events)

    def log(self, client_id: str | None, warning: bool, text: str) -> None:
        """Log a notice about a client, or about the broker itself."""
        if client_id is None:
            _log.log(logging.WARNING if warning else logging.INFO, "%s", text)
        else:
            _clients_log.info("%s %s", repr(client_id) if client_id else "a client", text)

    def authenticate(self, client: Client, vouched: bool, reply: VerdictReply) -> None:
        """Ask the ``authenticate`` hooks in their order until one has an opinion.

        With no opinion from anyone a client may in if somebody else has ``vouched`` for it.
        """
        self._ask(list(self.authenticators), (client,), reply, first=True, allowed=vouched)

    def step(self, exchange: int, method: str, client: Client, data: bytes, reply: StepReply) -> None:
        """Give a client's data to the hook of its authentication method."""
        self.exchanges.step(exchange, method, client, data, reply)

    def forget(self, exchange: int) -> None:
        """Forget an enhanced authentication that is over."""
        self.exchanges.forget(exchange)

    def authorize(
        self, client: Client, action: str, topic: str, qos: int, retain: bool, reply: VerdictReply
    ) -> None:
        """Ask the ``authorize`` hooks until one denies."""
        arguments = (client, action, topic, qos, retain)
        self._ask(list(self.authorizers), arguments, reply, first=False, allowed=True)

    def _ask(
        self,
        hooks: Sequence[Hook],
        arguments: tuple[Any, ...],
        reply: VerdictReply,
        *,
        first: bool,
        allowed: bool,
    ) -> None:
        """Ask hooks one after the other; the first opinion counts if ``first``, else the first denial.

        ``allowed`` is the answer if nobody has an opinion.
        """
        for index, hook in enumerate(hooks):
            hook.calls += 1
            try:
                opinion = hook.function(*arguments[: hook.positional])
            except BaseException as error:
                return self._deny(hook, error, reply)
            if isinstance(opinion, Coroutine):
                return self._go_on_later(
                    hooks, index, opinion, arguments, reply, first=first, allowed=allowed
                )
            verdict = self._verdict(hook, opinion, reply)
            if verdict is False:
                return None
            if verdict is True and first:
                return reply(True)
        return reply(True) if allowed else reply(False, NOT_AUTHORIZED, "nobody vouches for this client")

    def _go_on_later(
        self,
        hooks: Sequence[Hook],
        index: int,
        opinion: Coroutine[Any, Any, Any],
        arguments: tuple[Any, ...],
        reply: VerdictReply,
        *,
        first: bool,
        allowed: bool,
    ) -> None:
        """Let a coroutine give the opinion, and ask the hooks behind it when it has."""
        hook = hooks[index]

        def answered(future: Future[Any]) -> None:
            try:
                verdict = self._verdict(hook, future.result(), reply)
            except BaseException as error:
                return self._deny(hook, error, reply)
            if verdict is False:
                return None
            if verdict is True and first:
                return reply(True)
            return self._ask(hooks[index + 1 :], arguments, reply, first=first, allowed=allowed)

        self._loop().ask(lambda: opinion).add_done_callback(answered)

    def _verdict(self, hook: Hook, opinion: object, reply: VerdictReply) -> bool | None:
        """Return an opinion; a denial, and what is no opinion at all, is answered here."""
        if opinion is None or opinion is True:
            return opinion
        if opinion is not False:
            hook.errors += 1
            # Not the value: it may be the password.
            problem = f"{hook.spec.name} hooks return True, False or None, not {type(opinion).__name__}"
            self._failures.failed(hook.name, TypeError(problem))
        reply(False, _denial_code(hook), None)
        return False

    def _deny(self, hook: Hook, error: BaseException, reply: VerdictReply) -> None:
        if isinstance(error, Deny):
            code, text = denial(error)
            try:
                return reply(False, code, text)
            except ValueError:  # no reason code has this value
                return reply(False, NOT_AUTHORIZED, text)
        hook.errors += 1
        self._failures.failed(hook.name, error)
        return reply(False, NOT_AUTHORIZED, None)

    def page(
        self,
        method: str,
        path: str,
        query: str,
        headers: list[tuple[str, str]],
        body: bytes,
        address: str,
        reply: PageReply,
    ) -> None:
        """Answer an HTTP request."""
        request = Request(method, decode_path(path), query, dict(headers), body, address)
        name = "the pages"
        try:
            name, call, response = self._routes.find(request)
            value = response if call is None else call()
        except BaseException as error:
            return self._page_failed(name, error, reply)
        if not isinstance(value, Coroutine):
            return self._page_answered(name, method, lambda: value, reply)
        coroutine = value
        future = self._loop().ask(lambda: coroutine)
        future.add_done_callback(lambda done: self._page_answered(name, method, done.result, reply))
        return None

    def _page_answered(self, name: str, method: str, result: Callable[[], object], reply: PageReply) -> None:
        try:
            response = Response.of(result())
            # The answer to HEAD is that to GET without its body.
            reply(response.status, response.header_pairs(), b"" if method == "HEAD" else response.body)
        except BaseException as error:
            self._page_failed(name, error, reply)

    def _page_failed(self, name: str, error: BaseException, reply: PageReply) -> None:
        if isinstance(error, BadBody):
            response = Response(f"{error}\n", status=400, content_type="text/plain; charset=utf-8")
        else:
            self._failures.failed(name, error)
            response = Response("the page failed; the broker's log says why\n", status=500)
        reply(response.status, response.header_pairs(), response.body)


def _denial_code(hook: Hook) -> int:
    return BAD_USER_NAME_OR_PASSWORD if hook.spec.name == "authenticate" else NOT_AUTHORIZED
