"""``hookmq acl``: check an access list, ask what it says, or make one from mosquitto's."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hookmq.errors import HookMQError

from . import access_file

__all__ = ["configure", "main"]


EXIT_REFUSED = 6

_KEY = "access.acl_file"
_ACTIONS = ("publish", "subscribe", "receive")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the commands and their arguments."""
    commands = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    check = _command(commands, "check", "read an access list and report every line that is no rule")
    check.add_argument("file", metavar="FILE", nargs="?", help=f"the file ({_KEY} of the configuration)")
    access_file.add_config_flag(check)
    test = _command(commands, "test", "say whether a client may do something, and which rule decides")
    test.add_argument("right", metavar="|".join(_ACTIONS), choices=_ACTIONS, help="what it wants to do")
    test.add_argument("topic", metavar="TOPIC", help="topic name, or topic filter to subscribe to")
    test.add_argument("--user", metavar="NAME", help="its user name (none)")
    test.add_argument("--client", metavar="ID", default="", help="its client identifier (empty)")
    test.add_argument("--address", metavar="ADDRESS", help="the IP address it connects from (none)")
    access_file.add_file_flags(test, _KEY)
    imported = _command(commands, "import", "translate a mosquitto acl_file")
    imported.add_argument("source", metavar="ACL_FILE", help="mosquitto's file")
    imported.add_argument("--output", metavar="FILE", help="where the rules go (standard output)")
    imported.add_argument("--replace", action="store_true", help="also if the output is there already")


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name, help=summary, description=f"{summary[:1].upper()}{summary[1:]}.", allow_abbrev=False
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def main(options: argparse.Namespace) -> int:
    """Run the command; return 0, 3 if a file has a problem, 6 if the answer is no."""
    actions: dict[str, Callable[[argparse.Namespace], int]] = {
        "check": _check,
        "test": _test,
        "import": _import,
    }
    return actions[options.action](options)


def _check(options: argparse.Namespace) -> int:
    path = access_file.find(options.file, options, _KEY, "access list", "hookmq acl check FILE")
    rules, problems = _rules_of(access_file.read(path))
    if problems and not options.json:
        raise access_file.unusable(path, problems)
    listed = [{"line": line, "message": reason} for line, reason in problems]
    facts = {"file": str(path), "ok": not problems, "rules": rules, "problems": listed}
    print(_json(facts) if options.json else f"{path}: {rules} {'rule' if rules == 1 else 'rules'}")
    return access_file.unusable(path, problems).exit_code if problems else 0


def _rules_of(text: str) -> tuple[int, list[access_file.Problem]]:
    """Count the rules, and find every line that is none: each line stands for itself."""
    from hookmq._hookmq import check_acl

    rules = 0
    problems: list[access_file.Problem] = []
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            rules += check_acl(line)
        except ValueError as error:
            problems.append(access_file.in_line(number, error))
    return rules, problems


def _test(options: argparse.Namespace) -> int:
    from hookmq._hookmq import check_acl, explain_acl

    command = f"hookmq acl test --file FILE {options.right} {options.topic}"
    path = access_file.find(options.file, options, _KEY, "access list", command)
    text = access_file.read(path)
    try:
        check_acl(text)
    except ValueError as error:
        raise access_file.unusable(path, _rules_of(text)[1] or [access_file.in_text(error)]) from None
    try:
        topic = _topic(options.right, options.topic)
        allowed, line = explain_acl(text, options.user, options.client, options.address, options.right, topic)
    except ValueError as error:
        raise HookMQError("E709", reason=error) from None
    rule = None if line is None else text.split("\n")[line - 1].strip()
    verdict = "allowed" if allowed else "denied"
    reason = f"{path}:{line}  {rule}" if rule else f"{path}  no rule matches"
    facts = {"file": str(path), "allowed": allowed, "line": line, "rule": rule}
    print(_json(facts) if options.json else f"{verdict}   {reason}")
    return 0 if allowed else EXIT_REFUSED


def _topic(right: str, given: str) -> str:
    """Return what the rules are asked about. Raises ValueError for what is no topic."""
    from hookmq._hookmq import check_filter

    try:
        check_filter(given)
    except ValueError as error:
        raise ValueError(f"`{given}` {error}") from None
    if right != "subscribe" and any(character in given for character in "+#"):
        raise ValueError(f"`{given}` has a wildcard, which only a subscription may have")
    # Rules name the filter, not the group that shares it.
    return given.split("/", 2)[2] if right == "subscribe" and given.startswith("$share/") else given


def _import(options: argparse.Namespace) -> int:
    from .mosquitto_acl import translate

    source = Path(options.source)
    result = translate(access_file.read(source), name=source.name)
    if result.problems:
        raise access_file.unusable(source, result.problems)
    facts: dict[str, Any] = {"source": str(source), "output": options.output, "rules": result.rules}
    if options.output is None:
        print(_json(facts | {"text": result.text}) + "\n" if options.json else result.text, end="")
        return 0
    output = Path(options.output)
    if output.exists() and not options.replace:
        raise HookMQError("E708", path=output)
    access_file.replace(output, result.text)
    print(_json(facts) if options.json else f"{output}: {result.rules} rules from {source}")
    return 0


def _json(facts: dict[str, Any]) -> str:
    import json

    return json.dumps(facts, ensure_ascii=False, indent=2)
