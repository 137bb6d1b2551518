"""What a start says of the store: how far it is, what was found, and why it cannot be used."""

from __future__ import annotations

import io
import json
import logging
import shutil
import subprocess
import sys
from contextlib import closing

import pytest

from hookmq import Broker
from hookmq._hookmq import StoreError, check_store, copy_store
from hookmq.errors import HookMQError
from hookmq.recovering import Recovering

from ..protocol.packets import V311, Connect
from ..protocol.wire import Wire


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def store(tmp_path):
    """A data directory with a session."""
    with Broker(port=0, http_port=None, data_dir=tmp_path / "data") as broker:
        with closing(Wire("127.0.0.1", broker.port, version=V311)) as wire:
            wire.connect(Connect("away", clean=False))
            wire.subscribe("a", qos=1)
            wire.disconnect()
        broker.publish("r", "x", retain=True)
    return tmp_path / "data"


def test_a_start_that_takes_a_while_shows_how_far_it_is(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    moments = iter([0.0, 0.1, 0.6, 0.7, 0.8])
    monkeypatch.setattr("time.monotonic", lambda: next(moments))
    progress = Recovering()
    progress(1 << 20, 4 << 20)
    assert sys.stderr.getvalue() == "", "half a second is nothing to tell of"
    progress(2 << 20, 4 << 20)
    assert sys.stderr.getvalue() == f"\rreading the store {'━' * 15}{' ' * 15} 2 of 4 MiB"
    progress(4 << 20, 4 << 20)
    assert sys.stderr.getvalue().endswith("4 of 4 MiB\r\033[K"), "the line is gone when it is done"


def test_nothing_is_shown_where_nobody_looks(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    progress = Recovering()
    progress._began -= 10
    progress(1, 2)
    assert sys.stderr.getvalue() == ""


def test_the_log_says_what_was_found(store, caplog):
    caplog.set_level(logging.INFO, "hookmq")
    with Broker(port=0, http_port=None, data_dir=store):
        pass
    assert f"found in {store / 'store'}: 1 sessions, 0 messages for them, 1 retained messages" in caplog.text


def test_two_brokers_want_one_directory(store):
    with Broker(port=0, http_port=None, data_dir=store):
        other = Broker(port=0, http_port=None, data_dir=store)
        with pytest.raises(HookMQError) as caught:
            other.start()
        assert caught.value.code == "E602" and "another process uses it" in str(caught.value)
        assert "another broker runs on this data directory" in (caught.value.help or "")
    with other:
        pass


def test_another_process_is_told_on_the_terminal(store):
    program = "import json, sys, hookmq; hookmq.Broker(**json.loads(sys.argv[1])).run()"
    settings = json.dumps({"port": 0, "http_port": None, "data_dir": str(store)})
    with Broker(port=0, http_port=None, data_dir=store):
        done = subprocess.run(
            [sys.executable, "-c", program, settings], capture_output=True, text=True, timeout=20
        )
    assert done.returncode == 1
    assert done.stderr.startswith("error[E602]: the store ") and "  help: another broker runs" in done.stderr


def test_a_file_of_another_store_is_not_taken(store, tmp_path):
    with Broker(port=0, http_port=None, data_dir=tmp_path / "other"):
        pass
    file = store / "store/00000001.log"
    own = file.read_bytes()
    shutil.copy(tmp_path / "other/store" / file.name, file)
    with pytest.raises(HookMQError) as caught:
        Broker(port=0, http_port=None, data_dir=store).start()
    assert caught.value.code == "E602" and "it belongs to another store" in str(caught.value)
    file.write_bytes(own)
    with Broker(port=0, http_port=None, data_dir=store) as broker:
        assert broker.statistics["sessions"] == 1


def test_looking_at_a_store_from_python(store, tmp_path):
    told = []
    found = check_store(store / "store", lambda *bytes: told.append(bytes))
    assert found["damages"] == [] and found["torn"] == found["orphans"] == 0
    assert told[-1] == (found["bytes"], found["bytes"])
    assert copy_store(store / "store", tmp_path / "copy") == found["bytes"]
    assert check_store(tmp_path / "copy")["records"] == found["records"]
    with pytest.raises(StoreError) as caught:
        check_store(tmp_path / "none")
    assert caught.value.args[0] == "system"
    with pytest.raises(ZeroDivisionError):
        check_store(store / "store", lambda done, total: 1 // 0)
