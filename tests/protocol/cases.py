"""What a case of a malformed packet is, and what such packets are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from .packets import V5, V31, V311, Connect, property_bytes, raw, string, u16, variable

MALFORMED = frozenset({0x81})
VIOLATION = frozenset({0x82})
EITHER = MALFORMED | VIOLATION
TOPIC = EITHER | {0x90}

ALL, MODERN, OLD, NEW = (V31, V311, V5), (V311, V5), (V311,), (V5,)
T = string("t")

Make = Callable[[int], bytes]  # version -> bytes


class Case(NamedTuple):
    name: str
    make: Make
    codes: frozenset[int]  # reason codes of version 5, of which the server sends one
    versions: tuple[int, ...] = MODERN


def none(version: int) -> bytes:
    """No properties."""
    return b"\0" if version == V5 else b""


def plain(data: bytes) -> Make:
    return lambda version: data


def publish(first: int, topic: bytes, rest: bytes = b"") -> Make:
    """A PUBLISH from its first byte, its topic field and what stands between topic and properties."""
    return lambda version: raw(first, topic + rest + none(version) + b"x")


def with_properties(first: int, before: bytes, given: bytes, after: bytes = b"") -> Make:
    """A packet with the bytes of its properties given, their length true."""
    return lambda version: raw(first, before + variable(len(given)) + given + after)


def subscribe(topic_filter: bytes, options: int = 0, number: int = 1) -> Make:
    return lambda version: raw(0x82, u16(number) + none(version) + topic_filter + bytes([options]))


def unsubscribe(topic_filter: bytes, number: int = 1) -> Make:
    return lambda version: raw(0xA2, u16(number) + none(version) + topic_filter)


def connect(**fields) -> Make:
    return lambda version: Connect(**{"client_id": "malformed", **fields}).encode(version)


def connect_properties(given: bytes) -> Make:
    head = string("MQTT") + b"\x05\x02\x00\x3c"
    return with_properties(0x10, head, given, string("malformed"))


def will_properties(given: bytes) -> Make:
    head = string("MQTT") + b"\x05\x06\x00\x3c\x00" + string("malformed")
    return with_properties(0x10, head, given, string("will") + string("x"))


def cut(make: Make, count: int) -> Make:
    """The packet without its last bytes, its Remaining Length corrected: a field is cut off."""

    def shorter(version: int) -> bytes:
        whole = make(version)
        return raw(whole[0], whole[2:-count])

    return shorter


def extended(make: Make, more: bytes) -> Make:
    """The packet with bytes after its end, its Remaining Length corrected."""

    def longer(version: int) -> bytes:
        whole = make(version)
        return raw(whole[0], whole[2:] + more)

    return longer


def twice(name: str, value: object) -> bytes:
    return property_bytes(name, value) * 2


BAD_TEXTS = {
    "a lone continuation byte": b"a\x80b",
    "an overlong slash": b"a\xc0\xafb",
    "0xFF": b"a\xffb",
    "half a character": b"a\xe2\x82",
    "a surrogate": b"a\xed\xa0\x80b",
    "a pair of surrogates": b"a\xed\xa0\xbd\xed\xb8\x80b",
    "beyond U+10FFFF": b"a\xf4\x90\x80\x80b",
    "U+0000": b"a\0b",
}


def bad_texts(
    what: str,
    make: Callable[[bytes], Make],
    codes: frozenset[int] = EITHER,
    versions: tuple[int, ...] = MODERN,
) -> list[Case]:
    """A case for each kind of bytes that are no string, in one field of a packet."""
    return [Case(f"{what} with {name}", make(data), codes, versions) for name, data in BAD_TEXTS.items()]


def parameters(cases: list[Case]) -> pytest.MarkDecorator:
    """Each case in each of its versions."""
    rows = [(case, version) for case in cases for version in case.versions]
    names = {V31: "3.1", V311: "3.1.1", V5: "5.0"}
    return pytest.mark.parametrize(
        ("case", "version"), rows, ids=[f"{names[version]}-{case.name}" for case, version in rows]
    )
