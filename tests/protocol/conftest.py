"""Fixtures of the protocol tests: a broker, and clients that are closed at the end of the test.

`HOOKMQ_TEST_TARGET=host:port` points the tests at another broker. Tests marked `settings` need a broker
started with settings of their own and are then deselected; `-m "not choice"` leaves out what HookMQ promises
beyond the specification.
"""

from __future__ import annotations

import itertools
import os
import uuid
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from .packets import V5, V31, V311, Connect
from .websocket import WebSocket
from .wire import Wire

TARGET = os.environ.get("HOOKMQ_TEST_TARGET", "")


class Target(NamedTuple):
    """A broker that runs already."""

    host: str
    port: int


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "settings: needs a broker started with settings of its own")
    config.addinivalue_line("markers", "choice: the specification leaves this open, HookMQ promises it")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if TARGET:
        needed = [item for item in items if item.get_closest_marker("settings")]
        config.hook.pytest_deselected(items=needed)
        items[:] = [item for item in items if item not in needed]


if TARGET:

    @pytest.fixture
    def broker() -> Target:
        host, _, port = TARGET.rpartition(":")
        return Target(host or "127.0.0.1", int(port))


@pytest.fixture(params=[V31, V311, V5], ids=["3.1", "3.1.1", "5.0"])
def version(request: pytest.FixtureRequest) -> int:
    """Each protocol version in turn."""
    return int(request.param)


@pytest.fixture
def root() -> str:
    """A first topic level that no other test uses."""
    return uuid.uuid4().hex[:8]


@pytest.fixture
def silence_allowed() -> bool:
    """Whether the server may close a connection without a reason: it is allowed to, but HookMQ gives one."""
    return bool(TARGET)


@pytest.fixture
def dial(request: pytest.FixtureRequest) -> Iterator[Callable[..., Wire]]:
    """`dial(version=V5, to=broker)` opens a connection and sends nothing."""
    started = None if "broker_factory" in request.fixturenames else request.getfixturevalue("broker")
    wires: list[Wire] = []

    def dial(version: int = V5, *, to: Any = None) -> Wire:
        to = to or started
        wires.append(Wire(getattr(to, "host", "127.0.0.1"), to.port, version=version))
        return wires[-1]

    yield dial
    for wire in wires:
        wire.close()


@pytest.fixture
def connect(dial: Callable[..., Wire], root: str) -> Callable[..., Wire]:
    """`connect("alice", version=V5, code=0, to=broker, **fields of Connect)` gives a connected client.

    The client identifier is the name with the test's own prefix, so a name used twice is the same client.
    """
    numbers = itertools.count(1)

    def connect(name: str = "", *, version: int = V5, code: int = 0, to: Any = None, **fields: Any) -> Wire:
        wire = dial(version, to=to)
        wire.connect(Connect(root + (name or f"client{next(numbers)}"), **fields), code=code)
        return wire

    return connect


@pytest.fixture
def place(request: pytest.FixtureRequest, broker_factory) -> tuple[Any, int]:
    """A broker and the port on which it speaks WebSocket."""
    if getattr(request, "param", "HTTP port") == "HTTP port":
        broker = broker_factory(http_port=0)
        return broker, broker.http_port
    broker = broker_factory(listeners=["ws://127.0.0.1:0"])
    (listener,) = [each for each in broker.listeners if each.kind == "ws"]
    return broker, urlsplit(listener.url).port


@pytest.fixture
def dialled() -> Iterator[list[WebSocket]]:
    wires: list[WebSocket] = []
    yield wires
    for wire in wires:
        wire.close()


@pytest.fixture
def dial_websocket(place, dialled) -> Callable[..., WebSocket]:
    """`dial_websocket(version=V5)` opens a TCP connection and sends nothing."""

    def dial_websocket(version: int = V5, *, port: int = 0) -> WebSocket:
        dialled.append(WebSocket("127.0.0.1", port or place[1], version=version))
        return dialled[-1]

    return dial_websocket


@pytest.fixture
def connect_websocket(dial_websocket, root) -> Callable[..., WebSocket]:
    """`connect_websocket("alice", version=V5, **fields of Connect)` gives a connected client."""

    def connect_websocket(name: str = "ws", *, version: int = V5, **fields: Any) -> WebSocket:
        wire = dial_websocket(version).open()
        wire.connect(Connect(root + name, **fields))
        return wire

    return connect_websocket
