"""Clients that write down what they were promised, and go on as they should when the broker is gone.

A publisher sends numbers, keeps a window of them under way, and sends again with DUP what was not
acknowledged. A subscriber writes down every number that it gets. Both keep their half of the session whatever
becomes of the broker.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field

from ..protocol.packets import (
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
)
from ..protocol.wire import Closed, Late, Wire

FOREVER = 0xFFFF_FFFF
QUIET = 0.05


class SessionLost(AssertionError):
    """The broker has forgotten a session that it had promised to keep."""


class Unavailable(AssertionError):
    """The broker lets nobody in at the moment whose session must be kept."""


@dataclass
class Client:
    """What both have in common: a session that is kept over connections."""

    name: str
    version: int
    clean: bool = False
    known: bool = False
    """Whether a CONNACK has promised that the session is kept."""

    def connect(self, port: int) -> Wire:
        wire = Wire("127.0.0.1", port, version=self.version, deadline=5)
        try:
            return self._enter(wire)
        except BaseException:
            wire.close()
            raise

    def _enter(self, wire: Wire) -> Wire:
        properties = {"session_expiry_interval": FOREVER} if self.version == V5 and not self.clean else {}
        wire.send(Connect(self.name, clean=self.clean, properties=properties))
        connack = wire.read()
        assert isinstance(connack, Connack)
        if connack.code in (3, 0x88):
            raise Unavailable(self.name)
        assert connack.code == 0, connack
        if self.known and not connack.session_present:
            raise SessionLost(self.name)
        self.known = not self.clean
        return wire


@dataclass
class Publisher(Client):
    """Sends numbers to ``data/NAME``, each tenth as a retained message to ``retained/NAME``."""

    qos: int = 1
    window: int = 20
    sent: int = 0
    acknowledged: set[int] = field(default_factory=set)
    under_way: dict[int, int] = field(default_factory=dict)
    """Numbers by Packet Identifier, in the order in which they were sent."""
    refused: list[int] = field(default_factory=list)
    """Reason codes."""
    released: set[int] = field(default_factory=set)
    """Packet Identifiers of them for which PUBREC came."""

    def is_retained(self, number: int) -> bool:
        return number % 10 == 0

    @property
    def retained(self) -> tuple[int, int]:
        """The last retained number that was acknowledged, and the last that was sent."""
        numbers = [number for number in self.acknowledged if self.is_retained(number)]
        sent = [number for number in range(1, self.sent + 1) if self.is_retained(number)]
        return max(numbers, default=0), max(sent, default=0)

    def work(self, port: int, stop: threading.Event) -> None:
        """Publishes until the broker is gone; or until it is to stop and everything is acknowledged."""
        try:
            wire = self.connect(port)
        except (OSError, Closed, Late, Unavailable):
            return
        try:
            if self.clean:
                self.released.clear()
            for packet_id, number in self.under_way.items():
                wire.send(
                    Pubrel(packet_id) if packet_id in self.released else self._packet(packet_id, number, True)
                )
            while not (stop.is_set() and not self.under_way):
                fresh = []
                while not stop.is_set() and len(self.under_way) < self.window:
                    self.sent += 1
                    packet_id = self._free_id()
                    self.under_way[packet_id] = self.sent
                    fresh.append(self._packet(packet_id, self.sent, False))
                wire.send(*fresh)
                if self.under_way:
                    self._answer(wire, wire.read())
            wire.disconnect()
        except (OSError, Closed):
            pass
        finally:
            wire.close()

    def _free_id(self) -> int:
        packet_id = self.sent % 65_535 + 1
        while packet_id in self.under_way:
            packet_id = packet_id % 65_535 + 1
        return packet_id

    def _packet(self, packet_id: int, number: int, dup: bool) -> Packet:
        retained = self.is_retained(number)
        topic = f"{'retained' if retained else 'data'}/{self.name}"
        payload = str(number).encode().ljust(32)
        return Publish(topic, payload, self.qos, retained, dup, packet_id)

    def _answer(self, wire: Wire, packet: Packet) -> None:
        code = getattr(packet, "code", 0)
        if isinstance(packet, (Puback, Pubrec)) and code >= 0x80:
            self.refused.append(code)
            self.under_way.pop(packet.id)
            time.sleep(0.001)  # it is asked for time
        elif isinstance(packet, Disconnect):
            self.refused.append(packet.code)
        elif isinstance(packet, Puback) and self.qos == 1:
            self.acknowledged.add(self.under_way.pop(packet.id))
        elif isinstance(packet, Pubrec):
            # From here on the message is the broker's: this is the promise.
            self.acknowledged.add(self.under_way[packet.id])
            self.released.add(packet.id)
            wire.send(Pubrel(packet.id))
        elif isinstance(packet, Pubcomp):
            self.under_way.pop(packet.id)
            self.released.discard(packet.id)
        else:
            raise AssertionError(f"{self.name} got {packet}")


@dataclass
class Subscriber(Client):
    """Gets what publishers send to ``data/#``."""

    qos: int = 1
    subscribed: bool = False
    received: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    unreleased: set[int] = field(default_factory=set)
    """Packet Identifiers of QoS 2 messages that were received and not released."""

    def subscribe(self, port: int) -> None:
        """Subscribes, and leaves."""
        wire = self.connect(port)
        wire.subscribe("data/#", qos=self.qos)
        self.subscribed = True
        wire.disconnect()
        wire.close()

    def work(self, port: int, stop: threading.Event) -> None:
        """Receives until the broker is gone; or until it is to stop and nothing comes any more."""
        try:
            wire = self.connect(port)
        except (OSError, Closed, Late, Unavailable):
            return
        try:
            while not stop.is_set():
                with suppress(Late):
                    self._take(wire, wire.read(QUIET))
            quiet = False
            while not quiet:
                wire.send(Pingreq())
                quiet = True
                while not isinstance(packet := wire.read(), Pingresp):
                    quiet = False
                    self._take(wire, packet)
            wire.disconnect()
        except (OSError, Closed):
            pass
        finally:
            wire.close()

    def _take(self, wire: Wire, packet: Packet) -> None:
        if isinstance(packet, Publish):
            assert packet.id is not None
            if packet.id not in self.unreleased:
                source = str(packet.topic).rpartition("/")[2]
                self.received[source].append(int(packet.payload))
            if packet.qos == 2:
                self.unreleased.add(packet.id)
                wire.send(Pubrec(packet.id))
            else:
                wire.send(Puback(packet.id))
        elif isinstance(packet, Disconnect):
            pass  # it is closed next
        elif isinstance(packet, Pubrel):
            self.unreleased.discard(packet.id)
            wire.send(Pubcomp(packet.id))
        else:
            raise AssertionError(f"{self.name} got {packet}")


def retained_of(port: int, publisher: Publisher) -> int:
    """The number that is retained for a publisher, 0 if there is none."""
    wire = Wire("127.0.0.1", port, deadline=5)
    wire.connect(Connect("who-asks"))
    wire.subscribe(f"retained/{publisher.name}", qos=0)
    found = wire.drain()
    wire.disconnect()
    wire.close()
    return int(found[-1].payload) if found else 0
