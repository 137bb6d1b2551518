"""``hookmq topics``: what is published at a running broker, topic by topic."""

from __future__ import annotations

import argparse
import json
from typing import Any

from . import table
from .http_api import NOTHING_GIVEN, HttpApi, add_api_flags
from .listing import preview, print_list
from .pausing import add_action

__all__ = ["configure", "main", "print_message"]


_NUMBERS = ("messages", "rate", "below")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions and their arguments; without an action the topics of the top are listed."""
    parser.set_defaults(**NOTHING_GIVEN, parent=None, search=None, limit=None, action="ls")
    add_api_flags(parser)
    actions = parser.add_subparsers(metavar="ACTION", title="actions")
    listing = add_action(actions, "ls", "list the levels below a topic")
    listing.add_argument("parent", metavar="TOPIC", nargs="?", help="without it those of the top")
    listing.add_argument("--search", metavar="TEXT", help="find topics by a part of their name")
    listing.add_argument("--limit", metavar="N", type=int, help="at most so many (all)")
    add_api_flags(listing)
    show = add_action(actions, "show", "show the newest message of a topic")
    show.add_argument("topic", metavar="TOPIC", help="a topic name")
    add_api_flags(show)


def main(options: argparse.Namespace) -> int:
    """Run the action and return 0."""
    api = HttpApi.of(options, command="hookmq topics")
    if options.action == "show":
        print_message(api.send("GET", "topics", "value", query={"topic": options.topic}), options)
    else:
        chosen = {"parent": options.parent, "search": options.search}
        _list(api.list("topics", limit=options.limit, **chosen), options)
    return 0


def _list(found: dict[str, Any], options: argparse.Namespace) -> None:
    def row(one: dict[str, Any]) -> tuple[str, ...]:
        return (
            one["topic"],
            f"{one['messages']:,}",
            table.rate(one["rate"]),
            f"{one['below_topics']:,}" if one["below_topics"] else "",
            table.moment_at(one["at"]),
            preview(one["preview"], ""),
        )

    columns = [(title, title in _NUMBERS) for title in ("topic", *_NUMBERS, "last", "value")]
    print_list(found, columns, row, as_json=options.json, nothing="no topics")


def print_message(message: dict[str, Any], options: argparse.Namespace) -> None:
    """Print a message as the API answers it: what is known of it, and its payload."""
    if options.json:
        print(json.dumps(message, ensure_ascii=False, indent=2))
        return

    retained = ", retained" if message["retain"] else ""
    by = f" by {message['client_id']}" if message["client_id"] else ""
    when = table.moment_at(message["at"])
    print(f"{message['topic']}   {when}{by}   QoS {message['qos']}{retained}   {message['bytes']:,} bytes")
    payload = message["payload"]
    print(f"base64 {message['payload_base64']}" if payload is None else payload)
