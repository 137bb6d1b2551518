"""What a browser may say to the live feed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ..schema import BadValue, Field, Object, Schema, Text

__all__ = ["Ping", "RequestProblem", "Unwatch", "Watch", "read_request"]

LONGEST = 64 << 10
"""Bytes of a frame."""

_ID = Text(1, 64)


class RequestProblem(Exception):
    """Why something is not shown: ``code`` for programs, a sentence for people."""

    def __init__(self, code: str, message: str, *, id: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.id = id


@dataclass(frozen=True, slots=True)
class Watch:
    """Show a view."""

    id: str
    view: str
    options: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Unwatch:
    """Show it no longer."""

    id: str


@dataclass(frozen=True, slots=True)
class Ping:
    """Say that you are there."""


class _Options(Schema):
    """An object whose members depend on the view."""

    def read(self, value: Any, where: str) -> dict[str, Any]:
        return dict(Object(more=Schema()).read(value, where))


_SHAPES = {
    "watch": Object(
        [
            Field("do"),
            Field("id", _ID, required=True),
            Field("view", Text(1, 64), required=True),
            Field("with", _Options(), default={}),
        ]
    ),
    "unwatch": Object([Field("do"), Field("id", _ID, required=True)]),
    "ping": Object([Field("do")]),
}
_DO = Text(among=tuple(_SHAPES))


def read_request(frame: str | bytes) -> Watch | Unwatch | Ping:
    """Return what a frame asks for. Raises :class:`RequestProblem`.

    >>> read_request('{"do":"watch","id":"w1","view":"topic","with":{"topic":"a"}}')
    Watch(id='w1', view='topic', options={'topic': 'a'})
    >>> read_request('{"do":"wach","id":"w1"}')
    Traceback (most recent call last):
        ...
    hookmq.web.live.requests.RequestProblem: `do` is "wach"; expected watch, unwatch or ping
    """
    if not isinstance(frame, str):
        raise RequestProblem("bad_request", "frames are text: one object of JSON each")
    if len(frame) > LONGEST or len(frame.encode()) > LONGEST:
        raise RequestProblem("bad_request", f"a frame has at most {LONGEST} bytes")
    try:
        said = json.loads(frame)
        json.dumps(said, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise RequestProblem("bad_request", "the frame has half of a surrogate pair in it") from None
    except (ValueError, RecursionError):
        raise RequestProblem("bad_request", "the frame is not JSON") from None
    id = said.get("id") if isinstance(said, dict) else None
    id = id if isinstance(id, str) and 0 < len(id) <= 64 else None
    try:
        if not isinstance(said, dict) or "do" not in said:
            raise BadValue("do", "is missing; expected watch, unwatch or ping")
        do = _DO.read(said["do"], "do")
        read = _SHAPES[do].read(said, "")
    except (BadValue, RecursionError) as error:
        raise RequestProblem("bad_request", str(error), id=id) from None
    if do == "ping":
        return Ping()
    if do == "unwatch":
        return Unwatch(read["id"])
    return Watch(read["id"], read["view"], read["with"])
