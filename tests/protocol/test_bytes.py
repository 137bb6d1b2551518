"""Whole conversations in bytes, written out by hand: nothing but the specification is needed to take part."""

from __future__ import annotations

import pytest

from .packets import V5, V311, Connack, Puback, Pubcomp, Publish, Pubrec, Pubrel


@pytest.mark.mqtt311("2.2.2-1", "2.3.1-5", "2.3.1-6", "2.3.1-7", "3.3.2-1", "7.0.0-2", "7.1.1-1")
def test_a_conversation_in_version_311(dial):
    wire = dial(V311)
    wire.send(b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04v311")
    wire.expect_bytes(b"\x20\x02\x00\x00")
    wire.send(b"\x82\x0b\x00\x01\x00\x06v311/a\x01")
    wire.expect_bytes(b"\x90\x03\x00\x01\x01")
    wire.send(b"\x30\x0a\x00\x06v311/ahi")
    wire.expect_bytes(b"\x30\x0a\x00\x06v311/ahi")
    wire.send(b"\x32\x0c\x00\x06v311/b\x00\x07hi")
    wire.expect_bytes(b"\x40\x02\x00\x07")
    wire.send(b"\x34\x0c\x00\x06v311/b\xff\xffhi")
    wire.expect_bytes(b"\x50\x02\xff\xff")
    wire.send(b"\x62\x02\xff\xff")
    wire.expect_bytes(b"\x70\x02\xff\xff")
    wire.send(b"\xa2\x0a\x00\x02\x00\x06v311/a")
    wire.expect_bytes(b"\xb0\x02\x00\x02")
    wire.send(b"\xc0\x00")
    wire.expect_bytes(b"\xd0\x00")
    wire.send(b"\xe0\x00")
    wire.expect_closed()


# Where a server may choose between two forms (an acknowledgement without its reason code), both are good.
@pytest.mark.mqtt5("2.1.3-1", "2.2.1-2", "2.2.1-5", "2.2.1-6", "2.2.2-1", "3.3.2-1", "4.2-1")
def test_a_conversation_in_version_5(connect, dial):
    connect().subscribe("v5/b")
    wire = dial(V5)
    wire.send(b"\x10\x0f\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x02v5")
    connack = wire.read()
    assert isinstance(connack, Connack)
    assert connack.code == 0
    wire.send(b"\x82\x0a\x00\x01\x00\x00\x04v5/a\x01")
    wire.expect_bytes(b"\x90\x04\x00\x01\x00\x01")
    wire.send(b"\x30\x09\x00\x04v5/a\x00hi")
    wire.expect_bytes(b"\x30\x09\x00\x04v5/a\x00hi")
    wire.send(b"\x30\x0b\x00\x04v5/a\x02\x01\x01hi")
    wire.expect_bytes(b"\x30\x0b\x00\x04v5/a\x02\x01\x01hi")
    wire.send(b"\xa2\x09\x00\x03\x00\x00\x04v5/a")
    wire.expect_bytes(b"\xb0\x04\x00\x03\x00\x00")
    wire.send(b"\x32\x0b\x00\x04v5/b\x00\x07\x00hi")
    wire.expect(Puback(7))
    wire.send(b"\x34\x0b\x00\x04v5/b\xff\xff\x00hi")
    wire.expect(Pubrec(0xFFFF))
    wire.send(b"\x62\x02\xff\xff")
    wire.expect(Pubcomp(0xFFFF))
    wire.send(b"\xc0\x00")
    wire.expect_bytes(b"\xd0\x00")
    wire.send(b"\xe0\x00")
    wire.expect_closed()


# The long forms of packets that have a short one in version 5: a reason code, and a length of properties.
@pytest.mark.mqtt5("2.2.2-1", "3.4.2-1", "3.5.2-1", "3.6.2-1", "3.7.2-1")
@pytest.mark.parametrize("rest", [b"", b"\x00", b"\x00\x00"], ids=["short", "reason", "properties"])
def test_the_forms_of_an_acknowledgement(connect, root, rest):
    def packet(first: int, number: int | None) -> bytes:
        body = (number or 0).to_bytes(2, "big") + rest
        return bytes([first, len(body)]) + body

    subscriber, publisher = connect(), connect()
    subscriber.subscribe(root, qos=2)
    publisher.send(Publish(root, b"x", 1, id=1))
    publisher.expect(Puback(1))
    message = subscriber.expect(Publish(root, b"x", 1))
    subscriber.send(packet(0x40, message.id))
    subscriber.expect_nothing()
    publisher.send(Publish(root, b"x", 2, id=1))
    publisher.expect(Pubrec(1))
    publisher.send(packet(0x62, 1))
    publisher.expect(Pubcomp(1))
    message = subscriber.expect(Publish(root, b"x", 2))
    subscriber.send(packet(0x50, message.id))
    subscriber.expect(Pubrel(message.id))
    subscriber.send(packet(0x70, message.id))
    subscriber.expect_nothing()
    subscriber.send(b"\xe0" + bytes([len(rest)]) + rest)
    subscriber.expect_closed()
