"""Wrong packets made from valid ones, field by field; and some that are still valid."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

from ..protocol.packets import V5, V31, V311, property_bytes, string, u16, variable
from ..protocol.tables import PROPERTIES
from .shape import CLIENT_ID, Field, Shape, hello, packet, shapes

# What is no string [MQTT-1.5.4-1] [MQTT-1.5.4-2], and some of what is one all the same.
TEXTS = [
    *(
        b"a\x80b",
        b"\xbf",
        b"a\xc0\xafb",
        b"\xc1\xbf",
        b"\xe0\x80\xaf",
        b"\xf0\x80\x80\xaf",
        b"a\xffb",
        b"\xfe",
    ),
    *(b"a\xe2\x82", b"\xc3", b"\xf0\x9f\x98", b"\xe2\x28\xa1", b"a\xed\xa0\x80b", b"\xed\xbf\xbf"),
    *(b"\xed\xa0\xbd\xed\xb8\x80", b"a\xf4\x90\x80\x80b", b"\xf8\x88\x80\x80\x80", b"\0", b"a\0b", b"ab\0"),
    *(b"", b"\xc2\xa3", b"\xe2\x82\xac", b"\xf0\x9f\x98\x80", b"\xef\xbb\xbfa", b"\xf4\x8f\xbf\xbf", b" "),
    *(b"a" * 300, b"/", b"//"),
]
NAMES = [
    *(
        b"#",
        b"+",
        b"a/#",
        b"+/b",
        b"a/#/b",
        b"a#",
        b"a+",
        b"+a/b",
        b"#a",
        b"a/b#",
        b"##",
        b"++",
        b"/#",
        b"$share",
    ),
    *(
        b"$share/",
        b"$share/g",
        b"$share//a",
        b"$share/g/",
        b"$share/g+/a",
        b"$share/g/a#",
        b"$share/g/#",
        b"$x/+",
    ),
]
LENGTHS = (b"\0\0", b"\0\1", b"\x7f\xff", b"\xff\xfe", b"\xff\xff")
NUMBERS = (0, 1, 2, 3, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x1_0000, 2**31, 2**32 - 1)
REMAINING = [  # Remaining Lengths that are wrong whatever follows
    *(b"\x80\0", b"\x81\0", b"\x80\x80\0", b"\x80\x80\x80\0", b"\xff\xff\xff\xff\x01", b"\x80\x80\x80\x80\0"),
    *(
        b"\xff\xff\xff\xff\xff",
        b"\xff\xff\xff\x7f",
        b"\x80\x80\x80\x08",
        b"\xff\xff\xff\x07",
        b"\xff\xff\x7f",
    ),
]


class Case(NamedTuple):
    """Bytes that are sent instead of a CONNECT, or after one."""

    version: int
    type: str
    what: str
    data: bytes
    connected: bool
    expiry: bool = False  # after a CONNECT that lets the session outlive its connection


def whole(shape: Shape) -> Iterator[tuple[str, bytes]]:
    """What is wrong with the packet from outside: its type, its flags, its length, its end."""
    body, right = shape.body(), shape.encode()
    yield "nothing", right
    for other in range(256):
        if other >> 4 == shape.kind or other & 15 == shape.first & 15 or not shape.fields:
            yield f"first byte 0x{other:02X}", bytes([other]) + right[1:]
    lengths = {*range(len(body) + 12), 2 * len(body)} - {len(body)}
    for length in lengths if len(body) < 40 else sorted(lengths)[:: len(lengths) // 40]:
        yield f"length {length} for {len(body)}", right[:1] + variable(length) + body
    for length in REMAINING:
        yield f"length {length.hex()}", right[:1] + length + body
    for size in (2, 3, 4):
        yield f"length in {size} bytes", right[:1] + longer_variable(len(body), size) + body
    for end in range(len(body)):
        yield f"cut at {end}", packet(shape.first, body[:end])
    for more in (b"\0", b"\xff", b"\0\0", b"\0\1a", b"\0" * 200, right):
        yield f"{len(more)} bytes more", packet(shape.first, body + more)
    yield "twice", right + right


UNFINISHED = "broken off"


def unfinished(shape: Shape) -> Iterator[tuple[str, bytes]]:
    """The packet broken off at each byte."""
    right = shape.encode()
    for end in range(1, len(right)):
        yield f"{UNFINISHED} at {end}", right[:end]


def longer_variable(value: int, size: int) -> bytes:
    digits = [value >> 7 * place & 0x7F for place in range(size)]
    return bytes(digit | 0x80 for digit in digits[:-1]) + bytes(digits[-1:])


def bytewise(shape: Shape) -> Iterator[tuple[str, bytes]]:
    """Each byte of the body with each bit changed, gone, or twice."""
    body = shape.body()
    for at, byte in enumerate(body):
        for bit in range(8):
            edited = body[:at] + bytes([byte ^ 1 << bit]) + body[at + 1 :]
            yield f"bit {bit} of byte {at}", packet(shape.first, edited)
        yield f"without byte {at}", packet(shape.first, body[:at] + body[at + 1 :])
        yield f"byte {at} twice", packet(shape.first, body[:at] + body[at : at + 1] + body[at:])


def fieldwise(shape: Shape) -> Iterator[tuple[str, bytes]]:
    """Each field with every wrong value there is for its kind, and at the edges of the right ones."""
    for index, field in enumerate(shape.fields):
        for what, data in values(shape, field):
            yield f"{field.name} {what}", shape.with_field(index, data)
        yield f"{field.name} left out", shape.with_field(index, b"")
        yield f"{field.name} twice", shape.with_field(index, field.data * 2)


def values(shape: Shape, field: Field) -> Iterator[tuple[str, bytes]]:
    kind = field.kind
    if kind in ("byte", "level", "flags", "options", "reason"):
        for value in range(256):
            yield f"0x{value:02X}", bytes([value])
    elif kind in ("u16", "id"):
        for value in NUMBERS:
            if value < 2**16:
                yield str(value), u16(value)
    elif kind == "properties":
        yield from property_values(shape, field)
    elif kind in ("string", "topic", "filter", "protocol", "binary"):
        for length in LENGTHS:
            yield f"length {length.hex()}", length + field.data[2:]
        for length in (len(field.data) - 3, len(field.data) - 1, len(field.data)):
            yield f"length {length}", u16(max(0, length)) + field.data[2:]
        texts = [b"MQTT", b"MQIsdp", b"mqtt", b"MQTT\0", b"MQTTX", b"MQT"] if kind == "protocol" else []
        for text in [*TEXTS, *texts, *(NAMES if kind in ("topic", "filter") else [])]:
            yield f"{text[:12]!r}", string(text)
            if kind != "protocol":
                yield f"with {text[:12]!r}", string(field.data[2:] + text)


def property_values(shape: Shape, field: Field) -> Iterator[tuple[str, bytes]]:
    size = next(place for place, digit in enumerate(field.data, 1) if digit < 0x80)
    inner = field.data[size:]
    for length in sorted({0, 1, len(inner) - 1, len(inner) + 1, len(inner) + 2, 127, 128, 2**28 - 1}):
        if length >= 0:
            yield f"of length {length}", variable(length) + inner
    yield "of five bytes of length", b"\x80\x80\x80\x80\0" + inner
    yield "of a length longer than needed", longer_variable(len(inner), 2 + size % 3) + inner

    def framed(data: bytes) -> bytes:
        return variable(len(data)) + data

    for number in [*range(0x30), 0x7F, 0xFF, 0x3FFF, 2**28 - 1]:
        if number not in PROPERTIES:
            yield f"unknown 0x{number:X}", framed(variable(number) + b"\0\0\0\0" + inner)
            yield f"unknown 0x{number:X} at the end", framed(inner + variable(number))
    yield "with an identifier longer than needed", framed(b"\xa6\0\0\0\0\0" + inner)
    for name, kind in PROPERTIES.values():
        for value in samples(kind):
            data = property_bytes(name, value)
            yield f"{name} {str(value)[:16]!r}", framed(data + inner)
            yield f"only {name} {str(value)[:16]!r}", framed(data)
        yield f"{name} twice", framed(data + data)
        yield f"{name} at the end", framed(inner + data)
        for end in range(1, len(data)):
            yield f"{name} cut at {end}", framed(inner + data[:end])


def samples(kind: str) -> list[object]:
    if kind == "pair":
        return [(b"a", b"b"), (b"", b""), (b"\0", b""), (b"", b"\xff"), (b"\xed\xa0\x80", b"x")]
    if kind == "string":
        return [b"", b"\0", b"a\xff", b"\xed\xa0\x80", b"a/#", b"+", b"text"]
    if kind == "binary":
        return [b"", b"\0\xff"]
    most = {"byte": 0xFF, "u16": 0xFFFF, "u32": 2**32 - 1, "variable": 2**28 - 1}[kind]
    return [value for value in NUMBERS if value < most and value not in (3, 0x100)] + [most, 1]


def flags(version: int) -> Iterator[tuple[str, bytes]]:
    """All Connect Flags, each with the fields it asks for."""
    for value in range(256):
        body = b"\0" if version == V5 else b""
        fields = string(CLIENT_ID)
        if value & 4:
            fields += body + string("will/flags") + string("x")
        if value & 0x80:
            fields += string("user")
        if value & 0x40:
            fields += string("password")
        head = b"".join(field.data for field in hello(version).fields[:2])
        yield f"flags 0x{value:02X}", packet(0x10, head + bytes([value]) + u16(60) + body + fields)


def havoc(dice: random.Random, shape: Shape) -> tuple[str, bytes]:
    """Some edits at once, anywhere; the length put right most of the time."""
    data = bytearray(shape.encode())
    for _ in range(dice.randint(2, 5)):
        at = dice.randrange(len(data)) if data else 0
        end = at + dice.randint(0, 6)
        edit = dice.randrange(5)
        if edit == 0:
            data[at:end] = b""
        elif edit == 1:
            data[at:at] = dice.randbytes(dice.randint(1, 4))
        elif edit == 2:
            data[at:at] = data[at:end]
        elif edit == 3:
            data[at : at + 1] = dice.choice([b"\0", b"\x01", b"\x7f", b"\x80", b"\xff", b"#", b"+", b"&"])
        else:
            data[at:at] = bytes([dice.choice([*PROPERTIES]), 0, 0])
    body = bytes(data[2:])
    return "havoc", packet(data[0] if data else 0, body) if dice.random() < 0.9 else bytes(data)


def cases(seed: int, at_least: int) -> list[Case]:
    """All cases, and as many random ones as are needed for so many; in an order that the seed decides."""
    dice = random.Random(seed)
    found: dict[tuple[int, bytes, bool, bool], Case] = {}

    def add(shape: Shape, what: str, data: bytes, *, connected: bool) -> None:
        expiry = connected and shape.version == V5 and dice.random() < 0.5
        key = shape.version, data, connected, expiry
        found.setdefault(key, Case(shape.version, shape.type, what, data, connected, expiry))

    all_shapes = shapes()
    for shape in all_shapes:
        connected = shape.kind != 1
        for derive in (whole, unfinished, fieldwise, bytewise):
            for what, data in derive(shape):
                add(shape, what, data, connected=connected)
        # In the wrong state: a second CONNECT; anything else before it. There only the first byte counts.
        add(shape, "in the wrong state", shape.encode(), connected=not connected)
    for version in (V31, V311, V5):
        for what, data in flags(version):
            add(hello(version), what, data, connected=False)
        for what, data in fieldwise(hello(version)):
            add(hello(version), f"a second CONNECT: {what}", data, connected=True)
    while len(found) < at_least:
        shape = dice.choice(all_shapes)
        what, data = havoc(dice, shape)
        add(shape, what, data, connected=shape.kind != 1 or dice.random() < 0.05)
    everything = list(found.values())
    dice.shuffle(everything)
    return everything
