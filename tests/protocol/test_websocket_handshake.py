"""The opening handshake of MQTT over WebSocket: who is served, and who is not.

On the HTTP port, where MQTT shares the port with pages, and on a listener of its own.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from .packets import V5, V31, Connack, Connect, Pingreq, Pingresp, Publish, ServerError, Suback, Subscribe
from .websocket import BINARY, WebSocket, encode
from .wire import subscription

pytestmark = pytest.mark.settings

BOTH = pytest.mark.parametrize("place", ["HTTP port", "listener"], indirect=True)


# The key and the answer to it are those of RFC 6455, section 1.3.
@pytest.mark.mqtt5("6.0.0-4")
@pytest.mark.mqtt311("6.0.0-4")
@BOTH
@pytest.mark.parametrize(
    "offered",
    ["mqtt", "mqttv3.1, mqtt", "mqtt,chat", "chat ,  mqtt", ["chat", "mqtt"]],
)
def test_the_handshake(dial_websocket, offered):
    wire = dial_websocket()
    wire.key = "dGhlIHNhbXBsZSBub25jZQ=="
    wire.open(Sec_WebSocket_Protocol=offered)
    assert wire.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    wire.connect(Connect("a"))
    wire.ping()


@pytest.mark.mqtt5("6.0.0-3")
@pytest.mark.mqtt311("6.0.0-3")
@BOTH
@pytest.mark.parametrize("offered", [None, "", "chat", "MQTT", "xmqtt, mqtt5"])
def test_a_client_that_does_not_offer_mqtt_is_not_served(dial_websocket, offered):
    wire = dial_websocket()
    assert 400 <= wire.request(Sec_WebSocket_Protocol=offered) < 500


# The choice: clients of 3.1 offer the name that was in use before there was a standard; `mqtt` comes first.
@pytest.mark.choice
@BOTH
def test_clients_of_version_31(dial_websocket):
    wire = dial_websocket(V31)
    assert wire.request(Sec_WebSocket_Protocol="mqttv3.1") == 101
    assert wire.headers["sec-websocket-protocol"] == "mqttv3.1"
    wire.connect(Connect("a"))
    wire.ping()


# Names of headers, and words in them, may be written in any case; Connection may list more.
@BOTH
@pytest.mark.parametrize(
    "changed",
    [
        {"Upgrade": "WebSocket"},
        {"Upgrade": "WEBSOCKET"},
        {"Connection": "keep-alive, Upgrade"},
        {"Connection": "upgrade"},
        {"Sec_WebSocket_Protocol": None, "sec_websocket_protocol": "mqtt"},
        {"Cookie": "a=b", "User_Agent": "x" * 1000},
    ],
    ids=["Upgrade: WebSocket", "Upgrade: WEBSOCKET", "keep-alive", "upgrade", "lower case", "more"],
)
def test_handshakes_that_are_good_too(dial_websocket, changed):
    wire = dial_websocket().open(**changed)
    wire.connect(Connect("a"))
    wire.ping()


@BOTH
@pytest.mark.parametrize(
    ("path", "changed", "codes"),
    [
        ("/elsewhere", {}, {404}),
        ("/mqtt/more", {}, {404}),
        ("/mqtt", {"Upgrade": None, "Connection": None}, {400, 426}),
        ("/mqtt", {"Upgrade": "h2c"}, {400, 426}),
        ("/mqtt", {"Sec_WebSocket_Key": None}, {400, 426}),
        ("/mqtt", {"Sec_WebSocket_Version": None}, {400, 426}),
        ("/mqtt", {"Sec_WebSocket_Version": "8"}, {400, 426}),
        ("/mqtt", {"method": "POST"}, {400, 405, 426}),
    ],
    ids=["another path", "below the path", "no upgrade", "h2c", "no key", "no version", "version 8", "POST"],
)
def test_handshakes_that_are_refused(dial_websocket, path, changed, codes):
    assert dial_websocket().request(path, **changed) in codes


# Compression is offered by browsers; it is not accepted, and so not used.
@BOTH
def test_no_compression(dial_websocket, root):
    wire = dial_websocket()
    wire.open(Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits")
    wire.connect(Connect("a"))
    wire.subscribe(root)
    wire.send(Publish(root, b"x" * 1000))
    wire.expect_message(root, b"x" * 1000)


# What a client sends along with the handshake is not lost.
@BOTH
def test_frames_may_come_with_the_handshake(dial_websocket):
    wire = dial_websocket()
    data = Connect("a").encode(V5) + Pingreq().encode(V5)
    wire.open(then=encode(BINARY, data))
    assert isinstance(wire.read(), Connack)
    wire.expect(Pingresp())


def test_another_path(broker_factory, dialled):
    broker = broker_factory({"websocket.path": "/broker/ws"}, http_port=0)
    dialled += [WebSocket("127.0.0.1", broker.http_port) for _ in range(2)]
    dialled[0].open("/broker/ws").connect(Connect("a"))
    dialled[0].ping()
    assert dialled[1].request("/mqtt") == 404


# A page of another site cannot use a visitor's browser to reach the broker, unless it is named.
@BOTH
def test_pages_of_other_sites(dial_websocket):
    own = dial_websocket()
    own.open(Origin=f"http://{own.authority}")
    for origin in ("http://evil.example", "https://127.0.0.1.evil.example", "null", "http://127.0.0.1:1"):
        assert dial_websocket().request(Origin=origin) == 403, origin


@pytest.mark.parametrize(
    ("origins", "origin", "status"),
    [
        (["https://good.example"], "https://good.example", 101),
        (["https://good.example"], "http://good.example", 403),
        (["https://good.example"], "https://good.example.evil", 403),
        (["https://good.example"], None, 101),
        (["*"], "https://any.example", 101),
    ],
)
def test_sites_that_are_named(broker_factory, dialled, origins, origin, status):
    broker = broker_factory({"websocket.origins": origins}, http_port=0)
    dialled.append(WebSocket("127.0.0.1", broker.http_port))
    assert dialled[0].request(Origin=origin) == status


# A connection that is never finished does not stay: without a handshake, or without a CONNECT after it.
@pytest.mark.parametrize("sent", ["nothing", "half", "handshake"])
def test_a_connection_without_connect_is_closed(broker_factory, dialled, sent):
    broker = broker_factory({"limits.connect_timeout": 1}, listeners=["ws://127.0.0.1:0"])
    (listener,) = [each for each in broker.listeners if each.kind == "ws"]
    wire = WebSocket("127.0.0.1", urlsplit(listener.url).port or 0)
    dialled.append(wire)
    if sent == "half":
        wire.send_raw(b"GET /mqtt HTTP/1.1\r\nHost: x\r\n")
    elif sent == "handshake":
        wire.open()
    wire.deadline = 5.0
    try:
        wire.expect_end()
    except ServerError as error:  # an HTTP error before the end is good as well
        assert sent == "half", error


def test_the_pages_are_still_there(place, dial_websocket):
    assert dial_websocket().request("/", Upgrade=None, Connection="close") in (200, 404)
    wire = dial_websocket().open()
    wire.connect(Connect("a"))
    wire.send(Subscribe(1, [subscription("a", 1)]))
    wire.expect(Suback(1, [1]))
