"""``hookmq check APP``: import an app without starting it, and say what is registered and what is wrong."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hookmq.errors import HookMQError, render

from .run import APP_HELP, add_broker_flags, load_broker

if TYPE_CHECKING:
    from hookmq.broker import Broker

__all__ = ["configure", "main"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("app", metavar="APP", help=APP_HELP)
    add_broker_flags(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def main(options: argparse.Namespace) -> int:
    """Check the app; return 0, 3 if the configuration has a problem, 4 if the app cannot be imported."""
    try:
        broker = load_broker(options, command="hookmq check")
        problems = _configuration_problems(broker)
    except HookMQError as error:
        if not options.json:
            raise
        _print_json(options.app, None, [error])
        return error.exit_code
    if options.json:
        _print_json(options.app, broker, problems)
    else:
        _print_text(options.app, broker, problems)
    return problems[0].exit_code if problems else 0


def _configuration_problems(broker: Broker) -> list[HookMQError]:
    from hookmq.settings import config
    from hookmq.settings.bridges import missing_files

    problems = broker.check_rules()
    try:
        authenticated = any(hook.kind == "authenticate" for hook in broker.hooks)
        config.require_authentication(broker.settings, authenticated=authenticated)
    except HookMQError as error:
        problems.append(error)
    return problems + missing_files(broker.settings.bridges)


def _print_text(app: str, broker: Broker, problems: Sequence[HookMQError]) -> None:
    tables = {
        "Hooks": [(hook.name, hook.kind, hook.filter or "", hook.where) for hook in broker.hooks],
        "Jobs": [(job.name, job.description, "", job.where) for job in broker.jobs],
        "Routes": [
            (route.name, route.path, "" if route.kind == "page" else route.kind, route.where)
            for route in broker.routes
        ],
        "Widgets": [(one.name, one.title, f"every {one.every:g} s", one.where) for one in broker.widgets],
    }
    rows = [row for table in tables.values() for row in table]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    print(
        f"{app}: {_counted(len(tables['Hooks']), 'hook')}, {_counted(len(tables['Jobs']), 'job')}, "
        f"{_counted(len(tables['Routes']), 'route')}"
        + (f", {_counted(len(tables['Widgets']), 'widget')}" if tables["Widgets"] else "")
    )
    for title, table in tables.items():
        for index, row in enumerate(table):
            head = title if index == 0 else ""
            cells = "   ".join(cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True))
            print(f"  {head:<7} {cells}   {row[3]}")
    if problems:
        from hookmq.banner import wants_colour

        sys.stdout.flush()  # the two streams are often the same terminal
        for problem in problems:
            print(render(problem, colour=wants_colour(sys.stderr)), file=sys.stderr)
    else:
        print("No problems found.")


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _print_json(app: str, broker: Broker | None, problems: Sequence[HookMQError]) -> None:
    import json

    report = {
        "app": app,
        "ok": not problems,
        "hooks": [
            {"name": hook.name, "kind": hook.kind, "filter": hook.filter, "where": hook.where}
            for hook in (broker.hooks if broker else ())
        ],
        "jobs": [
            {"name": job.name, "description": job.description, "where": job.where}
            for job in (broker.jobs if broker else ())
        ],
        "routes": [
            {"name": route.name, "path": route.path, "kind": route.kind, "where": route.where}
            for route in (broker.routes if broker else ())
        ],
        "widgets": [
            {"name": one.name, "title": one.title, "every": one.every, "where": one.where}
            for one in (broker.widgets if broker else ())
        ],
        "problems": [
            {"code": problem.code, "message": problem.message, "help": problem.help} for problem in problems
        ],
    }
    print(json.dumps(report, ensure_ascii=False, indent=2))
