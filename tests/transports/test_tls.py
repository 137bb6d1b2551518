"""MQTT over TLS: versions, what is no TLS, several certificates, and clients that take their time."""

from __future__ import annotations

import socket
import ssl
import time
import warnings

import pytest

from hookmq.errors import HookMQError

from ..api.helpers import eventually
from ..protocol.packets import V5, Connect, Publish
from ..protocol.wire import Closed
from .certificates import Authority
from .doors import door, urls
from .line import open_socket

TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
BOTH = pytest.mark.parametrize("tls", [TLS_1_2, TLS_1_3], ids=["TLS 1.2", "TLS 1.3"])


@pytest.fixture
def broker(broker_factory, server):
    """A plain port and one with TLS."""
    return broker_factory({"tls.port": 0, "tls.cert": str(server.cert), "tls.key": str(server.key)})


def refused(secure, broker, context, **options) -> None:
    """No TLS connection comes about, or one that is closed before anything is said."""
    with pytest.raises((OSError, Closed)) as caught:
        secure(broker, context, **options).connect(Connect("refused"))
    assert not isinstance(caught.value, TimeoutError)


def serial(line) -> int:
    """The serial number of the certificate that the server showed."""
    return int(line.socket.getpeercert()["serialNumber"], 16)


def until_closed(plain: socket.socket, seconds: float = 5) -> bytes:
    """Everything the server says before it closes the connection."""
    plain.settimeout(seconds)
    said = b""
    while True:
        try:
            chunk = plain.recv(4096)
        except ConnectionError:
            return said
        if not chunk:
            return said
        said += chunk


# Versions --------------------------------------------------------------------------------------------------


@BOTH
def test_mqtt_over_tls(broker, secure, connect, authority, server, version, tls):
    plain = connect()
    plain.subscribe("a")
    line = secure(broker, authority.trusting(version=tls), version=version)
    assert line.socket.version() == {TLS_1_2: "TLSv1.2", TLS_1_3: "TLSv1.3"}[tls]
    assert serial(line) == server.serial
    line.connect(Connect("c1"))
    line.subscribe("b", qos=1)
    line.publish("a", b"from here", 2)
    plain.expect_message("a", b"from here")
    plain.publish("b", b"from there", 1)
    line.expect_message("b", b"from there", qos=1)
    line.ping()


@BOTH
def test_large_messages_in_both_directions(broker, secure, connect, authority, tls):
    plain, line = connect(), secure(broker, authority.trusting(version=tls))
    line.connect(Connect("c1"))
    plain.subscribe("a")
    line.subscribe("b")
    payload = bytes(range(256)) * 8000
    line.deadline = plain.deadline = 10
    for _ in range(3):
        line.send(Publish("a", payload))
        plain.expect(Publish("a", payload))
        plain.send(Publish("b", payload))
        line.expect(Publish("b", payload))


def test_many_small_messages(broker, secure, trusting):
    line = secure(broker, trusting)
    line.connect(Connect("c1"))
    line.subscribe("a")
    for number in range(2000):
        line.send(Publish("a", b"%d" % number))
    for number in range(2000):
        line.expect(Publish("a", b"%d" % number))


def test_one_byte_in_a_record(broker, secure, trusting):
    line = secure(broker, trusting)
    for byte in Connect("c1").encode(V5) + Publish("a", b"x", 1, id=1).encode(V5):
        line.send(bytes([byte]))
    assert line.read().code == 0  # type: ignore[attr-defined]
    assert line.read().id == 1  # type: ignore[attr-defined]


def test_the_end_is_announced(broker, lines, trusting):
    """Without close_notify a client cannot tell an end from a cut."""
    host, port = door(broker, "mqtts")
    wrapped = trusting.wrap_socket(
        open_socket(port, host=host), server_hostname="localhost", suppress_ragged_eofs=False
    )
    lines.append(wrapped)
    wrapped.sendall(Connect("c1").encode(V5) + b"\xe0\x00")
    wrapped.settimeout(3)
    while wrapped.recv(4096):
        pass


def test_a_client_that_offers_mqtt_as_its_protocol(broker, secure, authority):
    context = authority.trusting()
    context.set_alpn_protocols(["mqtt"])
    line = secure(broker, context)
    line.connect(Connect("c1"))
    assert line.socket.selected_alpn_protocol() in ("mqtt", None)


def test_a_version_below_the_least_one(broker_factory, secure, authority, server):
    listener = {"url": "mqtts://127.0.0.1:0", "min_version": "1.3", **server.files}
    broker = broker_factory(listeners=[listener])
    refused(secure, broker, authority.trusting(version=TLS_1_2))
    eventually(lambda: broker.statistics["tls_failures"] == 1)
    secure(broker, authority.trusting(version=TLS_1_3)).connect(Connect("c1"))
    assert broker.statistics["tls_failures"] == 1


def test_tls_1_1_is_too_old(broker, secure, authority):
    context = authority.trusting()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python warns of it as well
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        refused(secure, broker, context)
    eventually(lambda: broker.statistics["tls_failures"] == 1)


# What is no TLS --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [Connect("c1").encode(V5), b"GET / HTTP/1.1\r\n\r\n", b"\0" * 300, b"\x16\x03\x01\xff\xff" + b"\0" * 300],
    ids=["MQTT", "HTTP", "zeros", "a record too large"],
)
def test_plain_bytes_on_a_tls_port(broker, secure, trusting, lines, said):
    host, port = door(broker, "mqtts")
    plain = open_socket(port, host=host)
    lines.append(plain)
    plain.sendall(said)
    assert until_closed(plain)[:1] in (b"", b"\x15")  # nothing but an alert
    eventually(lambda: broker.statistics["tls_failures"] == 1)
    assert broker.statistics["clients_connected"] == 0
    secure(broker, trusting).connect(Connect("c1"))


def test_tls_on_a_plain_port(broker, trusting, lines, connect):
    plain = open_socket(broker.port)
    lines.append(plain)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        trusting.wrap_socket(plain, server_hostname="localhost")
    connect().ping()


def test_a_client_that_does_not_trust_the_certificate(broker, secure, connect):
    stranger = ssl.create_default_context()
    with pytest.raises(ssl.SSLCertVerificationError):
        secure(broker, stranger)
    eventually(lambda: broker.statistics["tls_failures"] == 1)
    connect().ping()


@pytest.mark.parametrize(
    "said", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01"], ids=["nothing", "a byte", "a start"]
)
def test_a_handshake_that_takes_too_long(broker_factory, server, secure, trusting, lines, said):
    broker = broker_factory(
        {"tls.port": 0, "tls.cert": str(server.cert), "tls.key": str(server.key), "limits.connect_timeout": 1}
    )
    host, port = door(broker, "mqtts")
    plain = open_socket(port, host=host)
    lines.append(plain)
    plain.sendall(said)
    begun = time.monotonic()
    eventually(lambda: broker.statistics["half_open"] == 1)
    secure(broker, trusting).connect(Connect("c1"))
    assert until_closed(plain)[:1] in (b"", b"\x15")
    assert 0.7 < time.monotonic() - begun < 3
    eventually(lambda: broker.statistics["limit_connect_timeout"] == 1)
    eventually(lambda: broker.statistics["half_open"] == 0)


def test_no_connect_after_the_handshake(broker_factory, server, secure, trusting):
    broker = broker_factory(
        {"tls.port": 0, "tls.cert": str(server.cert), "tls.key": str(server.key), "limits.connect_timeout": 1}
    )
    begun = time.monotonic()
    secure(broker, trusting).expect_closed(timeout=5)
    assert 0.7 < time.monotonic() - begun < 3
    eventually(lambda: broker.statistics["limit_connect_timeout"] == 1)


def test_a_client_that_goes_in_the_middle_of_the_handshake(broker, secure, trusting):
    host, port = door(broker, "mqtts")
    for said in (b"", b"\x16\x03\x01"):
        plain = open_socket(port, host=host)
        plain.sendall(said)
        plain.close()
    secure(broker, trusting).connect(Connect("c1"))
    eventually(lambda: broker.statistics["half_open"] == 0)


# Server names ----------------------------------------------------------------------------------------------


@BOTH
def test_the_server_name_picks_the_certificate(broker_factory, secure, authority, tls):
    default = authority.server()
    named = {name: authority.server(name, name) for name in ("a.example", "b.example")}
    sni = {name: pair.files for name, pair in named.items()}
    broker = broker_factory(listeners=[{"url": "mqtts://127.0.0.1:0", **default.files, "sni": sni}])
    context = authority.trusting(version=tls)
    for name, pair in named.items():
        line = secure(broker, context, name=name)
        assert serial(line) == pair.serial
        line.connect(Connect(name))
    assert serial(secure(broker, context, name="A.EXAMPLE")) == named["a.example"].serial
    assert serial(secure(broker, context, name="localhost")) == default.serial
    assert serial(secure(broker, context, name="127.0.0.1")) == default.serial  # an address is no name
    context.check_hostname = False
    assert serial(secure(broker, context, name="c.example")) == default.serial
    assert serial(secure(broker, context, name=None)) == default.serial  # type: ignore[arg-type]


# Settings --------------------------------------------------------------------------------------------------


def test_without_a_port_there_is_no_tls(broker_factory, server):
    broker = broker_factory({"tls.cert": str(server.cert), "tls.key": str(server.key)})
    assert urls(broker, "mqtts") == []


def test_a_listener_takes_what_it_lacks_from_the_section(broker_factory, secure, authority, server):
    other = authority.server("other")
    broker = broker_factory(
        {"tls.cert": str(server.cert), "tls.key": str(server.key), "tls.min_version": "1.3"},
        listeners=[
            "mqtts://127.0.0.1:0",
            {"url": "mqtts://127.0.0.1:0", **other.files, "min_version": "1.2"},
        ],
    )
    first, second = (door(broker, "mqtts", number) for number in (0, 1))
    assert first != second
    context = authority.trusting(version=TLS_1_3)
    assert serial(secure(broker, context)) == server.serial
    refused(secure, broker, authority.trusting(version=TLS_1_2))
    with (
        socket.create_connection(second) as plain,
        authority.trusting(version=TLS_1_2).wrap_socket(plain, server_hostname="localhost") as wrapped,
    ):
        assert int(wrapped.getpeercert()["serialNumber"], 16) == other.serial  # type: ignore[index]


def test_a_chain_is_shown_whole_and_more_than_a_key_may_stand_in_its_file(broker_factory, secure, authority):
    pair = authority.server()
    both = authority.folder / "both.pem"
    both.write_bytes(pair.key.read_bytes() + pair.cert.read_bytes() + authority.cert.read_bytes())
    broker = broker_factory({"tls.port": 0, "tls.cert": str(both), "tls.key": str(both)})
    secure(broker, authority.trusting()).connect(Connect("c1"))


@pytest.mark.parametrize(
    "change",
    [
        {"tls.cert": "missing.pem"},
        {"tls.key": "missing.key"},
        {"tls.cert": "empty.pem"},
        {"tls.key": "empty.pem"},
        {"tls.key": "other.key"},
        {"tls.client_ca": "missing.pem"},
        {"tls.client_ca": "empty.pem"},
        {"tls.client_ca": "authority.pem", "tls.crl": "missing.pem"},
        {"tls.client_ca": "authority.pem", "tls.crl": "empty.pem"},
    ],
    ids=lambda change: " ".join(f"{key}={value}" for key, value in change.items()),
)
def test_a_file_that_cannot_be_used_keeps_the_broker_from_starting(broker_factory, authority, server, change):
    authority.server("other")
    (authority.folder / "empty.pem").write_text("")
    (authority.folder / "authority.pem").write_bytes(authority.cert.read_bytes())
    settings = {"tls.port": 0, "tls.cert": str(server.cert), "tls.key": str(server.key)}
    settings |= {key: str(authority.folder / value) for key, value in change.items()}
    with pytest.raises(HookMQError) as caught:
        broker_factory(settings)
    assert caught.value.code == "E305"
    assert caught.value.exit_code == 3
    assert any(str(authority.folder / name) in caught.value.message for name in change.values())


@pytest.mark.parametrize(
    "settings",
    [
        {"tls.port": 0},
        {"tls.min_version": "1.1"},
        {"tls.min_version": "1.4"},
        {"tls.client_cert": "maybe"},
        {"tls.identity": "serial"},
    ],
    ids=str,
)
def test_settings_that_cannot_be(broker_factory, server, settings):
    given = {} if "tls.port" in settings else {"tls.port": 0, "tls.cert": str(server.cert)}
    with pytest.raises(HookMQError) as caught:
        broker_factory(given | settings)
    assert caught.value.exit_code == 3


def test_an_authority_for_clients_is_not_one_for_servers(tmp_path, broker_factory, secure):
    """Nobody is asked for a certificate unless `client_ca` says so."""
    alone = Authority(tmp_path / "alone", "alone")
    pair = alone.server()
    broker = broker_factory({"tls.port": 0, "tls.cert": str(pair.cert), "tls.key": str(pair.key)})
    secure(broker, alone.trusting(alone.client())).connect(Connect("c1"))
