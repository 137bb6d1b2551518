"""The parts of a broker that its settings name: storage, connectors, authentication services."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .authentication.options import services_from
from .authentication.part import ServicePart
from .connectors.feed import Feed
from .connectors.options import feeds_from
from .settings.config import Settings

__all__ = ["parts_of"]


def parts_of(settings: Settings) -> Iterator[ServicePart | Feed]:
    """Return what the settings name, in the order in which clients should be asked and messages be sent.

    Raises:
        HookMQError: E3xx for options that cannot be, E603 for a connector that cannot be used.
    """
    services = services_from(_tables(settings, "authentication"), where=settings.origin("authentication"))
    yield from map(ServicePart, services)
    if settings["storage.url"] is not None:
        yield _storage(settings)
    yield from feeds_from(_tables(settings, "connectors"), where=settings.origin("connectors"))


def _tables(settings: Settings, key: str) -> tuple[Mapping[str, Any], ...]:
    value = settings[key]
    return value if isinstance(value, tuple) else ()


def _storage(settings: Settings) -> Feed:
    from .connectors.sql import SQL

    chosen: dict[str, Any] = {key: settings[f"storage.{key}"] for key in ("prefix", "max_age", "max_rows")}
    connector = SQL(str(settings["storage.url"]), name="storage", **chosen)
    return Feed(
        connector,
        str(settings["storage.filter"]),
        events=settings.texts("storage.events"),
        ack=str(settings["storage.ack"]),
        spool_bytes=int(str(settings["storage.spool_bytes"])),
    )
