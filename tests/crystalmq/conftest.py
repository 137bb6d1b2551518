"""Fixtures: homes of both generations, and brokers that run them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hookmq import Broker

from .homes import HomeFolder


@pytest.fixture
def home(tmp_path: Path) -> HomeFolder:
    """A home of CrystalMQ, without extensions."""
    return HomeFolder(tmp_path / "home")


@pytest.fixture(params=["CrystalMQ", "MQTTRoute"])
def any_home(request: pytest.FixtureRequest, tmp_path: Path) -> HomeFolder:
    """A home of each generation."""
    return HomeFolder(tmp_path / "home", old=request.param == "MQTTRoute")


@pytest.fixture
def run_home() -> Iterator[Callable[..., Broker]]:
    """Start the broker of a home, on free ports; at the end it is stopped, and the directory as before."""
    brokers: list[Broker] = []
    directories: list[str] = []

    def run(home: HomeFolder, *, start: bool = True, **settings: Any) -> Broker:
        directories.append(os.getcwd())
        free: dict[str, Any] = {"http_ports": [0], "hooks": {"stop_grace": 1.0}}
        broker = Broker.from_crystalmq(home.path, **(free | settings))
        brokers.append(broker)
        return broker.start() if start else broker

    yield run
    for broker in brokers:
        broker.stop()
    assert set(directories) <= {os.getcwd()}
