"""Something in Python that counts messages, ``counting.py KIND PORT``: a hook of its own broker, or a client.

It says when it is ready, and then after each line how many have come. Runs in the environment of its client.
"""

from __future__ import annotations

import sys
import threading

TOPIC = "bench/0"


class Count:
    """How many have come."""

    seen = 0


def hook(port: int) -> None:
    """HookMQ with a hook."""
    from hookmq import Broker, Message

    queues = {"max_queued_messages": 10_000_000, "max_queued_bytes": 2**40}
    broker = Broker(port=port, http_port=None, history={"enabled": False}, limits=queues)

    @broker.on_message_received(TOPIC, overflow="block")
    def count(msg: Message) -> None:
        Count.seen += 1

    with broker:
        answer()


def paho(port: int) -> None:
    """A client with a thread of its own."""
    import paho.mqtt.client as mqtt

    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    subscribed = threading.Event()

    def count(client: mqtt.Client, userdata: object, message: mqtt.MQTTMessage) -> None:
        Count.seen += 1

    client.on_message = count
    client.on_subscribe = lambda *arguments: subscribed.set()
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.subscribe(TOPIC)
    assert subscribed.wait(10)
    answer()


def gmqtt(port: int) -> None:
    """The fastest client of asyncio, on the fastest loop."""
    import asyncio

    import gmqtt as library  # type: ignore[import-not-found]
    import uvloop  # type: ignore[import-not-found]

    async def main() -> None:
        client = library.Client("counting")
        subscribed = asyncio.Event()

        def count(client: object, topic: str, payload: bytes, qos: int, properties: object) -> int:
            Count.seen += 1
            return 0

        client.on_message = count
        client.on_subscribe = lambda *arguments: subscribed.set()
        await client.connect("127.0.0.1", port, version=library.constants.MQTTv311)
        client.subscribe(TOPIC)
        await asyncio.wait_for(subscribed.wait(), 10)
        await asyncio.to_thread(answer)

    uvloop.run(main())


def answer() -> None:
    """Say how many have come, as often as somebody asks."""
    print("ready", flush=True)
    for _ in sys.stdin:
        print(Count.seen, flush=True)


if __name__ == "__main__":
    {"hook": hook, "paho": paho, "gmqtt": gmqtt}[sys.argv[1]](int(sys.argv[2]))
