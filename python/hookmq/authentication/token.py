"""Where a client shows its token, and what is read from the claims of one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ..decisions import Deny

if TYPE_CHECKING:
    from .._hookmq import Client

__all__ = ["Place", "checked_place", "moment", "name_from", "refusal", "token_of"]

Place: TypeAlias = Literal["password", "username"]

LATEST = 253_402_300_800.0
"""The year 10000 in seconds since 1970: later expiries are a mistake."""


def checked_place(place: str) -> Place:
    """Return where tokens stand. Raises ``ValueError`` for other places."""
    if place == "password":
        return "password"
    if place == "username":
        return "username"
    raise ValueError(f"token_from is 'password' or 'username', not {place!r}")


def token_of(client: Client, place: Place) -> str | None:
    """Return a client's token; ``None`` if there is none, or it is not text."""
    return (client.password if place == "password" else client.username) or None


def refusal(reason: str) -> Deny:
    """Return the answer to a token that is not taken."""
    return Deny(reason, code=0x86)


def name_from(claims: Mapping[str, Any], claim: str) -> str:
    """Return the user name that a token is for. Raises :class:`~hookmq.Deny` if it names none.

    >>> name_from({"sub": "tank"}, "sub")
    'tank'
    """
    name = claims.get(claim)
    if not isinstance(name, str) or not name:
        raise refusal(f"the token has no user name in `{claim}`")
    if "\0" in name or len(name.encode("utf-8", "surrogatepass")) > 65535:
        raise refusal(f"what the token has in `{claim}` can be no user name")
    return name


def moment(claims: Mapping[str, Any], claim: str) -> float | None:
    """Return a time in seconds since 1970; ``None`` without the claim. Raises ``Deny`` if it is none.

    >>> moment({"exp": 1900000000}, "exp"), moment({}, "exp")
    (1900000000.0, None)
    """
    value = claims.get(claim)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise refusal(f"what the token has in `{claim}` is no time")
    return float(min(value, LATEST))
