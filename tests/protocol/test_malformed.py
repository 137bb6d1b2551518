"""Malformed packets and protocol errors: refused with the right words, and nobody else is disturbed.

The tables are in malformed.py and strangers.py.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from . import malformed, strangers
from .cases import Case, parameters
from .packets import V5, V311, Connack, Connect, Disconnect, Packet, Publish, Suback, Subscribe
from .wire import Wire, subscription

MODERN = pytest.mark.parametrize("version", [V311, V5], ids=["3.1.1", "5.0"])


@pytest.fixture
def bystander(connect) -> Wire:
    """A client that would see everything that slips through."""
    wire = connect("bystander")
    wire.subscribe(subscription("#", 2, retain_handling=2))
    return wire


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


Check = Callable[[Case, int], None]


@pytest.fixture
def refused(connect, bystander, silence_allowed) -> Check:
    """After the CONNECT: what came with the error is not processed, nothing is said after the DISCONNECT."""

    def check(case: Case, version: int) -> None:
        client = connect(version=version)
        client.send(case.make(version), Publish("smuggled", b"x"))
        check_words(client.last_words(), Disconnect, case, version, silence_allowed)
        bystander.expect_nothing()

    return check


@pytest.fixture
def not_let_in(dial, bystander, silence_allowed) -> Check:
    """3.1.1 closes without a CONNACK, 5.0 with one that says why, and never with a DISCONNECT."""

    def check(case: Case, version: int) -> None:
        client = dial(version)
        client.send(case.make(version), Publish("smuggled", b"x"))
        check_words(client.last_words(), Connack, case, version, silence_allowed)
        bystander.expect_nothing()

    return check


@pytest.mark.mqtt5("2.1.3-1", "3.6.1-1", "3.8.1-1", "3.10.1-1", "3.14.1-1", "3.15.1-1")
@pytest.mark.mqtt311("2.2.2-1", "2.2.2-2", "3.6.1-1", "3.8.1-1", "3.10.1-1", "3.14.1-1")
@parameters(malformed.FLAGS)
def test_wrong_flags(refused, case, version):
    refused(case, version)


@pytest.mark.mqtt5("1.5.5-1", "2.2.2-1")
@parameters(malformed.LENGTHS)
def test_wrong_lengths(refused, case, version):
    refused(case, version)


@pytest.mark.mqtt5(
    "1.5.4-1", "1.5.4-2", "2.2.1-3", "3.3.1-2", "3.3.1-4", "3.3.2-1", "3.3.2-2", "4.7.0-1", "4.7.3-2"
)
@pytest.mark.mqtt311(
    "1.5.3-1",
    "1.5.3-2",
    "2.3.1-1",
    "3.3.1-2",
    "3.3.1-4",
    "3.3.2-1",
    "3.3.2-2",
    "4.7.1-1",
    "4.7.3-1",
    "4.7.3-2",
)
@parameters(malformed.PUBLISHES)
def test_wrong_publishes(refused, case, version):
    refused(case, version)


@pytest.mark.mqtt5("3.4.2-1", "3.5.2-1", "3.6.2-1", "3.7.2-1")
@parameters(malformed.ACKNOWLEDGEMENTS)
def test_wrong_acknowledgements(refused, case, version):
    refused(case, version)


@pytest.mark.mqtt5(
    "1.5.4-1",
    "1.5.4-2",
    "2.2.1-3",
    "3.8.3-1",
    "3.8.3-2",
    "3.8.3-4",
    "3.8.3-5",
    "3.10.3-1",
    "3.10.3-2",
    "4.7.3-2",
)
@pytest.mark.mqtt311("1.5.3-1", "1.5.3-2", "2.3.1-1", "3.8.3-1", "3.8.3-3", "3.10.3-1", "3.10.3-2", "4.7.3-2")
@parameters(malformed.SUBSCRIPTIONS)
def test_wrong_subscriptions(refused, case, version):
    refused(case, version)


@pytest.mark.mqtt5("1.5.4-1", "1.5.4-2", "1.5.7-1", "3.3.2-13", "3.3.2-14", "3.3.2-19", "3.3.4-6", "4.13.1-1")
@parameters(malformed.PROPERTIES)
def test_wrong_properties(refused, case, version):
    refused(case, version)


@pytest.mark.mqtt5(
    "3.1.0-2", "3.2.0-2", "3.14.2-1", "3.14.4-1", "3.14.4-2", "4.12.0-7", "4.13.1-1", "4.13.2-1"
)
@pytest.mark.mqtt311("3.1.0-2", "4.8.0-1")
@parameters(malformed.OUT_OF_PLACE)
def test_packets_out_of_place(refused, case, version):
    refused(case, version)


@pytest.mark.mqtt5(
    "3.1.2-3", "3.1.2-9", "3.1.2-11", "3.1.2-12", "3.1.2-13", "3.1.2-16", "3.1.2-17", "3.1.2-18", "3.1.2-19"
)
@pytest.mark.mqtt5("3.1.3-3", "3.1.4-1", "3.1.4-6", "3.2.2-6", "3.2.2-7", "3.2.2-8", "3.14.0-1", "4.13.2-1")
@pytest.mark.mqtt311(
    "3.1.2-3", "3.1.2-9", "3.1.2-11", "3.1.2-13", "3.1.2-14", "3.1.2-15", "3.1.2-18", "3.1.2-19", "3.1.2-20"
)
@pytest.mark.mqtt311("3.1.2-21", "3.1.2-22", "3.1.3-3", "3.1.4-1", "3.1.4-5", "3.2.2-6")
@parameters(strangers.FLAGS)
def test_connects_whose_flags_do_not_fit(not_let_in, case, version):
    not_let_in(case, version)


@pytest.mark.mqtt5("1.5.4-1", "1.5.4-2", "1.5.7-1", "3.1.3-4", "3.1.3-8", "3.1.3-11", "3.1.3-12", "3.3.2-19")
@pytest.mark.mqtt5("3.1.4-1", "3.3.2-2", "4.7.0-1", "4.7.3-1", "4.7.3-2")
@pytest.mark.mqtt311("1.5.3-1", "1.5.3-2", "3.1.3-4", "3.1.3-10", "3.1.3-11", "3.1.4-1", "3.2.2-6")
@pytest.mark.mqtt311("3.3.2-2", "4.7.1-1", "4.7.3-1", "4.7.3-2")
@parameters(strangers.STRINGS)
def test_connects_with_wrong_strings(not_let_in, case, version):
    not_let_in(case, version)


@pytest.mark.mqtt5("1.5.5-1", "2.2.2-1", "3.1.4-1", "3.2.2-8", "3.3.2-14", "3.14.0-1", "4.13.1-1")
@parameters(strangers.PROPERTIES)
def test_connects_with_wrong_properties(not_let_in, case, version):
    not_let_in(case, version)


# It is wrong in the first byte, so the version may stay unknown.
@pytest.mark.mqtt5("2.1.3-1", "3.14.0-1")
@pytest.mark.mqtt311("2.2.2-1", "2.2.2-2")
@MODERN
def test_flags_of_a_connect(dial, bystander, version):
    client = dial(version)
    client.send(b"\x11" + Connect("malformed").encode(version)[1:], Publish("smuggled", b"x"))
    assert client.last_codes() in ([], [0x81] if version == V5 else [])
    bystander.expect_nothing()


@pytest.mark.mqtt5("3.1.0-1", "3.14.0-1")
@pytest.mark.mqtt311("3.1.0-1", "3.2.0-1")
@pytest.mark.parametrize("data", strangers.STRANGERS.values(), ids=strangers.STRANGERS)
def test_something_else_than_a_connect(dial, bystander, data):
    client = dial()
    client.send(data)
    client.expect_closed()
    bystander.expect_nothing()


# A refused CONNECT leaves no session behind.
def test_a_malformed_connect_leaves_nothing(dial, connect, silence_allowed, root):
    client = dial()
    client.send(Connect(f"{root}a", properties={"receive_maximum": 0, "session_expiry_interval": 60}))
    assert client.last_codes() in ([0x82], [] if silence_allowed else [0x82])
    assert not connect("a", clean=False).connack.session_present


# The session of the client goes on; only the connection ends.
@pytest.mark.mqtt5("3.1.0-2", "3.1.2-23")
@pytest.mark.mqtt311("3.1.0-2", "3.1.2-4")
@MODERN
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
@MODERN
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
