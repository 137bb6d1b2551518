"""Brokers to measure, each in a process of its own on a free port."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

__all__ = ["BROKERS", "Broker", "available", "nats_version"]

PATIENCE = 20.0
SYSTEM = ("/usr/sbin", "/usr/local/sbin", "/usr/local/bin")

HOOKMQ = """
import sys
from hookmq import Broker
data_dir = sys.argv[2] if len(sys.argv) > 2 else None
sync = sys.argv[3] if len(sys.argv) > 3 else "os"
queues = {"max_queued_messages": 10_000_000, "max_queued_bytes": 2**40}
Broker(port=int(sys.argv[1]), http_port=None, data_dir=data_dir, history={"enabled": False},
       store={"sync": sync}, limits=queues).run()
"""

MOSQUITTO = """
listener {port} 127.0.0.1
allow_anonymous true
user root
max_queued_messages 0
max_inflight_messages 0
log_type error
"""

MOSQUITTO_SAFE = (
    MOSQUITTO
    + """
persistence true
persistence_location {directory}/
autosave_interval 1
autosave_on_changes true
"""
)

NATS = """
listen: 127.0.0.1:{inner}
server_name: bench
jetstream {{ store_dir: "{directory}" }}
mqtt {{ listen: "127.0.0.1:{port}", ack_wait: "60s", max_ack_pending: 20000 }}
"""


def _find(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *SYSTEM]))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Broker:
    """One broker with an empty directory; it ends with the block that it is used in."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.directory = directory
        self.port = _free_port()
        directory.mkdir(parents=True)
        command = BROKERS[name](self.port, directory)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("HOOKMQ_")}
        self._errors = (directory / "stderr").open("wb")
        self._process = subprocess.Popen(
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
                if time.monotonic() > deadline or self._process.poll() is not None:
                    text = (self.directory / "stderr").read_text(errors="replace").strip()[-300:]
                    raise RuntimeError(f"{self.name} does not start: {text}") from None
                time.sleep(0.05)

    @property
    def cpu(self) -> float:
        """Seconds of processor time it has used."""
        tasks = Path(f"/proc/{self._process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    @property
    def memory(self) -> int:
        """Bytes it holds in memory."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    @property
    def disk(self) -> int:
        """Bytes that its directory takes."""
        files = [file for file in self.directory.rglob("*") if file.is_file() and file.name != "reserve"]
        return sum(file.stat().st_size for file in files)

    def close(self) -> None:
        """End it, and remove what it has kept."""
        self._process.kill()
        self._process.wait(10)
        self._errors.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Broker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _hookmq(sync: str | None) -> Callable[[int, Path], list[str]]:
    def command(port: int, directory: Path) -> list[str]:
        kept = [] if sync is None else [str(directory / "data"), sync]
        return [sys.executable, "-c", HOOKMQ, str(port), *kept]

    return command


def _mosquitto(text: str) -> Callable[[int, Path], list[str]]:
    def command(port: int, directory: Path) -> list[str]:
        file = directory / "mosquitto.conf"
        file.write_text(text.format(port=port, directory=directory))
        return [_find("mosquitto") or "mosquitto", "-c", str(file)]

    return command


def _nats(port: int, directory: Path) -> list[str]:
    file = directory / "nats.conf"
    file.write_text(NATS.format(port=port, inner=_free_port(), directory=directory / "jetstream"))
    return [_find("nats-server") or "nats-server", "-c", str(file)]


BROKERS: dict[str, Callable[[int, Path], list[str]]] = {
    "hookmq": _hookmq(None),
    "hookmq, os": _hookmq("os"),
    "hookmq, always": _hookmq("always"),
    "mosquitto": _mosquitto(MOSQUITTO),
    "mosquitto, safe": _mosquitto(MOSQUITTO_SAFE),
    "nats-server": _nats,
}
"""Command lines by name; what stands behind a comma is how it keeps messages."""


def nats_version() -> str:
    """Return which nats-server it is."""
    program = _find("nats-server")
    if program is None:
        return "not installed"
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    return said.strip().removeprefix("nats-server: v")


def available() -> list[str]:
    """The brokers that are installed."""
    missing = [name for name in ("mosquitto", "nats-server") if _find(name) is None]
    return [name for name in BROKERS if name.partition(",")[0] not in missing]
