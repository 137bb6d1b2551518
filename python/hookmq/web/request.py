"""An HTTP request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, unquote

__all__ = ["BadBody", "Request"]


class BadBody(ValueError):
    """The body of a request is not what the page reads it as: the client's mistake, not the page's."""


@dataclass(frozen=True)
class Request:
    """An HTTP request as a page's function is given it.

    ``path`` is percent-decoded; ``headers`` have lower-case names; ``params`` are the parts of the path that
    the route names; ``address`` is the IP address it comes from.

    >>> request = Request("GET", "/hello", "name=tank&name=7", {}, b"", "127.0.0.1")
    >>> request.query["name"], request.query_pairs
    ('7', [('name', 'tank'), ('name', '7')])
    """

    method: str
    path: str
    query_string: str
    headers: Mapping[str, str]
    body: bytes
    address: str
    params: Mapping[str, str] = field(default_factory=dict)
    raw_path: str = ""
    """The path as it came, which tells a slash from one that is percent-encoded."""

    @cached_property
    def query_pairs(self) -> list[tuple[str, str]]:
        """What follows ``?`` as pairs in their order."""
        return parse_qsl(self.query_string, keep_blank_values=True)

    @cached_property
    def query(self) -> dict[str, str]:
        """What follows ``?``; of a name that is repeated, the last value."""
        return dict(self.query_pairs)

    @cached_property
    def form(self) -> dict[str, str]:
        """The body of a form that was posted, by field."""
        return dict(parse_qsl(self.text, keep_blank_values=True))

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode(errors="replace")

    def json(self) -> Any:
        """Return the body read as JSON. Raises ``BadBody`` if it is none; the page then answers 400."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise BadBody(f"the request's body is not JSON: {error}") from None


def decode_path(path: str) -> str:
    """Return a path with its percent escapes undone.

    >>> decode_path("/a%20b")
    '/a b'
    """
    return unquote(path, errors="replace")
