"""A yes with an end: the client may stay until its token expires."""

from __future__ import annotations

from dataclasses import dataclass

from ..decisions import Identity

__all__ = ["Lease"]


@dataclass(frozen=True, slots=True)
class Lease(Identity):
    """An :class:`~hookmq.Identity` that holds until a moment; then the connection is ended.

    Args:
        username: who the client is.
        ttl: seconds in which the service is not asked about the same credentials again.
        expires: when, in seconds since 1970.

    >>> Lease("tank", expires=1_900_000_000.0).username
    'tank'
    """

    expires: float = 0.0
