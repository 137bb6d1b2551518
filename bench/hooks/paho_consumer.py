"""Peer: a consumer with paho-mqtt, ``paho_consumer.py PORT WARM MESSAGES``; it makes a dict of each message.

It says that it has subscribed, and later what the messages after the first WARM took.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion


def main() -> None:
    """Consume."""
    port, warm, messages = map(int, sys.argv[1:])
    seen = 0
    started = spent = 0

    def connected(client: Client, *_: Any) -> None:
        client.subscribe("#", 0)

    def subscribed(*_: Any) -> None:
        print(json.dumps({"subscribed": True}), flush=True)

    def received(client: Client, data: object, message: MQTTMessage) -> None:
        nonlocal seen, started, spent
        {  # noqa: B018 - making it is the work
            "topic": message.topic,
            "payload": message.payload,
            "qos": message.qos,
            "retain": message.retain,
            "mid": message.mid,
            "time": message.timestamp,
        }
        seen += 1
        if seen == warm:
            started, spent = time.perf_counter_ns(), time.process_time_ns()
        elif seen == warm + messages:
            cpu, elapsed = time.process_time_ns() - spent, time.perf_counter_ns() - started
            print(json.dumps({"cpu": cpu, "seconds": elapsed / 1e9}), flush=True)
            client.disconnect()

    client = Client(CallbackAPIVersion.VERSION2, client_id="consumer")
    client.on_connect, client.on_subscribe, client.on_message = connected, subscribed, received
    client.connect("127.0.0.1", port)
    client.loop_forever()


if __name__ == "__main__":
    main()
