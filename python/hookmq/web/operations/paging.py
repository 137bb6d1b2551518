"""Lists in pages: a limit, and a cursor that says where the next one begins."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from ..problem import Problem
from ..schema import Array, Field, Integer, Nullable, Object, Schema, Text
from .operation import Ask

__all__ = ["LIMIT", "PAGE", "page", "page_of", "paged"]

LIMIT = Field("limit", Integer(1, 1000), "items of a page", default=100)
PAGE = (
    LIMIT,
    Field(
        "cursor",
        Text(1, 4096, pattern=r"[A-Za-z0-9_-]+", meant="`next` of the page before"),
        "where the page begins: `next` of the page before",
    ),
)
"""The parameters of every list."""

Read: TypeAlias = Callable[[int, str | None], tuple[Sequence[Any], str | None, int | None]]
"""Is given a limit and what a page is after; returns items, what the next page is after, and a count."""


def page(items: Schema, *more: Field) -> Object:
    """Return the schema of a page of these items."""
    return Object(
        [
            Field("items", Array(items, 1000), required=True),
            Field("next", Nullable(Text()), "cursor of the next page; null: there is none", required=True),
            Field("total", Nullable(Integer()), "how many there are, if it is known", required=True),
            *more,
        ]
    )


def paged(ask: Ask, read: Read) -> dict[str, Any]:
    """Return the page that is asked for."""
    name = ask.request.path.rpartition("/")[2][:32]
    after = after_of(ask.query["cursor"], name)
    try:
        items, following, total = read(ask.query["limit"], after)
    except ValueError as error:
        if after is None:
            raise
        raise Problem(400, f"`cursor` cannot be used here: {error}", help=_AGAIN) from None
    return {"items": items, "next": None if following is None else cursor(name, following), "total": total}


def page_of(ask: Ask, items: Sequence[Any]) -> dict[str, Any]:
    """Return the page that is asked for, of a list that is at hand; the cursor is a place in it."""

    def read(limit: int, after: str | None) -> tuple[Sequence[Any], str | None, int]:
        start = 0 if after is None else int(after)
        if start < 0:
            raise ValueError("it is before the beginning")
        end = start + limit
        return items[start:end], str(end) if end < len(items) else None, len(items)

    return paged(ask, read)


def cursor(name: str, after: str) -> str:
    """Return a cursor of a list, from what the next page is after."""
    return base64.urlsafe_b64encode(json.dumps([name, after]).encode()).decode().rstrip("=")


_AGAIN = "leave the cursor out to begin at the first page"


def after_of(given: str | None, name: str) -> str | None:
    """Return what a page is after, from its cursor.

    >>> after_of(cursor("clients", "tank-7"), "clients")
    'tank-7'
    """
    if given is None:
        return None
    try:
        data = base64.b64decode(given + "=" * (-len(given) % 4), altchars=b"-_", validate=True)
        found = json.loads(data)
        of, after = found
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise Problem(400, "`cursor` is none that was answered here", help=_AGAIN) from None
    if of != name or not isinstance(after, str):
        raise Problem(400, "`cursor` is one of another list", help=_AGAIN)
    return after
