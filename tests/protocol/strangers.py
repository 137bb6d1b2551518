"""First packets that a server refuses: a malformed CONNECT, and something else than a CONNECT.

To a malformed CONNECT version 5 answers with a CONNACK, 3.1.1 with the end of the connection.
"""

from __future__ import annotations

from .cases import (
    ALL,
    EITHER,
    MALFORMED,
    NEW,
    OLD,
    TOPIC,
    VIOLATION,
    Case,
    bad_texts,
    connect,
    connect_properties,
    cut,
    extended,
    plain,
    twice,
    will_properties,
)
from .packets import V311, Connect, Publish, Subscribe, Will, raw, string

WILL = Will("will", b"x", 1)
BARE = string("MQTT") + b"\x05\x02\x00\x3c"  # of version 5, up to the properties


def without_will_payload(version: int) -> bytes:
    whole = Connect("malformed", will=Will("will")).encode(version)
    return raw(whole[0], whole[2:-2])


FLAGS = [
    Case("the reserved connect flag", connect(set_flags=0x01), MALFORMED),
    Case("will QoS without will", connect(set_flags=0x08), EITHER),
    Case("will QoS 2 without will", connect(set_flags=0x10), EITHER),
    Case("will retain without will", connect(set_flags=0x20), EITHER),
    Case("will QoS 3", connect(will=Will("will", b"x", 3)), MALFORMED),
    Case("a will that is not there", connect(set_flags=0x04), MALFORMED),
    Case("a will without its message", without_will_payload, MALFORMED),
    Case("a will that is cut off", cut(connect(will=WILL), 1), MALFORMED, ALL),
    Case("a will without its flag", extended(connect(), string("will") + string("x")), EITHER),
    Case("a user name that is not there", connect(set_flags=0x80), MALFORMED),
    Case("a user name without its flag", extended(connect(), string("user")), EITHER),
    Case("a password that is not there", connect(username="u", set_flags=0x40), MALFORMED),
    Case("a password that is cut off", cut(connect(username="u", password=b"pw"), 1), MALFORMED),
    Case("a password without its flag", extended(connect(username="u"), string("p")), EITHER),
    Case("a password without user name", connect(password=b"x"), MALFORMED, OLD),
    Case("no client identifier", cut(connect(), 11), MALFORMED, ALL),
    Case("a client identifier that is cut off", cut(connect(), 3), MALFORMED, ALL),
    Case("one byte more", extended(connect(), b"\0"), EITHER),
]

STRINGS = [
    *bad_texts("a client identifier", lambda data: connect(client_id=data), EITHER | {0x85}),
    *bad_texts("a user name", lambda data: connect(username=data), EITHER | {0x86}),
    *bad_texts("a will topic", lambda data: connect(will=Will(data)), TOPIC),
    *(Case(f"the will topic {name!r}", connect(will=Will(name)), TOPIC) for name in ("", "a/#", "+")),
    *bad_texts("a method", lambda data: connect_properties(b"\x15" + string(data)), EITHER | {0x8C}, NEW),
    *bad_texts(
        "a user property", lambda data: connect_properties(b"\x26" + string(data) + string("b")), EITHER, NEW
    ),
    *bad_texts(
        "the content type of a will", lambda data: will_properties(b"\x03" + string(data)), EITHER, NEW
    ),
]

PROPERTIES = [
    Case("an unknown property", connect_properties(b"\x7f\0"), MALFORMED, NEW),
    Case("a property of PUBLISH", connect_properties(b"\x23\0\x01"), MALFORMED, NEW),
    Case("a property of wills", connect_properties(b"\x18\0\0\0\x01"), MALFORMED, NEW),
    Case("an expiry twice", connect_properties(twice("session_expiry_interval", 1)), VIOLATION, NEW),
    Case("a receive maximum twice", connect_properties(twice("receive_maximum", 9)), VIOLATION, NEW),
    Case("Receive Maximum 0", connect_properties(b"\x21\0\0"), VIOLATION, NEW),
    Case("Maximum Packet Size 0", connect_properties(b"\x27\0\0\0\0"), VIOLATION, NEW),
    Case("Request Problem Information 2", connect_properties(b"\x17\x02"), EITHER, NEW),
    Case("Request Response Information 2", connect_properties(b"\x19\x02"), EITHER, NEW),
    Case("data without method", connect_properties(b"\x16\0\x01x"), VIOLATION, NEW),
    Case("a method twice", connect_properties(twice("authentication_method", "x")), VIOLATION, NEW),
    Case("half a property", connect_properties(b"\x11\0\0"), MALFORMED, NEW),
    Case("no length of properties", plain(raw(0x10, BARE)), MALFORMED, NEW),
    Case("a length longer than needed", plain(raw(0x10, BARE + b"\x80\0\0\x01x")), MALFORMED, NEW),
    Case("properties beyond the end", plain(raw(0x10, BARE + b"\x40" + string("x"))), MALFORMED, NEW),
    Case("a will with a property of CONNECT", will_properties(b"\x11\0\0\0\x01"), MALFORMED, NEW),
    Case("a will with a topic alias", will_properties(b"\x23\0\x01"), MALFORMED, NEW),
    Case("a will with two delays", will_properties(twice("will_delay_interval", 1)), VIOLATION, NEW),
    Case("a will with payload format 2", will_properties(b"\x01\x02"), EITHER, NEW),
    Case("a will with a wildcard to answer to", will_properties(b"\x08\0\x01#"), TOPIC, NEW),
]

# Sent instead of a CONNECT: no version is known yet, so there are no words for the server to use.
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
