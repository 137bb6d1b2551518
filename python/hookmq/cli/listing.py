"""Lists that the API answers, as commands print them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from . import table

__all__ = ["preview", "print_list"]

_PREVIEW = 60
"""Characters of a payload in a table."""


def print_list(
    found: dict[str, Any],
    columns: Sequence[tuple[str, bool]],
    row: Callable[[dict[str, Any]], Sequence[str]],
    *,
    as_json: bool,
    nothing: str,
) -> None:
    """Print the items of a list as JSON or as a table, ``nothing`` if there are none.

    ``columns`` are titles, and whether numbers stand below them; ``row`` is what stands there of an item.

    >>> print_list({"items": []}, [("id", False)], lambda one: [one["id"]], as_json=False, nothing="none")
    none
    """
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
    elif not found["items"]:
        print(nothing)
    else:
        table.console().print(table.make(columns, [row(one) for one in found["items"]]))


def preview(text: str | None, nothing: str = "(not text)") -> str:
    """Return the beginning of a payload in one line.

    >>> preview("on \\n off"), preview(None)
    ('on off', '(not text)')
    """
    return nothing if text is None else " ".join(text.split())[:_PREVIEW]
