"""What the figures were taken on, and the CPU time of a process."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

__all__ = ["AMQTT", "CACHE", "ROOT", "describe", "mosquitto", "process_time"]

ROOT = Path(__file__).parents[1]

CACHE = ROOT / "bench/.cache"
"""What the benchmark makes for itself."""

AMQTT = CACHE / "amqtt/bin/python"
"""The interpreter of the environment that bench/setup.sh made for amqtt."""


def mosquitto() -> Path | None:
    """Return where mosquitto is, ``None`` if it is not installed; Debian has it outside of a user's path."""
    places = [*os.environ.get("PATH", "").split(":"), "/usr/sbin", "/usr/local/sbin"]
    return next((file for place in places if (file := Path(place) / "mosquitto").is_file()), None)


def process_time(pid: int) -> int:
    """Return the nanoseconds of CPU of all threads of a process."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks)


def describe() -> dict[str, str]:
    """Return date, versions and machine, for the head of the table."""
    processor = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
            break
    return {
        "date": datetime.datetime.now().astimezone().isoformat(" ", "minutes"),
        "hookmq": f"{version('hookmq')} {_commit()}".strip(),
        "python": platform.python_version(),
        "paho-mqtt": version("paho-mqtt"),
        "mosquitto": _mosquitto_version(),
        "amqtt": _amqtt_version(),
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


def _mosquitto_version() -> str:
    program = mosquitto()
    if program is None:
        return "not installed"
    said = subprocess.run([program, "-h"], capture_output=True, text=True).stdout
    return said.partition("\n")[0].removeprefix("mosquitto version ")


def _amqtt_version() -> str:
    if not AMQTT.exists():
        return "not installed"
    packages = AMQTT.parents[1] / f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    found = next(packages.glob("amqtt-*.dist-info"), None)
    return "?" if found is None else found.name.removesuffix(".dist-info").removeprefix("amqtt-")
