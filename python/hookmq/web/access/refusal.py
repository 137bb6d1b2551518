"""Why a request is not answered."""

from __future__ import annotations

import math

from ..problem import Problem

__all__ = ["Refusal"]


class Refusal(Problem):
    """A request is refused because of who sends it, or from where.

    Its ``code`` is ``unauthorized``, ``forbidden``, ``csrf`` or ``too_many_requests``.

    >>> Refusal.csrf("the header X-HookMQ: 1 is missing").status
    403
    """

    @classmethod
    def unauthorized(cls, detail: str, help: str | None = None) -> Refusal:
        """Return one for who has to say who he is.

        >>> Refusal.unauthorized("nobody is logged in").headers
        {'WWW-Authenticate': 'Bearer realm="hookmq"'}
        """
        # `Basic` would make browsers ask with a window of their own.
        return cls(401, detail, help=help, headers={"WWW-Authenticate": 'Bearer realm="hookmq"'})

    @classmethod
    def csrf(cls, detail: str) -> Refusal:
        """Return one for what a page of somebody else's may have sent."""
        help = "send X-HookMQ: 1 from the broker's own pages, or use an API token"
        return cls(403, detail, code="csrf", help=help)

    @classmethod
    def too_often(cls, seconds: float, detail: str) -> Refusal:
        """Return one for who has to wait so long.

        >>> Refusal.too_often(0.2, "too many attempts").headers
        {'Retry-After': '1'}
        """
        wait = max(1, math.ceil(seconds))
        return cls(429, detail, help=f"try again in {wait} s", headers={"Retry-After": str(wait)})
