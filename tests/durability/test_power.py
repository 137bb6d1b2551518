"""The power fails: what is lost is what ``store.sync`` allows."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ..protocol.wire import Wire
from .ledger import Ledger, Round
from .power import Disk, build
from .server import Node
from .sizes import LONG

ROUNDS = 500 if LONG else 100


@pytest.mark.timeout(60 + 20 * ROUNDS)
def test_nothing_acknowledged_is_lost_at_power_loss(
    tmp_path: Path, seed: int, figures: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_PRELOAD", str(build(tmp_path)))
    total, hit = Ledger(), 0
    for number in range(ROUNDS):
        directory, journal = tmp_path / f"{number}", tmp_path / f"{number}.journal"
        monkeypatch.setenv("DISK_ROOT", f"{directory}/")
        monkeypatch.setenv("DISK_JOURNAL", str(journal))

        def lose_power(rng: random.Random, journal: Path = journal) -> None:
            nonlocal hit
            hit += Disk.read(journal).lose_power(rng)
            journal.unlink()

        total.add(Round(seed + number, directory, lose_power, store={"sync": "always"}).play())
        shutil.rmtree(directory)
    figures(f'power loss with sync = "always", {hit:,} writes dropped or torn: {total}')
    assert hit > 0, "nothing was under way when the power failed: the test tests nothing"
    assert total.broken == 0, f"{total}; seeds {total.seeds}"


@pytest.mark.timeout(300)
def test_no_more_than_the_interval_is_lost_at_power_loss(
    tmp_path: Path,
    seed: int,
    node: Callable[..., Node],
    connect: Callable[..., Wire],
    figures: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LD_PRELOAD", str(build(tmp_path)))
    rng = random.Random(seed)
    rounds, interval = 30, 0.1
    lost, oldest = 0, 0.0
    for number in range(rounds):
        directory, journal = tmp_path / f"{number}", tmp_path / f"{number}.journal"
        monkeypatch.setenv("DISK_ROOT", f"{directory}/")
        monkeypatch.setenv("DISK_JOURNAL", str(journal))
        broker = node(directory, store={"sync": "interval", "interval": interval})
        away = connect(broker.port, "away")
        away.subscribe("a", qos=1)
        away.disconnect()
        writer = connect(broker.port, "writer", clean=True)
        acknowledged: list[float] = []
        end = time.monotonic() + rng.uniform(0.3, 0.6)
        while time.monotonic() < end:
            writer.publish("a", str(len(acknowledged)).encode(), 1)
            acknowledged.append(time.monotonic())
        killed = time.monotonic()
        broker.kill()
        Disk.read(journal).lose_power(rng)
        broker.start()
        back = connect(broker.port, "away")
        found = {int(message.payload) for message in back.drain()} if back.connack.session_present else set()
        gone = [killed - at for index, at in enumerate(acknowledged) if index not in found]
        lost += len(gone)
        oldest = max([oldest, *gone])
        broker.close()
    figures(
        f'power loss with sync = "interval" of {interval} s: {rounds} rounds, {lost:,} of the last messages '
        f"lost, the oldest {oldest:.3f} s after it was acknowledged"
    )
    assert lost > 0, "everything had reached the disk: the test tests nothing"
    assert oldest < interval + 0.15, f"seed {seed}: how long the thread may wait and a sync may take"
