"""``hookmq jobs``: the scheduled jobs of a running broker."""

from __future__ import annotations

import argparse
import json

from .http_api import NOTHING_GIVEN, HttpApi, add_api_flags
from .pausing import add_action, add_pause_and_resume, pause_or_resume

__all__ = ["configure", "main"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions and their arguments; without an action the jobs are listed."""
    parser.set_defaults(**NOTHING_GIVEN, action="ls")
    add_api_flags(parser)
    actions = parser.add_subparsers(metavar="ACTION", title="actions")
    add_api_flags(add_action(actions, "ls", "list the jobs, their last runs and the next"))
    add_pause_and_resume(actions, "job", "leave out the runs of a job")
    run = add_action(actions, "run", "start a run of a job now")
    run.add_argument("name", metavar="NAME", help="the job's name, as listed")
    add_api_flags(run)


def main(options: argparse.Namespace) -> int:
    """Run the action and return 0."""
    if options.action == "ls":
        _list(options)
    elif options.action == "run":
        _run(options)
    else:
        pause_or_resume(options, "jobs")
    return 0


def _run(options: argparse.Namespace) -> None:
    answer = HttpApi.of(options, command="hookmq jobs run NAME").post("jobs", options.name, "run")
    print(json.dumps(answer, ensure_ascii=False) if options.json else f"{options.name} has begun")


def _list(options: argparse.Namespace) -> None:
    from . import table

    jobs = HttpApi.of(options, command="hookmq jobs ls").list("jobs")["items"]
    if options.json:
        print(json.dumps({"items": jobs}, ensure_ascii=False, indent=2))
        return
    if not jobs:
        print("no jobs")
        return
    numbers = ("runs", "errors", "skipped", "took")
    titles = ("name", "schedule", "where", *numbers[:3], "last run", "took", "next run")
    rows = [
        (
            f"{job['name']} (paused)" if job["paused"] else job["name"],
            job["description"],
            job["where"],
            *(f"{job[count]:,}" for count in numbers[:3]),
            table.moment(job["last_run"]),
            table.duration(job["duration"]),
            table.moment(job["next_run"]),
        )
        for job in jobs
    ]
    table.console().print(table.make([(title, title in numbers) for title in titles], rows))
