"""Browsers that announce much, send nothing or read nothing: others are served, and it is over in time."""

from __future__ import annotations

import os
import socket
import time

from ..api.helpers import DEADLINE, eventually, request
from ..transports.line import open_socket
from ..transports.websocket import upgrade

MIB = 1 << 20


def test_bodies_that_were_only_announced_keep_nobody_out(broker_factory):
    site = broker_factory(http_port=0)

    @site.route("/take", methods=["POST"])
    def take(request):
        return str(len(request.body))

    announced = []
    for _ in range(40):
        connection = socket.create_connection(("127.0.0.1", site.http_port), DEADLINE)
        connection.sendall(b"POST /take HTTP/1.1\r\nHost: localhost\r\nContent-Length: 16777216\r\n\r\n")
        announced.append(connection)
    for size in (10, 100_000, 16 * MIB):
        answer = request(site, "POST", "/take", body=b"x" * size)
        assert (answer.status, answer.body) == (200, str(size).encode())
    for connection in announced:
        connection.close()


def test_bodies_of_one_address_are_bounded_and_small_ones_have_room(broker_factory):
    site = broker_factory(http_port=0)
    taken = []

    @site.route("/take", methods=["POST"])
    def take(request):
        taken.append(len(request.body))
        return "taken"

    held = []
    refused = False
    for _ in range(6):  # five are more than 64 MiB
        connection = socket.create_connection(("127.0.0.1", site.http_port), DEADLINE)
        held.append(connection)
        connection.sendall(b"POST /take HTTP/1.1\r\nHost: localhost\r\nContent-Length: 16777216\r\n\r\n")
        try:
            connection.sendall(b"x" * (16 * MIB - 1))
        except OSError:
            refused = True
            break
        connection.settimeout(0.2)
        try:
            refused = connection.recv(100).startswith(b"HTTP/1.1 503")
        except TimeoutError:
            continue
        break
    assert refused and 4 <= len(held) - 1 <= 5
    assert request(site, "POST", "/take", body=b"x" * 16_000).status == 200
    for connection in held:
        connection.close()
    eventually(lambda: request(site, "POST", "/take", body=b"x" * (10 * MIB)).status == 200)
    assert taken == [16_000, 10 * MIB]


def test_a_page_that_pings_and_does_not_read_is_let_go(broker_factory):
    """A frame may take 30 seconds; of one that is to be closed, five."""
    site = broker_factory(http_port=0)
    live = site.websocket("/live")
    opened, closed = [], []
    live.on_open(opened.append)
    live.on_close(closed.append)
    ping = b"\x89\xfd" + bytes(4) + b"p" * 125  # with a key of zeros
    with open_socket(site.http_port) as under:
        upgrade(under, path="/live", protocol=None)
        eventually(lambda: opened)
        under.settimeout(1)
        try:
            while True:
                under.sendall(ping * 1000)
        except TimeoutError:
            pass  # it reads no more, because its answers are not read
        begun = time.monotonic()
        opened[0].close()
        eventually(lambda: closed, timeout=10)
        assert time.monotonic() - begun < 8


def test_iterators_take_descriptors_only_where_a_loop_watches_them(broker):
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = descriptors()
    subscriptions = [broker.subscribe(f"t/{number}") for number in range(200)]
    for number, subscription in enumerate(subscriptions):
        broker.publish(f"t/{number}", b"x")
        assert next(iter(subscription)).topic == f"t/{number}"
    assert descriptors() <= before + 4
    for subscription in subscriptions:
        subscription.close()
