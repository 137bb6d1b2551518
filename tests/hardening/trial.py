"""One case on a connection of its own: what is sent, what comes back, and whether that is right."""

from __future__ import annotations

import contextlib
import socket
import time

from ..protocol.packets import (
    V5,
    V311,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Publish,
    ServerError,
    decode,
)
from .judge import CLOSED, OPEN, REFUSED, STRANGER, WAITING, Verdict, judge
from .mutation import UNFINISHED, Case
from .shape import CLIENT_ID, VERSION_NAMES

PATIENCE = 10.0  # seconds for one case

# 5.0 -> 3.x: what a CONNACK says, where it can say it.
RETURN_CODES = {0x84: 1, 0x85: 2, 0x86: 4, 0x87: 5, 0x8C: 5}


class End(Packet):
    """The server closed the connection."""

    kind = -1

    def __str__(self) -> str:
        return "the end"

    __repr__ = __str__


END = End()


class Trial:
    """One case on its connection."""

    def __init__(self, case: Case, number: int) -> None:
        self.case, self.number = case, number
        hello = b""
        if case.connected:
            properties = {"session_expiry_interval": 1} if case.expiry else {}
            hello = Connect(CLIENT_ID, properties=properties).encode(case.version)
        stream = (hello + case.data).replace(CLIENT_ID, b"c%07x" % number)
        self.sentinel = b"smuggled/%d" % number
        if not case.what.startswith(UNFINISHED):
            stream += Publish(self.sentinel).encode(case.version) + Pingreq().encode(case.version)
        self.stream = stream
        self.verdict: Verdict = judge(stream)
        self.pings = sum(kind == Pingresp.kind for kind, _, _ in self.verdict.answers)
        # Where no PINGRESP will tell that all was handled, the end of the client's side brings it out.
        self.finishes = (
            self.verdict.choice
            or self.verdict.end == WAITING
            or (self.verdict.end == OPEN and not self.pings)
        )
        self.socket: socket.socket | None = None
        self.unread = bytearray()
        self.packets: list[Packet] = []
        self.trouble = ""
        self.began = 0.0

    def begin(self, port: int) -> socket.socket:
        self.began = time.monotonic()
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        try:
            self.socket.sendall(self.stream)
            if self.finishes:
                self.socket.shutdown(socket.SHUT_WR)
        except ConnectionError:
            pass  # it has closed already, which the next read will show
        self.socket.setblocking(False)
        return self.socket

    def read(self) -> bool:
        """Takes what has come; says whether the trial is over."""
        assert self.socket is not None
        try:
            data = self.socket.recv(65_536)
        except BlockingIOError:
            return False
        except ConnectionError:
            data = b""
        self.unread += data
        try:
            self._take()
        except ServerError as error:
            self.trouble = f"the server sent what it must not: {error}"
        if not data:
            self.packets.append(END)
        return not data or bool(self.trouble) or self._is_answered()

    def _is_answered(self) -> bool:
        """Whether nothing more comes, though the connection stays: the last PINGREQ was answered."""
        answered = sum(isinstance(packet, Pingresp) for packet in self.packets)
        return self.verdict.end == OPEN and not self.finishes and answered >= self.pings

    def _take(self) -> None:
        # The server speaks the version of the CONNECT, or of the one it could not read.
        while len(self.unread) >= 2:
            size = next((place for place, digit in enumerate(self.unread[1:5], 1) if digit < 0x80), 0)
            length = sum((digit & 0x7F) << 7 * place for place, digit in enumerate(self.unread[1 : 1 + size]))
            end = 1 + size + length
            if not size or len(self.unread) < end:
                return
            first, body = self.unread[0], bytes(self.unread[1 + size : end])
            del self.unread[:end]
            version = self.verdict.version
            if self.verdict.end == STRANGER and first == 0x20:
                version = V311 if length == 2 else V5
            packet = decode(first, body, version)
            if isinstance(packet, Publish):
                continue  # it subscribed to what others publish
            self.packets.append(packet)

    def end(self) -> None:
        """Leaves; with a goodbye where the connection is still good."""
        assert self.socket is not None
        if self.packets and isinstance(self.packets[-1], Pingresp):
            with contextlib.suppress(ConnectionError):
                self.socket.send(b"\xe0\0")
        self.socket.close()

    def was_let_in(self) -> bool:
        first = self.packets[0] if self.packets else None
        return isinstance(first, Connack) and first.code == 0

    def wrong(self) -> str:
        """In which way the server did something else than expected; empty if it did not."""
        if self.trouble or self.unread:
            return self.trouble or f"half a packet before the end: {bytes(self.unread).hex()}"
        ended = bool(self.packets) and self.packets[-1] is END
        packets = self.packets[: len(self.packets) - ended]
        if self.verdict.choice:
            return ""
        if self.verdict.end in (REFUSED, STRANGER):
            return (
                "" if ended and self._is_refusal(packets) else f"got {self.packets}, expected {self.verdict}"
            )
        if self.verdict.end == WAITING and not self.verdict.let_in:
            return "" if ended and not packets else f"got {self.packets}, expected nothing"
        if not self.was_let_in():
            return f"got {self.packets}, expected a CONNACK that lets in"
        farewell = packets.pop() if isinstance(packets[-1], Disconnect) else None
        if not self._answers_match(packets[1:]):
            return f"answers {packets[1:]}, expected {self.verdict.answers}"
        return self._wrong_end(farewell, ended)

    def _is_refusal(self, packets: list[Packet]) -> bool:
        verdict = self.verdict
        if not packets:
            if verdict.version == V5 and verdict.end == REFUSED:
                return False
            return verdict.end == STRANGER or any(code not in RETURN_CODES for code in verdict.codes)
        if len(packets) > 1 or not isinstance(packets[0], Connack):
            return False
        code = packets[0].code
        if verdict.end == STRANGER:
            return code in verdict.codes | {RETURN_CODES[0x84]}
        if verdict.version == V5:
            return code in verdict.codes
        return code in {RETURN_CODES.get(each) for each in verdict.codes}

    def _answers_match(self, packets: list[Packet]) -> bool:
        got = [(packet.kind, getattr(packet, "id", 0)) for packet in packets]
        for kind, number, must in self.verdict.answers:
            if got[:1] == [(kind, number)]:
                del got[:1]
            elif must:
                return False
        return not got

    def _wrong_end(self, farewell: Disconnect | None, ended: bool) -> str:
        end, code = self.verdict.end, farewell.code if farewell else None
        if end == OPEN and not self.finishes:
            return f"closed with {code}, though nothing was wrong" if ended else ""
        if not ended:
            return "not closed"
        expected = end == CLOSED and self.verdict.version == V5
        if not expected:
            return f"a DISCONNECT 0x{code:02X} that nobody expects" if code is not None else ""
        if code is None:
            return "closed without a DISCONNECT"
        codes = "/".join(f"0x{each:02X}" for each in sorted(self.verdict.codes))
        return "" if code in self.verdict.codes else f"DISCONNECT 0x{code:02X}, expected {codes}"

    def describe(self, what: str) -> str:
        case = self.case
        name = f"{VERSION_NAMES[case.version]} {case.type}, {case.what} ({self.verdict.end})"
        return f"{name}: {what}\n    {self.stream.hex()}"


class End(Packet):
    """The server closed the connection."""

    kind = -1


END = End()


def _listed(packets: list[Packet], ended: bool) -> str:
    return ", ".join(map(str, packets)) + (" and the end" if ended else " and silence")
