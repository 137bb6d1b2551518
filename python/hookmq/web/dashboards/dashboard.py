"""A dashboard: its widgets and where they stand, and who may see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Dashboard"]


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A version of a dashboard; a change is another object.

    ``share`` is the token of the link by which anybody may look at it, if there is one.
    """

    id: str
    title: str
    version: int
    columns: int
    widgets: Sequence[Mapping[str, Any]]
    updated_at: float
    share: str | None = None

    def summary(self) -> dict[str, Any]:
        """Return what lists say of it."""
        return {
            "id": self.id,
            "title": self.title,
            "version": self.version,
            "widgets": len(self.widgets),
            "updated_at": self.updated_at,
            "shared": self.share is not None,
        }

    def plain(self) -> dict[str, Any]:
        """Return all of it that is no secret, which is what an export has."""
        return {
            "id": self.id,
            "title": self.title,
            "version": self.version,
            "columns": self.columns,
            "widgets": [dict(widget) for widget in self.widgets],
            "updated_at": self.updated_at,
            "shared": self.share is not None,
        }

    def widget(self, id: str) -> Mapping[str, Any] | None:
        """Return one of its widgets."""
        return next((widget for widget in self.widgets if widget["id"] == id), None)
