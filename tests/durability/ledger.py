"""One round: a broker that is killed, clients that go on, what they were promised and what they got."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path

from ..protocol.packets import V5, V311
from .actors import Client, Publisher, SessionLost, Subscriber, retained_of
from .server import Durable


@dataclass
class Ledger:
    """What was promised and what came of it, over any number of rounds."""

    rounds: int = 0
    kills: int = 0
    published: int = 0
    acknowledged: int = 0
    received: int = 0
    repeated: int = 0
    """Of QoS 1, which may."""
    lost: int = 0
    sessions_lost: int = 0
    stale_retained: int = 0
    qos2_duplicates: int = 0
    out_of_order: int = 0
    seeds: list[int] = field(default_factory=list)
    """Of rounds in which a promise was broken."""

    def add(self, other: Ledger) -> None:
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))

    @property
    def broken(self) -> int:
        """Promises that were not kept."""
        return self.lost + self.sessions_lost + self.stale_retained + self.qos2_duplicates + self.out_of_order

    def __str__(self) -> str:
        return (
            f"{self.rounds} rounds, {self.kills} kills: {self.acknowledged:,} of {self.published:,} messages "
            f"acknowledged, {self.received:,} received, {self.repeated:,} of QoS 1 repeated; "
            f"lost {self.lost}, sessions lost {self.sessions_lost}, stale retained {self.stale_retained}, "
            f"QoS 2 duplicates {self.qos2_duplicates}, out of order {self.out_of_order}"
        )


class Round:
    """Publishers and subscribers of a random kind, and a broker that is killed under them."""

    def __init__(
        self,
        seed: int,
        directory: Path,
        after_kill: Callable[[random.Random], None] | None = None,
        **settings: object,
    ) -> None:
        self.seed = seed
        self._after_kill = after_kill or (lambda rng: None)
        self._random = random.Random(seed)
        self._directory = directory
        self._settings = settings
        self._errors: list[BaseException] = []
        choose = self._random.choice
        self.publishers = [
            Publisher(f"p{number}", choose([V311, V5]), qos=qos, clean=qos == 1 and choose([True, False]))
            for number, qos in enumerate([1, 2, choose([1, 2])])
        ]
        self.online = [Subscriber("on", choose([V311, V5]), qos=choose([1, 2]))]
        self.offline = [Subscriber(f"off{qos}", choose([V311, V5]), qos=qos) for qos in (1, 2)]

    def play(self) -> Ledger:
        """Plays the round."""
        kills = 0
        server = self._start()
        for subscriber in [*self.online, *self.offline]:
            subscriber.subscribe(server.port)
        with self._working(server, [*self.publishers, *self.online], threading.Event()):
            time.sleep(self._random.uniform(0.02, 0.5))
            server.kill()
        kills += 1
        self._after_kill(self._random)
        server = self._start()
        if self._random.random() < 0.5:
            with self._working(server, [*self.publishers, *self.online, *self.offline], threading.Event()):
                time.sleep(self._random.uniform(0.0, 0.2))
                server.kill()
            kills += 1
            self._after_kill(self._random)
            server = self._start()
        over = threading.Event()
        over.set()
        with self._working(server, self.publishers, over):
            pass
        with self._working(server, [*self.online, *self.offline], over):
            pass
        retained = [retained_of(server.port, publisher) for publisher in self.publishers]
        server.close()
        return self._balance(kills, retained)

    def _start(self) -> Durable:
        return Durable(self._directory, **self._settings)

    @contextmanager
    def _working(self, server: Durable, clients: Sequence[Client], stop: threading.Event) -> Iterator[None]:
        """The clients work while something else happens; it is waited for that they have ended."""

        def work(client: Publisher | Subscriber) -> None:
            try:
                client.work(server.port, stop)
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
        others = [error for error in self._errors if not isinstance(error, SessionLost)]
        assert not any(thread.is_alive() for thread in threads), f"seed {self.seed}: a client does not end"
        assert not others, f"seed {self.seed}: {others}"

    def _balance(self, kills: int, retained: Sequence[int]) -> Ledger:
        ledger = Ledger(rounds=1, kills=kills, sessions_lost=len(self._errors))
        for publisher, found in zip(self.publishers, retained, strict=True):
            ledger.published += publisher.sent
            ledger.acknowledged += len(publisher.acknowledged)
            least, most = publisher.retained
            ledger.stale_retained += not least <= found <= most
            promised = {one for one in publisher.acknowledged if not publisher.is_retained(one)}
            for subscriber in [*self.online, *self.offline]:
                got = subscriber.received[publisher.name]
                repeated = sum(Counter(got).values()) - len(set(got))
                ledger.received += len(got)
                ledger.lost += len(promised - set(got))
                firsts = list(dict.fromkeys(got))
                ledger.out_of_order += firsts != sorted(firsts)
                if min(publisher.qos, subscriber.qos) == 2:
                    ledger.qos2_duplicates += repeated
                else:
                    ledger.repeated += repeated
        if ledger.broken:
            ledger.seeds.append(self.seed)
        return ledger
