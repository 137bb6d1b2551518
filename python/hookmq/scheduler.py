"""Jobs at certain times, in the words of the ``schedule`` library."""

from __future__ import annotations

import copy
import datetime
import functools
import inspect
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import schedule

from .errors import HookMQError
from .execution.aio import EventLoop
from .execution.threads import interrupt
from .hooks.functions import defined_again, function_name, same_function, where_defined

__all__ = ["JobInfo", "Scheduler", "every"]


def every(interval: int = 1) -> schedule.Job:
    """Return a job to describe, as ``schedule.every`` does, but in nobody's list until it is registered.

    >>> every(10).seconds.unit, every().day.at("06:30").at_time.hour
    ('seconds', 6)
    """
    return schedule.Job(interval)


@dataclass(frozen=True, slots=True)
class JobInfo:
    """What ``broker.jobs`` tells of a job.

    ``skipped`` are runs that were due while the last one still went on, or the job was ``paused``;
    ``next_run`` and ``last_run`` are local times; ``duration`` is that of the last run in seconds.
    """

    name: str
    description: str
    where: str
    runs: int
    errors: int
    skipped: int
    next_run: datetime.datetime | None
    last_run: datetime.datetime | None
    duration: float | None
    paused: bool


class _Job:
    """A job and what became of its runs."""

    def __init__(self, job: schedule.Job, function: Callable[..., Any], name: str, where: str) -> None:
        self.job = job
        self.function = function
        self.name = name
        self.where = where
        self.runs = self.errors = self.skipped = 0
        self.last_run: datetime.datetime | None = None
        self.duration: float | None = None
        self.paused = False
        self.running = threading.Lock()
        self.thread: threading.Thread | None = None

    def replaces(self, other: _Job) -> bool:
        """Say whether this is the same job once more: at the same times, or a function defined again."""
        if self.name != other.name:
            return False
        if same_function(self.function, other.function):
            return _describe(self.job) == _describe(other.job)
        return defined_again(self.function, other.function)

    def continues(self, other: _Job) -> bool:
        """Say whether this is the same job with perhaps another function: the same name at the same times."""
        return self.name == other.name and _describe(self.job) == _describe(other.job)

    def adopt(self, scheduler: schedule.Scheduler, before: _Job | None, run: Callable[[], None]) -> None:
        """Put it into another scheduler, going on with the counts and the time of what was there before."""
        self.job.scheduler = scheduler
        self.job.job_func = functools.partial(run)
        scheduler.jobs.append(self.job)
        if before is None:
            self.job._schedule_next_run()
            return
        self.job.next_run, self.job.last_run = before.job.next_run, before.job.last_run
        self.runs, self.errors, self.skipped = before.runs, before.errors, before.skipped
        self.last_run, self.duration, self.paused = before.last_run, before.duration, before.paused
        self.running, self.thread = before.running, before.thread

    def info(self) -> JobInfo:
        return JobInfo(
            self.name,
            _describe(self.job),
            self.where,
            self.runs,
            self.errors,
            self.skipped,
            self.job.next_run,
            self.last_run,
            self.duration,
            self.paused,
        )


class Scheduler:
    """Runs jobs, each on a thread of its own while it runs, so that a slow job delays no other.

    ``failed(name, error)`` is told what they raise; ``loop()`` gives the event loop for ``async def`` jobs.
    """

    def __init__(self, failed: Callable[[str, BaseException], None], loop: Callable[[], EventLoop]) -> None:
        self._failed = failed
        self._loop = loop
        # One of our own: the library's default scheduler belongs to the user's program.
        self._schedule = schedule.Scheduler()
        self._jobs: list[_Job] = []
        self._wake = threading.Event()
        self._stopped = True
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def add(self, job: schedule.Job, function: Callable[..., Any], name: str | None) -> None:
        """Register a job; the same one is replaced, as when a cell is run again."""
        where = where_defined(function)
        named = name or function_name(function)
        problem = _misfit(function)
        if not isinstance(job, schedule.Job):
            problem = f"{job!r} says no time; write for example every(10).seconds"
        if problem:
            raise HookMQError("E501", hook="schedule", function=named, where=where, problem=problem)
        # A copy, so that one description may serve several functions and brokers.
        job = copy.copy(job)
        entry = _Job(job, function, named, where)
        with self._lock:
            job.scheduler = self._schedule
            try:
                job.do(lambda: self._run(entry))
            except schedule.ScheduleError as error:
                raise HookMQError(
                    "E501", hook="schedule", function=named, where=where, problem=str(error)
                ) from None
            for other in [other for other in self._jobs if entry.replaces(other)]:
                self._schedule.cancel_job(other.job)
                self._jobs.remove(other)
            self._jobs.append(entry)
        self._wake.set()

    def replace(self, fresh: Scheduler | None) -> None:
        """Take the jobs of another in the place of one's own. One that stays as it was keeps its time."""
        with self._lock:
            before, self._jobs = self._jobs, [] if fresh is None else fresh._jobs
            for entry in self._jobs:
                same = [old for old in before if entry.continues(old)]
                run = functools.partial(self._run, entry)
                entry.adopt(self._schedule, same[0] if same else None, run)
            for old in before:
                self._schedule.cancel_job(old.job)
        self._wake.set()

    @property
    def jobs(self) -> list[JobInfo]:
        """Every job and what became of it."""
        with self._lock:
            return [job.info() for job in self._jobs]

    def pause(self, name: str, paused: bool) -> bool:
        """Leave out what is due of the jobs of this name, or run it again. Return whether there are any."""
        with self._lock:
            named = [job for job in self._jobs if job.name == name]
            for job in named:
                job.paused = paused
        return bool(named)

    def run_now(self, name: str) -> bool | None:
        """Start a run of the jobs of a name, paused or not; False if one goes on, None if there is none."""
        with self._lock:
            found = [entry for entry in self._jobs if entry.name == name]
        started = [self._begin(entry) for entry in found]
        return any(started) if found else None

    def start(self) -> None:
        """Begin to run jobs; intervals count from now."""
        if not self._stopped:
            return
        self._stopped = False
        for entry in self._jobs:
            entry.job._schedule_next_run()
        self._thread = threading.Thread(target=self._watch, name="hookmq-schedule", daemon=True)
        self._thread.start()

    def stop(self, grace: float) -> None:
        """Begin no further runs, wait ``grace`` seconds for those that go on, and interrupt the rest."""
        if self._stopped:
            return
        self._stopped = True
        self._wake.set()
        deadline = time.monotonic() + grace
        current = threading.current_thread()
        if self._thread is not None and self._thread is not current:
            self._thread.join(grace)
        for entry in list(self._jobs):
            if entry.running.acquire(timeout=max(0.0, deadline - time.monotonic())):
                entry.running.release()
            elif (thread := entry.thread) is not None:
                interrupt(thread)

    def _watch(self) -> None:
        while not self._stopped:
            self._wake.clear()
            with self._lock:
                self._schedule.run_pending()
                idle = self._schedule.idle_seconds
            # At most a second, so that a clock that was set is noticed.
            self._wake.wait(1.0 if idle is None else min(max(idle, 0.0), 1.0))

    def _run(self, entry: _Job) -> None:
        if entry.paused or not self._begin(entry):
            entry.skipped += 1

    def _begin(self, entry: _Job) -> bool:
        """Begin a run on a thread of its own, unless one goes on."""
        if not entry.running.acquire(blocking=False):
            return False
        name = f"hookmq-job-{entry.name}"
        entry.thread = threading.Thread(target=self._run_now, args=(entry,), name=name, daemon=True)
        entry.thread.start()
        return True

    def _run_now(self, entry: _Job) -> None:
        started = time.monotonic()
        entry.last_run = datetime.datetime.now()
        entry.runs += 1
        try:
            result = entry.function()
            if isinstance(result, Coroutine):
                result = self._loop().ask(lambda: result).result()
            if result is schedule.CancelJob or isinstance(result, schedule.CancelJob):
                with self._lock:
                    self._schedule.cancel_job(entry.job)
        except BaseException as error:
            entry.errors += 1
            self._failed(entry.name, error)
        finally:
            entry.duration = time.monotonic() - started
            entry.running.release()


def _misfit(function: object) -> str | None:
    """Say what is wrong with a function that cannot be called without arguments."""
    if not callable(function):
        return "it is not a function"
    try:
        inspect.signature(function).bind()
    except TypeError as error:
        return f"it is called without arguments: {error}"
    except ValueError:  # some built-ins tell nothing
        return None
    return None


def _describe(job: schedule.Job) -> str:
    """Return the time in words: ``every 10 seconds``, ``every day at 06:30:00``.

    >>> _describe(every(10).seconds), _describe(every().monday.at("06:30"))
    ('every 10 seconds', 'every monday at 06:30:00')
    """
    if job.start_day is not None:
        unit = job.start_day
    elif job.interval == 1 and job.latest is None:
        unit = (job.unit or "").removesuffix("s")
    else:
        latest = f" to {job.latest}" if job.latest is not None else ""
        unit = f"{job.interval}{latest} {job.unit}"
    at = f" at {job.at_time}" if job.at_time is not None else ""
    return f"every {unit}{at}"
