"""What the tests of connectors have in common: records, and waiting for something to be true."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from hookmq.connectors import Record
from hookmq.connectors.spool import Spool

RUN = 0xABCDEF
BEGIN = 1_780_000_000.0


def record(number: int = 1, payload: bytes = b'{"flow": 100.59}', **fields: Any) -> Record:
    """A message that a client published; each a millisecond after the one before."""
    given: dict[str, Any] = {"run": RUN, "kind": "received", "time": BEGIN + number / 1000}
    given |= {"client_id": "pump", "topic": "plant/north/flow", "qos": 1}
    return Record(number=number, payload=payload, **(given | fields))


def records(count: int, *, start: int = 1, **fields: Any) -> list[Record]:
    """Messages with numbers from `start` on."""
    return [record(number, **fields) for number in range(start, start + count)]


def numbers(found: Iterable[Record]) -> list[int]:
    return [each.number for each in found]


def until(condition: Callable[[], object], seconds: float = 15) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not become true in time"
        time.sleep(0.005)


def waiting(directory: Path) -> list[Record]:
    """What a spool holds, read as a broker would that starts there."""
    spool = Spool(directory / "spool")
    try:
        return [each for chunk in spool.chunks(1000) for each in chunk]
    finally:
        spool.close()
