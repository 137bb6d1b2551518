"""Hooks in processes of their own: order, deaths, errors, and ends."""

from __future__ import annotations

import functools
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hookmq.execution import processes, worker_errors
from hookmq.execution.function_address import FunctionAddress
from hookmq.execution.processes import ProcessExecutor, RemoteError, WorkerDied

from .helpers import ended, eventually, launch, read_until
from .process_hooks import Letter, Tools, act, count, entries, nap, spin, write

PATIENCE = 60.0


class Executors:
    """Makes executors whose reports are kept, and stops them."""

    def __init__(self) -> None:
        self.made: list[ProcessExecutor] = []
        self.failures: list[BaseException] = []

    def __call__(self, function: Callable[..., Any] = act, *, workers: int = 1) -> ProcessExecutor:
        executor = ProcessExecutor("watch", function, workers=workers, failed=self._failed)
        self.made.append(executor)
        return executor

    def _failed(self, name: str, error: BaseException) -> None:
        assert name == "watch"
        self.failures.append(error)


@pytest.fixture
def executors() -> Iterator[Executors]:
    made = Executors()
    yield made
    for executor in made.made:
        executor.stop(0)


@pytest.fixture
def diary(tmp_path: Path) -> Path:
    return tmp_path / "diary"


def numbers(diary: Path, client: str = "pump") -> list[int]:
    return [int(number) for name, number, *_ in entries(diary) if name == client]


def is_gone(process: int) -> bool:
    """Whether there is no such process, not even a dead one that nobody waited for."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


# Order and counts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_messages_of_a_client_run_in_order(executors, diary, workers):
    executor = executors(write, workers=workers)
    for number in range(600):
        for client in range(5):
            executor(Letter(f"c{client}", number, str(diary)))
    assert executor.drain(PATIENCE)
    processes_of = [{pid for name, _, pid in entries(diary) if name == f"c{client}"} for client in range(5)]
    for client in range(5):
        assert numbers(diary, f"c{client}") == list(range(600))
        assert len(processes_of[client]) == 1
    assert len(set().union(*processes_of)) == min(workers, 3)  # where these five names fall
    assert (executor.calls, executor.errors, executor.restarts, executor.queued) == (3000, 0, 0, 0)
    assert executors.failures == []


def test_levels_are_handed_over_by_name(executors, diary):
    executor = executors()
    executor(Letter("pump", 1, str(diary)), tank="7")
    assert executor.drain(PATIENCE)
    assert entries(diary)[0][3:] == ["tank=7"]


def test_ten_thousand_messages_are_counted_exactly(executors):
    executor = executors(count, workers=2)
    for number in range(10_000):
        executor(Letter(f"c{number % 7}", number))
        assert executor.queued <= 2 * (processes.UNACKNOWLEDGED + 1) * processes.BATCH
    executor.flush()
    assert executor.drain(PATIENCE)
    assert (executor.calls, executor.errors, executor.restarts, executor.queued) == (10_000, 0, 0, 0)
    assert 0 < executor.busy < 5


def test_a_flush_sends_one_message_and_a_full_batch_goes_by_itself(executors, diary):
    executor = executors(write)
    executor(Letter("pump", 0, str(diary)))
    assert executor.queued == 1
    executor.flush()
    eventually(lambda: executor.calls == 1, PATIENCE)
    for number in range(1, processes.BATCH + 1):
        executor(Letter("pump", number, str(diary)))
    eventually(lambda: executor.calls == 1 + processes.BATCH, PATIENCE)


def test_a_batch_of_large_messages_is_smaller(executors):
    executor = executors(count)
    for number in range(8):
        executor(Letter("pump", number, "x" * (processes.BATCH_BYTES // 8)))
    eventually(lambda: executor.calls == 8, PATIENCE)


def test_busy_is_what_the_function_takes(executors):
    executor = executors(spin, workers=2)
    for number in range(20):
        executor(Letter(f"c{number}", number))
    assert executor.drain(PATIENCE)
    assert 0.2 <= executor.busy < 2


def test_a_caller_waits_for_room_until_the_stop(executors, diary):
    executor = executors()
    room = (processes.UNACKNOWLEDGED + 1) * processes.BATCH
    handed_over = []

    def call() -> None:
        for number in range(room + 10):
            executor(Letter("pump", number, str(diary), "" if number else "sleep"))
            handed_over.append(number)

    caller = threading.Thread(target=call)
    caller.start()
    eventually(lambda: len(handed_over) == room, PATIENCE)
    eventually(lambda: numbers(diary) == [0], PATIENCE)
    assert not executor.drain(0.1)
    assert caller.is_alive()
    assert executor.queued == len(handed_over) == room
    executor.flush()  # does not wait
    assert executor.stop(0) == room
    caller.join(PATIENCE)
    assert not caller.is_alive()


# Deaths ---------------------------------------------------------------------------------------------------

DEATHS = {
    "exit": "ended with exit code 3",
    "segfault": "was killed by SIGSEGV",
    "kill": "was killed by SIGKILL",
    "close": "ended with exit code 1",
    "keep connection": "ended with exit code 3",
    "sys.exit": "ended by SystemExit: 4",
    "memory": "ended by MemoryError",
}


@pytest.mark.parametrize("death", DEATHS)
def test_a_death_costs_one_message(executors, diary, death):
    executor = executors(workers=2)
    for number in range(1000):
        executor(Letter("pump", number, str(diary), death if number == 300 else ""))
        executor(Letter("c4", number, str(diary)))
    assert executor.drain(PATIENCE)
    assert numbers(diary, "pump") == numbers(diary, "c4") == list(range(1000))
    assert (executor.calls, executor.errors, executor.restarts, executor.queued) == (2000, 1, 1, 0)
    (error,) = executors.failures
    assert type(error) is WorkerDied
    assert str(error).startswith(f"its process {DEATHS[death]}")
    if death not in ("sys.exit", "memory"):  # these have a traceback instead
        assert str(error).endswith(" with a message of client 'pump' to 'a/b', which is not tried again")
    else:
        assert "in act" in error.__notes__[0]


def test_errors_before_a_death_are_reported_once(executors, diary):
    acts = {10: "raise", 11: "exit", 12: "exit", 13: "raise", 300: "kill"}
    executor = executors()
    for number in range(600):
        executor(Letter("pump", number, str(diary), acts.get(number, "")))
    assert executor.drain(PATIENCE)
    assert numbers(diary) == list(range(600))
    assert (executor.calls, executor.errors, executor.restarts) == (600, 5, 3)
    kinds = [RemoteError, WorkerDied, WorkerDied, RemoteError, WorkerDied]
    assert [type(error) for error in executors.failures] == kinds


@pytest.mark.parametrize("death", ["exit", "sys.exit"])
def test_who_dies_again_and_again_is_started_less_and_less_often(executors, diary, death):
    executor = executors()
    began = time.monotonic()
    for number in range(4):
        executor(Letter("pump", number, str(diary), death))
    executor(Letter("pump", 4, str(diary)))
    assert executor.drain(PATIENCE)
    assert time.monotonic() - began >= 0.1 + 0.2 + 0.4 + 0.8
    assert numbers(diary) == [0, 1, 2, 3, 4]
    assert (executor.calls, executor.errors, executor.restarts) == (5, 4, 4)


def test_who_dies_between_two_messages_is_started_for_the_next(executors, diary):
    executor = executors()
    executor(Letter("pump", 0, str(diary)))
    assert executor.drain(PATIENCE)
    os.kill(int(entries(diary)[0][2]), signal.SIGKILL)
    eventually(lambda: executors.failures, PATIENCE)
    assert str(executors.failures[0]) == "its process was killed by SIGKILL between two messages"
    executor(Letter("pump", 1, str(diary)))
    assert executor.drain(PATIENCE)
    assert numbers(diary) == [0, 1]
    assert (executor.calls, executor.errors, executor.restarts) == (2, 0, 1)


def test_a_forked_child_that_returns_is_not_a_second_worker(executors, diary):
    executor = executors()
    for number in range(10):
        executor(Letter("pump", number, str(diary), "fork" if number == 3 else ""))
    assert executor.drain(PATIENCE)
    assert numbers(diary) == list(range(10))
    assert (executor.calls, executor.errors, executor.restarts) == (10, 0, 0)


def test_kills_at_any_time_lose_and_repeat_nothing(executors, diary):
    executor = executors()
    kills, total = 10, 20_000
    killed: set[int] = set()

    def call() -> None:
        for number in range(total):
            # Something is left for whoever comes after the next kill: without work nobody is started.
            while number > (len(killed) + 2) * total // (kills + 2):
                executor.flush()
                time.sleep(0.001)
            executor(Letter("pump", number, str(diary)))
        executor.flush()

    caller = threading.Thread(target=call)
    caller.start()
    for kill in range(1, kills + 1):
        eventually(lambda kill=kill: executor.calls > kill * total // (kills + 2), PATIENCE)
        # The one before may have done so much that the next has not begun.
        eventually(lambda: int(entries(diary)[-1][2]) not in killed, PATIENCE)
        worker = int(entries(diary)[-1][2])
        os.kill(worker, signal.SIGKILL)
        killed.add(worker)
        eventually(lambda kill=kill: executor.restarts == kill, PATIENCE)
    caller.join(PATIENCE)
    assert executor.drain(PATIENCE)
    assert (executor.calls, executor.restarts, executor.queued) == (total, kills, 0)
    assert len(executors.failures) == kills
    written = numbers(diary)
    assert all(one < other for one, other in itertools.pairwise(written))
    # A message that was under way may have been written down already.
    assert total - executor.errors <= len(written) <= total


# Errors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ("raise", "ValueError: wrong"),
        ("stubborn", "Stubborn: stubborn"),
        ("speechless", "Speechless: <exception str() failed>"),
        ("interrupt", "KeyboardInterrupt"),
        ("long", "ValueError: xxx"),
    ],
)
def test_what_the_function_raises_is_reported_with_its_traceback(executors, diary, wrong, text):
    executor = executors()
    for number in range(3):
        executor(Letter("pump", number, str(diary), "" if number == 2 else wrong))
    assert executor.drain(PATIENCE)
    assert (executor.calls, executor.errors, executor.restarts) == (3, 2, 0)
    assert [type(error) for error in executors.failures] == [RemoteError] * 2
    assert str(executors.failures[0]).startswith(text)
    (trace,) = executors.failures[0].__notes__
    assert len(trace) <= worker_errors.LONGEST_TEXT
    if wrong != "long":
        assert trace.startswith("Traceback (most recent call last):")
        assert "process_hooks.py" in trace and "in act" in trace
        assert "worker.py" not in trace


def test_what_cannot_be_pickled_is_an_error_of_its_own(executors, diary):
    executor = executors()
    executor(Letter("pump", 0, str(diary)), level=threading.Lock())
    executor(Letter("pump", 1, str(diary)))
    assert executor.drain(PATIENCE)
    assert numbers(diary) == [1]
    assert (executor.calls, executor.errors) == (1, 1)
    assert "pickle" in str(executors.failures[0])


def test_a_log_that_fails_stops_nobody(diary):
    def failed(name: str, error: BaseException) -> None:
        raise RuntimeError("no log")

    executor = ProcessExecutor("watch", act, workers=1, failed=failed)
    executor(Letter("pump", 0, str(diary), "raise"))
    executor(Letter("pump", 1, str(diary)))
    assert executor.drain(PATIENCE)
    assert executor.stop(1) == 0
    assert numbers(diary) == [0, 1]


# What is found --------------------------------------------------------------------------------------------


def outer() -> Callable[..., None]:
    def inner(msg: Letter) -> None: ...

    return inner


async def later(msg: Letter) -> None: ...


@pytest.mark.parametrize(
    ("function", "cause"),
    [
        (lambda msg: None, "a lambda has no name to find it by"),
        (outer(), "it is made by a function when this runs"),
        (functools.partial(act), "it has no name to find it by"),
        (Tools().method, "it is not what `Tools.method` in the module"),
        (later, "it is async"),
    ],
)
def test_what_another_process_cannot_find_is_refused(executors, function, cause):
    with pytest.raises(ValueError, match="cannot run in another process") as caught:
        executors(function)
    assert cause in str(caught.value)
    assert "def" in str(caught.value)


def test_a_main_program_without_a_file_is_refused(monkeypatch):
    session = types.ModuleType("__main__")
    exec("def watch(msg): ...", vars(session))
    monkeypatch.setitem(sys.modules, "__main__", session)
    with pytest.raises(ValueError, match="the main program is not a file"):
        FunctionAddress.of(session.watch)


def test_a_decorator_finds_a_function_whose_name_is_not_bound_yet(monkeypatch):
    module = types.ModuleType("decorated")
    monkeypatch.setitem(sys.modules, "decorated", module)
    addresses = []

    def hook(function: Callable[..., Any]) -> Callable[..., Any]:
        addresses.append(FunctionAddress.of(function))
        return function

    vars(module)["hook"] = hook
    for _ in range(2):  # the second time the name is bound to the first function
        exec("@hook\ndef watch(msg): ...", vars(module))
    assert addresses == [FunctionAddress("decorated", "watch", None)] * 2


def test_a_file_with_the_name_of_another_module_does_not_replace_it(monkeypatch, tmp_path):
    """``hookmq run queue.py`` imports it by its path, and so does the worker."""
    path = tmp_path / "queue.py"
    path.write_text("def watch(msg): return __file__")
    before = sys.modules["queue"]
    monkeypatch.setitem(sys.modules, "queue_app", None)
    assert FunctionAddress("queue", "watch", str(path)).find()("msg") == str(path)
    assert sys.modules["queue"] is before


def test_a_function_that_is_not_there_is_named():
    with pytest.raises(LookupError, match=r"there is no function `nothing` in .*process_hooks\.py"):
        FunctionAddress(act.__module__, "nothing", act.__code__.co_filename).find()


@pytest.mark.parametrize("function", [Tools.static, Tools.of_class])
def test_functions_of_classes_are_found(executors, diary, function):
    executor = executors(function)
    executor(Letter("pump", 1, str(diary)))
    assert executor.drain(PATIENCE)
    assert numbers(diary) == [1]


def test_workers_are_not_fewer_than_one(executors):
    with pytest.raises(ValueError, match="at least one worker"):
        executors(workers=0)


def test_a_module_that_cannot_be_imported_any_more_is_reported_and_tried_again(
    executors, monkeypatch, tmp_path, diary
):
    path = tmp_path / "fragile_hook.py"
    source = "def watch(msg):\n    open(msg.diary, 'a').write(f'{msg.client_id} {msg.number}\\n')\n"
    module = types.ModuleType("fragile_hook")
    module.__file__ = str(path)
    path.write_text("import nothing_of_this_name\n" + source)
    exec(source, vars(module))
    monkeypatch.setitem(sys.modules, "fragile_hook", module)
    executor = executors(module.watch)
    letter = types.SimpleNamespace(client_id="pump", number=1, diary=str(diary))
    executor(letter)
    executor.flush()
    eventually(lambda: len(executors.failures) == 2, PATIENCE)
    error = executors.failures[0]
    assert str(error).startswith("its process cannot be started: ModuleNotFoundError: ")
    assert "fragile_hook.py" in error.__notes__[0]
    assert (executor.calls, executor.queued) == (0, 1)
    path.write_text(source)
    assert executor.drain(PATIENCE)
    assert numbers(diary) == [1]


# Ends -----------------------------------------------------------------------------------------------------


def test_a_stop_lets_what_waits_be_done(executors, diary):
    executor = executors(workers=2)
    for number in range(1000):
        executor(Letter(f"c{number % 3}", number, str(diary)))
    assert executor.stop(PATIENCE) == 0
    assert len(entries(diary)) == executor.calls == 1000
    assert all(is_gone(int(pid)) for _, _, pid in entries(diary))
    executor(Letter("pump", 1, str(diary)))  # without effect
    assert (executor.stop(0), executor.queued, executor.drain(0)) == (0, 0, True)


def test_a_stop_ends_after_the_message_that_is_under_way(executors, diary):
    executor = executors(nap)
    for number in range(20):
        executor(Letter("pump", number, str(diary)))
    executor.flush()
    eventually(lambda: numbers(diary), PATIENCE)
    left = executor.stop(0)
    assert executor.calls == len(numbers(diary)) == 20 - left
    assert executor.calls <= 2


def test_a_stop_while_a_worker_starts_makes_no_noise(executors, capfd):
    for step in range(12):
        executor = executors(count, workers=2)
        executor(Letter("pump", 1))
        executor(Letter("c4", 1))
        executor.stop(step / 150)
    assert executors.failures == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("act", ["sleep", "never end"])
@pytest.mark.parametrize("grace", [0.0, 0.5])
def test_a_stop_ends_a_hook_that_does_not(executors, diary, act, grace):
    executor = executors(workers=2)
    for client in ("c1", "c2", "c3", "c4"):
        executor(Letter(client, 0, str(diary), act))
    executor.flush()
    eventually(lambda: len(entries(diary)) == 2, PATIENCE)
    began = time.monotonic()
    assert executor.stop(grace) == 4
    assert time.monotonic() - began < grace + 2
    assert all(is_gone(int(pid)) for _, _, pid in entries(diary))
    assert executors.failures == []


def test_a_stop_while_a_worker_pauses_does_not_wait_for_it(executors, diary):
    executor = executors()
    for number in range(20):
        executor(Letter("pump", number, str(diary), "exit"))
    executor.flush()
    eventually(lambda: executor.restarts >= 3, PATIENCE)
    began = time.monotonic()
    assert executor.stop(0) > 0
    assert time.monotonic() - began < 2


def test_nothing_is_left_behind(diary):
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = descriptors()
    for _ in range(3):
        executor = ProcessExecutor("watch", act, workers=2, failed=lambda name, error: None)
        for number in range(6):
            executor(Letter(f"c{number}", number, str(diary), "exit" if number == 2 else ""))
        assert executor.stop(PATIENCE) == 0
        assert executor.restarts == 1
        del executor
    assert descriptors() == before
    assert all(is_gone(int(pid)) for _, _, pid in entries(diary))


def test_an_executor_that_was_never_used_has_no_process(executors):
    threads = threading.active_count()
    executor = executors(workers=4)
    executor.flush()
    assert threading.active_count() == threads
    assert executor.drain(0)
    assert (executor.stop(0), executor.busy) == (0, 0)


def test_signals_of_the_group_are_left_to_the_parent(executors, diary):
    executor = executors()
    for number, what in enumerate(["terminate", "ctrl+c", "look", ""]):
        executor(Letter("pump", number, str(diary), what))
    assert executor.drain(PATIENCE)
    assert numbers(diary) == [0, 1, 2, 3]
    assert (executor.calls, executor.errors, executor.restarts) == (4, 0, 0)


# Scripts --------------------------------------------------------------------------------------------------

SCRIPT = r"""
import os, sys, time
from dataclasses import dataclass
from hookmq import Broker
from hookmq.execution.processes import ProcessExecutor

broker = Broker(port=0, http_port=None)


@dataclass
class Letter:
    client_id: str
    number: int


def say(line):
    os.write(1, f"{line}\n".encode())  # at once, so that lines of two processes are not mixed


def watch(msg):
    assert type(msg) is Letter and __name__ == "__mp_main__" and sys.argv[1:] == ["one"]
    say(f"done {msg.number} {os.getpid()}")
    if msg.number < 0:
        time.sleep(3600)


if __name__ == "__main__":
    executor = ProcessExecutor("watch", watch, workers=2, failed=lambda name, error: print(name, repr(error)))
    for number in NUMBERS:
        executor(Letter(f"c{number}", number))
    executor.flush()
    ENDING
broker.run()
say(f"after {__name__}")
sys.exit(0)
"""


def start_script(folder: Path, numbers: str, ending: str = "pass", **options: Any) -> subprocess.Popen[str]:
    path = folder / "app.py"
    path.write_text(SCRIPT.replace("NUMBERS", numbers).replace("ENDING", ending))
    return launch_with_argument(path, **options)


def launch_with_argument(path: Path, **options: Any) -> subprocess.Popen[str]:
    # The script is given an argument, which its workers see as well.
    runner = path.with_name("start.py")
    runner.write_text(f"import os, sys; os.execv(sys.executable, [sys.executable, {str(path)!r}, 'one'])")
    return launch(runner, **options)


def test_a_function_of_the_script_that_is_run(tmp_path):
    """Its workers run it again, as another module and without a broker of theirs."""
    process = start_script(tmp_path, "range(20)", "sys.exit(executor.stop(30))")
    code, output, errors = ended(process, PATIENCE)
    assert (code, errors) == (0, "")
    lines = output.splitlines()
    assert [line for line in lines if not line.startswith("done")] == ["after __mp_main__"] * 2
    assert sorted(int(line.split()[1]) for line in lines if line.startswith("done")) == list(range(20))


def test_a_script_that_is_run_as_a_module_of_a_package(tmp_path):
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "words.py").write_text("WORD = 'hello'")
    (tmp_path / "pkg" / "app.py").write_text(
        "import os, sys\n"
        "from types import SimpleNamespace\n"
        "from hookmq.execution.processes import ProcessExecutor\n"
        "from .words import WORD\n"
        "def watch(msg): os.write(1, f'{WORD} {__name__}'.encode())\n"
        "if __name__ == '__main__':\n"
        "    executor = ProcessExecutor('watch', watch, workers=1, failed=print)\n"
        "    executor(SimpleNamespace(client_id='pump'))\n"
        "    sys.exit(executor.stop(30))\n"
    )
    command = [sys.executable, "-m", "pkg.app"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout, done.stderr) == (0, "hello __mp_main__", "")


@pytest.mark.parametrize("numbers", ["(1,)", "(-1,)"], ids=["idle", "busy"])
def test_no_worker_outlives_a_parent_that_is_killed(tmp_path, numbers):
    process = start_script(tmp_path, numbers, "time.sleep(3600)")
    worker = int(read_until(process, "done").split()[2])
    assert not is_gone(worker)
    process.kill()
    ended(process, PATIENCE)
    # Who adopts it may not wait for it at once.
    eventually(lambda: is_gone(worker) or "State:\tZ" in Path(f"/proc/{worker}/status").read_text())


def test_ctrl_c_goes_to_the_group_and_only_the_parent_ends_by_it(tmp_path):
    ending = "\n    ".join(("try: time.sleep(3600)", "except KeyboardInterrupt: sys.exit(executor.stop(30))"))
    process = start_script(tmp_path, "range(3)", ending, start_new_session=True)
    read_until(process, "done")
    os.killpg(process.pid, signal.SIGINT)
    code, _, errors = ended(process, PATIENCE)
    assert (code, errors) == (0, "")


def test_a_script_that_never_ends_to_be_imported_is_reported(tmp_path):
    path = tmp_path / "app.py"
    path.write_text(
        "import time\n"
        "from hookmq.execution import processes\n"
        "from types import SimpleNamespace\n"
        "processes.STARTING = 0.3\n"
        "def watch(msg): ...\n"
        "if __name__ == '__main__':\n"
        "    executor = processes.ProcessExecutor('watch', watch, workers=1, failed=print)\n"
        "    executor(SimpleNamespace(client_id='pump'))\n"
        "    executor.flush()\n"
        "while __name__ != '__main__' or not executor.drain(1.0): time.sleep(0.05); ENDING\n".replace(
            "ENDING", "__name__ == '__main__' and exit(executor.stop(0))"
        )
    )
    code, output, errors = ended(launch(path), PATIENCE)
    assert (code, errors) == (1, "")
    assert "has been importing" in output and '`if __name__ == "__main__":`' in output
    assert output.count("\n") == 1
