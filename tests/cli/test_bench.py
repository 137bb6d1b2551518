"""`hookmq bench`: what a broker does on this machine."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from hookmq import Broker

Run = Callable[..., subprocess.CompletedProcess[bytes]]

NAMES = ["one to one", "one to one, QoS 1", "one to 100", "20 to one", "one at a time", "connects"]


def figures(done: subprocess.CompletedProcess[bytes]) -> dict[str, dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    return {one["name"]: one for one in json.loads(done.stdout)["figures"]}


def test_a_broker_of_its_own(hookmq: Run) -> None:
    found = figures(hookmq("bench", "--seconds", "0.2", "--json"))
    assert list(found) == NAMES
    for name, one in found.items():
        assert one["rate"] > 100 and one["cpu_us"] > 0, one
        assert (one["p50_us"] is not None) == (name == "one at a time")
    latency = found["one at a time"]
    assert 0 < latency["p50_us"] <= latency["p99_us"]


@pytest.mark.parametrize("size", [1, 1000, 100_000])
def test_sizes_of_payloads(hookmq: Run, size: int) -> None:
    found = figures(
        hookmq("bench", "--seconds", "0.2", "--json", "--only", "one to one", "--size", str(size))
    )
    assert list(found) == NAMES[:2]


def test_as_a_table(hookmq: Run) -> None:
    done = hookmq("bench", "--seconds", "0.1", "--only", "at a time")
    assert (done.returncode, done.stderr) == (0, b"")
    head, empty, titles, row, *_ = done.stdout.decode().splitlines()
    assert head == "a broker of its own, MQTT 3.1.1, 256 bytes, QoS 0 unless said"
    assert (empty, titles.split()) == ("", ["a", "second", "CPU", "each", "median", "99", "%"])
    assert row.startswith("one at a time ") and row.rstrip().endswith("us")


def test_a_broker_that_runs(hookmq: Run) -> None:
    with Broker(port=0, http_port=None) as broker:
        port = str(broker.port)
        found = figures(hookmq("bench", "--host", "127.0.0.1", "--port", port, "--seconds", "0.2", "--json"))
        assert list(found) == NAMES
        assert all(one["cpu_us"] is None for one in found.values())
        assert broker.statistics["messages_dropped"] == 0
        assert broker.statistics["clients_connected"] == 0


def test_who_it_is(hookmq: Run) -> None:
    broker = Broker(port=0, http_port=None)

    @broker.authenticate
    def admit(client: Any) -> bool:
        return bool((client.username, client.password) == ("ann", "secret"))

    with broker:
        to = (
            "bench",
            "--host",
            "127.0.0.1",
            "--port",
            str(broker.port),
            "--seconds",
            "0.1",
            "--only",
            "connects",
        )
        assert hookmq(*to, "-u", "ann", "-P", "secret").returncode == 0
        done = hookmq(*to, "-u", "ann", "-P", "wrong")
        assert done.returncode == 6
        assert b"error[E401]: the broker refused the connection: bad user name or password" in done.stderr


def test_nobody_is_there(hookmq: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
    done = hookmq("bench", "--host", "127.0.0.1", "--port", port)
    assert done.returncode == 1
    assert b"error[E402]: cannot reach the broker at 127.0.0.1" in done.stderr


def test_a_broker_that_does_not_let_it_subscribe(hookmq: Run) -> None:
    broker = Broker(port=0, http_port=None)

    @broker.on_subscribe
    def refuse(client: Any, topic_filter: str) -> bool:
        return False

    with broker:
        done = hookmq("bench", "--host", "127.0.0.1", "--port", str(broker.port), "--only", "one to one")
    assert done.returncode == 6
    assert b"error[E404]" in done.stderr


@pytest.mark.parametrize(
    "arguments", [("--seconds", "0"), ("--size", "x"), ("--size", "9999999"), ("--only", "no")]
)
def test_wrong_arguments(hookmq: Run, arguments: tuple[str, ...]) -> None:
    done = hookmq("bench", *arguments)
    assert done.returncode == 2
    assert b"error" in done.stderr
