"""Fixtures of the hardening tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from .server import Program, Server

SLOWEST = 1000.0  # milliseconds within which a message must arrive whatever the others do


@pytest.fixture
def server() -> Iterator[Callable[..., Server]]:
    """`server(limits={"max_clients": 5})` starts a broker in a process of its own.

    At the end of the test it must be alive, stop as it is told, and have said nothing of a panic.
    """
    servers: list[Server] = []

    def start(**settings: object) -> Server:
        servers.append(Server(**settings))
        return servers[-1]

    yield start
    for each in servers:
        each.close()


class Bystanders(Program):
    """Two clients in a process of their own who talk to each other while the test goes on."""

    def __init__(self, port: int) -> None:
        super().__init__("pair.py", str(port))
        assert self.read() == {"ready": True}
        self.report: dict[str, Any] = {}

    def finish(self) -> None:
        self.end_of_input()
        self.report = self.read()
        self.process.wait(10)
        report = self.report
        assert not report["errors"] and not report["unacknowledged"], report
        assert report["in_order_and_once"] and report["received"] == report["sent"] > 0, report
        assert report["slowest_ms"] < SLOWEST, report

    def __str__(self) -> str:
        return (
            f"0 others disturbed: {self.report['sent']:,} QoS 1 and 2 messages, 0 lost, repeated or out of "
            f"order, median {self.report['median_ms']:.1f} ms, slowest {self.report['slowest_ms']:.0f} ms"
        )


@pytest.fixture
def undisturbed() -> Callable[[int], Any]:
    """`with undisturbed(port) as bystanders:` two clients must not notice what happens in the block."""

    @contextmanager
    def undisturbed(port: int) -> Iterator[Bystanders]:
        bystanders = Bystanders(port)
        try:
            yield bystanders
            bystanders.finish()
        finally:
            bystanders.close()

    return undisturbed
