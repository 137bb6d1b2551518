"""HookMQ is killed at random moments while it bridges to Mosquitto: nothing that was acknowledged is lost."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ..durability.actors import QUIET, Client, Publisher, Subscriber, Unavailable
from ..durability.server import Durable
from ..durability.sizes import LONG
from ..hardening.server import eventually
from ..protocol.packets import V5, V311
from ..protocol.wire import Closed, Late
from ..servers.mosquitto import Mosquitto
from .gate import Gate
from .links import bridge

ROUNDS = 200 if LONG else 6

STILL = 0.5
"""Seconds without a message after which nothing more is waited for."""

TOPICS = (
    {"filter": "data/#", "direction": "out", "remote_prefix": "from-hookmq/"},
    {"filter": "data/#", "direction": "in", "local_prefix": "from-mosquitto/"},
)


@dataclass
class Reader(Subscriber):
    """Gets what comes from the other side."""

    filter: str = "#"

    def subscribe(self, port: int) -> None:
        wire = self.connect(port)
        wire.subscribe(self.filter, qos=self.qos)
        wire.disconnect()
        wire.close()

    def work(self, port: int, stop: threading.Event) -> None:
        """Reads until the broker is gone; or until it is to stop and nothing has come for a while.

        It leaves without a word: a message may always be on its way from the other side.
        """
        try:
            wire = self.connect(port)
        except (OSError, Closed, Late, Unavailable):
            return
        try:
            while not stop.is_set():
                with suppress(Late):
                    self._take(wire, wire.read(QUIET))
            with suppress(Late):
                while True:
                    self._take(wire, wire.read(STILL))
        except (OSError, Closed):
            pass
        finally:
            wire.close()


@dataclass
class Balance:
    """What was promised at one side and what came of it at the other."""

    acknowledged: int = 0
    received: int = 0
    repeated: int = 0
    lost: int = 0
    twice: int = 0
    """Of QoS 2."""
    out_of_order: int = 0
    kills: int = 0
    broken: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.kills} kills: {self.acknowledged:,} messages acknowledged, {self.received:,} received, "
            f"{self.repeated:,} of QoS 1 repeated; lost {self.lost}, QoS 2 twice {self.twice}, "
            f"out of order {self.out_of_order}"
        )

    def add(self, publisher: Publisher, reader: Reader) -> None:
        got = reader.received[publisher.name]
        missing = promised(publisher) - set(got)
        repeated = sum(Counter(got).values()) - len(set(got))
        firsts = list(dict.fromkeys(got))
        self.acknowledged += len(promised(publisher))
        self.received += len(got)
        self.lost += len(missing)
        self.out_of_order += firsts != sorted(firsts)
        if publisher.qos == 2:
            self.twice += repeated
        else:
            self.repeated += repeated
        if missing or firsts != sorted(firsts) or (publisher.qos == 2 and repeated):
            self.broken.append(f"{publisher.name}: missing {sorted(missing)[:5]}, {repeated} repeated")


class Ledger:
    """Publishers and readers at both brokers, and a link between them."""

    def __init__(self, seed: int, directory: Path, mosquitto: Mosquitto, link: int, protocol: str) -> None:
        self.random = random.Random(seed)
        self.mosquitto = mosquitto
        self._directory = directory
        self._settings = {
            "bridges": [
                bridge(
                    f"mqtt://127.0.0.1:{link}",
                    *TOPICS,
                    protocol=protocol,
                    client_id="hookmq",
                    reconnect_max=0.2,
                )
            ]
        }
        choose = self.random.choice
        self.here = [Publisher(f"here{qos}", choose([V311, V5]), qos=qos) for qos in (1, 2)]
        self.there = [Publisher(f"there{qos}", choose([V311, V5]), qos=qos) for qos in (1, 2)]
        self.reads_here = Reader("reads-here", V5, qos=2, filter="from-mosquitto/#")
        self.reads_there = Reader("reads-there", V5, qos=2, filter="from-hookmq/#")
        self.balance = Balance()
        self._errors: list[BaseException] = []

    def start(self) -> Durable:
        return Durable(self._directory, **self._settings)

    @contextmanager
    def working(self, server: Durable, clients: Sequence[Client], stop: threading.Event) -> Iterator[None]:
        """Each client works at its broker while something else happens."""

        def work(client: Publisher | Reader) -> None:
            port = self.mosquitto.port if "there" in client.name else server.port
            try:
                client.work(port, stop)
            except BaseException as error:
                self._errors.append(error)

        threads = [threading.Thread(target=work, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            for thread in threads:
                thread.join(60)
        assert not any(thread.is_alive() for thread in threads), "a client does not end"
        assert not self._errors, self._errors

    @property
    def publishers(self) -> list[Publisher]:
        return [*self.here, *self.there]

    def settle(self, server: Durable) -> None:
        """Everything is acknowledged, and then everything comes."""
        over = threading.Event()
        over.set()
        with self.working(server, self.publishers, over):
            pass
        deadline = time.monotonic() + 60
        while any(promised(one) - set(reader.received[one.name]) for one, reader in self.pairs):
            with self.working(server, [self.reads_here, self.reads_there], over):
                pass
            if time.monotonic() > deadline:
                break
        for publisher, reader in self.pairs:
            self.balance.add(publisher, reader)

    @property
    def pairs(self) -> list[tuple[Publisher, Reader]]:
        """Who reads at the other side what somebody publishes."""
        return [(one, self.reads_there) for one in self.here] + [(one, self.reads_here) for one in self.there]


def promised(publisher: Publisher) -> set[int]:
    """What was acknowledged of what goes to the other side."""
    return {number for number in publisher.acknowledged if not publisher.is_retained(number)}


@pytest.fixture
def mosquitto(mosquitto_factory: Callable[..., Mosquitto]) -> Mosquitto:
    """A Mosquitto without a bound on what is under way: with one, 2.0 itself sends out of order."""
    return mosquitto_factory("max_inflight_messages 0")


@pytest.mark.timeout(120 + 30 * ROUNDS)
@pytest.mark.parametrize("protocol", ["5.0", "3.1.1"])
def test_nothing_acknowledged_is_lost_at_kill_9(
    tmp_path: Path, seed: int, mosquitto: Mosquitto, protocol: str, figures: Callable[[str], None]
) -> None:
    ledger = Ledger(seed, tmp_path / "data", mosquitto, mosquitto.port, protocol)
    server = ledger.start()
    ledger.reads_here.subscribe(server.port)
    ledger.reads_there.subscribe(mosquitto.port)
    # What is published before the bridge has subscribed there the first time is nobody's.
    eventually(lambda: mosquitto.log, lambda log: "Sending SUBACK to hookmq" in log)
    for _ in range(ROUNDS):
        # Those at Mosquitto go on until they are told; those here until their broker is gone.
        stop = threading.Event()
        everybody = [*ledger.publishers, ledger.reads_here, ledger.reads_there]
        with ledger.working(server, everybody, stop):
            time.sleep(ledger.random.uniform(0.05, 0.8))
            server.kill()
            ledger.balance.kills += 1
            stop.set()
        server = ledger.start()
    ledger.settle(server)
    server.close()
    figures(f"kill -9, by {protocol}: {ledger.balance}")
    assert ledger.balance.acknowledged > 0
    assert not ledger.balance.broken, f"seed {seed}: {ledger.balance}; {ledger.balance.broken}"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("protocol", ["5.0", "3.1.1"])
def test_nothing_acknowledged_is_lost_when_the_link_is_cut(
    tmp_path: Path,
    seed: int,
    mosquitto: Mosquitto,
    gate_factory: Callable[..., Gate],
    protocol: str,
    figures: Callable[[str], None],
) -> None:
    gate = gate_factory(mosquitto.port)
    ledger = Ledger(seed, tmp_path / "data", mosquitto, gate.port, protocol)
    server = ledger.start()
    ledger.reads_here.subscribe(server.port)
    ledger.reads_there.subscribe(mosquitto.port)
    # What is published before the bridge has subscribed there the first time is nobody's.
    eventually(lambda: mosquitto.log, lambda log: "Sending SUBACK to hookmq" in log)
    stop = threading.Event()
    with ledger.working(server, [*ledger.publishers, ledger.reads_here, ledger.reads_there], stop):
        for _ in range(200 if LONG else 20):
            # Mosquitto 2.0 that loses a connection before it has repeated a PUBREL repeats the PUBLISH on
            # the next one, so that QoS 2 comes twice: each connection lasts a while.
            time.sleep(ledger.random.uniform(0.3, 0.6))
            connections = len(gate.levels)
            gate.cut()
            ledger.balance.kills += 1
            eventually(lambda before=connections: len(gate.levels) - before, lambda more: more > 0)
        stop.set()
    ledger.settle(server)
    server.close()
    figures(f"the link cut, by {protocol}: {ledger.balance}")
    assert not ledger.balance.broken, f"seed {seed}: {ledger.balance}; {ledger.balance.broken}"
