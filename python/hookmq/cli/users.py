"""``hookmq users``: who may log in, in the users file."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hookmq.errors import HookMQError

from . import access_file
from .access_file import add_file_flags

__all__ = ["configure", "main"]


EXIT_REFUSED = 6

_KEY = "access.users_file"
_HASHES = {"$argon2id$": "argon2id", "$7$": "PBKDF2-SHA512", "$6$": "SHA-512"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the commands and their arguments."""
    commands = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    add = _command(commands, "add", "add a user, or give one a new password")
    add.add_argument("name", metavar="NAME", help="user name")
    _add_password_flag(add)
    add.add_argument("--no-scram", action="store_true", help="no login with SCRAM-SHA-256 for this user")
    remove = _command(commands, "rm", "remove a user")
    remove.add_argument("name", metavar="NAME", help="user name")
    _command(commands, "ls", "list the users")
    check = _command(commands, "check", "ask for a password and say whether it is the right one")
    check.add_argument("name", metavar="NAME", help="user name")
    _add_password_flag(check)
    imported = _command(commands, "import", "take over the users of a mosquitto password_file")
    imported.add_argument("source", metavar="PASSWORD_FILE", help="a password_file, or a users file")
    imported.add_argument(
        "--replace", action="store_true", help="also those that are there already, with the imported password"
    )


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name, help=summary, description=f"{summary[:1].upper()}{summary[1:]}.", allow_abbrev=False
    )
    add_file_flags(parser, _KEY)
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _add_password_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--password-stdin",
        action="store_true",
        help="read the password from standard input, up to its first line end",
    )


def main(options: argparse.Namespace) -> int:
    """Run the command; return 0, or 6 if a password is not the right one."""
    actions: dict[str, Callable[[argparse.Namespace, Path], int]] = {
        "add": _add,
        "rm": _remove,
        "ls": _list,
        "check": _check,
        "import": _import,
    }
    argument = getattr(options, "name", None) or getattr(options, "source", None)
    words = ["hookmq users", options.action, argument, "--file FILE"]
    path = access_file.find(options.file, options, _KEY, "users file", " ".join(filter(None, words)))
    return actions[options.action](options, path)


def _add(options: argparse.Namespace, path: Path) -> int:
    from hookmq._hookmq import hash_user, set_user

    from .password import ask

    # A file that cannot be changed is better known before somebody types.
    _users_of(path, may_be_missing=True)
    password = ask(options.name, from_stdin=options.password_stdin, twice=True, command="hookmq users add")
    try:
        line = hash_user(options.name, password, not options.no_scram)
    except ValueError as error:
        raise HookMQError("E706", name=options.name, reason=error) from None
    with access_file.locked(path):
        text, names = _users_of(path, may_be_missing=True)
        access_file.replace(path, set_user(text, options.name, line))
    known, scram = options.name in names, _described(line)["scram"]
    said = "has a new password" if known else "is added"
    # SCRAM prepares passwords as text, so one that is none has only its hash.
    without = "" if scram or options.no_scram else ", without SCRAM-SHA-256: the password is not UTF-8"
    return _report(
        options,
        {"file": str(path), "user": options.name, "added": not known, "scram": scram},
        f"{path}: {options.name} {said}{without}",
    )


def _remove(options: argparse.Namespace, path: Path) -> int:
    from hookmq._hookmq import remove_user

    with access_file.locked(path):
        text, _ = _users_of(path)
        rest = remove_user(text, options.name)
        if rest is None:
            raise HookMQError("E707", name=options.name, path=path)
        access_file.replace(path, rest)
    return _report(options, {"file": str(path), "user": options.name}, f"{path}: {options.name} is removed")


def _list(options: argparse.Namespace, path: Path) -> int:
    text, names = _users_of(path)
    users = [user for user in map(_described, text.split("\n")) if user["name"] in names]
    width = max((len(user["name"]) for user in users), default=0)
    lines = (
        f"{user['name']:<{width}}  {user['hash']:<13}  {'SCRAM-SHA-256' if user['scram'] else ''}".rstrip()
        for user in users
    )
    return _report(options, {"file": str(path), "users": users}, "\n".join(lines) or f"{path}: no users")


def _described(line: str) -> dict[str, Any]:
    name, _, rest = line.removeprefix("\ufeff").partition(":")
    password, _, scram = rest.strip().partition(":")
    kinds = [kind for prefix, kind in _HASHES.items() if password.startswith(prefix)]
    return {"name": name.strip(), "hash": kinds[0] if kinds else "unknown", "scram": bool(scram)}


def _check(options: argparse.Namespace, path: Path) -> int:
    from hookmq._hookmq import verify_user

    from .password import ask

    text, names = _users_of(path)
    if options.name not in names:
        error = HookMQError("E707", name=options.name, path=path)
        error.exit_code = EXIT_REFUSED
        raise error
    password = ask(options.name, from_stdin=options.password_stdin, twice=False, command="hookmq users check")
    right = verify_user(text, options.name, password) is True
    _report(
        options,
        {"file": str(path), "user": options.name, "right": right},
        f"{options.name}: the password is {'right' if right else 'wrong'}",
    )
    return 0 if right else EXIT_REFUSED


def _import(options: argparse.Namespace, path: Path) -> int:
    from hookmq._hookmq import set_user

    lines = _lines_by_name(Path(options.source))
    done: dict[str, list[str]] = {"added": [], "replaced": [], "skipped": []}
    with access_file.locked(path):
        text, names = _users_of(path, may_be_missing=True)
        for name, line in lines.items():
            what = "added" if name not in names else "replaced" if options.replace else "skipped"
            done[what].append(name)
            if what != "skipped":
                text = set_user(text, name, line)
        if done["added"] or done["replaced"]:
            access_file.replace(path, text)
    counts = ", ".join(f"{len(users)} {what}" for what, users in done.items())
    skipped = "".join(f"\n  {name} is there already; --replace takes the new one" for name in done["skipped"])
    return _report(options, {"file": str(path), **done}, f"{path}: {counts}{skipped}")


def _lines_by_name(source: Path) -> dict[str, str]:
    """Return each user's line. Raises E305, with every line that is none."""
    from hookmq._hookmq import check_users

    lines: dict[str, str] = {}
    problems: list[access_file.Problem] = []
    for number, line in enumerate(access_file.read(source).split("\n"), start=1):
        try:
            for name in check_users(line):
                if name in lines:
                    problems.append((number, f"the user {name} is there twice"))
                lines[name] = line.removeprefix("\ufeff").strip()
        except ValueError as error:
            problems.append(access_file.in_line(number, error))
    if problems:
        raise access_file.unusable(source, problems)
    return lines


def _users_of(path: Path, *, may_be_missing: bool = False) -> tuple[str, frozenset[str]]:
    """Return the text of the users file and the names in it."""
    from hookmq._hookmq import check_users

    if may_be_missing and not path.exists():
        return "", frozenset()
    text = access_file.read(path)
    try:
        return text, frozenset(check_users(text))
    except ValueError as error:
        raise access_file.unusable(path, [access_file.in_text(error)]) from None


def _report(options: argparse.Namespace, facts: dict[str, Any], text: str) -> int:
    if options.json:
        import json

        text = json.dumps(facts, ensure_ascii=False, indent=2)
    print(text)
    return 0
