"""From a broker's hooks to a connector: one that was given to ``broker.send_to``."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ..log import logger
from ..message import Client, Message  # hooks read annotations
from .connector import Connector
from .courier import Courier
from .health import ConnectorInfo
from .record import KINDS, Kind, Numbers, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Feed"]

ACKS = ("received", "stored")


class Feed:
    """One connector of a broker: its courier and the hooks that bring it records.

    Args:
        connector: where to.
        filter: which messages.
        events: what is recorded, of :data:`~hookmq.connectors.record.KINDS`.
        ack: ``"stored"`` holds the publisher's PUBACK or PUBREC back until the message is in the service or,
            while that is away, in the spool on disk; ``"received"`` does not.
        limits: ``queue_rows``, ``queue_bytes``, ``spool_bytes`` and ``patience`` of
            :class:`~hookmq.connectors.Courier`.

    Raises:
        ValueError: for an event or an ``ack`` that there is not.
    """

    def __init__(
        self,
        connector: Connector,
        filter: str = "#",
        *,
        events: Sequence[str] = ("received",),
        ack: str = "received",
        **limits: Any,
    ) -> None:
        if unknown := [event for event in events if event not in KINDS]:
            raise ValueError(f"there is no event {unknown[0]!r}; there are {', '.join(KINDS)}")
        if ack not in ACKS:
            raise ValueError(f"ack is 'received' or 'stored', not {ack!r}")
        self.connector = connector
        self.filter = filter
        self.events = tuple(events)
        self.courier = Courier(connector, **limits)
        self._limits = limits
        self._promised = ack == "stored"
        self._numbers = Numbers()
        self._log: _LogFeed | None = None

    @property
    def name(self) -> str:
        """The connector's."""
        return self.connector.name

    def info(self) -> ConnectorInfo:
        """How it is."""
        return self.courier.info()

    def register(self, broker: Any) -> None:
        """Add the hooks. Each has the connector's name, and a lane of its own where much comes."""
        name = self.name
        if "received" in self.events:
            broker.on_batch(
                self.filter,
                name=name,
                max_rows=self.connector.batch_rows,
                # Who waits for the acknowledgement waits for nobody else: what comes meanwhile makes the next
                # batch.
                max_delay=0.0 if self._promised else self.connector.batch_delay,
                ack="after_hook" if self._promised else None,
            )(self._take_batch)
        if "sent" in self.events:
            broker.on_message_sent(self.filter, name=f"{name}-sent", threads=1)(self._take_sent)
        for event, decorate, take in (
            ("connected", broker.on_client_connected, self._connected),
            ("disconnected", broker.on_client_disconnected, self._disconnected),
            ("subscribed", broker.on_subscribed, self._subscribed),
            ("unsubscribed", broker.on_unsubscribed, self._unsubscribed),
        ):
            if event in self.events:
                decorate(name=f"{name}-{event}")(take)

    def start(self, broker: Any, data_dir: Path | None) -> None:
        """Begin to write. Raises E603 for what no waiting mends."""
        if data_dir is not None:
            self.courier.directory = data_dir / "connectors" / self.name
        self.courier.start()
        if "error" in self.events:
            self._log = _LogFeed(self._error)
            logger().addHandler(self._log)

    def check(self) -> None:
        """Find what no waiting mends. Raises E603."""
        self.connector.check()

    def pair(self, before: Any) -> None:
        """Take the courier of another whose connector is the same, before any hook is called."""
        if self._is_like(before):
            self.courier, self._log = before.courier, before._log

    def take_over(self, before: Any, broker: Any, data_dir: Path | None, grace: float) -> None:
        """Go on in the place of another, with its courier if the connector is the same."""
        if isinstance(before, Feed) and self.courier is before.courier:
            before._log = None
            return
        if isinstance(before, Feed):
            # Hooks of the old code may still have something: it waits until both cannot use one spool.
            before.courier.successor = self.courier
        before.stop(grace)
        self.start(broker, data_dir)

    def _is_like(self, other: object) -> bool:
        if not isinstance(other, Feed):
            return False
        return self._made_of() == other._made_of()

    def _made_of(self) -> tuple[object, ...]:
        # A class that was loaded anew is another object.
        kind = type(self.connector)
        return (
            kind.__module__,
            kind.__qualname__,
            self.connector.made_with,
            self._limits,
            "error" in self.events,
        )

    def stop(self, grace: float) -> None:
        """Write what waits, for at most so many seconds."""
        if self._log is not None:
            logger().removeHandler(self._log)
            self._log = None
        self.courier.stop(grace)

    # Hooks ----------------------------------------------------------------------------------------------

    def _take_batch(self, rows: list[Message]) -> None:
        run, number = self._numbers.run, self._numbers.next
        records = [
            Record(
                run,
                number(),
                "received",
                row.timestamp,
                row.client_id,
                row.topic,
                row.payload,
                row.qos,
                row.retain,
                row.properties or None,
            )
            for row in rows
        ]
        self.courier.put(records, promised=self._promised)

    def _take_sent(self, message: Message) -> None:
        detail = None if message.packet_id is None else {"packet_id": message.packet_id}
        record = Record(
            self._numbers.run,
            self._numbers.next(),
            "sent",
            time.time(),
            message.client_id,
            message.topic,
            message.payload,
            message.qos,
            message.retain,
            message.properties or None,
            detail,
        )
        self.courier.put((record,))

    def _connected(self, client: Client) -> None:
        self._put("connected", client, detail=_describe(client))

    def _disconnected(self, client: Client, reason: str) -> None:
        self._put("disconnected", client, detail={**_describe(client), "reason": reason})

    def _subscribed(self, client: Client, filter: str, qos: int) -> None:
        self._put("subscribed", client, topic=filter, qos=qos)

    def _unsubscribed(self, client: Client, filter: str) -> None:
        self._put("unsubscribed", client, topic=filter)

    def _error(self, line: logging.LogRecord) -> None:
        text = line.getMessage().encode(errors="backslashreplace").decode()
        detail = {"level": line.levelname.lower(), "source": line.name, "text": text}
        record = Record(0, 0, "error", line.created, detail=detail)
        self.courier.put((self._numbers.name(record),))

    def _put(self, kind: Kind, client: Client, **fields: Any) -> None:
        record = Record(0, 0, kind, time.time(), client.client_id, **fields)
        self.courier.put((self._numbers.name(record),))


class _LogFeed(logging.Handler):
    """Hands warnings and errors of the broker's log on."""

    def __init__(self, take: Callable[[logging.LogRecord], None]) -> None:
        super().__init__(logging.WARNING)
        self._take = take

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._take(record)
        except Exception:  # nobody can be told of it but the log
            self.handleError(record)


def _describe(client: Client) -> dict[str, Any]:
    return {
        "username": client.username,
        "address": client.address,
        "port": client.port,
        "version": client.version,
        "clean_start": client.clean_start,
        "keep_alive": client.keep_alive,
    }
