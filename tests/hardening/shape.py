"""Valid packets of every type and version, as a list of their fields, from which wrong ones are made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..protocol.packets import V5, V31, V311, binary, property_bytes, string, variable
from .rule import SERVER_PACKETS

VERSIONS = (V31, V311, V5)
VERSION_NAMES = {V31: "3.1", V311: "3.1.1", V5: "5.0"}
TYPES = {
    1: "CONNECT",
    2: "CONNACK",
    3: "PUBLISH",
    4: "PUBACK",
    5: "PUBREC",
    6: "PUBREL",
    7: "PUBCOMP",
    8: "SUBSCRIBE",
    9: "SUBACK",
    10: "UNSUBSCRIBE",
    11: "UNSUBACK",
    12: "PINGREQ",
    13: "PINGRESP",
    14: "DISCONNECT",
    15: "AUTH",
}

# Stands for a Client Identifier that no other case has; as long as what it is replaced with.
CLIENT_ID = b"<client>"


@dataclass(frozen=True)
class Field:
    """A field: what it is called, how it is written, and its bytes with their length."""

    name: str
    kind: (
        str  # byte, level, flags, options, reason, u16, id, u32, string, topic, binary, payload, properties …
    )
    data: bytes


@dataclass(frozen=True)
class Shape:
    """A valid packet of one version."""

    version: int
    first: int
    fields: tuple[Field, ...] = ()

    @property
    def kind(self) -> int:
        return self.first >> 4

    @property
    def type(self) -> str:
        return TYPES[self.kind]

    def body(self) -> bytes:
        return b"".join(field.data for field in self.fields)

    def encode(self) -> bytes:
        return packet(self.first, self.body())

    def with_field(self, index: int, data: bytes) -> bytes:
        """The packet with other bytes in one field."""
        parts = [field.data for field in self.fields]
        parts[index] = data
        return packet(self.first, b"".join(parts))


def packet(first: int, body: bytes) -> bytes:
    return bytes([first]) + variable(len(body)) + body


def text(name: str, value: str | bytes, kind: str = "string") -> Field:
    return Field(name, kind, string(value))


def number(name: str, value: int, kind: str = "u16") -> Field:
    return Field(name, kind, value.to_bytes({"u32": 4, "u16": 2, "id": 2}.get(kind, 1), "big"))


def payload(value: bytes) -> Field:
    return Field("payload", "payload", value)


def properties(version: int, **given: object) -> tuple[Field, ...]:
    """The properties, which only 5.0 has; a list gives one several times."""
    if version != V5:
        return ()
    out = b""
    for name, value in given.items():
        for each in value if isinstance(value, list) else [value]:
            out += property_bytes(name, each)
    return (Field("properties", "properties", variable(len(out)) + out),)


MESSAGE = {
    "payload_format_indicator": 1,
    "message_expiry_interval": 60,
    "content_type": "text/plain",
    "response_topic": "reply/to",
    "correlation_data": b"\0\xff",
    "user_property": [("name", "wert ä"), ("name", "")],
}
USER = {"user_property": [("a", "b")]}
DIAGNOSTIC = {"reason_string": "why", **USER}


def hello(version: int, flags: int = 0x02, *fields: Field, **given: object) -> Shape:
    name, level = (b"MQIsdp", 3) if version == V31 else (b"MQTT", version)
    head = (
        text("protocol name", name, "protocol"),
        number("protocol level", level, "level"),
        number("connect flags", flags, "flags"),
        number("keep alive", 60),
        *properties(version, **given),
        text("client identifier", CLIENT_ID),
    )
    return Shape(version, 0x10, head + fields)


def connects(version: int) -> Iterator[Shape]:
    will = (
        *properties(version, will_delay_interval=0, **MESSAGE),
        text("will topic", "will/of/mine", "topic"),
        Field("will payload", "binary", binary(b"gone")),
    )
    user = (text("user name", "user ä"), Field("password", "binary", binary(b"\0pass\xff")))
    yield hello(version)
    yield hello(version, 0xC2, *user)
    yield hello(version, 0x2E, *will)
    yield hello(
        version,
        0xF6,
        *will,
        *user,
        session_expiry_interval=1,
        receive_maximum=10,
        maximum_packet_size=100_000,
        topic_alias_maximum=5,
        request_response_information=1,
        request_problem_information=0,
        **USER,
    )


def publishes(version: int) -> Iterator[Shape]:
    topic, body = text("topic", "case/of/publish", "topic"), payload(b"payload")
    plain, number_field = properties(version), number("packet identifier", 7, "id")
    yield Shape(version, 0x30, (topic, *plain, body))
    yield Shape(version, 0x31, (topic, *plain))
    yield Shape(version, 0x32, (topic, number_field, *plain, body))
    yield Shape(version, 0x3D, (topic, number_field, *plain, body))
    if version == V5:
        everything = properties(version, topic_alias=3, **MESSAGE)
        yield Shape(version, 0x32, (topic, number_field, *everything, body))
        yield Shape(version, 0x34, (topic, number_field, *properties(version, **USER), body))


def acknowledgements(version: int) -> Iterator[Shape]:
    for first in (0x40, 0x50, 0x62, 0x70):
        head = number("packet identifier", 700, "id")
        yield Shape(version, first, (head,))
        if version == V5:
            code = number("reason code", 0, "reason")
            yield Shape(version, first, (head, code))
            yield Shape(version, first, (head, code, *properties(version, **DIAGNOSTIC)))


def subscriptions(version: int) -> Iterator[Shape]:
    head = number("packet identifier", 9, "id")
    plain = properties(version)

    def wanted(name: str, options: int) -> tuple[Field, Field]:
        return text("topic filter", name, "filter"), number("options", options, "options")

    yield Shape(version, 0x82, (head, *plain, *wanted("case/of/subscribe", 1)))
    several = (*wanted("case/+/x", 0), *wanted("case/#", 2), *wanted("$share/group/case/y", 1))
    yield Shape(version, 0x82, (head, *plain, *several))
    filters = (text("topic filter", "case/+/x", "filter"), text("topic filter", "case/ä/#", "filter"))
    yield Shape(version, 0xA2, (head, *plain, *filters))
    if version == V5:
        given = properties(version, subscription_identifier=200, **USER)
        yield Shape(version, 0x82, (head, *given, *wanted("case/x", 0x2E)))
        yield Shape(version, 0xA2, (head, *properties(version, **USER), *filters))


def endings(version: int) -> Iterator[Shape]:
    yield Shape(version, 0xC0)
    yield Shape(version, 0xE0)
    if version == V5:
        code = number("reason code", 4, "reason")
        yield Shape(version, 0xE0, (code,))
        given = properties(version, session_expiry_interval=1, **DIAGNOSTIC)
        yield Shape(version, 0xE0, (code, *given))
        given = properties(version, authentication_method="X", authentication_data=b"\0", **DIAGNOSTIC)
        yield Shape(version, 0xF0, (number("reason code", 0x19, "reason"), *given))
    else:
        yield Shape(version, 0xF0)


def of_servers(version: int) -> Iterator[Shape]:
    """Packets that only servers send."""
    head, code = number("packet identifier", 9, "id"), number("reason code", 0, "reason")
    given = properties(version)
    yield Shape(version, 0x20, (number("flags", 0, "byte"), code, *given))
    yield Shape(version, 0x90, (head, *given, code))
    yield Shape(version, 0xB0, (head, *given, *((code,) if given else ())))
    yield Shape(version, 0xD0)


def shapes() -> list[Shape]:
    """Every type of packet in every version, with few and with many of its optional parts."""
    return [
        shape
        for version in VERSIONS
        for make in (connects, publishes, acknowledgements, subscriptions, endings, of_servers)
        for shape in make(version)
    ]


def is_of_servers(shape: Shape) -> bool:
    return shape.kind in SERVER_PACKETS
