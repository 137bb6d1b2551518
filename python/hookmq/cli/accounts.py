"""``hookmq accounts``: who logs in to the dashboard of a running broker."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from typing import Any

from hookmq.errors import HookMQError

from . import data_directory
from .http_api import NOTHING_GIVEN, HttpApi, add_api_flags
from .pausing import add_action

__all__ = ["ROLES", "configure", "epoch", "main", "show"]


ROLES = ("viewer", "operator", "admin")
"""What an account or an API token may be."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the commands and their arguments."""
    parser.set_defaults(**NOTHING_GIVEN)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    add_api_flags(add_action(actions, "list", "list the accounts"))
    add = add_action(actions, "add", "add an account; from the first one on everybody has to log in")
    _add_name(add)
    add.add_argument(
        "--role", choices=ROLES, default="admin", help="what it may (admin; the first one has to be that)"
    )
    password = add_action(actions, "password", "give an account another password; its sessions end")
    _add_name(password)
    for named in (add, password):
        named.add_argument(
            "--password-stdin",
            action="store_true",
            help="read the password from standard input, up to its first line end",
        )
    role = add_action(actions, "role", "give an account another role; its sessions end")
    _add_name(role)
    role.add_argument("role", metavar="ROLE", choices=ROLES, help=" or ".join(ROLES))
    _add_name(add_action(actions, "remove", "remove an account; its sessions end"))
    reset = add_action(
        actions, "reset", "remove all accounts, tokens and sessions of a broker that does not run"
    )
    data_directory.add_flags(reset)


def _add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="name of the account")
    add_api_flags(parser)


def main(options: argparse.Namespace) -> int:
    """Run the command; return 0."""
    actions: dict[str, Callable[[argparse.Namespace], None]] = {
        "list": _list,
        "add": _add,
        "password": _password,
        "role": _role,
        "remove": _remove,
        "reset": _reset,
    }
    actions[options.action](options)
    return 0


def _list(options: argparse.Namespace) -> None:
    items = _api(options).get("accounts?limit=1000")["items"]
    columns = ("name", "role", "created", "last login")
    rows = [
        (one["name"], one["role"], epoch(one["created_at"]), epoch(one["last_login_at"])) for one in items
    ]
    show(options, {"items": items}, columns, rows, empty="no accounts")


def _add(options: argparse.Namespace) -> None:
    # Whether it is there and may be asked is better known before somebody types.
    api = _api(options)
    api.get("accounts")
    body = {"name": options.name, "password": _asked(options, twice=True), "role": options.role}
    made = api.send("POST", "accounts", body=body)
    data_directory.show(made, f"{made['name']} is added, role {made['role']}", options)


def _password(options: argparse.Namespace) -> None:
    api = _api(options)
    api.get("accounts")
    made = api.send("PATCH", "accounts", options.name, body={"password": _asked(options, twice=True)})
    data_directory.show(made, f"{made['name']} has a new password, and is logged out", options)


def _role(options: argparse.Namespace) -> None:
    made = _api(options).send("PATCH", "accounts", options.name, body={"role": options.role})
    data_directory.show(made, f"{made['name']} has the role {made['role']}", options)


def _remove(options: argparse.Namespace) -> None:
    _api(options).send("DELETE", "accounts", options.name)
    data_directory.show({"name": options.name}, f"{options.name} is removed", options)


def _reset(options: argparse.Namespace) -> None:
    """Put the file aside, so that the next start is a first one."""
    import fcntl
    import os

    from hookmq.web.access.vault import FILE

    directory = data_directory.find(options)
    path = directory / FILE
    try:
        lock = os.open(directory / "store" / "lock", os.O_RDWR)
    except OSError:
        lock = None  # there is no store: no broker can run there
    try:
        if lock is not None:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                # It would write its accounts down again.
                raise HookMQError("E703", path=path, reason="a broker runs there; stop it first") from None
        try:
            os.replace(path, aside := path.with_name(f"{FILE}.old"))
        except FileNotFoundError:
            data_directory.show(
                {"file": str(path), "removed": False}, f"{path}: there are no accounts", options
            )
            return
        except OSError as error:
            raise HookMQError("E703", path=path, reason=(error.strerror or str(error)).lower()) from None
    finally:
        if lock is not None:
            os.close(lock)
    text = (
        f"{path}: nobody has an account any more; the next start prints a link\n  it was put aside as {aside}"
    )
    data_directory.show({"file": str(path), "removed": True, "aside": str(aside)}, text, options)


def _asked(options: argparse.Namespace, *, twice: bool) -> str:
    from .password import ask

    command = f"hookmq accounts {options.action}"
    given = ask(options.name, from_stdin=options.password_stdin, twice=twice, command=command)
    try:
        return given.decode()
    except UnicodeDecodeError:
        raise HookMQError("E705", reason="it is not UTF-8") from None


def _api(options: argparse.Namespace) -> HttpApi:
    return HttpApi.of(options, command=f"hookmq {options.command} {options.action}")


def epoch(seconds: float | None) -> str:
    """Return seconds since the epoch in local time.

    >>> epoch(None)
    ''
    """
    from datetime import datetime

    return "" if seconds is None else datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S")


def show(
    options: argparse.Namespace,
    facts: dict[str, Any],
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    empty: str,
) -> None:
    """Print the facts as JSON, or the rows as a table."""
    from . import table

    if options.json:
        print(json.dumps(facts, ensure_ascii=False, indent=2))
    elif not rows:
        print(empty)
    else:
        table.console().print(table.make([(title, False) for title in columns], rows))
