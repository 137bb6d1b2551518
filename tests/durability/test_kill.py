"""The broker is killed at a random moment, again and again: nothing that it acknowledged is lost."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from .ledger import Ledger, Round
from .sizes import LONG

ROUNDS = 500 if LONG else 20


@pytest.mark.timeout(60 + 20 * ROUNDS)
@pytest.mark.mqtt5("4.1.0-1", "4.4.0-1", "4.3.3-10", "4.6.0-1")
@pytest.mark.mqtt311("4.1.0-1", "4.4.0-1")
def test_nothing_acknowledged_is_lost_at_kill_9(
    tmp_path: Path, seed: int, figures: Callable[[str], None]
) -> None:
    total = Ledger()
    for number in range(ROUNDS):
        directory = tmp_path / str(number)
        total.add(Round(seed + number, directory).play())
        shutil.rmtree(directory)
    figures(f"kill -9: {total}")
    assert total.broken == 0, f"{total}; seeds {total.seeds}"
