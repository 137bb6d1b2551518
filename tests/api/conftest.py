"""Fixtures of the tests of the Python API: raw connections, for what has to be exact."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ..protocol.packets import V5, Connect
from ..protocol.wire import Wire
from .helpers import Seen
from .reloaded_app import App


@pytest.fixture
def dial() -> Iterator[Callable[..., Wire]]:
    """`dial(broker, version=V5)` opens a connection and sends nothing."""
    wires: list[Wire] = []

    def dial(broker: Any, version: int = V5) -> Wire:
        wires.append(Wire("127.0.0.1", broker.port, version=version, deadline=5.0))
        return wires[-1]

    yield dial
    for wire in wires:
        wire.close()


@pytest.fixture
def join(dial: Callable[..., Wire]) -> Callable[..., Wire]:
    """`join(broker, "alice", version=V5, code=0, **fields of Connect)` gives a connected client."""

    numbers = itertools.count(1)

    def join(broker: Any, name: str = "", *, version: int = V5, code: int = 0, **fields: Any) -> Wire:
        wire = dial(broker, version)
        wire.connect(Connect(name or f"client{next(numbers)}", **fields), code=code)
        return wire

    return join


@pytest.fixture
def redefine() -> Callable[..., None]:
    """`redefine(broker, source, **names)` runs a cell: its hooks replace those of their names."""
    cells = iter(range(1, 1000))

    def redefine(broker: Any, source: str, **names: Any) -> None:
        code = compile(source, f"/tmp/ipykernel_1/{next(cells)}.py", "exec")
        exec(code, {"__name__": "__main__", "broker": broker, **names})

    return redefine


@pytest.fixture
def lost(broker: Any) -> Seen:
    """What `on_message_dropped` is told: topic, receiver and reason."""
    seen = Seen()
    broker.on_message_dropped("#", name="lost")(
        lambda msg, client_id, reason: seen.append((msg.topic, client_id, reason))
    )
    return seen


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    made = App(tmp_path)
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules["witness"] = made.witness
    yield made
    if made.module is not None:
        made.module.broker.stop()
    for name in set(sys.modules) - before:
        if not name.startswith(("hookmq", "tests")):
            path = getattr(sys.modules[name], "__file__", None) or ""
            if name == "witness" or path.startswith(str(tmp_path)):
                del sys.modules[name]
