"""What is answered to a request of the API that cannot be done: a problem in JSON (RFC 9457)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import HookMQError

__all__ = ["Problem", "nearest", "problem_of"]

_TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    410: "Gone",
    412: "Precondition Failed",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}

_CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    410: "gone",
    412: "precondition_failed",
    413: "content_too_large",
    415: "unsupported_media_type",
    422: "unprocessable",
    429: "too_many_requests",
    500: "internal",
    503: "unavailable",
}
"""The ``code`` of a status, unless the problem says one."""

_PLACE = ("line", "column", "length", "hint")


class Problem(Exception):
    """Why a request is not done; raised by an operation, it becomes the answer.

    ``status`` is that of the answer, ``detail`` the cause in a sentence, ``help`` the remedy; ``more`` are
    further members of the answer, such as ``line`` and ``column``, ``headers`` those of the answer.

    >>> problem = Problem(404, "there is no client `tank`", help="GET /api/v1/clients lists those there are")
    >>> problem.code, problem.body()["title"]
    ('not_found', 'Not Found')
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        code: str | None = None,
        help: str | None = None,
        more: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.code = code or _CODES.get(status, "error")
        self.help = help
        self.more = dict(more or {})
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """Return what is answered; the member ``error`` is what the API answered before problems."""
        return {
            "type": "about:blank",
            "title": _TITLES.get(self.status, "Error"),
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "help": self.help,
            **self.more,
            "error": {"code": self.code, "message": self.detail, "help": self.help, **self.more},
        }


_STATUS = {
    "E508": 404,
    "E705": 422,
    "E706": 422,
    "E709": 400,
    "E712": 404,
    "E721": 404,
    "E723": 404,
    "E724": 503,
}
"""The status of errors by their code; all others are 409."""


def problem_of(error: HookMQError, *, configures: bool = False) -> Problem:
    """Return an error of the package as a problem.

    With ``configures`` the request itself carries what an error of configuration (E3xx) is about.

    >>> problem_of(HookMQError("E508", what="hook", name="watch", known="none")).status
    404
    """
    if error.code == "E713" and "version" in error.fields:
        status = 412
    elif error.code == "E506" and "store" in error.fields:
        status = 503  # the same is taken again once the disk is well
    elif configures and error.exit_code == 3:
        status = 422
    else:
        status = _STATUS.get(error.code, 409)
    place = {name: error.fields[name] for name in _PLACE if name in error.fields}
    return Problem(status, error.message, code=error.code, help=error.help, more=place)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that was probably meant.

    >>> nearest("limt", ["limit", "cursor"])
    'limit'
    """
    found = difflib.get_close_matches(word[:64], list(known), 1)
    return found[0] if found else None
