"""A listener's own limits hold for who comes through it, and for nobody else."""

from __future__ import annotations

import time

import pytest

from ..protocol.packets import V5, Connect, Disconnect, Publish
from ..transports.doors import door
from ..transports.line import Line, open_socket
from .counting import RATE_EXCEEDED, SERVER_BUSY, count, counted, refuses


@pytest.fixture
def limited(broker_factory):
    """`limited(max_clients=1)` starts a broker with a second listener that has these limits."""

    def limited(settings=None, **limits):
        return broker_factory(settings, listeners=[{"url": "mqtt://127.0.0.1:0", **limits}])

    return limited


@pytest.fixture
def through():
    """`through(broker, 1)` opens a connection to the second listener."""
    lines = []

    def through(broker, number=1, version=V5):
        host, port = door(broker, "mqtt", number)
        lines.append(Line(open_socket(port, host=host), version=version))
        return lines[-1]

    yield through
    for line in lines:
        line.close()


def test_clients_of_one_listener(limited, through, root, version):
    broker = limited({"limits.max_clients": 4}, max_clients=1)
    first = through(broker)
    first.connect(Connect(f"{root}1"))
    refuses(through(broker, version=version), Connect(f"{root}2"), SERVER_BUSY)
    for number in range(3):
        through(broker, 0).connect(Connect(f"{root}plain{number}"))
    counted(broker, "max_clients", 1)
    # The limit for all holds for all.
    refuses(through(broker, 0), Connect(f"{root}plain4"), SERVER_BUSY)
    counted(broker, "max_clients", 2)
    first.ping()


def test_packets_of_one_listener(limited, through, root):
    broker = limited(max_packet_size=1000)
    small, large = through(broker), through(broker, 0)
    small.connect(Connect(f"{root}1"))
    large.connect(Connect(f"{root}2"))
    assert small.connack.properties["maximum_packet_size"] == 1000
    assert large.connack.properties["maximum_packet_size"] == 16 << 20
    large.publish(root, b"x" * 2000, 1)
    small.send(Publish(root, b"x" * 2000))
    small.expect_closed(Disconnect(0x95))
    counted(broker, "max_packet_size", 1)
    large.ping()


def test_connects_of_one_listener(limited, through, root):
    broker = limited(connect_rate=3)
    for number in range(3):
        through(broker).connect(Connect(f"{root}{number}"))
    refuses(through(broker), Connect(f"{root}late"), RATE_EXCEEDED)
    for number in range(10):
        through(broker, 0).connect(Connect(f"{root}plain{number}"))
    counted(broker, "connect_rate", 1)


def test_the_time_to_connect_through_one_listener(limited, through, root):
    broker = limited({"limits.connect_timeout": 20}, connect_timeout=0.5)
    begun = time.monotonic()
    quick, patient = through(broker), through(broker, 0)
    quick.expect_closed(timeout=5)
    assert 0.3 < time.monotonic() - begun < 2
    patient.connect(Connect(root))
    counted(broker, "connect_timeout", 1)


@pytest.mark.parametrize("limit", [{"message_rate": 40}, {"byte_rate": 40_000}], ids=str)
def test_rates_of_one_listener(limited, through, root, limit):
    broker = limited(**limit)
    watcher = through(broker, 0)
    watcher.connect(Connect(f"{root}watcher"))
    watcher.subscribe(root)
    packets = b"".join(Publish(root, b"x" * 1000).encode(V5) for _ in range(100))
    for number, least, most in ((0, 0, 0.9), (1, 1, 5)):
        line = through(broker, number)
        line.connect(Connect(f"{root}{number}"))
        begun = time.monotonic()
        line.send(packets)
        for _ in range(100):
            watcher.expect(Publish(root, b"x" * 1000), 5)
        assert least <= time.monotonic() - begun < most
        line.ping()
    assert count(broker, next(iter(limit))) >= 1


def test_zero_is_the_limit_of_all(limited, through, root):
    broker = limited({"limits.message_rate": 20}, message_rate=0)
    line = through(broker)
    line.connect(Connect(root))
    begun = time.monotonic()
    for _ in range(40):
        line.publish(root, b"x", 1)
    assert time.monotonic() - begun > 0.7
    assert count(broker, "message_rate") >= 1
