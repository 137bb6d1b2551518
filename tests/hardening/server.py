"""A broker in a process of its own, and how it fares: its memory, its processor time, its complaints."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

HERE = Path(__file__).parent
PAGE, TICKS = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")

T = TypeVar("T")


class Program:
    """A Python file of this folder that runs beside the tests and speaks JSON, a line at a time."""

    def __init__(self, name: str, *arguments: str) -> None:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("HOOKMQ")}
        self._folder = tempfile.TemporaryDirectory()
        self.complaints = ""  # all it wrote to stderr, when it has ended
        self._errors = Path(self._folder.name) / "stderr"
        with self._errors.open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, str(HERE / name), *arguments],
                env={**kept, "PYTHONUNBUFFERED": "1", "RUST_BACKTRACE": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
            )

    def read(self) -> dict[str, Any]:
        """The next line; the test's own time-out bounds the wait."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"it ended with {self.process.wait(10)}:\n{self.errors()}"
        found: dict[str, Any] = json.loads(line)
        return found

    def ask(self) -> dict[str, Any]:
        """Its answer to an empty line."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        return self.read()

    def errors(self) -> str:
        """All it has written to stderr."""
        return self._errors.read_text(errors="replace")

    def end_of_input(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def close(self) -> int:
        """Ends it; its exit code."""
        self.end_of_input()
        try:
            code = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
            code = self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.complaints = self.errors()
        self._folder.cleanup()
        return code


class Server(Program):
    """The broker."""

    host = "127.0.0.1"

    def __init__(self, **settings: object) -> None:
        # Without a history, which keeps messages and would be taken for a leak.
        defaults: dict[str, object] = {
            "port": 0,
            "http_port": None,
            "log": {"level": "error"},
            "history": {"enabled": False},
        }
        super().__init__("serve.py", json.dumps(defaults | settings))
        ports = self.read()
        self.port: int = ports["port"]
        self.http_port: int = ports["http_port"]

    def statistics(self) -> dict[str, int]:
        return self.ask()

    def memory(self) -> int:
        """Bytes it holds in memory."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * PAGE

    def reserved(self) -> int:
        """Bytes it has asked the system for, whether it has used them or not."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmData:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]

    def processor_time(self) -> float:
        """Seconds of processor time it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def descriptors(self) -> int:
        """How many files and sockets it has open."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def panics(self) -> int:
        return self.errors().count("panicked at")

    def close(self) -> int:
        """Ends it. It must have lived until now, and must end as it was told."""
        code = super().close()
        complaints = self.complaints
        assert code == 0 and "panicked at" not in complaints, f"the broker ended with {code}:\n{complaints}"
        return code


def eventually(read: Callable[[], T], good: Callable[[T], bool], *, seconds: float = 10) -> T:
    """Waits until what is read is good; its last value."""
    deadline = time.monotonic() + seconds
    while not good(value := read()):
        assert time.monotonic() < deadline, f"still {value!r} after {seconds} s"
        time.sleep(0.02)
    return value


def mib(count: float) -> str:
    return f"{count / 2**20:.1f} MiB"
