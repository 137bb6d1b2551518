"""Points in time as people write them."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta
from typing import TypeAlias

Moment: TypeAlias = float | str | datetime | timedelta
"""Unix seconds, "10m" (ago), an ISO 8601 text, a `datetime` (naive: local time), a `timedelta` (ago)."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_AGO = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)\s*")

# What a signed 64-bit column can hold; a moment beyond it is before or after every message anyway.
_FURTHEST = 2**63 - 1


def moment(value: Moment, *, now: float) -> float:
    """The moment as Unix seconds; `now` (Unix seconds) is what "ago" counts from.

    Raises:
        ValueError: for a text that is no moment, and for NaN.
        TypeError: for a value of another type.

    >>> moment("10m", now=1_000_000.0)
    999400.0
    >>> moment("1970-01-02T00:00:00+00:00", now=0.0)
    86400.0
    """
    if isinstance(value, bool):
        raise TypeError("a moment cannot be True or False")
    if isinstance(value, int | float):
        if math.isnan(value):
            raise ValueError("a moment cannot be NaN")
        return float(value)
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, timedelta):
        return now - value.total_seconds()
    if isinstance(value, str):
        if ago := _AGO.fullmatch(value):
            return now - float(ago[1]) * _UNITS[ago[2]]
        try:
            return datetime.fromisoformat(value).timestamp()
        except ValueError:
            raise ValueError(
                f"{value!r} is no moment: write an age such as '30s', '10m', '2h', '30d', or an ISO 8601 time"
            ) from None
    raise TypeError(f"a moment is a number, a text, a datetime or a timedelta, not {type(value).__name__}")


def microseconds(seconds: float) -> int:
    """Unix seconds as the integer that is stored; absurd times become the earliest or latest one.

    >>> microseconds(1.5)
    1500000
    """
    scaled = seconds * 1_000_000
    if math.isnan(scaled):
        raise ValueError("a time cannot be NaN")
    if not -_FURTHEST < scaled < _FURTHEST:
        return _FURTHEST if scaled > 0 else -_FURTHEST
    return round(scaled)
