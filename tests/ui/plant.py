"""A plant whose broker has something to show on every page: for tests, and for pictures."""

from __future__ import annotations

import json
import math
import time
from typing import Any

import paho.mqtt.client as paho

from hookmq import Broker, every

__all__ = ["Plant"]

READINGS = 240


class Plant:
    """A broker with hooks, a job, a rule, a client and messages. Close it at the end.

    Args:
        settings: more of ``Broker(...)``'s.
        past: publish readings, so that there is a history.
    """

    def __init__(self, settings: dict[str, Any] | None = None, *, past: int = READINGS) -> None:
        self.broker = Broker(**{"port": 0, "http_port": 0} | (settings or {}))
        self._register()
        self.broker.start()
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, "press-1", protocol=paho.MQTTv5)
        self.client.connect("127.0.0.1", self.broker.port)
        self.client.subscribe("factory/+/command", 1)
        self.client.loop_start()
        self.publish(past)

    def _register(self) -> None:
        broker = self.broker

        @broker.on_message_received("tank/{tank}/level")
        def watch(msg: Any, tank: str) -> None:
            if msg.json() > 71.9:
                raise ValueError(f"tank {tank} is nearly full")

        @broker.on_message_received("home/#")
        async def follow(msg: Any) -> None:
            msg.json()

        @broker.schedule(every(10).minutes)
        def remind() -> None:
            pass

        @broker.widget("Tanks", every=5)
        def tanks() -> int:
            return 2

        self.hooks = watch, follow, remind, tanks
        rule = 'SELECT payload.temperature AS warm FROM "home/+/climate" WHERE payload.temperature > 22'

        @broker.rule(rule, name="too_warm")
        def too_warm(row: Any) -> None:
            pass

    def tell(self, wave: float, turn: int) -> None:
        """Publish one round of readings."""
        for room, degrees in (("kitchen", 21 + 2 * wave), ("living", 20 - wave)):
            climate = {"temperature": round(degrees, 2), "humidity": 50 + turn % 9, "place": "ground floor"}
            self.client.publish(f"home/{room}/climate", json.dumps(climate))
        self.client.publish("tank/1/level", f"{52 + 20 * wave:.1f}", retain=True)
        self.client.publish("tank/2/level", f"{40 - 9 * wave:.1f}", retain=True)

    def publish(self, count: int = 1) -> None:
        """Publish as many rounds of readings, and what comes once."""
        for turn in range(count):
            self.tell(math.sin(turn / 12), turn)
        self.client.publish("factory/press-1/state", "running", retain=True)
        self.client.publish("factory/press-1/picture", bytes(range(256)))
        self.client.publish("日本/東京/気温", "18.5", qos=1).wait_for_publish(10)

    @property
    def url(self) -> str:
        """Where the dashboard is."""
        return f"http://127.0.0.1:{self.broker.http_port}/"

    def close(self) -> None:
        """End the client and the broker."""
        self.client.disconnect()
        self.client.loop_stop()
        self.broker.stop()


def wait_for(condition: Any, seconds: float = 10) -> None:
    """Wait until ``condition()`` is true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not become true"
        time.sleep(0.02)
