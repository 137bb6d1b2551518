"""`hookmq clients`, `topics` and `retained`: what a running broker tells, and does."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ..api.helpers import Device, eventually

Run = Callable[..., subprocess.CompletedProcess[bytes]]


class Place:
    """Where a broker is that was started apart."""

    def __init__(self, port: int) -> None:
        self.port = port


@pytest.fixture
def place(spawn: Callable[..., Any], tmp_path: Path) -> Iterator[Place]:
    """A plain broker, that the configuration of the same directory leads to."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        ports = one.getsockname()[1], other.getsockname()[1]
    (tmp_path / "hookmq.toml").write_text(f"port = {ports[0]}\nhttp_port = {ports[1]}\n")
    spawn("run").wait_for(b"Only this machine can connect")
    yield Place(ports[0])


def told(done: subprocess.CompletedProcess[bytes]) -> str:
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode()


def test_clients(hookmq: Run, place: Place) -> None:
    assert told(hookmq("clients")) == "no clients\n"
    with Device(place, "tank/7 ü") as device, Device(place, "b"):
        device.subscribe("cmd/#")
        lines = told(hookmq("clients")).splitlines()
        assert len(lines) == 3 and "tank/7 ü" in lines[2]
        found = json.loads(told(hookmq("clients", "ls", "--search", "TANK", "--connected", "--json")))
        assert ([one["client_id"] for one in found["items"]], found["total"]) == (["tank/7 ü"], 1)
        assert "1 more" in told(hookmq("clients", "ls", "--limit", "1", "--sort=-received"))
        shown = told(hookmq("clients", "show", "tank/7 ü"))
        assert "cmd/#" in shown and "tank/7 ü" in shown
        assert told(hookmq("clients", "disconnect", "tank/7 ü")) == "tank/7 ü is disconnected\n"
        assert device.ended.get(timeout=8) is not None
        assert told(hookmq("clients", "rm", "b")) == "the session of b has ended\n"
    done = hookmq("clients", "show", "none")
    assert done.returncode == 1 and b"there is no session of the client 'none'" in done.stderr
    for what, name in (("clients", "none"), ("topics", "none"), ("retained", "none")):
        done = hookmq(what, "show", name)
        assert done.returncode == 1 and f"help: `hookmq {what} ls` lists".encode() in done.stderr
    done = hookmq("rules", "test", 'SELECT * FROM "none"', "--last")
    assert done.returncode == 1 and b"--topic TOPIC --payload TEXT" in done.stderr


def test_bans(hookmq: Run, place: Place) -> None:
    assert told(hookmq("clients", "bans")) == "nobody is banned\n"
    done = hookmq("clients", "ban", "203.0.113.7", "--by", "address", "--seconds", "60", "--reason", "floods")
    assert told(done) == "the address 203.0.113.7 is banned for 60 seconds\n"
    assert told(hookmq("clients", "ban", "a")) == "the client a is banned for good\n"
    lines = told(hookmq("clients", "bans")).splitlines()
    assert "floods" in lines[1] and "for good" in lines[2]
    assert told(hookmq("clients", "unban", "a")) == "the client a may connect again\n"
    assert hookmq("clients", "unban", "a").returncode == 1


def test_topics_and_retained(hookmq: Run, place: Place) -> None:
    with Device(place, "pump") as device:
        device.publish("tank/7/level", b'{"level": 1}', retain=True)
        device.publish("tank/8/level", b"\xff", retain=True)
    eventually(lambda: "tank" in told(hookmq("topics")))
    assert "tank/7" in told(hookmq("topics", "ls", "tank"))
    found = json.loads(told(hookmq("topics", "ls", "--search", "7/level", "--json")))
    assert [one["topic"] for one in found["items"]] == ["tank/7/level"]
    assert '{"level": 1}' in told(hookmq("topics", "show", "tank/7/level"))
    lines = told(hookmq("retained", "ls", "tank/#")).splitlines()
    assert len(lines) == 3 and "tank/7/level" in lines[1] and "(not text)" in lines[2]
    assert "base64 /w==" in told(hookmq("retained", "show", "tank/8/level"))
    assert told(hookmq("retained", "clear", "tank/+/level")) == "2 retained messages are cleared\n"
    assert json.loads(told(hookmq("retained", "ls", "tank/#", "--json")))["items"] == []
    assert told(hookmq("retained", "ls", "tank/#")) == "no retained messages\n"


def test_history(hookmq: Run, place: Place, tmp_path: Path) -> None:
    assert told(hookmq("history")) == "no stored messages\n"
    with Device(place, "pump") as device:
        for level in range(30):
            device.publish("tank/7/level", json.dumps({"level": level}).encode(), qos=1)
        device.publish("tank/8/level", b"\xff", qos=1)
    lines = told(hookmq("history", "tank/7/level")).splitlines()
    assert len(lines) == 21 and lines[-1].split()[-1] == "29}" and "pump" in lines[-1]
    assert "(not text)" in told(hookmq("history", "tank/+/level", "--limit", "1", "--client", "pump"))
    found = json.loads(told(hookmq("history", "tank/+/level", "--limit", "0", "--since", "1h", "--json")))
    assert len(found["items"]) == 31 and found["items"][0]["topic"] == "tank/8/level"
    assert told(hookmq("history", "--until", "1h")) == "no stored messages\n"

    done = told(hookmq("history", "tank/7/level", "--export", "level.csv"))
    rows = (tmp_path / "level.csv").read_text().splitlines()
    assert len(rows) == 31 and rows[0].startswith("time,") and done.startswith("level.csv: ")
    assert sorted(path.name for path in tmp_path.glob("level*")) == ["level.csv"]
    told(hookmq("history", "tank/7/level", "--export", "level.jsonl"))
    assert json.loads((tmp_path / "level.jsonl").read_text().splitlines()[0])["topic"] == "tank/7/level"
    piped = told(hookmq("history", "#", "--export", "-", "--format", "jsonl"))
    assert len(piped.splitlines()) == 31

    for flags, code in ((("--format", "csv"), 2), (("--limit", "-1"), 2), (("--since", "never"), 1)):
        assert hookmq("history", *flags).returncode == code
    assert hookmq("history", "--export", "x.csv", "--since", "never").returncode == 1
    refused = hookmq("history", "--export", "none/level.csv")
    assert refused.returncode == 1 and b"E703" in refused.stderr and not (tmp_path / "x.csv").exists()
