"""MQTT 3.1: the protocol name MQIsdp, and what differs from 3.1.1. Other tests run in this version too."""

from __future__ import annotations

import pytest

from .packets import (
    V31,
    Connack,
    Connect,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
    string,
    u16,
)
from .wire import subscription


# Section 3.1 of 3.1: the bytes, written out.
def test_the_bytes_of_a_conversation(dial):
    wire = dial(V31)
    wire.send(b"\x10\x12\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x04v31a")
    wire.expect(Connack())
    wire.send(b"\x82\x0a\x00\x01\x00\x05v31/a\x01")
    wire.expect(Suback(1, [1]))
    wire.send(b"\x32\x0b\x00\x05v31/a\x00\x07hi")
    packets = [wire.read(), wire.read()]
    assert Puback(7) in packets
    message = next(packet for packet in packets if isinstance(packet, Publish))
    assert (message.topic, message.payload, message.qos) == ("v31/a", b"hi", 1)
    wire.send(b"\x40\x02" + u16(message.id))
    wire.send(b"\xa2\x09\x00\x02\x00\x05v31/a", b"\xc0\x00")
    wire.expect(Unsuback(2))
    assert wire.read().encode(V31) == b"\xd0\x00"
    wire.send(b"\xe0\x00")
    wire.expect_closed()


# Section 3.2 of 3.1: the first byte of the CONNACK is reserved, also when a session is resumed.
def test_the_connack_never_speaks_of_sessions(connect, root):
    for _ in range(2):
        wire = connect("a", version=V31, clean=False)
        assert not wire.connack.session_present
        wire.disconnect()


# Section 3.1 of 3.1 limits client identifiers to 23 characters; the choice: longer ones are welcome.
@pytest.mark.choice
def test_long_client_identifiers(dial, root):
    wire = dial(V31)
    wire.connect(Connect(root + "x" * 100))
    wire.ping()


# Section 2.1 of 3.1: SUBSCRIBE, UNSUBSCRIBE and PUBREL have a DUP flag there, set when they are sent again.
def test_repeated_packets_carry_a_dup_flag(connect, root):
    wire = connect(version=V31)
    repeated = [
        bytearray(packet.encode(V31))
        for packet in (Subscribe(1, [subscription(root, 1)]), Pubrel(5), Unsubscribe(2, [root]))
    ]
    for packet in repeated:
        packet[0] |= 0x08
    wire.send(bytes(repeated[0]))
    wire.expect(Suback(1, [1]))
    wire.send(Publish(f"{root}/x", b"", 2, id=5))
    wire.expect(Pubrec(5))
    wire.send(bytes(repeated[1]))
    wire.expect(Pubcomp(5))
    wire.send(bytes(repeated[2]))
    wire.expect(Unsuback(2))


# Version 3.1.1 under the older name, and the older version under the newer name, are refused (code 1).
@pytest.mark.parametrize(("name", "level"), [(b"MQIsdp", 4), (b"MQIsdp", 5), (b"MQTT", 3)])
def test_name_and_level_belong_together(dial, root, name, level):
    wire = dial(V31)
    wire.send(Connect(root, protocol=(name, level)))
    wire.expect_closed(Connack(1))


# A will, with every field of the CONNECT present.
def test_a_full_connect(connect, dial, root):
    watcher = connect(version=V31)
    watcher.subscribe(f"{root}/will", qos=2)
    wire = dial(V31)
    body = string("MQIsdp") + b"\x03\xd6\x00\x0a" + string(root) + string(f"{root}/will") + string("gone")
    body += string("user") + string("secret")
    wire.send(b"\x10" + bytes([len(body)]) + body)
    wire.expect(Connack())
    wire.close()
    watcher.expect_message(f"{root}/will", b"gone", qos=2)


# Older clients send the user name's flag without it (section 3.1 of 3.1 asks servers to bear with that).
@pytest.mark.choice
def test_flags_without_credentials(dial, root):
    wire = dial(V31)
    body = string("MQIsdp") + b"\x03\xc2\x00\x0a" + string(root)
    wire.send(b"\x10" + bytes([len(body)]) + body)
    wire.expect(Connack())
