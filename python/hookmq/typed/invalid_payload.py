"""A payload that is not what an annotation asks for, and the kinds of functions that find it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Self, TypeAlias

__all__ = ["TOO_DEEP", "Check", "Conversion", "InvalidPayload"]

Conversion: TypeAlias = Callable[[bytes], Any]
"""Makes a value of a payload, or raises :class:`InvalidPayload`."""

Check: TypeAlias = Callable[[Any], Any]
"""Makes a value of one that JSON has, or raises :class:`InvalidPayload`."""

TOO_DEEP = "the payload is nested too deeply"

# Characters of the texts of errors, which go into reason strings.
_MAX_TEXT, _MAX_PATH, _MAX_STEP = 300, 120, 60


class InvalidPayload(ValueError):
    """A payload, or a level of a topic, that is not what a hook's annotation asks for.

    ``str()`` is fit to be sent to a client: where it is wrong and why, in one line of at most 300 printable
    characters, without what the client sent.

    >>> print(InvalidPayload("a number is needed, not text").within("value").within("level"))
    level.value: a number is needed, not text
    """

    def __init__(self, problem: str, path: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.path = path

    def within(self, step: str | int) -> Self:
        """Say that it happened inside of this field or item, and return itself."""
        if isinstance(step, str) and len(step) > _MAX_STEP:
            step = step[:_MAX_STEP] + "..."
        if isinstance(step, str) and step.isidentifier():
            self.path = f".{step}{self.path}"
        else:
            self.path = f"[{json.dumps(step)}]{self.path}"
        return self

    def __str__(self) -> str:
        path = self.path.removeprefix(".")
        if len(path) > _MAX_PATH:
            path = "…" + path[1 - _MAX_PATH :]
        text = " ".join((f"{path}: {self.problem}" if path else self.problem).split())
        text = "".join(one if one.isprintable() else "\ufffd" for one in text)
        return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…"
