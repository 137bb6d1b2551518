"""Fixtures of the bridge tests."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ..protocol.packets import V5, Connect, Will
from ..protocol.wire import Wire
from ..servers.mosquitto import Mosquitto
from .gate import Gate

# What is not installed: the tests that need it are left out.
MOSQUITTO = shutil.which("mosquitto") is not None
collect_ignore = [] if MOSQUITTO else [path.name for path in Path(__file__).parent.glob("test_*.py")]


def pytest_report_collectionfinish() -> list[str]:
    return [] if MOSQUITTO else ["tests/bridge is left out, not installed: mosquitto (apt install mosquitto)"]


@pytest.fixture
def mosquitto_factory(tmp_path: Path) -> Iterator[Callable[..., Mosquitto]]:
    """`mosquitto_factory("max_inflight_messages 2")` starts a broker with this in its configuration."""
    servers: list[Mosquitto] = []

    def start(*lines: str, listener: tuple[str, ...] = (), anonymous: bool = True) -> Mosquitto:
        directory = tmp_path / f"mosquitto-{len(servers)}"
        servers.append(Mosquitto(directory, *lines, listener=listener, anonymous=anonymous))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def mosquitto(mosquitto_factory: Callable[..., Mosquitto]) -> Mosquitto:
    """A Mosquitto that lets everybody in."""
    return mosquitto_factory()


@pytest.fixture
def gate_factory() -> Iterator[Callable[..., Gate]]:
    """`gate_factory(port)` is a way to that port which can be cut."""
    gates: list[Gate] = []

    def make(target: int, *, unknown: frozenset[int] = frozenset()) -> Gate:
        gates.append(Gate(target, unknown=unknown))
        return gates[-1]

    yield make
    for gate in gates:
        gate.close()


@pytest.fixture
def client() -> Iterator[Callable[..., Wire]]:
    """`client(port, "#")` connects and subscribes, with QoS 2 unless it is given."""
    wires: list[Wire] = []

    def connect(
        port: int,
        *filters: str,
        name: str = "",
        version: int = V5,
        qos: int = 2,
        clean: bool = True,
        will: Will | None = None,
        username: str | None = None,
        password: bytes | None = None,
    ) -> Wire:
        wire = Wire("127.0.0.1", port, version=version, deadline=10)
        wires.append(wire)
        properties = {} if clean or version != V5 else {"session_expiry_interval": 0xFFFF_FFFF}
        wire.connect(
            Connect(
                name or f"client-{len(wires)}",
                clean=clean,
                will=will,
                username=username,
                password=password,
                properties=properties,
            )
        )
        for one in filters:
            wire.subscribe(one, qos=qos)
        return wire

    yield connect
    for wire in wires:
        wire.close()
