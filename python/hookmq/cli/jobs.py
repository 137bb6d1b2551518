"""``hookmq jobs``: the scheduled jobs of a running broker."""

from __future__ import annotations

import argparse
import json

from .http_api import NOTHING_GIVEN, HttpApi, add_api_flags

__all__ = ["NAME", "SUMMARY", "configure", "main"]

NAME = "jobs"
SUMMARY = "list the scheduled jobs of a running broker"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.set_defaults(**NOTHING_GIVEN)
    add_api_flags(parser)


def main(options: argparse.Namespace) -> int:
    """Ask the broker, print its jobs and return 0."""
    from . import table

    jobs = HttpApi.of(options, command="hookmq jobs").get("jobs")["jobs"]
    if options.json:
        print(json.dumps({"jobs": jobs}, ensure_ascii=False, indent=2))
        return 0
    if not jobs:
        print("no jobs")
        return 0
    numbers = ("runs", "errors", "skipped", "took")
    titles = ("name", "schedule", "where", *numbers[:3], "last run", "took", "next run")
    rows = [
        (
            job["name"],
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
    return 0
