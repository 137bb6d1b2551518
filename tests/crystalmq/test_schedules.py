"""The custom scheduler, in both of its forms."""

from __future__ import annotations

import os

import pytest
import schedule

from hookmq import HookMQError

from ..api.helpers import eventually
from .test_store import WRITE, seen


@pytest.fixture(autouse=True)
def nothing_is_left_behind():
    before = list(schedule.default_scheduler.jobs)
    yield
    assert schedule.default_scheduler.jobs == before


def test_every_form_of_the_library(home, run_home):
    home.extension(
        "custom_scheduler.py",
        WRITE
        + """
    import os, schedule

    def tick():
        note("tick", os.getcwd())

    def other():
        pass

    def custom_schedules():
        return True, [
            {"time": schedule.every(1).seconds, "job": tick},
            {"time": schedule.every(5).minutes, "job": other},
            {"time": schedule.every(2).hours, "job": other},
            {"time": schedule.every().day.at("14:30"), "job": other},
            {"time": schedule.every().monday.at("06:30"), "job": other},
            {"time": schedule.every(3).weeks.do(other), "job": other},
        ]
    """,
    )
    here = os.getcwd()
    broker = run_home(home)
    assert [job.description for job in broker.jobs] == [
        "every second",
        "every 5 minutes",
        "every 2 hours",
        "every day at 14:30:00",
        "every monday at 06:30:00",
        "every 3 weeks",
    ]
    assert broker.jobs[0].where.endswith("custom_scheduler.py:12")
    assert seen(home, 2)[:2] == [["tick", str(home.path / "bin")]] * 2
    assert os.getcwd() == here


@pytest.mark.parametrize("enabled", ["False", '"DISABLE"', "0"])
def test_disabled_leaves_nothing(home, run_home, enabled):
    home.extension(
        "custom_scheduler.py",
        f"""
    import schedule

    def job():
        pass

    def custom_schedules():
        return {enabled}, [{{"time": schedule.every(1).seconds.do(job), "job": job}}]
    """,
    )
    assert run_home(home).jobs == []


def test_the_form_of_mqttroute(home, run_home):
    home.extension(
        "custom_scheduler.py",
        WRITE
        + """
    def tick():
        note("tick", 1)

    def schedule_conf():
        schedules = {}
        schedules = {'STATUS': 'ENABLE', 'SCHEDULES': [{'OnceIn': 5, 'methodtocall': tick},
                                                       {'OnceIn': '1', 'methodtocall': tick},
                                                       {'OnceIn': 1 / 60, 'methodtocall': tick}]}
        return schedules
    """,
    )
    broker = run_home(home)
    assert [job.description for job in broker.jobs] == ["every 5 minutes", "every minute", "every second"]
    seen(home, 1)


def test_a_job_that_raises(home, run_home):
    home.extension(
        "custom_scheduler.py",
        """
    import schedule

    def broken():
        raise LookupError("no such table")

    def custom_schedules():
        return True, [{"time": schedule.every(1).seconds, "job": broken}]
    """,
    )
    broker = run_home(home)
    eventually(lambda: broker.jobs[0].errors >= 2)
    broker.stop()
    assert "LookupError: no such table" in home.log


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("def other(): pass", "neither custom_schedules nor schedule_conf"),
        ("def custom_schedules(): return []", r"not \(enabled, \[jobs\]\)"),
        ("def custom_schedules(): return 'maybe', []", "whether jobs run is 'maybe'"),
        ("def custom_schedules(): return True, ['x']", "a dict of 'time' and 'job', not str"),
        ("def custom_schedules(): return True, [{'time': 5, 'job': print}]", "5 says no time"),
        ("def custom_schedules(): return True, [{'time': schedule.every(5), 'job': print}]", "Invalid unit"),
        (
            "def custom_schedules(): return True, [{'time': schedule.every().day, 'job': 7}]",
            "7, which is not a function",
        ),
        (
            "def job(data): pass\n"
            "def custom_schedules(): return True, [{'time': schedule.every().day, 'job': job}]",
            "given nothing: missing a required argument: 'data'",
        ),
        ("def custom_schedules(): return 1/0", "ZeroDivisionError"),
        (
            "def schedule_conf():\n"
            "    return {'STATUS': 'ENABLE', 'SCHEDULES': [{'OnceIn': 'x', 'methodtocall': print}]}",
            "OnceIn",
        ),
        ("async def custom_schedules(): pass", "is a coroutine"),
    ],
)
def test_what_cannot_be_scheduled(home, run_home, body, reason):
    home.extension("custom_scheduler.py", "import schedule\n" + body)
    with pytest.raises(HookMQError, match=reason) as failure:
        run_home(home)
    assert failure.value.code == "E803" and "custom_scheduler.py" in failure.value.message
    assert failure.value.help
