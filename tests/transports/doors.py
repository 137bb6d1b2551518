"""Where a broker listens."""

from __future__ import annotations

from urllib.parse import urlsplit

from hookmq import Broker


def urls(broker: Broker, kind: str = "") -> list[str]:
    """The addresses of its listeners, of one kind or of all."""
    return [listener.url for listener in broker.listeners if kind in ("", listener.kind)]


def door(broker: Broker, kind: str = "mqtt", number: int = 0) -> tuple[str, int]:
    """Host and port of a listener; `http` is the HTTP port."""
    if kind == "http":
        assert broker.http_port is not None
        return "127.0.0.1", broker.http_port
    found = urlsplit(urls(broker, kind)[number])
    assert found.hostname is not None
    assert found.port
    return found.hostname, found.port
