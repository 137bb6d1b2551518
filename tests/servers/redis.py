"""Redis, as Debian has it."""

from __future__ import annotations

from pathlib import Path

import redis

from .process import Process, free_port


class RedisServer:
    """A server without a file."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        arguments = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self.process = Process([*arguments, "--dir", str(directory)], directory / "redis.log")
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self.process.start(lambda: redis.Redis.from_url(self.url).ping())

    def empty(self) -> None:
        """Forget everything."""
        redis.Redis.from_url(self.url).flushall()

    def close(self) -> None:
        self.process.stop()
