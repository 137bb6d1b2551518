"""Where the views of the live feed take from what they show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..._hookmq import NativeBroker
    from ..dashboards import Dashboards
    from ..widgets import Widgets

__all__ = ["LiveData"]


@dataclass(frozen=True, slots=True)
class LiveData:
    """What the REST API answers, as functions: both say the same."""

    native: NativeBroker
    overview: Callable[[], Mapping[str, Any]]
    """``GET overview``."""
    series: Callable[[Sequence[str], int], Mapping[str, Any]]
    """``GET series``, of names and a span."""
    clients: Callable[[Sequence[str]], Iterable[Mapping[str, Any]]]
    """Items of ``GET clients`` by client identifier."""
    listed: Mapping[str, Callable[[], Iterable[Mapping[str, Any]]]]
    """``hooks``, ``jobs``, ``rules``, ``bridges``, ``connectors``: items that have a ``name``."""
    logs: Callable[[int, str | None, bool], Sequence[Mapping[str, Any]]]
    """Records of a ``GET logs`` with a higher ``number``, of a level or above, in their order, as an admin
    sees them, or as others do."""
    dashboards: Dashboards
    widgets: Widgets = field(repr=False)
