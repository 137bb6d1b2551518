"""An HTTP response."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, TypeAlias

__all__ = ["Chunks", "Response"]

Chunks: TypeAlias = "Iterator[str | bytes] | AsyncIterator[str | bytes]"
"""A body that is sent piece by piece: a generator, or anything else that is an iterator."""

_TEXT = "text/plain; charset=utf-8"
_HTML = "text/html; charset=utf-8"
_JSON = "application/json"

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
# How the body is sent is decided where it is sent: a page that contradicts makes answers that are cut off.
_NOT_OURS = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding", "upgrade"})


class Response:
    """What a page answers: a body, and when the defaults do not fit a status, a type and headers.

    The body decides the type unless one is given: text that begins with ``<`` is HTML, other text is plain,
    bytes are ``application/octet-stream``, a dict or a list is JSON. A generator or another iterator of text
    and bytes, also an asynchronous one, is sent piece by piece as it makes them, as plain text.

    Raises ``ValueError`` for a status that is not from 200 to 599, and for a header that cannot be sent or
    that is not the page's to set, such as ``Content-Length``.

    >>> Response({"level": 42}).content_type, Response("<p>hello").content_type
    ('application/json', 'text/html; charset=utf-8')
    >>> Response(f"line {n}" for n in range(3)).content_type
    'text/plain; charset=utf-8'
    """

    body: bytes
    """The body, empty if it is sent piece by piece."""

    chunks: Chunks | None
    """The body that is sent piece by piece."""

    def __init__(
        self,
        body: object = b"",
        *,
        status: int = 200,
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if not isinstance(status, int) or not 200 <= status <= 599:
            raise ValueError(f"status is {status!r}, it must be from 200 to 599")
        self.status = status
        self.headers = dict(headers or {})
        for name, value in self.headers.items():
            _check(name, value)
        self.body, self.chunks = b"", None
        if isinstance(body, Iterator | AsyncIterator):
            self.chunks, own_type = body, _TEXT
        else:
            self.body, own_type = _encode(body)
        self.content_type = content_type or own_type

    @classmethod
    def of(cls, value: object) -> Response:
        """Return what a page returned as a response."""
        if isinstance(value, Response):
            return value
        return cls(status=204) if value is None else cls(value)

    def header_pairs(self) -> list[tuple[str, str]]:
        """Return the headers with the content type."""
        pairs = list(self.headers.items())
        own = {name.lower(): value for name, value in pairs}
        if "content-type" not in own and self._has_body():
            pairs.append(("content-type", self.content_type))
        # A cache that keeps events back would show them when they are over.
        is_events = own.get("content-type", self.content_type).startswith("text/event-stream")
        if self.chunks is not None and is_events and "cache-control" not in own:
            pairs.append(("cache-control", "no-cache"))
        return pairs

    def _has_body(self) -> bool:
        return bool(self.body) or self.chunks is not None


def _check(name: object, value: object) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a header")
    if name.lower() in _NOT_OURS:
        raise ValueError(f"the header {name} is set by the broker")
    # A line break would begin another header, of whoever chose the value.
    if not isinstance(value, str) or not _VALUE.fullmatch(value):
        raise ValueError(f"the header {name} cannot be {value!r}: it must be text on one line")


def _encode(body: Any) -> tuple[bytes, str]:
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body), "application/octet-stream"
    if isinstance(body, str):
        return body.encode(), _HTML if body.lstrip()[:1] == "<" else _TEXT
    return json.dumps(body, ensure_ascii=False).encode(), _JSON
