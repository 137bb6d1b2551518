"""A disk that is full, and one that cannot be written: what was promised is kept, the rest is refused."""

from __future__ import annotations

import errno
import http.client
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ..hardening.server import eventually
from ..protocol.packets import V311, Puback, Publish
from ..protocol.wire import Wire
from .power import build
from .server import Node

SIZE = 24 << 20
PAYLOAD = bytes(8192)


class SmallDisk:
    """A file system of 24 MiB; where none may be mounted, a library that behaves like one."""

    def __init__(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.data = place / "disk" / "data"
        self._place = place / "disk"
        self._fails = place / "fails"
        self._place.mkdir()
        self.is_mounted = self._mount("-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs")
        if not self.is_mounted:
            monkeypatch.setenv("LD_PRELOAD", str(build(place)))
            monkeypatch.setenv("DISK_ROOT", f"{self.data}/")
            monkeypatch.setenv("DISK_QUOTA", str(SIZE))
            monkeypatch.setenv("DISK_FAILS", str(self._fails))

    def _mount(self, *arguments: str) -> bool:
        done = subprocess.run(["mount", *arguments, self._place], capture_output=True, check=False)
        return done.returncode == 0

    def set_read_only(self, read_only: bool) -> None:
        """From now on it can only be read, or be written again."""
        if self.is_mounted:
            assert self._mount("-o", "remount,ro" if read_only else "remount,rw")
        elif read_only:
            self._fails.write_text(f"1 {errno.EROFS}")
        else:
            self._fails.unlink()

    def close(self) -> None:
        if self.is_mounted:
            subprocess.run(["umount", self._place], check=True)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallDisk]:
    disk = SmallDisk(tmp_path, monkeypatch)
    yield disk
    disk.close()


def fill(wire: Wire) -> set[int]:
    """Publishes until the broker says no; the numbers that it has taken."""
    taken = set()
    for number in range(1, 10_000):
        wire.send(Publish("queue/a", str(number).encode() + PAYLOAD, 1, id=number))
        answer = wire.read()
        assert isinstance(answer, Puback)
        if answer.code == 0x97:
            return taken
        assert answer.code == 0, answer
        taken.add(number)
    raise AssertionError("the disk does not fill")


def test_a_full_disk(disk: SmallDisk, node: Callable[..., Node], connect: Callable[..., Wire]) -> None:
    broker = node(disk.data, log={"level": "info"})
    away = connect(broker.port, "away")
    away.subscribe("queue/#", qos=1)
    away.disconnect()
    publisher = connect(broker.port, "publisher", clean=True)
    taken = fill(publisher)
    assert len(taken) > 500
    assert broker.wait_until("store_problem", (1).__eq__) == 1
    eventually(broker.server.errors, lambda log: "WARNING:hookmq:the disk is full: " in log)

    # What must be kept is refused, whatever it is; what need not is served.
    assert publisher.publish("queue/a", PAYLOAD, 2) == 0x97
    assert publisher.publish("retained/a", b"x", 1, retain=True) == 0x97
    connect(broker.port, "new", code=0x88).close()
    connect(broker.port, "old", version=V311, code=3).close()
    reader = connect(broker.port, "reader", clean=True)
    reader.subscribe("live/#", qos=2)
    assert publisher.publish("live/a", b"x", 2) == 0
    reader.expect_message("live/a", b"x", qos=2)
    older = connect(broker.port, "older", clean=True, version=V311)
    older.send(Publish("queue/a", b"x", 1, id=1))
    older.expect_closed()
    assert broker.server.statistics()["store_refused"] >= 5

    # Killed, it finds on the full disk what it had promised.
    broker.kill()
    broker.start()
    back = connect(broker.port, "away")
    assert back.connack.session_present
    assert {int(bytes(message.payload).strip(b"\0")) for message in back.drain()} >= taken

    # Whoever fetches his messages makes room.
    broker.wait_until("store_problem", (0).__eq__)
    eventually(broker.server.errors, lambda log: "what is to be kept can be stored again" in log)
    publisher = connect(broker.port, "publisher", clean=True)
    assert publisher.publish("queue/a", b"again", 1) == 0
    back.expect_message("queue/a", b"again", qos=1)
    back.disconnect()
    assert len(fill(publisher)) > 500
    broker.close()


def test_the_api_on_a_full_disk(
    disk: SmallDisk, node: Callable[..., Node], connect: Callable[..., Wire]
) -> None:
    broker = node(disk.data, http_port=0)
    connect(broker.port, "away").subscribe("queue/#", qos=1)
    fill(connect(broker.port, "publisher", clean=True))
    broker.wait_until("store_problem", (1).__eq__)
    status, refused = ask(
        broker.server.http_port, "POST", "publish", {"topic": "queue/a", "payload": "x", "qos": 1}
    )
    assert (status, refused["code"]) == (503, "E506") and "free space" in refused["help"]
    _, overview = ask(broker.server.http_port, "GET", "overview")
    assert "store_full" in [alarm["code"] for alarm in overview["alarms"]]
    broker.close()


def ask(port: int, method: str, path: str, body: object = None) -> tuple[int, Any]:
    """What the API answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    headers = {"X-HookMQ": "1", "Content-Type": "application/json"}
    connection.request(method, f"/api/v1/{path}", None if body is None else json.dumps(body), headers)
    answer = connection.getresponse()
    told = answer.status, json.loads(answer.read())
    connection.close()
    return told


def test_a_retained_message_is_taken_away_from_a_full_disk(
    disk: SmallDisk, node: Callable[..., Node], connect: Callable[..., Wire]
) -> None:
    broker = node(disk.data)
    publisher = connect(broker.port, "publisher", clean=True)
    for number in range(10_000):
        code = publisher.publish(f"retained/{number}", PAYLOAD, 1, retain=True)
        if code == 0x97:
            break
        assert code in (0, 0x10)
    assert number > 500
    for each in range(number):
        assert publisher.publish(f"retained/{each}", b"", 1, retain=True) in (0, 0x10)
    broker.wait_until("store_problem", (0).__eq__)
    assert publisher.publish("retained/0", b"x", 1, retain=True) in (0, 0x10)
    broker.close()


def test_a_disk_that_cannot_be_written(
    disk: SmallDisk, node: Callable[..., Node], connect: Callable[..., Wire]
) -> None:
    broker = node(disk.data)
    away = connect(broker.port, "away")
    away.subscribe("a", qos=1)
    away.disconnect()
    broker.close()
    disk.set_read_only(True)
    program = "import json, sys, hookmq; hookmq.Broker(**json.loads(sys.argv[1])).run()"
    settings = {"port": 0, "http_port": None, "data_dir": str(disk.data), "history": {"enabled": False}}
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(settings)], capture_output=True, text=True, timeout=20
    )
    assert done.returncode == 1
    assert "error[E602]: the store" in done.stderr and "Read-only file system" in done.stderr
    assert "Traceback" not in done.stderr
    disk.set_read_only(False)
    broker = node(disk.data)
    assert connect(broker.port, "away").connack.session_present
    broker.close()
