"""Fixtures of the tests of limits: those of the protocol tests, and connections made from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hookmq import Broker

from ..protocol.conftest import connect, dial, root, version
from ..protocol.packets import V5
from ..transports.line import Line, open_socket

__all__ = ["connect", "dial", "root", "version"]


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
