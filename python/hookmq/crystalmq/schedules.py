"""``custom_scheduler.py``: jobs at certain times, in both of their forms."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import schedule

from ..errors import HookMQError
from ..hooks.functions import function_name, where_defined
from ..scheduler import every
from .extensions import Extensions, function_of, refusal
from .host import Host
from .keys import NO, YES
from .working_directory import Inside, WorkingDirectory

__all__ = ["register_schedules"]

NEW, OLD = "custom_schedules", "schedule_conf"


def register_schedules(
    broker: Host, module: ModuleType, extensions: Extensions, directory: WorkingDirectory
) -> None:
    """Run a file's jobs, each on a thread of its own while it runs.

    Raises:
        HookMQError: E803 for a file that describes no jobs, and for a job that cannot be run.
    """
    path = Path(str(module.__file__))
    describe = function_of(module, NEW, OLD)
    if describe is None:
        raise refusal(
            path, f"it defines neither {NEW} nor {OLD}", f"write   def {NEW}():   or remove the file"
        )
    where = where_defined(describe)
    before = list(schedule.default_scheduler.jobs)
    try:
        found = extensions.call(path, describe)
        jobs = list(_new(found, where) if function_of(module, NEW) is describe else _old(found, where))
    finally:
        # Nobody runs the library's own scheduler, but others may look at it, or a plugin clear it.
        for job in [one for one in schedule.default_scheduler.jobs if one not in before]:
            schedule.default_scheduler.cancel_job(job)
    for when, function in jobs:
        _check(function, where)
        try:
            broker.schedule(when, name=function_name(function))(Inside(function, directory))
        except HookMQError as error:
            raise refusal(where, str(error.fields.get("problem", error.message)), _REMEDY) from None


_REMEDY = "write for example   {'time': schedule.every(2).seconds, 'job': report}"


def _new(found: Any, where: str) -> Iterable[tuple[schedule.Job, Callable[..., Any]]]:
    """Read what ``custom_schedules`` returned: whether they run, and the jobs."""
    if not (isinstance(found, tuple | list) and len(found) == 2):
        raise refusal(where, f"{NEW} returned {type(found).__name__}, not (enabled, [jobs])", _REMEDY)
    enabled, jobs = found
    if not _is_on(enabled, where):
        return
    for entry in jobs:
        if not isinstance(entry, dict) or not {"time", "job"} <= entry.keys():
            raise refusal(where, f"a job is a dict of 'time' and 'job', not {type(entry).__name__}", _REMEDY)
        yield entry["time"], entry["job"]


def _old(found: Any, where: str) -> Iterable[tuple[schedule.Job, Callable[..., Any]]]:
    """Read what ``schedule_conf`` returned: minutes between two runs."""
    example = "write for example   {'OnceIn': 5, 'methodtocall': report}"
    if not isinstance(found, dict):
        raise refusal(where, f"{OLD} returned {type(found).__name__}, not a dict", example)
    if not _is_on(found.get("STATUS", "DISABLE"), where):
        return
    for entry in found.get("SCHEDULES", ()):
        if not isinstance(entry, dict) or not {"OnceIn", "methodtocall"} <= entry.keys():
            raise refusal(where, "a job is a dict of 'OnceIn' and 'methodtocall'", example)
        try:
            seconds = round(float(entry["OnceIn"]) * 60)
        except (TypeError, ValueError):
            seconds = 0
        if seconds < 1:
            raise refusal(where, f"OnceIn is {entry['OnceIn']!r}, not a number of minutes", example)
        when = every(seconds // 60).minutes if seconds % 60 == 0 else every(seconds).seconds
        yield when, entry["methodtocall"]


def _is_on(value: Any, where: str) -> bool:
    text = str(value).casefold()
    if text in YES | NO:
        return text in YES
    raise refusal(where, f"whether jobs run is {value!r}", "write True or False, or ENABLE or DISABLE")


def _check(function: Any, where: str) -> None:
    if not callable(function):
        raise refusal(where, f"a job is {function!r}, which is not a function", _REMEDY)
    try:
        inspect.signature(function).bind()
    except TypeError as error:
        name = function_name(function)
        raise refusal(
            where_defined(function), f"{name} is a job, which is given nothing: {error}", _REMEDY
        ) from None
    except ValueError:  # some built-ins tell nothing
        return
