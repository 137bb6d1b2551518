"""Fixtures of the client tests. `HOOKMQ_TEST_TARGET=host:port` points them at another broker."""

from __future__ import annotations

import os
import shutil
import uuid
from typing import NamedTuple

import pytest

TARGET = os.environ.get("HOOKMQ_TEST_TARGET", "")

MISSING = [name for name in ("mosquitto_pub", "mosquitto_sub", "mosquitto_rr") if not shutil.which(name)]
collect_ignore = ["test_mosquitto_clients.py"] if MISSING else []


def pytest_report_collectionfinish() -> list[str]:
    if MISSING:
        names = ", ".join(MISSING)
        return [
            f"test_mosquitto_clients.py is left out: {names} not installed (apt install mosquitto-clients)"
        ]
    return []


class Target(NamedTuple):
    """A broker that runs already."""

    host: str
    port: int


if TARGET:

    @pytest.fixture
    def broker() -> Target:
        host, _, port = TARGET.rpartition(":")
        return Target(host or "127.0.0.1", int(port))


@pytest.fixture
def address(broker) -> tuple[str, int]:
    """Where clients connect to."""
    return getattr(broker, "host", "127.0.0.1"), broker.port


@pytest.fixture
def root() -> str:
    """A first topic level that no other test uses."""
    return uuid.uuid4().hex[:8]
