"""A complete script of the documentation, run in a process of its own as a reader runs it."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

# A proxy of the machine must not be asked for pages of this machine.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def environment() -> dict[str, str]:
    """Free ports, only this machine, and nothing of the developer's that changes what a script does."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HOOKMQ")}
    return kept | {
        "HOOKMQ_HOST": "127.0.0.1",
        "HOOKMQ_PORT": "0",
        "HOOKMQ_HTTP_PORT": "0",
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8",
        "NO_COLOR": "1",
    }


class Script:
    """A script that runs until the block ends; it must end well by Ctrl+C."""

    def __init__(self, code: str, directory: Path) -> None:
        (directory / "app.py").write_text(code, encoding="utf-8")
        self._process = subprocess.Popen(
            [sys.executable, "app.py"],
            cwd=directory,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        self.output = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            code = self._process.wait(timeout=15)
        finally:
            self._process.kill()
            self._reader.join(5)
        assert code == 0, f"exit code {code}:\n{self.output}"
        assert "Traceback" not in self.output, self.output

    @property
    def port(self) -> int:
        return int(self.find(r"mqtt://127\.0\.0\.1:(\d+)")[1])

    @property
    def banner(self) -> str:
        self.find("Only this machine can connect.*\n")
        return self.output

    def get(self, path: str) -> str:
        """The text of a page."""
        with _OPENER.open(self.find(r"(http://127\.0\.0\.1:\d+)/")[1] + path, timeout=10) as response:
            return response.read().decode()

    def find(self, pattern: str, *, seconds: float = 15) -> re.Match[str]:
        """Wait for the pattern in the output."""
        deadline = time.monotonic() + seconds
        while (found := re.search(pattern, self.output)) is None:
            assert time.monotonic() < deadline and self._reader.is_alive(), f"no {pattern!r}:\n{self.output}"
            time.sleep(0.02)
        return found

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for line in stream:
                self.output += line


class Client:
    """A paho client; `accepted` says whether it was let in."""

    def __init__(self, port: int, filter: str | None = None) -> None:
        self._answers: queue.Queue[Any] = queue.Queue()
        self._messages: queue.Queue[mqtt.MQTTMessage] = queue.Queue()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self._client.on_connect = lambda *arguments: self._answers.put(arguments[3])
        self._client.on_subscribe = lambda *arguments: self._answers.put(arguments[3])
        self._client.on_message = lambda _client, _data, message: self._messages.put(message)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self.accepted = not self._answers.get(timeout=10).is_failure
        if filter is not None:
            self._client.subscribe(filter, qos=1)
            self._answers.get(timeout=10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, payload: str) -> None:
        """Publish with QoS 1 and wait for the acknowledgement."""
        self._client.publish(topic, payload, qos=1).wait_for_publish(timeout=10)

    def receive(self) -> tuple[str, str]:
        """The next message: its topic and text."""
        message = self._messages.get(timeout=10)
        return message.topic, message.payload.decode()
