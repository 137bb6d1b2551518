"""Certificates, keys, authorities and revocation lists that change while the broker runs."""

from __future__ import annotations

import logging
import signal
import socket
import ssl
import time
from urllib.parse import urlsplit

import pytest

from ..access.test_users import unusable
from ..api.helpers import eventually
from ..cli.conftest import spawn
from ..protocol.packets import Connect
from .certificates import Authority
from .doors import door
from .line import Line, open_socket
from .test_tls import refused, serial

__all__ = ["spawn"]

BY_ITSELF = 6.0  # seconds; two or three are promised


@pytest.fixture
def broker(broker_factory, server):
    """A broker whose certificate is in files of the test's own."""
    return broker_factory({"tls.port": 0, "tls.cert": str(server.cert), "tls.key": str(server.key)})


def shown(port: int, context: ssl.SSLContext) -> int | None:
    """The serial number of the certificate that a new connection is shown."""
    try:
        with (
            socket.create_connection(("127.0.0.1", port), 3) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as wrapped,
        ):
            return int(wrapped.getpeercert()["serialNumber"], 16)  # type: ignore[index, arg-type]
    except OSError as error:
        assert not isinstance(error, TimeoutError)
        return None


def test_a_new_certificate_is_shown_to_who_comes_next(broker, secure, authority, server, trusting):
    line = secure(broker, trusting)
    line.connect(Connect("c1"))
    line.subscribe("a")
    for number in range(3):
        new = authority.server(f"new{number}")
        server.replace(new)
        broker.reload()
        assert serial(secure(broker, trusting)) == new.serial
    line.publish("a", b"still here")
    line.expect_message("a", b"still here")
    secure(broker, trusting).connect(Connect("c2"))


def test_a_new_certificate_is_found(broker, secure, authority, server, trusting):
    line = secure(broker, trusting)
    line.connect(Connect("c1"))
    new = authority.server("new")
    server.replace(new)
    port = door(broker, "mqtts")[1]
    eventually(lambda: shown(port, trusting) == new.serial, BY_ITSELF)
    line.ping()


def test_a_certificate_behind_a_link_is_found(broker_factory, authority, trusting):
    """As certbot and Kubernetes do it: the files are links, and another folder takes the place."""
    old, new = authority.server("old"), authority.server("new")
    for name, pair in (("first", old), ("second", new)):
        (authority.folder / name).mkdir()
        pair.cert.rename(authority.folder / name / "cert.pem")
        pair.key.rename(authority.folder / name / "key.pem")
    link = authority.folder / "live"
    link.symlink_to("first")
    broker = broker_factory(
        {"tls.port": 0, "tls.cert": str(link / "cert.pem"), "tls.key": str(link / "key.pem")}
    )
    port = door(broker, "mqtts")[1]
    assert shown(port, trusting) == old.serial
    other = authority.folder / "other"
    other.symlink_to("second")
    other.rename(link)
    eventually(lambda: shown(port, trusting) == new.serial, BY_ITSELF)


def test_sighup_shows_a_new_certificate(spawn, tmp_path, authority, server, trusting):
    (tmp_path / "hookmq.toml").write_text(
        'port = 0\nhttp_port = "off"\n[tls]\nport = 0\ncert = "server.pem"\nkey = "server.key"\n'
    )
    running = spawn("run")
    running.wait_for(b"mqtts://127.0.0.1:")
    words = running.output.decode().split()
    port = next(urlsplit(word).port for word in words if word.startswith("mqtts://"))
    assert shown(port, trusting) == server.serial
    line = Line(trusting.wrap_socket(open_socket(port), server_hostname="localhost"))
    try:
        line.connect(Connect("c1"))
        new = authority.server("new")
        server.replace(new)
        begun = time.monotonic()
        running.process.send_signal(signal.SIGHUP)
        eventually(lambda: shown(port, trusting) == new.serial, BY_ITSELF)
        assert time.monotonic() - begun < 1.5
        for _ in range(3):
            running.process.send_signal(signal.SIGHUP)
        line.ping()
        assert running.process.poll() is None
    finally:
        line.close()
    assert running.stop() == 0
    assert b"Traceback" not in running.output


@pytest.mark.parametrize(
    "how", ["the key is gone", "the key is nonsense", "the key is another's", "no certificate"]
)
def test_without_its_key_nobody_comes_in_until_it_is_back(
    broker, secure, connect, authority, server, trusting, how
):
    line = secure(broker, trusting)
    line.connect(Connect("c1"))
    files = {path: path.read_bytes() for path in (server.cert, server.key)}
    if how == "the key is gone":
        server.key.unlink()
    elif how == "the key is nonsense":
        server.key.write_text("nonsense")
    elif how == "the key is another's":
        server.key.write_bytes(authority.server("other").key.read_bytes())
    else:
        server.cert.write_text("")
    unusable(broker, server.cert.parent)
    refused(secure, broker, trusting)
    line.ping()
    connect().ping()
    for path, data in files.items():
        path.write_bytes(data)
    broker.reload()
    secure(broker, trusting).connect(Connect("c2"))
    line.ping()


def test_a_key_that_comes_back_is_found(broker, server, trusting, caplog):
    caplog.set_level(logging.INFO)
    port = door(broker, "mqtts")[1]
    key = server.key.read_bytes()
    server.key.unlink()
    eventually(lambda: shown(port, trusting) is None, BY_ITSELF)
    eventually(lambda: str(server.key) in caplog.text)
    server.key.write_bytes(key)
    eventually(lambda: shown(port, trusting) == server.serial, BY_ITSELF)


def test_a_certificate_of_the_http_port(broker_factory, authority, server, trusting):
    broker = broker_factory(
        {"tls.http": True, "tls.cert": str(server.cert), "tls.key": str(server.key)}, http_port=0
    )
    assert shown(broker.http_port, trusting) == server.serial
    new = authority.server("new")
    server.replace(new)
    broker.reload()
    assert shown(broker.http_port, trusting) == new.serial


def test_a_certificate_picked_by_name(broker_factory, secure, authority, server, trusting):
    named = authority.server("named", "a.example")
    sni = {"a.example": named.files}
    broker = broker_factory(listeners=[{"url": "mqtts://127.0.0.1:0", **server.files, "sni": sni}])
    assert serial(secure(broker, trusting, name="a.example")) == named.serial
    new = authority.server("new", "a.example")
    named.replace(new)
    broker.reload()
    assert serial(secure(broker, trusting, name="a.example")) == new.serial
    assert serial(secure(broker, trusting)) == server.serial


# Clients' certificates -------------------------------------------------------------------------------------


@pytest.fixture
def asking(broker_factory, authority, server, tmp_path):
    """A broker that asks for certificates: it, and the files of authorities and of who was revoked."""
    ca = tmp_path / "ca.pem"
    ca.write_bytes(authority.cert.read_bytes())
    crl = authority.revoke()
    section = {"port": 0, **server.files, "client_ca": str(ca), "crl": str(crl)}
    return broker_factory({f"tls.{key}": value for key, value in section.items()}), ca, crl


def test_a_certificate_that_is_revoked_meanwhile(asking, secure, authority):
    broker, _, _ = asking
    stays, leaves = authority.client("stays"), authority.client("leaves")
    line = secure(broker, authority.trusting(leaves))
    line.connect(Connect("c1"))
    authority.revoke(leaves)
    broker.reload()
    refused(secure, broker, authority.trusting(leaves))
    secure(broker, authority.trusting(stays)).connect(Connect("c2"))
    line.ping()  # the connection that is there is not dropped
    authority.revoke()
    broker.reload()
    secure(broker, authority.trusting(leaves)).connect(Connect("c3"))


def test_a_revocation_is_found(asking, secure, authority):
    broker, _, _ = asking
    client = authority.client("leaves")
    context = authority.trusting(client)
    line = secure(broker, context)
    line.connect(Connect("c1"))
    authority.revoke(client)

    def shut_out() -> bool:
        try:
            secure(broker, context).connect(Connect("c2"))
        except (OSError, AssertionError):
            return True
        return False

    eventually(shut_out, BY_ITSELF)
    line.ping()


def test_another_authority_takes_over(asking, secure, authority):
    broker, ca, _ = asking
    other = Authority(authority.folder / "other", "other")
    old, new = authority.trusting(authority.client("old")), authority.trusting(other.client("new"))
    line = secure(broker, old)
    line.connect(Connect("c1"))
    refused(secure, broker, new)
    ca.write_bytes(other.cert.read_bytes())
    other.folder = authority.folder
    other.revoke()
    broker.reload()
    secure(broker, new).connect(Connect("c2"))
    refused(secure, broker, old)
    line.ping()


@pytest.mark.parametrize("which", ["ca", "crl"])
@pytest.mark.parametrize("how", ["gone", "nonsense"])
def test_without_authority_or_list_nobody_comes_in(asking, secure, authority, which, how):
    broker, ca, crl = asking
    path = ca if which == "ca" else crl
    context = authority.trusting(authority.client())
    line = secure(broker, context)
    line.connect(Connect("c1"))
    data = path.read_bytes()
    if how == "gone":
        path.unlink()
    else:
        path.write_text("nonsense")
    unusable(broker, path)
    refused(secure, broker, context)
    line.ping()
    path.write_bytes(data)
    broker.reload()
    secure(broker, context).connect(Connect("c2"))
