"""`hookmq acl import`: what mosquitto allows with its file, we allow with the translation, and nothing else.

What mosquitto allows is recorded by tools/record_mosquitto_acl.py.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from hookmq import Broker
from hookmq._hookmq import check_acl, explain_acl
from hookmq.cli.mosquitto_acl import translate

Run = Callable[..., subprocess.CompletedProcess[bytes]]

RECORDS = Path(__file__).parent / "mosquitto_acl"
RECORDER = Path(__file__).parents[2] / "tools" / "record_mosquitto_acl.py"
SAMPLES = tomllib.loads((RECORDS / "samples.toml").read_text(encoding="utf-8"))
DECISIONS = json.loads((RECORDS / "decisions.json").read_text(encoding="utf-8"))
ACCEPTED = {sample["name"]: sample for sample in SAMPLES["accepted"]}

# Where we decide otherwise, on purpose. Each is a client, a topic, what mosquitto does and what we do.
DIFFERENT: dict[str, set[tuple[str, str, str, str]]] = {
    "names that are no level": {
        # A name with a / stays a single level for us, so it opens nothing.
        ("u|a/b", "in/a/b/x", "psr", "-s-"),
        ("a/b|c", "by/a/b/x", "psr", "-s-"),
        # A name that is a wildcard loses the patterns it stands in; mosquitto takes all of them away.
        *((client, "fixed", "-s-", "-sr") for client in ("u|+", "u|#", "+|c", "#|c")),
        *((client, "by/u/x", "-s-", "psr") for client in ("u|+", "u|#")),
        *((client, "in/c/x", "-s-", "psr") for client in ("+|c", "#|c")),
    },
    # No filter of ours means "every topic that begins with $". In mosquitto nothing comes from there either.
    "topics with a dollar sign": {
        (f"{user}|x", "$other/x", "-s-", "---") for user in ("", "all", "none", "plus", "hash", "other")
    },
}

# Lines that mosquitto reads and we do not, and why.
REFUSED = {
    "topic read a/%c/b": "means the letters %c, which always stand for a name here; is it a pattern?",
    "topic read\tbar": "has a tab: mosquitto separates words with spaces",
    "topic read $share/g/a": "a rule names the filter itself",
}

SOURCE = """\
# Who may do what
topic read weather/#

# The heating
user heating
topic write house/heating/level
# but not this
topic deny house/heating/secret
topic read house/heating/#

user the cook
topic readwrite kitchen table

# Everyone's own
pattern readwrite inbox/%u/#
pattern write state/%c
# the end
"""

TRANSLATION = """\
# Made by `hookmq acl import` from mosquitto's access list acl_file.
# The first rule that matches decides, so what is denied stands before what is allowed.

# Who may do what
allow anonymous receive weather/#

# The heating
# but not this
deny user heating publish,receive house/heating/secret
allow user heating publish house/heating/level
allow user heating receive house/heating/#

allow user "the cook" publish,receive kitchen table

# Everyone's own
allow user * publish,receive inbox/%u/#
allow any publish state/%c

# the end

# Everyone may subscribe, as in mosquitto: the rules above decide what arrives.
allow subscribe-only #
allow subscribe-only $SYS/#
"""


def decided(acl: str, client: str, topic: str) -> str:
    """`psr` for what the client may do with the topic."""
    user, _, client_id = client.partition("|")
    allowed = [
        explain_acl(acl, user or None, client_id, "127.0.0.1", action, topic)[0]
        for action in ("publish", "subscribe", "receive")
    ]
    return "".join(letter if yes else "-" for letter, yes in zip("psr", allowed, strict=True))


def test_every_sample_is_recorded() -> None:
    assert {
        name: [[f"{user}|{client}" for user, client in sample["clients"]], sample["topics"]]
        for name, sample in ACCEPTED.items()
    } == {
        name: [list(clients), list(next(iter(clients.values())))]
        for name, clients in DECISIONS["accepted"].items()
    }
    assert [sample["line"] for sample in SAMPLES["single"]] == list(DECISIONS["single"])
    assert DECISIONS["mosquitto"].startswith("2.")
    count = sum(len(topics) for clients in DECISIONS["accepted"].values() for topics in clients.values())
    print(f"mosquitto {DECISIONS['mosquitto']}: {3 * count} recorded decisions")
    assert count > 300


@pytest.mark.parametrize("name", ACCEPTED)
def test_the_translation_decides_as_mosquitto_does(name: str) -> None:
    translation = translate(ACCEPTED[name]["acl"], name="acl_file")
    assert translation.problems == []
    assert check_acl(translation.text) == translation.rules
    different = set()
    for client, topics in DECISIONS["accepted"][name].items():
        for topic, expected in topics.items():
            ours = decided(translation.text, client, topic)
            if ours != expected:
                different.add((client, topic, expected, ours))
    assert different == DIFFERENT.get(name, set())


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_running_broker_does_with_it_what_mosquitto_did(name: str, tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("record_mosquitto_acl", RECORDER)
    assert spec is not None and spec.loader is not None
    recorder = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recorder)
    (tmp_path / "acl").write_text(translate(ACCEPTED[name]["acl"], name="acl_file").text)
    guarded = {"url": "mqtt://127.0.0.1:0", "acl_file": str(tmp_path / "acl")}
    broker = Broker(port=0, http_port=None, listeners=[guarded])
    broker.authenticate(lambda client: True)
    with broker:
        ports = broker.listeners[1].port, broker.port
        done = recorder.asked(*ports, ACCEPTED[name]["clients"], ACCEPTED[name]["topics"])
    different = {
        (client, topic, expected, done[client][topic])
        for client, topics in DECISIONS["accepted"][name].items()
        for topic, expected in topics.items()
        if done[client][topic] != expected
    }
    assert different == DIFFERENT.get(name, set())


@pytest.mark.parametrize("line", DECISIONS["single"])
def test_a_line_is_read_if_mosquitto_reads_it(line: str) -> None:
    problems = translate(f"user a\n{line}\n", name="acl_file").problems
    if line in REFUSED:
        ((number, reason),) = problems
        assert DECISIONS["single"][line] and number == 2
        assert reason is not None and reason.startswith(REFUSED[line])
    else:
        assert (not problems) == DECISIONS["single"][line], problems


def test_comments_stay_with_what_they_are_about() -> None:
    translation = translate(SOURCE, name="acl_file")
    assert (translation.text, translation.rules) == (TRANSLATION, 9)


def test_lines_may_end_with_carriage_return_and_line_feed() -> None:
    assert translate(SOURCE.replace("\n", "\r\n"), name="acl_file").text == TRANSLATION


def test_blanks_that_are_none_to_mosquitto_are_not_lost() -> None:
    (problem,) = translate("topic read \u00a0a\n", name="acl_file").problems
    assert problem == (1, "the topic begins or ends with a blank that is none to mosquitto")


def test_the_name_of_the_file_stays_a_comment() -> None:
    text = translate("topic read a\n", name="x\nallow all #").text
    assert check_acl(text) == 3 and "\nallow all" not in text


def test_a_user_called_star_is_not_made_everyone() -> None:
    (problem,) = translate("user *\ntopic secret\n", name="acl_file").problems
    assert problem == (1, "the user name `*` stands for any user name here")


@pytest.mark.parametrize(
    "name", ["with space", 'quo"te', '"quoted"', "back\\slash", '"\\"', "anonymous", "ü"]
)
def test_user_names_are_kept_whole(name: str) -> None:
    text = translate(f"user {name}\ntopic read a\n", name="acl_file").text
    assert explain_acl(text, name, "c", None, "receive", "a")[0]
    for other in (None, "with", "other", name + "x", "*"):
        assert not explain_acl(text, other, "c", None, "receive", "a")[0]


def test_import_prints_the_rules(hookmq: Run, tmp_path: Path) -> None:
    (tmp_path / "acl_file").write_text(SOURCE)
    done = hookmq("acl", "import", "acl_file")
    assert (done.returncode, done.stdout.decode(), done.stderr) == (0, TRANSLATION, b"")


def test_import_writes_a_file_that_can_be_checked(hookmq: Run, tmp_path: Path) -> None:
    (tmp_path / "acl_file").write_text(SOURCE)
    done = hookmq("acl", "import", "acl_file", "--output", "acl")
    assert (done.returncode, done.stdout) == (0, b"acl: 9 rules from acl_file\n")
    assert (tmp_path / "acl").read_text() == TRANSLATION
    assert hookmq("acl", "check", "acl").stdout == b"acl: 9 rules\n"


def test_import_does_not_overwrite_unless_told_to(hookmq: Run, tmp_path: Path) -> None:
    (tmp_path / "acl_file").write_text(SOURCE)
    (tmp_path / "acl").write_text("allow all #\n")
    done = hookmq("acl", "import", "acl_file", "--output", "acl")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"error[E708]: `acl` is there already\n  help: ")
    assert (tmp_path / "acl").read_text() == "allow all #\n"
    assert hookmq("acl", "import", "acl_file", "--output", "acl", "--replace").returncode == 0
    assert (tmp_path / "acl").read_text() == TRANSLATION


def test_import_reports_every_problem_and_writes_nothing(hookmq: Run, tmp_path: Path) -> None:
    (tmp_path / "acl_file").write_text("topic read a\ntopic reed b c\nuser\ngroup x\ntopic a/#/b\n")
    done = hookmq("acl", "import", "acl_file", "--output", "acl")
    lines = done.stderr.decode().splitlines()
    assert (done.returncode, done.stdout, (tmp_path / "acl").exists()) == (3, b"", False)
    assert lines[:3] == [
        "error[E305]: acl_file:2  `reed` is no kind of access: read, write, readwrite or deny",
        "        acl_file:3  the user name is missing",
        "        acl_file:4  begins with `group`; expected topic, user, pattern, or # at the very beginning",
    ]
    assert lines[3].startswith("        acl_file:5  ") and "a/#/b" in lines[3]
    assert len(lines) == 4


def test_import_as_json(hookmq: Run, tmp_path: Path) -> None:
    (tmp_path / "acl_file").write_text(SOURCE)
    printed = json.loads(hookmq("acl", "import", "acl_file", "--json").stdout)
    assert printed == {"source": "acl_file", "output": None, "rules": 9, "text": TRANSLATION}
    written = json.loads(hookmq("acl", "import", "acl_file", "--output", "acl", "--json").stdout)
    assert written == {"source": "acl_file", "output": "acl", "rules": 9}


def test_import_of_a_file_that_is_not_there(hookmq: Run) -> None:
    done = hookmq("acl", "import", "nosuch")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr == b"error[E701]: cannot read `nosuch`: no such file or directory\n"
