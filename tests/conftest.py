"""Fixtures that every test may use: brokers that run in this process on free ports."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from hookmq import Broker

FIGURES = pytest.StashKey[dict[str, list[str]]]()
"""What was measured, by the folder of the test."""


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FIGURES] = {}
    for marker, version in (("mqtt5", "5.0"), ("mqtt311", "3.1.1")):
        config.addinivalue_line("markers", f"{marker}(*ids): statements of MQTT {version} that it covers")
    # What a shell starts in the background ignores Ctrl+C, and so would every process that a test starts.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """What was measured, for the record."""
    for folder, lines in config.stash[FIGURES].items():
        terminalreporter.section(folder)
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """`figures("10,000 of this, 0 of that")` shows a line after the run."""
    return request.config.stash[FIGURES].setdefault(request.path.parent.name, []).append


@pytest.fixture
def seed() -> int:
    """What random cases are made of: another one each time, unless HOOKMQ_TEST_SEED repeats a run."""
    return int(os.environ.get("HOOKMQ_TEST_SEED") or time.time_ns())


@pytest.fixture(autouse=True)
def _outside_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own settings out."""
    for name in [name for name in os.environ if name.startswith("HOOKMQ_") and "TEST" not in name]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    """Every thread of a broker has ended when its test has."""
    yield
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        left = [thread.name for thread in threading.enumerate() if thread.name.startswith("hookmq")]
        if not left:
            return
        time.sleep(0.01)
    pytest.fail(f"threads of a broker are left: {left}")


@pytest.fixture
def broker_factory(tmp_path: Path) -> Iterator[Callable[..., Broker]]:
    """Start brokers with settings given as dotted keys; they are stopped at the end of the test.

    They keep everything in memory, or on disk with HOOKMQ_TEST_DURABLE=1: nobody should notice.
    """
    brokers: list[Broker] = []

    def durable(number: int) -> dict[str, object]:
        on_disk = os.environ.get("HOOKMQ_TEST_DURABLE")
        return {"data_dir": tmp_path / f"data-{number}", "history": {"enabled": False}} if on_disk else {}

    def make(
        settings: Mapping[str, object] | None = None, *, start: bool = True, **arguments: object
    ) -> Broker:
        options: dict[str, object] = {"port": 0, "http_port": None} | durable(len(brokers)) | arguments
        for key, value in (settings or {}).items():
            section, _, name = key.rpartition(".")
            if section:
                options.setdefault(section, {})[name] = value
            else:
                options[name] = value
        broker = Broker(**options)
        brokers.append(broker)
        return broker.start() if start else broker

    yield make
    for broker in brokers:
        broker.stop()


@pytest.fixture
def broker(broker_factory: Callable[..., Broker]) -> Broker:
    """A broker on a free port, without HTTP."""
    return broker_factory()
