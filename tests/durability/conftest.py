"""Fixtures of the durability tests, and their figures, which stand in the test output after the run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ..protocol.packets import V5, Connect, Will
from ..protocol.wire import Wire
from .actors import FOREVER
from .server import Node

FIGURES = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FIGURES] = []


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """What was measured, for the record."""
    if config.stash[FIGURES]:
        terminalreporter.section("durability")
        for line in config.stash[FIGURES]:
            terminalreporter.write_line(line)


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """`figures("10,000 of this, 0 of that")` shows a line after the run."""
    return request.config.stash[FIGURES].append


@pytest.fixture
def seed() -> int:
    """What random cases are made of: another one each time, unless HOOKMQ_TEST_SEED repeats a run."""
    return int(os.environ.get("HOOKMQ_TEST_SEED") or time.time_ns())


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
