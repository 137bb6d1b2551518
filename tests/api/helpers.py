"""Clients, waiting, and programs of their own, for the tests of the Python API."""

from __future__ import annotations

import http.client
import queue
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

DEADLINE = 8.0

# Untyped, because the type stubs that may be installed describe paho 1.
create: Any = Client


def eventually(condition: Callable[[], Any], timeout: float = DEADLINE) -> Any:
    """Wait until the condition is true, and return what it says."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.005)
    return value


class Device:
    """A paho client whose callbacks become values to wait for."""

    def __init__(self, broker: Any, name: str = "", *, version: int = MQTTv5, **settings: Any) -> None:
        self.messages: queue.Queue[MQTTMessage] = queue.Queue()
        self.answers: queue.Queue[Any] = queue.Queue()
        self.granted: queue.Queue[Any] = queue.Queue()
        self.published: queue.Queue[tuple[int, Any, Any]] = queue.Queue()
        self.ended: queue.Queue[Any] = queue.Queue()
        self.reason = ""
        clean = {} if version == MQTTv5 else {"clean_session": settings.get("clean", True)}
        self.client = create(
            CallbackAPIVersion.VERSION2, client_id=name, protocol=version, reconnect_on_failure=False, **clean
        )
        self.client.max_queued_messages_set(0)
        self.client.max_inflight_messages_set(1000)
        if login := settings.get("login"):
            self.client.username_pw_set(*login)
        if will := settings.get("will"):
            self.client.will_set(*will)
        self.client.on_message = lambda client, data, message: self.messages.put(message)
        self.client.on_connect = self._connected
        self.client.on_subscribe = lambda c, d, mid, codes, p: self.granted.put(codes)
        self.client.on_publish = lambda c, d, mid, code, p: self.published.put((mid, code, p))
        self.client.on_disconnect = lambda c, d, flags, code, p: self.ended.put(code)
        self.client.connect("127.0.0.1", broker.port, keepalive=60)
        self.client.loop_start()
        if settings.get("wait", True):
            self.code = self.answers.get(timeout=settings.get("patience", DEADLINE))

    def _connected(self, client: Any, data: Any, flags: Any, code: Any, properties: Any) -> None:
        self.reason = getattr(properties, "ReasonString", "")
        self.answers.put(code)

    def subscribe(self, filter: str, qos: int = 1) -> list[int]:
        """Subscribe and return the reason codes."""
        self.client.subscribe(filter, qos)
        return [code.value for code in self.granted.get(timeout=DEADLINE)]

    def publish(self, topic: str, payload: Any = b"", qos: int = 1, retain: bool = False, **more: Any) -> int:
        """Publish, wait for the answer and return its reason code."""
        sent = self.client.publish(topic, payload, qos, retain, **more)
        if qos == 0:
            sent.wait_for_publish(DEADLINE)
        while True:
            mid, code, _ = self.published.get(timeout=DEADLINE)
            if mid == sent.mid:
                return int(code.value)

    def receive(self, timeout: float = DEADLINE) -> MQTTMessage:
        """Return the next message."""
        return self.messages.get(timeout=timeout)

    def close(self) -> None:
        """Disconnect."""
        self.client.disconnect()
        self.client.loop_stop()

    def drop(self) -> None:
        """End the connection without a DISCONNECT."""
        self.client.loop_stop()
        self.client.socket().close()

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def properties(**values: Any) -> Properties:
    """Properties of a PUBLISH, for paho."""
    made = Properties(PacketTypes.PUBLISH)
    for name, value in values.items():
        setattr(made, name, value)
    return made


def refused(broker: Any, name: str = "", *, version: int = MQTTv5, **settings: Any) -> tuple[int, str]:
    """Try to connect; return the code and the words of the refusal, 0 if there was none."""
    device = Device(broker, name, version=version, **settings)
    device.close()
    return int(device.code.value), str(device.reason)


class Reply:
    """What an HTTP server answered."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self.pairs = answer.getheaders()
        self.body = answer.read()

    @property
    def text(self) -> str:
        return self.body.decode()


def request(broker: Any, method: str, path: str, body: Any = None, **headers: str) -> Reply:
    """Ask the broker's HTTP port."""
    connection = http.client.HTTPConnection("127.0.0.1", broker.http_port, timeout=DEADLINE)
    try:
        connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        return Reply(connection.getresponse())
    finally:
        connection.close()


def get(broker: Any, path: str) -> Reply:
    """Ask the broker's HTTP port with GET."""
    return request(broker, "GET", path)


def program(folder: Path, body: str, name: str = "app.py") -> Path:
    """Write a script that has a broker, and return its path."""
    head = """
        import asyncio, os, signal, sys, threading, time
        from hookmq import Broker, every

        """
    path = folder / name
    path.write_text(textwrap.dedent(head) + textwrap.dedent(body))
    return path


def launch(path: Path, **options: Any) -> subprocess.Popen[str]:
    """Start a script."""
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, str(path)], cwd=path.parent, **(pipes | options))


def ended(process: subprocess.Popen[str], timeout: float = 15.0) -> tuple[int, str, str]:
    """Wait for a script; return its exit code and what it wrote."""
    try:
        output, errors = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        output, errors = process.communicate()
        raise AssertionError(f"it did not end in time:\n{output}\n{errors}") from None
    return process.returncode, output, errors


def run_program(folder: Path, body: str, timeout: float = 15.0) -> tuple[int, str, str]:
    """Run a script to its end."""
    return ended(launch(program(folder, body)), timeout)


def read_until(process: subprocess.Popen[str], word: str) -> str:
    """Read the script's output up to a line with the word."""
    assert process.stdout is not None
    for line in process.stdout:
        if word in line:
            return line
    raise AssertionError(f"it ended without {word!r}: {process.stderr.read() if process.stderr else ''}")


@contextmanager
def taken_port() -> Iterator[int]:
    """A TCP port that another program listens on."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with taken_port() as port:
        return port


class Seen(list[Any]):
    """A list that hooks append to and tests wait for."""

    def until(self, count: int, timeout: float = DEADLINE) -> list[Any]:
        """Wait for so many entries and return all."""
        eventually(lambda: len(self) >= count, timeout)
        return list(self)


class Gate:
    """Where a hook waits until the test lets it go on."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()

    def wait(self) -> None:
        """Say that it is here, and wait."""
        self.entered.set()
        assert self.opened.wait(DEADLINE)


__all__ = [
    "DEADLINE",
    "Device",
    "Gate",
    "MQTTv5",
    "MQTTv311",
    "Reply",
    "Seen",
    "ended",
    "eventually",
    "free_port",
    "get",
    "launch",
    "program",
    "properties",
    "read_until",
    "refused",
    "request",
    "run_program",
    "taken_port",
]
