"""What connectors carry: something that happened, with a number that is its own for ever."""

from __future__ import annotations

import base64
import itertools
import json
import math
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple, TypeAlias

__all__ = ["KINDS", "Kind", "Numbers", "Record", "plain", "readable"]

Kind: TypeAlias = Literal[
    "received", "sent", "connected", "disconnected", "subscribed", "unsubscribed", "error"
]
KINDS: tuple[Kind, ...] = (
    "received",
    "sent",
    "connected",
    "disconnected",
    "subscribed",
    "unsubscribed",
    "error",
)
"""What can happen: messages from and to clients, connections, subscriptions, and what went wrong."""


class Record(NamedTuple):
    """One thing that happened.

    ``run`` and ``number`` together are its name: a record that is written again, because nobody knows whether
    it was written before, has the same. So every connector can write a record twice and have it once.

    >>> record = Record(1, 7, "received", 1_650_000_000.5, topic="plant/north/flow", payload=b"100.59")
    >>> record.id, record.text, Record.from_json(record.to_json()) == record
    ('0000000000000001-7', '100.59', True)
    """

    run: int
    """A random number of 63 bits, drawn at each start of the broker."""
    number: int
    """Counts up from 1 in a run."""
    kind: Kind
    time: float
    """When it happened, in Unix seconds."""
    client_id: str = ""
    """Who published or, of what was sent, who it was sent to; empty for the broker itself."""
    topic: str = ""
    """The topic of a message, or the filter of a subscription."""
    payload: bytes = b""
    qos: int = 0
    retain: bool = False
    properties: Mapping[str, Any] | None = None
    """MQTT 5 properties, as :attr:`hookmq.Message.properties` has them."""
    detail: Mapping[str, Any] | None = None
    """What else there is to say, by kind: ``username``, ``address``, ``port``, ``version``, ``clean_start``,
    ``keep_alive`` of a client, the ``reason`` of an end, the ``packet_id`` of what was sent, ``level``,
    ``source`` and ``text`` of an error."""

    @property
    def id(self) -> str:
        """Its name as one text."""
        return f"{self.run:016x}-{self.number}"

    @property
    def text(self) -> str:
        """The payload as CrystalMQ hands it over: as text if it is UTF-8, else as ``repr`` of the bytes."""
        try:
            return self.payload.decode()
        except UnicodeDecodeError:
            return repr(self.payload)

    @property
    def moment(self) -> datetime:
        """When it happened, in UTC."""
        return datetime.fromtimestamp(self.time, UTC)

    @property
    def size(self) -> int:
        """Bytes it takes while it waits, roughly."""
        size = 200 + len(self.topic) + len(self.client_id) + len(self.payload)
        return size + (len(str(self.properties)) if self.properties else 0) + (200 if self.detail else 0)

    def crystalmq(self) -> dict[str, Any]:
        """What CrystalMQ's connectors store: five keys, and ``timestamp`` as the older ones call the last.

        Of what was sent there are ``sent_packetid``, ``retain`` and ``qos`` as well.

        >>> sent = Record(1, 7, "sent", 0.0, "pump", "a", b"1", qos=1, detail={"packet_id": 3})
        >>> sent.crystalmq()["sent_packetid"], sent.crystalmq()["retain"]
        (3, 0)
        """
        local = datetime.fromtimestamp(self.time).strftime("%Y-%m-%d %H:%M:%S")
        sent = {}
        if self.kind == "sent":
            packet_id = (self.detail or {}).get("packet_id") or 0
            sent = {"sent_packetid": packet_id, "retain": int(self.retain), "qos": self.qos}
        return {
            "sender": self.client_id,
            "topic": self.topic,
            "message": self.text,
            "unixtime": int(self.time),
            "datetime": local,
            "timestamp": local,
            **sent,
        }

    def document(self) -> dict[str, Any]:
        """The record as values that JSON knows, for those who store documents.

        ``payload`` is the JSON value if the payload is JSON, else its text, else ``{"$base64": "…"}``; what
        is empty is left out, but for the payload of a message.

        >>> record = Record(1, 7, "received", 0.0, "pump", "plant/flow", b'{"flow": 100.59}', qos=1)
        >>> record.document()["payload"]["flow"]
        100.59
        """
        document: dict[str, Any] = {"id": self.id, "kind": self.kind, "time": self.moment.isoformat()}
        document |= {"client_id": self.client_id}
        if self.topic:
            document["topic"] = self.topic
        if self.kind in ("received", "sent"):
            document |= {"payload": readable(self.payload), "qos": self.qos, "retain": self.retain}
        if self.properties:
            document["properties"] = plain(self.properties)
        return document | dict(self.detail or {})

    # On disk --------------------------------------------------------------------------------------------

    def to_json(self) -> str:
        """One line of JSON from which :meth:`from_json` makes the same record."""
        try:
            text, key = self.payload.decode(), "text"
        except UnicodeDecodeError:
            text, key = base64.b64encode(self.payload).decode("ascii"), "base64"
        fields: dict[str, Any] = {
            "run": self.run,
            "number": self.number,
            "kind": self.kind,
            "time": self.time,
        }
        fields |= {"client_id": self.client_id, "topic": self.topic, key: text, "qos": self.qos}
        if self.retain:
            fields["retain"] = True
        if self.properties:
            fields["properties"] = plain(self.properties)
        if self.detail:
            fields["detail"] = dict(self.detail)
        # In ASCII: what a log says may have half a surrogate pair in it, which no UTF-8 can hold.
        return json.dumps(fields, separators=(",", ":"))

    @classmethod
    def from_json(cls, line: str | bytes) -> Record:
        """Read what :meth:`to_json` wrote. Raises ``ValueError`` for anything else."""
        try:
            fields = json.loads(line)
            payload = fields.pop("text", None)
            data = base64.b64decode(fields.pop("base64")) if payload is None else payload.encode()
            properties = fields.pop("properties", None)
            return cls(payload=data, properties=_restored(properties), **fields)
        except (AttributeError, KeyError, RecursionError, TypeError) as error:
            raise ValueError(f"it is not a record: {error}") from None


class Numbers:
    """Gives records their names: one for each run of a broker.

    >>> numbers = Numbers(run=7)
    >>> numbers.name(Record(0, 0, "received", 0.0)).id
    '0000000000000007-1'
    """

    def __init__(self, run: int | None = None) -> None:
        # 63 bits, because databases have signed integers.
        self.run = secrets.randbits(63) if run is None else run
        self._count = itertools.count(1)

    def next(self) -> int:
        """The next number; from any thread."""
        return next(self._count)  # one step of the interpreter: threads need no lock

    def name(self, record: Record) -> Record:
        """Return the record under the next name."""
        return record._replace(run=self.run, number=next(self._count))


def readable(payload: bytes) -> Any:
    """Return a payload as a value of JSON, see :meth:`Record.document`.

    >>> readable(b"[1]"), readable(b"warm"), readable(b"\\xff"), readable(b"NaN")
    ([1], 'warm', {'$base64': '/w=='}, 'NaN')
    """
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return {"$base64": base64.b64encode(payload).decode("ascii")}
    # Most texts that are no JSON are seen to be none by how they begin.
    if text[:1] not in _BEGINNINGS:
        return text
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):
        return text


def _refuse(name: str) -> Any:
    raise ValueError(name)  # Python reads NaN and Infinity, JSON has none


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError(digits)
    return value


def plain(value: Any) -> Any:
    """Return properties as values that JSON knows: bytes become ``{"$base64": "…"}``."""
    if isinstance(value, bytes | bytearray | memoryview):
        return {"$base64": base64.b64encode(value).decode("ascii")}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def _restored(properties: Any) -> Any:
    if not isinstance(properties, dict):
        return None
    found = {}
    for key, value in properties.items():
        if isinstance(value, dict) and isinstance(encoded := value.get("$base64"), str):
            value = base64.b64decode(encoded)
        elif key == "user_properties":
            value = [tuple(pair) for pair in value]
        found[key] = value
    return found


_BEGINNINGS = frozenset('{["-0123456789tfn \t\r\n')
# Made once: `json.loads` makes one for each call that has options, which takes longer than most payloads.
_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)
