"""`hookmq jobs`: what a running broker tells of its jobs."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from hookmq.scheduler import JobInfo

from ..api.helpers import eventually

Run = Callable[..., subprocess.CompletedProcess[bytes]]
Spawn = Callable[..., Any]

APP = """\
from hookmq import Broker, every

broker = Broker(port=0)


@broker.schedule(every(0.05).seconds)
def tick():
    print("ticked", flush=True)


@broker.schedule(every().day.at("06:30"))
def morning(): ...
"""

TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"


@pytest.fixture
def start(spawn: Spawn, tmp_path: Path) -> Callable[[str], Any]:
    """Start an app whose HTTP port the configuration says."""

    def start(text: str) -> Any:
        with socket.create_server(("127.0.0.1", 0)) as free:
            (tmp_path / "hookmq.toml").write_text(f"http_port = {free.getsockname()[1]}\n")
        (tmp_path / "app.py").write_text(text)
        running = spawn("run", "app.py")
        running.wait_for(b"Only this machine can connect")
        return running

    return start


def test_a_table_of_jobs(hookmq: Run, start: Callable[[str], Any]) -> None:
    start(APP).wait_for(b"ticked")
    done = hookmq("jobs")
    assert (done.returncode, done.stderr) == (0, b"")
    head, tick, morning = done.stdout.decode().splitlines()
    titles = ["name", "schedule", "where", "runs", "errors", "skipped", "last run", "took", "next run"]
    assert re.split(r" {2,}", head.strip()) == titles
    expected = rf"tick +every 0\.05 seconds +app\.py:6 +\d+ +0 +0  {TIME} +[\d.]+ (us|ms)  {TIME} *"
    assert re.fullmatch(expected, tick)
    assert re.fullmatch(
        rf"morning +every day at 06:30:00 +app\.py:11 +0 +0 +0 +(?!{TIME} +\S+ \w+){TIME} *", morning
    )


def test_jobs_as_json(hookmq: Run, start: Callable[[str], Any]) -> None:
    start(APP).wait_for(b"ticked")
    tick, morning = json.loads(hookmq("jobs", "--json").stdout)["items"]
    assert set(tick) == set(JobInfo.__dataclass_fields__) | {"next_run_at", "last_run_at"}
    assert (tick["name"], morning["name"]) == ("tick", "morning")
    assert tick["runs"] >= 1 and datetime.fromisoformat(tick["last_run"]).tzinfo is not None
    assert (morning["runs"], morning["last_run"], morning["duration"]) == (0, None, None)
    assert datetime.fromisoformat(morning["next_run"]).strftime("%H:%M") == "06:30"


def test_pause_and_resume(hookmq: Run, start: Callable[[str], Any]) -> None:
    start(APP).wait_for(b"ticked")
    assert hookmq("jobs", "pause", "tick").stdout == b"tick is paused   app.py:6\n"
    eventually(lambda: json.loads(hookmq("jobs", "--json").stdout)["items"][0]["skipped"] > 2)
    paused = json.loads(hookmq("jobs", "--json").stdout)["items"][0]
    assert paused["paused"] and "tick (paused)  " in hookmq("jobs", "ls").stdout.decode()
    (going,) = json.loads(hookmq("jobs", "resume", "tick", "--json").stdout)["items"]
    assert (going["name"], going["paused"], going["runs"]) == ("tick", False, paused["runs"])
    eventually(lambda: json.loads(hookmq("jobs", "--json").stdout)["items"][0]["runs"] > paused["runs"])


def test_a_job_that_is_not_there(hookmq: Run, start: Callable[[str], Any]) -> None:
    start(APP + "\n\n@broker.on_message_received\ndef watch(msg): ...\n")
    for name in ("tock", "watch"):
        done = hookmq("jobs", "pause", name)
        assert (done.returncode, done.stdout) == (1, b"")
        expected = f"error[E508]: there is no job `{name}`\n  help: those there are:   morning, tick\n"
        assert done.stderr.decode() == expected


def test_no_jobs(hookmq: Run, start: Callable[[str], Any]) -> None:
    start("from hookmq import Broker\nbroker = Broker(port=0)\n")
    assert hookmq("jobs").stdout == b"no jobs\n"
    assert hookmq("jobs", "--json").stdout == b'{\n  "items": []\n}\n'


def test_a_broker_that_does_not_run(hookmq: Run, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        (tmp_path / "hookmq.toml").write_text(f"http_port = {free.getsockname()[1]}\n")
    done = hookmq("jobs")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"error[E402]: cannot reach the broker at 127.0.0.1:")


def test_help(hookmq: Run) -> None:
    done = hookmq("jobs", "--help")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"usage: hookmq jobs ")
    assert hookmq("jobs", "nonsense").returncode == 2
