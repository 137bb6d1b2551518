"""From records to rows of the tables."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Table

from ..record import Record, plain
from .tables import Tables

__all__ = ["Rows"]

Row = dict[str, Any]
Values = tuple[Any, ...]
Key = tuple[str, ...]


@dataclass(slots=True)
class Rows:
    """What a batch of records means for each table."""

    events: dict[Table, list[Values]] = field(default_factory=lambda: defaultdict(list))
    """Rows that are added, with values in the order of the table's columns: the many, as plain as can be."""
    states: dict[Table, dict[Key, Row]] = field(default_factory=dict)
    """Rows that take the place of what was there, by key, unless that is newer."""
    removed: dict[Table, dict[Key, int]] = field(default_factory=dict)
    """Keys of rows that are removed, and when that was."""

    @classmethod
    def of(cls, records: Iterable[Record], tables: Tables) -> Rows:
        """Return the rows of some records. What a later one says of the same thing is what counts."""
        rows = cls()
        received, sent = rows.events[tables.received], rows.events[tables.sent]
        for record in records:
            at = round(record.time * 1_000_000)
            match record.kind:
                case "received":
                    received.append((record.run, record.number, at, record.client_id, *_message(record)))
                    if record.retain:
                        rows._retain(tables.retained, record, at)
                case "sent":
                    packet_id = (record.detail or {}).get("packet_id")
                    sent.append(
                        (record.run, record.number, at, record.client_id, *_message(record), packet_id)
                    )
                case "connected" | "disconnected":
                    rows._connection(tables, record, at)
                case "subscribed":
                    key = (record.client_id, record.topic)
                    names = ("client_id", "filter", "time_us", "qos")
                    rows._set(
                        tables.subscriptions, key, dict(zip(names, (*key, at, record.qos), strict=True))
                    )
                case "unsubscribed":
                    rows._remove(tables.subscriptions, (record.client_id, record.topic), at)
                case "error":
                    rows._add(tables.errors, record, at, _chosen(record, "level", "source", "text").values())
        return rows

    def _connection(self, tables: Tables, record: Record, at: int) -> None:
        names = ("username", "address", "port", "version", "clean_start", "keep_alive", "reason")
        row = _chosen(record, *names)
        self._add(tables.connections, record, at, (record.kind, *row.values()))
        known = {name: row[name] for name in ("username", "address", "version", "reason")}
        connected = record.kind == "connected"
        state = {"client_id": record.client_id, "time_us": at, "connected": connected, **known}
        self._set(tables.clients, (record.client_id,), state)

    def _retain(self, table: Table, record: Record, at: int) -> None:
        if not record.payload:  # that clears the topic [MQTT-3.3.1-6]
            self._remove(table, (record.topic,), at)
            return
        row = {"topic": record.topic, "time_us": at, "client_id": record.client_id}
        self._set(table, (record.topic,), row | {"payload": record.payload, "qos": record.qos})

    def _add(self, table: Table, record: Record, at: int, rest: Iterable[Any]) -> None:
        self.events[table].append((record.run, record.number, at, record.client_id, *rest))

    def _set(self, table: Table, key: Key, row: Row) -> None:
        self.removed.get(table, {}).pop(key, None)
        self.states.setdefault(table, {})[key] = row

    def _remove(self, table: Table, key: Key, at: int) -> None:
        self.states.get(table, {}).pop(key, None)
        self.removed.setdefault(table, {})[key] = at


def _message(record: Record) -> Values:
    properties = json.dumps(plain(record.properties)) if record.properties else None
    return record.topic, record.payload, record.qos, record.retain, properties


def _chosen(record: Record, *names: str) -> Row:
    detail = record.detail or {}
    return {name: detail.get(name) for name in names}
