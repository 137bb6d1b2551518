"""An example that runs in a process of its own, as a newcomer starts it."""

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
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

EXAMPLES = Path(__file__).parents[2] / "examples"

# A proxy of the machine must not be asked for pages of this machine.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def environment() -> dict[str, str]:
    """The environment of an example: free ports, and nothing of ours that changes what it does."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("HOOKMQ_") and not name.lower().endswith("_proxy")
    }
    return kept | {
        "HOOKMQ_PORT": "0",
        "HOOKMQ_HTTP_PORT": "0",
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8",
        "NO_COLOR": "1",
    }


class Example:
    """A running example: its ports as its output tells them, and its later output line by line."""

    def __init__(self, name: str, directory: Path, *, fails: bool = False) -> None:
        self._fails = fails
        self.process = subprocess.Popen(
            [sys.executable, str(EXAMPLES / name)],
            cwd=directory,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Ctrl+C must end it, promptly and without an error."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            code = self.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise AssertionError(f"it does not end:\n{self.output}") from None
        self._reader.join(timeout=5)
        assert self.process.stdout is not None
        self.process.stdout.close()
        assert code == 0, f"exit code {code}:\n{self.output}"
        # A hook that is made to fail says so in the log.
        assert ("Traceback" in self.output) == self._fails, self.output

    @property
    def output(self) -> str:
        return "".join(self.lines)

    def port(self) -> int:
        """The MQTT port."""
        return int(self.find(r"MQTT\s+mqtt://127\.0\.0\.1:(\d+)")[1])

    def get(self, path: str, *, data: bytes | None = None, method: str | None = None) -> tuple[str, str]:
        """Asks for a page; returns its text and the type of its content."""
        base = self.find(r"Pages\s+(http://127\.0\.0\.1:\d+)")[1]
        headers = {} if data is None else {"Content-Type": "application/json"}
        request = urllib.request.Request(base + path, data=data, method=method, headers=headers)
        with OPENER.open(request, timeout=10) as response:
            return response.read().decode(), response.headers["Content-Type"] or ""

    def interrupt(self) -> None:
        """Presses Ctrl+C."""
        self.process.send_signal(signal.SIGINT)

    def finish(self) -> str:
        """Waits until it ends by itself; returns its output."""
        self.process.wait(timeout=60)
        self._reader.join(timeout=5)
        return self.output

    def find(self, pattern: str, *, seconds: float = 15) -> re.Match[str]:
        """Waits for the pattern in the output."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while (found := re.search(pattern, self.output)) is None:
                remaining = deadline - time.monotonic()
                assert remaining > 0 and self._reader.is_alive(), f"no {pattern!r} in:\n{self.output}"
                self._changed.wait(min(remaining, 0.2))
            return found

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line)
                self._changed.notify_all()


class Client:
    """A paho client that keeps what it receives."""

    def __init__(
        self,
        port: int,
        *subscriptions: str,
        user: tuple[str, str] | None = None,
        name: str = "",
        largest: int | None = None,
    ) -> None:
        self._messages: queue.Queue[mqtt.MQTTMessage] = queue.Queue()
        self._answers: queue.Queue[Any] = queue.Queue()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=mqtt.MQTTv5)
        if user is not None:
            self._client.username_pw_set(*user)
        self._client.on_connect = lambda *arguments: self._answers.put(arguments[3])
        self._client.on_subscribe = lambda *arguments: self._answers.put(arguments[3])
        self._client.on_unsubscribe = lambda *arguments: self._answers.put(arguments[3])
        self._client.on_publish = lambda *arguments: self._answers.put(arguments[3])
        self._client.on_message = lambda _client, _data, message: self._messages.put(message)
        properties = None
        if largest is not None:
            properties = Properties(PacketTypes.CONNECT)
            properties.MaximumPacketSize = largest
        self._client.connect("127.0.0.1", port, properties=properties)
        self._client.loop_start()
        self.reason = self._answers.get(timeout=10)
        for subscription in subscriptions:
            assert self.subscribe(subscription) < 0x80

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def subscribe(self, filter: str, qos: int = 1) -> int:
        """Subscribes; returns the reason code."""
        self._client.subscribe(filter, qos=qos)
        (code,) = self._answers.get(timeout=10)
        return int(code.value)

    def unsubscribe(self, filter: str) -> None:
        """Unsubscribes and waits for the acknowledgement."""
        self._client.unsubscribe(filter)
        self._answers.get(timeout=10)

    def publish(self, topic: str, payload: str) -> int:
        """Publishes with QoS 1, waits for the acknowledgement and returns its reason code."""
        self._client.publish(topic, payload, qos=1)
        return int(self._answers.get(timeout=10).value)

    def receive(self, *, seconds: float = 10) -> tuple[str, str]:
        """The next message: its topic and text."""
        message = self._messages.get(timeout=seconds)
        return message.topic, message.payload.decode()


def eventually(read: Callable[[], Any], expected: Any, *, seconds: float = 10) -> None:
    """Waits until `read()` returns what is expected."""
    deadline = time.monotonic() + seconds
    while (found := read()) != expected:
        assert time.monotonic() < deadline, f"{found!r} instead of {expected!r}"
        time.sleep(0.05)
