"""Who asks, and as what."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["NOBODY", "ROLES", "Identity"]

ROLES = ("viewer", "operator", "admin")
"""From the one that may least; each may what those before it may."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a request comes from.

    ``via`` says how that is known: ``"session"`` (a cookie), ``"token"`` (an API token), ``"local"`` (a
    program of this machine, or the local token), ``"link"`` (the link of the first start), ``"nobody"``.
    ``reason`` says why it is nobody, and ``help`` what to do then. ``key`` names the session or the token
    among those that are kept.

    >>> anna = Identity("anna", "operator", "session")
    >>> anna.may("viewer"), anna.may("admin")
    (True, False)
    """

    name: str
    role: str | None
    via: str
    reason: str = ""
    help: str | None = None
    key: str = field(default="", repr=False)

    def may(self, role: str) -> bool:
        """Say whether this is somebody of that role, or of one that may more."""
        return self.role is not None and ROLES.index(self.role) >= ROLES.index(role)

    @property
    def is_nobody(self) -> bool:
        """Whether it is not known who asks."""
        return self.role is None


NOBODY = Identity(
    "", None, "nobody", "nobody is logged in", "log in, or send an API token (Authorization: Bearer …)"
)
"""Who is not known."""
