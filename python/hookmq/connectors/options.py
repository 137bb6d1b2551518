"""Connectors from tables, as ``[[connectors]]`` in ``hookmq.toml`` has them."""

from __future__ import annotations

import difflib
import errno
import importlib
import inspect
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import HookMQError
from .connector import Connector
from .feed import Feed

__all__ = ["KINDS_OF_CONNECTORS", "feeds_from"]

KINDS_OF_CONNECTORS: Mapping[str, tuple[str, str]] = {
    "sql": ("sql", "SQL"),
    "redis": ("redis", "Redis"),
    "mongodb": ("mongodb", "MongoDB"),
    "elasticsearch": ("elasticsearch", "Elasticsearch"),
    "webhook": ("webhook", "Webhook"),
    "kafka": ("kafka", "Kafka"),
    "influxdb": ("influxdb", "InfluxDB"),
    "parquet": ("parquet", "Parquet"),
    "email": ("email", "Email"),
}
"""From the ``kind`` of a table to the module and the class."""

_LONGEST = 64 << 10
"""Characters of a secret in a file."""

_OF_FEED = ("filter", "events", "ack", "queue_rows", "queue_bytes", "spool_bytes", "patience")


def feeds_from(tables: Sequence[Mapping[str, Any]], *, where: str) -> Iterator[Feed]:
    """Return a feed for each table: ``kind``, what is sent, and the options of the connector's class.

    An option that ends in ``_file`` or ``_env`` names a file or an environment variable with the value, so
    that passwords need not stand in the configuration: ``url_env = "PLANT_DATABASE"``.

    Raises:
        HookMQError: E301 for an option that there is not, E303 for one that cannot be, E306 without a
            ``kind``.
    """
    for number, table in enumerate(tables, start=1):
        yield _feed(dict(table), f"{where}, connector {number}")


def _feed(table: dict[str, Any], where: str) -> Feed:
    kind = table.pop("kind", None)
    if kind is None:
        raise HookMQError("E306", where=where, what="a connector", key="kind")
    if kind not in KINDS_OF_CONNECTORS:
        expected = "one of " + ", ".join(KINDS_OF_CONNECTORS)
        raise HookMQError("E303", where=where, key="kind", value=repr(kind), expected=expected)
    given = {name: table.pop(name) for name in _OF_FEED if name in table}
    made = _class(kind)
    options = resolved(table, inspect.signature(made).parameters, where)
    try:
        return Feed(made(**options), **given)
    except (TypeError, ValueError) as error:
        raise HookMQError("E304", where=where, reason=f"a connector of kind {kind}: {error}") from None


def _class(kind: str) -> type[Connector]:
    module, name = KINDS_OF_CONNECTORS[kind]
    found: type[Connector] = getattr(importlib.import_module(f".{module}", __package__), name)
    return found


def resolved(table: Mapping[str, Any], known: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return options with what files and variables hold. Raises E301 for one that there is not."""
    options: dict[str, Any] = {}
    for name, value in table.items():
        plain, source = name, None
        for suffix in ("_file", "_env"):
            if name not in known and name.endswith(suffix):
                plain, source = name.removesuffix(suffix), suffix
        if plain not in known:
            close = difflib.get_close_matches(name, known, n=1)
            raise HookMQError("E301", where=where, key=name, suggestion=close[0] if close else None)
        options[plain] = value if source is None else _secret(name, str(value), source, where)
    return options


def _secret(name: str, place: str, source: str, where: str) -> str:
    if source == "_env":
        text = os.environ.get(place)
        if text is None:
            raise HookMQError(
                "E304", where=where, reason=f"`{name}`: there is no environment variable {place}"
            )
        return text
    try:
        if not Path(place).is_file():  # a device or a pipe may have no end
            raise FileNotFoundError(errno.ENOENT, "it is no file")
        with open(place, encoding="utf-8") as file:
            text = file.read(_LONGEST + 1)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise HookMQError("E304", where=where, reason=f"`{name}`: {place}: {reason}") from None
    if len(text) > _LONGEST:
        reason = f"`{name}`: {place} has more than {_LONGEST:,} characters"
        raise HookMQError("E304", where=where, reason=reason)
    return text.rstrip("\r\n")
