"""One stored message."""

from __future__ import annotations

import base64
import json
import math
from dataclasses import dataclass
from datetime import datetime as DateTime  # `Row.datetime` would hide the name
from typing import Any

_MARK = "$base64"
_KEYS = ("sender", "topic", "message", "unixtime", "datetime")


@dataclass(frozen=True, slots=True)
class Row:
    """One message of the history. It answers what a `Message` in a hook answers.

    >>> row = Row(1, 1_650_000_000.5, "plant/north/flow", "pump", b'{"flow": 100.59}', 1, False, {})
    >>> row.json()["flow"]
    100.59
    >>> row["sender"], row["unixtime"]
    ('pump', 1650000000)
    """

    id: int
    """Number of the row in the database; unique, and growing in the order of arrival."""
    timestamp: float
    """When the broker received the message, in Unix seconds, exact to the microsecond."""
    topic: str
    """Topic it was published to."""
    client_id: str
    """Client identifier of the publisher; empty when the program itself published."""
    payload: bytes
    """Payload, as it came."""
    qos: int
    """Quality of service it was published with: 0, 1 or 2."""
    retain: bool
    """Whether it was published as a retained message."""
    properties: dict[str, Any]
    """MQTT 5 properties, as `Broker.publish` takes them; empty when it had none."""

    @property
    def text(self) -> str:
        """The payload as text; bytes that are not UTF-8 become U+FFFD."""
        return self.payload.decode("utf-8", "replace")

    def json(self) -> Any:
        """The payload as a JSON value.

        Raises:
            ValueError: when it is not JSON.
        """
        return json.loads(self.payload)

    @property
    def datetime(self) -> DateTime:
        """When the broker received the message, in local time (aware)."""
        return DateTime.fromtimestamp(self.timestamp).astimezone()

    def keys(self) -> tuple[str, ...]:
        """CrystalMQ's five keys, so that `dict(row)` gives what a CrystalMQ hook gets."""
        return _KEYS

    def __getitem__(self, key: str) -> Any:
        """One of CrystalMQ's five keys: `sender`, `topic`, `message`, `unixtime`, `datetime`.

        Raises:
            KeyError: for another key.
        """
        match key:
            case "sender":
                return self.client_id
            case "topic":
                return self.topic
            case "message":
                text = _text_or_none(self.payload)
                return repr(self.payload) if text is None else text
            case "unixtime":
                return int(self.timestamp)
            case "datetime":
                return DateTime.fromtimestamp(self.timestamp).strftime("%Y-%m-%d %H:%M:%S")
            case _:
                raise KeyError(key)

    def to_dict(self) -> dict[str, Any]:
        """The row as values that JSON knows.

        `payload` is the JSON value when the payload is JSON, else its text, else `{"$base64": "…"}`;
        `datetime` is ISO 8601 in local time.

        >>> Row(1, 0.0, "a", "c", b"\\xff", 0, False, {}).to_dict()["payload"]
        {'$base64': '/w=='}
        """
        return {
            "topic": self.topic,
            "client_id": self.client_id,
            "payload": _readable(self.payload),
            "qos": self.qos,
            "retain": self.retain,
            "timestamp": self.timestamp,
            "datetime": self.datetime.isoformat(),
            "properties": pack(self.properties) or {},
        }


def payload_as_text(payload: bytes) -> tuple[str, str]:
    """The payload for a cell of a table, and how it is written there: "text" or "base64"."""
    text = _text_or_none(payload)
    return (text, "text") if text is not None else (base64.b64encode(payload).decode("ascii"), "base64")


def pack(value: Any) -> Any:
    """A value of the properties, with bytes (correlation data) wrapped so that JSON can carry it."""
    if isinstance(value, bytes | bytearray | memoryview):
        return {_MARK: base64.b64encode(value).decode("ascii")}
    if isinstance(value, dict):
        return {str(key): pack(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [pack(item) for item in value]
    return value


def unpack(value: Any) -> Any:
    """The reverse of `pack`."""
    if isinstance(value, dict):
        if len(value) == 1 and isinstance(encoded := value.get(_MARK), str):
            return base64.b64decode(encoded)
        return {key: unpack(item) for key, item in value.items()}
    if isinstance(value, list):
        return [unpack(item) for item in value]
    return value


def stored_properties(value: dict[str, Any] | None) -> dict[str, Any]:
    """The properties as they were, from what is in the database."""
    properties: dict[str, Any] = unpack(value or {})
    # JSON has no tuples, but a user property is one: (name, value), and names may be there several times.
    if isinstance(pairs := properties.get("user_properties"), list):
        properties["user_properties"] = [tuple(pair) for pair in pairs]
    return properties


def _text_or_none(payload: bytes) -> str | None:
    try:
        return payload.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _readable(payload: bytes) -> Any:
    text = _text_or_none(payload)
    if text is None:
        return pack(payload)
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        return text


def _refuse(name: str) -> Any:
    # Python reads NaN and Infinity, JSON does not have them, and we are about to write JSON.
    raise ValueError(name)


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError(digits)
    return value
