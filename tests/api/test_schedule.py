"""Jobs in the words of the `schedule` library."""

from __future__ import annotations

import asyncio
import datetime
import functools
import logging
import os
import threading
from typing import Any

import pytest
import schedule

from hookmq import HookMQError, every

from .helpers import DEADLINE, Device, Gate, Seen, eventually


class Soon(schedule.Job):
    """A job that is due five times a second: the library's smallest unit is a second."""

    def _schedule_next_run(self) -> None:
        self.next_run = datetime.datetime.now() + datetime.timedelta(seconds=0.2)


def soon() -> schedule.Job:
    return Soon(1).seconds


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (lambda: every().second, "every second"),
        (lambda: every(10).seconds, "every 10 seconds"),
        (lambda: every(5).to(10).minutes, "every 5 to 10 minutes"),
        (lambda: every().hour.at(":30"), "every hour at 00:30:00"),
        (lambda: every().day.at("06:30"), "every day at 06:30:00"),
        (lambda: every().monday, "every monday"),
        (lambda: every().sunday.at("12:00:01"), "every sunday at 12:00:01"),
        (lambda: every(2).weeks, "every 2 weeks"),
    ],
)
def test_times(broker_factory, job, words):
    broker = broker_factory(start=False)
    made = job()

    def task(): ...

    assert broker.schedule(made)(task) is task
    (info,) = broker.jobs
    assert (info.name, info.description) == ("task", words)
    assert info.where == f"{os.path.relpath(__file__)}:{task.__code__.co_firstlineno}"
    assert info.next_run is not None and info.next_run > datetime.datetime.now()
    assert (info.runs, info.errors, info.skipped, info.last_run) == (0, 0, 0, None)
    assert schedule.get_jobs() == []


def test_the_default_scheduler_of_the_library_is_left_alone(broker):
    seen = Seen()
    broker.schedule(schedule.every(1).seconds)(lambda: seen.append(1))
    assert schedule.get_jobs() == []
    assert schedule.next_run() is None
    seen.until(1)


def test_mistakes(broker_factory):
    broker = broker_factory(start=False)

    def task(): ...

    def needs(argument): ...

    where = f"{os.path.relpath(__file__)}:{task.__code__.co_firstlineno}"
    for when, problem in [
        ("10s", "'10s' says no time; write for example every(10).seconds"),
        (10, "10 says no time; write for example every(10).seconds"),
        (None, "None says no time; write for example every(10).seconds"),
        (every(10), "Invalid unit (valid units are `days`, `hours`, `minutes`, `seconds`, and `weeks`)"),
    ]:
        with pytest.raises(HookMQError) as caught:
            broker.schedule(when)(task)
        if when.__class__ is schedule.Job:
            assert str(caught.value).startswith(f"error[E501]: {where}  task does not fit schedule: ")
        else:
            text = f"{where}  task does not fit schedule: {problem}"
            assert str(caught.value) == f"error[E501]: {text}"
    for wrong in (
        lambda: broker.schedule(every(10).seconds)(needs),
        lambda: broker.schedule(every(10).seconds)("task"),
        lambda: broker.schedule(task),
        lambda: broker.schedule(every),
    ):
        with pytest.raises(HookMQError, match="E501"):
            wrong()
    assert broker.jobs == []
    assert schedule.get_jobs() == []


def test_a_job_does_not_overlap_itself(broker):
    gate, other = Gate(), Seen()
    running: list[int] = []

    @broker.schedule(soon())
    def slow():
        running.append(1)
        assert len(running) == 1
        gate.wait()
        running.pop()

    broker.schedule(soon(), name="other")(lambda: other.append(1))
    assert gate.entered.wait(DEADLINE)
    other.until(3)
    eventually(lambda: broker.jobs[0].skipped >= 2)
    assert broker.jobs[0].runs == 1
    gate.opened.set()
    eventually(lambda: broker.jobs[0].runs >= 2)
    slow_info, other_info = broker.jobs
    assert (slow_info.errors, other_info.skipped) == (0, 0)
    assert slow_info.last_run is not None and slow_info.duration is not None


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize("error", [ValueError("wrong"), SystemExit(1), KeyboardInterrupt()])
def test_an_error_is_counted_and_logged_and_the_job_comes_again(broker, caplog, kind, error):
    def fail():
        raise error

    async def fail_later():
        raise error

    good = Seen()
    with caplog.at_level(logging.ERROR, logger="hookmq.hooks"):
        broker.schedule(soon(), name="bad")(fail if kind == "def" else fail_later)
        broker.schedule(soon())(lambda: good.append(1))
        eventually(lambda: broker.jobs[0].errors == 2)
        good.until(2)
    assert broker.jobs[0].runs >= 2
    (record,) = [record for record in caplog.records if record.name == "hookmq.hooks"]
    assert record.getMessage().startswith(f"bad raised {type(error).__name__}")
    assert record.exc_info is not None and record.exc_info[1] is error


class Later:
    def __init__(self, seen: list[Any]) -> None:
        self.seen = seen

    async def __call__(self):
        await asyncio.sleep(0)
        self.seen.append("object")


def test_everything_that_can_be_called_can_be_a_job(broker):
    seen = Seen()

    @broker.schedule(soon())
    async def later():
        await asyncio.sleep(0)
        seen.append(threading.current_thread().name)

    broker.schedule(soon())(Later(seen))
    broker.schedule(soon())(functools.partial(seen.append, "partial"))
    broker.schedule(soon())(lambda: Later(seen)())
    eventually(lambda: {"hookmq-asyncio", "object", "partial"} <= set(seen))
    assert [job.errors for job in broker.jobs] == [0, 0, 0, 0]
    assert [job.name for job in broker.jobs] == ["later", "Later", "append", "<lambda>"]


def test_a_job_that_is_added_while_it_runs(broker):
    seen = Seen()

    @broker.on_message_received
    def add(msg):
        broker.schedule(soon())(lambda: seen.append(msg.text))

    with Device(broker) as device:
        device.publish("a", "x")
    seen.until(2)


def test_jobs_run_only_while_the_broker_does(broker_factory):
    broker = broker_factory(start=False)
    seen = Seen()
    broker.schedule(soon())(lambda: seen.append(broker.running))
    broker.start()
    seen.until(1)
    broker.stop()
    count = len(seen)
    (info,) = broker.jobs
    assert info.runs == count
    broker.start()
    seen.until(count + 1)
    assert all(seen)


def test_a_paused_job_leaves_out_what_is_due(broker):
    seen = Seen()
    broker.schedule(soon())(lambda: seen.append("run"))
    broker.schedule(soon(), name="other")(lambda: seen.append("other"))
    broker.schedule(soon(), name="other")(lambda: seen.append("as well"))
    broker.pause("other")
    eventually(lambda: [job.skipped > 1 for job in broker.jobs] == [False, True, True])
    assert set(seen) == {"run"}
    assert [(job.paused, job.runs) for job in broker.jobs[1:]] == [(True, 0)] * 2
    broker.resume("other")
    eventually(lambda: {"other", "as well"} <= set(seen))
    assert not any(job.paused for job in broker.jobs)


def test_a_run_that_goes_on_is_not_held_up_by_a_pause(broker):
    gate, seen = Gate(), Seen()

    @broker.schedule(soon())
    def slow():
        gate.wait()
        seen.append("done")

    assert gate.entered.wait(DEADLINE)
    broker.pause("slow")
    gate.opened.set()
    assert seen.until(1) == ["done"]
    eventually(lambda: broker.jobs[0].skipped > 1)
    assert seen == ["done"]


def test_pause_means_hooks_and_jobs_of_a_name(broker):
    broker.schedule(every(100).days, name="both")(lambda: None)
    broker.on_message_received(name="both")(lambda msg: None)
    broker.pause("both")
    assert (broker.jobs[0].paused, broker.hooks[0].paused) == (True, True)
    broker.resume("both")
    assert (broker.jobs[0].paused, broker.hooks[0].paused) == (False, False)
    with pytest.raises(HookMQError, match="there is no hook, job or bridge `neither`") as caught:
        broker.pause("neither")
    assert caught.value.help == "those there are:   both"


def test_stacked_and_shared_times_are_jobs_of_their_own(broker_factory):
    broker, second = broker_factory(start=False), broker_factory(start=False)
    shared = every(10).seconds

    @broker.schedule(every().day.at("06:00"))
    @broker.schedule(every().day.at("18:00"))
    def twice(): ...

    @broker.schedule(shared)
    def one(): ...

    @second.schedule(shared)
    @broker.schedule(shared)
    def two(): ...

    broker.schedule(every().day.at("18:00"))(twice)  # the same once more
    assert [(job.name, job.description) for job in broker.jobs] == [
        ("twice", "every day at 06:00:00"),
        ("one", "every 10 seconds"),
        ("two", "every 10 seconds"),
        ("twice", "every day at 18:00:00"),
    ]
    assert [job.name for job in second.jobs] == ["two"]


def test_a_cell_that_is_run_again_replaces_its_jobs(broker):
    seen = Seen()
    notebook: dict[str, Any] = {"__name__": "__main__", "broker": broker, "seen": seen, "soon": soon}
    cell = "\n@broker.schedule(soon())\ndef job():\n    seen.append({number})"
    for number, file in [(1, "11.py"), (2, "22.py"), (2, "22.py")]:
        exec(compile(cell.format(number=number), f"/tmp/ipykernel_1/{file}", "exec"), notebook)
    assert len(broker.jobs) == 1
    seen.until(2)
    assert set(seen) == {2}


def test_a_job_may_cancel_itself(broker):
    seen = Seen()

    @broker.schedule(soon())
    def once():
        seen.append("once")
        return schedule.CancelJob

    broker.schedule(soon())(lambda: seen.append("other"))
    eventually(lambda: seen.count("other") >= 4)
    assert seen.count("once") == 1


def test_a_job_reads_the_history(broker):
    seen = Seen()
    broker.publish("a", "1")

    @broker.schedule(soon())
    def read():
        seen.append([row.text for row in broker.history("a", since="1m")])

    assert seen.until(1)[0] == ["1"]
