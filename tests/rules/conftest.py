"""Fixtures of the tests of rules: brokers that have some, clients, and a peer that speaks HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hookmq import Broker

from ..api.helpers import Device, Seen
from ..connectors.peer import Peer


@pytest.fixture
def peer() -> Iterator[Peer]:
    """A server of HTTP that notes what it is asked and answers as it is told."""
    with Peer() as made:
        yield made


@pytest.fixture
def listen() -> Iterator[Callable[..., Device]]:
    """`listen(broker, "alarm/#")` gives a client that has subscribed."""
    devices: list[Device] = []

    def listen(broker: Any, *filters: str, name: str = "listener", **settings: Any) -> Device:
        device = Device(broker, name, **settings)
        devices.append(device)
        for filter in filters:
            assert device.subscribe(filter)[0] < 0x80
        return device

    yield listen
    for device in devices:
        device.close()


@pytest.fixture
def select(broker: Broker) -> Callable[..., Seen]:
    """`select(sql)` adds a rule to the broker, and returns the list of its results."""
    names = iter(range(1, 1000))

    def select(sql: str, **options: Any) -> Seen:
        seen = Seen()
        broker.rule(sql, **({"name": f"rule{next(names)}"} | options))(seen.append)
        return seen

    return select


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """`write(toml)` writes `hookmq.toml`, and returns its path."""

    def write(text: str) -> Path:
        path = tmp_path / "hookmq.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write
