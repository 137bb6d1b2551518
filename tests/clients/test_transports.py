"""Python's clients on everything that can carry MQTT. The programs are in the files of their own."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Callable, Iterator
from typing import Any

import aiomqtt
import pytest
from paho.mqtt.client import Client, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion

from .doors import Doors

DEADLINE = 5.0
PAYLOADS = [b"12", bytes(range(256)) * 4096]  # a small one and 1 MiB
WEBSOCKET = ("ws", "wss", "http")
VERSIONS = pytest.mark.parametrize("version", [MQTTv311, MQTTv5], ids=["3.1.1", "5.0"])


@pytest.fixture
def paho(doors: Doors) -> Iterator[Callable[..., Client]]:
    clients: list[Client] = []

    def make(way: str, version: int) -> Client:
        transport = "websockets" if way in WEBSOCKET else "unix" if way == "unix" else "tcp"
        client = Client(CallbackAPIVersion.VERSION2, protocol=version, transport=transport)
        if transport == "websockets":
            client.ws_set_options(path="/mqtt")
        if way in ("mqtts", "wss"):
            client.tls_set(ca_certs=str(doors.authority))
        connected: queue.Queue[Any] = queue.Queue()
        client.on_connect = lambda c, d, flags, code, p: connected.put(code)
        clients.append(client)
        client.connect(*((str(doors.unix),) if way == "unix" else ("127.0.0.1", getattr(doors, way))))
        client.loop_start()
        assert not connected.get(timeout=DEADLINE).is_failure
        return client

    yield make
    for client in clients:
        client.disconnect()
        client.loop_stop()


@VERSIONS
@pytest.mark.parametrize("way", ["mqtt", "mqtts", "ws", "wss", "http", "unix"])
def test_paho(paho, root, way, version):
    granted: queue.Queue[Any] = queue.Queue()
    messages: queue.Queue[Any] = queue.Queue()
    client = paho(way, version)
    client.on_subscribe = lambda *arguments: granted.put(arguments)
    client.on_message = lambda c, d, message: messages.put(message)
    client.subscribe(root, 2)
    granted.get(timeout=DEADLINE)
    for qos in (0, 1, 2):
        for payload in PAYLOADS:
            client.publish(root, payload, qos).wait_for_publish(DEADLINE)
            got = messages.get(timeout=DEADLINE)
            assert (got.payload, got.qos) == (payload, qos)


def aiomqtt_settings(doors: Doors, way: str) -> dict[str, Any]:
    if way == "unix":
        return {"hostname": str(doors.unix), "transport": "unix"}
    settings: dict[str, Any] = {"hostname": "127.0.0.1", "port": getattr(doors, way)}
    if way in WEBSOCKET:
        settings |= {"transport": "websockets", "websocket_path": "/mqtt"}
    if way in ("mqtts", "wss"):
        settings["tls_params"] = aiomqtt.TLSParameters(ca_certs=str(doors.authority))
    return settings


@VERSIONS
@pytest.mark.parametrize("way", ["mqtt", "mqtts", "ws", "wss", "http", "unix"])
def test_aiomqtt(doors, root, way, version):
    async def conversation() -> None:
        settings = aiomqtt_settings(doors, way)
        async with (
            asyncio.timeout(DEADLINE),
            aiomqtt.Client(protocol=aiomqtt.ProtocolVersion(version), **settings) as client,
        ):
            await client.subscribe(root, qos=2)
            for payload in PAYLOADS:
                await client.publish(root, payload, qos=2)
                assert (await anext(client.messages)).payload == payload

    asyncio.run(conversation())
