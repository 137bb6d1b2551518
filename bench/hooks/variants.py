"""What is run: each variant takes one sample of one thing, with a broker process of its own."""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from ..machine import AMQTT, CACHE, process_time
from ..peers import find
from .child import Child, Failed
from .wire import Connection, acknowledged, free_port, round_trips

__all__ = ["Plan", "Sample", "variants"]

Sample: TypeAlias = dict[str, float]
"""Figures of one run by name. Times are in seconds, ``rate`` in messages a second, memory in bytes."""

WINDOW = 40_960
"""Messages that may wait for a hook: ten full batches, and fewer than its queue takes."""

WARM = WINDOW
PEER_WARM = 1_000
"""Messages before those that count."""

PACE = 2_000.0
"""Messages a second where it is not the throughput that is looked at."""

DEADLINE = 10.0
"""Seconds mosquitto has to begin."""


@dataclass(frozen=True)
class Plan:
    """How much is run."""

    rounds: int
    messages: int
    paho: int
    amqtt: int
    paced: float
    """Seconds."""
    round_trips: int
    acknowledged: float
    """Seconds."""
    calls: int
    """Calls between two looks at the memory."""


def variants(plan: Plan) -> dict[str, Callable[[], Sample]]:
    """Return what can be run, in the order of a round."""
    run = functools.partial
    return {
        "none": run(flood, "none", plan.messages * 2),
        "other": run(flood, "other", plan.messages * 2),
        "count": run(flood, "count", plan.messages),
        "build": run(flood, "build", plan.messages),
        "paho": run(paho, plan.paho),
        "amqtt": run(amqtt, plan.amqtt),
        "coroutine": run(flood, "coroutine", plan.messages // 4),
        "arrow": run(flood, "arrow", plan.messages),
        "messages": run(flood, "messages", plan.messages),
        "dicts": run(flood, "dicts", plan.messages),
        "wait": run(waiting, plan.paced),
        "quiet": run(latency, "none", plan.round_trips),
        "burn": run(latency, "burn", plan.round_trips),
        "sleep": run(latency, "sleep", plan.round_trips),
        "native": run(transform, "none", 1, plan.acknowledged),
        "transform": run(transform, "transform", 1, plan.acknowledged),
        "native-10": run(transform, "none", 10, plan.acknowledged),
        "transform-10": run(transform, "transform", 10, plan.acknowledged),
        "startup": startup,
        "memory": run(memory, plan.calls),
    }


# The broker under test -------------------------------------------------------------------------------------


def flood(mode: str, messages: int) -> Sample:
    """Send as fast as it goes; CPU time of a message by thread, and the rate to the end of the last call."""
    with Child("serve.py", mode) as broker, Connection(broker.ready["port"]) as connection:
        _send(broker, connection, WARM, 0)
        before = broker.ask("figures")
        started = time.perf_counter()
        _send(broker, connection, messages, WARM)
        seconds = time.perf_counter() - started
        after = broker.ask("figures")
    _check(mode, after, WARM + messages)
    cpu = {name: (after["cpu"][name] - spent) / 1e9 / messages for name, spent in before["cpu"].items()}
    return {**cpu, "all": sum(cpu.values()), "rate": messages / seconds}


def memory(calls: int) -> Sample:
    """Call a hook; how much the process has grown since a tenth of that was called."""
    with Child("serve.py", "count") as broker, Connection(broker.ready["port"]) as connection:
        _send(broker, connection, calls // 10, 0)
        before = broker.ask("figures")
        _send(broker, connection, calls, calls // 10)
        after = broker.ask("figures")
    _check("count", after, calls + calls // 10)
    return {"grown": after["resident"] - before["resident"], "calls": calls}


def waiting(seconds: float) -> Sample:
    """Send at a pace; how long messages wait for their hook, as the broker says and as the hook sees it."""
    with Child("serve.py", "wait") as broker, Connection(broker.ready["port"]) as connection:
        sent = connection.pace(seconds, PACE)
        connection.ping()
        broker.ask(f"settle {sent}")
        after = broker.ask("figures")
    _check("wait", after, sent)
    seen = {"seen_p50": _percentile(after["ages"], 50), "seen_p99": _percentile(after["ages"], 99)}
    told = after["wait"][0]
    return seen if None in told else {**seen, "p50": told[0], "p99": told[1]}


def latency(mode: str, samples: int) -> Sample:
    """Publish one message after the other to a native subscriber while the hook is busy."""
    with Child("serve.py", mode) as broker:
        round_trips(broker.ready["port"], samples // 10)
        taken = round_trips(broker.ready["port"], samples)
    return {"p50": _percentile(taken, 50), "p99": _percentile(taken, 99)}


def transform(mode: str, window: int, seconds: float) -> Sample:
    """Keep publishes of QoS 1 of 16 clients under way; rate, CPU time of a message, share of the driver."""
    with Child("serve.py", mode) as broker:
        acknowledged(broker.ready["port"], 16, window, seconds / 5)
        before, own = broker.ask("figures"), time.process_time()
        messages, taken = acknowledged(broker.ready["port"], 16, window, seconds)
        own, after = time.process_time() - own, broker.ask("figures")
    _check(mode, after, 0)
    spent = sum(after["cpu"].values()) - sum(before["cpu"].values())
    return {"rate": messages / taken, "all": spent / 1e9 / messages, "driver": own / taken}


def startup() -> Sample:
    """Start an interpreter that imports, starts and stops a broker, and one that does nothing; twice each."""
    script = "from hookmq import Broker; b = Broker(port=0, http_port=None); b.start(); b.stop()"
    _spawn(script)  # which leaves compiled modules behind
    runs = [(_spawn("pass"), _spawn(script)) for _ in range(2)]
    (bare, full), (bare_cpu, full_cpu) = (
        [min(run[of][kind] for run in runs) for of in range(2)] for kind in range(2)
    )
    return {"bare": bare, "bare_cpu": bare_cpu, "full": full, "full_cpu": full_cpu}


# Peers -----------------------------------------------------------------------------------------------------


def paho(messages: int) -> Sample:
    """Send to mosquitto as fast as it goes; a consumer makes a dict of each message."""
    with _mosquitto() as (port, pid):
        with Child("paho_consumer.py", port, PEER_WARM, messages) as consumer, Connection(port) as connection:
            before = process_time(pid)
            connection.flood(PEER_WARM + messages)
            took = consumer.receive()
        spent = process_time(pid) - before
    return {
        "all": took["cpu"] / 1e9 / messages,
        "rate": messages / took["seconds"],
        "broker": spent / 1e9 / (PEER_WARM + messages),
    }


def amqtt(messages: int) -> Sample:
    """Send to amqtt as fast as it goes; its plugin counts.

    It reads far ahead of the plugin, so its CPU time counts from before the first message.
    """
    if not AMQTT.exists():
        raise Failed("amqtt is not installed: bench/setup.sh")
    port = free_port()
    with Child("amqtt_broker.py", port, messages, python=AMQTT) as broker, Connection(port) as connection:
        before, started = process_time(broker.pid), time.perf_counter()
        connection.flood(messages)
        broker.receive()
        seconds = time.perf_counter() - started
        spent = process_time(broker.pid) - before
    return {"all": spent / 1e9 / messages, "rate": messages / seconds}


@contextlib.contextmanager
def _mosquitto() -> Iterator[tuple[int, int]]:
    """Run mosquitto on a free port of 127.0.0.1; it drops nothing that a slow consumer has not taken yet."""
    program = find("mosquitto")
    if program is None:
        raise Failed("mosquitto is not installed: bench/setup.sh")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mosquitto.conf"
        file.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nlog_dest none\n"
        )
        process = subprocess.Popen([program, "-c", file], stderr=subprocess.DEVNULL)
        try:
            _await_port(port, process)
            yield port, process.pid
        finally:
            process.terminate()
            process.wait()


def _await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.01)
    raise Failed("mosquitto did not begin to listen")


# Inside ----------------------------------------------------------------------------------------------------


def _send(broker: Child, connection: Connection, messages: int, before: int) -> None:
    """Send so many, a window at a time: the next one goes when the hook has seen all of the last."""
    for sent in range(0, messages, WINDOW):
        now = min(WINDOW, messages - sent)
        connection.flood(now)
        connection.ping()
        broker.ask(f"settle {before + sent + now}")


def _check(mode: str, figures: dict[str, Any], sent: int) -> None:
    """Raise ``Failed`` if a hook missed a message or raised: then the other figures are worth nothing."""
    seen, dropped, errors = figures["count"], figures["dropped"], figures["errors"]
    if dropped or errors or seen not in (None, sent):
        raise Failed(f"{mode}: {seen} of {sent} messages seen, {dropped} dropped, {errors} errors")


def _spawn(script: str) -> tuple[float, float]:
    """Run a script; return the seconds and the CPU seconds it took.

    Modules are compiled once, as in every installation, and kept in a place of the benchmark: where the
    environment forbids to keep them, compiling all of them anew would be what is measured.
    """
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(CACHE / "compiled")
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", script], env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise Failed(f"the script ended with {process.returncode}")
    return seconds, usage.ru_utime + usage.ru_stime


def _percentile(values: Sequence[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]
