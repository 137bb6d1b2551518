"""`hookmq users`: the users file from the command line."""

from __future__ import annotations

import json
import os
import select
import stat
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "hookmq"]
Run = Callable[..., subprocess.CompletedProcess[bytes]]

# Made by mosquitto_passwd 2.0.11, with both of its ways to hash.
MOSQUITTO = """\
pump:$7$101$n0+Jxt9DhE/f4Etp$s/4qT7lKjsHp5m3MqSk00MuQ4GEdx1RDNrnVGHOslxX/eiDQ7GUM3OBtacvVePr/hBBtLj1To/VqrD/fakP7eg==
old:$6$EowDB/AjxbDM4o38$Re064TpVBZY/f81a4kNoEfwaMRsRpiGbzFi5udkL+9bFzLe86IfXJMuaArwu2FwAlOSR7CSqMMgqy5f/3KXeAw==
"""
MOSQUITTO_PASSWORDS = {"pump": b"water", "old": b"pass word"}

FILE = ["--file", "users"]


def add(hookmq: Run, name: str, password: bytes, *more: str) -> subprocess.CompletedProcess[bytes]:
    done = hookmq("users", "add", name, *FILE, "--password-stdin", *more, input=password + b"\n")
    assert done.returncode == 0, done.stderr
    return done


def is_right(hookmq: Run, name: str, password: bytes) -> bool:
    done = hookmq("users", "check", name, *FILE, "--password-stdin", input=password)
    assert done.returncode in (0, 6), done.stderr
    return done.returncode == 0


def names(hookmq: Run) -> list[str]:
    return [user["name"] for user in json.loads(hookmq("users", "ls", *FILE, "--json").stdout)["users"]]


def test_add_makes_a_file_that_only_its_owner_reads(hookmq: Run, tmp_path: Path) -> None:
    done = add(hookmq, "pump", b"water")
    assert (done.stdout, done.stderr) == (b"users: pump is added\n", b"")
    path = tmp_path / "users"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (line,) = path.read_text().splitlines()
    name, password, scram = line.split(":")
    assert name == "pump" and password.startswith("$argon2id$") and scram.startswith("SCRAM-SHA-256$")
    assert "water" not in line
    assert list(tmp_path.iterdir()) == [path], "nothing else is left behind"


def test_check_knows_the_password(hookmq: Run) -> None:
    add(hookmq, "pump", b"water")
    done = hookmq("users", "check", "pump", *FILE, "--password-stdin", input=b"water\n")
    assert (done.returncode, done.stdout) == (0, b"pump: the password is right\n")
    done = hookmq("users", "check", "pump", *FILE, "--password-stdin", input=b"wine\n")
    assert (done.returncode, done.stdout) == (6, b"pump: the password is wrong\n")
    done = hookmq("users", "check", "pump", *FILE, "--password-stdin", "--json", input=b"water")
    assert json.loads(done.stdout) == {"file": "users", "user": "pump", "right": True}


def test_check_of_a_user_who_is_not_there(hookmq: Run) -> None:
    add(hookmq, "pump", b"water")
    done = hookmq("users", "check", "tank", *FILE, "--password-stdin", input=b"water\n")
    assert (done.returncode, done.stdout) == (6, b"")
    assert done.stderr.decode() == (
        "error[E707]: there is no user `tank` in users\n"
        "  help: the users there are:   hookmq users ls --file users\n"
    )


@pytest.mark.parametrize("password", ["pässword".encode(), b" spaces ", b"a:b", b"$7$x", b"x" * 500])
def test_passwords_are_taken_as_they_are(hookmq: Run, password: bytes) -> None:
    add(hookmq, "pump", password)
    assert is_right(hookmq, "pump", password)
    assert not is_right(hookmq, "pump", password + b"x")
    assert not is_right(hookmq, "pump", password[:-1] + b"\x00" if len(password) > 1 else b"y")


def test_scram_needs_a_password_that_is_text(hookmq: Run, tmp_path: Path) -> None:
    done = add(hookmq, "pump", b"\xff\xfe")
    assert done.stdout == b"users: pump is added, without SCRAM-SHA-256: the password is not UTF-8\n"
    assert "SCRAM" not in (tmp_path / "users").read_text()
    assert is_right(hookmq, "pump", b"\xff\xfe")
    assert add(hookmq, "pump", b"\xff\xfe", "--no-scram").stdout == b"users: pump has a new password\n"
    # A password that SASLprep forbids.
    done = hookmq("users", "add", "pump", *FILE, "--password-stdin", input=b"a\x07b")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"error[E706]: `pump` cannot be added: ")


def test_add_again_gives_a_new_password(hookmq: Run, tmp_path: Path) -> None:
    add(hookmq, "pump", b"water")
    add(hookmq, "tank", b"steel")
    done = add(hookmq, "pump", b"oil", "--json")
    assert json.loads(done.stdout) == {"file": "users", "user": "pump", "added": False, "scram": True}
    assert add(hookmq, "pump", b"gas").stdout == b"users: pump has a new password\n"
    assert names(hookmq) == ["pump", "tank"]
    assert is_right(hookmq, "pump", b"gas") and is_right(hookmq, "tank", b"steel")
    assert not is_right(hookmq, "pump", b"water")


def test_without_scram(hookmq: Run, tmp_path: Path) -> None:
    add(hookmq, "pump", b"water", "--no-scram")
    assert "SCRAM" not in (tmp_path / "users").read_text()
    assert is_right(hookmq, "pump", b"water")


def test_what_else_is_in_the_file_stays(hookmq: Run, tmp_path: Path) -> None:
    path = tmp_path / "users"
    path.write_text(f"# our users\n\n{MOSQUITTO}# the end\n")
    add(hookmq, "tank", b"steel")
    assert hookmq("users", "rm", "tank", *FILE).returncode == 0
    assert path.read_text() == f"# our users\n\n{MOSQUITTO}# the end\n"


def test_the_file_keeps_its_mode_and_owner_and_a_link_stays_a_link(hookmq: Run, tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.write_text(MOSQUITTO)
    owner = (65534, 65534) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    os.chown(real, *owner)
    real.chmod(0o640)
    (tmp_path / "users").symlink_to("real")
    add(hookmq, "tank", b"steel")
    assert (tmp_path / "users").is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert (real.stat().st_uid, real.stat().st_gid) == owner
    assert "tank:" in real.read_text()


def test_rm_removes(hookmq: Run, tmp_path: Path) -> None:
    (tmp_path / "users").write_text(MOSQUITTO)
    done = hookmq("users", "rm", "pump", *FILE)
    assert (done.returncode, done.stdout) == (0, b"users: pump is removed\n")
    assert names(hookmq) == ["old"]
    done = hookmq("users", "rm", "pump", *FILE)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"error[E707]: there is no user `pump` in users\n")
    done = hookmq("users", "rm", "old", *FILE, "--json")
    assert json.loads(done.stdout) == {"file": "users", "user": "old"}
    assert hookmq("users", "ls", *FILE).stdout == b"users: no users\n"


def test_ls_says_how_each_password_is_kept(hookmq: Run, tmp_path: Path) -> None:
    (tmp_path / "users").write_text(f"# who\n{MOSQUITTO}")
    add(hookmq, "the cook", b"salt")
    add(hookmq, "x", b"y", "--no-scram")
    done = hookmq("users", "ls", *FILE)
    assert (done.returncode, done.stdout.decode()) == (
        0,
        "pump      PBKDF2-SHA512\n"
        "old       SHA-512\n"
        "the cook  argon2id       SCRAM-SHA-256\n"
        "x         argon2id\n",
    )
    assert json.loads(hookmq("users", "ls", *FILE, "--json").stdout) == {
        "file": "users",
        "users": [
            {"name": "pump", "hash": "PBKDF2-SHA512", "scram": False},
            {"name": "old", "hash": "SHA-512", "scram": False},
            {"name": "the cook", "hash": "argon2id", "scram": True},
            {"name": "x", "hash": "argon2id", "scram": False},
        ],
    }


# import --------------------------------------------------------------------------------------------------


def test_import_takes_mosquittos_passwords(hookmq: Run, tmp_path: Path) -> None:
    (tmp_path / "password_file").write_text(MOSQUITTO)
    done = hookmq("users", "import", "password_file", *FILE)
    assert (done.returncode, done.stdout) == (0, b"users: 2 added, 0 replaced, 0 skipped\n")
    assert (tmp_path / "users").read_text() == MOSQUITTO
    for name, password in MOSQUITTO_PASSWORDS.items():
        assert is_right(hookmq, name, password)
        assert not is_right(hookmq, name, password + b"x")


def test_import_overwrites_nobody_unless_told_to(hookmq: Run, tmp_path: Path) -> None:
    add(hookmq, "pump", b"ours")
    (tmp_path / "password_file").write_text(f"# from the old machine\n\n{MOSQUITTO}")
    done = hookmq("users", "import", "password_file", *FILE)
    assert (done.returncode, done.stdout.decode()) == (
        0,
        "users: 1 added, 0 replaced, 1 skipped\n  pump is there already; --replace takes the new one\n",
    )
    assert is_right(hookmq, "pump", b"ours") and is_right(hookmq, "old", b"pass word")
    done = hookmq("users", "import", "password_file", *FILE, "--replace", "--json")
    assert json.loads(done.stdout) == {
        "file": "users",
        "added": [],
        "replaced": ["pump", "old"],
        "skipped": [],
    }
    assert is_right(hookmq, "pump", b"water") and names(hookmq) == ["pump", "old"]


def test_import_takes_users_files_of_ours(hookmq: Run, tmp_path: Path) -> None:
    add(hookmq, "pump", b"water")
    (tmp_path / "users").rename(tmp_path / "elsewhere")
    assert hookmq("users", "import", "elsewhere", *FILE).returncode == 0
    assert (tmp_path / "users").read_text() == (tmp_path / "elsewhere").read_text()
    assert is_right(hookmq, "pump", b"water")


def test_import_reports_every_problem_and_changes_nothing(hookmq: Run, tmp_path: Path) -> None:
    add(hookmq, "pump", b"ours")
    before = (tmp_path / "users").read_bytes()
    (tmp_path / "password_file").write_text(
        f"plain:water\n{MOSQUITTO}nonsense\n{MOSQUITTO.splitlines()[0]}\n"
    )
    done = hookmq("users", "import", "password_file", *FILE, "--replace")
    lines = done.stderr.decode().splitlines()
    assert (done.returncode, done.stdout, len(lines)) == (3, b"", 3)
    assert lines[0].startswith("error[E305]: password_file:1  ")
    assert lines[1].startswith("        password_file:4  ")
    assert lines[2] == "        password_file:5  the user pump is there twice"
    assert (tmp_path / "users").read_bytes() == before


# Where the file is --------------------------------------------------------------------------------------


def test_the_file_is_the_one_of_the_configuration(hookmq: Run, tmp_path: Path) -> None:
    (tmp_path / "hookmq.toml").write_text('[access]\nusers_file = "people"\n')
    done = hookmq("users", "add", "pump", "--password-stdin", input=b"water")
    assert (done.returncode, done.stdout) == (0, b"people: pump is added\n")
    assert hookmq("users", "ls").stdout.startswith(b"pump  argon2id")
    (tmp_path / "other.toml").write_text('[access]\nusers_file = "others"\n')
    (tmp_path / "others").write_text(MOSQUITTO)
    assert hookmq("users", "ls", "--config", "other.toml").stdout.startswith(b"pump  PBKDF2")
    assert hookmq("users", "ls", "--file", "others").stdout.startswith(b"pump  PBKDF2")


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["ls"], "ls --file FILE"),
        (["add", "pump"], "add pump --file FILE"),
        (["rm", "pump"], "rm pump --file FILE"),
        (["import", "password_file"], "import password_file --file FILE"),
    ],
)
def test_without_a_file_the_error_tells_what_to_do(hookmq: Run, arguments: list[str], command: str) -> None:
    done = hookmq("users", *arguments)
    assert (done.returncode, done.stdout, done.stderr.decode()) == (
        1,
        b"",
        "error[E702]: no users file is named\n"
        f"  help: set `access.users_file` in hookmq.toml, or name one:   hookmq users {command}\n",
    )


@pytest.mark.parametrize("arguments", [["ls"], ["rm", "pump"], ["check", "pump", "--password-stdin"]])
def test_a_file_that_is_not_there(hookmq: Run, arguments: list[str], tmp_path: Path) -> None:
    done = hookmq("users", *arguments, *FILE, input=b"water")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr == b"error[E701]: cannot read `users`: no such file or directory\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [["ls"], ["rm", "pump"], ["check", "pump", "--password-stdin"], ["add", "x", "--password-stdin"]],
)
def test_a_file_with_an_error_is_not_touched(hookmq: Run, arguments: list[str], tmp_path: Path) -> None:
    text = f"{MOSQUITTO}pump water\n"
    (tmp_path / "users").write_text(text)
    done = hookmq("users", *arguments, *FILE, input=b"water")
    assert (done.returncode, done.stdout) == (3, b"")
    assert done.stderr.startswith(b"error[E305]: users:3  ")
    assert (tmp_path / "users").read_text() == text


def test_a_file_that_cannot_be_written(hookmq: Run, tmp_path: Path) -> None:
    done = hookmq("users", "add", "pump", "--file", "no/such/users", "--password-stdin", input=b"water")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr == b"error[E703]: cannot write `no/such/users`: no such file or directory\n"


def test_commands_at_the_same_time_do_not_undo_each_other(
    hookmq: Run, tmp_path: Path, environment: dict[str, str]
) -> None:
    (tmp_path / "users").write_text(MOSQUITTO)
    running = []
    for number in range(6):
        command = [*COMMAND, "users", "add", f"u{number}", *FILE, "--password-stdin"]
        running.append(
            subprocess.Popen(
                command,
                cwd=tmp_path,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        )
    for process in running:
        _, errors = process.communicate(b"water\n", timeout=30)
        assert (process.returncode, errors) == (0, b"")
    assert sorted(names(hookmq)) == ["old", "pump", *(f"u{number}" for number in range(6))]
    assert list(tmp_path.iterdir()) == [tmp_path / "users"]


# The password -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "a:b", "a\nb", "#a"])
def test_names_that_cannot_be_written_down(hookmq: Run, name: str, tmp_path: Path) -> None:
    done = hookmq("users", "add", name, *FILE, "--password-stdin", input=b"water")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode().startswith("error[E706]: `")
    assert not (tmp_path / "users").exists()


def test_an_empty_password_is_none(hookmq: Run, tmp_path: Path) -> None:
    for given in (b"", b"\n", b"\r\n"):
        done = hookmq("users", "add", "pump", *FILE, "--password-stdin", input=given)
        assert (done.returncode, done.stderr) == (
            1,
            b"error[E705]: the password cannot be used: it is empty\n",
        )
    assert not (tmp_path / "users").exists()


@pytest.mark.parametrize("command", ["add", "check"])
def test_without_a_terminal_nobody_can_be_asked(hookmq: Run, command: str, tmp_path: Path) -> None:
    (tmp_path / "users").write_text(MOSQUITTO)
    done = hookmq("users", command, "pump", *FILE, input=b"water\n")
    assert (done.returncode, done.stdout, done.stderr.decode()) == (
        1,
        b"",
        "error[E704]: there is no terminal to ask for the password\n"
        f"  help: give it on standard input:   hookmq users {command} pump --password-stdin\n",
    )
    assert (tmp_path / "users").read_text() == MOSQUITTO


def test_a_password_is_no_argument(hookmq: Run) -> None:
    assert hookmq("users", "add", "pump", "water", *FILE).returncode == 2
    assert hookmq("users", "add", "pump", "--password", "water", *FILE).returncode == 2


def on_a_terminal(
    directory: Path, environment: dict[str, str], *arguments: str, answers: list[str]
) -> tuple[int, str]:
    """Run the command on a terminal and type an answer at each prompt; return what the terminal showed."""
    ours, its = os.openpty()
    process = subprocess.Popen(
        # Python makes the terminal the controlling one, as a login does.
        [sys.executable, "-c", TERMINAL, *COMMAND, *arguments],
        cwd=directory,
        env=environment,
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
    )
    shown = b""
    deadline = time.monotonic() + 20
    waiting = list(answers)
    try:
        while process.poll() is None or select.select([ours], [], [], 0)[0]:
            assert time.monotonic() < deadline, shown
            if not select.select([ours], [], [], 0.05)[0]:
                continue
            shown += os.read(ours, 4096)
            # A prompt, and the terminal has stopped to show what is typed.
            if waiting and shown.endswith(b": ") and not termios.tcgetattr(its)[3] & termios.ECHO:
                os.write(ours, waiting.pop(0).encode() + b"\n")
                shown += b"|"
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(its)
    return process.returncode, shown.decode().replace("\r\n", "\n")


TERMINAL = """\
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_on_a_terminal_the_password_is_asked_twice_and_not_shown(
    hookmq: Run, tmp_path: Path, environment: dict[str, str]
) -> None:
    code, shown = on_a_terminal(
        tmp_path, environment, "users", "add", "pump", *FILE, answers=["wäter", "wäter"]
    )
    assert (code, shown) == (0, "Password of pump: |\nOnce more: |\nusers: pump is added\n")
    assert is_right(hookmq, "pump", "wäter".encode())
    code, shown = on_a_terminal(tmp_path, environment, "users", "check", "pump", *FILE, answers=["wäter"])
    assert (code, shown) == (0, "Password of pump: |\npump: the password is right\n")


def test_two_different_passwords_are_none(tmp_path: Path, environment: dict[str, str]) -> None:
    code, shown = on_a_terminal(
        tmp_path, environment, "users", "add", "pump", *FILE, answers=["water", "wather"]
    )
    assert code == 1
    assert shown.endswith("error[E705]: the password cannot be used: it was not the same twice\n")
    assert not (tmp_path / "users").exists()


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["add"], ["rm"], ["check"], ["import"], ["ls", "x"]])
def test_usage_errors(hookmq: Run, arguments: list[str]) -> None:
    done = hookmq("users", *arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"usage: hookmq" in done.stderr and b"Traceback" not in done.stderr
