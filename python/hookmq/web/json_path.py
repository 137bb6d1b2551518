"""Where in a payload a value is: ``a.b[0].c``."""

from __future__ import annotations

import re
from typing import Any, TypeAlias

__all__ = ["MISSING", "JsonPath", "find", "parse_path"]

JsonPath: TypeAlias = tuple[str | int, ...]
"""The names and indexes that lead to a value; none leads to the payload itself."""

MISSING: Any = object()
"""What is found where nothing is."""

LONGEST, DEEPEST = 512, 32

# A name, a name in quotation marks for what is none ("a.b"), or an index; negative ones count from the end.
_STEP = re.compile(r'(?:^|\.)([^.\[\]"\s][^.\[\]"]*)|(?:^|\.)?\["((?:[^"\\]|\\.)*)"\]|\[(-?\d{1,9})\]')


def parse_path(text: str) -> JsonPath:
    """Return a path that is read from a text. Raises ``ValueError`` that says where it cannot be.

    >>> parse_path("a.b[0].c"), parse_path(""), parse_path('["a.b"][-1]')
    (('a', 'b', 0, 'c'), (), ('a.b', -1))
    >>> parse_path("a..b")
    Traceback (most recent call last):
        ...
    ValueError: the path cannot be read from '..b' on: write names and indexes as in a.b[0].c
    """
    if len(text) > LONGEST:
        raise ValueError(f"a path has at most {LONGEST} characters")
    steps: list[str | int] = []
    at = 0
    while at < len(text):
        match = _STEP.match(text, at)
        # `^` is only the text's beginning; a name that follows an index needs its dot.
        if match is None or match.end() == at:
            raise ValueError(f"the path cannot be read from {text[at : at + 20]!r} on: {_HOW}")
        name, quoted, index = match.groups()
        if index is not None:
            steps.append(int(index))
        else:
            steps.append(name if name is not None else re.sub(r"\\(.)", r"\1", quoted))
        at = match.end()
    if len(steps) > DEEPEST:
        raise ValueError(f"a path has at most {DEEPEST} steps")
    return tuple(steps)


_HOW = "write names and indexes as in a.b[0].c"


def find(value: Any, path: JsonPath) -> Any:
    """Return what a path leads to in a value, :data:`MISSING` if there is nothing.

    >>> find({"a": [{"b": 7}]}, ("a", 0, "b")), find({"a": 1}, ("b",)) is MISSING
    (7, True)
    """
    for step in path:
        if isinstance(step, int):
            if not isinstance(value, list) or not -len(value) <= step < len(value):
                return MISSING
            value = value[step]
        elif isinstance(value, dict) and step in value:
            value = value[step]
        else:
            return MISSING
    return value
