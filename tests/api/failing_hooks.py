"""A process with a broker one of whose hooks fails in the way it is told, for the tests of failures.

It is started by :class:`Home`, which speaks with it in lines of JSON. What can take a process down, or keep
its interpreter from everyone, does so here.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from hookmq import Allow, Broker, every

HELD = 1.5
"""Seconds for which the interpreter is held."""

DECISION_TIMEOUT = 0.5
STOP_GRACE = 0.3

released = threading.Event()
children: list[int] = []
kept: list[bytearray] = []


# What goes wrong -----------------------------------------------------------------------------------------


def _raise() -> None:
    raise ValueError("wrong")


def _sleep() -> None:
    """Wait where no exception from outside comes in, as `time.sleep(3600)` does, but can be ended."""
    released.wait()


def _hold() -> None:
    """Keep the interpreter from every other thread: a C function that is called without letting go of it."""
    ctypes.PyDLL(None).usleep(int(HELD * 1e6))


def _recurse() -> None:
    _recurse()


def _leak() -> None:
    while not released.is_set():
        kept.append(bytearray(1 << 20))
        time.sleep(0.1)


def _fork() -> None:
    """Both go on, as they do in a program whose author did not think of it."""
    if child := os.fork():
        children.append(child)


FAILURES: dict[str, Callable[[], object]] = {
    "raises": _raise,
    "wrong type": object,
    "sleeps": _sleep,
    "holds the GIL": _hold,
    "exits": lambda: sys.exit(3),
    "recurses": _recurse,
    "leaks": _leak,
    "forks": _fork,
}


def wait_for_file(msg: Any) -> None:
    """Wait until the file exists that the payload names: a gate for other processes."""
    while not os.path.exists(msg.payload.strip()):
        time.sleep(0.01)


# The hooks -----------------------------------------------------------------------------------------------

# What is run again for a hook that is to replace another, as a cell of a notebook is.
DEFINITIONS = {
    "def": "def hook(*given):\n    return act(*given)\n",
    "async def": "async def hook(*given):\n    return await act_later(*given)\n",
}

FILTERED = {"on_message_received", "on_message_sent", "on_message_acked", "on_message_dropped"} | {
    "on_batch",
    "transform",
    "on_deliver",
}


def welcome(client: Any) -> bool:
    """Let clients in that name no method."""
    return True


class Site:
    """A broker with one hook."""

    def __init__(self, kind: str, form: str, failure: str, settings: dict[str, Any]) -> None:
        self.kind, self.form, self.failure = kind, form, failure
        self.well = False
        self.seen = 0
        hooks = {"decision_timeout": DECISION_TIMEOUT, "page_timeout": 0.5, "stop_grace": STOP_GRACE}
        self.broker = Broker(port=0, http_port=0, history={"enabled": False}, hooks=hooks | settings)

    def define(self) -> None:
        """Register the hook, or put it in the place of the one that is there."""
        broker, kind = self.broker, self.kind
        scope: dict[str, Any] = {"act": self.act, "act_later": self.act_later, "__name__": "cells"}
        exec(compile(DEFINITIONS[self.form], "cell.py", "exec"), scope)
        hook: Any = scope["hook"]
        match kind:
            case "schedule":
                broker.schedule(every(1).seconds)(hook)
            case "route":
                broker.route("/bad")(hook)
            case "websocket":
                broker.websocket("/live").on_message(hook)
            case "mount":
                broker.mount("/app", self.application)
            case "enhanced_authenticate":
                broker.enhanced_authenticate("M")(hook)
                broker.authenticate(welcome)
            case "on_batch":
                broker.on_batch("bad/#", max_rows=1, max_delay=0)(hook)  # each failure is a call of its own
            case "rule":
                broker.rule('SELECT topic FROM "bad/#"')(hook)
            case _:
                decorator = getattr(broker, kind)
                (decorator("bad/#") if kind in FILTERED else decorator)(hook)

    def _is_calm(self, given: tuple[Any, ...]) -> bool:
        name = getattr(given[0], "client_id", "") if given else ""
        return self.kind not in FILTERED and str(name).startswith("calm")

    def act(self, *given: Any) -> Any:
        if self._is_calm(given):
            return self._calm()
        if self.well:
            return self._work(given)
        say(entered=True)
        failed = FAILURES[self.failure]()
        # What is no failure to begin with decides as it should.
        return self._answer() if failed is None else failed

    async def act_later(self, *given: Any) -> Any:
        if self.failure == "sleeps" and not self.well and not self._is_calm(given):
            say(entered=True)
            await asyncio.sleep(3600)
        return self.act(*given)

    def _calm(self) -> Any:
        return {"authenticate": True, "authorize": Allow(ttl=60)}.get(self.kind)

    def _answer(self) -> Any:
        answers: dict[str, Any] = {"authenticate": True, "enhanced_authenticate": True, "route": "well"}
        return answers.get(self.kind)

    def _work(self, given: tuple[Any, ...]) -> Any:
        self.seen += 1
        if self.kind == "websocket":
            given[1].send("well")
        return b"well" if self.kind in ("transform", "on_deliver") else self._answer()

    async def application(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            raise NotImplementedError
        failed = await self.act_later(scope)
        if failed is not None:
            return await send(failed)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"well"})


# What the test can ask for -------------------------------------------------------------------------------


class Service:
    """What a test asks for, by name."""

    def __init__(self) -> None:
        self.records: list[tuple[str, str, str, bool]] = []
        self.site: Site | None = None
        handler = logging.Handler()
        handler.emit = self._emit  # type: ignore[method-assign]
        logging.getLogger().addHandler(handler)

    def _emit(self, record: logging.LogRecord) -> None:
        traced = record.exc_info is not None and record.exc_info[2] is not None
        self.records.append((record.name, record.levelname, record.getMessage(), traced))

    @property
    def _site(self) -> Site:
        assert self.site is not None
        return self.site

    def new(self, kind: str, form: str, failure: str, **settings: Any) -> Any:
        """Start a broker with a hook that fails; return its ports."""
        self.records.clear()
        self.site = Site(kind, form, failure, settings)
        self.site.define()
        self.site.broker.start()
        return [self.site.broker.port, self.site.broker.http_port]

    def pause(self) -> None:
        self._site.broker.pause("hook")

    def resume(self) -> None:
        self._site.broker.resume("hook")

    def replace(self) -> None:
        """Define the hook again; it is one that works from here on."""
        self._site.well = True
        self._site.define()

    def info(self) -> Any:
        """What the hook counted, and how often it worked."""
        broker = self._site.broker
        found = [asdict(one) for one in broker.hooks if one.name == "hook"] or [
            {"calls": job.runs, "errors": job.errors} for job in broker.jobs
        ]
        return {"hooks": len(found), "seen": self._site.seen} | (found[0] if found else {})

    def log(self) -> Any:
        return self.records

    def stop(self) -> float:
        """Stop the broker; return how long it took."""
        began = time.monotonic()
        self._site.broker.stop()
        return time.monotonic() - began

    def children(self) -> int:
        """How many forked processes are still there."""
        return sum(os.waitpid(child, os.WNOHANG) == (0, 0) for child in children)

    def end(self) -> Any:
        """Let go what sleeps, end what was forked; return the broker's threads that do not end."""
        released.set()
        if self.site is not None:
            self.site.broker.stop()
        for child in children:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
        deadline = time.monotonic() + 3
        while (left := _threads()) and time.monotonic() < deadline:
            time.sleep(0.01)
        self.site = None
        children.clear()
        kept.clear()
        released.clear()
        return left


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("hookmq")]


def say(**words: object) -> None:
    """Tell the test: one write, from whatever thread."""
    os.write(1, json.dumps(words).encode() + b"\n")


def main() -> None:
    service = Service()
    for line in sys.stdin:
        name, options = json.loads(line)
        try:
            say(reply=getattr(service, name)(**options))
        except BaseException as error:
            say(error=f"{type(error).__name__}: {error}")


class Home:
    """The test's end of it."""

    def __init__(self) -> None:
        # By its path: the tests are no package that another process could import.
        command = [sys.executable, "-W", "ignore::DeprecationWarning", __file__]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._process = subprocess.Popen(command, start_new_session=True, **pipes)
        self._replies: queue.Queue[dict[str, Any]] = queue.Queue()
        self.entered = threading.Event()
        """A hook has begun to fail."""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            words = json.loads(line)
            if "entered" in words:
                self.entered.set()
            else:
                self._replies.put(words)
        self._replies.put({"error": "the process is gone"})

    def ask(self, name: str, *, within: float = 10.0, **options: Any) -> Any:
        """Ask for something and return the answer. Raises ``AssertionError`` if there is none."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([name, options]) + "\n")
        self._process.stdin.flush()
        try:
            words = self._replies.get(timeout=within)
        except queue.Empty:
            raise AssertionError(f"no answer to {name!r} within {within} s") from None
        assert "error" not in words, f"{name}: {words['error']}"
        return words["reply"]

    def close(self) -> None:
        """End the process, and what it has forked."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


if __name__ == "__main__":
    main()
