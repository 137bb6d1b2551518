"""Records on disk: their order, crashes, damage and bounds."""

from __future__ import annotations

import errno
import logging
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hookmq.connectors import Record
from hookmq.connectors import spool as spools
from hookmq.connectors.spool import Spool, SpoolFull

from .records import numbers, record, records


def read(spool: Spool, rows: int = 100) -> list[int]:
    return [number for chunk in spool.chunks(rows) for number in numbers(chunk)]


def segments(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.jsonl"))


WHOLE: Sequence[Record] = [
    record(1, b""),
    record(2, b"\xff\x00", topic="plant/ä/b", client_id="", retain=True),
    record(3, properties={"user_properties": [("a", "1"), ("a", "2")], "correlation_data": b"\x00"}),
    record(4, kind="connected", payload=b"", detail={"username": None, "port": 1883}),
    record(5, "line\nbreak \u2028 and \U0001f600".encode()),
]


@pytest.mark.parametrize("one", WHOLE, ids=lambda one: str(one.number))
def test_a_record_comes_back_as_it_was(tmp_path: Path, one: Record) -> None:
    spool = Spool(tmp_path)
    spool.append([one])
    assert list(spool.chunks(1)) == [[one]]


def test_order_over_segments_and_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spools, "SEGMENT_BYTES", 1000)
    for start in range(1, 101, 10):
        spool = Spool(tmp_path)  # each is a broker that starts again
        spool.append(records(5, start=start))
        spool.append(records(5, start=start + 5))
        spool.close()
    spool = Spool(tmp_path)
    assert len(spool) == 100 and len(segments(tmp_path)) > 5
    assert read(spool, 7) == list(range(1, 101))
    assert len(spool) == 0 and spool.bytes == 0 and not segments(tmp_path)


def test_what_comes_while_it_is_read_is_read_last(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append(records(4))
    chunks = spool.chunks(2)
    assert numbers(next(chunks)) == [1, 2]
    spool.append(records(2, start=5))
    assert [numbers(chunk) for chunk in chunks] == [[3, 4], [5, 6]]
    assert len(spool) == 0


def test_what_was_not_released_comes_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append(records(4))
    chunks = spool.chunks(2)
    next(chunks), next(chunks)
    chunks.close()  # the service failed on the second
    assert len(spool) == 2
    assert read(spool) == [3, 4]


def test_a_crash_loses_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append(records(4))
    next(spool.chunks(2))
    assert read(Spool(tmp_path)) == [1, 2, 3, 4]  # a new one, that knows only the disk


@pytest.mark.parametrize("cut", [1, 2, 30, 100])
def test_a_line_that_a_crash_cut_off(tmp_path: Path, cut: int) -> None:
    spool = Spool(tmp_path)
    spool.append(records(3))
    spool.close()
    path = segments(tmp_path)[0]
    path.write_bytes(path.read_bytes()[:-cut])
    spool = Spool(tmp_path)
    assert len(spool) == 2
    assert read(spool) == [1, 2] and len(spool) == 0
    spool.append(records(1, start=4))
    assert read(spool) == [4]


def test_a_damaged_line_is_told_and_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spool = Spool(tmp_path)
    spool.append(records(5))
    spool.close()
    path = segments(tmp_path)[0]
    lines = path.read_bytes().splitlines(keepends=True)
    lines[1] = b"\x00" * 20 + b"\n"
    lines[3] = lines[3].replace(b'"time"', b'"tame"')
    path.write_bytes(b"".join(lines))
    spool = Spool(tmp_path)
    with caplog.at_level(logging.ERROR, "hookmq.connectors"):
        assert read(spool, 2) == [1, 3, 5]
    assert len(spool) == 0
    assert (tmp_path / "damaged.jsonl").read_bytes() == lines[1] + lines[3]
    assert len(caplog.records) == 2 and str(path) in caplog.text


def test_a_bound(tmp_path: Path) -> None:
    spool = Spool(tmp_path, max_bytes=2000)
    fitting = 0
    with pytest.raises(SpoolFull, match="of 2,000 bytes"):
        while True:
            spool.append(records(1, start=fitting + 1))
            fitting += 1
    assert fitting > 3
    with pytest.raises(SpoolFull):
        spool.append(records(20, start=100))
    assert read(spool) == list(range(1, fitting + 1))
    spool.append(records(1))


def test_a_full_disk_leaves_no_half_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path)
    spool.append(records(1))
    write = os.write

    def full(file: int, data: Any) -> int:
        if len(data) > 10:
            return write(file, data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(SpoolFull, match="No space left on device"):
            spool.append([record(2, b"x" * 5)])
    spool.append(records(1, start=3))
    assert read(Spool(tmp_path)) == [1, 3]


def test_threads_append_while_one_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spools, "SEGMENT_BYTES", 2000)
    monkeypatch.setattr(os, "fsync", lambda file: None)
    spool = Spool(tmp_path)
    found: list[int] = []

    def add(first: int) -> None:
        for number in range(first, first + 200):
            spool.append([record(number)])

    threads = [threading.Thread(target=add, args=(first,)) for first in (1, 1001, 2001)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        found += read(spool, 10)
    found += read(spool, 10)
    for first in (1, 1001, 2001):
        assert [number for number in found if first <= number < first + 1000] == list(
            range(first, first + 200)
        )
    assert len(spool) == 0
