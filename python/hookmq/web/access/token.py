"""An API token: what a program shows."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ApiToken"]


@dataclass(slots=True)
class ApiToken:
    """A token, of which only a hash is kept. Times are seconds since the epoch.

    >>> ApiToken("1f3a", "grafana", "viewer", "…", created_at=0.0, expires_at=60.0).is_over(61.0)
    True
    """

    id: str
    name: str
    role: str
    digest: str
    created_at: float
    expires_at: float | None = None
    last_used_at: float | None = None

    def is_over(self, now: float) -> bool:
        """Say whether it has expired."""
        return self.expires_at is not None and now >= self.expires_at
