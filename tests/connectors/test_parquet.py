"""Parquet files: what is in them, that nothing is lost or twice, and a disk that fails."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow
import pyarrow.dataset
import pyarrow.parquet
import pytest

from hookmq.connectors import Courier, Parquet
from hookmq.errors import HookMQError

from .records import BEGIN, RUN, record, records, until

MakeCourier = Callable[..., Courier]


def stored(directory: Path) -> list[int]:
    """The numbers of what readers see, in files in the order of their names."""
    found = []
    for path in sorted(directory.rglob("*.parquet")):
        if ".incoming" not in path.parts:
            names = pyarrow.parquet.read_table(path, columns=["id"], partitioning=None)["id"].to_pylist()
            found += [int(name.rpartition("-")[2]) for name in names]
    return sorted(found)


def incoming(directory: Path) -> list[Path]:
    return sorted((directory / ".incoming").glob("*.arrow"))


def test_the_columns(tmp_path: Path) -> None:
    connector = Parquet(tmp_path / "out")
    sent = [
        record(1, b"\xff\x00", retain=True, properties={"content_type": "x"}),
        record(2, kind="connected", payload=b"", topic="", qos=0, detail={"port": 1883}),
    ]
    connector.write(sent, again=False)
    connector.close()
    path = tmp_path / f"out/2026/05/28/{RUN:016x}-1-2.parquet"
    table = pyarrow.parquet.read_table(path, partitioning=None)
    assert table.schema.field("time").type == pyarrow.timestamp("us", tz="UTC")
    assert table.schema.field("payload").type == pyarrow.binary()
    assert table.to_pylist() == [
        {
            "time": datetime.fromtimestamp(BEGIN, UTC).replace(microsecond=1000),
            "topic": "plant/north/flow",
            "client_id": "pump",
            "qos": 1,
            "retain": True,
            "payload": b"\xff\x00",
            "id": "0000000000abcdef-1",
            "kind": "received",
            "properties": '{"content_type":"x"}',
            "detail": None,
        },
        {
            "time": datetime.fromtimestamp(BEGIN, UTC).replace(microsecond=2000),
            "topic": "",
            "client_id": "pump",
            "qos": 0,
            "retain": False,
            "payload": b"",
            "id": "0000000000abcdef-2",
            "kind": "connected",
            "properties": None,
            "detail": '{"port":1883}',
        },
    ]


def test_readers_find_them(tmp_path: Path, courier: MakeCourier) -> None:
    out = tmp_path / "out"
    one = courier(Parquet(out, path="place={topic[1]}/date=%Y-%m-%d", seconds=0))
    one.put(
        [record(number, topic=f"plant/{'north' if number % 3 else 'south'}/flow") for number in range(1, 31)]
    )
    assert one.wait(10)
    one.stop(5)
    assert pyarrow.dataset.dataset(out, partitioning="hive").count_rows() == 30
    files = f"read_parquet('{out}/**/*.parquet', hive_partitioning=true)"
    assert duckdb.sql(f"SELECT place, count(*) FROM {files} GROUP BY 1 ORDER BY 1").fetchall() == [
        ("north", 20),
        ("south", 10),
    ]


def test_small_batches_become_large_files(tmp_path: Path, courier: MakeCourier) -> None:
    out = tmp_path / "out"
    one = courier(Parquet(out, rows=500, seconds=3600, batch_rows=50))
    for start in range(1, 1201, 10):
        one.put(records(10, start=start), promised=True)
    assert one.wait(10)
    until(lambda: len(stored(out)) >= 1000)
    files = [path for path in out.rglob("*.parquet") if ".incoming" not in path.parts]
    assert len(files) == 2
    one.stop(5)  # what waits becomes a file at the end
    assert stored(out) == list(range(1, 1201)) and not incoming(out)


def test_readers_see_it_after_some_seconds(tmp_path: Path, courier: MakeCourier) -> None:
    out = tmp_path / "out"
    one = courier(Parquet(out, seconds=1))
    one.put(records(3), promised=True)
    assert stored(out) == []
    until(lambda: stored(out) == [1, 2, 3], 5)


@pytest.mark.parametrize(
    "topic", ["../../etc/x", "/", "..", ".hidden/_x", "a\x00b", "ä/…/$SYS", "x" * 300, "%Y"]
)
def test_no_topic_leads_out_of_the_directory(tmp_path: Path, topic: str) -> None:
    out = tmp_path / "out"
    connector = Parquet(out, path="{topic}/{topic[0]}/t={client_id}")
    connector.write([record(1, topic=topic, client_id=topic)], again=False)
    connector.close()
    assert stored(out) == [1]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert pyarrow.dataset.dataset(out).count_rows() == 1  # and none hides it from readers


# Twice is once


def test_what_is_written_again_is_there_once(tmp_path: Path) -> None:
    out = tmp_path / "out"
    connector = Parquet(out, seconds=0)
    connector.write(records(10), again=False)
    connector.idle()
    connector.write(records(15), again=True)
    connector.write(records(5, start=11), again=True)
    connector.write([record(2), record(40), record(12)], again=True)
    connector.idle()
    connector.close()
    assert stored(out) == [*range(1, 16), 40]


CRASH = """
    import os, sys
    sys.path[:0] = {path!r}
    from hookmq.connectors import Parquet, parquet
    from tests_records import records

    def crash(*arguments):
        os._exit(9)

    connector = Parquet({out!r}, seconds=0)
    connector.write(records(10), again=False)
    connector.write(records(10, start=11), again=False)
    place, forget = parquet._Incoming.place, parquet._Incoming.forget
    if {when!r} == "before the file":
        parquet._Incoming.place = crash
    elif {when!r} == "after the file":
        parquet._Incoming.forget = crash
    elif {when!r} == "while it is written":
        os.replace = crash
        import pathlib
        pathlib.Path.replace = crash
    else:
        def half(self, files):
            forget(self, files[:1])
            crash()
        parquet._Incoming.forget = half
    connector.idle()
"""


@pytest.mark.parametrize(
    "when", ["before the file", "while it is written", "after the file", "half way in between"]
)
def test_a_crash_loses_nothing_and_doubles_nothing(tmp_path: Path, when: str) -> None:
    out = tmp_path / "out"
    (tmp_path / "tests_records.py").write_text(Path(__file__).with_name("records.py").read_text())
    code = textwrap.dedent(CRASH).format(path=[str(tmp_path)], out=str(out), when=when)
    ended = subprocess.run([sys.executable, "-c", code], stdin=subprocess.DEVNULL, timeout=60, check=False)
    assert ended.returncode == 9
    connector = Parquet(out, seconds=0)
    connector.open()  # the broker starts again, and writes what it is not sure of again
    connector.write(records(12), again=True)
    connector.close()
    assert stored(out) == list(range(1, 21))
    assert not incoming(out) and not list((out / ".incoming").glob("*.tmp"))


def test_two_runs_have_files_of_their_own(tmp_path: Path) -> None:
    out = tmp_path / "out"
    connector = Parquet(out)
    connector.write([record(1), record(1, run=7), record(2)], again=False)
    connector.close()
    assert sorted(path.name for path in out.rglob("*.parquet")) == [
        "0000000000000007-1-1.parquet",
        "0000000000abcdef-1-2.parquet",
    ]


# What fails


def test_a_full_disk(tmp_path: Path, courier: MakeCourier, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    one = courier(Parquet(out, seconds=0))
    one.put(records(10), promised=True)
    until(lambda: len(stored(out)) == 10)
    fsync, full = os.fsync, True

    def fail(file: int) -> None:
        if full and "/out/" in os.readlink(f"/proc/self/fd/{file}"):
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(file)

    monkeypatch.setattr(os, "fsync", fail)
    one.put(records(10, start=11), promised=True)
    until(lambda: one.info().spooled == 10)
    assert one.info().reason.startswith("No space left on device")
    full = False
    assert one.wait(15)
    one.stop(5)
    assert stored(out) == list(range(1, 21))


def test_another_program_in_the_same_directory(tmp_path: Path, courier: MakeCourier) -> None:
    out = tmp_path / "out"
    first = Parquet(out)
    first.open()
    one = courier(Parquet(out))
    until(lambda: one.info().state == "down")
    assert one.info().reason == f"another program writes into {out}"
    first.close()
    one.put(records(3))
    assert one.wait(15)


def test_a_damaged_file_is_put_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    out = tmp_path / "out"
    connector = Parquet(out, seconds=0)
    connector.write(records(5), again=False)
    connector.write(records(5, start=6), again=False)
    incoming(out)[0].write_bytes(b"nonsense")
    connector.idle()
    connector.close()
    assert stored(out) == [6, 7, 8, 9, 10]
    assert "cannot be read" in caplog.text and len(list((out / ".incoming").glob("*.damaged"))) == 1


def test_a_file_in_the_place_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(HookMQError, match="E603"):
        Parquet(tmp_path / "out").check()


@pytest.mark.parametrize("options", [{"rows": 0}, {"seconds": -1}, {"compression": "rar"}, {"path": "{x}"}])
def test_options_that_cannot_be(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Parquet(tmp_path, **options)


@pytest.mark.parametrize("compression", ["zstd", "snappy", "gzip", "lz4", "none"])
def test_compressions(tmp_path: Path, compression: str) -> None:
    connector = Parquet(tmp_path, compression=compression)
    connector.write(records(100), again=False)
    connector.close()
    (path,) = tmp_path.rglob("*.parquet")
    used = pyarrow.parquet.ParquetFile(path).metadata.row_group(0).column(0).compression
    assert used.lower() == {"none": "uncompressed"}.get(compression, compression)
