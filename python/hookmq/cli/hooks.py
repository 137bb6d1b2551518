"""``hookmq hooks``: the hooks of a running broker, what they count, and which kinds there are."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from .http_api import NOTHING_GIVEN, HttpApi, add_api_flags
from .pausing import add_action, add_pause_and_resume, pause_or_resume

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["configure", "main"]


_COUNTS = ("calls", "errors", "dropped", "queued")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions and their arguments; without an action the hooks are listed."""
    parser.set_defaults(**NOTHING_GIVEN, watch=None, action="ls")
    _add_list_flags(parser)
    actions = parser.add_subparsers(metavar="ACTION", title="actions")
    _add_list_flags(add_action(actions, "ls", "list the hooks and what they counted since the start"))
    kinds = add_action(actions, "kinds", "list the kinds of hooks that there are")
    kinds.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")
    add_pause_and_resume(actions, "hook", "let events pass a hook by")


def _add_list_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--watch",
        metavar="SECONDS",
        type=_seconds,
        default=argparse.SUPPRESS,
        help="look again and again, until Ctrl+C, and tell rates",
    )
    add_api_flags(parser)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0.05 <= seconds <= 86_400:
        raise ValueError
    return seconds


_seconds.__name__ = "number of seconds"  # argparse names it in its error


def main(options: argparse.Namespace) -> int:
    """Run the action and return 0."""
    actions: dict[str, Callable[[argparse.Namespace], None]] = {
        "ls": _list,
        "kinds": _list_kinds,
        "pause": lambda options: pause_or_resume(options, "hooks"),
        "resume": lambda options: pause_or_resume(options, "hooks"),
    }
    actions[options.action](options)
    return 0


# ls -------------------------------------------------------------------------------------------------------


def _list(options: argparse.Namespace) -> None:
    api = HttpApi.of(options, command="hookmq hooks ls")
    looks = _looks(api, options.watch)
    if options.json:
        for hooks in looks:
            indent = None if options.watch else 2  # an object a line, for those who read on
            print(json.dumps({"items": hooks}, ensure_ascii=False, indent=indent), flush=True)
    elif options.watch and sys.stdout.isatty():
        _show_in_place(looks)
    else:
        from . import table

        console = table.console()
        for hooks in looks:
            console.print(_table(hooks) if hooks else "no hooks")
            sys.stdout.flush()


def _looks(api: HttpApi, interval: float | None) -> Iterator[list[dict[str, Any]]]:
    """Yield the hooks, once or at this interval, each with its ``rate`` a second since the look before."""
    before: dict[tuple[str, ...], int] = {}
    looked = 0.0
    while True:
        hooks: list[dict[str, Any]] = api.list("hooks")["items"]
        now = time.monotonic()
        calls = {_identity(hook): int(hook["calls"]) for hook in hooks}
        for hook in hooks:
            made = hook["calls"] - before.get(_identity(hook), sys.maxsize)
            # New code begins to count anew.
            hook["rate"] = made / (now - looked) if made >= 0 else None
        yield hooks
        if interval is None:
            return
        before, looked = calls, now
        time.sleep(interval)


def _identity(hook: dict[str, Any]) -> tuple[str, ...]:
    return hook["id"], hook["kind"], str(hook["filter"])


def _show_in_place(looks: Iterator[list[dict[str, Any]]]) -> None:
    from rich.live import Live

    from . import table

    with Live(console=table.console(), auto_refresh=False) as live:
        for hooks in looks:
            live.update(_table(hooks) if hooks else "no hooks", refresh=True)


def _table(hooks: list[dict[str, Any]]) -> Table:
    from . import table

    numbers = (*_COUNTS, "rate", "waited p50/p99", "took p50/p99")
    titles = ("name", "kind", "filter", "where", "thread", "calls", "rate", *_COUNTS[1:], *numbers[-2:])
    rows = [
        (
            f"{hook['id']} (paused)" if hook["paused"] else hook["id"],
            hook["kind"],
            hook["filter"] or "",
            hook["where"],
            hook["thread"],
            f"{hook['calls']:,}",
            table.rate(hook["rate"]),
            *(f"{hook[count]:,}" for count in _COUNTS[1:]),
            _quantiles(hook, "wait"),
            _quantiles(hook, "run"),
        )
        for hook in hooks
    ]
    # A column of rates that are not known yet says nothing.
    kept = [index for index, title in enumerate(titles) if title != "rate" or any(row[index] for row in rows)]
    columns = [(titles[index], titles[index] in numbers) for index in kept]
    return table.make(columns, [[row[index] for index in kept] for row in rows])


def _quantiles(hook: dict[str, Any], what: str) -> str:
    from . import table

    if not hook["calls"]:
        return ""
    return " / ".join(table.duration(hook[f"{what}_{quantile}"]) for quantile in ("p50", "p99"))


# kinds -----------------------------------------------------------------------------------------------------


def _list_kinds(options: argparse.Namespace) -> None:
    from hookmq.web.operations.hooks import kinds

    from . import table

    listed = kinds()
    if options.json:
        print(json.dumps({"items": listed}, ensure_ascii=False, indent=2))
        return
    rows = [
        (
            kind["name"],
            "decides" if kind["decides"] else "observes",
            "yes" if kind["filtered"] else "",
            ", ".join(kind["arguments"]),
            kind["thread"].replace("`", ""),
            kind["overflow"].replace("`", ""),
            kind["when"].replace("`", ""),
        )
        for kind in listed
    ]
    titles = ("name", "role", "filter", "given", "thread", "overflow", "when")
    table.console().print(table.make([(title, False) for title in titles], rows))
