"""What the native side calls: deciders, pages, and reports of what hooks raised."""

from __future__ import annotations

import sys
from collections.abc import Callable

from ..log import logger
from .exchanges import Exchanges
from .remembered import Remembered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._hookmq import Asking as NativeAsking
    from .._hookmq import Client, Message, StepReply, TransformReply, VerdictReply
    from ..execution.aio import EventLoop
    from .asking import Pairs, Terms
    from .failures import FailureLog
    from .hook import Hook

__all__ = ["Callbacks"]

PAYLOAD_FORMAT_INVALID = 0x99


class Callbacks:
    """The functions that native threads call. None of them raises: what goes wrong is reported and denied.

    ``page`` answers an HTTP request. What only deciders need is imported when one is asked.
    """

    def __init__(
        self, page: Callable[..., None], loop: Callable[[], EventLoop], failures: FailureLog
    ) -> None:
        self.page = page
        self.deciders: dict[str, list[Hook]] = {
            kind: [] for kind in ("authenticate", "on_connect", "authorize", "on_subscribe")
        }
        self.exchanges = Exchanges(loop, failures)
        self.remembered = Remembered()
        self.decision_timeout: float | None = None
        """Seconds after which nobody waits for a decider's answer any more."""
        self._loop = loop
        self._failures = failures

    @property
    def asks_who_it_is(self) -> bool:
        """Whether there are hooks that ask a client who it is."""
        return bool(self.deciders["authenticate"] or self.exchanges.hooks)

    def hooks_of(self, kind: str) -> list[Hook] | None:
        """Return the list of deciders of a kind that is asked from here; ``None`` for other kinds."""
        return self.exchanges.hooks if kind == "enhanced_authenticate" else self.deciders.get(kind)

    # Reports --------------------------------------------------------------------------------------------

    def failed(self, name: str, error: BaseException) -> None:
        """Report what a hook raised."""
        self._failures.failed(name, error)

    def dropped(self, name: str, events: int) -> None:
        """Report events that a hook was too slow for."""
        self._failures.dropped(name, events)

    def log(self, client_id: str | None, warning: bool, text: str) -> None:
        """Log a notice about a client, or about the broker itself."""
        if client_id is None:
            write = logger().warning if warning else logger().info
            write("%s", text)
        else:
            client = repr(client_id) if client_id else "a client"
            logger("hookmq.clients").info("%s %s", client, text)

    # Deciders -------------------------------------------------------------------------------------------

    def authenticate(self, client: Client, vouched: bool, reply: VerdictReply) -> None:
        """Ask the ``authenticate`` hooks in their order until one has an opinion.

        With no opinion from anyone a client may in if somebody else has ``vouched`` for it.
        """
        key, generation = self.remembered.key(client), self.remembered.generation
        if (known := self.remembered.recall(key)) is not None:
            return reply(True, user=known[0])

        def remember(terms: Terms) -> None:
            self.remembered.remember(key, terms.ttl or 0.0, terms.user, generation)

        pairs = [(hook, (client,)) for hook in self.deciders["authenticate"]]
        return self._ask(pairs, reply, first=True, allowed=vouched, remember=remember)

    def greet(self, client: Client, reply: VerdictReply) -> None:
        """Ask the ``on_connect`` hooks until one refuses."""
        self._ask([(hook, (client,)) for hook in self.deciders["on_connect"]], reply)

    def authorize(
        self, client: Client, action: str, topic: str, qos: int, retain: bool, reply: VerdictReply
    ) -> None:
        """Ask the ``authorize`` hooks until one denies; of a subscription, the ``on_subscribe`` hooks too."""
        arguments = (client, action, topic, qos, retain)
        pairs: list[tuple[Hook, tuple[Any, ...]]] = [(hook, arguments) for hook in self.deciders["authorize"]]
        if action == "subscribe":
            pairs += [(hook, (client, topic, qos)) for hook in self.deciders["on_subscribe"]]
        self._ask(pairs, reply)

    def _ask(
        self,
        pairs: Pairs,
        reply: VerdictReply,
        *,
        first: bool = False,
        allowed: bool = True,
        remember: Callable[[Terms], None] | None = None,
    ) -> None:
        from .asking import Asking

        Asking(
            pairs,
            reply,
            first=first,
            allowed=allowed,
            loop=self._loop,
            failures=self._failures,
            timeout=self.decision_timeout,
            remember=remember,
        ).go()

    def step(self, exchange: int, method: str, client: Client, data: bytes, reply: StepReply) -> None:
        """Give a client's data to the hook of its authentication method."""
        self.exchanges.step(exchange, method, client, data, reply)

    def forget(self, exchange: int) -> None:
        """Forget an enhanced authentication that is over."""
        self.exchanges.forget(exchange)

    def transform(
        self,
        questions: list[tuple[Message, list[NativeAsking]]],
        client: Client,
        reply: TransformReply,
    ) -> None:
        """Ask ``transform`` hooks of which some are coroutines, on the event loop."""
        from .later import transform

        # The native side waits as long as there is progress.
        most = None if self.decision_timeout is None else self.decision_timeout * len(questions)
        self._loop().ask(lambda: transform(questions, client, reply, self.denial), timeout=most)

    @staticmethod
    def outcome(message: Message, returned: object) -> list[Message]:
        """Read what a hook that decides about a message returned.

        This one raises: the caller asks :meth:`denial`.
        """
        from .transforms import outcome

        return outcome(message, returned)

    def denial(self, name: str, error: BaseException) -> tuple[int, str] | None:
        """Read what such a hook raised: a reason code and words; ``None`` if it failed, which is reported."""
        from ..decisions import Deny
        from .exchanges import denial

        if isinstance(error, Deny):
            return denial(error)
        if _is_invalid_payload(error):
            return PAYLOAD_FORMAT_INVALID, str(error)
        self._failures.failed(name, error)
        return None


def _is_invalid_payload(error: BaseException) -> bool:
    typed = sys.modules.get("hookmq.typed.conversion")  # not imported unless a hook needs it
    return typed is not None and isinstance(error, typed.InvalidPayload)
