"""MQTT control packets for the protocol tests, written from the specification, not from the broker.

Every packet is a dataclass. `encode` gives the bytes a client sends; `decode` reads what a server sent and
raises `ServerError` for anything a server must not send, so each test also checks the form of every reply.
Properties are a mapping from the specification's words in snake_case to values (or a list of pairs, to send a
property twice); `user_property` is a list of pairs, `subscription_identifier` a list of numbers.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from .tables import PROPERTIES, PROPERTY_IDS, REASONS, SERVER_PROPERTIES

V31, V311, V5 = 3, 4, 5

Properties = Mapping[str, Any] | Sequence[tuple[str, Any]]


class ServerError(AssertionError):
    """The server sent bytes that the specification forbids."""


def variable(number: int) -> bytes:
    """A Variable Byte Integer."""
    out = bytearray()
    while True:
        number, digit = divmod(number, 128)
        out.append(digit | (0x80 if number else 0))
        if not number:
            return bytes(out)


def u16(number: int) -> bytes:
    return struct.pack(">H", number)


def binary(data: bytes) -> bytes:
    return u16(len(data)) + data


def string(text: str | bytes) -> bytes:
    return binary(text.encode() if isinstance(text, str) else text)


def raw(first: int, body: bytes = b"", *, length: bytes | None = None) -> bytes:
    """A packet from its first byte and its body; `length` replaces the true Remaining Length."""
    return bytes([first]) + (variable(len(body)) if length is None else length) + body


def property_bytes(name: str, value: Any) -> bytes:
    """One property as it stands on the wire."""
    number = PROPERTY_IDS[name]
    kind = PROPERTIES[number][1]
    if kind == "pair":
        content = string(value[0]) + string(value[1])
    elif kind == "string":
        content = string(value)
    elif kind == "binary":
        content = binary(value)
    elif kind == "variable":
        content = variable(value)
    else:
        content = struct.pack({"byte": ">B", "u16": ">H", "u32": ">I"}[kind], value)
    return bytes([number]) + content


def properties(given: Properties) -> bytes:
    """The property length and the properties."""
    out = b""
    for name, value in given.items() if isinstance(given, Mapping) else given:
        repeated = name in ("user_property", "subscription_identifier") and isinstance(value, list)
        out += b"".join(property_bytes(name, each) for each in (value if repeated else [value]))
    return variable(len(out)) + out


def subscription(
    topic_filter: str | bytes,
    qos: int = 0,
    *,
    no_local: bool = False,
    retain_as_published: bool = False,
    retain_handling: int = 0,
) -> tuple[str | bytes, int]:
    """A topic filter and its subscription options byte."""
    return topic_filter, qos | no_local << 2 | retain_as_published << 3 | retain_handling << 4


class Packet:
    """What every packet has: a type, flags and a body that depends on the protocol version."""

    kind: ClassVar[int]
    flags: int = 0

    def body(self, version: int) -> bytes:
        return b""

    def encode(self, version: int) -> bytes:
        return raw(self.kind << 4 | self.flags, self.body(version))


@dataclass
class Will:
    topic: str | bytes
    payload: bytes = b""
    qos: int = 0
    retain: bool = False
    properties: Properties = field(default_factory=dict)


@dataclass
class Connect(Packet):
    client_id: str | bytes = ""
    clean: bool = True
    keep_alive: int = 60
    will: Will | None = None
    username: str | bytes | None = None
    password: bytes | None = None
    properties: Properties = field(default_factory=dict)
    protocol: tuple[bytes, int] | None = None  # another protocol name and level than the version's own
    set_flags: int = 0  # further bits for the connect flags, to send forbidden ones
    kind: ClassVar[int] = 1

    def body(self, version: int) -> bytes:
        will, user, secret = self.will, self.username, self.password
        flags = self.clean << 1 | (user is not None) << 7 | (secret is not None) << 6 | self.set_flags
        if will:
            flags |= 1 << 2 | will.qos << 3 | will.retain << 5
        name, level = self.protocol or ((b"MQIsdp", 3) if version == V31 else (b"MQTT", version))
        out = string(name) + bytes([level, flags]) + u16(self.keep_alive)
        out += properties(self.properties) if version == V5 else b""
        out += string(self.client_id)
        if will:
            out += properties(will.properties) if version == V5 else b""
            out += string(will.topic) + binary(will.payload)
        out += b"" if user is None else string(user)
        return out + (b"" if secret is None else binary(secret))


@dataclass
class Connack(Packet):
    code: int = 0
    session_present: bool = False
    properties: dict[str, Any] = field(default_factory=dict)
    kind: ClassVar[int] = 2


@dataclass
class Publish(Packet):
    topic: str | bytes
    payload: bytes = b""
    qos: int = 0
    retain: bool = False
    dup: bool = False
    id: int | None = None  # where a packet is expected, None stands for any identifier but zero
    properties: Properties = field(default_factory=dict)
    kind: ClassVar[int] = 3

    @property
    def flags(self) -> int:  # type: ignore[override]
        return self.dup << 3 | self.qos << 1 | self.retain

    def body(self, version: int) -> bytes:
        out = string(self.topic) + (b"" if self.id is None else u16(self.id))
        return out + (properties(self.properties) if version == V5 else b"") + self.payload


@dataclass
class Ack(Packet):
    id: int
    code: int = 0
    properties: Properties = field(default_factory=dict)

    def body(self, version: int) -> bytes:
        out = u16(self.id)
        if version == V5 and (self.code or self.properties):
            out += bytes([self.code]) + (properties(self.properties) if self.properties else b"")
        return out


@dataclass
class Puback(Ack):
    kind: ClassVar[int] = 4


@dataclass
class Pubrec(Ack):
    kind: ClassVar[int] = 5


@dataclass
class Pubrel(Ack):
    kind: ClassVar[int] = 6
    flags: ClassVar[int] = 2  # type: ignore[misc]


@dataclass
class Pubcomp(Ack):
    kind: ClassVar[int] = 7


@dataclass
class Subscribe(Packet):
    id: int
    filters: Sequence[tuple[str | bytes, int]] = ()
    properties: Properties = field(default_factory=dict)
    kind: ClassVar[int] = 8
    flags: ClassVar[int] = 2  # type: ignore[misc]

    def body(self, version: int) -> bytes:
        out = u16(self.id) + (properties(self.properties) if version == V5 else b"")
        return out + b"".join(string(name) + bytes([options]) for name, options in self.filters)


@dataclass
class Suback(Packet):
    id: int
    codes: list[int]
    properties: dict[str, Any] = field(default_factory=dict)
    kind: ClassVar[int] = 9


@dataclass
class Unsubscribe(Packet):
    id: int
    filters: Sequence[str | bytes] = ()
    properties: Properties = field(default_factory=dict)
    kind: ClassVar[int] = 10
    flags: ClassVar[int] = 2  # type: ignore[misc]

    def body(self, version: int) -> bytes:
        out = u16(self.id) + (properties(self.properties) if version == V5 else b"")
        return out + b"".join(string(name) for name in self.filters)


@dataclass
class Unsuback(Packet):
    id: int
    codes: list[int] = field(default_factory=list)  # always empty before version 5
    properties: dict[str, Any] = field(default_factory=dict)
    kind: ClassVar[int] = 11


@dataclass
class Pingreq(Packet):
    kind: ClassVar[int] = 12


@dataclass
class Pingresp(Packet):
    kind: ClassVar[int] = 13


@dataclass
class Disconnect(Packet):
    code: int = 0
    properties: Properties = field(default_factory=dict)
    kind: ClassVar[int] = 14

    def body(self, version: int) -> bytes:
        if version != V5 or not (self.code or self.properties):
            return b""
        return bytes([self.code]) + properties(self.properties)


@dataclass
class Auth(Packet):
    code: int = 0
    properties: Properties = field(default_factory=dict)
    kind: ClassVar[int] = 15

    def body(self, version: int) -> bytes:
        return bytes([self.code]) + properties(self.properties) if self.code or self.properties else b""


class Reader:
    """Takes values from the front of a packet's body."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def take(self, count: int) -> bytes:
        if count > len(self.data):
            raise ServerError(f"a field of {count} bytes, but only {len(self.data)} are left")
        out, self.data = self.data[:count], self.data[count:]
        return out

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def variable(self) -> int:
        value = 0
        for place in range(4):
            digit = self.number(1)
            value |= (digit & 0x7F) << 7 * place
            if digit < 0x80:
                if place and not digit:
                    raise ServerError("a Variable Byte Integer longer than needed [MQTT-1.5.5-1]")
                return value
        raise ServerError("a Variable Byte Integer of more than four bytes")

    def string(self) -> str:
        text = self.take(self.number(2)).decode()  # Python refuses surrogates and overlong forms
        if "\0" in text:
            raise ServerError("U+0000 in a string [MQTT-1.5.4-2]")
        return text

    def properties(self, kind: int) -> dict[str, Any]:
        inner, out = Reader(self.take(self.variable())), dict[str, Any]()
        while inner.data:
            number = inner.number(1)
            name, form = PROPERTIES.get(number, (f"0x{number:02X}", ""))
            if name not in SERVER_PROPERTIES[kind]:
                raise ServerError(f"property {name} in packet type {kind}")
            if form == "pair":
                out.setdefault(name, []).append((inner.string(), inner.string()))
                continue
            value: Any
            if form == "string":
                value = inner.string()
            elif form == "binary":
                value = inner.take(inner.number(2))
            elif form == "variable":
                value = inner.variable()
            else:
                value = inner.number({"byte": 1, "u16": 2, "u32": 4}[form])
            if name == "subscription_identifier":
                out[name] = sorted([*out.get(name, []), value])  # their order is not significant
            elif name in out:
                raise ServerError(f"property {name} twice")
            else:
                out[name] = value
        return out


def decode(first: int, body: bytes, version: int) -> Packet:
    """The packet that a server of this version sent, checked against the rules for servers."""
    kind, flags, reader = first >> 4, first & 15, Reader(body)
    if kind != Publish.kind and flags != (2 if kind == Pubrel.kind else 0):
        raise ServerError(f"flags {flags:04b} in packet type {kind} [MQTT-2.1.3-1]")
    decoder = DECODERS.get(kind)
    if decoder is None or (kind in (Disconnect.kind, Auth.kind) and version != V5):
        raise ServerError(f"a server never sends packet type {kind} in version {version}")
    packet = decoder(flags, reader, version)
    if reader.data:
        raise ServerError(f"{len(reader.data)} bytes after the end of {packet}")
    return packet


def _reason(kind: int, code: int, version: int) -> int:
    if code not in REASONS[kind, version == V5]:
        raise ServerError(f"reason code 0x{code:02X} in packet type {kind}")
    return code


def _connack(flags: int, reader: Reader, version: int) -> Packet:
    present = reader.number(1)
    code = _reason(Connack.kind, reader.number(1), version)
    if present > 1 or (present and code):
        raise ServerError(f"connect acknowledge flags {present:08b} with code 0x{code:02X} [MQTT-3.2.2-1]")
    return Connack(code, bool(present), reader.properties(Connack.kind) if version == V5 else {})


def _publish(flags: int, reader: Reader, version: int) -> Packet:
    dup, qos, retain = flags >> 3, flags >> 1 & 3, flags & 1
    if qos == 3 or (dup and not qos):
        raise ServerError(f"PUBLISH with flags {flags:04b} [MQTT-3.3.1-2] [MQTT-3.3.1-4]")
    topic, number = reader.string(), reader.number(2) if qos else None
    if number == 0 or "+" in topic or "#" in topic:
        raise ServerError(f"PUBLISH of {topic!r} with packet identifier {number}")
    given = reader.properties(Publish.kind) if version == V5 else {}
    if not topic and "topic_alias" not in given:
        raise ServerError("PUBLISH without topic name and topic alias [MQTT-4.7.3-1]")
    if given.get("topic_alias") == 0:
        raise ServerError("topic alias 0 [MQTT-3.3.2-8]")
    return Publish(topic, reader.take(len(reader.data)), qos, bool(retain), bool(dup), number, given)


def _ack(cls: type[Ack]) -> Any:
    def read(flags: int, reader: Reader, version: int) -> Packet:
        number = reader.number(2)
        if version != V5 or not reader.data:
            return cls(number)
        code = _reason(cls.kind, reader.number(1), version)
        return cls(number, code, reader.properties(cls.kind) if reader.data else {})

    return read


def _suback(flags: int, reader: Reader, version: int) -> Packet:
    number, given = reader.number(2), reader.properties(Suback.kind) if version == V5 else {}
    codes = [_reason(Suback.kind, code, version) for code in reader.take(len(reader.data))]
    return Suback(number, codes, given)


def _unsuback(flags: int, reader: Reader, version: int) -> Packet:
    if version != V5:
        return Unsuback(reader.number(2))
    number, given = reader.number(2), reader.properties(Unsuback.kind)
    codes = [_reason(Unsuback.kind, code, version) for code in reader.take(len(reader.data))]
    return Unsuback(number, codes, given)


def _disconnect(flags: int, reader: Reader, version: int) -> Packet:
    code = _reason(Disconnect.kind, reader.number(1), version) if reader.data else 0
    return Disconnect(code, reader.properties(Disconnect.kind) if reader.data else {})


def _auth(flags: int, reader: Reader, version: int) -> Packet:
    code = _reason(Auth.kind, reader.number(1), version) if reader.data else 0
    return Auth(code, reader.properties(Auth.kind) if reader.data else {})


DECODERS: dict[int, Any] = {
    Connack.kind: _connack,
    Publish.kind: _publish,
    Suback.kind: _suback,
    Unsuback.kind: _unsuback,
    Pingresp.kind: lambda flags, reader, version: Pingresp(),
    Disconnect.kind: _disconnect,
    Auth.kind: _auth,
    **{cls.kind: _ack(cls) for cls in (Puback, Pubrec, Pubrel, Pubcomp)},
}
