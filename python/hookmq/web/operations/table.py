"""All operations of the broker itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..source import Source
from . import (
    broker,
    clients,
    history,
    hooks,
    jobs,
    logs,
    retained,
    rules,
    security,
    subscriptions,
    topics,
)
from .operation import Operation

if TYPE_CHECKING:
    from ..log_ring import LogRing

__all__ = ["operations_of"]


def operations_of(source: Source, ring: Callable[[], LogRing]) -> Sequence[Operation]:
    """Return everything that the API can be asked of a broker, and do with it."""
    found: list[Operation] = []
    for module in (
        broker,
        clients,
        subscriptions,
        retained,
        topics,
        history,
        hooks,
        jobs,
        rules,
        security,
    ):
        found += module.operations(source)
    return [*found, *logs.operations(source, ring)]
