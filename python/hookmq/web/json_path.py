"""Paths into JSON values: ``a.b[0].c``; an empty one is the value itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

__all__ = ["BadPath", "find", "number_of", "parse_path", "paths_of", "read_value"]

_STEP = re.compile(r"""\.?([^.\[\]"']+)|\[(-?\d{1,9})\]|\["((?:[^"\\]|\\.)*)"\]|\['((?:[^'\\]|\\.)*)'\]""")

_LONGEST = 512
_DEEPEST = 32
"""Levels of a payload that are looked at."""

_SHOWN = 64
"""Levels of a value; what has more is a text, so that nobody who writes it again runs out of stack."""


class BadPath(ValueError):
    """A text is no path."""


LARGEST = 256 << 10
"""Bytes of a payload that is read as JSON."""


def parse_path(text: str) -> tuple[str | int, ...]:
    """Return the steps of a path. Raises :class:`BadPath`.

    >>> parse_path('sensor.values[0]["a b"]'), parse_path("")
    (('sensor', 'values', 0, 'a b'), ())
    """
    if len(text) > _LONGEST:
        raise BadPath(f"a path has at most {_LONGEST} characters")
    steps: list[str | int] = []
    at = 0
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None or (at == 0 and text[0] == "."):
            raise BadPath(f"{text[:60]!r} is no path such as sensor.values[0]: see character {at + 1}")
        name, index, quoted, other = found.groups()
        steps.append(int(index) if index is not None else name or quoted or other or "")
        at = found.end()
    if len(steps) > _DEEPEST:
        raise BadPath(f"a path has at most {_DEEPEST} steps")
    return tuple(steps)


def read_value(payload: bytes) -> Any:
    """Return what a payload is: its JSON value, or its text, or None. One above 256 KiB is not taken apart.

    >>> read_value(b'{"a": 1}'), read_value(b"on"), read_value(b"\\xff")
    ({'a': 1}, 'on', None)
    """
    if len(payload) > LARGEST:  # in memory it may take sixty times as much, and a second
        return _text(payload)
    try:
        value = json.loads(payload, parse_constant=_nothing)
    except (ValueError, RecursionError):
        return _text(payload)
    brackets = payload.count(b"[") + payload.count(b"{")
    return _text(payload) if brackets > _SHOWN and _is_deep(value) else value


def _text(payload: bytes) -> str | None:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return None


def _nothing(name: str) -> None:
    """Return what NaN and Infinity stand for, which JSON does not have."""


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_SHOWN):
        level = [
            part
            for one in level
            if isinstance(one, dict | list)
            for part in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return False
    return True


def find(value: Any, steps: tuple[str | int, ...]) -> Any:
    """Return what a path leads to, None if it leads nowhere.

    >>> find({"a": [1, {"b": 2}]}, ("a", 1, "b")), find({"a": 1}, ("a", "b"))
    (2, None)
    """
    for step in steps:
        if isinstance(step, int):
            if not isinstance(value, list) or not -len(value) <= step < len(value):
                return None
            value = value[step]
        elif isinstance(value, dict):
            value = value.get(step)
        else:
            return None
    return value


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
