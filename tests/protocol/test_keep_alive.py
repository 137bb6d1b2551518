"""Keep Alive: half as long again as the client promised, and no longer."""

from __future__ import annotations

import time

import pytest

from .packets import V5, V31, V311, Disconnect, Pingreq, Pingresp, Puback, Publish, Will
from .wire import Closed, Late, Wire


def seconds_until_closed(wires: list[Wire], begun: float, *, longest: float = 4.0) -> list[float]:
    """How long after `begun` the server closed each of the connections; all of them are watched at once."""
    ends: dict[int, float] = {}
    while len(ends) < len(wires):
        assert time.monotonic() - begun < longest, f"still open: {len(wires) - len(ends)} connections"
        for place, wire in enumerate(wires):
            try:
                if place not in ends:
                    wire.read(0.01)
            except Late:
                pass
            except Closed:
                ends[place] = time.monotonic() - begun
    return [ends[place] for place in range(len(wires))]


@pytest.mark.mqtt5("3.12.4-1")
@pytest.mark.mqtt311("3.12.4-1")
def test_a_ping_is_answered(connect, version):
    wire = connect(version=version)
    wire.ping()
    wire.send(*[Pingreq()] * 20)
    for _ in range(20):
        wire.expect(Pingresp())
    wire.ping()


# Closed after one and a half times the interval, with the will; version 5 is told why (0x8D). What the client
# receives is no reason to stay; an interval of 0 is.
@pytest.mark.mqtt5("3.1.2-22", "3.2.2-22")
@pytest.mark.mqtt311("3.1.2-24")
def test_silent_clients_are_closed(connect, root):
    watcher, endless = connect(keep_alive=0), connect(keep_alive=0)
    watcher.subscribe(f"{root}/will/+")
    begun = time.monotonic()
    silent = [
        connect(version=version, keep_alive=1, will=Will(f"{root}/will/{version}"))
        for version in (V31, V311, V5)
    ]
    silent[2].subscribe(f"{root}/noise")
    noisy = connect()
    for _ in range(4):
        noisy.publish(f"{root}/noise", b"this comes from the server and proves nothing")
        time.sleep(0.3)
    ends = seconds_until_closed(silent[:2], begun)
    words = silent[2].last_words()
    assert words[-1] == Disconnect(0x8D)
    assert len(words) == 5
    ends.append(time.monotonic() - begun)
    assert min(ends) > 1.3
    assert max(ends) < 2.6
    assert {message.topic for message in watcher.drain()} == {
        f"{root}/will/{version}" for version in (3, 4, 5)
    }
    endless.ping()


# Any packet counts, and a client that sends in time stays.
@pytest.mark.mqtt5("3.1.2-22")
@pytest.mark.mqtt311("3.1.2-24")
def test_active_clients_stay(connect, root):
    pinging, publishing = connect(keep_alive=1), connect(version=V311, keep_alive=1)
    for _ in range(5):
        pinging.ping()
        publishing.send(
            b"\x30" + bytes([3 + len(root)]) + len(root).to_bytes(2, "big") + root.encode() + b"x"
        )
        time.sleep(0.5)
    pinging.ping()
    publishing.ping()


# Section 3.2.2.3.14: the server has no opinion unless it is configured.
@pytest.mark.choice
@pytest.mark.parametrize("keep_alive", [0, 1, 60, 65_535])
def test_no_server_keep_alive(connect, keep_alive):
    wire = connect(keep_alive=keep_alive)
    assert "server_keep_alive" not in wire.connack.properties
    wire.ping()


# Configured, it is announced to clients that promise nothing, and used.
@pytest.mark.mqtt5("3.1.2-21", "3.2.2-21")
@pytest.mark.settings
def test_a_server_keep_alive(broker_factory, connect):
    broker = broker_factory({"limits.default_keep_alive": 1})
    assert "server_keep_alive" not in connect(to=broker, keep_alive=30).connack.properties
    begun = time.monotonic()
    wire = connect(to=broker, keep_alive=0)
    assert wire.connack.properties["server_keep_alive"] == 1
    wire.expect_closed(Disconnect(0x8D))
    assert 1.3 < time.monotonic() - begun < 2.6


# While a hook is asked nothing is read; the silence is the broker's own.
@pytest.mark.settings
@pytest.mark.mqtt5("3.1.2-22")
def test_a_client_that_waits_for_a_decision_is_not_silent(broker_factory, connect, root):
    broker = broker_factory(start=False)

    @broker.authorize
    def slow(client, action, topic):
        time.sleep(2.5)
        return True

    broker.start()
    wire = connect(to=broker, keep_alive=1)
    wire.send(Publish(root, b"x", 1, id=1), Pingreq())
    wire.expect(Puback(1, 0x10), timeout=5)
    wire.expect(Pingresp())
