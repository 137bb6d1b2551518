"""What is in payloads: their values, numbers that can be drawn, and the paths to them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

__all__ = ["number_of", "paths_of", "read_value"]

_DEEPEST = 32
"""Levels of a payload that are looked at."""


def read_value(payload: bytes) -> Any:
    """Return what a payload is: its JSON value, or its text, or None.

    >>> read_value(b'{"a": 1}'), read_value(b"on"), read_value(b"\\xff")
    ({'a': 1}, 'on', None)
    """
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        try:
            return payload.decode()
        except UnicodeDecodeError:
            return None


def number_of(value: Any) -> float | None:
    """Return a value as a number that can be drawn: true is 1, a text may be one; None if it is none.

    >>> number_of(True), number_of(" 4.5 "), number_of("on"), number_of(float("nan"))
    (1.0, 4.5, None, None)
    """
    if isinstance(value, str):
        if len(value) > 40:
            return None
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool | int | float):
        try:
            number = float(value)
        except OverflowError:
            return None
        return number if abs(number) < float("inf") else None
    return None


def paths_of(value: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield the paths of a value that lead to something that is no object and no list.

    >>> list(paths_of({"a": {"b": 1}, "c d": [True]}))
    [('a.b', 1), ('["c d"][0]', True)]
    """
    if depth > _DEEPEST:
        return
    if isinstance(value, dict):
        for name, one in value.items():
            plain = re.fullmatch(r"[^.\[\]\"'\s]+", name) is not None
            if plain:
                step = f".{name}" if path else name
            else:
                step = "[" + json.dumps(name, ensure_ascii=False) + "]"
            yield from paths_of(one, path + step, depth + 1)
    elif isinstance(value, list):
        for index, one in enumerate(value[:10]):
            yield from paths_of(one, f"{path}[{index}]", depth + 1)
    else:
        yield path, value
