"""Fixtures of the durability tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ..protocol.packets import V5, Connect, Will
from ..protocol.wire import Wire
from .actors import FOREVER
from .server import Node


@pytest.fixture
def node() -> Iterator[Callable[..., Node]]:
    """`node(directory)` starts a broker that keeps its data there; what still runs at the end is killed."""
    nodes: list[Node] = []

    def start(directory: Path, **settings: object) -> Node:
        nodes.append(Node(directory, **settings))
        return nodes[-1]

    yield start
    for each in nodes:
        if each.server.process.poll() is None:
            each.kill()


@pytest.fixture
def connect() -> Iterator[Callable[..., Wire]]:
    """`connect(port, "name")` opens a connection whose session is kept, unless it is `clean=True`."""
    wires: list[Wire] = []

    def connect(
        port: int,
        name: str,
        *,
        clean: bool = False,
        version: int = V5,
        code: int = 0,
        expiry: int = FOREVER,
        will: Will | None = None,
        username: str | None = None,
        password: bytes | None = None,
    ) -> Wire:
        wire = Wire("127.0.0.1", port, version=version, deadline=10)
        wires.append(wire)
        properties = {"session_expiry_interval": expiry} if version == V5 and not clean else {}
        packet = Connect(
            name, clean=clean, will=will, username=username, password=password, properties=properties
        )
        wire.connect(packet, code=code)
        return wire

    yield connect
    for wire in wires:
        wire.close()
