"""The settings of a broker that a configuration stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .configuration import Configuration

__all__ = ["STORED_EVENTS", "merged", "settings_of"]

STORED_EVENTS = ("connected", "disconnected", "subscribed", "unsubscribed", "error")
"""What the broker's own database has besides payloads."""


def settings_of(configuration: Configuration, host: str) -> dict[str, Any]:
    """Return arguments for ``Broker(...)``; ``host`` is the address on which WebSocket clients are served."""
    settings: dict[str, Any] = {
        "port": configuration.port,
        "http_port": configuration.http_port,
        "data_dir": str(configuration.home / "data" / "hookmq"),
        "sys_interval": configuration.sys_interval,
        "log": {"level": configuration.log.level},
        "history": {"enabled": configuration.keeps_payloads},
    }
    if configuration.websocket_port is not None and configuration.websocket_port != configuration.http_port:
        settings["http_ports"] = [configuration.websocket_port]
    name = f"[{host}]" if ":" in host else host
    listeners = [] if configuration.ws_port is None else [{"url": f"ws://{name}:{configuration.ws_port}"}]
    if configuration.tls:
        settings["tls"] = {"port": configuration.tls_port, **_tls(configuration)}
        if configuration.wss_port is not None:
            listeners.append({"url": f"wss://{name}:{configuration.wss_port}"})
    settings["listeners"] = listeners
    if configuration.authentication == "default":
        settings["access"] = {"users_file": str(configuration.home / "data" / "users")}
    if configuration.storage_url is not None:
        events = (*(("received", "sent") if configuration.keeps_payloads else ()), *STORED_EVENTS)
        settings["storage"] = {"url": configuration.storage_url, "events": list(events)}
    if configuration.elastic.enabled:
        settings["connectors"] = [elastic_table(configuration)]
    return settings


def elastic_table(configuration: Configuration) -> dict[str, Any]:
    """Return the connector to Elasticsearch that is built in."""
    elastic = configuration.elastic
    return {
        "kind": "elasticsearch",
        "name": "elastic",
        "urls": elastic.url,
        "index": elastic.index.replace("%", "%%"),
        "template": False,
        "shape": "crystalmq",
        "batch_delay": elastic.interval,
        "events": ["received", "sent"],
    }


def merged(settings: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings in which those of ``over`` win, section by section.

    >>> merged({"port": 1883, "log": {"level": "info"}}, {"port": 0, "log": {}})
    {'port': 0, 'log': {'level': 'info'}}
    """
    result = dict(settings)
    for key, value in over.items():
        before = result.get(key)
        both = isinstance(before, Mapping) and isinstance(value, Mapping)
        result[key] = merged(before, value) if both else value  # type: ignore[arg-type]
    return result


def _tls(configuration: Configuration) -> dict[str, Any]:
    found: dict[str, Any] = {"cert": configuration.certificate, "key": configuration.key}
    if configuration.ca is not None:
        # The original lets clients in that show no certificate.
        found |= {"client_ca": configuration.ca, "client_cert": "optional"}
    return {name: str(value) for name, value in found.items() if value is not None}
