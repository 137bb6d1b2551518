"""An HTTP response."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

__all__ = ["Response"]

_TEXT = "text/plain; charset=utf-8"
_HTML = "text/html; charset=utf-8"
_JSON = "application/json"


class Response:
    """What a page answers: a body, and when the defaults do not fit a status, a type and headers.

    The body decides the type unless one is given: text that begins with ``<`` is HTML, other text is plain,
    bytes are ``application/octet-stream``, a dict or a list is JSON.

    >>> Response({"level": 42}).content_type, Response("<p>hello").content_type
    ('application/json', 'text/html; charset=utf-8')
    """

    def __init__(
        self,
        body: object = b"",
        *,
        status: int = 200,
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status = status
        self.headers = dict(headers or {})
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
        if not any(name.lower() == "content-type" for name in self.headers) and self.body:
            pairs.append(("content-type", self.content_type))
        return pairs


def _encode(body: Any) -> tuple[bytes, str]:
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body), "application/octet-stream"
    if isinstance(body, str):
        return body.encode(), _HTML if body.lstrip()[:1] == "<" else _TEXT
    return json.dumps(body, ensure_ascii=False).encode(), _JSON
