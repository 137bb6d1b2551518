"""The power fails: with ``store.sync = "always"`` nothing that was acknowledged is lost."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from .ledger import Ledger, Round
from .power import Disk, build
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
