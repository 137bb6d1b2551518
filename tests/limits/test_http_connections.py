"""The limit on connections to the HTTP port, WebSockets of pages included."""

from __future__ import annotations

import socket

import pytest

from ..api.asgi_apps import browser
from ..api.helpers import DEADLINE, eventually, get
from .counting import counted


def come(broker) -> socket.socket:
    return socket.create_connection(("127.0.0.1", broker.http_port), DEADLINE)


def is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.fixture
def site(broker_factory):
    """A broker that takes two connections at a time for pages, and has one page."""
    broker = broker_factory({"limits.max_http_connections": 2}, http_port=0)
    broker.route("/")(lambda: "here")
    return broker


def test_one_too_many_is_closed_at_once(site, connect):
    with come(site), come(site):
        with come(site) as third:
            assert is_closed(third)
        counted(site, "max_http_connections", 1)
        connect(to=site).ping()  # MQTT has bounds of its own
    eventually(lambda: get(site, "/").body == b"here")


def test_the_websocket_of_a_page_keeps_its_place(site):
    live = site.websocket("/live")
    with browser(site, "/live") as first, browser(site, "/live") as second:
        eventually(lambda: len(live) == 2)
        with come(site) as third:
            assert is_closed(third)
        counted(site, "max_http_connections", 1)
        live.send("still here")
        assert (first.read(), second.read()) == ("still here", "still here")
    eventually(lambda: len(live) == 0)
    eventually(lambda: get(site, "/").body == b"here")
