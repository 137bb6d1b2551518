"""Databases that fail while messages are stored: nothing that was promised is lost, and nobody else waits.

A publisher of QoS 1 sends with `ack="stored"`; while it does the database is stopped, killed, frozen, reset
in the middle of transactions, locked, without disk space, or refuses the password. In the end every message
that was acknowledged is there, once. Meanwhile another client, whose messages are not stored, sends and gets
its own.
"""

from __future__ import annotations

import contextlib
import errno
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hookmq import Broker
from hookmq.connectors import SQL

from ..durability.power import build
from ..protocol.packets import V5, Connect, Puback, Publish
from ..protocol.wire import Wire
from ..servers.mariadb import MariaDB
from ..servers.postgresql import PostgreSQL
from .conftest import INSTALLED, Database

WINDOW = 200


class Publisher:
    """Publishes numbers with QoS 1 until it is told to stop, and knows which were acknowledged."""

    def __init__(self, broker: Broker) -> None:
        self.acknowledged: set[int] = set()
        self.refused = 0
        self._broker = broker
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.error: BaseException | None = None

    def __enter__(self) -> Publisher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(60)
        if self.error is not None:
            raise self.error

    def wait_for_more(self, count: int = WINDOW) -> None:
        """Wait until so many more were acknowledged."""
        goal = len(self.acknowledged) + count
        deadline = time.monotonic() + 30
        while len(self.acknowledged) < goal:
            assert self._thread.is_alive() and time.monotonic() < deadline, "acknowledgements stopped"
            time.sleep(0.005)

    def _run(self) -> None:
        try:
            wire = Wire("127.0.0.1", self._broker.port, version=V5, deadline=30)
            with contextlib.closing(wire):
                wire.connect(Connect("publisher", keep_alive=0))
                self._publish(wire)
        except BaseException as error:
            self.error = error

    def _publish(self, wire: Wire) -> None:
        number = 0
        while not self._over.is_set():
            sent = {id: number + id for id in range(1, WINDOW + 1)}
            wire.send(*(Publish("plant/flow", str(one).encode(), 1, id=id) for id, one in sent.items()))
            for _ in range(WINDOW):
                answer = wire.read()
                assert isinstance(answer, Puback), answer
                if answer.code < 0x80:
                    self.acknowledged.add(sent[answer.id])
                else:
                    self.refused += 1
            number += WINDOW


class Bystander:
    """Sends messages to itself; how long the slowest was under way."""

    def __init__(self, broker: Broker) -> None:
        self.slowest = 0.0
        self._wire = Wire("127.0.0.1", broker.port, version=V5, deadline=10)
        self._wire.connect(Connect("bystander", keep_alive=0))
        self._wire.subscribe("echo", qos=0)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Bystander:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(20)
        self._wire.close()

    def _run(self) -> None:
        while not self._over.is_set():
            begun = time.monotonic()
            self._wire.send(Publish("echo", b"x", 0))
            self._wire.read()
            self.slowest = max(self.slowest, time.monotonic() - begun)
            time.sleep(0.005)


class Failing:
    """A database that can be made to fail in several ways."""

    def __init__(self, server: Any, control: Path) -> None:
        self.server, self._control = server, control

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        self.server.stop()
        yield
        self.server.start()

    @contextlib.contextmanager
    def killed(self) -> Iterator[None]:
        self.server.kill()
        yield
        self.server.start()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        self.server.freeze()
        yield
        self.server.thaw()

    @contextlib.contextmanager
    def reset(self) -> Iterator[None]:
        for _ in range(5):
            self.server.reset_connections()
            time.sleep(random.random() / 50)
        yield

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        with self.server.locked("mqtt_received"):
            yield

    @contextlib.contextmanager
    def full(self) -> Iterator[None]:
        self._control.with_suffix(".new").write_text(f"1 {errno.ENOSPC}")
        self._control.with_suffix(".new").rename(self._control)
        yield
        self._control.unlink()
        with contextlib.suppress(Exception):
            self.server.stop()  # it may have ended itself
        self.server.start()

    @contextlib.contextmanager
    def password(self) -> Iterator[None]:
        with self.server.another_password():
            self.server.reset_connections()
            yield
        self.server.reset_connections()


@pytest.fixture
def failing(request: pytest.FixtureRequest, open_directory: Path) -> Iterator[Failing]:
    made = {"postgresql": PostgreSQL, "mariadb": MariaDB}[request.param]
    place = open_directory / f"failing-{request.param}"
    place.mkdir()
    control = place / "fails"
    environment = {
        "LD_PRELOAD": str(build(place)),
        "DISK_ROOT": f"{place / 'server'}/",
        "DISK_FAILS": str(control),
    }
    server = made(place / "server", environment)
    yield Failing(server, control)
    server.close()


def wait_for_an_empty_spool(broker: Broker) -> None:
    """Wait until the database has what waited for it."""
    deadline = time.monotonic() + 60
    while (info := broker.connectors[0]).spooled:
        assert time.monotonic() < deadline, info
        time.sleep(0.005)


WAYS = ("stopped", "killed", "frozen", "reset", "locked", "full", "password")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("failing", INSTALLED, indirect=True)
def test_nothing_promised_is_lost_and_nobody_else_waits(
    failing: Failing,
    broker_factory: Callable[..., Broker],
    tmp_path: Path,
    figures: Callable[[str], None],
    seed: int,
) -> None:
    rng = random.Random(seed)
    database = Database(failing.server.kind, failing.server.url)
    broker = broker_factory(data_dir=tmp_path / "data", history={"enabled": False})
    connector = SQL(database.url, timeout=2.0)
    broker.send_to(connector, "plant/#", ack="stored", patience=0.3)
    failures = [*WAYS * 3, *rng.choices(WAYS, k=1)]
    rng.shuffle(failures)
    with Bystander(broker) as bystander, Publisher(broker) as publisher:
        publisher.wait_for_more()
        for way in failures:
            with getattr(failing, way)():
                publisher.wait_for_more(2 * WINDOW)  # acknowledged, because it is safe on disk
            wait_for_an_empty_spool(broker)
            publisher.wait_for_more()
    count = len(publisher.acknowledged)
    wait_for_an_empty_spool(broker)
    info = broker.connectors[0]
    broker.stop()
    stored = [int(bytes(row[0])) for row in database.rows("mqtt_received", "payload")]
    lost = publisher.acknowledged - set(stored)
    figures(
        f"{failing.server.kind}: {len(failures)} failures of {len(WAYS)} kinds while {count:,} messages were "
        f"acknowledged as stored: lost {len(lost)}, twice {len(stored) - len(set(stored))}, "
        f"{info.retries} batches tried again; another client's slowest message "
        f"{bystander.slowest * 1000:.0f} ms; {publisher.refused} refused (seed {seed})"
    )
    assert not lost
    assert len(stored) == len(set(stored))
    assert publisher.refused == 0
    assert bystander.slowest < 1.0


@pytest.mark.parametrize("way", ["locked", "missing"])
def test_sqlite_that_fails(
    way: str, broker_factory: Callable[..., Broker], tmp_path: Path, figures: Callable[[str], None]
) -> None:
    place = tmp_path / "plant.db"
    database = Database("sqlite", f"sqlite:///{place}")
    broker = broker_factory(data_dir=tmp_path / "data", history={"enabled": False})
    broker.send_to(SQL(database.url), "plant/#", ack="stored", patience=0.3)
    rounds = 3
    with Bystander(broker) as bystander, Publisher(broker) as publisher:
        publisher.wait_for_more()
        for _ in range(rounds):
            with failing_sqlite(place, way):
                publisher.wait_for_more(2 * WINDOW)
            publisher.wait_for_more()
    broker.stop()
    broker.start()  # what was in the spool at the stop is written after the next start
    wait_for_an_empty_spool(broker)
    broker.stop()
    stored = [int(row[0]) for row in database.rows("mqtt_received", "payload")]
    assert publisher.acknowledged <= set(stored) and len(stored) == len(set(stored))
    assert bystander.slowest < 1.0
    figures(f"sqlite: {rounds} times {way}: {len(publisher.acknowledged):,} acknowledged, lost 0, twice 0")


@contextlib.contextmanager
def failing_sqlite(place: Path, way: str) -> Iterator[None]:
    """Make a database in a file fail while the context lasts."""
    with contextlib.closing(sqlite3.connect(place, timeout=30, isolation_level=None)) as other:
        if way == "locked":
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")
        else:
            other.execute("ALTER TABLE mqtt_received RENAME TO elsewhere")
            yield
            other.execute("ALTER TABLE elsewhere RENAME TO mqtt_received")


def test_without_a_spool_what_is_promised_is_not_acknowledged(
    broker_factory: Callable[..., Broker], tmp_path: Path
) -> None:
    """There is no data directory: while the database is away the publisher is told."""
    database = Database("sqlite", f"sqlite:///{tmp_path}/plant.db")
    broker = broker_factory()
    broker.send_to(SQL(database.url), "plant/#", ack="stored", patience=0.2)
    wire = Wire("127.0.0.1", broker.port, version=V5)
    with contextlib.closing(wire):
        wire.connect(Connect("publisher"))
        wire.send(Publish("plant/flow", b"1", 1, id=1))
        assert wire.read().code < 0x80
        with failing_sqlite(tmp_path / "plant.db", "locked"):
            wire.send(Publish("plant/flow", b"2", 1, id=2))
            answer = wire.read(timeout=10)
            assert isinstance(answer, Puback) and answer.code >= 0x80
        wire.send(Publish("plant/flow", b"3", 1, id=3))
        assert wire.read(timeout=10).code < 0x80
    broker.stop()
    stored = {bytes(row[0]) for row in database.rows("mqtt_received", "payload")}
    assert {b"1", b"3"} <= stored  # what was refused may have come through all the same
