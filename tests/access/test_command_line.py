"""What `hookmq users` and `hookmq acl` write and say is what the broker goes by."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hookmq.errors import HookMQError

from ..api.helpers import eventually
from .deciding import enter, may_publish, may_subscribe
from .hashes import argon2id, mosquitto_6, mosquitto_7
from .scram import Scram
from .test_users import knock


@pytest.fixture
def hookmq(tmp_path):
    """`hookmq("users", "ls", code=0, input=b"")` runs a command in the test's folder and gives its output."""

    def run(*arguments: str, code: int = 0, input: bytes = b"") -> str:
        done = subprocess.run(
            [sys.executable, "-m", "hookmq", *arguments],
            input=input,
            cwd=tmp_path,
            capture_output=True,
            timeout=30,
        )
        text = done.stdout.decode() + done.stderr.decode()
        assert done.returncode == code, text
        return text

    return run


def add(hookmq, access, user: str, password: bytes, *more: str) -> None:
    hookmq("users", "add", user, "--file", str(access.users), "--password-stdin", *more, input=password)


def test_who_was_added_gets_in(hookmq, broker_factory, dial, access):
    add(hookmq, access, "tank", b"secret\n")
    add(hookmq, access, "with space", "pässwörd".encode())
    broker = broker_factory({"access.users_file": str(access.users)})
    assert knock(dial, broker, "tank", b"secret") == 0
    assert knock(dial, broker, "tank", b"secret\n") != 0
    assert knock(dial, broker, "with space", "pässwörd".encode()) == 0
    Scram("tank", b"secret").connect(dial(to=broker), "c2")
    Scram("with space", "pässwörd".encode()).connect(dial(to=broker), "c3")
    text = access.users.read_text()
    assert "secret" not in text
    assert text.startswith("tank:$argon2id$")


def test_a_broker_that_runs_learns_of_it(hookmq, broker_factory, dial, access):
    add(hookmq, access, "tank", b"secret")
    broker = broker_factory({"access.users_file": str(access.users)})
    inside = enter(dial, "inside", "tank", to=broker, password=b"secret")
    add(hookmq, access, "pump", b"other")
    eventually(lambda: knock(dial, broker, "pump", b"other") == 0, 6)
    add(hookmq, access, "tank", b"new")
    eventually(lambda: knock(dial, broker, "tank", b"new") == 0, 6)
    assert knock(dial, broker, "tank", b"secret") != 0
    hookmq("users", "rm", "pump", "--file", str(access.users))
    eventually(lambda: knock(dial, broker, "pump", b"other") != 0, 6)
    assert knock(dial, broker, "tank", b"new") == 0
    inside.ping()


def test_the_password_file_of_mosquitto_as_it_is_and_imported(hookmq, broker_factory, dial, access, tmp_path):
    theirs = tmp_path / "password_file"
    theirs.write_text(f"tank:{mosquitto_7(b'7')}\npump:{mosquitto_6(b'6')}\n")
    hookmq("users", "import", str(theirs), "--file", str(access.users))
    for file in (theirs, access.users):
        broker = broker_factory({"access.users_file": str(file)})
        assert knock(dial, broker, "tank", b"7") == 0
        assert knock(dial, broker, "pump", b"6") == 0
        assert knock(dial, broker, "pump", b"7") != 0


@pytest.mark.parametrize("password", [b"secret", b"Secret", b"other"])
def test_check_says_what_the_broker_says(hookmq, broker_factory, dial, access, password):
    access.entries("tank:" + argon2id(b"secret"), "pump:" + mosquitto_7(b"other"))
    broker = broker_factory({"access.users_file": str(access.users)})
    for user in ("tank", "pump"):
        let_in = knock(dial, broker, user, password) == 0
        file = ("--file", str(access.users), "--password-stdin")
        hookmq("users", "check", user, *file, code=0 if let_in else 6, input=password)


RULES = """
deny  user tank subscribe-only  tank/none
deny  any all a/%c/secret
allow user tank publish tank/%c/level
allow client "sensor 7" address 127.0.0.0/8 subscribe cmd/%c/#
allow anonymous subscribe public/#
allow user * all shared/%u/#
allow any all a/#
"""

QUESTIONS = [
    ("tank", "c1", "publish", "tank/c1/level"),
    ("tank", "c2", "publish", "tank/c1/level"),
    ("tank", "+", "publish", "tank/c1/level"),
    ("tank", "sensor 7", "subscribe", "cmd/sensor 7/#"),
    ("tank", "sensor 7", "subscribe", "cmd/#"),
    ("tank", "c1", "subscribe", "tank/none"),
    (None, "c1", "subscribe", "public/#"),
    ("tank", "c1", "subscribe", "public/#"),
    ("tank", "c1", "publish", "shared/tank/x"),
    ("a/b", "c1", "publish", "shared/a/b/x"),
    ("#", "c1", "subscribe", "shared/#"),
    ("tank", "c1", "publish", "a/c1/secret"),
    ("tank", "c1", "publish", "a/c2/secret"),
    ("tank", "a/b", "publish", "a/c2/secret"),
    ("tank", "c1", "subscribe", "$SYS/#"),
    ("tank", "c1", "subscribe", "$share/g/a/#"),
    ("tank", "c1", "subscribe", "#"),
]


def test_acl_test_says_what_the_broker_says(hookmq, ruled, dial, access):
    broker = ruled(RULES)
    answers = set()
    for user, client, action, topic in QUESTIONS:
        wire = enter(dial, client, user, to=broker)
        allowed = (may_publish if action == "publish" else may_subscribe)(wire, topic)
        wire.disconnect()
        who = ["--client", client, "--address", "127.0.0.1", *(["--user", user] if user else [])]
        hookmq("acl", "test", "--file", str(access.acl), *who, action, topic, code=0 if allowed else 6)
        answers.add(allowed)
    assert answers == {True, False}


def test_acl_check_finds_what_keeps_the_broker_from_starting(hookmq, broker_factory, access):
    access.rules("allow any all #\nallow any write #")
    with pytest.raises(HookMQError) as caught:
        broker_factory({"access.acl_file": str(access.acl)})
    text = hookmq("acl", "check", str(access.acl), code=3)
    assert f"error[E305]: {access.acl}:2" in text
    assert caught.value.message.partition(" cannot be used: ")[2] in text
    access.rules("allow any all #")
    hookmq("acl", "check", str(access.acl))


def test_an_imported_acl_file_of_mosquitto(hookmq, broker_factory, dial, access, tmp_path):
    theirs = tmp_path / "acl_file"
    theirs.write_text(
        "topic read public/#\n"
        "user tank\n"
        "topic readwrite tank/#\n"
        "topic deny tank/secret/#\n"
        "pattern write of/%c/%u\n"
    )
    hookmq("acl", "import", str(theirs), "--output", str(access.acl))
    broker = broker_factory({"access.acl_file": str(access.acl)}, start=False)
    broker.authenticate(lambda client: True)
    broker.start()
    tank, nobody = enter(dial, "c1", "tank", to=broker), enter(dial, "c2", None, to=broker)
    assert may_publish(tank, "tank/1")
    assert not may_publish(tank, "tank/secret/1")
    assert may_subscribe(tank, "tank/#")
    assert may_publish(tank, "of/c1/tank")
    assert not may_publish(tank, "of/c2/tank")
    assert not may_publish(tank, "public/1")
    assert may_subscribe(nobody, "public/#")
    assert not may_publish(nobody, "tank/1")
    assert not may_publish(nobody, "public/1")


@pytest.mark.parametrize("key", ["users_file", "acl_file"])
def test_a_bad_file_ends_run_with_3(hookmq, access, tmp_path, key):
    (tmp_path / "bad").write_text("# fine\nnonsense\n")
    (tmp_path / "hookmq.toml").write_text(f'port = 0\nhttp_port = "off"\n[access]\n{key} = "bad"\n')
    text = hookmq("run", code=3)
    assert "error[E305]" in text
    assert "bad:2" in text
    assert "Traceback" not in text
