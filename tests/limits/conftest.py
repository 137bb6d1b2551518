"""Fixtures of the tests of limits: those of the protocol tests, and connections made from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hookmq import Broker

from ..protocol.conftest import connect, root, version
from ..protocol.packets import V5
from ..protocol.wire import Wire
from ..transports.line import Line, open_socket

__all__ = ["connect", "root", "version"]


@pytest.fixture
def dial(request: pytest.FixtureRequest) -> Iterator[Callable[..., Wire]]:
    """`dial(version=V5, to=broker)` opens a connection; without `to`, to the test's one broker."""
    asked = request.fixturenames
    one = "broker" in asked or "broker_factory" not in asked
    started = request.getfixturevalue("broker") if one else None
    wires: list[Wire] = []

    def dial(version: int = V5, *, to: Any = None) -> Wire:
        wires.append(Wire("127.0.0.1", (to or started).port, version=version))
        return wires[-1]

    yield dial
    for wire in wires:
        wire.close()


@pytest.fixture
def reach() -> Iterator[Callable[..., Line]]:
    """`reach(broker, version=V5, source="127.0.0.2", buffer=4096)` opens a connection and sends nothing."""
    lines: list[Line] = []

    def reach(broker: Broker, version: int = V5, **options: Any) -> Line:
        lines.append(Line(open_socket(broker.port, **options), version=version))
        return lines[-1]

    yield reach
    for line in lines:
        line.close()
