"""PROXY headers, version 1 and 2: whose they are, what they say, and what is no header."""

from __future__ import annotations

import socket
import struct
import time

import pytest

from ..access.deciding import may_publish
from ..api.helpers import eventually
from ..protocol.packets import V5, Connack, Connect
from .doors import door
from .line import Line, open_socket
from .test_tls import until_closed
from .websocket import WebSocket, upgrade

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
CONNECT = Connect("c1").encode(V5)


def second(
    source: str | None = "203.0.113.7",
    port: int = 40_000,
    *,
    command: int = 1,
    family: int | None = None,
    tail: bytes = b"",
    version: int = 2,
) -> bytes:
    """A header of version 2; without a source it names no address."""
    if source is None:
        kind, addresses = 0, b""
    elif ":" in source:
        kind = 0x21
        addresses = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, "::1")
    else:
        kind, addresses = 0x11, socket.inet_aton(source) + socket.inet_aton("127.0.0.1")
    if addresses:
        addresses += struct.pack(">HH", port, 1883)
    body = addresses + tail
    kind = kind if family is None else family
    return SIGNATURE + bytes([version << 4 | command, kind]) + struct.pack(">H", len(body)) + body


TLV = b"\x01\x00\x04mqtt" + b"\x04\x00\x03\0\0\0" + b"\x20\x00\x05\x00\x00\x00\x00\x00"
UNIX_ADDRESSES = b"/client".ljust(108, b"\0") + b"/server".ljust(108, b"\0")

# The header, and the address and port it names; None is that of the connection itself.
GOOD = {
    "v1 TCP4": (b"PROXY TCP4 203.0.113.7 127.0.0.1 40000 1883\r\n", ("203.0.113.7", 40_000)),
    "v1 TCP6": (b"PROXY TCP6 2001:db8::7 ::1 40000 1883\r\n", ("2001:db8::7", 40_000)),
    "v1 TCP6 at its longest": (
        b"PROXY TCP6 " + b"ffff:f:f:f:f:f:f:ffff " * 2 + b"65535 65535\r\n",
        ("ffff:f:f:f:f:f:f:ffff", 65_535),
    ),
    "v1 UNKNOWN": (b"PROXY UNKNOWN\r\n", None),
    "v1 UNKNOWN with words": (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", None),
    "v1 of 107 bytes": (b"PROXY UNKNOWN " + b"x" * 91 + b"\r\n", None),
    "v2 TCP4": (second(), ("203.0.113.7", 40_000)),
    "v2 TCP6": (second("2001:db8::7"), ("2001:db8::7", 40_000)),
    "v2 LOCAL": (second(None, command=0), None),
    "v2 LOCAL with an address": (second(command=0), None),
    "v2 of no family": (second(None), None),
    "v2 of no family with bytes": (second(None, tail=b"\x01\x02\x03"), None),
    "v2 with TLVs": (second(tail=TLV), ("203.0.113.7", 40_000)),
    "v2 with many TLVs": (second("2001:db8::7", tail=TLV * 50), ("2001:db8::7", 40_000)),
    "v2 Unix": (second(None, family=0x31, tail=UNIX_ADDRESSES), None),
}

BAD = {
    "nothing but MQTT": CONNECT,
    "garbage": b"\0" * 64,
    "HTTP": b"GET / HTTP/1.1\r\n\r\n",
    "v1 in small letters": b"proxy TCP4 203.0.113.7 127.0.0.1 40000 1883\r\n",
    "v1 of another family": b"PROXY UDP4 203.0.113.7 127.0.0.1 40000 1883\r\n",
    "v1 without ports": b"PROXY TCP4 203.0.113.7 127.0.0.1\r\n",
    "v1 with too much": b"PROXY TCP4 203.0.113.7 127.0.0.1 40000 1883 7\r\n",
    "v1 with no address": b"PROXY TCP4 203.0.113 127.0.0.1 40000 1883\r\n",
    "v1 with the other family's address": b"PROXY TCP4 2001:db8::7 ::1 40000 1883\r\n",
    "v1 with no port": b"PROXY TCP4 203.0.113.7 127.0.0.1 65536 1883\r\n",
    "v1 with a signed port": b"PROXY TCP4 203.0.113.7 127.0.0.1 -1 1883\r\n",
    "v1 with two spaces": b"PROXY  TCP4 203.0.113.7 127.0.0.1 40000 1883\r\n",
    "v1 of 108 bytes": b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n",
    "v1 without end": b"PROXY UNKNOWN " + b"x" * 500,
    "v1 ended by a line feed": b"PROXY TCP4 203.0.113.7 127.0.0.1 40000 1883\n" + CONNECT * 5,
    "v2 with another signature": b"\r\n\r\n\0\r\nQUIX\n" + second()[12:],
    "v2 of version 1": second(version=1),
    "v2 of version 3": second(version=3),
    "v2 with another command": second(command=2),
    "v2 too short for its family": SIGNATURE + b"\x21\x11\x00\x04\x7f\x00\x00\x01" + CONNECT,
    "v2 of a family that is none": second(family=0x51),
    "v2 of a transport that is none": second(family=0x13),
}


@pytest.fixture
def proxied(broker_factory):
    """`proxied(kind="mqtt", trusted=["127.0.0.1"])` starts a broker with such a listener."""

    def proxied(kind="mqtt", *, settings=None, **fields):
        listener = {"url": f"{kind}://127.0.0.1:0", "proxy_protocol": True, "trusted": ["127.0.0.1"]} | fields
        broker = broker_factory(settings, port="off", listeners=[listener], start=False)
        broker.seen = seen = []  # type: ignore[attr-defined]

        @broker.authenticate
        def admit(client):
            seen.append((client.address, client.port))
            return True

        return broker.start()

    return proxied


@pytest.fixture
def knock(lines):
    """`knock(broker)` opens a connection; nothing is sent."""

    def knock(broker, kind="mqtt", source=None):
        host, port = door(broker, kind)
        plain = open_socket(port, host=host, source=source)
        lines.append(plain)
        return plain

    return knock


def answer(plain) -> int:
    """The code of the CONNACK."""
    reply = Line(plain).read()
    assert isinstance(reply, Connack)
    return reply.code


# Headers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["at once", "apart", "byte by byte"])
@pytest.mark.parametrize("name", GOOD)
def test_a_header(proxied, knock, name, how):
    header, named = GOOD[name]
    broker = proxied()
    plain = knock(broker)
    if how == "at once":
        plain.sendall(header + CONNECT)
    elif how == "apart":
        plain.sendall(header)
        plain.sendall(CONNECT)
    else:
        for byte in header + CONNECT:
            plain.sendall(bytes([byte]))
    assert answer(plain) == 0
    assert broker.seen == [named or plain.getsockname()]


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_header(proxied, knock, name):
    broker = proxied()
    plain = knock(broker)
    begun = time.monotonic()
    plain.sendall(BAD[name])
    assert until_closed(plain) == b""
    assert time.monotonic() - begun < 2, "it was not the header, but the time-out"
    good = knock(broker)
    good.sendall(second() + CONNECT)
    assert answer(good) == 0
    assert len(broker.seen) == 1


@pytest.mark.parametrize("said", [b"", b"PROXY TCP4 203", SIGNATURE, second()[:20]], ids=len)
def test_a_header_that_does_not_come(proxied, knock, said):
    broker = proxied(settings={"limits.connect_timeout": 1})
    plain = knock(broker)
    plain.sendall(said)
    begun = time.monotonic()
    assert until_closed(plain) == b""
    assert 0.7 < time.monotonic() - begun < 3
    eventually(lambda: broker.statistics["limit_connect_timeout"] == 1)


def test_two_headers(proxied, knock):
    plain = knock(proxied())
    plain.sendall(second() + second("198.51.100.1") + CONNECT)
    assert until_closed(plain) == b""


# Who may send them -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trusted", "source", "let_in"),
    [
        (["127.0.0.1"], "127.0.0.1", True),
        (["127.0.0.1"], "127.0.0.2", False),
        (["127.0.0.0/30"], "127.0.0.3", True),
        (["127.0.0.0/30"], "127.0.0.4", False),
        (["10.0.0.0/8", "127.0.5.5"], "127.0.5.5", True),
    ],
)
def test_only_who_is_trusted(proxied, knock, trusted, source, let_in):
    broker = proxied(trusted=trusted)
    plain = knock(broker, source=source)
    plain.sendall(second() + CONNECT)
    if let_in:
        assert answer(plain) == 0
        assert broker.seen == [("203.0.113.7", 40_000)]
    else:
        assert until_closed(plain) == b""
        assert broker.seen == []


def test_a_header_where_none_is_expected(broker, lines):
    for header in (second(), GOOD["v1 TCP4"][0]):
        plain = open_socket(broker.port)
        lines.append(plain)
        plain.sendall(header + CONNECT)
        assert until_closed(plain) == b""


# What comes behind -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", [second(tail=TLV), GOOD["v1 TCP4"][0]], ids=["v2", "v1"])
def test_tls_behind_a_header(proxied, secure, server, trusting, header):
    broker = proxied("mqtts", **server.files)
    line = secure(broker, trusting, before=header)
    line.connect(Connect("c1"))
    assert broker.seen == [("203.0.113.7", 40_000)]


def test_a_header_within_tls(proxied, knock, server, trusting, lines):
    """It stands before the handshake, not in it."""
    broker = proxied("mqtts", **server.files)
    with pytest.raises(OSError):
        lines.append(trusting.wrap_socket(knock(broker, "mqtts"), server_hostname="localhost"))
    assert broker.seen == []


@pytest.mark.parametrize("header", [second(), GOOD["v1 TCP4"][0]], ids=["v2", "v1"])
def test_a_websocket_behind_a_header(proxied, knock, header):
    broker = proxied("ws")
    plain = knock(broker, "ws")
    plain.sendall(header)
    line = Line(WebSocket(plain, upgrade(plain)))
    line.connect(Connect("c1"))
    assert broker.seen == [("203.0.113.7", 40_000)]


def test_rules_go_by_the_address_of_the_header(proxied, knock, access_rules):
    rules = "allow address 203.0.113.0/24 publish a\nallow address 127.0.0.0/8 publish b"
    broker = proxied(settings=access_rules(rules))
    plain = knock(broker)
    plain.sendall(second() + CONNECT)
    line = Line(plain)
    assert line.read().code == 0  # type: ignore[attr-defined]
    assert may_publish(line, "a")
    assert not may_publish(line, "b")


def test_clients_are_counted_by_the_address_of_the_header(proxied, knock):
    broker = proxied(settings={"limits.max_clients_per_address": 1})
    codes = []
    for number, source in enumerate(("203.0.113.7", "203.0.113.8", "203.0.113.7")):
        plain = knock(broker)
        plain.sendall(second(source) + Connect(f"c{number}").encode(V5))
        codes.append(answer(plain))
    assert codes == [0, 0, 0x97]
    eventually(lambda: broker.statistics["limit_max_clients_per_address"] == 1)
