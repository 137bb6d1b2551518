"""Couriers that are stopped, and a peer that speaks HTTP."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hookmq.connectors import Connector, Courier

from .peer import Peer

LEFT_OUT = {"redis-server": "Redis (apt install redis-server)"}


def pytest_report_collectionfinish() -> list[str]:
    return [
        f"left out, not installed: {what}" for program, what in LEFT_OUT.items() if not shutil.which(program)
    ]


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    is_about_redis = collection_path.name.startswith("test_redis")
    return True if is_about_redis and not shutil.which("redis-server") else None


@pytest.fixture
def courier(tmp_path: Path) -> Iterator[Callable[..., Courier]]:
    """`courier(connector)` starts one with a spool; it is stopped at the end."""
    started: list[Courier] = []

    def start(connector: Connector, *, spool: bool = True, **options: Any) -> Courier:
        directory = tmp_path / f"courier-{connector.name}" if spool else None
        made = Courier(connector, directory, **{"patience": 0.2, **options})
        started.append(made)
        made.start()
        return made

    yield start
    for each in started:
        each.stop(5)


@pytest.fixture
def peer() -> Iterator[Peer]:
    """A server of HTTP that notes what it is asked and answers as it is told."""
    with Peer() as made:
        yield made
