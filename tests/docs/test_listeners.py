"""What docs/listeners.md shows is what one gets: its certificates work, and its listeners listen."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from hookmq import Broker

from ..api.helpers import eventually
from ..protocol.packets import Connack, Connect
from ..transports.line import Line, open_socket, welcome
from .pages import DOCS, blocks
from .script import environment

PAGE = DOCS / "listeners.md"
Pub = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the five lines of the page make."""
    directory = tmp_path_factory.mktemp("certificates")
    (block,) = blocks(PAGE, "sh")
    assert len(block.code.splitlines()) == 5
    done = subprocess.run(
        ["sh", "-e", "-c", block.code], cwd=directory, capture_output=True, encoding="utf-8", timeout=60
    )
    assert done.returncode == 0, done.stderr
    return directory


def configured(index: int) -> dict[str, object]:
    """The `[tls]` of a block of the page, with a free port."""
    tables = [tomllib.loads(block.code) for block in blocks(PAGE, "toml")]
    chosen = [table["tls"] for table in tables if "tls" in table and "listeners" not in table]
    return chosen[index] | {"port": 0}


def port_of(broker: Broker, kind: str) -> int:
    (listener,) = [one for one in broker.listeners if one.kind == kind]
    return int(listener.url.rpartition(":")[2])


def trusting(directory: Path, *, certificate: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(directory / "ca.pem"))
    if certificate:
        context.load_cert_chain(directory / "tank.pem", directory / "tank.key")
    return context


@pytest.fixture
def hookmq_pub(certificates: Path) -> Pub:
    """Run the page's `hookmq pub` with its files and the port of the broker."""

    def run(port: int) -> subprocess.CompletedProcess[str]:
        (command,) = [
            line[2:]
            for block in blocks(PAGE, "console")
            for line in block.code.splitlines()
            if line.startswith("$ hookmq pub ")
        ]
        arguments = command.replace("-p 8883", f"-p {port}").split()[1:]
        return subprocess.run(
            [sys.executable, "-m", "hookmq", *arguments],
            cwd=certificates,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=30,
        )

    return run


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_server_certificate_is_good_for_tls(
    certificates: Path, monkeypatch: pytest.MonkeyPatch, version: ssl.TLSVersion
) -> None:
    monkeypatch.chdir(certificates)
    context = trusting(certificates, certificate=False)
    context.minimum_version = context.maximum_version = version
    with Broker(port="off", http_port=None, tls=configured(0)) as broker:
        for name in ("localhost", "127.0.0.1"):
            with context.wrap_socket(open_socket(port_of(broker, "mqtts")), server_hostname=name) as line:
                welcome(Line(line)).disconnect()


def test_the_client_certificate_names_the_user(
    certificates: Path, hookmq_pub: Pub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(certificates)
    (certificates / "acl").write_text("allow user tank publish tank/7/level\n")
    # Nobody was revoked: an empty list needs the authority's own database, which is more than five lines.
    tls = {key: value for key, value in configured(1).items() if key != "crl"}
    access = {"acl_file": "acl"}
    with (
        Broker(port="off", http_port=None, tls=tls, access=access) as broker,
        broker.subscribe("#") as messages,
    ):
        done = hookmq_pub(port_of(broker, "mqtts"))
        assert (done.returncode, done.stderr) == (0, "")
        message = messages.get(timeout=5)
        assert message is not None and (message.topic, message.payload) == ("tank/7/level", b"12")
        assert broker.statistics["unauthorized"] == 0


def test_without_a_certificate_nobody_gets_through(
    certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(certificates)
    tls = {key: value for key, value in configured(1).items() if key != "crl"}
    context = trusting(certificates, certificate=False)
    with Broker(port="off", http_port=None, tls=tls) as broker:
        # TLS 1.3 tells a client of it when it reads for the first time.
        with pytest.raises((ssl.SSLError, ConnectionError)):  # noqa: SIM117
            with context.wrap_socket(
                open_socket(port_of(broker, "mqtts")), server_hostname="localhost"
            ) as line:
                line.sendall(Connect("c").encode(5))
                assert line.recv(100) != b"", "a connection that ends without a word is no answer either"
        eventually(lambda: broker.statistics["tls_failures"] == 1)
        assert broker.statistics["connects"] == 0


def test_each_listener_has_its_own_logins_and_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = [block for block in blocks(PAGE, "toml") if "acl-for-guests" in block.code]
    table = tomllib.loads(block.code)
    (tmp_path / "users").write_text("")
    (tmp_path / "acl").write_text("")
    (tmp_path / "acl-for-guests").write_text("allow anonymous publish guests/#\n")
    listener = table["listeners"][0] | {"url": "mqtt://127.0.0.1:0", "max_clients": 1}
    with Broker(port=0, http_port=None, access=table["access"], listeners=[listener]) as broker:
        first, second = (int(one.url.rpartition(":")[2]) for one in broker.listeners)
        assert first == broker.port
        with open_socket(first) as one, open_socket(second) as two, open_socket(second) as three:
            welcome(Line(one), "x", code=0x87)
            guest = welcome(Line(two), "g")
            assert guest.publish("guests/a", b"", 1) < 0x80
            assert guest.publish("a", b"", 1) == 0x87
            welcome(Line(three), "h", code=0x89)


def test_a_unix_socket_is_a_listener(tmp_path: Path) -> None:
    path = tmp_path / "mqtt.sock"
    with Broker(port=0, http_port=None, listeners=[{"url": f"unix://{path}", "mode": "0660"}]) as broker:
        assert [one.kind for one in broker.listeners] == ["mqtt", "unix"]
        assert path.stat().st_mode & 0o777 == 0o660
        with socket.socket(socket.AF_UNIX) as unix:
            unix.settimeout(5)
            unix.connect(str(path))
            unix.sendall(Connect("c").encode(5))
            assert unix.recv(1)[0] >> 4 == Connack.kind
    assert not path.exists()
