"""From records to rows of the tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Table

from ..record import Record, plain
from .tables import Tables

__all__ = ["Rows"]

Row = dict[str, Any]
Key = tuple[str, ...]


@dataclass(slots=True)
class Rows:
    """What a batch of records means for each table."""

    events: dict[Table, list[Row]] = field(default_factory=dict)
    """Rows that are added."""
    states: dict[Table, dict[Key, Row]] = field(default_factory=dict)
    """Rows that take the place of what was there, by key, unless that is newer."""
    removed: dict[Table, dict[Key, int]] = field(default_factory=dict)
    """Keys of rows that are removed, and when that was."""

    @classmethod
    def of(cls, records: Iterable[Record], tables: Tables) -> Rows:
        """Return the rows of some records. What a later one says of the same thing is what counts."""
        rows = cls()
        for record in records:
            at = round(record.time * 1_000_000)
            match record.kind:
                case "received":
                    rows._add(tables.received, record, at, _message(record))
                    if record.retain:
                        rows._retain(tables.retained, record, at)
                case "sent":
                    detail = record.detail or {}
                    rows._add(
                        tables.sent, record, at, _message(record) | {"packet_id": detail.get("packet_id")}
                    )
                case "connected" | "disconnected":
                    rows._connection(tables, record, at)
                case "subscribed":
                    row = {
                        "client_id": record.client_id,
                        "filter": record.topic,
                        "time_us": at,
                        "qos": record.qos,
                    }
                    rows._set(tables.subscriptions, (record.client_id, record.topic), row)
                case "unsubscribed":
                    rows._remove(tables.subscriptions, (record.client_id, record.topic), at)
                case "error":
                    rows._add(tables.errors, record, at, _chosen(record, "level", "source", "text"))
        return rows

    def _connection(self, tables: Tables, record: Record, at: int) -> None:
        names = ("username", "address", "port", "version", "clean_start", "keep_alive", "reason")
        row = {"event": record.kind, **_chosen(record, *names)}
        self._add(tables.connections, record, at, row)
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

    def _add(self, table: Table, record: Record, at: int, row: Row) -> None:
        named = {"run": record.run, "number": record.number, "time_us": at, "client_id": record.client_id}
        self.events.setdefault(table, []).append(named | row)

    def _set(self, table: Table, key: Key, row: Row) -> None:
        self.removed.get(table, {}).pop(key, None)
        self.states.setdefault(table, {})[key] = row

    def _remove(self, table: Table, key: Key, at: int) -> None:
        self.states.get(table, {}).pop(key, None)
        self.removed.setdefault(table, {})[key] = at


def _message(record: Record) -> Row:
    return {
        "topic": record.topic,
        "payload": record.payload,
        "qos": record.qos,
        "retain": record.retain,
        "properties": plain(record.properties) if record.properties else None,
    }


def _chosen(record: Record, *names: str) -> Row:
    detail = record.detail or {}
    return {name: detail.get(name) for name in names}
