"""The broker under test: it says its ports and a dashboard, and serves until its input ends."""

from __future__ import annotations

import http.client
import json
import sys
from typing import Any

from hookmq import Broker

WIDGETS = 12
KINDS = ("value", "gauge", "tank", "line", "led", "horizontal")


def add_dashboard(port: int) -> str:
    """Add a dashboard by the API and return its id."""
    widgets: list[dict[str, Any]] = [
        {
            "id": f"w{number}",
            "kind": KINDS[number % len(KINDS)],
            "topic": f"plant/{number}",
            "path": "v",
            "x": number % 4 * 3,
            "y": number // 4 * 2,
        }
        for number in range(WIDGETS)
    ]
    connection = http.client.HTTPConnection("127.0.0.1", port)
    body = json.dumps({"title": "Plant", "widgets": widgets})
    headers = {"X-HookMQ": "1", "Content-Type": "application/json"}
    connection.request("POST", "/api/v1/dashboards", body, headers)
    made: dict[str, Any] = json.loads(connection.getresponse().read())
    return str(made["id"])


def main() -> None:
    """Serve."""
    limits = {"max_http_connections": 5000}
    with Broker(port=0, http_port=0, limits=limits, history={"enabled": False}) as broker:
        assert broker.http_port is not None
        told = {"port": broker.port, "http_port": broker.http_port}
        print(json.dumps(told | {"dashboard": add_dashboard(broker.http_port)}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
