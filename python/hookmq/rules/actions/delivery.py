"""Actions that wait for somebody else: results are carried by a courier, and tried again."""

from __future__ import annotations

import abc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...connectors.connector import Connector, Rejection
from ...connectors.record import Record
from .action import Action, Option
from .result import Result

if TYPE_CHECKING:
    from ...connectors.courier import Courier
    from ...execution.aio import EventLoop

__all__ = ["RETRYING", "Context", "CourierAction", "Delivery", "Patience"]

DAY = 86_400.0

RETRYING = (
    Option("retries", "int", "Attempts after the first; as many as `give_up` allows if it is left out."),
    Option(
        "give_up",
        "duration",
        "Age at which a result that could not be delivered goes to the dead letters.",
        DAY,
        minimum=0.001,
    ),
    Option("queue_rows", "int", "Results that wait in memory.", 10_000, minimum=1),
    Option("spool_bytes", "size", "Bytes that wait on disk.", 64 << 20, minimum=1),
)
"""What every action that is carried by a courier can be told."""


@dataclass(frozen=True, slots=True)
class Context:
    """What an action may need of its broker."""

    storage_url: str | None
    """``storage.url`` of the settings."""
    event_loop: Callable[[], EventLoop]
    courier_of: Callable[[str], Courier]
    """The courier of a connector. Raises E508 if there is none of that name."""


class CourierAction(Action):
    """An action whose results a courier of its own carries."""

    @abc.abstractmethod
    def delivery(self, name: str, context: Context) -> Delivery:
        """Return what delivers them, under a name."""

    @property
    def patience(self) -> Patience:
        """How often a delivery is tried, and for how long."""
        return Patience(self.options["retries"], self.options["give_up"])


@dataclass(frozen=True, slots=True)
class Patience:
    """How often something is tried again, ``None`` for without a bound, and for how many seconds."""

    retries: int | None = None
    give_up: float = DAY


class Delivery(Connector):
    """Delivers results one by one; what cannot be delivered in time, or so often, is rejected.

    Args:
        name: of its courier.
        patience: when it gives up.
        batch_rows: results in one call of :meth:`write`.
    """

    def __init__(self, name: str, patience: Patience, *, batch_rows: int = 1) -> None:
        super().__init__(name=name, batch_rows=batch_rows, batch_delay=0.0 if batch_rows == 1 else 0.05)
        self._patience = patience
        self._tried: tuple[str, int] = ("", 0)

    def deliver(self, result: Result, record: Record) -> None:
        """Deliver one result. Raises what :meth:`is_rejection` is true of if it never will be."""
        raise NotImplementedError

    def write(self, records: Sequence[Record], *, again: bool) -> Sequence[Rejection] | None:
        """Deliver the results."""
        rejected = []
        for record in records:
            try:
                self.deliver(Result.of(record), record)
            except Exception as error:
                if self.is_rejection(error):
                    rejected.append(Rejection(record, self.reason(error)))
                elif (why := self.gives_up(record)) is not None:
                    rejected.append(Rejection(record, f"{self.reason(error)}; given up {why}"))
                else:
                    raise
        return rejected

    def gives_up(self, record: Record) -> str | None:
        """Count an attempt that failed; say why there is no other, if there is none."""
        name, count = self._tried
        count = count + 1 if name == record.id else 1
        self._tried = record.id, count
        if self._patience.retries is not None and count > self._patience.retries:
            return "after one attempt" if count == 1 else f"after {count} attempts"
        if (age := time.time() - record.time) > self._patience.give_up:
            return f"after {age:.0f} s"
        return None
