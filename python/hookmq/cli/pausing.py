"""``pause`` and ``resume``, which ``hookmq hooks`` and ``hookmq jobs`` have in common."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, TypeAlias

from .http_api import HttpApi, add_api_flags

__all__ = ["add_action", "add_pause_and_resume", "pause_or_resume"]

if TYPE_CHECKING:
    Actions: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]


def add_action(actions: Actions, name: str, summary: str) -> argparse.ArgumentParser:
    """Add an action to a command; its name becomes ``options.action``."""
    description = f"{summary[:1].upper()}{summary[1:]}."
    parser = actions.add_parser(name, help=summary, description=description, allow_abbrev=False)
    parser.set_defaults(action=name)
    return parser


def add_pause_and_resume(actions: Actions, what: str, passes: str) -> None:
    """Add the two actions of a command for hooks or jobs; ``passes`` says what happens to a paused one."""
    for action, summary in (("pause", passes), ("resume", f"let a paused {what} go on")):
        named = add_action(actions, action, summary)
        named.add_argument("name", metavar="NAME", help=f"the {what}'s name, as listed")
        add_api_flags(named)


def pause_or_resume(options: argparse.Namespace, kind: str) -> None:
    """Ask the broker to do it with ``hooks`` or ``jobs``, and print what is so then."""
    api = HttpApi.of(options, command=f"hookmq {kind} {options.action} NAME")
    found = api.post(kind, options.name, options.action)["items"]
    if options.json:
        print(json.dumps({"items": found}, ensure_ascii=False, indent=2))
        return
    for one in found:
        print(f"{one['name']} {'is paused' if one['paused'] else 'goes on'}   {one['where']}")
