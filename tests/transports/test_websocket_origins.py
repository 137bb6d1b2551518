"""Whose pages may open MQTT over WebSocket, and what a proxy leaves before the path."""

from __future__ import annotations

import socket
import threading

import paho.mqtt.client as paho
import pytest

from ..api.helpers import eventually
from .doors import door
from .line import open_socket
from .websocket import upgrade


@pytest.fixture
def broker(broker_factory):
    """A broker with an HTTP port and a listener for WebSockets alone."""
    return broker_factory(http_port=0, listeners=["ws://127.0.0.1:0"])


@pytest.fixture(params=["http", "ws"])
def kind(request):
    """The HTTP port, and the port of its own."""
    return request.param


@pytest.mark.parametrize(
    ("host", "origin", "allowed"),
    [
        ("localhost:8080", None, True),
        ("localhost:8080", "http://localhost:8080", True),
        ("localhost", "https://localhost", True),
        ("127.0.0.1:8080", "http://127.0.0.1:8080", True),
        ("[::1]:8080", "http://[::1]:8080", True),
        ("10.0.0.9", "http://10.0.0.9", True),
        ("pump.localhost:80", "http://PUMP.localhost", True),
        (f"{socket.gethostname()}:8080", f"http://{socket.gethostname()}:8080", True),
        ("localhost.", "http://localhost.", True),
        ("localhost:8080", "ftp://localhost:8080", False),
        ("localhost:8080", "http://localhost:8081", False),
        ("localhost:8080", "http://localhost", False),
        ("localhost:8080", "http://evil.example", False),
        ("localhost:8080", "http://localhost:8080.evil.example", False),
        ("localhost:8080", "http://evil.example/localhost:8080", False),
        ("localhost:8080", "null", False),
        ("localhost:8080", "", False),
    ],
)
def test_pages_of_other_sites_may_not_connect(broker, lines, kind, host, origin, allowed):
    plain = open_socket(door(broker, kind)[1])
    lines.append(plain)
    upgrade(plain, host=host, origin=origin, expected=101 if allowed else 403)


# A page that is served by one of the broker's HTTP ports may use the others, by the same name.
def test_pages_of_the_brokers_own_ports_may_connect(broker_factory, lines):
    names = ["broker.example"]
    broker = broker_factory(http_port=0, http_ports=[0], http_hosts=names, listeners=["ws://127.0.0.1:0"])
    doors = [*broker.http_ports, broker.listeners[-1].port]
    for port in doors:
        for host, origin, allowed in (
            ("broker.example", f"http://broker.example:{broker.http_port}", True),
            (f"broker.example:{port}", f"http://BROKER.example:{broker.http_ports[1]}", True),
            (f"[::1]:{port}", f"http://[::1]:{broker.http_port}", True),
            ("broker.example", f"http://evil.example:{broker.http_port}", False),
            ("broker.example", "http://broker.example:1", False),
            ("broker.example:x", f"http://broker.example:{broker.http_port}", False),
            ("[::1]", f"http://::1:{broker.http_port}", False),
        ):
            plain = open_socket(port)
            lines.append(plain)
            upgrade(plain, host=host, origin=origin, expected=101 if allowed else 403)


@pytest.mark.parametrize(
    ("origins", "origin", "allowed"),
    [
        (["https://app.example"], "https://app.example", True),
        (["https://app.example"], "https://APP.example", True),
        (["https://app.example"], "http://app.example", False),
        (["https://app.example"], "https://app.example:8443", False),
        (["https://app.example"], "https://other.example", False),
        (["https://app.example"], "https://app.example.evil.example", False),
        (["https://a.example", "https://b.example:8443"], "https://b.example:8443", True),
        (["*"], "https://whoever.example", True),
        (["*"], "null", True),
    ],
)
def test_pages_of_sites_that_were_named_may_connect(broker_factory, lines, origins, origin, allowed):
    broker = broker_factory({"websocket.origins": origins}, http_port=0)
    plain = open_socket(broker.http_port)
    lines.append(plain)
    upgrade(plain, host="broker.example", origin=origin, expected=101 if allowed else 403)


BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}


# A name that somebody else lets lead here is the origin of the pages as well (DNS rebinding). But paho names
# the host that it connects to, and is no browser.
@pytest.mark.parametrize(
    "sign", ["User-Agent", "Accept-Language", "Accept-Encoding", "Cookie", "Sec-Fetch-Site"]
)
@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("example.org", "http://example.org"),
        ("example.org", "https://example.org"),
        ("evil.example:8080", "http://evil.example:8080"),
        ("127.0.0.1.evil.example", "http://127.0.0.1.evil.example"),
    ],
)
def test_pages_by_names_that_are_not_ours_may_not_connect(broker, lines, kind, host, origin, sign):
    for headers, expected in (({sign: "x"}, 403), ({}, 101)):
        plain = open_socket(door(broker, kind)[1])
        lines.append(plain)
        upgrade(plain, host=host, origin=origin, headers=headers, expected=expected)


def test_paho_may_call_the_broker_by_any_name(broker):
    """As it does where a name of the network leads to the broker: its Origin is that name."""
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, "paho", transport="websockets")
    client.ws_set_options(
        "/mqtt",
        lambda headers: headers | {"Host": "broker.example:8083", "Origin": "https://broker.example:8083"},
    )
    connected = threading.Event()
    client.on_connect = lambda *_: connected.set()
    client.connect("127.0.0.1", broker.http_port)
    client.loop_start()
    try:
        assert connected.wait(5)
    finally:
        client.disconnect()
        client.loop_stop()


@pytest.mark.parametrize(
    ("hosts", "host", "origin", "allowed"),
    [
        (["broker.example"], "broker.example", "https://broker.example", True),
        (["Broker.Example."], "broker.example:8443", "https://broker.example:8443", True),
        (["broker.example:8443"], "broker.example:8443", "https://broker.example:8443", True),
        (["broker.example:8443"], "broker.example", "https://broker.example", False),
        (["broker.example"], "broker.example.evil.example", "https://broker.example.evil.example", False),
        (["*"], "whoever.example", "https://whoever.example", True),
        (["*"], "whoever.example", "https://other.example", False),
        # A proxy that does not hand the browser's Host on.
        (["broker.example"], "127.0.0.1:8080", "https://broker.example", True),
        (["broker.example:8443"], "127.0.0.1:8080", "https://broker.example:8443", True),
        (["broker.example"], "127.0.0.1:8080", "https://broker.example:8443", False),
        (["broker.example"], "127.0.0.1:8080", "https://evil.example", False),
    ],
)
def test_pages_of_a_proxy_may_connect(broker_factory, lines, hosts, host, origin, allowed):
    broker = broker_factory(http_port=0, http_hosts=hosts)
    plain = open_socket(broker.http_port)
    lines.append(plain)
    upgrade(plain, host=host, origin=origin, headers=BROWSER, expected=101 if allowed else 403)


def test_what_a_proxy_leaves_before_the_path_is_no_part_of_it(broker_factory, lines):
    broker = broker_factory(http_port=0, http_base="/broker")
    live = broker.websocket("/live")
    asked = []
    live.on_open(lambda socket: asked.append(socket.request.path))
    for path, expected in (
        ("/mqtt", 101),
        ("/broker/mqtt", 101),
        ("/broker2/mqtt", 404),
        ("/broker/broker/mqtt", 404),
    ):
        plain = open_socket(broker.http_port)
        lines.append(plain)
        upgrade(plain, path=path, expected=expected)
    for path in ("/live", "/broker/live"):
        plain = open_socket(broker.http_port)
        lines.append(plain)
        upgrade(plain, path=path, protocol=None, expected=101)
    eventually(lambda: asked == ["/live", "/live"])
