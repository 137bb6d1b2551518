"""Mosquitto, as Debian has it."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Sequence
from pathlib import Path

from .process import Process, free_port


class Mosquitto:
    """A broker that keeps what it has in its directory; ``lines`` are further ones of its configuration."""

    def __init__(
        self, directory: Path, *lines: str, listener: Sequence[str] = (), anonymous: bool = True
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.directory = directory
        user = ["user root"] if os.getuid() == 0 else []  # or it could not read what tests write
        settings = [
            *user,
            "per_listener_settings false",
            "persistence true",
            f"persistence_location {directory}/",
            # By itself it drops what is more than 1,000 messages, also those of QoS 2.
            "max_queued_messages 0",
            "log_type all",
            f"allow_anonymous {str(anonymous).lower()}",
            *lines,
            f"listener {self.port} 127.0.0.1",
            *listener,
        ]
        configuration = directory / "mosquitto.conf"
        configuration.write_text("\n".join([*settings, ""]))
        self.process = Process(["mosquitto", "-c", str(configuration)], directory / "mosquitto.log")
        self.start()

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """All it has said."""
        return self.process.log.read_text(errors="replace")

    def start(self) -> None:
        self.process.start(lambda: socket.create_connection(("127.0.0.1", self.port), 1).close())

    def stop(self) -> None:
        """End it so that it writes down what it has."""
        self.process.stop()

    def kill(self) -> None:
        self.process.stop(signal.SIGKILL)

    def close(self) -> None:
        self.process.stop()
