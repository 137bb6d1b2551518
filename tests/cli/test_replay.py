"""`hookmq replay`: stored messages through a hook of an app, from the command line."""

from __future__ import annotations

import json
import os
import pty
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from hookmq.storage import HistoryStore, sqlite_url

COMMAND = [sys.executable, "-m", "hookmq"]
Run = Callable[..., subprocess.CompletedProcess[bytes]]

APP = """\
from hookmq import Broker
from hookmq import Drop

broker = Broker(port=1, http_port=2)


@broker.on_message_received("tank/{tank}/level")
def watch(msg, tank):
    print("watched", tank)
    if msg.json()["level"] < 20:
        broker.publish(f"tank/{tank}/alert", {"low": True}, retain=True)


@broker.transform("tank/{tank}/level")
def scale(msg, tank):
    level = msg.json()["level"]
    return Drop if level == 0 else {"level": level / 100}


@broker.on_message_received("tank/#")
def fails(msg):
    raise ValueError(f"nothing is right about {msg.topic}")


@broker.on_message_received("tank/{tank}/level")
async def rising(msg, tank):
    levels = [row.json()["level"] for row in broker.history(f"tank/{tank}/level", until=msg.timestamp)]
    if levels and msg.json()["level"] > levels[-1]:
        broker.publish(f"tank/{tank}/rising", levels)


@broker.authenticate
def admit(client):
    return True


broker.run()
"""

# Two hours ago: what is older than history.max_age, a broker that runs removes.
START = float(int(time.time()) - 7200)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """An app, and messages in its data directory; its ports are not for everyone to bind."""
    (tmp_path / "app.py").write_text(APP, encoding="utf-8")
    directory = tmp_path / "hookmq-data"
    directory.mkdir()
    fill(directory)
    return directory


def fill(directory: Path, levels: tuple[int, ...] = (30, 10, 0, 50)) -> None:
    with HistoryStore(sqlite_url(directory)) as store:
        store.write(
            [
                (START + number, "tank/7/level", "pump", b'{"level":%d}' % level, 0, False, None)
                for number, level in enumerate(levels)
            ]
        )


def lines(done: subprocess.CompletedProcess[bytes], sign: str) -> list[str]:
    return [line for line in done.stdout.decode().splitlines() if line.startswith(sign)]


def content(directory: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(f"file:{directory / 'history.db'}?mode=ro", uri=True) as connection:
        return connection.execute("SELECT * FROM messages ORDER BY id").fetchall()


def test_a_dry_run_of_a_transform(hookmq: Run, data: Path) -> None:
    before = content(data)
    done = hookmq("replay", "app.py", "--hook", "scale")
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode().splitlines()
    assert text[0] == "Replay of scale   app.py:14"
    assert text[1].startswith("  4 messages from 20") and text[1].endswith(", a dry run")
    assert text[2] == "  4 calls   3 changed   1 dropped"
    assert lines(done, "-") == [
        "-payload.level: 30",
        "-payload.level: 10",
        '-tank/7/level {"level":0}',
        "-payload.level: 50",
    ]
    assert lines(done, "+") == ["+payload.level: 0.3", "+payload.level: 0.1", "+payload.level: 0.5"]
    assert content(data) == before


def test_a_dry_run_shows_what_would_be_published(hookmq: Run, data: Path) -> None:
    before = content(data)
    done = hookmq("replay", "app:broker", "--hook", "watch")
    assert (done.returncode, done.stderr) == (0, b"")
    assert lines(done, "watched") == ["watched 7"] * 4
    published = [line.partition(" ← ")[0].strip() for line in lines(done, "+")]
    assert published == ['+tank/7/alert {"low":true}   retained'] * 2
    assert content(data) == before


def test_a_coroutine_that_asks_for_the_history(hookmq: Run, data: Path) -> None:
    done = hookmq("replay", "app.py", "--hook", "rising")
    assert (done.returncode, done.stderr) == (0, b"")
    assert [line.partition(" ← ")[0].strip() for line in lines(done, "+")] == ["+tank/7/rising [30,10,0]"]


def test_which_messages(hookmq: Run, data: Path) -> None:
    def calls(*arguments: str) -> int:
        done = hookmq("replay", "app.py", "--hook", "scale", "--json", *arguments)
        assert (done.returncode, done.stderr) == (0, b"")
        return int(json.loads(done.stdout)["calls"])

    assert calls("--since", "1h") == calls("--client", "tank") == calls("--filter", "tank/8/+") == 0
    assert calls("--until", "1h") == calls("--client", "pump") == calls("--filter", "tank/+/level") == 4
    assert calls("--since", datetime.fromtimestamp(START + 1).isoformat()) == 3
    assert calls("--limit", "1", "--speed", "10") == 1


def test_as_json(hookmq: Run, data: Path) -> None:
    done = hookmq("replay", "app.py", "--hook", "watch", "--json")
    assert done.stderr.decode().splitlines() == ["watched 7"] * 4, "what the hook prints is not in the JSON"
    report = json.loads(done.stdout)
    assert (report["hook"], report["where"], report["dry_run"]) == ("watch", "app.py:7", True)
    assert (report["messages"], report["calls"], report["published"], report["errors"]) == (4, 4, 2, 0)
    (first, _) = report["publications"]
    assert (first["message"]["topic"], first["message"]["payload"]) == ("tank/7/alert", {"low": True})
    assert first["cause"]["timestamp"] == START + 1
    report = json.loads(hookmq("replay", "app.py", "--hook", "scale", "--json").stdout)
    assert [change["kind"] for change in report["changes"]] == ["changed", "changed", "dropped", "changed"]


def test_a_hook_that_raises(hookmq: Run, data: Path) -> None:
    done = hookmq("replay", "app.py", "--hook", "fails")
    assert done.returncode == 1
    text = done.stdout.decode()
    assert "  4 calls   4 errors\n" in text
    assert "@@ 4 × ValueError at app.py:22, first for tank/7/level" in text
    assert text.count("Traceback (most recent call last):") == 1
    assert text.rstrip().endswith("ValueError: nothing is right about tank/7/level")


def test_the_data_of_another_directory_and_of_a_url(hookmq: Run, data: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    fill(other, (1, 2))
    hook = ("replay", "app.py", "--hook", "scale", "--json")
    assert json.loads(hookmq(*hook, "--data-dir", "other").stdout)["messages"] == 2
    environment = {"HOOKMQ__HISTORY__URL": "sqlite:///other/history.db"}
    assert json.loads(hookmq(*hook, environment=environment).stdout)["messages"] == 2


def test_a_broker_that_runs_is_not_disturbed(
    hookmq: Run, spawn: Callable[..., object], data: Path, tmp_path: Path
) -> None:
    running = spawn("run", "app.py", "--port", "0", "--http-port", "off")
    running.wait_for(b"Only this machine can connect")  # type: ignore[attr-defined]
    done = hookmq("replay", "app.py", "--hook", "watch")
    assert (done.returncode, len(lines(done, "+"))) == (0, 2)
    assert running.stop() == 0  # type: ignore[attr-defined]
    assert len(content(data)) == 4


def test_for_real(hookmq: Run, data: Path) -> None:
    ports = ("--port", "0", "--http-port", "off")
    done = hookmq("replay", "app.py", "--hook", "watch", "--for-real", *ports)
    assert done.returncode == 0, done.stderr
    assert "   2 published\n" in done.stdout.decode()
    assert ", a dry run" not in done.stdout.decode()
    assert [row[2] for row in content(data)] == ["tank/7/level"] * 4 + ["tank/7/alert"] * 2


def test_for_real_needs_the_ports(hookmq: Run, data: Path, tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        arguments = ("--for-real", "--port", port, "--http-port", "off")
        done = hookmq("replay", "app.py", "--hook", "watch", *arguments)
        assert (done.returncode, done.stdout) == (5, b"")
        assert done.stderr.startswith(b"error[E101]")
        assert hookmq("replay", "app.py", "--hook", "watch", "--port", port).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "the following arguments are required: --hook"),
        (
            ["--hook", "wach"],
            2,
            "there is no hook 'wach'; those that can be replayed: fails, rising, scale, w",
        ),
        (["--hook", "admit"], 2, "admit is an authenticate hook"),
        (["--hook", "watch", "--since", "yesterday"], 2, "'yesterday' is no moment"),
        (["--hook", "watch", "--speed", "0"], 2, "speed must be a positive number"),
        (["--hook", "watch", "--speed", "fast"], 2, "argument --speed: invalid float value: 'fast'"),
        (["--hook", "watch", "--limit", "-1"], 2, "limit must not be negative"),
        (["--hook", "watch", "--filter", "a/#/b"], 1, "error[E502]: `a/#/b` is not a topic filter"),
        (
            ["--hook", "watch", "--data-dir", "nowhere"],
            1,
            "error[E601]: the history database sqlite:///nowhere/",
        ),
        (["--hook", "watch", "--config", "no.toml"], 3, "error[E304]: no.toml"),
    ],
)
def test_what_cannot_be(hookmq: Run, data: Path, arguments: list[str], code: int, message: str) -> None:
    done = hookmq("replay", "app.py", *arguments)
    assert (done.returncode, done.stdout) == (code, b"")
    assert message in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()
    assert not (data.parent / "nowhere").exists()


def test_without_a_history(hookmq: Run, data: Path, tmp_path: Path) -> None:
    done = hookmq("replay", "app.py", "--hook", "watch", environment={"HOOKMQ__HISTORY__ENABLED": "false"})
    assert (done.returncode, done.stderr[:12]) == (1, b"error[E507]:")
    (tmp_path / "memory.py").write_text(APP.replace("port=1", "data_dir=None, port=1"), encoding="utf-8")
    done = hookmq("replay", "memory.py", "--hook", "watch")
    assert done.returncode == 1
    assert done.stderr.decode() == (
        "error[E702]: no data directory is named\n  help: set `data_dir` in hookmq.toml, or name one:   "
        "hookmq replay APP --data-dir DIRECTORY\n"
    )
    assert hookmq("replay", "nosuch.py", "--hook", "watch").returncode == 4


def test_ctrl_c_prints_what_there_is(data: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    command = [*COMMAND, "replay", "app.py", "--hook", "watch", "--speed", "0.0001"]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"watched 7\n"
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"  1 message of 20" in output
    assert b", a dry run, interrupted\n" in output


def test_a_progress_bar_on_a_terminal_and_nowhere_else(
    data: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    command = [*COMMAND, "replay", "app.py", "--hook", "scale", "--speed", "10"]
    mine, theirs = pty.openpty()
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env={**environment, "TERM": "xterm", "COLUMNS": "100"},
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            part = os.read(mine, 4096)
        except OSError:  # Linux says so when nobody has the other end any more
            break
        if not part:
            break
        shown += part
    os.close(mine)
    assert process.stdout is not None
    with process.stdout as stream:
        output = stream.read()
    assert process.wait(20) == 0
    assert b"4/4" in shown and b"messages" in shown
    assert output.startswith(b"Replay of scale") and b"\x1b" not in output
