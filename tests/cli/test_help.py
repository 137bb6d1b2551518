"""Help texts, usage errors, the version, and how fast the command line is there."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hookmq import __version__
from hookmq.settings.config import SETTINGS

COMMANDS = (
    "run",
    "dev",
    "check",
    "pub",
    "sub",
    "users",
    "acl",
    "replay",
    "history",
    "hooks",
    "jobs",
    "version",
)
Run = Callable[..., subprocess.CompletedProcess[bytes]]

# None of these is needed to print a help, and each costs more than everything that is.
HEAVY = ("asyncio", "sqlalchemy", "paho", "rich", "schedule", "hookmq.broker", "hookmq._hookmq")


def test_help_lists_the_commands_and_the_exit_codes(hookmq: Run) -> None:
    done = hookmq("--help")
    text = done.stdout.decode()
    assert done.returncode == 0
    assert all(f"\n    {command} " in text for command in COMMANDS)
    assert "exit codes: 0 ok, 1 failure, 2 usage, 3 configuration" in text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_its_help(hookmq: Run, command: str) -> None:
    done = hookmq(command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: hookmq {command}".encode())
    assert done.stderr == b""


@pytest.mark.parametrize("command", ["run", "dev", "check"])
def test_every_setting_that_has_a_flag_is_in_the_help(hookmq: Run, command: str) -> None:
    text = hookmq(command, "--help").stdout.decode()
    for setting in SETTINGS:
        assert (f"{setting.flag_name} " in text or f"{setting.flag_name}\n" in text) == setting.flag
    assert "--config FILE" in text


def test_the_host_is_h_in_pub_and_sub(hookmq: Run) -> None:
    for command in ("pub", "sub"):
        assert b"\n  -h, --host HOST " in hookmq(command, "--help").stdout
        done = hookmq(command, "-h")
        assert (done.returncode, done.stdout) == (2, b"")
        assert done.stderr.startswith(b"error: -h needs a value: -h HOST\n")


def test_sub_explains_the_format(hookmq: Run) -> None:
    text = hookmq("sub", "--help").stdout.decode()
    for letter in "tpqrlmxXjJIUACDEFPRS":
        assert f"%{letter}" in text


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["--nonsense"],
        ["run", "--nonsense"],
        ["run", "app.py", "another.py"],
        ["run", "--port"],
        ["run", "--por", "5"],
        ["dev"],
        ["check"],
        ["version", "extra"],
        ["pub"],
        ["pub", "-t", "a"],
        ["sub"],
        ["sub", "-t", "a", "--nonsense"],
    ],
)
def test_usage_errors_end_with_2(hookmq: Run, arguments: list[str]) -> None:
    done = hookmq(*arguments)
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


def test_version(hookmq: Run) -> None:
    expected = f"hookmq {__version__}\n".encode()
    assert hookmq("version").stdout == hookmq("--version").stdout == expected


def test_version_as_json(hookmq: Run) -> None:
    facts = json.loads(hookmq("version", "--json").stdout)
    assert list(facts) == ["version", "python", "platform", "native"]
    assert facts["version"] == __version__
    assert facts["python"] == platform.python_version()
    assert facts["native"]


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["pub", "--help"], ["version"]])
def test_nothing_heavy_is_imported(tmp_path: Path, environment: dict[str, str], arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "hookmq", *arguments],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0
    modules = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "hookmq.cli" in modules
    loaded = {name for name in modules for heavy in HEAVY if name == heavy or name.startswith(f"{heavy}.")}
    assert not loaded


def test_help_is_there_at_once(tmp_path: Path, environment: dict[str, str]) -> None:
    def seconds(command: list[str]) -> float:
        began = time.perf_counter()
        subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=True)
        return time.perf_counter() - began

    bare = min(seconds([sys.executable, "-c", "pass"]) for _ in range(5))
    ours = min(seconds([sys.executable, "-m", "hookmq", "--help"]) for _ in range(5))
    print(f"hookmq --help: {ours * 1000:.0f} ms, of which Python itself {bare * 1000:.0f} ms")
    assert ours - bare < 0.15
