"""``hookmq clients``: the sessions of a running broker, and who is banned."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

from . import table
from .http_api import NOTHING_GIVEN, HttpApi, add_api_flags
from .listing import print_list
from .pausing import add_action

__all__ = ["configure", "main"]


_COUNTS = ("received", "sent", "queued", "subscriptions")
_KINDS = ("client", "user", "address")
_SORTS = ("client_id", "connected_at", "received", "sent", "queued")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions and their arguments; without an action the clients are listed."""
    nothing = {"search": None, "connected": None, "sort": None, "limit": None}
    parser.set_defaults(**NOTHING_GIVEN, **nothing, action="ls")
    _add_list_flags(parser)
    actions = parser.add_subparsers(metavar="ACTION", title="actions")
    _add_list_flags(add_action(actions, "ls", "list the sessions, connected or not"))
    for action, summary in (
        ("show", "show a session with its subscriptions and its will"),
        ("disconnect", "close the connection of a client; its session stays"),
        ("rm", "close the connection of a client, and end its session with all that waits for it"),
    ):
        named = add_action(actions, action, summary)
        named.add_argument("id", metavar="ID", help="the client identifier")
        add_api_flags(named)
    ban = add_action(actions, "ban", "refuse a client, a user or an address from now on")
    _add_who(ban)
    ban.add_argument("--seconds", metavar="SECONDS", type=float, help="how long (for good)")
    ban.add_argument("--reason", metavar="TEXT", default="", help="why, for those who read the list")
    add_api_flags(ban)
    unban = add_action(actions, "unban", "lift a ban")
    _add_who(unban)
    add_api_flags(unban)
    add_api_flags(add_action(actions, "bans", "list who is banned"))


def _add_list_flags(parser: argparse.ArgumentParser) -> None:
    no = argparse.SUPPRESS
    where = "part of the client identifier, the user name or the address"
    parser.add_argument("--search", metavar="TEXT", default=no, help=where)
    state = parser.add_mutually_exclusive_group()
    state.add_argument("--connected", action="store_true", default=no, help="only those that are connected")
    state.add_argument(
        "--away", action="store_false", dest="connected", default=no, help="only those that are not"
    )
    sorts = [*_SORTS, *(f"-{sort}" for sort in _SORTS)]
    parser.add_argument(
        "--sort", metavar="KEY", choices=sorts, default=no, help=f"{', '.join(_SORTS)}; --sort=-KEY descends"
    )
    parser.add_argument("--limit", metavar="N", type=int, default=no, help="at most so many (all)")
    add_api_flags(parser)


def _add_who(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("value", metavar="NAME", help="client identifier, user name or IP address")
    parser.add_argument("--by", choices=_KINDS, default="client", help="what the name is (client)")


def main(options: argparse.Namespace) -> int:
    """Run the action and return 0."""
    actions: dict[str, Callable[[argparse.Namespace], None]] = {
        "ls": _list,
        "show": _show,
        "disconnect": _disconnect,
        "rm": _remove,
        "ban": _ban,
        "unban": _unban,
        "bans": _bans,
    }
    actions[options.action](options)
    return 0


def _api(options: argparse.Namespace) -> HttpApi:
    return HttpApi.of(options, command="hookmq clients")


def _print_json(facts: Any) -> None:
    print(json.dumps(facts, ensure_ascii=False, indent=2))


def _list(options: argparse.Namespace) -> None:
    chosen = {"search": options.search, "connected": options.connected, "sort": options.sort}
    found = _api(options).list("clients", limit=options.limit, **chosen)

    def row(one: dict[str, Any]) -> tuple[str, ...]:
        return (
            one["client_id"],
            one["username"] or "",
            one["address"] or "",
            one["version"],
            table.moment_at(one["connected_at"]) if one["connected"] else "no",
            *(f"{one[count]:,}" for count in _COUNTS),
        )

    titles = ("client", "user", "address", "MQTT", "connected", *_COUNTS)
    columns = [(title, title in _COUNTS) for title in titles]
    print_list(found, columns, row, as_json=options.json, nothing="no clients")
    if not options.json and (more := (found["total"] or 0) - len(found["items"])) > 0:
        print(f"{more:,} more")


def _show(options: argparse.Namespace) -> None:
    found = _api(options).send("GET", "clients", options.id)
    if options.json:
        return _print_json(found)

    for name in ("client_id", "username", "principal", "address", "listener", "version"):
        if found[name]:
            print(f"{name.replace('_', ' '):<13} {found[name]}")
    print(f"{'connected':<13} {table.moment_at(found['connected_at']) if found['connected'] else 'no'}")
    for count in (*_COUNTS, "inflight"):
        print(f"{count:<13} {found[count]:,}")
    if found["will"] is not None:
        print(f"{'will':<13} {found['will']['topic']}")
    if found["filters"]:
        rows = [(one["filter"], str(one["qos"])) for one in found["filters"]]
        table.console().print(table.make([("filter", False), ("QoS", True)], rows))
    return None


def _disconnect(options: argparse.Namespace) -> None:
    answer = _api(options).post("clients", options.id, "disconnect")
    _print_json(answer) if options.json else print(f"{options.id} is disconnected")


def _remove(options: argparse.Namespace) -> None:
    answer = _api(options).send("DELETE", "clients", options.id)
    _print_json(answer) if options.json else print(f"the session of {options.id} has ended")


def _ban(options: argparse.Namespace) -> None:
    body = {"by": options.by, "value": options.value, "seconds": options.seconds, "reason": options.reason}
    answer = _api(options).send("POST", "bans", body=body)
    if options.json:
        return _print_json(answer)
    end = "for good" if options.seconds is None else f"for {options.seconds:g} seconds"
    return print(f"the {options.by} {options.value} is banned {end}")


def _unban(options: argparse.Namespace) -> None:
    answer = _api(options).send("DELETE", "bans", query={"by": options.by, "value": options.value})
    _print_json(answer) if options.json else print(f"the {options.by} {options.value} may connect again")


def _bans(options: argparse.Namespace) -> None:
    found = _api(options).list("bans")

    def row(one: dict[str, Any]) -> tuple[str, ...]:
        return (one["by"], one["value"], table.moment_at(one["until"]) or "for good", one["reason"])

    columns = [(title, False) for title in ("by", "name", "until", "reason")]
    print_list(found, columns, row, as_json=options.json, nothing="nobody is banned")
