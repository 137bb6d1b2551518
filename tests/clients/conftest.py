"""Fixtures of the client tests. `HOOKMQ_TEST_TARGET=host:port` points them at another broker."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
import trustme

from hookmq import Broker

from .doors import Doors
from .programs import MODULES, RUMQTTC

TARGET = os.environ.get("HOOKMQ_TEST_TARGET", "")

# What is not installed, and where it is to be had: the tests that need it are left out.
MOSQUITTO = all(map(shutil.which, ("mosquitto_pub", "mosquitto_sub", "mosquitto_rr")))
NEEDED = {
    "test_mosquitto_clients.py": (MOSQUITTO, "mosquitto_pub, _sub and _rr (apt install mosquitto-clients)"),
    "test_mqttjs.py": (MODULES.exists(), "MQTT.js (tools/foreign.sh)"),
    "test_rumqttc.py": (RUMQTTC.exists(), "rumqttc (tools/foreign.sh)"),
}
MISSING = {file: what for file, (is_there, what) in NEEDED.items() if not is_there}
collect_ignore = list(MISSING)


def pytest_report_collectionfinish() -> list[str]:
    return [f"{file} is left out, not installed: {what}" for file, what in MISSING.items()]


class Target(NamedTuple):
    """A broker that runs already."""

    host: str
    port: int


if TARGET:

    @pytest.fixture
    def broker() -> Target:
        host, _, port = TARGET.rpartition(":")
        return Target(host or "127.0.0.1", int(port))


@pytest.fixture
def address(broker) -> tuple[str, int]:
    """Where clients connect to."""
    return getattr(broker, "host", "127.0.0.1"), broker.port


@pytest.fixture
def guarded(broker_factory: Callable[..., Broker]) -> tuple[str, int]:
    """Where a broker listens that lets in tank with the password secret, and nobody else."""
    broker = broker_factory(start=False)

    @broker.authenticate
    def known(client) -> bool:
        return (client.username, client.password) == ("tank", "secret")

    return "127.0.0.1", broker.start().port


@pytest.fixture
def root() -> str:
    """A first topic level that no other test uses."""
    return uuid.uuid4().hex[:8]


@pytest.fixture
def doors(broker_factory: Callable[..., Broker], tmp_path: Path) -> Doors:
    """A broker that listens for everything that can carry MQTT."""
    authority, server, unix = tmp_path / "ca.pem", tmp_path / "server.pem", tmp_path / "socket"
    signer = trustme.CA()
    signer.cert_pem.write_to_path(authority)
    signer.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(server)
    broker = broker_factory(
        http_port=0,
        tls={"cert": str(server), "key": str(server)},
        listeners=["mqtts://127.0.0.1:0", "ws://127.0.0.1:0", "wss://127.0.0.1:0", f"unix://{unix}"],
    )
    addresses = [urlsplit(listener.url) for listener in broker.listeners]
    ports = {one.scheme: one.port for one in addresses if one.scheme in ("mqtts", "ws", "wss")}
    return Doors(broker.port, **ports, http=broker.http_port, unix=unix, authority=authority)
