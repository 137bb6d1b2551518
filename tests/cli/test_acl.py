"""`hookmq acl check` and `hookmq acl test`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[bytes]]

RULES = """\
# Tanks report their level.
allow user tank            publish    tank/%c/level
deny  user tank            subscribe  tank/secret/#
allow client "sensor 7" address 10.0.0.0/8  subscribe  cmd/%c/#

allow anonymous            subscribe  public/#
allow user admin           all        #
allow user *               subscribe-only  #
"""


@pytest.fixture
def acl(tmp_path: Path) -> Path:
    path = tmp_path / "acl"
    path.write_text(RULES)
    return path


def test_check_counts_the_rules(hookmq: Run, acl: Path) -> None:
    done = hookmq("acl", "check", "acl")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"acl: 6 rules\n", b"")
    acl.write_text("allow all #")
    assert hookmq("acl", "check", "acl").stdout == b"acl: 1 rule\n"
    acl.write_text("# nothing\n")
    assert hookmq("acl", "check", "acl").stdout == b"acl: 0 rules\n"


def test_check_reports_every_line_that_is_no_rule(hookmq: Run, acl: Path) -> None:
    acl.write_text("permit all #\nallow all a\n\nallow all a/#/b\nallow user x\n")
    done = hookmq("acl", "check", "acl")
    lines = done.stderr.decode().splitlines()
    assert (done.returncode, done.stdout, len(lines)) == (3, b"", 3)
    assert lines[0].startswith("error[E305]: acl:1  a rule begins with allow or deny")
    assert lines[1].startswith("        acl:4  ") and "a/#/b" in lines[1]
    assert lines[2].startswith("        acl:5  ")


def test_check_as_json(hookmq: Run, acl: Path) -> None:
    done = hookmq("acl", "check", "acl", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (
        0,
        {"file": "acl", "ok": True, "rules": 6, "problems": []},
    )
    acl.write_text("allow all a\nallow\n")
    done = hookmq("acl", "check", "acl", "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, done.stderr, report["ok"], report["rules"]) == (3, b"", False, 1)
    assert [problem["line"] for problem in report["problems"]] == [2]
    assert report["problems"][0]["message"]


# The arguments, whether it is allowed, and the line that says so.
QUESTIONS = [
    (["--user", "tank", "--client", "t7", "publish", "tank/t7/level"], True, 2),
    (["--user", "tank", "--client", "t8", "publish", "tank/t7/level"], False, None),
    (["--user", "tank", "--client", "+", "publish", "tank/x/level"], False, None),
    (["--user", "tank", "--client", "+", "subscribe", "tank/+/level"], True, 8),
    (["--user", "tank", "--client", "+", "receive", "tank/x/level"], False, None),
    (["--user", "tank", "publish", "tank//level"], False, None),
    (["--user", "tank", "receive", "tank/secret/x"], False, 3),
    (["--user", "tank", "subscribe", "tank/secret/x"], False, 3),
    (["--user", "tank", "subscribe", "tank/#"], True, 8),
    (["--client", "sensor 7", "--address", "10.1.2.3", "receive", "cmd/sensor 7/on"], True, 4),
    (["--client", "sensor 7", "--address", "11.1.2.3", "receive", "cmd/sensor 7/on"], False, None),
    (["--client", "sensor 7", "receive", "cmd/sensor 7/on"], False, None),
    (["subscribe", "public/#"], True, 6),
    (["subscribe", "$share/group/public/#"], True, 6),
    (["subscribe", "$share/group/other/#"], False, None),
    (["receive", "public/x"], True, 6),
    (["publish", "public/x"], False, None),
    (["--user", "admin", "publish", "anything"], True, 7),
    (["--user", "admin", "subscribe", "$SYS/#"], False, None),
]


@pytest.mark.parametrize(("arguments", "allowed", "line"), QUESTIONS, ids=lambda value: str(value))
def test_test_says_who_decides(
    hookmq: Run, acl: Path, arguments: list[str], allowed: bool, line: int | None
) -> None:
    done = hookmq("acl", "test", "--file", "acl", *arguments)
    rule = RULES.splitlines()[line - 1] if line else None
    verdict = "allowed" if allowed else "denied"
    reason = f"acl:{line}  {rule}" if line else "acl  no rule matches"
    assert (done.returncode, done.stdout.decode()) == (0 if allowed else 6, f"{verdict}   {reason}\n")
    done = hookmq("acl", "test", "--file", "acl", "--json", *arguments)
    assert (done.returncode, json.loads(done.stdout)) == (
        0 if allowed else 6,
        {"file": "acl", "allowed": allowed, "line": line, "rule": rule},
    )


def test_the_file_is_the_one_of_the_configuration(hookmq: Run, acl: Path, tmp_path: Path) -> None:
    (tmp_path / "hookmq.toml").write_text('[access]\nacl_file = "acl"\n')
    assert hookmq("acl", "check").stdout == b"acl: 6 rules\n"
    assert hookmq("acl", "test", "--user", "admin", "publish", "a").returncode == 0
    (tmp_path / "other.toml").write_text('[access]\nacl_file = "other"\n')
    (tmp_path / "other").write_text("deny all #\n")
    assert hookmq("acl", "check", "--config", "other.toml").stdout == b"other: 1 rule\n"
    variable = {"HOOKMQ__ACCESS__ACL_FILE": "other"}
    assert hookmq("acl", "check", environment=variable).stdout == b"other: 1 rule\n"
    done = hookmq("acl", "test", "--user", "admin", "publish", "a", environment=variable)
    assert (done.returncode, done.stdout) == (6, b"denied   other:1  deny all #\n")
    assert hookmq("acl", "check", "acl", environment=variable).stdout == b"acl: 6 rules\n"


def test_without_a_file_the_error_tells_what_to_do(hookmq: Run) -> None:
    done = hookmq("acl", "check")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode() == (
        "error[E702]: no access list is named\n"
        "  help: set `access.acl_file` in hookmq.toml, or name one:   hookmq acl check FILE\n"
    )
    done = hookmq("acl", "test", "publish", "a/b")
    assert done.returncode == 1
    assert done.stderr.decode().endswith("or name one:   hookmq acl test --file FILE publish a/b\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["publish", "a/+"], "a/+"),
        (["receive", "a/#"], "a/#"),
        (["subscribe", "a/#/b"], "#"),
        (["publish", ""], ""),
        (["--address", "here", "publish", "a"], "here"),
    ],
    ids=lambda value: str(value),
)
def test_a_question_without_sense_is_an_error(
    hookmq: Run, acl: Path, arguments: list[str], words: str
) -> None:
    done = hookmq("acl", "test", "--file", "acl", *arguments)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"error[E709]: that cannot be asked: ")
    assert words in done.stderr.decode()


def test_a_list_with_an_error_answers_nothing(hookmq: Run, acl: Path) -> None:
    acl.write_text("allow all #\npermit all #\n")
    done = hookmq("acl", "test", "--file", "acl", "publish", "a")
    assert (done.returncode, done.stdout) == (3, b"")
    assert done.stderr.startswith(b"error[E305]: acl:2  ")


@pytest.mark.parametrize("command", [["check", "nosuch"], ["test", "--file", "nosuch", "publish", "a"]])
def test_a_file_that_is_not_there(hookmq: Run, command: list[str]) -> None:
    done = hookmq("acl", *command)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr == b"error[E701]: cannot read `nosuch`: no such file or directory\n"


def test_a_file_that_is_not_text(hookmq: Run, acl: Path) -> None:
    acl.write_bytes(b"allow all #\nallow all \xff\n")
    done = hookmq("acl", "check", "acl")
    assert (done.returncode, done.stderr) == (3, b"error[E305]: acl:2  not UTF-8\n")


@pytest.mark.parametrize(
    "arguments", [[], ["nonsense"], ["test"], ["test", "publish"], ["test", "write", "a"], ["import"]]
)
def test_usage_errors(hookmq: Run, arguments: list[str]) -> None:
    done = hookmq("acl", *arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"usage: hookmq acl" in done.stderr and b"Traceback" not in done.stderr
