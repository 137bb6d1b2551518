"""SIGTERM under load: the broker ends well, and nothing that it acknowledged is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hookmq._hookmq import check_store

from .ledger import Ledger, Round
from .server import Durable

ROUNDS = 5


class Terminated(Durable):
    """It is told to end where others are killed."""

    def kill(self) -> None:
        assert self.terminate() == 0, self.complaints


class Terminating(Round):
    def _start(self) -> Durable:
        return Terminated(self._directory)


def test_nothing_acknowledged_is_lost_at_sigterm(
    tmp_path: Path, seed: int, figures: Callable[[str], None]
) -> None:
    total = Ledger()
    for number in range(ROUNDS):
        directory = tmp_path / str(number)
        total.add(Terminating(seed + number, directory).play())
        found = check_store(directory / "store")
        assert (found["torn"], found["damages"], found["orphans"]) == (0, [], 0)
    figures(f"SIGTERM: {total}")
    assert total.broken == 0, f"{total}; seeds {total.seeds}"
