"""A broker in a process of its own that keeps its data in a directory, and can be killed."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

from ..hardening.server import Server, eventually


class Durable(Server):
    """The broker. It is started anew on the same directory as often as one likes."""

    def __init__(self, directory: Path, **settings: object) -> None:
        super().__init__(data_dir=str(directory), **settings)

    def kill(self) -> None:
        """Ends it as the kernel does when there is no memory left: at once, wherever it is."""
        self._end(signal.SIGKILL)

    def terminate(self) -> int:
        """Ends it as a supervisor does; its exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        code = self.process.wait(20)
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()
        self.complaints = self.errors()
        self._folder.cleanup()
        assert "panicked at" not in self.complaints, self.complaints
        return code


class Node:
    """A broker that is started anew whenever it was killed."""

    def __init__(self, directory: Path, **settings: object) -> None:
        self._directory, self._settings = directory, settings
        self.kills = 0
        self.start()

    def start(self) -> None:
        self.server = Durable(self._directory, **self._settings)

    @property
    def port(self) -> int:
        return self.server.port

    def kill(self) -> None:
        self.server.kill()
        self.kills += 1

    def wait_until(self, counter: str, good: Callable[[int], bool]) -> int:
        """Waits until a counter is as it should be; its value."""
        return eventually(lambda: self.server.statistics()[counter], good)

    def close(self) -> None:
        self.server.close()
