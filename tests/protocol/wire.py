"""A raw socket that speaks MQTT packets, for the protocol tests; everything it waits for has a deadline."""

from __future__ import annotations

import dataclasses
import socket
import struct
import time
from collections import deque
from typing import Any, TypeVar

from .packets import (
    V5,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    ServerError,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
    decode,
    subscription,
)

DEADLINE = 3.0
LARGEST = 32 << 20  # bytes: more than any test expects, so that a wrong length fails at once

P = TypeVar("P", bound=Packet)


class Closed(AssertionError):
    """The server closed the connection where a packet was expected."""


class Late(AssertionError):
    """Nothing came before the deadline."""


def differences(expected: Packet, got: Packet) -> list[str]:
    """Every field in which the packets differ, one line each; diagnostics count only where expected."""
    if type(expected) is not type(got):
        return [f"expected {expected}", f"     got {got}"]
    lines = []
    for item in dataclasses.fields(expected):  # type: ignore[arg-type]
        want, have = getattr(expected, item.name), getattr(got, item.name)
        if item.name == "properties":
            want, have = dict(want), dict(have)
            if "subscription_identifier" in want:
                want["subscription_identifier"] = sorted(want["subscription_identifier"])
            if not isinstance(expected, Publish):  # a server may explain itself in any reply
                have = {
                    k: v for k, v in have.items() if k in want or k not in ("reason_string", "user_property")
                }
        if item.name == "id" and isinstance(expected, Publish) and expected.qos and want is None:
            continue
        if want != have:
            lines.append(
                f"{type(expected).__name__}.{item.name}: expected {_short(want)}, got {_short(have)}"
            )
    return lines


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 200 else f"{text[:200]}… ({len(text)} characters)"


class Wire:
    """One connection to a broker."""

    def __init__(self, host: str, port: int, *, version: int = V5, deadline: float = DEADLINE) -> None:
        self.version = version
        self.deadline = deadline
        self.connack = Connack()
        self.client_id: str | bytes = ""
        self._socket = socket.create_connection((host, port), deadline)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = bytearray()
        self.largest = 0  # bytes of the largest packet read so far
        self._kept: deque[Packet] = deque()
        self._ids = 0

    # ---- sending -------------------------------------------------------------------------------------

    def send(self, *packets: Packet | bytes) -> None:
        """Everything in one write."""
        self._socket.settimeout(self.deadline)
        self._write(b"".join(p if isinstance(p, bytes) else p.encode(self.version) for p in packets))

    def _write(self, data: bytes) -> None:
        self._socket.sendall(data)

    def next_id(self) -> int:
        self._ids += 1
        return self._ids

    # ---- reading -------------------------------------------------------------------------------------

    def read(self, timeout: float | None = None) -> Packet:
        """The next packet; raises `Closed` or `Late`."""
        if self._kept:
            return self._kept.popleft()
        end = time.monotonic() + (self.deadline if timeout is None else timeout)
        first = self._bytes(0, 1, end)[0]
        length, size = 0, 0
        while True:
            digit = self._bytes(1 + size, 1, end)[0]
            length |= (digit & 0x7F) << 7 * size
            size += 1
            if digit < 0x80:
                if size > 1 and not digit:
                    raise ServerError("a Remaining Length longer than needed [MQTT-1.5.5-1]")
                break
            if size == 4:
                raise ServerError("a Remaining Length of more than four bytes")
        if length > LARGEST:
            raise ServerError(f"a packet of {length} bytes")
        body = self._bytes(1 + size, length, end)
        del self._received[: 1 + size + length]
        self.largest = max(self.largest, 1 + size + length)
        return decode(first, body, self.version)

    def _bytes(self, start: int, count: int, end: float) -> bytes:
        while len(self._received) < start + count:
            # One short wait even when the time is over, so that what has arrived already is always seen.
            self._socket.settimeout(max(end - time.monotonic(), 0.001))
            try:
                chunk = self._chunk()
            except TimeoutError:
                raise Late(
                    f"nothing more before the deadline; so far {bytes(self._received[:40])!r}"
                ) from None
            except ConnectionError:
                chunk = b""
            if not chunk:
                raise Closed(f"the server closed the connection; unread {bytes(self._received[:40])!r}")
            self._received += chunk
        return bytes(self._received[start : start + count])

    def _chunk(self) -> bytes:
        """What has arrived, or nothing if it was the end."""
        return self._socket.recv(1 << 20)

    def expect_bytes(self, expected: bytes) -> None:
        """The next bytes, for what a packet's fields do not tell."""
        got = self._bytes(0, len(expected), time.monotonic() + self.deadline)
        assert got == expected, f"expected {expected!r}, got {bytes(self._received)!r}"
        del self._received[: len(expected)]

    def expect(self, expected: P, timeout: float | None = None) -> P:
        """The next packet, which must equal the expected one in every field."""
        got = self.read(timeout)
        lines = differences(expected, got)
        assert not lines, "\n  ".join(["not the expected packet:", *lines])
        return got  # type: ignore[return-value]

    def expect_message(self, topic: str, payload: bytes = b"", **fields: Any) -> Publish:
        """The next packet is this PUBLISH; it is acknowledged."""
        message = self.expect(Publish(topic, payload, **fields))
        self.acknowledge(message)
        return message

    def expect_nothing(self, seconds: float = 0.0) -> None:
        """The server has nothing to say: not before a PINGRESP, and not within the seconds."""
        if seconds:
            try:
                packet = self.read(seconds)
            except Late:
                pass
            else:
                raise AssertionError(f"expected nothing, got {packet}")
        self.ping()

    def expect_closed(self, *expected: Packet, timeout: float | None = None) -> None:
        """After the expected packets the server closes the connection, and says nothing else."""
        for packet in expected:
            self.expect(packet, timeout)
        try:
            packet = self.read(timeout)
        except Closed:
            assert not self._received, f"half a packet before the end: {bytes(self._received)!r}"
        else:
            raise AssertionError(f"expected the end of the connection, got {packet}")

    def last_words(self, timeout: float | None = None) -> list[Packet]:
        """Every packet until the server closes the connection."""
        words = []
        while True:
            try:
                words.append(self.read(timeout))
            except Closed:
                return words

    def last_codes(self) -> list[int]:
        """The reason codes of the last words, which may come with words of the server's own."""
        return [getattr(packet, "code", 0) for packet in self.last_words()]

    # ---- conversations -------------------------------------------------------------------------------

    def connect(self, packet: Connect, *, code: int = 0) -> Connack:
        self.send(packet)
        self.client_id = packet.client_id
        connack = self.read()
        assert isinstance(connack, Connack), f"expected a CONNACK, got {connack}"
        assert connack.code == code, (
            f"CONNACK 0x{connack.code:02X} {connack.properties}, expected 0x{code:02X}"
        )
        self.connack = connack
        return connack

    def ping(self) -> None:
        """A barrier: the server has handled all we sent, and has sent us nothing before its answer."""
        self.send(Pingreq())
        self.expect(Pingresp())

    def acknowledge(self, message: Publish) -> None:
        """The receiver's whole half of a QoS 1 or QoS 2 delivery."""
        if message.qos == 1:
            self.send(Puback(message.id or 0))
        elif message.qos == 2:
            self.send(Pubrec(message.id or 0))
            self._answer(Pubrel(message.id or 0))
            self.send(Pubcomp(message.id or 0))

    def _answer(self, expected: P) -> P:
        """The expected packet; messages that come before it stay for later reads."""
        early: list[Packet] = []
        end = time.monotonic() + self.deadline
        while True:
            packet = self.read(max(0.001, end - time.monotonic()))
            if isinstance(packet, (Publish, Pubrel)) and not isinstance(packet, type(expected)):
                early.append(packet)
                continue
            self._kept.extendleft(reversed(early))
            lines = differences(expected, packet)
            assert not lines, "\n  ".join(["not the expected answer:", *lines])
            return packet  # type: ignore[return-value]

    def drain(self) -> list[Publish]:
        """All messages that the server has for us by now, acknowledged, in the order of arrival."""
        found: list[Publish] = []
        while True:
            self.send(Pingreq())
            quiet = True
            while not isinstance(packet := self.read(), Pingresp):
                quiet = False
                if isinstance(packet, Publish):
                    found.append(packet)
                    if packet.qos:
                        self.send(Puback(packet.id or 0) if packet.qos == 1 else Pubrec(packet.id or 0))
                elif isinstance(packet, Pubrel):
                    self.send(Pubcomp(packet.id))
                else:
                    raise AssertionError(f"expected only messages, got {packet}")
            if quiet:
                return found

    def publish(self, topic: str, payload: bytes = b"", qos: int = 0, **fields: Any) -> int:
        """A whole publication; on return the server has routed it. Gives the reason code (0 for QoS 0)."""
        if qos == 0:
            self.send(Publish(topic, payload, **fields), Pingreq())
            self._answer(Pingresp())
            return 0
        number = self.next_id()
        self.send(Publish(topic, payload, qos, id=number, **fields))
        reply = self.read()
        assert isinstance(reply, Puback if qos == 1 else Pubrec), f"no acknowledgement but {reply}"
        assert reply.id == number, f"acknowledged {reply.id}, sent {number}"
        if qos == 2 and reply.code < 0x80:
            self.send(Pubrel(number))
            self._answer(Pubcomp(number))
        return reply.code

    def subscribe(self, *filters: str | tuple[str | bytes, int], qos: int = 0, **properties: Any) -> Suback:
        """Subscribes to filters (or `subscription(...)` pairs); all must be granted as asked."""
        pairs = [subscription(each, qos) if isinstance(each, str) else each for each in filters]
        number = self.next_id()
        self.send(Subscribe(number, pairs, properties))
        return self._answer(Suback(number, [options & 3 for _, options in pairs]))

    def unsubscribe(self, *filters: str) -> Unsuback:
        """Unsubscribes from filters, each of which must have been subscribed to."""
        number = self.next_id()
        self.send(Unsubscribe(number, filters))
        return self._answer(Unsuback(number, [0] * len(filters) if self.version == V5 else []))

    # ---- leaving -------------------------------------------------------------------------------------

    def disconnect(self, code: int = 0, **properties: Any) -> None:
        """Says goodbye and waits until the server has closed its side."""
        self.send(Disconnect(code, properties))
        self.expect_closed()

    def close(self) -> None:
        """Drops the connection without a DISCONNECT."""
        self._socket.close()

    def reset(self) -> None:
        """Drops the connection with a TCP reset."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()
