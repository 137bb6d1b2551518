"""The examples of authentication services, each as a program of its own, with the servers that it asks."""

from __future__ import annotations

import ssl
from pathlib import Path

from ..examples.program import EXAMPLES, Client, Example
from ..protocol.packets import Connack, Connect
from ..transports.certificates import Authority
from ..transports.line import Line, open_socket
from .peer import Peer
from .test_oauth2 import Server


def accepted(port: int, user: tuple[str, str] | None) -> bool:
    """Whether a client with these credentials gets in."""
    with Client(port, user=user) as client:
        return not client.reason.is_failure


def test_jwt(tmp_path: Path) -> None:
    with Example("25_jwt.py", tmp_path) as example:
        token = example.find(r"(?m)^(\w+\.[\w-]+\.[\w-]+)$")[1]
        with Client(example.port(), user=("token", token)) as client:
            assert not client.reason.is_failure
        example.find("tank is gone: ")
        assert not accepted(example.port(), ("token", token[:-4]))
        assert not accepted(example.port(), ("tank", "water"))


def test_ldap(tmp_path: Path, slapd, monkeypatch) -> None:
    monkeypatch.setenv("LDAP_URL", slapd.url)
    with Example("26_ldap.py", tmp_path) as example:
        assert accepted(example.port(), ("tank", "water"))
        assert not accepted(example.port(), ("tank", "fire"))
        assert not accepted(example.port(), ("pump", "steam"))  # it is not in the group


def test_http_login(tmp_path: Path) -> None:
    with Example("27_http_login.py", tmp_path) as example:
        assert accepted(example.port(), ("pump", "water"))
        assert not accepted(example.port(), ("pump", "fire"))
        assert not accepted(example.port(), ("valve", "water"))


def test_oauth2(tmp_path: Path, peer: Peer, monkeypatch) -> None:
    server = Server(peer)
    server.tokens["good-token"] = server.of(scope="openid mqtt")
    server.tokens["poor-token"] = server.of(scope="openid")
    monkeypatch.setenv("OAUTH2_ISSUER", peer.url)
    monkeypatch.setenv("OAUTH2_SECRET", "whatever")
    with Example("28_oauth2.py", tmp_path) as example:
        assert accepted(example.port(), ("token", "good-token"))
        assert not accepted(example.port(), ("token", "poor-token"))
        assert not accepted(example.port(), ("token", "gone-token"))


def test_sql_users(tmp_path: Path) -> None:
    with Example("29_sql_users.py", tmp_path) as example:
        assert accepted(example.port(), ("pump", "water"))
        assert not accepted(example.port(), ("pump", "fire"))
        assert not accepted(example.port(), ("valve", "water"))


def test_certificates(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ca")
    authority.server()
    program = tmp_path / "30_certificates.py"
    program.write_text((EXAMPLES / program.name).read_text().replace("8883", "0"))
    pump = authority.client("pump", CN="pump", OU="Pumps", O="Works")
    office = authority.client("office", CN="desk", OU="Office", O="Works")
    with Example(str(program), tmp_path) as example:
        port = int(example.find(r"mqtts://127\.0\.0\.1:(\d+)")[1])
        for client, code in ((pump, 0), (office, 0x87)):
            context: ssl.SSLContext = authority.trusting(client)
            with context.wrap_socket(open_socket(port), server_hostname="localhost") as line:
                wire = Line(line)
                wire.send(Connect("c1"))
                answer = wire.read()
                assert isinstance(answer, Connack)
                assert answer.code == code
        example.find("pump connected: .*CN=pump")
