"""MQTT clients that tests of pages look at."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import paho.mqtt.client as paho

from hookmq import Broker

__all__ = ["connected"]


@contextlib.contextmanager
def connected(
    broker: Broker,
    client_id: str,
    *filters: str,
    will: tuple[str, str] | None = None,
    username: str | None = None,
    expiry: int = 0,
) -> Iterator[paho.Client]:
    """A client of MQTT 5 that is connected, and has subscribed to filters.

    ``client.got`` is what it has received, ``client.gone`` is set when it is disconnected; it stays so then.
    """
    client: Any = paho.Client(
        paho.CallbackAPIVersion.VERSION2, client_id, protocol=paho.MQTTv5, reconnect_on_failure=False
    )
    ready = threading.Event()
    client.got = []
    client.on_message = lambda client, data, message: client.got.append(
        (message.topic, message.payload.decode())
    )
    client.gone = threading.Event()
    client.on_disconnect = lambda *_: client.gone.set()
    client.on_subscribe = lambda *_: ready.set()
    client.on_connect = lambda *_: None if filters else ready.set()
    if will is not None:
        client.will_set(*will)
    if username is not None:
        client.username_pw_set(username, "secret")
    properties = paho.Properties(paho.PacketTypes.CONNECT)
    properties.SessionExpiryInterval = expiry
    client.connect("127.0.0.1", broker.port, properties=properties)
    client.loop_start()
    for filter in filters:
        client.subscribe(filter, 1)
    assert ready.wait(10)
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()
