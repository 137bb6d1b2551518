"""``hookmq bridges``: the links of a running broker to others."""

from __future__ import annotations

import argparse
import json

from .http_api import NOTHING_GIVEN, HttpApi, add_api_flags
from .pausing import add_action

__all__ = ["configure", "main"]


_COUNTS = ("sent", "received", "waiting", "refused", "dropped")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions and their arguments; without an action the bridges are listed."""
    parser.set_defaults(**NOTHING_GIVEN, action="ls")
    add_api_flags(parser)
    actions = parser.add_subparsers(metavar="ACTION", title="actions")
    add_api_flags(add_action(actions, "ls", "list the bridges, what went through them, and what waits"))
    for action, summary in (
        ("pause", "take the link of a bridge down; what it is to carry waits"),
        ("resume", "let the link of a paused bridge come up again"),
    ):
        named = add_action(actions, action, summary)
        named.add_argument("name", metavar="NAME", help="the bridge's name, as listed")
        add_api_flags(named)


def main(options: argparse.Namespace) -> int:
    """Run the action. Return 1 if a link is down that nobody paused, so that a monitor need not read."""
    if options.action == "ls":
        return _list(options)
    api = HttpApi.of(options, command=f"hookmq bridges {options.action} NAME")
    found = api.post("bridges", options.name, options.action)["items"]
    if options.json:
        print(json.dumps({"items": found}, ensure_ascii=False, indent=2))
    else:
        print(f"{options.name} {'is paused' if options.action == 'pause' else 'goes on'}")
    return 0


def _list(options: argparse.Namespace) -> int:
    bridges = HttpApi.of(options, command="hookmq bridges").list("bridges")["items"]
    if options.json:
        print(json.dumps({"items": bridges}, ensure_ascii=False, indent=2))
    elif not bridges:
        print("no bridges")
    else:
        _print(bridges)
    return 1 if any(one["state"] in ("connecting", "waiting") for one in bridges) else 0


def _print(bridges: list[dict[str, object]]) -> None:
    from . import table

    titles = ("name", "state", "address", "MQTT", *_COUNTS, "reason")
    rows = [
        (
            str(one["name"]),
            str(one["state"]),
            str(one["address"]),
            str(one["protocol"]),
            *(f"{number:,}" for number in _counts(one)),
            str(one["reason"]) if one["state"] in ("connecting", "waiting") else "",
        )
        for one in bridges
    ]
    table.console().print(table.make([(title, title in _COUNTS) for title in titles], rows))


def _counts(one: dict[str, object]) -> list[int]:
    def total(*names: str) -> int:
        return sum(int(str(one[name])) for name in names)

    return [
        total("messages_sent"),
        total("messages_received"),
        total("waiting"),
        total("refused_there", "refused_here"),
        total("dropped_unmapped", "dropped_too_large", "dropped_too_slow"),
    ]
