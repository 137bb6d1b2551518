"""The processes of a measurement, as its command sees them."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["Asked", "Wire", "asked", "share"]


class Asked:
    """A process that says one line of JSON when it is ready, and one for each line that it is given."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid
        self.told = self._read()

    def ask(self) -> dict[str, Any]:
        """Return what it says next."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("a process of the measurement has ended")
        told: dict[str, Any] = json.loads(line)
        return told


@contextmanager
def asked(module: str, *arguments: str) -> Iterator[Asked]:
    """A process that runs a module; it ends when its input does."""
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        try:
            yield Asked(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


class Wire:
    """An MQTT 3.1.1 client of a few bytes, which adds as little as can be to what it measures."""

    def __init__(self, port: int, name: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        id = name.encode()
        body = b"\0\x04MQTT\x04\x02\0\0" + len(id).to_bytes(2, "big") + id
        self._socket.sendall(bytes([0x10, len(body)]) + body)
        assert self._exactly(4)[3] == 0

    def subscribe(self, filter: str) -> None:
        """Subscribe with QoS 0."""
        name = filter.encode()
        body = b"\0\x01" + len(name).to_bytes(2, "big") + name + b"\0"
        self._socket.sendall(bytes([0x82, len(body)]) + body)
        self._exactly(5)

    @staticmethod
    def packet(topic: str, payload: bytes) -> bytes:
        """Return a PUBLISH of QoS 0."""
        name = topic.encode()
        body = len(name).to_bytes(2, "big") + name + payload
        assert len(body) < 128
        return bytes([0x30, len(body)]) + body

    def send(self, data: bytes) -> None:
        """Send packets."""
        self._socket.sendall(data)

    def receive(self, size: int) -> None:
        """Wait for a packet of a size that is known."""
        self._exactly(size)

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self._socket.recv(size - len(data))
            assert piece, "the broker has closed the connection"
            data += piece
        return data


def share(values: list[float], part: float) -> float:
    """Return the value below which a part of sorted values lies."""
    return values[min(len(values) - 1, int(len(values) * part))] if values else float("nan")
