"""JSON as it is sent to browsers."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["encode"]


def encode(value: Any) -> str:
    """Return a value as JSON, whatever the text in it.

    >>> encode({"a": [1, "ü"], "b": float("nan")})
    '{"a":[1,"ü"],"b":null}'
    """
    try:
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can write and UTF-8 cannot
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return encode(_finite(value))
    return text


def _finite(value: Any) -> Any:
    """Return a value without numbers that JSON does not have."""
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, list | tuple) else value
