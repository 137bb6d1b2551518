"""A session: from a login to a logout."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["IDLE", "LIFE", "Session"]

IDLE = 12 * 3600.0
"""Seconds that a session lasts without a request."""

LIFE = 30 * 86_400.0
"""Seconds that it lasts at most."""


@dataclass(slots=True)
class Session:
    """What is known by a session's cookie; ``via`` is ``"session"`` or ``"link"``.

    >>> session = Session("anna", "session", created_at=0.0, seen_at=0.0)
    >>> session.is_over(IDLE - 1), session.is_over(IDLE + 1)
    (False, True)
    """

    name: str
    via: str
    created_at: float
    seen_at: float

    def is_over(self, now: float) -> bool:
        """Say whether it has ended by itself."""
        # A clock that is set back must not make one last for ever.
        return not (-LIFE < now - self.seen_at < IDLE and -LIFE < now - self.created_at < LIFE)
