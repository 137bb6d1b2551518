"""Malformed packets and protocol errors: refused with the right words, and nobody else is disturbed.

The table is in malformed.py; each row names the clause it comes from.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .malformed import CONNECTS, PACKETS, STRANGERS, Case, rows
from .packets import V5, V311, Connack, Connect, Disconnect, Packet, Publish, Suback, Subscribe
from .wire import Wire, subscription


@pytest.fixture
def bystander(connect) -> Wire:
    """A client that would see everything that slips through."""
    wire = connect("bystander")
    wire.subscribe(subscription("#", 2, retain_handling=2))
    return wire


def parameters(cases: list[Case]) -> Callable:
    found = rows(cases)
    return pytest.mark.parametrize(
        ("case", "version"),
        [(case, version) for _, case, version in found],
        ids=[name for name, _, _ in found],
    )


def check_words(
    words: list[Packet], kind: type[Connack] | type[Disconnect], case: Case, version: int, silent: bool
) -> None:
    if version != V5 or (silent and not words):
        assert words == []
        return
    assert len(words) == 1, f"expected one {kind.__name__}, got {words}"
    assert isinstance(words[0], kind), f"expected a {kind.__name__}, got {words[0]}"
    assert words[0].code in case.codes, (
        f"reason 0x{words[0].code:02X}, expected {sorted(map(hex, case.codes))}"
    )


# Each row's clause; [MQTT-4.8.0-1] (3.1.1) [MQTT-4.13.1-1] [MQTT-3.14.4-1] [MQTT-3.14.4-2] (5.0).
@parameters(PACKETS)
def test_after_the_connect(connect, bystander, silence_allowed, case, version):
    client = connect(version=version)
    client.send(case.make(version), Publish("smuggled", b"x"))
    check_words(client.last_words(), Disconnect, case, version, silence_allowed)
    bystander.expect_nothing()


# Each row's clause; [MQTT-3.1.4-1] (both): 3.1.1 without a CONNACK, 5.0 with one that says why.
@parameters(CONNECTS)
def test_the_connect_itself(dial, bystander, silence_allowed, case, version):
    client = dial(version)
    client.send(case.make(version), Publish("smuggled", b"x"))
    check_words(client.last_words(), Connack, case, version, silence_allowed)
    bystander.expect_nothing()


# [MQTT-2.2.2-2] (3.1.1) [MQTT-2.1.3-1] (5.0): wrong in the first byte, so the version may stay unknown.
@pytest.mark.parametrize("version", [V311, V5], ids=["3.1.1", "5.0"])
def test_flags_of_a_connect(dial, bystander, version):
    client = dial(version)
    client.send(b"\x11" + Connect("malformed").encode(version)[1:], Publish("smuggled", b"x"))
    assert client.last_codes() in ([], [0x81] if version == V5 else [])
    bystander.expect_nothing()


# [MQTT-3.1.0-1] [MQTT-3.14.0-1]
@pytest.mark.parametrize("data", STRANGERS.values(), ids=STRANGERS)
def test_something_else_than_a_connect(dial, bystander, data):
    client = dial()
    client.send(data)
    client.expect_closed()
    bystander.expect_nothing()


# [MQTT-3.2.2-7] [MQTT-3.2.2-6]: a refused CONNECT leaves no session behind.
def test_a_malformed_connect_leaves_nothing(dial, connect, silence_allowed, root):
    client = dial()
    client.send(Connect(f"{root}a", properties={"receive_maximum": 0, "session_expiry_interval": 60}))
    assert client.last_codes() in ([0x82], [] if silence_allowed else [0x82])
    assert not connect("a", clean=False).connack.session_present


# [MQTT-3.1.0-2]: the session of the client goes on; only the connection ends.
@pytest.mark.parametrize("version", [V311, V5], ids=["3.1.1", "5.0"])
def test_the_session_survives_a_protocol_error(connect, root, version):
    session = {
        "version": version,
        "clean": False,
        "properties": {"session_expiry_interval": 60} if version == V5 else {},
    }
    client = connect("a", **session)
    client.subscribe(root, qos=1)
    client.send(Connect(f"{root}a"))
    client.last_words()
    connect().publish(root, b"x", 1)
    client = connect("a", **session)
    assert client.connack.session_present
    client.expect_message(root, b"x", qos=1)


# What was right before the error counts: it was received, processed and answered.
@pytest.mark.parametrize("version", [V311, V5], ids=["3.1.1", "5.0"])
def test_packets_before_the_error_are_processed(connect, root, version):
    watcher, client = connect(), connect(version=version)
    watcher.subscribe(root)
    client.send(Subscribe(1, [subscription(f"{root}/own")]), Publish(root, b"x"), b"\x36\x00")
    client.expect(Suback(1, [0]))
    client.last_words()
    watcher.expect_message(root, b"x")


# A connection that ends in the middle of a packet, at every place of a CONNECT and of a PUBLISH.
def test_connections_that_end_within_a_packet(dial, connect, bystander, root):
    hello = Connect(root).encode(V5)
    message = Publish("smuggled", b"x" * 20, 1, id=1).encode(V5)
    for end in range(1, len(hello)):
        client = dial()
        client.send(hello[:end])
        client.close()
    for end in range(1, len(message)):
        client = connect("cut")
        client.send(message[:end])
        client.close()
    bystander.expect_nothing()
