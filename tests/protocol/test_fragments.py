"""The same packets in pieces of any size, and all at once, give the same answers."""

from __future__ import annotations

import time

import pytest

from .conversation import answers, conversation, one_by_one, randomly
from .packets import V5, V31, V311, Connect, Disconnect, Packet, Pingreq, Publish, Subscribe
from .wire import subscription

VERSIONS = pytest.mark.parametrize("version", [V31, V311, V5], ids=["3.1", "3.1.1", "5.0"])


@pytest.fixture
def expected(dial, root, version):
    """The answers to the whole conversation in one write."""
    wire = dial(version)
    wire.send(conversation(root, version))
    found = answers(wire)
    assert (
        len(found[0]) == 10
    )  # CONNACK SUBACK PUBACK PUBREC PINGRESP PUBCOMP PUBACK UNSUBACK PUBACK PINGRESP
    assert [message.payload for message in found[1]] == [b"first", b"second", b"x" * 300, b""]
    return found


# The transport is a stream of bytes; where it is cut means nothing.
@pytest.mark.mqtt5("4.2-1")
@pytest.mark.mqtt311("7.1.1-1")
@pytest.mark.parametrize(
    ("split", "seed"),
    [pytest.param(one_by_one, 0, id="bytes"), *(pytest.param(randomly, n, id=f"seed {n}") for n in range(8))],
)
@VERSIONS
def test_pieces(dial, root, version, expected, split, seed):
    wire = dial(version)
    for piece in split(conversation(root, version), seed):
        wire.send(piece)
        time.sleep(0.0002)  # long enough for the server to see the piece alone
    assert answers(wire) == expected


# Many packets in one write, in numbers that no single read of a server takes in.
# (Not with QoS 1 in version 5, where the Receive Maximum forbids it.)
@pytest.mark.parametrize(("version", "qos"), [(V31, 0), (V311, 0), (V5, 0), (V31, 1), (V311, 1)])
def test_thousands_of_packets_in_one_write(dial, root, version, qos):
    wire = dial(version)
    packets: list[Packet] = [Connect(f"{root}x"), Subscribe(1, [subscription(root)])]
    packets += [Publish(root, b"%d" % n, qos, id=n + 1 if qos else None) for n in range(3000)]
    wire.send(*packets, Pingreq(), Disconnect())
    replies, messages = answers(wire)
    assert [message.payload for message in messages] == [b"%d" % number for number in range(3000)]
    assert [reply.id for reply in replies[2:-1]] == [number + 1 for number in range(3000 * qos)]  # type: ignore[attr-defined]


# A large packet that arrives slowly does not hold up the small ones of others.
def test_a_large_packet_in_pieces(connect, root):
    slow, other = connect(), connect()
    other.subscribe(f"{root}/#", qos=1)
    whole = Publish(f"{root}/large", b"x" * 500_000, 1, id=1).encode(V5)
    for place in range(0, len(whole), 50_000):
        slow.send(whole[place : place + 50_000])
        if place + 50_000 < len(whole):
            other.ping()
    assert slow.read().id == 1  # type: ignore[attr-defined]
    other.expect_message(f"{root}/large", b"x" * 500_000, qos=1)
