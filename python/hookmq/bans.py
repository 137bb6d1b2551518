"""Who must not connect."""

from __future__ import annotations

from .records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

__all__ = ["Ban", "who"]


class Ban(Record):
    """A client that is refused with "Banned" (0x8A) when it connects.

    ``by`` is what it is known by, ``value`` which one it is; ``until`` the end in seconds since the Unix
    epoch, ``None`` for never. ``reason`` is for whoever looks at the list, and is not told to the client.
    """

    by: Literal["client", "user", "address"]
    value: str
    until: float | None
    reason: str


def who(client_id: str | None, username: str | None, address: str | None) -> tuple[str, str]:
    """Return by what somebody is named, and the name. Raises ``ValueError`` unless it is one.

    >>> who(None, "anna", None)
    ('user', 'anna')
    """
    given = {"client": client_id, "user": username, "address": address}
    named = [(by, value) for by, value in given.items() if value is not None]
    if len(named) != 1:
        raise ValueError("name one of client_id, username and address")
    return named[0]
