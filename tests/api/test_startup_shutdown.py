"""The hooks of the broker's own life: when they are called, and what becomes of their mistakes."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import threading
import time

import pytest

from hookmq import HookMQError

from ..protocol.packets import Disconnect, Publish
from .helpers import (
    DEADLINE,
    Gate,
    Seen,
    ended,
    eventually,
    free_port,
    launch,
    program,
    read_until,
    run_program,
)

SHUTTING_DOWN = 0x8B


@pytest.fixture
def idle(broker_factory):
    """A broker that was not started."""
    return broker_factory(start=False)


# on_startup -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_the_broker_serves_when_it_starts_and_start_waits_for_it(idle, join, kind):
    seen = Seen()

    def up():
        join(idle, "early")  # clients can connect already
        idle.publish("status", "up", qos=1, retain=True)
        seen.append(("up", idle.running, idle.port > 0))

    async def up_later():
        await asyncio.sleep(0.05)
        await asyncio.to_thread(up)

    assert idle.on_startup(up if kind == "def" else up_later) in (up, up_later)
    assert seen == []
    idle.start()
    assert seen == [("up", True, True)]
    reader = join(idle)
    reader.subscribe("status", qos=1)
    reader.expect_message("status", b"up", qos=1, retain=True)
    (info,) = idle.hooks
    assert (info.kind, info.calls, info.errors, info.filter) == ("on_startup", 1, 0, None)
    idle.start()  # without effect
    assert len(seen) == 1


@pytest.mark.parametrize("kind", ["on_startup", "on_shutdown"])
def test_their_order(idle, kind):
    seen = Seen()
    for name, priority in (("one", 0), ("low", -1), ("two", 0), ("high", 1)):
        getattr(idle, kind)(name=name, priority=priority)(lambda name=name: seen.append(name))

    @getattr(idle, kind)
    async def three():
        await asyncio.sleep(0.01)
        seen.append("three")

    idle.start()
    idle.stop()
    assert seen == ["high", "one", "two", "three", "low"]


def test_they_are_called_for_each_run(idle):
    seen = Seen()
    idle.on_startup(lambda: seen.append("up"))
    idle.on_shutdown(lambda: seen.append("down"))
    for _ in range(3):
        with idle:
            pass
    assert seen == ["up", "down"] * 3
    idle.stop()
    assert len(seen) == 6


def test_they_take_no_arguments(idle):
    for kind in ("on_startup", "on_shutdown"):
        with pytest.raises(HookMQError, match="E501"):
            getattr(idle, kind)(lambda broker: None)
        with pytest.raises(HookMQError, match="E501"):
            getattr(idle, kind)("a/b")(lambda: None)
    assert idle.hooks == []


def test_one_that_is_added_while_it_runs_waits_for_the_next_start(broker):
    seen = Seen()
    broker.on_startup(lambda: seen.append("up"))
    assert seen == []
    broker.stop()
    broker.start()
    assert seen == ["up"]


ERRORS = [ValueError("no database"), SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()]


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_start_that_fails_leaves_nothing_behind(broker_factory, caplog, kind, error):
    port = free_port()
    broker = broker_factory(start=False, port=port)
    seen = Seen()
    broker.on_startup(lambda: seen.append("first"))

    def fails():
        if "mended" not in seen:
            raise error

    async def fails_later():
        await asyncio.sleep(0)
        fails()

    broker.on_startup(name="second")(fails if kind == "def" else fails_later)
    broker.on_startup(lambda: seen.append("third"))
    broker.on_shutdown(lambda: seen.append("down"))
    with pytest.raises(HookMQError) as caught:
        broker.start()
    assert caught.value.code == "E510" and caught.value.exit_code == 1
    assert "second raised at the start" in str(caught.value)
    assert caught.value.__cause__ is not None
    assert not broker.running
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 1)
    assert [name for name in threading.enumerate() if name.name.startswith("hookmq")] == []
    assert "third" not in seen
    assert any(record.exc_info for record in caplog.records if record.name == "hookmq.hooks")
    seen.append("mended")
    with broker:
        assert seen[-1] == "third"


def test_stopping_from_a_startup_hook(idle):
    idle.on_startup(idle.stop)
    idle.start()
    eventually(lambda: not idle.running)


def test_a_script_whose_start_fails(tmp_path):
    body = """
        broker = Broker(port=0, http_port=None)

        @broker.on_startup
        def up():
            raise RuntimeError("no database")

        broker.run()
        """
    code, output, errors = run_program(tmp_path, body)
    assert code == 1
    assert "error[E510]: " in errors and "up raised at the start: no database" in errors
    assert "MQTT" not in output, "there is no banner of a broker that does not run"


# on_shutdown ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_clients_are_still_connected_when_it_stops(broker, join, kind):
    seen = Seen()

    def down():
        broker.publish("status", "down", qos=1, retain=True)
        seen.append(
            (broker.running, broker.statistics["clients_connected"], broker.history("status").count())
        )

    async def down_later():
        await asyncio.sleep(0.01)
        down()

    broker.on_shutdown(down if kind == "def" else down_later)
    reader = join(broker)
    reader.subscribe("status", qos=1)
    broker.stop()
    assert seen == [(True, 1, 1)]
    words = reader.last_words()
    assert words == [Publish("status", b"down", 1, id=1), Disconnect(SHUTTING_DOWN, words[-1].properties)]


def test_observers_are_told_what_it_publishes_by_clients(broker, join):
    """Hooks go on until the last message is told."""
    seen = Seen()
    broker.on_message_sent("status")(lambda msg: seen.append(msg.text))
    broker.on_shutdown(lambda: broker.publish("status", "down"))
    reader = join(broker)
    reader.subscribe("status")
    broker.stop()
    assert seen == ["down"]


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_shutdown_hook_that_fails_stops_no_stop(broker, caplog, kind, error):
    seen = Seen()

    def fails():
        raise error

    async def fails_later():
        raise error

    broker.on_shutdown(name="bad")(fails if kind == "def" else fails_later)
    broker.on_shutdown(lambda: seen.append("next"))
    broker.stop()
    assert seen == ["next"] and not broker.running
    (record,) = [record for record in caplog.records if record.name == "hookmq.hooks"]
    assert record.levelno == logging.ERROR and record.getMessage().startswith("bad raised")
    assert [(info.calls, info.errors) for info in broker.hooks] == [(1, 1), (1, 0)]


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_shutdown_hook_has_its_time(broker_factory, caplog, kind):
    broker = broker_factory({"hooks.stop_grace": 0.3})
    gate, behind = Gate(), Seen()

    def waits():
        gate.wait()

    async def waits_later():
        gate.entered.set()
        await asyncio.sleep(30)

    broker.on_shutdown(waits if kind == "def" else waits_later)
    broker.on_shutdown(lambda: behind.append(1))
    began = time.monotonic()
    broker.stop()
    took = time.monotonic() - began
    assert gate.entered.is_set()
    gate.opened.set()
    assert 0.25 < took < 3
    assert not broker.running
    assert "an on_shutdown hook did not end in time" in caplog.text


def test_stopping_from_a_shutdown_hook(broker):
    calls = Seen()

    @broker.on_shutdown
    def down():
        calls.append(1)
        broker.stop()

    broker.stop()
    assert calls == [1] and not broker.running


def test_stopping_from_two_threads(broker):
    gate, calls = Gate(), Seen()

    @broker.on_shutdown
    def down():
        calls.append(1)
        gate.wait()

    threads = [threading.Thread(target=broker.stop) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert gate.entered.wait(DEADLINE)
    gate.opened.set()
    for thread in threads:
        thread.join(DEADLINE)
    assert calls == [1] and not broker.running


SCRIPT = """\
broker = Broker(port=0, http_port=None)

@broker.on_startup
def up():
    print("up", flush=True)

@broker.on_shutdown
async def down():
    await asyncio.sleep(0.01)
    print("down", broker.running, flush=True)

"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_script_that_is_told_to_end(tmp_path, how):
    process = launch(program(tmp_path, SCRIPT + "broker.run()\n"))
    read_until(process, "up")
    read_until(process, "MQTT")
    process.send_signal(how)
    code, output, errors = ended(process)
    assert (code, errors) == (0, "")
    assert output.splitlines()[-1] == "down True"


def test_a_script_that_ends_without_stopping(tmp_path):
    code, output, errors = run_program(tmp_path, SCRIPT + "broker.start()\n")
    assert (code, output, errors) == (0, "up\ndown True\n", "")


def test_with_asyncio(tmp_path):
    body = """\
async def main():
    task = asyncio.create_task(broker.serve())
    while not broker.running:
        await asyncio.sleep(0.01)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        print("cancelled")

asyncio.run(main())
"""
    code, output, errors = run_program(tmp_path, SCRIPT + body)
    assert (code, output, errors) == (0, "up\ndown True\ncancelled\n", "")
