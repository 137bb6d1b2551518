"""Reason strings and user properties of the server: only where they are wanted, and only where they fit."""

from __future__ import annotations

import pytest

from hookmq import Deny

from .packets import (
    V5,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
)
from .wire import Closed, Wire, subscription

pytestmark = pytest.mark.settings

# What a client sends, and how the server refuses it. An explanation would have a place in each of these.
REFUSALS: dict[str, tuple[Packet, Packet]] = {
    "PUBACK": (Publish("forbidden", b"x", 1, id=1), Puback(1, 0x87)),
    "PUBREC": (Publish("forbidden", b"x", 2, id=2), Pubrec(2, 0x87)),
    "PUBREL": (Pubrec(3), Pubrel(3, 0x92)),
    "PUBCOMP": (Pubrel(4), Pubcomp(4, 0x92)),
    "SUBACK": (Subscribe(5, [("forbidden", 0)]), Suback(5, [0x87])),
    "SUBACK of an invalid filter": (Subscribe(6, [("a#", 0)]), Suback(6, [0x8F])),
    "UNSUBACK": (Unsubscribe(7, ["nothing"]), Unsuback(7, [0x11])),
}


@pytest.fixture
def guarded(broker_factory):
    """A broker that refuses at length."""
    broker = broker_factory(start=False)

    @broker.authenticate
    def admit(client):
        if client.username == "stranger":
            raise Deny("a reason that takes some forty characters")
        return True

    @broker.authorize
    def may(client, action, topic):
        if topic == "forbidden":
            raise Deny("another reason of some forty characters")
        return True

    return broker.start()


def exchange(wire: Wire, sent: Packet, expected: Packet) -> Packet:
    wire.send(sent)
    got = wire.expect(expected)
    wire.ping()
    return got


@pytest.mark.mqtt5(
    "3.4.2-2",
    "3.4.2-3",
    "3.5.2-2",
    "3.5.2-3",
    "3.6.2-2",
    "3.6.2-3",
    "3.7.2-2",
    "3.7.2-3",
    "3.9.2-1",
    "3.9.2-2",
)
@pytest.mark.mqtt5("3.1.2-24", "3.11.2-1", "3.11.2-2")
@pytest.mark.parametrize("name", REFUSALS)
def test_an_explanation_does_not_make_a_packet_too_large(guarded, connect, name):
    # The CONNACK has to fit as well; what is asked for here would fit too, but for an explanation.
    wire = connect(to=guarded, properties={"maximum_packet_size": 24})
    exchange(wire, *REFUSALS[name])
    assert wire.largest <= 24


@pytest.mark.mqtt5("3.14.2-3", "3.14.2-4", "3.1.2-24")
def test_an_explanation_does_not_make_a_disconnect_too_large(guarded, connect):
    wire = connect(to=guarded, properties={"maximum_packet_size": 24})
    wire.send(b"\x36\x00")
    wire.expect_closed(Disconnect(0x81))
    assert wire.largest <= 24


# As long as there is room for it the reason is told; with one byte less it is left out.
@pytest.mark.mqtt5("3.2.2-19", "3.2.2-20", "3.1.2-24")
def test_an_explanation_does_not_make_a_connack_too_large(guarded, dial, root):
    def refuse(**properties: int) -> Wire:
        wire = dial(V5, to=guarded)
        wire.send(Connect(root, username="stranger", properties=properties))
        return wire

    told = {"reason_string": "a reason that takes some forty characters"}
    wire = refuse()
    wire.expect_closed(Connack(0x87, properties=told))
    size = wire.largest
    wire = refuse(maximum_packet_size=size)
    wire.expect_closed(Connack(0x87, properties=told))
    wire = refuse(maximum_packet_size=size - 1)
    connack = wire.read()
    assert connack == Connack(0x87)
    assert wire.largest < size
    wire.expect_closed()


# Only CONNACK and DISCONNECT may explain something to a client that does not want it.
@pytest.mark.mqtt5("3.1.2-29")
@pytest.mark.parametrize("name", REFUSALS)
def test_no_explanation_for_a_client_that_wants_none(guarded, connect, name):
    wire = connect(to=guarded, properties={"request_problem_information": 0})
    got = exchange(wire, *REFUSALS[name])
    assert not got.properties  # type: ignore[attr-defined]


# Some packets cannot be made smaller: then they are not sent, whatever becomes of the connection.
@pytest.mark.mqtt5("3.1.2-24")
@pytest.mark.parametrize("size", [1, 2, 4, 5, 8, 12, 15, 16, 17, 24])
def test_nothing_larger_than_the_client_takes_is_sent(broker, dial, root, size):
    wire = dial(V5, to=broker)
    wire.send(Connect(root, properties={"maximum_packet_size": size}))
    wire.send(Subscribe(1, [subscription(f"{root}/{number}") for number in range(20)]))
    wire.send(Unsubscribe(2, [f"{root}/{number}" for number in range(20)]), Pingreq())
    try:
        while wire.read() != Pingresp():
            pass
    except Closed:
        pass
    assert wire.largest <= size
