"""``hookmq retained``: the retained messages of a running broker."""

from __future__ import annotations

import argparse
import json
from typing import Any

from . import table
from .http_api import NOTHING_GIVEN, HttpApi, add_api_flags
from .listing import preview, print_list
from .pausing import add_action
from .topics import print_message

__all__ = ["configure", "main"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions and their arguments; without an action the messages are listed."""
    parser.set_defaults(**NOTHING_GIVEN, filter=None, search=None, limit=None, action="ls")
    add_api_flags(parser)
    actions = parser.add_subparsers(metavar="ACTION", title="actions")
    listing = add_action(actions, "ls", "list the retained messages")
    listing.add_argument("filter", metavar="FILTER", nargs="?", help="a topic filter (#)")
    listing.add_argument("--search", metavar="TEXT", help="a part of the topic")
    listing.add_argument("--limit", metavar="N", type=int, help="at most so many (all)")
    add_api_flags(listing)
    show = add_action(actions, "show", "show the retained message of a topic")
    show.add_argument("topic", metavar="TOPIC", help="a topic name")
    add_api_flags(show)
    clear = add_action(actions, "clear", "clear the retained messages that a filter matches")
    clear.add_argument("filter", metavar="FILTER", help="a topic filter, or a topic name")
    add_api_flags(clear)


def main(options: argparse.Namespace) -> int:
    """Run the action and return 0."""
    api = HttpApi.of(options, command="hookmq retained")
    if options.action == "show":
        print_message(api.send("GET", "retained", "message", query={"topic": options.topic}), options)
    elif options.action == "clear":
        answer = api.send("DELETE", "retained", query={"filter": options.filter})
        cleared = answer["cleared"]
        text = f"{cleared:,} retained {'message is' if cleared == 1 else 'messages are'} cleared"
        print(json.dumps(answer) if options.json else text)
    else:
        _list(
            api.list("retained", limit=options.limit, filter=options.filter, search=options.search), options
        )
    return 0


def _list(found: dict[str, Any], options: argparse.Namespace) -> None:
    def row(one: dict[str, Any]) -> tuple[str, ...]:
        at, payload = table.moment_at(one["at"]), preview(one["preview"])
        return (one["topic"], f"{one['bytes']:,}", str(one["qos"]), at, one["client_id"], payload)

    columns = [(title, title in ("bytes", "QoS")) for title in ("topic", "bytes", "QoS", "at", "by", "value")]
    print_list(found, columns, row, as_json=options.json, nothing="no retained messages")
