"""What a server should do with a stream of bytes from a client: the specification once more, in Python.

The judge shares nothing with the broker. Where an error is found, all codes that name it are collected, and
those of other errors in the same packet, for a server may look at them in any order.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..protocol.packets import V5, V31, V311
from ..protocol.tables import PROPERTIES, REASONS
from .rule import (
    CLIENT_DISCONNECTS,
    CLIENT_PROPERTIES,
    EITHER,
    FLAGS,
    MALFORMED,
    NO_METHOD,
    REPEATED,
    SERVER_PACKETS,
    TOPIC,
    VIOLATION,
    WRONG_VALUES,
    is_filter,
    is_topic,
)

# How a conversation ends.
OPEN = "open"  # the connection stays, everything was handled
WAITING = "waiting"  # the connection stays, and the server waits for the rest of a packet
CLOSED = "closed"  # the server closes, in 5.0 with a reason
LEFT = "left"  # the client said goodbye: the server closes without a word
REFUSED = "refused"  # the CONNECT was not taken
STRANGER = "stranger"  # not even a CONNECT: the server closes, and need not say anything

MAX_PACKET, MAX_CONNECT = 16 << 20, 64 << 10  # the broker's defaults
ALIASES = 64  # Topic Alias Maximum, the broker's default
SMALLEST_CONNACK = 100  # bytes: who takes no packet as large may get no answer


class Cut(Exception):
    """The packet ends, or cannot be read on."""


@dataclass
class Verdict:
    """What is expected of the server."""

    end: str = OPEN
    codes: frozenset[int] = frozenset()  # reason codes of 5.0 for CLOSED and REFUSED, of which it gives one
    answers: list[tuple[int, int, bool]] = field(
        default_factory=list
    )  # packet type, identifier, must it come
    published: list[bytes] = field(default_factory=list)  # topics of messages that go to subscribers
    let_in: bool = False  # whether there was a CONNECT that is taken
    version: int = V311
    client_id: bytes = b""
    choice: bool = False  # the specification leaves open whether the server goes on


class Reader:
    """Takes fields from the front of a packet, and notes what is wrong in them."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0
        self.codes: set[int] = set()
        self.choice = False

    def left(self) -> int:
        return len(self.data) - self.at

    def blame(self, codes: frozenset[int] | set[int]) -> None:
        self.codes |= codes

    def take(self, count: int) -> bytes:
        if count > self.left():
            raise Cut
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def variable(self) -> int:
        value = 0
        for place in range(4):
            digit = self.number(1)
            value |= (digit & 0x7F) << 7 * place
            if digit < 0x80:
                if place and not digit:
                    raise Cut  # [MQTT-1.5.5-1]
                return value
        raise Cut

    def binary(self) -> bytes:
        return self.take(self.number(2))

    def string(self, codes: frozenset[int] = MALFORMED) -> bytes:
        text = self.binary()
        if b"\0" in text:
            self.blame(codes)  # [MQTT-1.5.4-2] [MQTT-1.5.3-2]
        try:
            text.decode()  # surrogates, overlong forms and what is beyond U+10FFFF are refused
        except UnicodeDecodeError:
            self.blame(codes)  # [MQTT-1.5.4-1] [MQTT-1.5.3-1]
        return text

    def identifier(self) -> int:
        number = self.number(2)
        if number == 0:
            self.blame(EITHER)  # [MQTT-2.2.1-3] [MQTT-2.3.1-1]
        return number

    def properties(self, packet: int | str) -> dict[str, list[object]]:
        inner = Reader(self.take(self.variable()))
        found: dict[str, list[object]] = {}
        try:
            while inner.left():
                name, kind = PROPERTIES.get(inner.variable(), ("", ""))
                if name not in CLIENT_PROPERTIES[packet]:
                    self.blame(MALFORMED)
                if not name:
                    break  # nobody knows where the next one begins
                if name in found and (name, packet) not in REPEATED:
                    self.blame(VIOLATION)
                value = inner.value(kind)
                found.setdefault(name, []).append(value)
                for wrong, codes in WRONG_VALUES.get(name, ()):
                    if wrong(value):
                        self.blame(codes)
        except Cut:
            self.blame(MALFORMED)
        self.codes |= inner.codes
        return found

    def value(self, kind: str) -> object:
        if kind == "pair":
            return self.string(), self.string()
        if kind == "string":
            return self.string()
        if kind == "binary":
            return self.binary()
        return self.variable() if kind == "variable" else self.number({"byte": 1, "u16": 2, "u32": 4}[kind])


class Judge:
    """Reads what a client sends from the first byte on."""

    def __init__(self) -> None:
        self.verdict = Verdict()
        self.connected = False
        self.version = V311
        self.expires_at_once = True
        self.aliases: set[int] = set()
        self.unreleased: set[int] = set()

    def judge(self, stream: bytes) -> Verdict:
        """What the server should do with all of it."""
        at = 0
        while self.verdict.end == OPEN and not self.verdict.choice and at < len(stream):
            at = self._packet(stream, at)
        return self.verdict

    def _packet(self, stream: bytes, at: int) -> int:
        first = stream[at]
        kind, flags = first >> 4, first & 15
        if not self.connected and kind != 1:
            return self._end(STRANGER)  # [MQTT-3.1.0-1]
        codes = set(self._wrong_flags(kind, flags))
        digits = stream[at + 1 : at + 5]
        size = next((place for place, digit in enumerate(digits, 1) if digit < 0x80), 0)
        if not size and len(digits) < 4 and not codes:
            return self._end(WAITING)
        if not size or (size > 1 and not digits[size - 1]):
            codes |= MALFORMED  # more bytes than four, or than needed [MQTT-1.5.5-1]
            self.verdict.choice |= bool(size) and self.version != V5  # the latter is wrong since 5.0
        length = sum((digit & 0x7F) << 7 * place for place, digit in enumerate(digits[:size]))
        start = at + 1 + size
        if start + length - at > (MAX_PACKET if self.connected else MAX_CONNECT):
            codes.add(0x95)
        if codes:
            return self._end(CLOSED if self.connected else STRANGER, codes)
        if start + length > len(stream):
            return self._end(WAITING)
        reader = Reader(stream[start : start + length])
        try:
            self._body(kind, flags, reader)
        except Cut:
            self._end(CLOSED if self.connected else REFUSED, reader.codes | MALFORMED)
        return start + length

    def _wrong_flags(self, kind: int, flags: int) -> frozenset[int]:
        if kind == 0:
            return EITHER
        if kind == 3 or flags == FLAGS.get(kind, 0):
            return frozenset()
        if self.version == V31 and kind in FLAGS and flags & 7 == FLAGS[kind]:
            return frozenset()  # 3.1 repeats these with DUP
        self.verdict.choice |= self.version == V31 and self.connected  # and does not say what else may stand
        return MALFORMED  # [MQTT-2.1.3-1] [MQTT-2.2.2-2]

    def _end(self, end: str, codes: set[int] | frozenset[int] = frozenset()) -> int:
        self.verdict.end, self.verdict.codes = end, frozenset(codes)
        return 0

    def _body(self, kind: int, flags: int, reader: Reader) -> None:
        if not self.connected:
            return self._connect(reader)
        if kind in SERVER_PACKETS:
            self._end(CLOSED, EITHER)
        elif kind == 1:
            self._end(CLOSED, EITHER)  # [MQTT-3.1.0-2]
        elif kind == 3:
            self._publish(flags, reader)
        elif kind in (4, 5, 6, 7):
            self._ack(kind, reader)
        elif kind == 8:
            self._subscribe(reader)
        elif kind == 10:
            self._unsubscribe(reader)
        elif kind == 12:
            self._finish(reader)
            self._answer(13)
        elif kind == 14:
            self._disconnect(reader)
        else:
            self._auth(reader)
        return None

    def _finish(self, reader: Reader) -> None:
        """The packet is over: nothing follows, and what was found wrong closes the connection."""
        if reader.left():
            reader.blame(MALFORMED)
        if reader.codes:
            self._end(CLOSED, reader.codes)

    def _answer(self, kind: int, number: int = 0, *, must: bool = True) -> None:
        if self.verdict.end == OPEN:
            self.verdict.answers.append((kind, number, must))

    def _properties(self, reader: Reader, packet: int | str) -> dict[str, list[object]]:
        return reader.properties(packet) if self.version == V5 else {}

    # ---- CONNECT -------------------------------------------------------------------------------------

    def _connect(self, reader: Reader) -> None:
        try:
            name, level = reader.string(), reader.number(1)
        except Cut:
            self._end(STRANGER)
            return
        versions = {(b"MQIsdp", 3): V31, (b"MQTT", 4): V311, (b"MQTT", 5): V5}
        versions |= {(b"MQIsdp", 0x83): V31, (b"MQTT", 0x84): V311}  # bridges, by the level that is agreed on
        if (name, level) not in versions:
            self._end(STRANGER, {0x84, *reader.codes})  # [MQTT-3.1.2-1] [MQTT-3.1.2-2]
            return
        version = self.version = self.verdict.version = versions[name, level]
        flags = reader.number(1)
        reader.number(2)
        has_will, will_qos, will_retain = flags & 4, flags >> 3 & 3, flags & 0x20
        if flags & 1:
            self._strict_since_311(reader, MALFORMED)  # [MQTT-3.1.2-3]
        if not has_will and (will_qos or will_retain):
            self._strict_since_311(reader, EITHER)  # [MQTT-3.1.2-11] … [MQTT-3.1.2-15]
        if will_qos == 3:
            reader.blame(EITHER)
        if flags & 0x40 and not flags & 0x80 and version != V5:
            reader.blame(MALFORMED)  # [MQTT-3.1.2-22] of 3.1.1
        given = self._properties(reader, 1)
        if "authentication_data" in given and "authentication_method" not in given:
            reader.blame(VIOLATION)
        client_id = self.verdict.client_id = reader.string(MALFORMED | {0x85})
        if has_will:
            self._will(reader)
        missing = version == V31  # 3.1 takes a flag without its field for one that is not set
        if flags & 0x80 and not (missing and not reader.left()):
            reader.string(MALFORMED | {0x86})
        if flags & 0x40 and not (missing and not reader.left()):
            reader.binary()
        if reader.left():
            reader.blame(EITHER)
        self._admit(reader, given, client_id, clean=bool(flags & 2))

    def _strict_since_311(self, reader: Reader, codes: frozenset[int]) -> None:
        if self.version == V31:
            reader.choice = True
        else:
            reader.blame(codes)

    def _will(self, reader: Reader) -> None:
        given = self._properties(reader, "will")
        if not all(map(is_topic, given.get("response_topic", ()))):
            reader.blame(TOPIC)
        topic = reader.string(TOPIC)
        if not is_topic(topic):
            reader.blame(TOPIC)
        if topic.startswith(b"$SYS/"):
            reader.blame({0x87})
        reader.binary()

    def _admit(
        self, reader: Reader, given: dict[str, list[object]], client_id: bytes, *, clean: bool
    ) -> None:
        if "authentication_method" in given:
            reader.blame({0x8C})  # nobody set one up [MQTT-4.12.0-1]
        if not client_id and (self.version == V31 or (self.version == V311 and not clean)):
            reader.blame({0x85})  # [MQTT-3.1.3-8] of 3.1.1
        if self.version == V31 and len(client_id) > 23:
            reader.choice = True
        smallest = given.get("maximum_packet_size", [SMALLEST_CONNACK])[0]
        reader.choice |= isinstance(smallest, int) and 0 < smallest < SMALLEST_CONNACK
        self.verdict.choice = reader.choice
        if reader.codes:
            self._end(REFUSED, reader.codes)
            return
        self.connected = self.verdict.let_in = True
        self.expires_at_once = given.get("session_expiry_interval", [0]) == [0]

    # ---- after CONNECT -------------------------------------------------------------------------------

    def _publish(self, flags: int, reader: Reader) -> None:
        dup, qos = flags >> 3, flags >> 1 & 3
        if qos == 3:
            raise Cut  # [MQTT-3.3.1-4]
        if dup and not qos:
            reader.choice |= self.version == V31
            reader.blame(EITHER)  # [MQTT-3.3.1-2]
        topic = reader.string(TOPIC)
        number = reader.identifier() if qos else 0
        given = self._properties(reader, 3)
        reader.at = len(reader.data)
        if "subscription_identifier" in given:
            reader.blame(EITHER)  # [MQTT-3.3.4-6]
        alias = given.get("topic_alias", [0])[0]
        assert isinstance(alias, int)
        if alias > ALIASES:
            reader.blame({0x82, 0x94})  # [MQTT-3.3.2-9]
        stands_for_topic = not topic and alias in self.aliases
        if not is_topic(topic) and not stands_for_topic:
            reader.blame(TOPIC)  # [MQTT-3.3.2-2] [MQTT-4.7.3-1]
        if not all(map(is_topic, given.get("response_topic", ()))):
            reader.blame(TOPIC)  # [MQTT-3.3.2-14]
        self.verdict.choice = reader.choice
        self._finish(reader)
        if reader.codes:
            return
        self.aliases |= {alias} - {0}
        if number not in self.unreleased or qos < 2:
            self.verdict.published.append(topic)
        if qos:
            self._answer(3 + qos, number)
        if qos == 2:
            self.unreleased.add(number)

    def _ack(self, kind: int, reader: Reader) -> None:
        number, code = reader.identifier(), 0
        if self.version == V5 and reader.left():
            code = reader.number(1)
            if code not in REASONS[kind, True]:
                reader.blame(EITHER)  # [MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-3.6.2-1] [MQTT-3.7.2-1]
            if reader.left():
                reader.properties(kind)
        self._finish(reader)
        if kind == 5:
            self._answer(6, number, must=code < 0x80)  # [MQTT-4.3.3-4]
        elif kind == 6:
            self._answer(7, number)  # [MQTT-4.3.3-11]
            self.unreleased.discard(number)

    def _subscribe(self, reader: Reader) -> None:
        number = reader.identifier()
        self._properties(reader, 8)
        if not reader.left():
            reader.blame(EITHER)  # [MQTT-3.8.3-2]
        while reader.left():
            name, options = reader.string(), reader.number(1)
            if options & 3 == 3:
                reader.blame(EITHER)
            if self.version == V5:
                if options & 0xC0:
                    reader.blame(MALFORMED)  # [MQTT-3.8.3-5]
                if options & 0x30 == 0x30:
                    reader.blame(EITHER)
                if options & 4 and name.startswith(b"$share/"):
                    reader.blame(VIOLATION)  # [MQTT-3.8.3-4]
                    reader.choice |= not is_filter(name)  # SUBACK may say it as well
            elif options & 0xFC:
                reader.choice |= self.version == V31
                reader.blame(EITHER)  # [MQTT-3.8.3-4] of 3.1.1
            # 3.1 has no word for a subscription that is not made.
            reader.choice |= self.version == V31 and not is_filter(name)
        self.verdict.choice = reader.choice
        self._finish(reader)
        self._answer(9, number)

    def _unsubscribe(self, reader: Reader) -> None:
        number = reader.identifier()
        self._properties(reader, 10)
        if not reader.left():
            reader.blame(EITHER)  # [MQTT-3.10.3-2]
        while reader.left():
            reader.string()
        self._finish(reader)
        self._answer(11, number)

    def _disconnect(self, reader: Reader) -> None:
        code, given = 0, dict[str, list[object]]()
        if self.version == V5 and reader.left():
            code = reader.number(1)
            given = reader.properties(14) if reader.left() else {}
        # 0x8C is in the table of all codes for DISCONNECT, but not in that of DISCONNECT itself.
        if code not in REASONS[14, True] | {0x04, 0x8C}:
            reader.blame(EITHER)  # [MQTT-3.14.2-1]
        if any(given.get("session_expiry_interval", ())) and self.expires_at_once:
            reader.blame(VIOLATION)
        self._finish(reader)
        if not reader.codes:
            self._end(LEFT)
            self.verdict.choice = code not in CLIENT_DISCONNECTS or "server_reference" in given

    def _auth(self, reader: Reader) -> None:
        reader.blame(NO_METHOD)  # before 5.0 there is no such packet [MQTT-2.2.2-2]
        if self.version == V5 and reader.left():
            if reader.number(1) not in (0, 0x18, 0x19):
                reader.blame(EITHER)  # [MQTT-3.15.2-1]
            if reader.left():
                reader.properties(15)
        self._finish(reader)


def judge(stream: bytes) -> Verdict:
    """What a server should do with a stream that begins with a CONNECT."""
    return Judge().judge(stream)
