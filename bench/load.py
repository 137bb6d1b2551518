"""The load generator, ``bench/load``: built when it is first needed, then started for each measurement."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .machine import CACHE

__all__ = ["build", "measure"]

_PROGRAM = CACHE / "load/release/hookmq-load"
_SOURCE = Path(__file__).with_name("load")


def build() -> None:
    """Build the generator. Raises ``CalledProcessError`` if that fails."""
    manifest = _SOURCE / "Cargo.toml"
    command = ["cargo", "build", "--release", "--quiet", "--manifest-path", str(manifest)]
    subprocess.run([*command, "--target-dir", str(CACHE / "load")], check=True)


def measure(
    port: int, options: dict[str, Any], before: Callable[[], None], after: Callable[[], None]
) -> dict[str, float]:
    """Play a plan, and call ``before`` and ``after`` when what is measured begins and is over.

    Raises ``RuntimeError`` with what the generator says if it fails, also when a message is missing.
    """
    arguments = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    command = [str(_PROGRAM), "--port", str(port), *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as load:
        assert load.stdin is not None and load.stdout is not None and load.stderr is not None
        try:
            if load.stdout.readline() != "ready\n":
                raise RuntimeError(load.stderr.read().strip())
            before()
            load.stdin.write("\n")
            load.stdin.flush()
            line = load.stdout.readline()
            if not line:
                raise RuntimeError(load.stderr.read().strip())
            after()
            load.stdin.write("\n")
            load.stdin.flush()
        finally:
            load.stdin.close()
            if load.poll() is None:
                load.stdout.read()
    measured: dict[str, float] = json.loads(line)
    return measured
