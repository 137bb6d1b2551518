"""The extension for Redis, with a real one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .redis_servers import Server
from .test_extensions import DATA, load

__all__ = ["load"]


def test_redis(load: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    server = Server(tmp_path / "redis")
    server.start()
    try:
        extension = load("redis", {"PORT": server.port})
        for number in range(100):
            extension["on_message_received_hook"]({**DATA, "message": str(number)})
        assert extension["plugin"].courier.wait(10)
        client: Any = server.client()
        stored = [json.loads(client.get(key)) for key in client.keys("hookmq:*")]
        assert {int(each["message"]) for each in stored} == set(range(100))
        assert set(stored[0]) == {"sender", "topic", "message", "unixtime", "datetime", "timestamp"}
    finally:
        server.stop()
