"""Every kind of hook × everything that can go wrong in one.

A cell of the matrix is a broker in a process of its own with one hook that fails. The clients are here, so
that they go on whatever becomes of that interpreter. What is expected of a cell is checked to the end, and
all that is not so is told together.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import logging
import queue
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hookmq.hooks import failures
from hookmq.hooks.registry import HOOKS

from ..protocol.packets import V5, V311, Connect, Publish, Subscribe, Unsubscribe
from ..protocol.wire import Closed, Late, Wire
from .asgi_apps import browser
from .failing_hooks import FAILURES, HELD, STOP_GRACE, Home
from .helpers import Device, Seen, ended, eventually, launch, program, read_until, run_program

SIDE_BY_SIDE = 10
"""Cells at a time: most of a cell is waiting."""

EXCHANGES, EXCHANGED_WITHIN = 20, 1.0
"""Messages between two other clients while the hook fails, and seconds for all of them: less than the
interpreter is held."""

NOT_AUTHORIZED, BAD_LOGIN, UNAVAILABLE, FAILED = 0x87, 0x86, 0x88, 0x83

ERRORS = ("raises", "exits", "recurses")
LATE = ("sleeps", "holds the GIL", "leaks")
"""Failures after which no answer came in time."""


# How a client brings a hook to be called ------------------------------------------------------------------

Finish = Callable[[], Any]


class Clients:
    """The clients of one cell: two that have nothing to do with the hook, and those that call it."""

    def __init__(self, port: int, http_port: int, stack: contextlib.ExitStack) -> None:
        self.port, self.http_port, self._stack = port, http_port, stack
        self._number = 0
        self._known: dict[str, Wire] = {}
        self.reader, self.writer = self.connect("calm-reader"), self.connect("calm-writer")
        self.reader.subscribe("calm/#", qos=1)
        self.exchange(1)  # what deciders allow is remembered from here on

    def exchange(self, count: int) -> float:
        """Send messages of QoS 1 from one calm client to the other; return the seconds it took."""
        began = time.monotonic()
        for number in range(count):
            payload = str(number).encode()
            assert self.writer.publish("calm/x", payload, 1) == 0
            self.reader.expect_message("calm/x", payload, qos=1)
        return time.monotonic() - began

    def dial(self, version: int = V5) -> Wire:
        wire = Wire("127.0.0.1", self.port, version=version)
        self._stack.callback(wire.close)
        return wire

    def connect(self, name: str, *, version: int = V5, **fields: Any) -> Wire:
        wire = self.dial(version)
        wire.connect(Connect(name, **fields))
        return wire

    def another(self) -> str:
        self._number += 1
        return f"bad{self._number}"

    def known(self, name: str, filter: str = "", **fields: Any) -> Wire:
        """A client that stays, with a subscription of QoS 1."""
        if name not in self._known:
            self._known[name] = self.connect(name, **fields)
            if filter:
                self._known[name].subscribe(filter, qos=1)
        return self._known[name]

    # One method for each kind: it does what calls the hook, and returns what waits for the outcome.

    def on_message_received(self) -> Finish:
        wire = self.known("bad")
        return lambda: _success(wire.publish("bad/x", b"", 1))

    on_batch = on_message_received
    rule = on_message_received

    def on_message_sent(self) -> Finish:
        wire = self.known("bad-sub", "bad/#")
        assert _success(self.writer.publish("bad/x", b"", 1)) == 0
        return lambda: wire.expect_message("bad/x", qos=1) and 0

    on_message_acked = on_message_sent

    def on_message_dropped(self) -> Finish:
        self.known("bad-small", "bad/#", properties={"maximum_packet_size": 60})
        return lambda: self.writer.publish("bad/x", bytes(100), 1)

    def on_client_connected(self) -> Finish:
        return lambda: self.connect(self.another()).connack.code

    def on_client_disconnected(self) -> Finish:
        return lambda: self.connect(self.another()).disconnect() or 0

    def on_subscribed(self) -> Finish:
        wire = self.known("bad")
        return lambda: min(wire.subscribe("bad/x").codes)

    def on_unsubscribed(self) -> Finish:
        wire = self.known("bad")
        wire.send(Subscribe(number := wire.next_id(), [("bad/x", 0)]))
        wire.read()
        wire.send(Unsubscribe(number, ["bad/x"]))
        return lambda: wire.read().codes[0]  # type: ignore[attr-defined]

    def authenticate(self, **fields: Any) -> Finish:
        wire = self.dial()
        wire.send(Connect(self.another(), **fields))
        return lambda: wire.read().code  # type: ignore[attr-defined]

    on_connect = authenticate

    def enhanced_authenticate(self) -> Finish:
        return self.authenticate(
            properties={"authentication_method": "M", "authentication_data": b"x"},
        )

    def authorize(self) -> Finish:
        wire = self.known("bad")
        wire.send(Publish("bad/x", b"", 1, id=wire.next_id()))
        return lambda: _success(wire.read().code)  # type: ignore[attr-defined]

    def on_subscribe(self) -> Finish:
        wire = self.known("bad")
        wire.send(Subscribe(wire.next_id(), [("bad/x", 0)]))
        return lambda: wire.read().codes[0]  # type: ignore[attr-defined]

    def transform(self) -> Finish:
        receiver = self.known("calm-receiver", "bad/#")
        finish = self.authorize()
        return lambda: (finish(), _received(receiver))

    def transform_311(self) -> Finish:
        receiver = self.known("calm-receiver", "bad/#")
        wire = self.connect(self.another(), version=V311)
        wire.send(Publish("bad/x", b"", 1, id=1))

        def finish() -> tuple[int | str, list[bytes]]:
            try:
                code: int | str = wire.read().code  # type: ignore[attr-defined]
            except Closed:
                code = "closed"
            return code, _received(receiver)

        return finish

    def transform_qos0(self) -> Finish:
        receiver, wire = self.known("calm-receiver", "bad/#"), self.known("bad")
        wire.send(Publish("bad/x", b""))
        return lambda: (wire.ping() or "", _received(receiver))

    def on_deliver(self) -> Finish:
        receiver, wire = self.known("bad-receiver", "bad/#"), self.known("bad")
        number = wire.next_id()
        wire.send(Publish("bad/x", b"", 1, id=number))

        def finish() -> tuple[int | str, list[bytes]]:
            try:
                code: int | str = wire.read().code  # type: ignore[attr-defined]
            except Late:
                code = "no PUBACK"
            return code, _received(receiver)

        return finish

    def schedule(self) -> Finish:
        return lambda: 0

    def route(self, path: str = "/bad") -> Finish:
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=5)
        self._stack.callback(connection.close)
        connection.request("GET", path)
        return lambda: connection.getresponse().status

    def mount(self) -> Finish:
        return self.route("/app/bad")

    def websocket(self) -> Finish:
        page = self._stack.enter_context(browser(self, "/live"))
        page.send("bad")
        return lambda: 0


def _success(code: int) -> int:
    """A reason code; that nobody has subscribed (0x10) is a success like any other."""
    return 0 if code == 0x10 else code


def _received(wire: Wire) -> list[bytes]:
    return [message.payload for message in wire.drain()]


# What is expected ----------------------------------------------------------------------------------------

BAD: dict[str, dict[str, Any]] = {
    "authenticate": {"error": NOT_AUTHORIZED, "wrong type": BAD_LOGIN, "late": UNAVAILABLE},
    "enhanced_authenticate": {"error": NOT_AUTHORIZED, "late": UNAVAILABLE},
    "on_connect": {"error": NOT_AUTHORIZED, "late": UNAVAILABLE},
    "authorize": {"error": NOT_AUTHORIZED},
    "on_subscribe": {"error": NOT_AUTHORIZED},
    "transform": {"error": (FAILED, [])},
    "transform_311": {"error": ("closed", [])},
    "transform_qos0": {"error": ("", [])},
    "on_deliver": {"error": (0, [])},
    "route": {"error": 500, "late": 504},
    "mount": {"error": 500, "late": 504},
}
"""What a client sees of a failure, by the kind of hook; nothing where the kind is not named."""

GOOD: dict[str, tuple[Any, Any]] = {
    "transform": ((0, [b""]), (0, [b"well"])),
    "transform_311": ((0, [b""]), (0, [b"well"])),
    "transform_qos0": (("", [b""]), ("", [b"well"])),
    "on_deliver": ((0, [b""]), (0, [b"well"])),
    "route": (200, 200),
    "mount": (200, 200),
}
"""What it sees of a hook that leaves things as they are, and of one that works."""

PAUSED = {"authenticate": NOT_AUTHORIZED, "enhanced_authenticate": NOT_AUTHORIZED}

KINDS = [*HOOKS, "transform_311", "transform_qos0", "schedule", "route", "websocket", "mount"]
OWN_LIFE = ("on_startup", "on_shutdown")
"""Kinds with tests of their own below."""


@dataclass(frozen=True)
class Cell:
    """One place in the matrix."""

    kind: str
    form: str
    failure: str

    def __str__(self) -> str:
        return f"{self.kind}-{self.form}-{self.failure}"

    @property
    def hook(self) -> str:
        """The kind of hook."""
        return self.kind.partition("_311")[0].partition("_qos0")[0]

    @property
    def decides(self) -> bool:
        return self.hook in HOOKS and HOOKS[self.hook].decides

    @property
    def answers(self) -> bool:
        """Whether what the function returns matters, and what goes wrong in it is seen by a client."""
        return self.kind in BAD

    @property
    def outcome(self) -> Any:
        """What a client sees."""
        expected, (left, _) = BAD.get(self.kind), GOOD.get(self.kind, (0, 0))
        if expected is None or self.failure == "forks":
            return left
        late = self.failure in LATE
        return expected.get("late" if late else self.failure, expected["error"])

    @property
    def errors(self) -> int:
        """How often the hook is brought to fail, if that makes errors."""
        fails = self.failure in ERRORS or (self.failure == "wrong type" and self.answers)
        return (2 if self.kind == "schedule" else 3) if fails else 0


def _forms(kind: str) -> list[str]:
    return {"on_batch": ["def"], "mount": ["async def"]}.get(kind, ["def", "async def"])


CELLS = [
    Cell(kind, form, failure)
    for kind in KINDS
    if kind not in OWN_LIFE
    for form in _forms(kind)
    for failure in FAILURES
]


# One cell ------------------------------------------------------------------------------------------------


@dataclass
class Trial:
    """The test of one cell. What is not as it should be is gathered."""

    cell: Cell
    home: Home
    problems: list[str] = field(default_factory=list)

    def expect(self, what: str, got: Any, wanted: Any) -> None:
        if got != wanted:
            self.problems.append(f"{what}: {got!r}, not {wanted!r}")

    @contextlib.contextmanager
    def part(self, what: str) -> Iterator[None]:
        """Go on behind what fails."""
        try:
            yield
        except AssertionError as error:
            self.problems.append(f"{what}: {error}")

    def run(self) -> None:
        home, cell = self.home, self.cell
        home.entered.clear()
        ports = home.ask("new", kind=cell.hook, form=cell.form, failure=cell.failure)
        with contextlib.ExitStack() as stack:
            clients = Clients(*ports, stack)
            act: Callable[[], Finish] = getattr(clients, cell.kind)
            with self.part("the failure"):
                self.fail(clients, act)
            with self.part("the log"):
                self.look_into_the_log()
            if cell.failure == "forks":
                with self.part("the forked child"):
                    eventually(lambda: home.ask("children") == 0, 2)
            if cell.hook in HOOKS:
                with self.part("the pause"):
                    self.pause(act)
            with self.part("the replacement"):
                self.replace(act)
            with self.part("other clients at last"):
                clients.exchange(1)
        with self.part("the stop"):
            took = home.ask("stop")
            if took > STOP_GRACE + 3:
                self.problems.append(f"the stop took {took:.1f} s")
        self.expect("threads at the end", home.ask("end"), [])
        if self.problems:
            raise AssertionError("\n".join(["", *self.problems]))

    def fail(self, clients: Clients, act: Callable[[], Finish]) -> None:
        cell = self.cell
        for turn in range(cell.errors or 1):
            began = time.monotonic()
            finish = act()
            early = finish() if cell.kind not in BAD else None
            assert self.home.entered.wait(4), "the hook was not called"
            if turn == 0:
                with self.part("other clients meanwhile"):
                    took = clients.exchange(EXCHANGES)
                    assert took < EXCHANGED_WITHIN, f"{took:.2f} s"
            self.expect("the outcome", finish() if cell.kind in BAD else early, cell.outcome)
            # An async page holds up whoever waits for the loop, an ASGI application is asked on it.
            if cell.failure == "holds the GIL" and cell.decides:
                assert time.monotonic() - began < HELD + 0.1, "the answer came when the hook was over"

    def look_into_the_log(self) -> None:
        cell, home = self.cell, self.home
        if cell.errors:
            if cell.hook not in ("route", "mount", "websocket"):
                eventually(lambda: home.ask("info")["errors"] >= cell.errors, 4)
            eventually(lambda: any(row[1] == "ERROR" for row in home.ask("log")))
            reports = [row for row in home.ask("log") if row[1] == "ERROR"]
            self.expect("reports", [row[0] for row in reports], ["hookmq.hooks"])
            # A value of the wrong type has no traceback in anybody's code.
            self.expect("tracebacks", [row[3] or cell.failure == "wrong type" for row in reports], [True])
        else:
            reports = [row for row in home.ask("log") if row[3] and "TimeoutError" not in row[2]]
            self.expect("reports", reports, [])
        if cell.failure in LATE and cell.hook in HOOKS:
            with self.part("the watchdog"):
                eventually(lambda: any(_names(row) for row in home.ask("log")), 2)

    def pause(self, act: Callable[[], Finish]) -> None:
        cell, home = self.cell, self.home
        home.ask("pause")
        expected = GOOD.get(cell.kind, (0, 0))[0]
        if cell.decides:
            expected = BAD[cell.kind]["error"]
            if cell.kind == "transform_311":
                expected = (0, [])  # who pauses a hook knows; the message need not come again
        self.expect("while it is paused", act()(), expected)
        if cell.decides:
            self.expect("calls while it is paused", home.ask("info")["seen"], 0)
        else:
            with self.part("skipped"):
                eventually(lambda: home.ask("info")["skipped"] >= 1, 2)
        home.ask("resume")

    def replace(self, act: Callable[[], Finish]) -> None:
        home, cell = self.home, self.cell
        home.ask("replace")
        self.expect("the replacement's outcome", act()(), GOOD.get(cell.kind, (0, 0))[1])
        with self.part("the replacement's calls"):
            eventually(lambda: home.ask("info")["seen"] >= 1, 2.5)
        if cell.hook not in ("route", "mount", "websocket"):
            self.expect("hooks", home.ask("info")["hooks"], 1)


def _names(row: tuple[str, str, str, bool]) -> bool:
    """Whether a line of the log says that the hook takes long, or took too long."""
    return row[2].startswith(("hook has been running for", "hook raised TimeoutError"))


class Matrix:
    """Runs cells side by side, each in a process that it has for itself."""

    def __init__(self, cells: list[Cell]) -> None:
        self._homes: queue.Queue[Home | None] = queue.Queue()
        for _ in range(SIDE_BY_SIDE):
            self._homes.put(None)
        self._pool = ThreadPoolExecutor(SIDE_BY_SIDE)
        self.results: dict[Cell, Future[None]] = {cell: self._pool.submit(self._run, cell) for cell in cells}

    def _run(self, cell: Cell) -> None:
        home: Home | None = self._homes.get() or Home()
        try:
            Trial(cell, home).run()  # type: ignore[arg-type]
        except BaseException:
            home.close()  # type: ignore[union-attr] # whatever is left in it
            home = None
            raise
        finally:
            self._homes.put(home)

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        while not self._homes.empty():
            if (home := self._homes.get()) is not None:
                home.close()


@pytest.fixture(scope="module")
def matrix(request: pytest.FixtureRequest) -> Iterator[Matrix]:
    """The cells that this run of pytest has chosen."""
    chosen = [item for item in request.session.items if getattr(item, "originalname", "") == "test_a_cell"]
    matrix = Matrix([item.callspec.params["cell"] for item in chosen])  # type: ignore[attr-defined]
    yield matrix
    matrix.close()


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_a_cell(matrix: Matrix, cell: Cell) -> None:
    matrix.results[cell].result(90)


def test_no_kind_of_hook_is_left_out():
    assert {cell.hook for cell in CELLS} >= set(HOOKS) - set(OWN_LIFE)


# The broker's own life -----------------------------------------------------------------------------------

DEFINED = pytest.mark.parametrize("form", ["def", "async def"])


@DEFINED
@pytest.mark.parametrize("failure", FAILURES)
def test_on_shutdown(failure, form):
    """A stop ends in time whatever a hook does to it, and tells what the hook raised."""
    home = Home()
    try:
        home.ask("new", kind="on_shutdown", form=form, failure=failure)
        assert home.ask("stop") < STOP_GRACE + 3
        assert home.entered.is_set()
        reports = [row for row in home.ask("log") if row[1] == "ERROR"]
        if failure not in LATE:  # those are interrupted, which may be told as well
            assert [(row[0], row[3]) for row in reports] == [("hookmq.hooks", True)] * (failure in ERRORS)
        if failure in ("sleeps", "leaks"):
            assert any("on_shutdown hook did not end in time" in row[2] for row in home.ask("log"))
        if failure == "forks":
            eventually(lambda: home.ask("children") == 0, 2)
        home.ask("replace")
        home.ask("stop")
        assert home.ask("end") == []
    finally:
        home.close()


STARTUP = """
sys.path.insert(0, {folder!r})
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
from failing_hooks import FAILURES
from hookmq import HookMQError
broker = Broker(port=0, http_port=0)

def define(failure):
    cell = "@broker.on_startup\\n{form} hook():\\n    FAILURES[failure]()"
    names = dict(globals(), failure=failure, __name__="cells")
    exec(compile(cell, "cell.py", "exec"), names)

def threads():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("hookmq")]

parent = os.getpid()
define({failure!r})
try:
    broker.start()
except HookMQError as error:
    print(error.code, broker.running, threads(), broker.hooks[0].errors)
    define("wrong type")
    broker.start()
if os.getpid() == parent:
    print(broker.running, len(broker.hooks))
"""


@DEFINED
@pytest.mark.parametrize("failure", [*ERRORS, "wrong type", "forks"])
def test_on_startup(tmp_path, failure, form):
    """One that raises keeps the broker from starting, and leaves nothing behind; it can start without it."""
    folder = str(Path(__file__).parent)
    code, output, errors = run_program(tmp_path, STARTUP.format(folder=folder, form=form, failure=failure))
    refused = failure in ERRORS
    assert code == 0, errors
    assert output == ("E510 False [] 1\n" if refused else "") + "True 1\n", errors
    assert ("hook raised" in errors) == refused


@DEFINED
def test_an_on_startup_hook_that_sleeps_is_ended_by_ctrl_c(tmp_path, form):
    """Until then clients are served: the engine waits for no hook."""
    sleep = "await asyncio.sleep(3600)" if form == "async def" else "time.sleep(3600)"
    path = program(
        tmp_path,
        "broker = Broker(port=0, http_port=None, hooks={'stop_grace': 0.5})\n@broker.on_startup\n"
        f"{form} hook():\n    print('port', broker.port, flush=True)\n    {sleep}\nbroker.run()\n",
    )
    process = launch(path)
    port = int(read_until(process, "port").split()[1])
    wire = Wire("127.0.0.1", port)
    wire.connect(Connect("early"))
    assert _success(wire.publish("a", b"", 1)) == 0
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, _, errors = ended(process)
    wire.close()
    assert time.monotonic() - began < 4
    assert "Fatal" not in errors


# What else may come of it --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["authenticate", "authorize", "transform"])
def test_a_decider_that_slept_in_every_thread_can_be_replaced(kind):
    """As many clients as there are threads have asked it; the next one asks its replacement."""
    home = Home()
    try:
        ports = home.ask("new", kind=kind, form="def", failure="sleeps", decision_threads=2)
        with contextlib.ExitStack() as stack:
            clients = Clients(*ports, stack)
            for _ in range(2):
                getattr(clients, kind)()()
            home.ask("replace")
            assert getattr(clients, kind)()() == GOOD.get(kind, (0, 0))[1]
        assert home.ask("stop") < STOP_GRACE + 3
    finally:
        home.close()


@pytest.mark.parametrize("form", ["def", "async def"])
def test_failures_are_counted_after_the_first_report(broker, caplog, monkeypatch, form):
    monkeypatch.setattr(failures, "QUIET", 0.5)
    error = ValueError("wrong")

    def fail(msg: Any) -> None:
        raise error

    async def fail_later(msg: Any) -> None:
        raise error

    def reports() -> list[logging.LogRecord]:
        return [record for record in caplog.records if record.name == "hookmq.hooks"]

    broker.on_message_received("a", name="bad")(fail if form == "def" else fail_later)
    with Device(broker) as device:
        for _ in range(4):
            device.publish("a")
        eventually(lambda: broker.hooks[0].errors == 4)
        began = time.monotonic()
        while len(reports()) < 2:
            assert time.monotonic() - began < 5
            device.publish("a")
        errors = broker.hooks[0].errors
    first, second = reports()
    assert first.getMessage() == "bad raised ValueError: wrong"
    assert second.getMessage() in [
        f"bad raised {n} times, last ValueError: wrong" for n in range(3, errors + 1)
    ]
    assert all(record.exc_info is not None and record.exc_info[1] is error for record in (first, second))


def test_a_coroutine_that_waits_for_what_was_cancelled_has_failed(broker, caplog):
    """It is no end of the loop's own, and those behind it are called."""
    seen = Seen()

    @broker.on_message_received("a")
    async def bad(msg: Any) -> None:
        seen.append(msg.text)
        if msg.text == "0":
            task = asyncio.ensure_future(asyncio.sleep(60))
            await asyncio.sleep(0.05)
            task.cancel()
            await task

    with Device(broker) as device:
        for number in range(5):
            device.publish("a", str(number))
        assert seen.until(5) == ["0", "1", "2", "3", "4"]
    eventually(lambda: broker.hooks[0].errors == 1)
    assert "bad raised CancelledError" in caplog.text


@pytest.mark.parametrize("kind", ["authenticate", "on_connect", "transform", "on_deliver"])
def test_a_coroutine_that_is_too_late_does_not_go_on_for_ever(broker_factory, kind):
    """Nobody waits for it any more, and every further client would add one."""
    broker = broker_factory({"hooks.decision_timeout": 0.2})
    over = Seen()

    async def hook(given: Any) -> Any:
        try:
            await asyncio.sleep(3600)
        finally:
            over.append(given)

    filtered = kind in ("transform", "on_deliver")
    getattr(broker, kind)(*["a"] if filtered else [])(hook)
    with Device(broker, "bad") as device:
        if filtered:
            device.subscribe("a")
            device.publish("a")
        over.until(1, 2)
