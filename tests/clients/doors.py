"""The ways into a broker."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Doors(NamedTuple):
    """Where one broker listens, and the authority that signed its certificate."""

    mqtt: int
    mqtts: int
    ws: int
    wss: int
    http: int
    unix: Path
    authority: Path

    def url(self, way: str) -> str:
        """The address as MQTT.js reads it."""
        if way == "unix":
            return f"mqtt+unix://{self.unix}"
        path = "/mqtt" if way in ("ws", "wss", "http") else ""
        return f"{'ws' if way == 'http' else way}://127.0.0.1:{getattr(self, way)}{path}"
