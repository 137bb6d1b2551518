"""How ``hookmq sub`` prints a message: the payload, ``topic payload`` (-v), or a format (-F).

The output is what mosquitto_sub 2.0 prints for the same message, byte for byte, because scripts parse it.
One thing differs: ``%10x`` prints all the bytes that fit, where mosquitto_sub drops half of them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .usage import UsageError

__all__ = [
    "FORMAT_HELP",
    "Formatter",
    "PayloadIsNotJSON",
    "ReceivedMessage",
    "compile_format",
    "plain",
    "verbose",
]


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """A message as it arrived. ``time_ns`` is nanoseconds since 1970; ``packet_id`` is 0 at QoS 0.

    ``properties`` holds the MQTT 5 properties by mosquitto's names, each a list of its values.
    """

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    packet_id: int = 0
    properties: Mapping[str, list[object]] = field(default_factory=dict)
    time_ns: int = field(default_factory=time.time_ns)


class PayloadIsNotJSON(Exception):
    """``%J`` was asked for, and the payload is not JSON."""


Formatter = Callable[[ReceivedMessage], bytes]
"""Turns a message into what is printed for it."""


def plain(message: ReceivedMessage, *, newline: bool) -> bytes:
    """Return what is printed without -v and -F: the payload, and nothing at all if there is none."""
    return message.payload + _end(newline) if message.payload else b""


def verbose(message: ReceivedMessage, *, newline: bool) -> bytes:
    """Return what is printed with -v: topic and payload, or ``(null)`` if there is no payload."""
    if message.payload:
        return message.topic.encode() + b" " + message.payload + _end(newline)
    return message.topic.encode() + b" (null)\n" if newline else b""


def compile_format(template: str, *, newline: bool, pretty: bool = False) -> Formatter:
    r"""Return the function that prints a message in a format of -F. Raises ``UsageError``.

    >>> show = compile_format(r"%t\t%p (%l bytes, QoS %q)", newline=True)
    >>> show(ReceivedMessage("a/b", b"hello", qos=1))
    b'a/b\thello (5 bytes, QoS 1)\n'
    """
    pieces: list[Formatter] = []
    position = 0
    while position < len(template):
        sign = template[position]
        position += 1
        if sign == "%":
            piece, position = _percent(template, position, pretty)
        elif sign == "@":
            piece, position = _at(template, position)
        elif sign == "\\":
            piece, position = _backslash(template, position)
        else:
            piece = _constant(_bytes(sign))
        pieces.append(piece)
    pieces.append(_constant(_end(newline)))

    def show(message: ReceivedMessage) -> bytes:
        return b"".join(piece(message) for piece in pieces)

    return show


FORMAT_HELP = r"""format (-F):
  %t topic   %p payload   %l its length   %q QoS   %r retained: 0 or 1   %m packet identifier
  %x, %X payload in hexadecimal   %j JSON, payload as text   %J JSON, payload as JSON (--pretty for both)
  %I date and time   %U Unix time with nanoseconds   %% a percent sign
  MQTT 5: %A topic alias   %C content type   %D correlation data   %E message expiry interval
          %F payload format indicator   %P user properties   %R response topic   %S subscription identifier
  %10t at least 10 wide   %-10t to the left   %05l with zeros   %.10t at most 10 (%C %I %R %t)
  @X what strftime(3) does for %X: @Y-@m-@d   @N nanoseconds   @@ an at sign
  \n \t \r \v \a \e \0 \\ as in printf(1)"""
"""The part of ``hookmq sub --help`` about -F."""

# Sequences ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Field:
    """Flags, width and precision between ``%`` and its letter."""

    left: bool = False
    zero: bool = False
    width: int = 0
    precision: int | None = None

    def text(self, value: str) -> bytes:
        """Lay out a text. Zeros are for numbers."""
        encoded = value.encode("utf-8", "surrogateescape")[: self.precision]
        return encoded.ljust(self.width) if self.left else encoded.rjust(self.width)

    def number(self, value: object) -> bytes:
        """Lay out a number; one that is absent (``None``) leaves its place empty."""
        if value is None:
            return self.fill * self.width
        digits = str(value).encode()
        return digits.ljust(self.width) if self.left else digits.rjust(self.width, self.fill)

    def data(self, value: bytes) -> bytes:
        """Lay out a payload: the width is also the most that is shown of it."""
        value = value[: self.width] if self.width else value
        return value.ljust(self.width) if self.left else value.rjust(self.width, self.fill)

    @property
    def fill(self) -> bytes:
        """What pads on the left."""
        return b"0" if self.zero and not self.left else b" "


_INTEGER_PROPERTIES = {
    "A": "topic-alias",
    "E": "message-expiry-interval",
    "F": "payload-format-indicator",
    "S": "subscription-identifier",
}
_TEXT_PROPERTIES = {"C": "content-type", "R": "response-topic"}
_ESCAPES = {
    "\\": b"\\",
    "0": b"\0",
    "a": b"\a",
    "e": b"\x1b",
    "n": b"\n",
    "r": b"\r",
    "t": b"\t",
    "v": b"\v",
}


def _percent(template: str, position: int, pretty: bool) -> tuple[Formatter, int]:
    layout, position = _layout(template, position)
    letter = template[position : position + 1]
    if not letter:
        raise UsageError(f"-F {template!r}: a % at the end")
    piece = _of_letter(letter, layout, pretty)
    if piece is None:
        raise UsageError(f"-F {template!r}: there is no %{letter}")
    return piece, position + 1


def _layout(template: str, position: int) -> tuple[_Field, int]:
    left = zero = False
    while template[position : position + 1] in ("0", "-"):
        left |= template[position] == "-"
        zero |= template[position] == "0"
        position += 1
    width, position = _digits(template, position)
    precision: int | None = None
    if template[position : position + 1] == ".":
        precision, position = _digits(template, position + 1)
    if width > 10_000:
        raise UsageError(f"-F {template!r}: a width of more than 10000")
    return _Field(left, zero, width, precision), position


def _digits(template: str, position: int) -> tuple[int, int]:
    start = position
    while template[position : position + 1].isdecimal():
        position += 1
    return int(template[start:position] or 0), position


def _of_letter(letter: str, layout: _Field, pretty: bool) -> Formatter | None:
    if letter in _INTEGER_PROPERTIES:
        name = _INTEGER_PROPERTIES[letter]
        return lambda message: layout.number(_first(message, name))
    if letter in _TEXT_PROPERTIES:
        name = _TEXT_PROPERTIES[letter]
        return lambda message: layout.text(str(_first(message, name) or ""))
    match letter:
        case "%":
            return _constant(b"%")
        case "t":
            return lambda message: layout.text(message.topic)
        case "p":
            return lambda message: layout.data(message.payload)
        case "x":
            return lambda message: layout.data(_whole_bytes(message.payload.hex(), layout))
        case "X":
            return lambda message: layout.data(_whole_bytes(message.payload.hex().upper(), layout))
        case "l":
            return lambda message: layout.number(len(message.payload))
        case "m":
            return lambda message: layout.number(message.packet_id)
        case "q":
            return lambda message: b"%d" % message.qos
        case "r":
            return lambda message: b"%d" % message.retain
        case "D":
            return _correlation_data
        case "P":
            return _user_properties
        case "I":
            return lambda message: layout.text(_strftime("%Y-%m-%dT%H:%M:%S%z", message))
        case "U":
            return lambda message: b"%d.%09d" % divmod(message.time_ns, 10**9)
        case "j":
            return lambda message: _json(message, _text_of(message.payload), pretty)
        case "J":
            return lambda message: _json(message, _json_of(message.payload), pretty)
        case _:
            return None


def _at(template: str, position: int) -> tuple[Formatter, int]:
    letter = template[position : position + 1]
    if not letter:
        raise UsageError(f"-F {template!r}: an @ at the end")
    if letter == "@":
        return _constant(b"@"), position + 1
    if letter == "N":
        return lambda message: b"%09d" % (message.time_ns % 10**9), position + 1
    return lambda message: _strftime(f"%{letter}", message).encode(), position + 1


def _backslash(template: str, position: int) -> tuple[Formatter, int]:
    letter = template[position : position + 1]
    if letter not in _ESCAPES:
        raise UsageError(f"-F {template!r}: there is no \\{letter}")
    return _constant(_ESCAPES[letter]), position + 1


def _constant(value: bytes) -> Formatter:
    return lambda message: value


def _first(message: ReceivedMessage, name: str) -> object:
    values = message.properties.get(name)
    return values[0] if values else None


def _correlation_data(message: ReceivedMessage) -> bytes:
    value = _first(message, "correlation-data")
    return value if isinstance(value, bytes) else b""


def _user_properties(message: ReceivedMessage) -> bytes:
    pairs = message.properties.get("user-property", ())
    return b" ".join(_bytes(f"{pair[0]}:{pair[1]}") for pair in pairs if isinstance(pair, tuple))


def _whole_bytes(digits: str, layout: _Field) -> bytes:
    # Half of a byte says nothing, so an odd width leaves its last column empty.
    return digits[: layout.width // 2 * 2].encode() if layout.width else digits.encode()


def _strftime(template: str, message: ReceivedMessage) -> str:
    return time.strftime(template, time.localtime(message.time_ns // 10**9))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _end(newline: bool) -> bytes:
    return b"\n" if newline else b""


# JSON -----------------------------------------------------------------------------------------------------


def _text_of(payload: bytes) -> object:
    # Bytes that are not UTF-8 are printed as they are, as mosquitto_sub does: nothing is lost on the way.
    return payload.decode("utf-8", "surrogateescape") if payload else None


def _json_of(payload: bytes) -> object:
    if not payload:
        return None
    try:
        return json.loads(payload, parse_float=_shortest, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise PayloadIsNotJSON from None


def _shortest(digits: str) -> float:
    """Read a number so that 100.0 and 1e2 are printed as 100."""
    value = float(digits)
    return int(value) if abs(value) < 1e15 and value == int(value) else value


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is not JSON")


def _json(message: ReceivedMessage, payload: object, pretty: bool) -> bytes:
    fraction = message.time_ns // 1000 % 10**6
    # The Z before the offset is wrong in ISO 8601, and it is what mosquitto_sub 2.0 prints.
    moment = _strftime(f"%Y-%m-%dT%H:%M:%S.{fraction:06d}Z%z", message)
    fields: dict[str, object] = {
        "tst": moment,
        "topic": message.topic,
        "qos": message.qos,
        "retain": int(message.retain),
        "payloadlen": len(message.payload),
    }
    if message.qos:
        fields["mid"] = message.packet_id
    if message.properties:
        fields["properties"] = {
            _JSON_NAMES.get(name, name): _property_value(name, values)
            for name, values in message.properties.items()
        }
    fields["payload"] = payload
    if pretty:
        text = json.dumps(fields, ensure_ascii=False, indent="\t", separators=(",", ":\t"))
    else:
        text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    return _bytes(text)


_JSON_NAMES = {"user-property": "user-properties"}


def _property_value(name: str, values: list[object]) -> object:
    if name == "user-property":
        return dict(pair for pair in values if isinstance(pair, tuple))
    value = values[0]
    return _text_of(value) or "" if isinstance(value, bytes) else value
