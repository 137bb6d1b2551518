"""What docs/access.md shows is what one gets."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hookmq import Broker, HookMQError

from ..protocol.packets import Auth, Connack, Connect, Publish, Subscribe, subscription
from ..protocol.wire import Wire
from .pages import DOCS, blocks
from .script import environment

PAGE = DOCS / "access.md"
PASSWORDS = {"tank": "steel", "admin": "key"}
Hookmq = Callable[..., subprocess.CompletedProcess[str]]
Client = Callable[..., Wire]


@pytest.fixture
def hookmq(tmp_path: Path) -> Hookmq:
    """Run a command in a directory that has the first files of the page."""

    def run(*arguments: str, input: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "hookmq", *arguments],
            cwd=tmp_path,
            env=environment(),
            input=input,
            capture_output=True,
            encoding="utf-8",
            timeout=30,
        )

    (tmp_path / "acl").write_text(next(blocks(PAGE, "acl")).code, encoding="utf-8")
    (tmp_path / "hookmq.toml").write_text(next(blocks(PAGE, "toml")).code, encoding="utf-8")
    for user, password in PASSWORDS.items():
        added = run("users", "add", user, "--file", "users", "--password-stdin", input=password)
        assert (added.returncode, added.stdout) == (0, f"users: {user} is added\n"), added.stderr
    return run


@pytest.fixture
def client() -> Iterator[Callable[..., Wire]]:
    """Connect clients; their sockets are closed at the end of the test."""
    wires: list[Wire] = []

    def connect(
        broker: Broker, user: str = "", password: str = "", *, name: str = "c", code: int = 0
    ) -> Wire:
        wires.append(Wire("127.0.0.1", broker.port))
        packet = Connect(name, username=user or None, password=password.encode() or None)
        wires[-1].connect(packet, code=code)
        return wires[-1]

    yield connect
    for wire in wires:
        wire.close()


def subscribes(wire: Wire, filter: str) -> int:
    """The reason code."""
    number = wire.next_id()
    wire.send(Subscribe(number, [subscription(filter, 0)]))
    return wire.read().codes[0]  # type: ignore[attr-defined]


def test_commands_about_the_list_print_what_they_show(hookmq: Hookmq) -> None:
    shown = 0
    for block in blocks(PAGE, "console"):
        for part in ("\n" + block.code).split("\n$ ")[1:]:
            command, _, output = part.partition("\n")
            if command.startswith(("hookmq acl check", "hookmq acl test")):
                assert hookmq(*command.split()[1:]).stdout.rstrip() == output.rstrip(), block.where
                shown += 1
    assert shown == 4


def test_the_first_files_let_in_and_decide(
    hookmq: Hookmq, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Broker(port=0, http_port=None) as broker:
        for user, password, code in [("tank", "wrong", 0x86), ("nobody", "steel", 0x86), ("", "", 0x87)]:
            client(broker, user, password, code=code)
        tank = client(broker, "tank", "steel", name="t7")
        admin = client(broker, "admin", "key", name="a")
        assert [subscribes(tank, filter) for filter in ("cmd/t7/#", "cmd/t8/#", "#")] == [0, 0x87, 0x87]
        assert subscribes(admin, "#") == 0
        assert tank.publish("tank/t8/level", b"1", 1) == 0x87
        assert tank.publish("tank/t7/level", b"2", 1) == 0
        admin.expect(Publish("tank/t7/level", b"2"))
        assert tank.publish("internal/key", b"3", 1) == 0x87
        admin.send(Publish("cmd/t7/on", b"4"), Publish("internal/key", b"5"))
        tank.expect(Publish("cmd/t7/on", b"4"))
        tank.expect_nothing()


def test_a_hook_narrows_the_list_and_cannot_widen_it(hookmq: Hookmq, client: Client, tmp_path: Path) -> None:
    broker = Broker(
        port=0,
        http_port=None,
        access={"users_file": str(tmp_path / "users"), "acl_file": str(tmp_path / "acl")},
    )

    @broker.authorize
    def may(client, action, topic):
        return topic != "tank/t7/level"

    with broker:
        tank = client(broker, "tank", "steel", name="t7")
        assert tank.publish("tank/t7/level", b"", 1) == 0x87
        assert tank.publish("tank/t8/level", b"", 1) == 0x87
        assert subscribes(tank, "cmd/t7/#") == 0


def test_whoever_removes_a_rule_ends_the_right_at_once(
    hookmq: Hookmq, client: Client, tmp_path: Path
) -> None:
    access = {"users_file": str(tmp_path / "users"), "acl_file": str(tmp_path / "acl")}
    with Broker(port=0, http_port=None, access=access) as broker:
        tank = client(broker, "tank", "steel", name="t7")
        assert tank.publish("tank/t7/level", b"", 1) < 0x80
        (tmp_path / "acl").write_text("deny all #\n")
        broker.reload()
        assert tank.publish("tank/t7/level", b"", 1) == 0x87
        (tmp_path / "acl").unlink()
        with pytest.raises(HookMQError, match="E305"):
            broker.reload()
        assert tank.publish("other", b"", 1) == 0x87


@pytest.mark.parametrize(("answer", "code"), [(b"56", 0), (b"54", 0x87)])
def test_the_quiz_lets_in_who_knows(answer: bytes, code: int) -> None:
    source = next(block.code for block in blocks(PAGE, "python") if "enhanced_authenticate" in block.code)
    broker = Broker(port=0, http_port=None)
    exec(compile(source, "access.md", "exec"), {"broker": broker})
    method = {"authentication_method": "QUIZ"}
    with broker:
        wire = Wire("127.0.0.1", broker.port)
        wire.send(Connect("c", properties=method))
        wire.expect(Auth(0x18, method | {"authentication_data": b"seven times eight?"}))
        wire.send(Auth(0x18, method | {"authentication_data": answer}))
        connack = wire.read()
        wire.close()
        assert isinstance(connack, Connack) and connack.code == code


def test_rules_and_users_are_imported_as_shown(hookmq: Hookmq, tmp_path: Path) -> None:
    (tmp_path / "acl_file").write_text("topic read a\nuser b\ntopic b/#\n")
    done = hookmq("acl", "import", "acl_file", "--output", "imported")
    assert (done.returncode, done.stdout) == (0, "imported: 4 rules from acl_file\n")
    done = hookmq("users", "import", "users", "--file", "others")
    assert (done.returncode, done.stdout) == (0, "others: 2 added, 0 replaced, 0 skipped\n")
    shown = "".join(block.code for block in blocks(PAGE, "console"))
    assert "\nacl: 31 rules from /etc/mosquitto/acl_file\n" in shown
    assert "\nusers: 12 added, 0 replaced, 0 skipped\n" in shown
