"""``hookmq tokens``: the API tokens of programs that ask a running broker."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable

from .accounts import ROLES, epoch, show
from .data_directory import show as tell
from .http_api import NOTHING_GIVEN, HttpApi, add_api_flags
from .pausing import add_action
from .usage import UsageError

__all__ = ["configure", "main"]


_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the commands and their arguments."""
    parser.set_defaults(**NOTHING_GIVEN)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    add_api_flags(add_action(actions, "list", "list the API tokens"))
    add = add_action(actions, "add", "make an API token, and print it: it is shown this once")
    add.add_argument("name", metavar="NAME", help="what it is for")
    add.add_argument("--role", choices=ROLES, default="viewer", help="what it may (viewer)")
    add.add_argument("--expires-in", metavar="TIME", help="how long it holds, such as 30d or 12h (for ever)")
    add.add_argument("--user", metavar="ACCOUNT", help="log in as this account, whose password is asked for")
    add.add_argument(
        "--password-stdin", action="store_true", help="read its password from standard input, a line"
    )
    add_api_flags(add)
    remove = add_action(actions, "remove", "remove an API token")
    remove.add_argument("id", metavar="ID", help="its id, as listed")
    add_api_flags(remove)


def main(options: argparse.Namespace) -> int:
    """Run the command; return 0."""
    actions: dict[str, Callable[[argparse.Namespace, HttpApi], None]] = {
        "list": _list,
        "add": _add,
        "remove": _remove,
    }
    api = HttpApi.of(options, command=f"hookmq tokens {options.action}")
    actions[options.action](options, api)
    return 0


def _list(options: argparse.Namespace, api: HttpApi) -> None:
    items = api.get("tokens?limit=1000")["items"]
    times = ("created_at", "expires_at", "last_used_at")
    rows = [(one["id"], one["name"], one["role"], *(epoch(one[time]) for time in times)) for one in items]
    show(
        options,
        {"items": items},
        ("id", "name", "role", "created", "expires", "last used"),
        rows,
        empty="no API tokens",
    )


def _add(options: argparse.Namespace, api: HttpApi) -> None:
    if options.password_stdin and options.user is None:
        raise UsageError("--password-stdin is the password of an account: name it with --user")
    if options.user is not None:
        from .password import ask

        command = f"hookmq tokens add {options.name} --user"
        password = ask(options.user, from_stdin=options.password_stdin, twice=False, command=command)
        api.login(options.user, password.decode(errors="surrogateescape"))
    body = {"name": options.name, "role": options.role, "expires_in": _seconds(options.expires_in)}
    try:
        made = api.send("POST", "tokens", body=body)
    finally:
        if options.user is not None:
            api.logout()
    tell(made, made["token"], options)  # alone, so that a script can take it


def _remove(options: argparse.Namespace, api: HttpApi) -> None:
    api.send("DELETE", "tokens", options.id)
    tell({"id": options.id}, f"{options.id} is removed", options)


def _seconds(text: str | None) -> float | None:
    """Return a time in seconds.

    >>> _seconds("12h"), _seconds(None)
    (43200.0, None)
    """
    if text is None:
        return None
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([smhd]?)", text.strip().lower())
    if match is None:
        raise UsageError(f"--expires-in is {text!r}; expected a time such as 30d, 12h, 90m")
    return float(match[1]) * _UNITS[match[2]]
