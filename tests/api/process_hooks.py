"""Functions that workers of `executor="process"` find by their names, and messages for them."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import hookmq.settings.config


@dataclass(frozen=True)
class Letter:
    """A message that can be pickled: it says what the hook is to do, and where to write it down."""

    client_id: str
    number: int
    diary: str = ""
    act: str = ""
    topic: str = "a/b"


class Stubborn(Exception):
    """Cannot be pickled, and not be made again either."""

    def __init__(self, one: object, other: object) -> None:
        super().__init__("stubborn")
        self.held = lambda: (one, other)


class Speechless(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class Tools:
    @staticmethod
    def static(msg: Letter) -> None:
        write(msg)

    @classmethod
    def of_class(cls, msg: Letter) -> None:
        write(msg)

    def method(self, msg: Letter) -> None:
        write(msg)


def write(msg: Letter, **levels: str) -> None:
    """Add a line to the diary: one write, so nothing is lost when the process dies behind it.

    A line is as long as divides a page: one that lies across two can be read, and killed, between them.
    """
    line = f"{msg.client_id} {msg.number} {os.getpid()}{''.join(f' {k}={v}' for k, v in levels.items())}"
    descriptor = os.open(msg.diary, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, f"{line:63}\n".encode())
    os.close(descriptor)


def entries(diary: Path) -> list[list[str]]:
    """The lines of a diary, as words."""
    return [line.split() for line in diary.read_text().splitlines()] if diary.exists() else []


def act(msg: Letter, **levels: str) -> None:
    """Write the message down, then do what it says."""
    write(msg, **levels)
    if msg.act:
        ACTS[msg.act]()


def count(msg: Letter) -> None:
    """Do nothing."""


def nap(msg: Letter) -> None:
    """Take some time after the message was written down."""
    write(msg)
    time.sleep(0.2)


def spin(msg: Letter) -> None:
    """Take some time."""
    end = time.perf_counter() + 0.01
    while time.perf_counter() < end:
        pass


def _raise(error: BaseException) -> None:
    raise error


def _fork() -> None:
    # The child comes back out of the hook, where the worker must not go on twice.
    if os.fork():
        os.wait()


def _keep_connection() -> None:
    # A child of the dead worker lives on for a while, with what it inherited.
    if os.fork() == 0:
        time.sleep(3)
        os._exit(0)
    os._exit(3)


def _ignore_everything() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        try:
            time.sleep(60)
        except BaseException:
            continue


def _must_import() -> None:
    assert hookmq.settings.config.importing_app
    assert sys.stdin.read() == ""


ACTS: dict[str, Callable[[], object]] = {
    "exit": lambda: os._exit(3),
    "segfault": lambda: ctypes.string_at(0),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "sys.exit": lambda: sys.exit(4),
    "memory": lambda: bytearray(1 << 62),
    "close": lambda: (os.closerange(3, 256), time.sleep(3600)),
    "raise": lambda: _raise(ValueError("wrong")),
    "stubborn": lambda: _raise(Stubborn(1, 2)),
    "speechless": lambda: _raise(Speechless()),
    "interrupt": lambda: _raise(KeyboardInterrupt()),
    "long": lambda: _raise(ValueError("x" * 10_000_000)),
    "fork": _fork,
    "keep connection": _keep_connection,
    "sleep": lambda: time.sleep(3600),
    "never end": _ignore_everything,
    "terminate": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "ctrl+c": lambda: os.kill(os.getpid(), signal.SIGINT),
    "look": _must_import,
}


@dataclass
class Order:
    """A payload as a hook's annotation says: what to write, and into which file."""

    diary: str
    level: float


def write_order(order: Order, pump: int) -> None:
    """Add what came, and its types, to the diary."""
    with open(order.diary, "a") as diary:
        diary.write(f"{type(order).__name__} {order.level!r} {pump!r} {os.getpid()}\n")
