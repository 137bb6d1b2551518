"""A process that answers requests, one line of JSON for each."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

__all__ = ["Child", "Failed"]

HERE = Path(__file__).parent

PATIENCE = 60.0
"""Seconds an answer may take."""

ENDING = 10.0
"""Seconds a process may take to end when its input has."""


class Failed(Exception):
    """A measurement that could not be made, with why in one line."""


class Child:
    """A script of this folder in a process of its own; :attr:`ready` is the first that it says.

    It gets none of the caller's ``HOOKMQ_…`` variables, and is ended with the block that it is used in.
    """

    def __init__(self, script: str, *arguments: object, python: Path | str = sys.executable) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed with the process
        self._rest = b""
        environment = {name: text for name, text in os.environ.items() if not name.startswith("HOOKMQ_")}
        # -P: the folder of the script has modules that are not meant for it.
        command = [str(python), "-P", str(HERE / script), *map(str, arguments)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
            bufsize=0,
        )
        try:
            self.ready: dict[str, Any] = self.receive()
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def ask(self, request: str) -> dict[str, Any]:
        """Send one line and return the answer. Raises ``Failed`` when none comes."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(request.encode() + b"\n")
        except BrokenPipeError:
            raise Failed(self._reason()) from None
        return self.receive()

    def receive(self) -> dict[str, Any]:
        """Return the next answer. Raises ``Failed`` when none comes."""
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        deadline = time.monotonic() + PATIENCE
        while b"\n" not in self._rest:
            if not select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise Failed(f"no answer within {PATIENCE:.0f} s; {self._reason()}")
            data = os.read(pipe, 1 << 16)
            if not data:
                self._process.wait(ENDING)
                raise Failed(self._reason())
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(ENDING)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._errors.close()

    def _reason(self) -> str:
        """Return the last line that it wrote to its standard error."""
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else "the process ended without a word"

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
