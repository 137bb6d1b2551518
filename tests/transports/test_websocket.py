"""MQTT over WebSocket, on the HTTP port and on listeners of its own: the upgrade, frames, the end."""

from __future__ import annotations

import http.client
import time

import pytest

from ..api.helpers import eventually, get
from ..limits.test_queue import memory
from ..protocol.packets import V5, V31, Connack, Connect, Disconnect, Pingreq, Pingresp, Publish, Will
from ..protocol.wire import Closed, Late
from .doors import door, urls
from .line import open_socket
from .websocket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame, upgrade

NORMAL, PROTOCOL_ERROR, UNSUPPORTED, TOO_LARGE = 1000, 1002, 1003, 1009


@pytest.fixture
def broker(broker_factory):
    """A broker with an HTTP port and a listener for WebSockets alone."""
    return broker_factory(http_port=0, listeners=["ws://127.0.0.1:0"])


@pytest.fixture(params=["http", "ws"])
def kind(request):
    """The HTTP port, and the port of its own."""
    return request.param


def code_of(line) -> int:
    """The status code of the server's close frame, when it has come."""
    with pytest.raises(Closed):
        while True:
            line.read()
    closed = line.socket.closed
    assert closed is not None, "the connection was cut without a close frame"
    return int.from_bytes(closed[:2], "big") if closed else 1005


# The upgrade -----------------------------------------------------------------------------------------------


def test_mqtt_over_a_websocket(broker, web, connect, kind, version):
    plain = connect()
    plain.subscribe("a")
    line = web(broker, kind=kind, version=version, protocol="mqttv3.1" if version == V31 else "mqtt")
    line.connect(Connect("c1"))
    line.subscribe("b", qos=1)
    line.publish("a", b"from here", 2)
    plain.expect_message("a", b"from here")
    plain.publish("b", b"from there", 1)
    line.expect_message("b", b"from there", qos=1)
    line.ping()
    line.disconnect()


# [MQTT-6.0.0-3] [MQTT-6.0.0-4]
@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ("mqtt", "mqtt"),
        ("mqttv3.1", "mqttv3.1"),
        ("mqtt, mqttv3.1", "mqtt"),
        ("chat, mqtt", "mqtt"),
        ("chat,mqtt ,other", "mqtt"),
    ],
)
def test_the_subprotocol(broker, web, kind, offered, chosen):
    line = web(broker, kind=kind, protocol=offered)
    assert line.socket.reply.headers["sec-websocket-protocol"] == chosen
    line.connect(Connect("c1"))


@pytest.mark.parametrize("offered", [None, "", "chat", "MQTT", "mqtt5", "mqttmqtt"])
def test_without_the_subprotocol_there_is_no_upgrade(broker, web, kind, offered):
    with pytest.raises(AssertionError):
        web(broker, kind=kind, protocol=offered)
    web(broker, kind=kind).connect(Connect("c1"))


def test_no_extension_is_agreed(broker, web, kind):
    offered = {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}
    line = web(broker, kind=kind, headers=offered)  # `upgrade` checks that none is named
    line.connect(Connect("c1"))
    line.subscribe("a")
    line.publish("a", b"x" * 10_000)
    line.expect_message("a", b"x" * 10_000)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-WebSocket-Key": None},
        {"Sec-WebSocket-Version": None},
        {"Sec-WebSocket-Version": "8"},
        {"Upgrade": None},
        {"Upgrade": "h2c"},
        {"Connection": "keep-alive"},
    ],
    ids=str,
)
def test_an_upgrade_that_is_none(broker, lines, kind, headers):
    host, port = door(broker, kind)
    plain = open_socket(port, host=host)
    lines.append(plain)
    with pytest.raises(AssertionError, match=r"HTTP/1\.1 4"):
        upgrade(plain, headers=headers)


@pytest.mark.parametrize("path", ["/mqtt/", "/mqtts", "/other", "/MQTT"])
def test_another_path(broker, lines, kind, path):
    host, port = door(broker, kind)
    plain = open_socket(port, host=host)
    lines.append(plain)
    upgrade(plain, path=path, expected=404)


def test_the_path_can_be_set(broker_factory, web, lines):
    broker = broker_factory({"websocket.path": "/broker/ws"}, http_port=0, listeners=["ws://127.0.0.1:0"])
    for kind in ("http", "ws"):
        web(broker, kind=kind, path="/broker/ws").connect(Connect(kind))
        host, port = door(broker, kind)
        plain = open_socket(port, host=host)
        lines.append(plain)
        upgrade(plain, path="/mqtt", expected=404)


def test_a_query_is_no_part_of_the_path(broker, web, kind):
    web(broker, kind=kind, path="/mqtt?token=x").connect(Connect("c1"))


def test_pages_are_served_beside_it(broker, web):
    @broker.route("/hello")
    def hello():
        return "hello"

    line = web(broker)
    line.connect(Connect("c1"))
    assert get(broker, "/hello").text == "hello"
    assert get(broker, "/mqtt").status in (400, 404, 405, 426)
    line.ping()


def test_a_port_for_websockets_serves_no_pages(broker):
    @broker.route("/hello")
    def hello():
        return "hello"

    host, port = door(broker, "ws")
    connection = http.client.HTTPConnection(host, port, timeout=3)
    try:
        connection.request("GET", "/hello")
        assert connection.getresponse().status == 404
    finally:
        connection.close()


# Frames ----------------------------------------------------------------------------------------------------


@pytest.fixture
def line(broker, web, kind):
    """A line that has not sent CONNECT."""
    return web(broker, kind=kind)


CONNECT = Connect("c1").encode(V5)
PING_REQUEST = Pingreq().encode(V5)


# [MQTT-6.0.0-2]: packets and frames have nothing to do with each other.
@pytest.mark.parametrize(
    "frames",
    [
        [frame(BINARY, CONNECT), frame(BINARY, PING_REQUEST)],
        [frame(BINARY, CONNECT + PING_REQUEST)],
        [frame(BINARY, CONNECT[:1]), frame(BINARY, CONNECT[1:7]), frame(BINARY, CONNECT[7:] + PING_REQUEST)],
        [frame(BINARY, bytes([byte])) for byte in CONNECT + PING_REQUEST],
        [frame(BINARY, CONNECT, fin=False), frame(CONTINUATION, PING_REQUEST)],
        [frame(BINARY, CONNECT[:4], fin=False), frame(CONTINUATION, CONNECT[4:] + PING_REQUEST)],
        [
            frame(BINARY, CONNECT[:4], fin=False),
            *(frame(CONTINUATION, bytes([byte]), fin=False) for byte in CONNECT[4:]),
            frame(CONTINUATION, PING_REQUEST),
        ],
        [frame(BINARY, b""), frame(BINARY, CONNECT), frame(BINARY, b""), frame(BINARY, PING_REQUEST)],
        [frame(BINARY, b"", fin=False), frame(CONTINUATION, CONNECT + PING_REQUEST)],
        [frame(BINARY, CONNECT + PING_REQUEST, fin=False), frame(CONTINUATION, b"")],
        [frame(PING, b"p"), frame(BINARY, CONNECT + PING_REQUEST)],
        [
            frame(BINARY, CONNECT[:4], fin=False),
            frame(PING, b"p"),
            frame(PONG, b"nobody asked"),
            frame(CONTINUATION, CONNECT[4:] + PING_REQUEST),
        ],
    ],
    ids=[
        "one each",
        "two in one",
        "cut anywhere",
        "a byte each",
        "two fragments",
        "a fragment within a packet",
        "many fragments",
        "empty frames",
        "empty first fragment",
        "empty last fragment",
        "a ping before",
        "a ping between fragments",
    ],
)
@pytest.mark.parametrize("how", ["at once", "one by one", "byte by byte"])
def test_packets_in_frames(line, frames, how):
    whole = b"".join(frames)
    if how == "at once":
        line.socket.send_raw(whole)
    else:
        for part in frames if how == "one by one" else [bytes([byte]) for byte in whole]:
            line.socket.send_raw(part)
    answer = line.read()
    assert isinstance(answer, Connack)
    assert answer.code == 0
    line.expect(Pingresp())
    if any(part[0] & 15 == PING for part in frames):
        assert line.socket.pongs == [b"p"]


# Sizes at which the length is written otherwise.
@pytest.mark.parametrize("size", [0, 124, 125, 126, 127, 65_535, 65_536, 300_000])
def test_frames_of_every_size(line, connect, size):
    line.connect(Connect("c1"))
    line.subscribe("a")
    plain = connect()
    plain.subscribe("a")
    packet = Publish("a", b"x" * size)
    line.send(packet)
    line.expect(packet)
    plain.expect(packet)
    padding = packet.encode(V5)
    line.socket.send_raw(frame(BINARY, padding[:3], fin=False), frame(CONTINUATION, padding[3:]))
    line.expect(packet)


def test_a_length_that_is_longer_than_needed(line):
    """RFC 6455 wants the shortest; a server may take it or not, but not misread it."""
    line.socket.send_raw(frame(BINARY, CONNECT, length=len(CONNECT).to_bytes(8, "big")))
    try:
        answer = line.read()
    except Closed:
        return
    assert isinstance(answer, Connack)
    assert answer.code == 0


def test_many_messages(line, connect):
    line.connect(Connect("c1"))
    line.subscribe("a")
    plain = connect()
    for number in range(2000):
        plain.send(Publish("a", b"%d" % number))
    for number in range(2000):
        line.expect(Publish("a", b"%d" % number))


@pytest.mark.parametrize("payload", [b"", b"x", b"x" * 125], ids=len)
def test_a_ping_gets_its_pong(line, payload):
    line.connect(Connect("c1"))
    line.socket.send_raw(frame(PING, payload))
    line.ping()
    assert line.socket.pongs == [payload]


def test_a_ping_of_websocket_is_no_ping_of_mqtt(broker, web):
    line = web(broker)
    line.connect(Connect("c1", keep_alive=1))
    begun = time.monotonic()
    while (end := _end(line)) is None:
        line.socket.send_raw(frame(PING))
    assert end == Disconnect(0x8D)
    assert 1.2 < time.monotonic() - begun < 4


def _end(line):
    """The next packet, if there is one."""
    try:
        return line.read(0.2)
    except Late:
        return None


BAD_FRAMES = {
    "text": (frame(TEXT, CONNECT), UNSUPPORTED),  # [MQTT-6.0.0-1]
    "not masked": (frame(BINARY, CONNECT, masked=False), PROTOCOL_ERROR),
    "a reserved bit": (frame(BINARY, CONNECT, reserved=4), PROTOCOL_ERROR),
    "a reserved type": (frame(3, CONNECT), PROTOCOL_ERROR),
    "a reserved control type": (frame(11, b""), PROTOCOL_ERROR),
    "a continuation of nothing": (frame(CONTINUATION, CONNECT), PROTOCOL_ERROR),
    "a message within a message": (
        frame(BINARY, CONNECT[:4], fin=False) + frame(BINARY, CONNECT[4:]),
        PROTOCOL_ERROR,
    ),
    "a ping in fragments": (frame(PING, b"x", fin=False), PROTOCOL_ERROR),
    "a ping too long": (frame(PING, b"x" * 126), PROTOCOL_ERROR),
    "a close of one byte": (frame(CLOSE, b"x"), PROTOCOL_ERROR),
    "a length beyond all": (frame(BINARY, b"", length=b"\xff" * 8), None),
}


@pytest.mark.parametrize("what", BAD_FRAMES)
@pytest.mark.parametrize("when", ["before CONNECT", "afterwards"])
def test_a_frame_that_must_not_be(broker, line, connect, what, when):
    data, code = BAD_FRAMES[what]
    other = connect()
    if when == "afterwards":
        line.connect(Connect("c1"))
    line.socket.send_raw(data)
    got = code_of(line)
    assert got in ((code,) if code else (PROTOCOL_ERROR, TOO_LARGE))
    other.ping()
    eventually(lambda: broker.statistics["clients_connected"] == 1)


def test_a_packet_that_is_too_large(broker_factory, web):
    broker = broker_factory({"limits.max_packet_size": 1000}, http_port=0)
    line = web(broker)
    line.connect(Connect("c1"))
    line.subscribe("a")
    line.publish("a", b"x" * 900)
    line.expect_message("a", b"x" * 900)
    # A frame is no packet: many small ones may come in a large frame.
    line.send(b"".join(Publish("a", b"x" * 100).encode(V5) for _ in range(50)))
    for _ in range(50):
        line.expect(Publish("a", b"x" * 100))
    packet = Publish("a", b"x" * 1100).encode(V5)
    line.socket.send_raw(frame(BINARY, packet[:50], fin=False), frame(CONTINUATION, packet[50:]))
    line.expect(Disconnect(0x95))
    code_of(line)


def test_a_connect_that_is_too_large(broker_factory, web):
    broker = broker_factory({"limits.max_connect_size": 100}, http_port=0)
    line = web(broker)
    line.send(Connect("x" * 200))
    assert line.last_codes() in ([], [0x95])
    eventually(lambda: broker.statistics["limit_max_connect_size"] == 1)


def test_fragments_without_end_do_not_fill_the_memory(broker_factory, web):
    broker = broker_factory({"limits.max_packet_size": 1000, "history.enabled": False}, http_port=0)
    line = web(broker)
    line.connect(Connect("c1"))
    before = memory()
    piece = Publish("a", b"x" * 900).encode(V5) * 70
    line.socket.send_raw(frame(BINARY, piece, fin=False))
    with pytest.raises(OSError):
        for _ in range(1000):
            line.socket.send_raw(frame(CONTINUATION, piece, fin=False))
            line.socket.settimeout(3)
    assert memory() - before < 40 << 20


# The end ---------------------------------------------------------------------------------------------------


def test_after_a_disconnect_the_websocket_is_closed_properly(line):
    line.connect(Connect("c1"))
    line.send(Disconnect())
    assert code_of(line) in (NORMAL, 1005)


def test_after_a_refusal_the_websocket_is_closed_properly(line):
    line.connect(Connect("c1"))
    line.send(Connect("c1"))
    line.expect(Disconnect(0x82))
    code_of(line)


@pytest.mark.parametrize("body", [b"", b"\x03\xe8", b"\x03\xe9going away"], ids=["none", "1000", "1001"])
def test_a_close_frame_is_answered(broker, line, connect, body):
    watcher = connect()
    line.connect(Connect("c1"))
    line.socket.send_raw(frame(CLOSE, body))
    code_of(line)
    assert (line.socket.closed or b"")[:2] == body[:2]
    eventually(lambda: broker.statistics["clients_connected"] == 1)
    watcher.ping()


def test_a_close_frame_is_no_disconnect(line, connect):
    """A will is published, as after any end that MQTT did not announce."""
    watcher = connect()
    watcher.subscribe("will")
    line.connect(Connect("c1", will=Will("will", b"x")))
    line.socket.send_raw(frame(CLOSE, b"\x03\xe8"))
    watcher.expect_message("will", b"x")


def test_what_comes_behind_a_close_frame_is_not_heard(line, connect):
    watcher = connect()
    watcher.subscribe("a")
    line.connect(Connect("c1"))
    line.socket.send_raw(frame(CLOSE, b"\x03\xe8"), frame(BINARY, Publish("a", b"smuggled").encode(V5)))
    code_of(line)
    watcher.expect_nothing()


def test_a_connection_that_is_cut(broker, line):
    line.connect(Connect("c1"))
    line.close()
    eventually(lambda: broker.statistics["clients_connected"] == 0)


def test_no_connect_after_the_upgrade(broker_factory, web):
    broker = broker_factory({"limits.connect_timeout": 1}, http_port=0, listeners=["ws://127.0.0.1:0"])
    begun = time.monotonic()
    silent = [web(broker, kind=kind) for kind in ("http", "ws")]
    for line in silent:
        line.last_words(5)
    assert 0.7 < time.monotonic() - begun < 3
    eventually(lambda: broker.statistics["limit_connect_timeout"] == 2)


@pytest.mark.parametrize(
    "said", [b"", b"GET /mqtt HTTP/1.1\r\nHost: x\r\n"], ids=["nothing", "half a request"]
)
def test_no_upgrade_on_a_port_for_websockets(broker_factory, lines, said):
    broker = broker_factory({"limits.connect_timeout": 1}, listeners=["ws://127.0.0.1:0"])
    plain = open_socket(door(broker, "ws")[1])
    lines.append(plain)
    plain.sendall(said)
    begun = time.monotonic()
    plain.settimeout(5)
    while plain.recv(4096):  # an answer such as 408 is welcome
        pass
    assert 0.7 < time.monotonic() - begun < 3
    eventually(lambda: broker.statistics["limit_connect_timeout"] == 1)
    eventually(lambda: broker.statistics["half_open"] == 0)


def test_not_mqtt_after_the_upgrade(line):
    line.send(b"GET / HTTP/1.1\r\n\r\n")
    assert line.last_words() == []


def test_the_end_of_the_broker(broker, line):
    line.connect(Connect("c1"))
    broker.stop()
    line.expect(Disconnect(0x8B))
    code_of(line)


# Over TLS --------------------------------------------------------------------------------------------------


def test_secure_websockets(broker_factory, web, server, trusting, connect):
    files = {"tls.cert": str(server.cert), "tls.key": str(server.key)}
    broker = broker_factory(files | {"tls.http": True}, http_port=0, listeners=["wss://127.0.0.1:0"])
    plain = connect(to=broker)
    plain.subscribe("a")
    for kind in ("http", "wss"):
        line = web(broker, kind=kind, context=trusting)
        line.connect(Connect(kind))
        line.publish("a", b"x" * 100_000)
        plain.expect_message("a", b"x" * 100_000)
        line.disconnect()


def test_pages_over_tls(broker_factory, server, trusting):
    files = {"tls.cert": str(server.cert), "tls.key": str(server.key)}
    broker = broker_factory(files | {"tls.http": True}, http_port=0)

    @broker.route("/hello")
    def hello():
        return "hello"

    connection = http.client.HTTPSConnection("localhost", broker.http_port, timeout=3, context=trusting)
    try:
        connection.request("GET", "/hello")
        assert connection.getresponse().read() == b"hello"
    finally:
        connection.close()


def test_a_client_certificate_over_a_secure_websocket(broker_factory, web, authority, server):
    seen = []
    listener = {"url": "wss://127.0.0.1:0", "client_ca": str(authority.cert), "identity": "cn"}
    broker = broker_factory(listeners=[listener | server.files])
    broker.on_client_connected(lambda client: seen.append(client.username))
    line = web(broker, kind="wss", context=authority.trusting(authority.client("one", CN="sensor")))
    line.connect(Connect("c1"))
    eventually(lambda: seen == ["sensor"])


def test_what_hooks_are_told(broker, web, kind):
    seen = []

    @broker.authenticate
    def admit(client):
        seen.append((client.client_id, client.address, client.port))
        return True

    line = web(broker, kind=kind)
    line.connect(Connect("c1"))
    assert seen == [("c1", "127.0.0.1", line.socket.under.getsockname()[1])]


def test_the_url_names_the_path(broker_factory):
    broker = broker_factory({"websocket.path": "/broker"}, listeners=["ws://127.0.0.1:0"])
    (url,) = urls(broker, "ws")
    assert url.startswith("ws://127.0.0.1:")
    assert not url.endswith(":0")
