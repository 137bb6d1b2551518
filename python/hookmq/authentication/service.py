"""What all authentication services have in common: how they are asked, and what becomes of answers."""

from __future__ import annotations

import abc
import asyncio
import threading
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, TypedDict, Unpack

from ..decisions import Allow, Deny, Identity
from ..errors import HookMQError
from ..log import logger
from .answers import Answers
from .breaker import Breaker
from .expiry import Expiries
from .lease import Lease
from .trouble import LOG, Failure, Outage, Troubles, where_raised
from .workers import Busy, Workers

if TYPE_CHECKING:
    from .._hookmq import Client

__all__ = ["Answer", "AuthenticationService", "ServiceOptions", "bad_login", "number"]

Answer: TypeAlias = "Identity | Allow | Deny | None"
"""What a service says of a client; ``None`` is no opinion, and the next one is asked."""

BAD_USER_NAME_OR_PASSWORD, NOT_AUTHORIZED, SERVER_UNAVAILABLE, SERVER_BUSY = 0x86, 0x87, 0x88, 0x89

COUNTERS = ("asked", "allowed", "refused", "failed", "short_circuited")


class ServiceOptions(TypedDict, total=False):
    """What every service can be told.

    Attributes:
        name: what it is called as a hook and in the log; its kind by default.
        ttl: seconds that a yes holds: who comes again with the same credentials is let in without a question.
        negative_ttl: seconds that a no holds, so that a wrong password in a loop does not hammer the service.
        final: whether its no is the last word. With ``False`` the next service or hook is asked about clients
            that this one refuses. A service that is down refuses in any case.
        failures: outages in a row after which it is left alone; 0 never leaves it alone.
        pause: seconds for which it is left alone. Clients are refused at once meanwhile; then one is a trial.
        threads: how many clients may wait for the service at a time; others wait for them.
        patience: seconds that a client waits at most. Less than ``hooks.decision_timeout`` (5 s), so that it
            is the service that is blamed.
    """

    name: str | None
    ttl: float
    negative_ttl: float
    final: bool
    failures: int
    pause: float
    threads: int
    patience: float


class AuthenticationService(abc.ABC):
    """The base of all services: an ``authenticate`` hook that asks somebody, and fails closed.

    A service of your own implements :meth:`check`, and need not think of caches, breakers and threads:

    ```python
    class Registry(AuthenticationService):
        kind = "registry"

        def check(self, client):
            device = lookup(client.username, client.password)  # raises Outage when it cannot
            return Identity(device.name, ttl=self.ttl) if device else Deny("unknown device", code=0x86)

    broker.authenticate_with(Registry(ttl=60))
    ```

    Attributes:
        asked: clients it was asked about.
        allowed, refused: what it said of them, from memory or not. The rest it had no opinion of.
        failed: clients that were refused because the service was out of reach, or its answer meant nothing.
        short_circuited: clients that were refused without asking it, because it was down or too much waited.
    """

    kind: ClassVar[str] = "service"
    """What it is, in one word, as ``hookmq.toml`` names it."""

    waits: ClassVar[bool] = True
    """Whether :meth:`check` waits for somebody, and so is called on threads of its own."""

    leases: ClassVar[bool] = False
    """Whether what it allows may have an end, see :class:`Lease`."""

    defaults: ClassVar[ServiceOptions] = {}
    """Where it differs from the defaults of all: no ``ttl``, 3 s of ``negative_ttl``."""

    def __init__(self, **options: Unpack[ServiceOptions]) -> None:
        given: ServiceOptions = {**type(self).defaults, **options}
        self.name = given.get("name") or self.kind
        self.ttl = number("ttl", given.get("ttl", 0.0))
        self.negative_ttl = number("negative_ttl", given.get("negative_ttl", 3.0))
        self.final = bool(given.get("final", True))
        self.threads = int(number("threads", given.get("threads", 8), least=1))
        self.patience = number("patience", given.get("patience", 4.0), least=0.001)
        self.asked = self.allowed = self.refused = self.failed = self.short_circuited = 0
        self._counting = threading.Lock()
        self._answers = Answers()
        self._breaker = Breaker(
            failures=int(number("failures", given.get("failures", 5))),
            pause=number("pause", given.get("pause", 10.0), least=0.001),
        )
        self._workers = Workers(self.name, threads=self.threads)
        self._troubles = Troubles(self.name)
        self._broker: Any = None

    # For services ---------------------------------------------------------------------------------------

    @abc.abstractmethod
    def check(self, client: Client) -> Answer:
        """Ask about a client, on any thread.

        Returns:
            :class:`~hookmq.Identity` or :class:`~hookmq.Allow` to let it in, with ``ttl=self.ttl`` if that
            may be remembered; :class:`Lease` if it may stay until a moment; :class:`~hookmq.Deny` to refuse
            it, which may be raised as well; ``None`` for no opinion.

        Raises:
            Outage: if nobody can be asked now.
            Failure: if the answer means nothing.
        """

    def concerns(self, client: Client) -> bool | Deny:
        """Say, without asking anybody, whether it has an opinion about a client; ``False`` is none.

        A :class:`~hookmq.Deny` refuses it at once.
        """
        return True

    def shown(self, client: Client) -> tuple[object, ...]:
        """Return all that an answer depends on."""
        return client.username, client.password_bytes

    def waits_for(self, client: Client) -> bool:
        """Say whether :meth:`check` would wait for somebody."""
        return self.waits

    def describe(self) -> str:
        """Say whom it asks, without secrets: for the log and the dashboard."""
        return self.kind

    def opened(self) -> None:  # noqa: B027 - most services have nothing to do then
        """Called when the broker starts; it serves already."""

    def closed(self) -> None:  # noqa: B027
        """Called when the broker stops, and nobody asks any more: let go of connections."""

    # Life -----------------------------------------------------------------------------------------------

    def attach(self, broker: Any) -> None:
        """Note for which broker it decides."""
        self._broker = broker

    def start(self, broker: Any) -> None:
        """Begin, when the broker starts. What it has learnt before is forgotten."""
        self.attach(broker)
        self._answers.forget()
        self._breaker.answered()
        self._workers.start()
        self.opened()

    def stop(self) -> None:
        """End its threads and let go of its connections, when the broker stops."""
        self._workers.stop()
        self.closed()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {self.describe()}>"

    @property
    def counters(self) -> dict[str, int]:
        """The five counters by name."""
        return {name: getattr(self, name) for name in COUNTERS}

    # Deciding -------------------------------------------------------------------------------------------

    def __call__(self, client: Client) -> Answer | Coroutine[Any, Any, Answer]:
        """Decide about a client, as an ``authenticate`` hook: at once, or by a coroutine that waits."""
        key = self._key(client)
        if (known := self._at_once(client, key)) is not _ASK:
            return known  # type: ignore[return-value]
        if not self.waits_for(client):
            return self._ask(client, key)
        return self._elsewhere(client, key)

    def decide(self, client: Client) -> Answer:
        """Decide about a client, and wait for that."""
        key = self._key(client)
        known = self._at_once(client, key)
        return self._ask(client, key) if known is _ASK else known  # type: ignore[return-value]

    def _key(self, client: Client) -> bytes:
        """Return what its answers are kept under; nothing if none is ever kept."""
        keeps = self.negative_ttl > 0 or (self.leases and self.ttl > 0)
        return self._answers.key(self.shown(client)) if keeps else b""

    def _at_once(self, client: Client, key: bytes) -> object:
        """Return the answer if the service need not be asked for it, else ``_ASK``."""
        self._count("asked")
        concerned = self.concerns(client)
        if isinstance(concerned, Deny):
            return self._refuse(concerned)
        if not concerned:
            return None
        known = self._answers.recall(key) if key else None
        if isinstance(known, Deny):
            return self._refuse(known)
        if known is not None:
            return self._allow(client, known)
        if not self._breaker.admits():
            self._count("short_circuited")
            return _unavailable()
        return _ASK

    def _ask(self, client: Client, key: bytes) -> Answer:
        try:
            answer = self.check(client)
        except Deny as denial:
            # Without its traceback, which would keep the client's password alive.
            answer = denial.with_traceback(None)
        except Outage as outage:
            self._breaker.failed()
            return self._fail(str(outage), down=True)
        except Failure as failure:
            self._breaker.answered()
            return self._fail(str(failure))
        except HookMQError as error:  # a library that only some answers need
            self._breaker.answered()
            return self._fail(" ".join(filter(None, (error.message, error.help))))
        except Exception as error:
            self._breaker.answered()
            return self._fail(where_raised(error))
        self._breaker.answered()
        self._troubles.over()
        if answer is None:
            return None
        if isinstance(answer, Deny):
            self._answers.keep(key, answer, self.negative_ttl)
            return self._refuse(answer)
        if isinstance(answer, Lease):
            self._answers.keep(key, answer, answer.ttl)
        elif not isinstance(answer, Identity | Allow):
            return self._fail(f"it answered with {type(answer).__name__}, which means nothing")
        return self._allow(client, answer)

    async def _elsewhere(self, client: Client, key: bytes) -> Answer:
        """Ask on the service's own threads, and wait no longer than ``patience``."""
        try:
            asking = self._workers.submit(lambda: self._ask(client, key))
            return await asyncio.wait_for(asyncio.wrap_future(asking), self.patience)
        except TimeoutError:
            self._breaker.failed()
            return self._fail(f"no answer within {self.patience:g} s", down=True)
        except Busy:
            self._count("short_circuited")
            return Deny("too many clients wait to be authenticated", code=SERVER_BUSY)

    def _allow(self, client: Client, answer: Identity | Allow) -> Answer:
        self._count("allowed")
        if not isinstance(answer, Lease):
            return answer
        if self._broker is None:
            logger(LOG).warning("%s: nobody ends connections; use broker.authenticate_with()", self.name)
        else:
            Expiries.of(self._broker).expect(client, answer.expires)
        # The broker must not remember it: each connection has to be noted anew.
        return Identity(answer.username)

    def _refuse(self, denial: Deny) -> Deny | None:
        self._count("refused")
        return denial if self.final else None

    def _fail(self, cause: str, *, down: bool = False) -> Deny:
        self._count("failed")
        self._troubles.report(cause, down=down)
        return _unavailable()

    def _count(self, counter: str) -> None:
        with self._counting:
            setattr(self, counter, getattr(self, counter) + 1)


_ASK = object()


def _unavailable() -> Deny:
    return Deny("the authentication service is not available", code=SERVER_UNAVAILABLE)


def number(name: str, value: object, *, least: float = 0.0) -> float:
    """Return a number of an option. Raises ``ValueError`` for what is none, or too small.

    >>> number("ttl", 60)
    60.0
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < float("inf"):
        raise ValueError(f"{name} is a number from {least:g} on, not {value!r}")
    return float(value)


def bad_login(reason: str = "bad user name or password") -> Deny:
    """Return the refusal of wrong credentials; it does not say which part of them is wrong."""
    return Deny(reason, code=BAD_USER_NAME_OR_PASSWORD)
