"""A server process that can be stopped, frozen and killed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


def free_port() -> int:
    """A port of the loopback interface that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """A process and what it prints, from the first `start` to `close`."""

    def __init__(
        self,
        arguments: Sequence[str],
        log: Path,
        *,
        user: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.arguments = list(arguments)
        self.log = log
        self.user = user
        self.environment = environment or {}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, ready: Callable[[], object], seconds: float = 30) -> None:
        """Start it and wait until `ready()` raises nothing."""
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                self.arguments,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                user=self.user,
                group=self.user,
                extra_groups=[] if self.user else None,
                cwd="/",
                env={**os.environ, **self.environment},
            )
        deadline = time.monotonic() + seconds
        while True:
            try:
                ready()
                return
            except Exception as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    text = self.log.read_text(errors="replace")[-2000:]
                    raise RuntimeError(f"{self.arguments[0]} does not come up: {error}\n{text}") from error
                time.sleep(0.05)

    def send(self, number: int) -> None:
        """Send a signal to it."""
        assert self.process is not None
        os.kill(self.process.pid, number)

    def freeze(self) -> None:
        """Let it hang: the kernel still takes what is sent to it."""
        self.send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.send(signal.SIGCONT)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it and wait for that."""
        process, self.process = self.process, None
        if process is None or process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGCONT)
            os.kill(process.pid, number)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
