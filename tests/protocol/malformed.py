"""What must not be sent after a CONNECT: malformed packets and protocol errors, and the answers to them.

In version 5 the server names the reason in a DISCONNECT; in version 3.1.1 it closes the connection without a
word. Where the specification leaves the choice between two reasons (a malformed packet, 0x81, and a protocol
error, 0x82, or a more precise one), both are good.
"""

from __future__ import annotations

from collections.abc import Callable

from .cases import (
    ALL,
    EITHER,
    MALFORMED,
    NEW,
    OLD,
    TOPIC,
    VIOLATION,
    Case,
    T,
    bad_texts,
    connect,
    none,
    plain,
    publish,
    subscribe,
    twice,
    unsubscribe,
    with_properties,
)
from .packets import (
    Disconnect,
    Packet,
    Pingreq,
    Puback,
    Pubcomp,
    Pubrec,
    Pubrel,
    Subscribe,
    Unsubscribe,
    raw,
    string,
    u16,
)

FIXED_FLAGS: list[Packet] = [
    Puback(1),
    Pubrec(1),
    Pubrel(1),
    Pubcomp(1),
    Subscribe(1, [("bad/flags", 0)]),
    Unsubscribe(1, ["bad/flags"]),
    Pingreq(),
    Disconnect(),
]
FLAGS = [
    *(
        Case(
            f"{type(packet).__name__} with the flags {packet.flags ^ 1 << bit:04b}",
            lambda version, packet=packet, bit=bit: raw(
                packet.kind << 4 | packet.flags ^ 1 << bit, packet.body(version)
            ),
            MALFORMED,
        )
        for packet in FIXED_FLAGS
        for bit in range(4)
    ),
    *(
        Case(f"AUTH with the flags {1 << bit:04b}", plain(raw(0xF0 | 1 << bit)), EITHER, NEW)
        for bit in range(4)
    ),
]

LENGTHS = [
    Case("five bytes of length", plain(b"\x30\xff\xff\xff\xff\x01"), MALFORMED, ALL),
    Case("five bytes of zero", plain(b"\x30\x80\x80\x80\x80\0"), MALFORMED, ALL),
    Case("a length longer than needed", plain(b"\xc0\x80\0"), MALFORMED, NEW),
    Case("no length of properties", plain(raw(0x30, T)), MALFORMED, NEW),
    Case("properties beyond the end", plain(raw(0x30, T + b"\x09\x01\0")), MALFORMED, NEW),
    Case("properties cut in the middle", plain(raw(0x30, T + b"\x03\x02\0\0\0\x09")), MALFORMED, NEW),
    Case("five bytes of property length", plain(raw(0x30, T + b"\x80\x80\x80\x80\0")), MALFORMED, NEW),
    Case("a property length longer than needed", plain(raw(0x30, T + b"\x80\0")), MALFORMED, NEW),
    Case(
        "a subscription identifier of five bytes",
        with_properties(0x82, u16(1), b"\x0b\x80\x80\x80\x80\x01", T + b"\0"),
        MALFORMED,
        NEW,
    ),
    Case(
        "a subscription identifier longer than needed",
        with_properties(0x82, u16(1), b"\x0b\x81\0", T + b"\0"),
        MALFORMED,
        NEW,
    ),
    Case("PINGREQ with a body", plain(b"\xc0\x01\0"), MALFORMED),
    Case("DISCONNECT with a body", plain(b"\xe0\x01\0"), MALFORMED, OLD),
]

PUBLISHES = [
    Case("QoS 3", publish(0x36, T, u16(1)), MALFORMED, ALL),
    Case("DUP with QoS 0", publish(0x38, T), EITHER),
    Case("packet identifier 0", publish(0x32, T, u16(0)), EITHER, ALL),
    Case("QoS 2 packet identifier 0", publish(0x34, T, u16(0)), EITHER, ALL),
    Case("no packet identifier", plain(raw(0x32, T)), MALFORMED),
    Case("half a packet identifier", plain(raw(0x32, T + b"\0")), MALFORMED),
    Case("PUBLISH without topic", plain(raw(0x30)), MALFORMED, ALL),
    Case("PUBLISH with half a length", plain(raw(0x30, b"\0")), MALFORMED),
    Case("a topic beyond the end", plain(raw(0x30, b"\0\x09abc")), MALFORMED, ALL),
    Case("an empty topic", publish(0x30, string("")), TOPIC, OLD),
    *(
        Case(f"the topic {name}", publish(0x30, string(name)), TOPIC, ALL)
        for name in ("a/+", "#", "a/b#", "+/a", "a+")
    ),
    *bad_texts("a topic", lambda data: publish(0x30, string(data)), TOPIC),
]

ACKNOWLEDGEMENTS = [
    *(
        Case(f"packet type {first >> 4} without identifier", plain(bytes([first, 1, 0])), MALFORMED)
        for first in (0x40, 0x50, 0x62, 0x70)
    ),
    *(
        Case(f"packet type {first >> 4} with more", plain(bytes([first, 3, 0, 1, 0])), MALFORMED, OLD)
        for first in (0x40, 0x50, 0x62, 0x70)
    ),
    *(
        Case(
            f"packet type {first >> 4} with the reason 0x{code:02X}",
            plain(raw(first, b"\0\x01" + bytes([code]))),
            EITHER,
            NEW,
        )
        for first, codes in (
            (0x40, b"\x55\x92"),
            (0x50, b"\x11\x92"),
            (0x62, b"\x10\x80"),
            (0x70, b"\x10\x91"),
        )
        for code in codes
    ),
    Case("PUBACK with a property of CONNECT", plain(b"\x40\x07\0\x01\0\x03\x21\0\x01"), MALFORMED, NEW),
    Case("PUBACK with properties beyond the end", plain(b"\x40\x04\0\x01\0\x05"), MALFORMED, NEW),
    Case("two reason strings", plain(b"\x40\x0a\0\x01\0\x06\x1f\0\0\x1f\0\0"), VIOLATION, NEW),
    *bad_texts(
        "a reason string",
        lambda data: with_properties(0x40, b"\0\x01\0", b"\x1f" + string(data)),
        EITHER,
        NEW,
    ),
]

SUBSCRIPTIONS = [
    Case("an empty SUBSCRIBE", lambda version: raw(0x82, u16(1) + none(version)), EITHER),
    Case("an empty UNSUBSCRIBE", lambda version: raw(0xA2, u16(1) + none(version)), EITHER),
    Case("SUBSCRIBE 0", subscribe(T, number=0), EITHER, ALL),
    Case("UNSUBSCRIBE 0", unsubscribe(T, number=0), EITHER, ALL),
    Case("a filter without options", lambda version: raw(0x82, u16(1) + none(version) + T), MALFORMED),
    Case("a filter beyond the end", subscribe(b"\0\x09abc"), MALFORMED, ALL),
    Case("an unsubscription beyond the end", unsubscribe(b"\0\x09abc"), MALFORMED, ALL),
    Case("a second filter cut off", subscribe(T + b"\0" + b"\0\x05ab"), MALFORMED),
    Case("a second unsubscription cut off", unsubscribe(T + b"\0\x05ab"), MALFORMED),
    *bad_texts("a filter", lambda data: subscribe(string(data)), EITHER | {0x8F}),
    *bad_texts("an unsubscription", lambda data: unsubscribe(string(data)), EITHER | {0x8F}),
    Case("a subscription with QoS 3", subscribe(T, 3), EITHER, ALL),
    *(Case(f"option bits {bits:08b}", subscribe(T, bits), EITHER, OLD) for bits in (4, 8, 16, 32, 64, 128)),
    *(Case(f"option bits {bits:08b}", subscribe(T, bits), MALFORMED, NEW) for bits in (0x40, 0x80, 0xC0)),
    Case("Retain Handling 3", subscribe(T, 0x30), EITHER, NEW),
    Case("No Local on a shared subscription", subscribe(string("$share/g/t"), 4), VIOLATION, NEW),
    Case("subscription identifier 0", with_properties(0x82, u16(1), b"\x0b\0", T + b"\0"), VIOLATION, NEW),
    Case(
        "two subscription identifiers",
        with_properties(0x82, u16(1), b"\x0b\x01\x0b\x02", T + b"\0"),
        VIOLATION,
        NEW,
    ),
    Case(
        "SUBSCRIBE with a property of PUBLISH",
        with_properties(0x82, u16(1), b"\x01\x01", T + b"\0"),
        MALFORMED,
        NEW,
    ),
    Case("UNSUBSCRIBE with an identifier", with_properties(0xA2, u16(1), b"\x0b\x01", T), MALFORMED, NEW),
]


def published(given: bytes) -> Callable[[int], bytes]:
    """A PUBLISH with these properties."""
    return with_properties(0x30, T, given)


PROPERTIES = [
    Case("an unknown property", published(b"\x7f\0"), MALFORMED, NEW),
    Case("property 0", published(b"\0\0"), MALFORMED, NEW),
    Case("a property of CONNECT", published(b"\x11\0\0\0\x01"), MALFORMED, NEW),
    Case("a property of CONNACK", published(b"\x13\0\x01"), MALFORMED, NEW),
    *(
        Case(f"{name} twice", published(twice(name, value)), VIOLATION, NEW)
        for name, value in (
            ("payload_format_indicator", 1),
            ("message_expiry_interval", 1),
            ("topic_alias", 1),
            ("response_topic", "x"),
            ("correlation_data", b"x"),
            ("content_type", "x"),
        )
    ),
    Case("payload format 2", published(b"\x01\x02"), EITHER | {0x99}, NEW),
    Case("a subscription identifier from a client", published(b"\x0b\x01"), EITHER, NEW),
    *(
        Case(f"the response topic {name!r}", published(b"\x08" + string(name)), TOPIC, NEW)
        for name in ("a/#", "+")
    ),
    *bad_texts("a content type", lambda data: published(b"\x03" + string(data)), EITHER, NEW),
    *bad_texts("a response topic", lambda data: published(b"\x08" + string(data)), TOPIC, NEW),
    *bad_texts(
        "the name of a user property", lambda data: published(b"\x26" + string(data) + T), EITHER, NEW
    ),
    *bad_texts(
        "the value of a user property",
        lambda data: with_properties(0x82, u16(1), b"\x26" + T + string(data), T + b"\0"),
        EITHER,
        NEW,
    ),
    Case("half a user property", published(b"\x26\0\x01a"), MALFORMED, NEW),
    Case("half a number", published(b"\x02\0\0"), MALFORMED, NEW),
]

OUT_OF_PLACE = [
    Case("packet type 0", plain(b"\0\0"), EITHER, ALL),
    Case("packet type 15 of 3.1.1", plain(b"\xf0\0"), MALFORMED, OLD),
    Case("CONNACK from a client", lambda version: raw(0x20, b"\0\0" + none(version)), VIOLATION),
    Case("SUBACK from a client", lambda version: raw(0x90, u16(1) + none(version) + b"\0"), VIOLATION),
    Case("UNSUBACK from a client", lambda version: raw(0xB0, u16(1) + none(version) * 2), VIOLATION),
    Case("PINGRESP from a client", plain(b"\xd0\0"), VIOLATION),
    Case("a second CONNECT", connect(), VIOLATION, ALL),
    Case("AUTH without method", plain(b"\xf0\0"), VIOLATION, NEW),
    Case("AUTH to go on without method", plain(b"\xf0\x07\x18\x05\x15\0\x02xy"), EITHER | {0x8C}, NEW),
    Case("AUTH to begin without method", plain(b"\xf0\x07\x19\x05\x15\0\x02xy"), EITHER | {0x8C}, NEW),
    Case("DISCONNECT with an unknown reason", plain(b"\xe0\x01\x55"), EITHER, NEW),
    Case("DISCONNECT with a reason of PUBACK", plain(b"\xe0\x01\x10"), EITHER, NEW),
    Case("DISCONNECT with a property of PUBLISH", plain(b"\xe0\x04\0\x02\x01\x01"), MALFORMED, NEW),
    Case("two expiry intervals", plain(b"\xe0\x0c\0\x0a" + b"\x11\0\0\0\0" * 2), VIOLATION, NEW),
]
