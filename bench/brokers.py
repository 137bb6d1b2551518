"""A broker to measure, in a process of its own on a free port."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from .certificate import Certificate
from .machine import CACHE
from .peers import PEERS, Place, free_port

__all__ = ["Broker"]

PATIENCE = 20.0


class Broker:
    """One broker with an empty directory; it ends with the block that it is used in."""

    def __init__(self, name: str, directory: Path, carrier: str = "tcp") -> None:
        self.name = name
        self.directory = directory
        self.port = free_port()
        directory.mkdir(parents=True)
        CACHE.mkdir(exist_ok=True)
        self.certificate = Certificate.make(CACHE)
        command = PEERS[name].command(Place(self.port, directory, carrier, self.certificate))
        self._start(command)

    def _start(self, command: list[str]) -> None:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("HOOKMQ_")}
        self._errors = (self.directory / "stderr").open("wb")
        self.process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=self._errors
        )
        try:
            self._wait()
        except BaseException:
            self.close()
            raise

    def _wait(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    text = (self.directory / "stderr").read_text(errors="replace").strip()[-300:]
                    raise RuntimeError(f"{self.name} does not start: {text}") from None
                time.sleep(0.05)

    @property
    def processes(self) -> list[int]:
        """It and its children."""
        found = [self.process.pid]
        for pid in found:
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                found += map(int, task.read_text().split())
        return found

    @property
    def cpu(self) -> float:
        """Seconds of processor time that it and its children have used."""
        tasks = [file for pid in self.processes for file in Path(f"/proc/{pid}/task").glob("*/schedstat")]
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    @property
    def memory(self) -> int:
        """Bytes that it and its children hold in memory."""
        pages = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self.processes]
        return sum(pages) * os.sysconf("SC_PAGE_SIZE")

    @property
    def disk(self) -> int:
        """Bytes that its directory takes."""
        files = [file for file in self.directory.rglob("*") if file.is_file() and file.name != "reserve"]
        return sum(file.stat().st_size for file in files)

    def close(self) -> None:
        """End it and its children, and remove what it has kept."""
        children = self.processes[1:]
        self.process.kill()
        self.process.wait(10)
        for pid in children:
            with suppress(ProcessLookupError):
                os.kill(pid, 9)
        self._errors.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Broker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
