"""A result of a rule as a record that a courier carries, and back."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from ...connectors.record import Numbers, Record, plain

__all__ = ["Result", "json_text"]


class Result(NamedTuple):
    """What a rule has selected, and the message or event it was selected from."""

    row: Mapping[str, Any]
    source: Mapping[str, Any]

    def record(self, numbers: Numbers) -> Record:
        """Return it as a record, under the next name.

        >>> result = Result({"t": 31, "raw": b"\\xff"}, {"topic": "t/1", "payload": "31", "clientid": "pump"})
        >>> Result.of(result.record(Numbers())) == result
        True
        """
        source = dict(self.source)
        payload = source.pop("payload", None)
        # Bytes stay bytes in the record; whether they came as text is for `of` to see.
        data = payload.encode() if isinstance(payload, str) else payload
        if not isinstance(data, bytes):
            source["payload"], data = payload, b""
        detail = {"result": plain(self.row), "source": plain(source)}
        return numbers.name(
            Record(
                0,
                0,
                "received",
                time.time(),
                str(source.get("clientid") or ""),
                str(source.get("topic") or ""),
                data,
                int(source.get("qos") or 0),
                bool(source.get("retain")),
                detail=detail,
            )
        )

    @classmethod
    def of(cls, record: Record) -> Result:
        """Return what :meth:`record` made a record of."""
        detail = record.detail or {}
        source = _opened(detail.get("source") or {})
        if "payload" not in source:
            try:
                source["payload"] = record.payload.decode()
            except UnicodeDecodeError:
                source["payload"] = record.payload
        elif source["payload"] is None:
            del source["payload"]
        return cls(_opened(detail.get("result") or {}), source)


def json_text(value: Any) -> str:
    """Return a value as JSON; bytes are ``{"$base64": "…"}``.

    >>> json_text({"t": 31, "raw": b"\\xff"})
    '{"t":31,"raw":{"$base64":"/w=="}}'
    """
    return json.dumps(plain(value), separators=(",", ":"), ensure_ascii=False)


def _opened(value: Any) -> Any:
    if isinstance(value, Mapping):
        if value.keys() == {"$base64"} and isinstance(encoded := value["$base64"], str):
            return base64.b64decode(encoded)
        return {key: _opened(item) for key, item in value.items()}
    return [_opened(item) for item in value] if isinstance(value, list) else value
