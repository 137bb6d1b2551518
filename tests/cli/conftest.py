"""Fixtures for the command line: `hookmq` runs a command to its end, `spawn` starts one that goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "hookmq"]


def clean_environment(**more: str) -> dict[str, str]:
    """The environment without HookMQ's own variables, which would change what the tests see."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HOOKMQ")}
    return {**kept, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", **more}


@pytest.fixture
def environment() -> dict[str, str]:
    """The environment the commands of these tests run in."""
    return clean_environment()


@pytest.fixture
def hookmq(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Run `hookmq ARGUMENTS` in an empty directory and return what it printed."""

    def run(
        *arguments: str, input: bytes = b"", cwd: Path = tmp_path, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*COMMAND, *arguments],
            input=input,
            cwd=cwd,
            env=clean_environment(**(environment or {})),
            capture_output=True,
            timeout=30,
        )

    return run


class Running:
    """A command that goes on until it is told to stop; `output` grows as it prints."""

    def __init__(self, *arguments: str, cwd: Path) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=cwd,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.output = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            for line in stream:
                self.output += line

    def wait_for(self, text: bytes, *, times: int = 1, timeout: float = 20) -> None:
        """Wait until the text has been printed so many times."""
        deadline = time.monotonic() + timeout
        while self.output.count(text) < times:
            assert time.monotonic() < deadline, f"{text!r} did not come {times} times in: {self.output!r}"
            time.sleep(0.02)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send the signal and return the exit code."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self, timeout: float = 20) -> int:
        """Wait until it ends by itself; return the exit code. `output` is then complete."""
        code = self.process.wait(timeout)
        self._reader.join(5)
        return code


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Start `hookmq ARGUMENTS`; it is ended after the test."""
    started: list[Running] = []

    def start(*arguments: str, cwd: Path = tmp_path) -> Running:
        started.append(Running(*arguments, cwd=cwd))
        return started[-1]

    yield start
    for running in started:
        if running.process.poll() is None:
            running.stop()
        running.wait()
