"""The disk fails: what cannot be stored is refused, and the broker goes on when it can be again."""

from __future__ import annotations

import errno
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ..hardening.server import mib
from ..protocol.packets import V5, V311, Puback, Publish
from ..protocol.wire import Wire
from .actors import Publisher, Subscriber
from .power import build
from .server import Node

WRITES = 100


class Failing:
    """A disk that can be made to fail."""

    def __init__(self, control: Path) -> None:
        self._control = control

    def fail(self, at: int, number: int) -> None:
        """From the so many-th write from now on each fails with this error."""
        fresh = self._control.with_suffix(".new")
        fresh.write_text(f"{at} {number}")
        fresh.rename(self._control)

    def mend(self) -> None:
        self._control.unlink(missing_ok=True)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Failing:
    """The disk of brokers that are started below ``tmp_path / "data"``."""
    monkeypatch.setenv("LD_PRELOAD", str(build(tmp_path)))
    monkeypatch.setenv("DISK_ROOT", f"{tmp_path / 'data'}/")
    monkeypatch.setenv("DISK_FAILS", str(tmp_path / "fails"))
    return Failing(tmp_path / "fails")


@contextmanager
def publishing(node: Node, publishers: list[Publisher]) -> Iterator[None]:
    """Publishers that come again when their connection is closed; in the end all they sent is answered."""
    over = threading.Event()
    errors: list[BaseException] = []

    def work(publisher: Publisher) -> None:
        try:
            while not over.is_set() or publisher.under_way:
                publisher.work(node.port, over)
                time.sleep(0.005)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(publisher,)) for publisher in publishers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(30)
    assert not errors and not any(thread.is_alive() for thread in threads), errors


@pytest.mark.timeout(400)
def test_failures_at_any_write_lose_nothing(
    tmp_path: Path, disk: Failing, seed: int, figures: Callable[[str], None]
) -> None:
    rng = random.Random(seed)
    # Who can be told is refused, and the connection of who cannot is closed; jails are another test's.
    node = Node(tmp_path / "data", limits={"max_reconnects": 0})
    publishers = [
        Publisher("p0", V5, qos=1, clean=True),
        Publisher("p1", V5, qos=2),
        Publisher("p2", V311, qos=1, clean=True),
    ]
    subscriber = Subscriber("s", V5, qos=2)
    subscriber.subscribe(node.port)
    over = threading.Event()
    over.set()
    cases = [(at, number) for at in range(1, WRITES + 1) for number in (errno.ENOSPC, errno.EIO)]
    for at, number in cases:
        with publishing(node, publishers):
            before = node.server.statistics()["store_failures"]
            disk.fail(at, number)
            node.wait_until("store_failures", before.__lt__)
            if rng.random() < 0.05:
                node.kill()
                disk.mend()
                node.start()
            else:
                disk.mend()
                node.wait_until("store_problem", (0).__eq__)
        subscriber.work(node.port, over)
    node.close()
    promised = {one.name: {n for n in one.acknowledged if not one.is_retained(n)} for one in publishers}
    lost = sum(len(numbers - set(subscriber.received[name])) for name, numbers in promised.items())
    twice = len(subscriber.received["p1"]) - len(set(subscriber.received["p1"]))
    acknowledged = sum(len(one.acknowledged) for one in publishers)
    refused = [code for one in publishers for code in one.refused]
    figures(
        f"failing disk: ENOSPC and EIO at the n-th write for n = 1…{WRITES}, {node.kills} kills meanwhile: "
        f"{acknowledged:,} acknowledged, {len(refused):,} refused; lost {lost}, QoS 2 duplicates {twice}"
    )
    assert (lost, twice) == (0, 0), f"seed {seed}"
    assert refused.count(0x97) > 0 and set(refused) <= {0x97, 0x89}, set(refused)


def test_a_slow_disk_slows_publishers_down(
    tmp_path: Path,
    disk: Failing,
    node: Callable[..., Node],
    connect: Callable[..., Wire],
    monkeypatch: pytest.MonkeyPatch,
    figures: Callable[[str], None],
) -> None:
    monkeypatch.setenv("DISK_SLOW", "300")
    queues = {"max_queued_messages": 10_000_000, "max_queued_bytes": 2**40}
    broker = node(tmp_path / "data", store={"sync": "always"}, limits=queues)
    away = connect(broker.port, "away")
    away.subscribe("a", qos=1)
    away.disconnect()
    memory = broker.server.memory()
    # A client that does not wait for acknowledgements.
    writer = connect(broker.port, "writer", clean=True, version=V311)
    count, payload = 6_000, bytes(64 << 10)
    sending = threading.Thread(
        target=lambda: [writer.send(Publish("a", payload, 1, id=number)) for number in range(1, count + 1)]
    )
    writer.deadline = 60
    sending.start()
    most = 0
    while sending.is_alive():
        queued = broker.server.statistics()["queued_bytes"]
        most = max(most, broker.server.memory() - memory - queued)
        time.sleep(0.05)
    for number in range(1, count + 1):
        assert writer.read() == Puback(number)
    sending.join()
    figures(f"slow disk: {mib(count * len(payload))} at 0.3 s a commit; at most {mib(most)} waited for it")
    assert most < 300 << 20
