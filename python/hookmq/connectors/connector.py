"""What a connector is: something that writes records into a service."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

from ..errors import HookMQError
from .record import Record

__all__ = ["Connector", "Rejection", "missing", "redacted", "unusable"]


class Rejection(NamedTuple):
    """A record that the service will never take, and why."""

    record: Record
    reason: str


class Connector(abc.ABC):
    """The base of all connectors: it opens a service, writes batches into it and closes it.

    A connector need not think of threads, retries or files: whoever carries records to it calls :meth:`open`,
    :meth:`write` and :meth:`close` on one thread, one after the other, and tries again what raised. After an
    error :meth:`close` and :meth:`open` come before the next :meth:`write`.

    Args:
        name: what it is called in the log, in counters and in the names of its files.
        batch_rows: records in one call of :meth:`write`, at most.
        batch_delay: seconds that a record waits for others, at most.

    ```python
    class Print(Connector):
        kind = "print"

        def write(self, records, *, again):
            for record in records:
                print(record.topic, record.payload)

    broker.send_to(Print(), "plant/#")
    ```
    """

    kind: str = "connector"
    """What it is, in one word, as ``hookmq.toml`` names it."""

    made_with: tuple[tuple[Any, ...], dict[str, Any]]
    """Its arguments: one that new code makes with the same goes on where the old one was."""

    def __new__(cls, *arguments: Any, **options: Any) -> Self:
        """Remember the arguments."""
        made = super().__new__(cls)
        made.made_with = arguments, options
        return made

    def __init__(self, *, name: str | None = None, batch_rows: int = 1000, batch_delay: float = 0.05) -> None:
        if batch_rows < 1:
            raise ValueError(f"batch_rows is at least 1, not {batch_rows}")
        if batch_delay < 0:
            raise ValueError(f"batch_delay is a number of seconds, not {batch_delay}")
        self.name = name or self.kind
        self.batch_rows = batch_rows
        self.batch_delay = batch_delay

    def check(self) -> None:  # noqa: B027 - most connectors have nothing that they could find so early
        """Find, before the broker starts, what no waiting mends: a missing library, a wrong address.

        Raises:
            HookMQError: E603.
        """

    def open(self) -> None:  # noqa: B027
        """Connect. Raises what the client library raises when the service is away."""

    @abc.abstractmethod
    def write(self, records: Sequence[Record], *, again: bool) -> Sequence[Rejection] | None:
        """Write all of the records, in this order.

        Args:
            records: at least one, at most ``batch_rows``.
            again: whether some of them may have been written before: they must not be there twice then.
                Records have names for that (:attr:`Record.id`).

        Returns:
            Those that the service will never take, if it says which.

        Raises:
            Exception: what :meth:`is_rejection` is true of if it is about the records; anything else means
                that the service is away, and that all of them are to be written again.
        """

    def idle(self) -> None:  # noqa: B027
        """Called now and then while there is nothing to write, and between batches: to tidy up, briefly."""

    def abort(self) -> None:  # noqa: B027
        """Make a :meth:`write` that hangs raise. Called from another thread; the only method that is."""

    def close(self) -> None:  # noqa: B027
        """Let go of the connection; also after an error, when there may be none. Should not wait long."""

    def is_rejection(self, error: Exception) -> bool:
        """Whether an error of :meth:`write` is about a record and not about the service.

        Then each half of the records is written apart until the one is found, which goes to the dead letters.
        """
        return isinstance(error, ValueError | TypeError | OverflowError)

    def describe(self) -> str:
        """Say where it writes to, without secrets: for the log and the dashboard."""
        return self.kind

    def reason(self, error: BaseException) -> str:
        """Say what is wrong in one line without secrets."""
        return " ".join(str(error).split()) or type(error).__name__

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {self.describe()}>"


def missing(kind: str, extra: str, error: ModuleNotFoundError) -> HookMQError:
    """Return the error for a library that is not installed."""
    return HookMQError(
        "E603",
        name=kind,
        reason=f"the module `{error.name}` is not installed",
        help=f"install it:   pip install 'hookmq[{extra}]'",
    )


def unusable(connector: Connector, reason: str, help: str = "") -> HookMQError:
    """Return the error for options that cannot be."""
    return HookMQError("E603", name=connector.name, reason=reason, help=help)


def redacted(text: str, *secrets: Any) -> str:
    """Return a text without the secrets in it."""
    for secret in secrets:
        if secret:
            text = text.replace(str(secret), "***")
    return text
