"""The live feed's data, taken from the same functions as the answers of the API."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..operations.broker import overview, series
from ..operations.logs import entry_of
from ..operations.shapes import listed
from .data import LiveData

if TYPE_CHECKING:
    from ..dashboards import Dashboards
    from ..log_ring import LogRing
    from ..source import Source
    from ..widgets import Widgets

__all__ = ["live_data"]


def live_data(
    source: Source,
    ring: Callable[[], LogRing],
    dashboards: Dashboards,
    widgets: Widgets,
) -> LiveData:
    """Return what views take from a broker that runs."""

    def clients(ids: Sequence[str]) -> Iterable[Mapping[str, Any]]:
        items: Sequence[Mapping[str, Any]] = source.run().native.clients(max(1, len(ids)), ids=ids)[0]
        return items

    def logs(after: int, level: str | None, admin: bool) -> Sequence[Mapping[str, Any]]:
        there = ring().entries(level or "debug")
        new = [entry for entry in there if entry.number > after]  # the newest first
        return [entry_of(entry, addresses=admin) for entry in reversed(new)]

    return LiveData(
        native=source.run().native,
        overview=lambda: overview(source),
        series=lambda names, span: series(source, names, span),
        clients=clients,
        listed={
            "hooks": lambda: listed(source.hooks()),
            "jobs": lambda: listed(source.jobs()),
            "rules": lambda: [dataclasses.asdict(live.info()) for live in source.rules()],
            "bridges": lambda: listed(source.bridges()),
            "connectors": lambda: listed(source.connectors()),
        },
        logs=logs,
        dashboards=dashboards,
        widgets=widgets,
    )
