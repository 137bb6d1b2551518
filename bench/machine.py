"""What the figures were taken on, and the CPU time of a process."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

__all__ = ["AMQTT", "CACHE", "ROOT", "describe", "process_time"]

ROOT = Path(__file__).parents[1]

CACHE = ROOT / "bench/.cache"
"""What the benchmark makes for itself."""

AMQTT = CACHE / "amqtt/bin/python"
"""The interpreter of the environment that bench/setup.sh made for amqtt."""


def process_time(pid: int) -> int:
    """Return the nanoseconds of CPU of all threads of a process."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks)


def describe(versions: Mapping[str, str]) -> dict[str, str]:
    """Return date, versions and machine, for the head of a table; ``versions`` are those of other brokers."""
    processor = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
            break
    return {
        "date": datetime.datetime.now().astimezone().isoformat(" ", "minutes"),
        "hookmq": f"{version('hookmq')} {_commit()}".strip(),
        "python": platform.python_version(),
        **versions,
        "machine": f"{os.cpu_count()} × {processor}, Linux {platform.release()}",
        "load": " ".join(f"{one:.2f}" for one in os.getloadavg()),
    }


def _commit() -> str:
    """Return the commit, with a plus if something was changed since; nothing outside of a work tree."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
