"""What must not be sent: a table of malformed packets and protocol errors, with what the server says to each.

In version 5 the server names the reason, in a CONNACK or a DISCONNECT; in version 3.1.1 it closes the
connection without a word. Where the specification leaves the choice between two reasons (a malformed packet,
0x81, and a protocol error, 0x82, or a more precise one), both are good.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from .packets import (
    V5,
    V31,
    V311,
    Connect,
    Publish,
    Subscribe,
    Unsubscribe,
    Will,
    property_bytes,
    raw,
    string,
    u16,
    variable,
)

MALFORMED = frozenset({0x81})
VIOLATION = frozenset({0x82})
EITHER = MALFORMED | VIOLATION
TOPIC = EITHER | {0x90}

ALL, MODERN, OLD, NEW = (V31, V311, V5), (V311, V5), (V311,), (V5,)


class Case(NamedTuple):
    name: str
    clause: str
    make: Callable[[int], bytes]  # version -> bytes
    codes: frozenset[int]  # reason codes of version 5, of which the server sends one
    versions: tuple[int, ...] = MODERN


def none(version: int) -> bytes:
    """No properties."""
    return b"\0" if version == V5 else b""


def publish(first: int, topic: bytes, rest: bytes = b"") -> Callable[[int], bytes]:
    """A PUBLISH from its first byte, its topic field and what stands between topic and properties."""
    return lambda version: raw(first, topic + rest + none(version) + b"x")


def with_properties(first: int, before: bytes, given: bytes, after: bytes = b"") -> Callable[[int], bytes]:
    """A packet with the bytes of its properties given, their length true."""
    return lambda version: raw(first, before + variable(len(given)) + given + after)


def plain(data: bytes) -> Callable[[int], bytes]:
    return lambda version: data


def subscribe(topic_filter: bytes, options: int = 0, number: int = 1) -> Callable[[int], bytes]:
    return lambda version: raw(0x82, u16(number) + none(version) + topic_filter + bytes([options]))


def unsubscribe(topic_filter: bytes, number: int = 1) -> Callable[[int], bytes]:
    return lambda version: raw(0xA2, u16(number) + none(version) + topic_filter)


def connect(**fields) -> Callable[[int], bytes]:
    return lambda version: Connect(**{"client_id": "malformed", **fields}).encode(version)


def connect_properties(given: bytes) -> Callable[[int], bytes]:
    head = string("MQTT") + b"\x05\x02\x00\x3c"
    return with_properties(0x10, head, given, string("malformed"))


def will_properties(given: bytes) -> Callable[[int], bytes]:
    head = string("MQTT") + b"\x05\x06\x00\x3c\x00" + string("malformed")
    return with_properties(0x10, head, given, string("will") + string("x"))


def cut(make: Callable[[int], bytes], count: int) -> Callable[[int], bytes]:
    """The packet without its last bytes, its Remaining Length corrected: a field is cut off."""

    def shorter(version: int) -> bytes:
        whole = make(version)
        return raw(whole[0], whole[2:-count])

    return shorter


def extended(make: Callable[[int], bytes], more: bytes) -> Callable[[int], bytes]:
    """The packet with bytes after its end, its Remaining Length corrected."""

    def longer(version: int) -> bytes:
        whole = make(version)
        return raw(whole[0], whole[2:] + more)

    return longer


def twice(name: str, value: object) -> bytes:
    return property_bytes(name, value) * 2


BAD_TEXT = {  # what is no string: [MQTT-1.5.4-1] [MQTT-1.5.4-2] (5.0) [MQTT-1.5.3-1] [MQTT-1.5.3-2] (3.1.1)
    "a lone continuation byte": b"a\x80b",
    "an overlong slash": b"a\xc0\xafb",
    "0xFF": b"a\xffb",
    "half a character": b"a\xe2\x82",
    "a surrogate": b"a\xed\xa0\x80b",
    "beyond U+10FFFF": b"a\xf4\x90\x80\x80b",
    "U+0000": b"a\0b",
}
SENT_BY_SERVERS = {
    "CONNACK": lambda version: raw(0x20, b"\0\0" + none(version)),
    "SUBACK": lambda version: raw(0x90, b"\0\x01" + none(version) + b"\0"),
    "UNSUBACK": lambda version: raw(0xB0, b"\0\x01" + (b"\0\0" if version == V5 else b"")),
    "PINGRESP": plain(b"\xd0\0"),
}
WRONG_FLAGS = {
    "PUBACK": plain(b"\x41\x02\0\x01"),
    "PUBREC": plain(b"\x52\x02\0\x01"),
    "PUBREL": plain(b"\x60\x02\0\x01"),
    "PUBREL with all flags": plain(b"\x6f\x02\0\x01"),
    "PUBCOMP": plain(b"\x78\x02\0\x01"),
    "SUBSCRIBE": lambda version: raw(0x80, Subscribe(1, [("bad/flags", 0)]).body(version)),
    "SUBSCRIBE with DUP": lambda version: raw(0x8A, Subscribe(1, [("bad/flags", 0)]).body(version)),
    "UNSUBSCRIBE": lambda version: raw(0xA0, Unsubscribe(1, ["bad/flags"]).body(version)),
    "PINGREQ": plain(b"\xc1\0"),
    "DISCONNECT": plain(b"\xe1\0"),
}
T = string("t")

# Sent after a successful CONNECT.
PACKETS = [
    # The fixed header.
    *(
        Case(f"flags of {name}", "2.2.2-2 2.1.3-1 3.6.1-1 3.8.1-1 3.10.1-1 3.14.1-1", make, MALFORMED)
        for name, make in WRONG_FLAGS.items()
    ),
    Case("PUBREL as if it were PUBREC", "3.6.1-1", plain(b"\x61\x02\0\x01"), MALFORMED),
    Case("flags of AUTH", "3.15.1-1", plain(b"\xf1\0"), EITHER, NEW),
    Case("packet type 0", "2.2.2-2 4.13.1-1", plain(b"\0\0"), EITHER, ALL),
    Case("packet type 15 of 3.1.1", "4.8.0-1", plain(b"\xf0\0"), MALFORMED, OLD),
    Case("five bytes of length", "4.13.1-1", plain(b"\x30\xff\xff\xff\xff\x01"), MALFORMED, ALL),
    Case("five bytes of zero", "4.13.1-1", plain(b"\x30\x80\x80\x80\x80\0"), MALFORMED, ALL),
    Case("a length longer than needed", "1.5.5-1", plain(b"\xc0\x80\0"), MALFORMED, NEW),
    *(Case(f"{name} from a client", "4.13.1-1", make, VIOLATION) for name, make in SENT_BY_SERVERS.items()),
    Case("a second CONNECT", "3.1.0-2", connect(), VIOLATION, ALL),
    Case("PINGREQ with a body", "4.13.1-1", plain(b"\xc0\x01\0"), MALFORMED),
    Case("DISCONNECT with a body", "3.14.1-1", plain(b"\xe0\x01\0"), MALFORMED, OLD),
    # PUBLISH.
    Case("QoS 3", "3.3.1-4", publish(0x36, T, u16(1)), MALFORMED, ALL),
    Case("DUP with QoS 0", "3.3.1-2", publish(0x38, T), EITHER),
    Case("packet identifier 0", "2.3.1-1 2.2.1-3", publish(0x32, T, u16(0)), EITHER, ALL),
    Case("QoS 2 packet identifier 0", "2.3.1-1 2.2.1-3", publish(0x34, T, u16(0)), EITHER, ALL),
    Case("no packet identifier", "2.3.1-1", lambda version: raw(0x32, T), MALFORMED),
    Case("half a packet identifier", "2.3.1-1", lambda version: raw(0x32, T + b"\0"), MALFORMED),
    Case("PUBLISH without topic", "3.3.2-1", lambda version: raw(0x30), MALFORMED, ALL),
    Case("PUBLISH with half a length", "3.3.2-1", lambda version: raw(0x30, b"\0"), MALFORMED),
    Case("a topic beyond the end", "3.3.2-1", lambda version: raw(0x30, b"\0\x09abc"), MALFORMED, ALL),
    Case("an empty topic", "4.7.3-1", publish(0x30, string("")), TOPIC, OLD),
    *(
        Case(f"the topic {name}", "3.3.2-2 4.7.0-1 4.7.1-1", publish(0x30, string(name)), TOPIC, ALL)
        for name in ("a/+", "#", "a/b#")
    ),
    *(
        Case(f"a topic with {n}", "1.5.4-1 1.5.3-1 4.7.3-2", publish(0x30, string(b)), TOPIC)
        for n, b in BAD_TEXT.items()
    ),
    # Acknowledgements.
    *(
        Case(
            f"packet type {first >> 4} without identifier", "4.13.1-1", plain(bytes([first, 1, 0])), MALFORMED
        )
        for first in (0x40, 0x50, 0x62, 0x70)
    ),
    *(
        Case(
            f"packet type {first >> 4} with more",
            "4.8.0-1",
            plain(bytes([first, 3, 0, 1, 0])),
            MALFORMED,
            OLD,
        )
        for first in (0x40, 0x50, 0x62, 0x70)
    ),
    Case("PUBACK with an unknown reason", "3.4.2-1", plain(b"\x40\x03\0\x01\x55"), EITHER, NEW),
    Case("PUBREL with a reason of others", "3.6.2-1", plain(b"\x62\x03\0\x01\x10"), EITHER, NEW),
    # SUBSCRIBE and UNSUBSCRIBE.
    Case("an empty SUBSCRIBE", "3.8.3-2 3.8.3-3", lambda v: raw(0x82, u16(1) + none(v)), EITHER),
    Case("an empty UNSUBSCRIBE", "3.10.3-2", lambda v: raw(0xA2, u16(1) + none(v)), EITHER),
    Case("SUBSCRIBE 0", "2.3.1-1 2.2.1-3", subscribe(T, number=0), EITHER, ALL),
    Case("UNSUBSCRIBE 0", "2.3.1-1 2.2.1-3", unsubscribe(T, number=0), EITHER, ALL),
    Case("a filter without options", "3.8.3-2", lambda v: raw(0x82, u16(1) + none(v) + T), MALFORMED),
    Case("a filter beyond the end", "3.8.3-1", subscribe(b"\0\x09abc"), MALFORMED, ALL),
    Case("an unsubscription beyond the end", "3.10.3-1", unsubscribe(b"\0\x09abc"), MALFORMED, ALL),
    Case("a second filter cut off", "3.8.3-1", subscribe(T + b"\0" + b"\0\x05ab"), MALFORMED),
    *(
        Case(f"a filter with {n}", "3.8.3-1", subscribe(string(b)), EITHER | {0x8F})
        for n, b in BAD_TEXT.items()
    ),
    *(
        Case(f"an unsubscription with {n}", "3.10.3-1", unsubscribe(string(b)), EITHER | {0x8F})
        for n, b in BAD_TEXT.items()
    ),
    Case("a subscription with QoS 3", "3.8.3-4", subscribe(T, 3), EITHER, ALL),
    *(
        Case(f"option bits {bits:08b}", "3.8.3-4", subscribe(T, bits), EITHER, OLD)
        for bits in (4, 8, 16, 32, 64, 128)
    ),
    *(
        Case(f"option bits {bits:08b}", "3.8.3-5", subscribe(T, bits), MALFORMED, NEW)
        for bits in (0x40, 0x80, 0xC0)
    ),
    Case("Retain Handling 3", "3.8.3-5", subscribe(T, 0x30), EITHER, NEW),
    Case("No Local on a shared subscription", "3.8.3-4", subscribe(string("$share/g/t"), 4), VIOLATION, NEW),
    # Properties.
    Case("an unknown property", "4.13.1-1", with_properties(0x30, T, b"\x7f\0"), MALFORMED, NEW),
    Case("property 0", "4.13.1-1", with_properties(0x30, T, b"\0\0"), MALFORMED, NEW),
    Case("a property of CONNECT", "4.13.1-1", with_properties(0x30, T, b"\x11\0\0\0\x01"), MALFORMED, NEW),
    Case("a property of CONNACK", "4.13.1-1", with_properties(0x30, T, b"\x13\0\x01"), MALFORMED, NEW),
    Case(
        "a property twice", "4.13.1-1", with_properties(0x30, T, twice("content_type", "x")), VIOLATION, NEW
    ),
    Case(
        "an expiry twice",
        "4.13.1-1",
        with_properties(0x30, T, twice("message_expiry_interval", 1)),
        VIOLATION,
        NEW,
    ),
    Case(
        "a topic alias twice", "4.13.1-1", with_properties(0x30, T, twice("topic_alias", 1)), VIOLATION, NEW
    ),
    Case("payload format 2", "4.13.1-1", with_properties(0x30, T, b"\x01\x02"), EITHER | {0x99}, NEW),
    Case(
        "a subscription identifier from a client",
        "3.3.4-6",
        with_properties(0x30, T, b"\x0b\x01"),
        EITHER,
        NEW,
    ),
    *(
        Case(
            f"the response topic {n!r}", "3.3.2-14", with_properties(0x30, T, b"\x08" + string(n)), TOPIC, NEW
        )
        for n in ("a/#", "+")
    ),
    *(
        Case(
            f"a content type with {n}", "3.3.2-19", with_properties(0x30, T, b"\x03" + string(b)), EITHER, NEW
        )
        for n, b in BAD_TEXT.items()
    ),
    *(
        Case(
            f"a response topic with {n}",
            "3.3.2-13",
            with_properties(0x30, T, b"\x08" + string(b)),
            TOPIC,
            NEW,
        )
        for n, b in BAD_TEXT.items()
    ),
    Case(
        "a user property with U+0000",
        "1.5.7-1",
        with_properties(0x30, T, b"\x26\0\x01a\0\x01\0"),
        EITHER,
        NEW,
    ),
    Case("half a user property", "1.5.7-1", with_properties(0x30, T, b"\x26\0\x01a"), MALFORMED, NEW),
    Case("half a number", "4.13.1-1", with_properties(0x30, T, b"\x02\0\0"), MALFORMED, NEW),
    Case("a length without properties", "2.2.2-1", lambda v: raw(0x30, T), MALFORMED, NEW),
    Case("properties beyond the end", "2.2.2-1", lambda v: raw(0x30, T + b"\x09\x01\0"), MALFORMED, NEW),
    Case(
        "properties cut in the middle",
        "2.2.2-1",
        lambda v: raw(0x30, T + b"\x03\x02\0\0\0\x09"),
        MALFORMED,
        NEW,
    ),
    Case(
        "a property length of five bytes",
        "1.5.5-1",
        lambda v: raw(0x30, T + b"\x80\x80\x80\x80\0"),
        MALFORMED,
        NEW,
    ),
    Case(
        "a property length longer than needed", "1.5.5-1", lambda v: raw(0x30, T + b"\x80\0"), MALFORMED, NEW
    ),
    Case(
        "subscription identifier 0",
        "3.8.2.1.2",
        with_properties(0x82, u16(1), b"\x0b\0", T + b"\0"),
        VIOLATION,
        NEW,
    ),
    Case(
        "two subscription identifiers",
        "3.8.2.1.2",
        with_properties(0x82, u16(1), b"\x0b\x01\x0b\x02", T + b"\0"),
        VIOLATION,
        NEW,
    ),
    Case(
        "a subscription identifier of five bytes",
        "1.5.5-1",
        with_properties(0x82, u16(1), b"\x0b\x80\x80\x80\x80\x01", T + b"\0"),
        MALFORMED,
        NEW,
    ),
    Case(
        "SUBSCRIBE with a property of PUBLISH",
        "4.13.1-1",
        with_properties(0x82, u16(1), b"\x01\x01", T + b"\0"),
        MALFORMED,
        NEW,
    ),
    Case(
        "UNSUBSCRIBE with an identifier",
        "4.13.1-1",
        with_properties(0xA2, u16(1), b"\x0b\x01", T),
        MALFORMED,
        NEW,
    ),
    Case(
        "PUBACK with a property of CONNECT",
        "4.13.1-1",
        plain(b"\x40\x07\0\x01\0\x03\x21\0\x01"),
        MALFORMED,
        NEW,
    ),
    Case("PUBACK with properties beyond the end", "4.13.1-1", plain(b"\x40\x04\0\x01\0\x05"), MALFORMED, NEW),
    Case("two reason strings", "4.13.1-1", plain(b"\x40\x0a\0\x01\0\x06\x1f\0\0\x1f\0\0"), VIOLATION, NEW),
    # DISCONNECT and AUTH.
    Case("DISCONNECT with an unknown reason", "3.14.2-1", plain(b"\xe0\x01\x55"), EITHER, NEW),
    Case(
        "DISCONNECT with a property of PUBLISH", "4.13.1-1", plain(b"\xe0\x04\0\x02\x01\x01"), MALFORMED, NEW
    ),
    Case("two expiry intervals", "4.13.1-1", plain(b"\xe0\x0c\0\x0a" + b"\x11\0\0\0\0" * 2), VIOLATION, NEW),
    Case("AUTH without method", "4.12.0-7", plain(b"\xf0\0"), VIOLATION, NEW),
    Case(
        "AUTH to begin without method",
        "4.12.0-7",
        plain(b"\xf0\x07\x19\x05\x15\0\x02xy"),
        EITHER | {0x8C},
        NEW,
    ),
]

LATE_WILL = Will("will", b"x", 1)

# Sent as the first packet. Version 5 answers with a CONNACK.
CONNECTS = [
    Case("the reserved connect flag", "3.1.2-3", connect(set_flags=0x01), MALFORMED),
    Case("will QoS without will", "3.1.2-13 3.1.2-11", connect(set_flags=0x08), EITHER),
    Case("will QoS 2 without will", "3.1.2-13 3.1.2-11", connect(set_flags=0x10), EITHER),
    Case("will retain without will", "3.1.2-15 3.1.2-13", connect(set_flags=0x20), EITHER),
    Case("will QoS 3", "3.1.2-14 3.1.2-12", connect(will=Will("will", b"x", 3)), MALFORMED),
    Case("a password without user name", "3.1.2-22", connect(password=b"x"), MALFORMED, OLD),
    Case("a user name that is not there", "3.1.2-19 3.1.2-17", connect(set_flags=0x80), MALFORMED),
    Case(
        "a password that is not there", "3.1.2-21 3.1.2-19", connect(username="u", set_flags=0x40), MALFORMED
    ),
    Case("a will that is not there", "3.1.2-9", connect(set_flags=0x04), MALFORMED),
    Case("a user name without its flag", "3.1.2-18 3.1.2-16", extended(connect(), string("user")), EITHER),
    Case("a CONNECT cut in the client identifier", "3.1.3-3", cut(connect(), 3), MALFORMED, ALL),
    Case("a CONNECT cut in the will", "3.1.4-1", cut(connect(will=LATE_WILL), 1), MALFORMED, ALL),
    Case(
        "a CONNECT cut in the password", "3.1.4-1", cut(connect(username="u", password=b"pw"), 1), MALFORMED
    ),
    Case("a CONNECT with more", "3.1.4-1", extended(connect(), b"\0"), EITHER),
    Case(
        "a password without its flag",
        "3.1.2-20 3.1.2-18",
        extended(connect(username="u"), string("p")),
        EITHER,
    ),
    *(
        Case(f"a client identifier with {n}", "3.1.3-4", connect(client_id=b), EITHER | {0x85})
        for n, b in BAD_TEXT.items()
    ),
    *(
        Case(f"a user name with {n}", "3.1.3-11 3.1.3-12", connect(username=b), EITHER | {0x86})
        for n, b in BAD_TEXT.items()
    ),
    *(Case(f"a will topic with {n}", "3.1.3-10", connect(will=Will(b)), TOPIC) for n, b in BAD_TEXT.items()),
    *(
        Case(f"the will topic {n!r}", "4.7.3-1 3.3.2-2", connect(will=Will(n)), TOPIC)
        for n in ("", "a/#", "+")
    ),
    # Properties.
    Case("an unknown property", "3.1.4-1", connect_properties(b"\x7f\0"), MALFORMED, NEW),
    Case("a property of PUBLISH", "3.1.4-1", connect_properties(b"\x23\0\x01"), MALFORMED, NEW),
    Case("a property of wills", "3.1.4-1", connect_properties(b"\x18\0\0\0\x01"), MALFORMED, NEW),
    Case(
        "an expiry twice", "3.1.4-1", connect_properties(twice("session_expiry_interval", 1)), VIOLATION, NEW
    ),
    Case(
        "a receive maximum twice", "3.1.4-1", connect_properties(twice("receive_maximum", 9)), VIOLATION, NEW
    ),
    Case("Receive Maximum 0", "3.1.4-1", connect_properties(b"\x21\0\0"), VIOLATION, NEW),
    Case("Maximum Packet Size 0", "3.1.4-1", connect_properties(b"\x27\0\0\0\0"), VIOLATION, NEW),
    Case("Request Problem Information 2", "3.1.4-1", connect_properties(b"\x17\x02"), EITHER, NEW),
    Case("Request Response Information 2", "3.1.4-1", connect_properties(b"\x19\x02"), EITHER, NEW),
    Case("data without method", "3.1.4-1", connect_properties(b"\x16\0\x01x"), VIOLATION, NEW),
    Case("half a property", "3.1.4-1", connect_properties(b"\x11\0\0"), MALFORMED, NEW),
    Case(
        "properties beyond the end",
        "3.1.4-1",
        lambda v: raw(0x10, string("MQTT") + b"\x05\x02\0\x3c\x40" + string("malformed")),
        MALFORMED,
        NEW,
    ),
    Case("a will with a property of CONNECT", "3.1.4-1", will_properties(b"\x11\0\0\0\x01"), MALFORMED, NEW),
    Case("a will with a topic alias", "3.1.4-1", will_properties(b"\x23\0\x01"), MALFORMED, NEW),
    Case(
        "a will with two delays", "3.1.4-1", will_properties(twice("will_delay_interval", 1)), VIOLATION, NEW
    ),
    Case("a will with payload format 2", "3.1.4-1", will_properties(b"\x01\x02"), EITHER, NEW),
    Case("a will with a wildcard to answer to", "3.3.2-14", will_properties(b"\x08\0\x01#"), TOPIC, NEW),
]

# Sent instead of a CONNECT: no version is known yet, so there are no words for the server to use
# ([MQTT-3.1.0-1], [MQTT-3.14.0-1]).
STRANGERS = {
    "PUBLISH": Publish("t", b"x").encode(V311),
    "SUBSCRIBE": Subscribe(1, [("t", 0)]).encode(V311),
    "PINGREQ": b"\xc0\0",
    "DISCONNECT": b"\xe0\0",
    "CONNACK": b"\x20\x02\0\0",
    "AUTH": b"\xf0\0",
    "type 0": b"\0\0",
    "an empty CONNECT": b"\x10\0",
    "a CONNECT of five bytes of length": b"\x10\xff\xff\xff\xff\x01",
    "half a protocol name": b"\x10\x04\0\x04MQ",
    "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(40),
    "zeros": bytes(100),
    "ones": b"\xff" * 100,
}


def label(case: Case, version: int) -> str:
    return f"{ {V31: '3.1', V311: '3.1.1', V5: '5.0'}[version] }-{case.name}"


def rows(cases: list[Case]) -> list[tuple[str, Case, int]]:
    """Each case in each of its versions, with a name for the test."""
    return [(label(case, version), case, version) for case in cases for version in case.versions]
