"""`hookmq dev`: an app that gets its new code while its clients stay connected."""

from __future__ import annotations

import queue
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

Run = Callable[..., subprocess.CompletedProcess[bytes]]
Spawn = Callable[..., Any]

APP = """\
from hookmq import Broker, every

broker = Broker(port=0, http_port=None)


@broker.on_message_received("ask")
def answer(msg):
    broker.publish("answer", "{answer}")


@broker.schedule(every(1).hours)
def job(): ...


print("loaded {answer}", flush=True)
"""

READY = b"mqtt://127.0.0.1:"
DEADLINE = 10.0


@pytest.fixture(autouse=True)
def _without_bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python takes an old version for the new one if both were saved in one second and are of one size."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    """Save a file the way an editor does: write a new one, then put it in the place of the old one."""

    def write(text: str = APP.format(answer=1), name: str = "app.py") -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        new = path.with_suffix(".new")
        new.write_text(text)
        return new.replace(path)

    return write


class Asker:
    """A client that asks the app's hook, and notices the end of its connection."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._answers: queue.Queue[str] = queue.Queue()
        self.lost: list[object] = []
        client.on_message = lambda client, data, message: self._answers.put(message.payload.decode())
        client.on_disconnect = lambda client, data, flags, code, properties: self.lost.append(code)

    def ask(self) -> str:
        """Return what the hook answers."""
        self._client.publish("ask")
        return self._answers.get(timeout=DEADLINE)


@contextmanager
def connected(running: Any) -> Iterator[Asker]:
    """A client of the broker whose banner was printed last."""
    port = int(re.findall(rb"mqtt://127\.0\.0\.1:(\d+)", running.output)[-1])
    client = Client(CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
    asker, granted = Asker(client), queue.Queue[bool]()
    client.on_connect = lambda client, *rest: client.subscribe("answer")
    client.on_subscribe = lambda *rest: granted.put(True)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        granted.get(timeout=DEADLINE)
        yield asker
    finally:
        client.disconnect()
        client.loop_stop()


# Reloading ------------------------------------------------------------------------------------------------


def test_a_client_stays_connected_while_the_code_changes(spawn: Spawn, save: Callable[..., Path]) -> None:
    save()
    running = spawn("dev", "app.py")
    running.wait_for(READY)
    with connected(running) as asker:
        assert asker.ask() == "1"
        for number in (2, 3):
            save(APP.format(answer=number))
            line = b"hookmq dev: app.py changed: 1 hook, 1 job reloaded, 1 connection kept\n"
            running.wait_for(line, times=number - 1)
            assert asker.ask() == str(number)
        assert asker.lost == []
    assert running.output.count(READY) == 1
    assert b"restarting" not in running.output
    assert running.stop(signal.SIGTERM) == 0


def test_the_old_code_stays_while_there_is_a_syntax_error(spawn: Spawn, save: Callable[..., Path]) -> None:
    save()
    running = spawn("dev", "app.py")
    running.wait_for(READY)
    with connected(running) as asker:
        save(APP.format(answer=2) + "x = (\n")
        running.wait_for(b"the app keeps running as it was\n")
        assert b"error[E206]: app.py:16  syntax error: '(' was never closed\n" in running.output
        assert asker.ask() == "1"
        save(APP.format(answer=3))
        running.wait_for(b"1 connection kept\n")
        assert asker.ask() == "3"
        assert asker.lost == []
    assert b"loaded 2" not in running.output
    assert running.stop(signal.SIGINT) == 0


def test_the_old_code_stays_while_the_new_one_fails(spawn: Spawn, save: Callable[..., Path]) -> None:
    path = save()
    running = spawn("dev", "app.py")
    running.wait_for(READY)
    with connected(running) as asker:
        save(APP.format(answer=2) + "broker.on_message_received('ask')(unknown)\n")
        running.wait_for(b"the app keeps running as it was\n")
        expected = f"error[E511]: {path}:16  the app cannot be loaded again: NameError: name 'unknown' is not"
        assert expected in running.output.decode()
        assert asker.ask() == "1"
        save(APP.format(answer=3))
        running.wait_for(b"1 connection kept\n")
        assert (asker.ask(), asker.lost) == ("3", [])
    assert b"Traceback" not in running.output
    assert running.stop() == 0


def test_modules_of_the_app_are_loaded_as_well(spawn: Spawn, save: Callable[..., Path]) -> None:
    """The broker is made in one, hooks in others, and the app only brings them together."""
    save("from hookmq import Broker\nbroker = Broker(port=0, http_port=None)\n", "parts/hub.py")
    save("WORD = 'one'\n", "words.py")
    save(
        "import words\nfrom parts.hub import broker\n\n"
        "@broker.on_message_received('ask')\ndef answer(msg):\n    broker.publish('answer', words.WORD)\n",
        "parts/answers.py",
    )
    save("import parts.answers\nfrom parts.hub import broker\n")
    running = spawn("dev", "app.py")
    running.wait_for(READY)
    with connected(running) as asker:
        assert asker.ask() == "one"
        save("WORD = 'two'\n", "words.py")
        running.wait_for(b"words.py changed: 1 hook reloaded, 1 connection kept\n")
        assert asker.ask() == "two"
        save("from hookmq import Broker\n\nbroker = Broker(port=0, http_port=None)\n", "parts/hub.py")
        running.wait_for(b"parts/hub.py changed: 1 hook reloaded, 1 connection kept\n")
        assert (asker.ask(), asker.lost) == ("two", [])
    assert running.stop() == 0


def test_a_broker_that_has_a_name(spawn: Spawn, save: Callable[..., Path]) -> None:
    app = APP.replace("broker = ", "other = Broker(port=0, http_port=None)\nbroker = ")
    save(app.format(answer=1))
    running = spawn("dev", "app.py:broker")
    running.wait_for(READY)
    with connected(running) as asker:
        save(app.format(answer=2))
        running.wait_for(b"1 hook, 1 job reloaded, 1 connection kept\n")
        assert asker.ask() == "2"
        save(app.format(answer=3))
        running.wait_for(b"1 hook, 1 job reloaded, 1 connection kept\n", times=2)
        assert asker.ask() == "3"
    assert running.stop() == 0


def test_a_package(spawn: Spawn, save: Callable[..., Path]) -> None:
    save("WORD = 'one'\n", "shop/words.py")
    text = "from .words import WORD\n" + APP.replace('"{answer}"', "WORD").format(answer=1)
    save(text, "shop/__init__.py")
    running = spawn("dev", "shop:broker")
    running.wait_for(READY)
    with connected(running) as asker:
        assert asker.ask() == "one"
        save("WORD = 'two'\n", "shop/words.py")
        running.wait_for(b"shop/words.py changed: 1 hook, 1 job reloaded, 1 connection kept\n")
        assert asker.ask() == "two"
    assert running.stop() == 0


def test_the_line_is_there_whatever_the_log_shows(spawn: Spawn, save: Callable[..., Path]) -> None:
    save()
    running = spawn("dev", "app.py", "--log-level", "error")
    running.wait_for(READY)
    save(APP.format(answer=2))
    running.wait_for(b"app.py changed: 1 hook, 1 job reloaded, 0 connections kept\n")
    assert running.stop() == 0


# Restarting -----------------------------------------------------------------------------------------------


def test_the_configuration_restarts_it(spawn: Spawn, save: Callable[..., Path]) -> None:
    save()
    running = spawn("dev", "app.py")
    running.wait_for(READY)
    save("[limits]\nmax_clients = 7\n", "hookmq.toml")
    running.wait_for(b"hookmq dev: hookmq.toml changed, restarting\n")
    running.wait_for(READY, times=2)
    save("[limits\n", "hookmq.toml")
    running.wait_for(b"error[E304]: hookmq.toml  not TOML")
    running.wait_for(b"the app keeps running as it was\n")
    assert running.stop() == 0
    assert running.output.count(READY) == 2


def test_settings_of_the_broker_restart_it(spawn: Spawn, save: Callable[..., Path]) -> None:
    save()
    running = spawn("dev", "app.py")
    running.wait_for(READY)
    text = APP.format(answer=2).replace("port=0", "port=0, limits={'max_clients': 7}", 1)
    save(text)
    running.wait_for(b"app.py changed, restarting for new settings: limits.max_clients\n")
    running.wait_for(READY, times=2)
    with connected(running) as asker:
        assert asker.ask() == "2"
        save(text.replace('"2"', '"3"'))
        running.wait_for(b"1 connection kept\n")
        assert asker.ask() == "3"
    assert running.stop() == 0


def test_settings_that_cannot_be_do_not_restart_it(spawn: Spawn, save: Callable[..., Path]) -> None:
    save()
    running = spawn("dev", "app.py")
    running.wait_for(READY)
    save(APP.format(answer=2).replace("port=0", "prot=0", 1))
    running.wait_for(b"error[E301]: Broker(...)  unknown key `prot`")
    running.wait_for(b"the app keeps running as it was\n")
    with connected(running) as asker:
        assert asker.ask() == "1"
    assert running.stop() == 0


def test_an_app_that_has_failed_is_started_again(spawn: Spawn, save: Callable[..., Path]) -> None:
    save("raise RuntimeError('no')\n")
    running = spawn("dev", "app.py")
    running.wait_for(b"error[E202]: app.py:1  RuntimeError: no\n")
    running.wait_for(b"hookmq dev: the app ended with exit code 4; waiting for a file to be saved\n")
    save()
    running.wait_for(b"app.py changed, restarting\n")
    running.wait_for(READY)
    assert running.stop() == 0


def test_an_app_that_is_not_up_yet_is_started_again(spawn: Spawn, save: Callable[..., Path]) -> None:
    """SIGHUP would end it, and its code would be the old one."""
    save("print('slow', flush=True)\nimport time\ntime.sleep(60)\n")
    running = spawn("dev", "app.py")
    running.wait_for(b"slow\n")
    save()
    running.wait_for(b"app.py changed, restarting\n")
    running.wait_for(READY)
    assert running.stop() == 0


def test_an_app_that_does_not_come_back_from_a_reload_is_started_again(
    spawn: Spawn, save: Callable[..., Path]
) -> None:
    save()
    running = spawn("dev", "app.py")
    running.wait_for(READY)
    save(APP.format(answer=2) + "while True:\n    pass\n")
    running.wait_for(b"loaded 2\n")
    for number in range(100):  # until it has lost its patience
        save(APP.format(answer=3) + f"number = {number}\n")
        if b"restarting" in running.output:
            break
        time.sleep(0.4)
    running.wait_for(READY, times=2, timeout=30)
    assert running.stop() == 0


# What it watches ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", [".venv/x.py", "node_modules/x.py", "hookmq-data/x.py", "env/lib.py", "notes.txt"]
)
def test_it_does_not_look_at_other_files(spawn: Spawn, save: Callable[..., Path], name: str) -> None:
    save()
    save("", "env/pyvenv.cfg")
    running = spawn("dev", "app.py")
    running.wait_for(READY)
    save("x = 1\n", name)
    time.sleep(0.8)  # more than two looks at the files
    save(APP.format(answer=2))
    running.wait_for(b"app.py changed: ")
    assert running.output.count(b" changed") == 1
    assert running.stop() == 0


# How it ends ----------------------------------------------------------------------------------------------


def test_it_ends_with_an_app_that_ends(hookmq: Run, save: Callable[..., Path]) -> None:
    save("import os\nos._exit(0)\n")
    assert hookmq("dev", "app.py").returncode == 0


def test_a_file_that_is_not_there(hookmq: Run) -> None:
    done = hookmq("dev", "nosuch.py")
    assert done.returncode == 4
    assert done.stderr.startswith(b"error[E205]: there is no file `nosuch.py`")


def test_it_ends_with_the_exit_code_of_the_app(spawn: Spawn, save: Callable[..., Path]) -> None:
    save("raise RuntimeError('no')\n")
    running = spawn("dev", "app.py")
    running.wait_for(b"waiting for a file to be saved\n")
    assert running.stop() == 4
