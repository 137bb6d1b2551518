"""``hookmq rules``: the rules of a running broker, and rules on samples without one."""

from __future__ import annotations

import argparse
import json
import re
from typing import TYPE_CHECKING, Any

from .http_api import NOTHING_GIVEN, HttpApi, add_api_flags
from .pausing import add_action
from .usage import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from hookmq.errors import HookMQError

    from .pausing import Actions

__all__ = ["configure", "main"]


_COUNTS = ("matched", "passed", "results", "failed")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions and their arguments; without an action the rules are listed."""
    parser.set_defaults(**NOTHING_GIVEN, action="ls")
    add_api_flags(parser)
    actions = parser.add_subparsers(metavar="ACTION", title="actions")
    add_api_flags(add_action(actions, "ls", "list the rules, and what they have counted"))
    _named(actions, "show", "show a rule: its SQL, its actions, its last result and error")
    _named(actions, "enable", "evaluate a rule from now on")
    _named(actions, "disable", "evaluate a rule no more")
    _add_test(actions)
    check = add_action(actions, "check", "check files of rules, or those of the configuration")
    check.add_argument("path", metavar="PATH", nargs="*", help="a .sql file, or a folder of them")
    add_api_flags(check)
    _named(actions, "versions", "list the versions of a stored rule, and who made them")
    restore = _named(actions, "restore", "make a version of a stored rule the newest one")
    restore.add_argument("number", metavar="VERSION", type=int, help="its number, as listed")
    functions = add_action(actions, "functions", "list the functions that rules can call, or explain one")
    functions.add_argument("name", metavar="NAME", nargs="?", help="the function, or a group of them")
    functions.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")
    add = _named(actions, "add", "store a rule, or change the stored rule of this name")
    add.add_argument("sql", metavar="SQL", help="what it selects; or a .sql file, with its actions")
    add.add_argument(
        "--do",
        metavar="ACTION",
        action="append",
        default=[],
        help='an action as JSON: \'{"kind": "log"}\'; may be given several times',
    )
    add.add_argument("--description", metavar="TEXT", default="", help="what it is for")
    _named(actions, "remove", "remove a stored rule; its versions stay")


def _named(actions: Actions, name: str, summary: str) -> argparse.ArgumentParser:
    parser = add_action(actions, name, summary)
    parser.add_argument("name", metavar="NAME", help="the rule's name, as listed")
    add_api_flags(parser)
    return parser


def _add_test(actions: Actions) -> None:
    test = add_action(actions, "test", "evaluate a rule for a sample, step by step; nothing is done")
    test.add_argument("rule", metavar="RULE", help="SQL, a .sql file, or the name of a rule of the broker")
    test.add_argument("--topic", metavar="TOPIC", help="topic of the sample")
    test.add_argument(
        "--payload", metavar="TEXT", action="append", help="its payload; several are several samples"
    )
    test.add_argument("--client", metavar="ID", help="client identifier of its publisher")
    test.add_argument("--user", metavar="NAME", help="user name of its publisher")
    test.add_argument("--qos", metavar="QOS", type=int, choices=(0, 1, 2), help="its QoS")
    test.add_argument("--retain", action="store_true", help="it is retained")
    test.add_argument("--event", metavar="EVENT", help="an event instead, such as client_connected")
    test.add_argument("--sample", metavar="JSON", action="append", default=[], help="a whole sample as JSON")
    test.add_argument("--last", action="store_true", help="the newest message in the broker's history")
    add_api_flags(test)


def main(options: argparse.Namespace) -> int:
    """Run the action. Return 1 if a rule that is tried selects nothing, 3 if one that is checked is wrong."""
    act = {
        "ls": _list,
        "show": _show,
        "enable": _switch,
        "disable": _switch,
        "test": _test,
        "check": _check,
        "versions": _versions,
        "restore": _restore,
        "functions": _functions,
        "add": _add,
        "remove": _remove,
    }[options.action]
    return act(options) or 0


def _api(options: argparse.Namespace) -> HttpApi:
    return HttpApi.of(options, command=f"hookmq rules {options.action}")


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))


# What there is ----------------------------------------------------------------------------------------------


def _list(options: argparse.Namespace) -> None:
    from . import table

    found = _api(options).list("rules")
    if options.json:
        _print_json(found)
        return
    rules = found["items"]
    if not rules:
        print("no rules")
        return
    titles = ("name", "reads", "actions", "from", *_COUNTS)
    rows = [
        (
            _state(rule),
            ", ".join(rule["reads"]),
            ", ".join(action["kind"] for action in rule["actions"]),
            rule["where"] or rule["source"],
            *(f"{rule[count]:,}" for count in _COUNTS),
        )
        for rule in rules
    ]
    table.console().print(table.make([(title, title in _COUNTS) for title in titles], rows))


def _state(rule: dict[str, Any]) -> str:
    notes = [] if rule["enabled"] else ["disabled"]
    notes += ["its file is wrong"] if rule["problem"] else []
    return f"{rule['name']} ({', '.join(notes)})" if notes else str(rule["name"])


def _show(options: argparse.Namespace) -> None:
    from . import table

    found = _api(options).send("GET", "rules", options.name)
    if options.json:
        _print_json(found)
        return
    rule, info = found["rule"], found["info"]
    print(f"{_state(info)}   {info['where'] or info['source']}", end="")
    print("" if info["version"] is None else f", version {info['version']}")
    if info["description"]:
        print(info["description"])
    print(f"\n{info['sql']}\n")
    print("   ".join(f"{count} {info[count]:,}" for count in (*_COUNTS, "skipped", "loops", "keys")))
    if rule["actions"]:
        rows = [_action_row(action) for action in info["actions"]]
        numbers = ("done", "failed", "waiting")
        titles = ("", "action", "to", *numbers, "state", "last trouble", "dead letters")
        print()
        table.console().print(table.make([(title, title in numbers) for title in titles], rows))
    for title, text in (("last error", info["last_error"]), ("its file", info["problem"])):
        if text:
            print(f"\n{title}:\n{text}")
    if info["last_result"] is not None:
        print(f"\nlast result:\n{json.dumps(info['last_result'], ensure_ascii=False)}")


def _action_row(action: dict[str, Any]) -> list[str]:
    return [
        str(action["number"]),
        action["kind"],
        action["target"],
        *(f"{action[count]:,}" for count in ("done", "failed", "waiting")),
        action["state"],
        action["reason"],
        (action["dead_letters"] or "") if action["failed"] else "",
    ]


def _versions(options: argparse.Namespace) -> None:
    from datetime import datetime
    from urllib.parse import quote

    from . import table

    found = _api(options).list(f"rules/{quote(options.name, safe='')}/versions")
    if options.json:
        _print_json(found)
        return
    rows = [
        (
            str(one["version"]),
            datetime.fromtimestamp(one["time"]).strftime("%Y-%m-%d %H:%M:%S"),
            one["who"],
            one["change"],
            "" if one["rule"] is None else " ".join(str(one["rule"].get("sql", "")).split()),
        )
        for one in found["items"]
    ]
    titles = ("version", "time", "who", "change", "SQL")
    table.console().print(table.make([(title, title == "version") for title in titles], rows))


# What can be done -------------------------------------------------------------------------------------------


def _switch(options: argparse.Namespace) -> None:
    info = _api(options).send("POST", "rules", options.name, options.action)["info"]
    if options.json:
        _print_json(info)
    else:
        print(f"{info['name']} is {options.action}d")


def _restore(options: argparse.Namespace) -> None:
    found = _api(options).send("POST", "rules", options.name, "versions", str(options.number), "restore")
    if options.json:
        _print_json(found)
    else:
        print(f"{options.name} is as in version {options.number}; this is version {found['info']['version']}")


def _add(options: argparse.Namespace) -> None:
    from hookmq.errors import HookMQError

    api = _api(options)
    table = _written(options)
    try:
        found, done = api.send("PUT", "rules", options.name, body=table), "changed"
    except HookMQError as error:
        if error.code != "E712":
            raise
        found, done = api.send("POST", "rules", body=table), "added"
    if options.json:
        _print_json(found)
    else:
        print(f"{options.name} is {done}: version {found['info']['version']}")


def _written(options: argparse.Namespace) -> dict[str, Any]:
    """Return the rule that was written on the command line, or in a file."""
    try:
        actions = [json.loads(text) for text in options.do]
    except ValueError as error:
        raise UsageError(f"--do is no JSON: {error}") from None
    if options.sql.endswith(".sql"):
        from pathlib import Path

        from hookmq.rules.sql_files import read

        table = read(Path(options.sql)).table()
        table["actions"] = [*table["actions"], *actions]
    else:
        table = {"sql": options.sql, "actions": actions}
    if options.description:
        table["description"] = options.description
    return table | {"name": options.name}


def _remove(options: argparse.Namespace) -> None:
    found = _api(options).send("DELETE", "rules", options.name)
    if options.json:
        _print_json(found)
    else:
        print(f"{options.name} is removed; `hookmq rules restore {options.name} VERSION` brings it back")


# Trying -----------------------------------------------------------------------------------------------------


def _test(options: argparse.Namespace) -> int:
    samples = _samples(options)
    tried = _tried_here(options, samples)
    if tried is None:
        body: dict[str, Any] = {"name": options.rule} if _is_name(options.rule) else {"sql": options.rule}
        if samples is not None:
            body["samples"] = samples
        tried = _api(options).send("POST", "rules", "test", body=body)
    if options.json:
        _print_json(tried)
    else:
        _print_trials(tried)
    return 0 if any(trial["results"] for trial in tried["trials"]) else 1


def _tried_here(options: argparse.Namespace, samples: list[dict[str, Any]] | None) -> dict[str, Any] | None:
    """Try a rule without a broker, if none is needed."""
    if samples is None or _is_name(options.rule):
        return None
    from pathlib import Path

    from hookmq.rules.definition import Rule
    from hookmq.rules.sql_files import read
    from hookmq.rules.trial import sample_of, try_samples

    if options.rule.endswith(".sql"):
        rule = read(Path(options.rule))
    else:
        rule = Rule.of({"name": "SQL", "sql": options.rule}, "api", "the SQL")
    rule.described()
    given = [sample_of(one) for one in samples]
    return try_samples(rule.name, rule.sql, given, {}, rule.actions, where=rule.shown_where).json()


def _samples(options: argparse.Namespace) -> list[dict[str, Any]] | None:
    """Return the samples that were given; ``None`` asks for the newest message."""
    given = {
        "topic": options.topic,
        "clientid": options.client,
        "username": options.user,
        "qos": options.qos,
        "retain": options.retain or None,
        "event": options.event,
    }
    common = {key: value for key, value in given.items() if value is not None}
    if options.last:
        if common or options.payload or options.sample:
            raise UsageError("--last takes the newest message: give no other sample")
        return None
    samples: list[dict[str, Any]] = []
    for text in options.sample:
        try:
            samples.append(json.loads(text))
        except ValueError as error:
            raise UsageError(f"--sample is no JSON: {error}") from None
    if options.topic is not None:
        samples += [common | {"payload": payload} for payload in options.payload or [""]]
    elif options.event is not None:
        samples.append(common)
    elif options.payload or common:
        raise UsageError("a sample has a topic or an event: --topic TOPIC, or --event EVENT")
    if not samples and not _is_name(options.rule):
        raise UsageError("give a sample: --topic TOPIC --payload TEXT, --sample JSON, or --last")
    return samples or None


def _is_name(text: str) -> bool:
    return re.fullmatch(r"\w[\w.-]*", text) is not None and not text.endswith(".sql")


def _print_trials(tried: dict[str, Any]) -> None:
    from . import table

    several = len(tried["trials"]) > 1
    for number, trial in enumerate(tried["trials"], start=1):
        sample = json.dumps(trial["sample"], ensure_ascii=False)
        print(f"{f'sample {number}' if several else 'sample'}  {sample}")
        if trial["steps"]:
            table.console().print(_steps(trial))
        for result in trial["results"]:
            print(f"  result  {json.dumps(result, ensure_ascii=False)}")
        if trial["error"]:
            print("  error   " + trial["error"].replace("\n", "\n          "))
        elif not trial["results"]:
            print("  nothing is selected")
        for action in trial["actions"]:
            would = json.dumps(action["would"], ensure_ascii=False)
            print(f"  action {action['number']}, {action['kind']}, would  {would}")


def _steps(trial: dict[str, Any]) -> Table:
    from . import table

    rows = [
        (
            f"  {step['step']}",
            " ".join(step["text"].split()),
            json.dumps(step["value"], ensure_ascii=False),
            step["note"] or "",
        )
        for step in trial["steps"]
    ]
    return table.make([("  step", False), ("SQL", False), ("value", False), ("", False)], rows)


# Checking ---------------------------------------------------------------------------------------------------


def _check(options: argparse.Namespace) -> int:
    from hookmq.errors import render

    found, count = _problems(options)
    if options.json:
        problems = [{"code": one.code, "message": one.message, "help": one.help} for one in found]
        _print_json({"ok": not found, "rules": count, "problems": problems})
        return found[0].exit_code if found else 0
    for error in found:
        print(render(error))
    if not found:
        print(f"{count} rule{'' if count == 1 else 's'}, no problems found.")
    return found[0].exit_code if found else 0


def _problems(options: argparse.Namespace) -> tuple[list[HookMQError], int]:
    """Return what is wrong, and how many rules there are."""
    from pathlib import Path

    from hookmq.errors import HookMQError
    from hookmq.rules.definition import rules_of
    from hookmq.rules.sql_files import files_of, read
    from hookmq.settings import config

    paths = [Path(path) for path in options.path]
    found: list[HookMQError] = []
    rules = []
    if not paths:
        settings = config.resolve(arguments={}, flags={"config": options.config} if options.config else {})
        tables = settings["rules"]
        rules = rules_of(tables if isinstance(tables, tuple) else (), settings.origin("rules"))
        folder = settings["rules_folder"]
        paths = [] if folder is None else [Path(str(folder))]
    files = [file for path in paths for file in (files_of(path) if path.is_dir() else [path])]
    for file in files:
        try:
            rules.append(read(file))
        except HookMQError as error:
            found.append(error)
    for rule in rules:
        try:
            rule.described()
        except HookMQError as error:
            found.append(error)
    return found, len(files) + sum(rule.source == "toml" for rule in rules)


# Functions --------------------------------------------------------------------------------------------------


def _functions(options: argparse.Namespace) -> None:
    from hookmq._hookmq import rule_functions

    from . import table

    functions = rule_functions()
    if options.name is not None:
        functions = _chosen(functions, options.name)
    if options.json:
        _print_json({"functions": functions})
    elif options.name is not None and len(functions) == 1:
        _explain(functions[0])
    else:
        rows = [(one["usage"], one["group"], one["what"]) for one in functions]
        table.console().print(table.make([("function", False), ("group", False), ("gives", False)], rows))


def _chosen(functions: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    import difflib

    from hookmq.errors import HookMQError

    names = {key: one for one in functions for key in (one["name"], *one["aliases"])}
    if name.lower() in names:
        return [names[name.lower()]]
    if group := [one for one in functions if one["group"].lower() == name.lower()]:
        return group
    close = difflib.get_close_matches(name.lower(), names, n=1)
    help = f"did you mean `{close[0]}`?" if close else "all of them:   hookmq rules functions"
    raise HookMQError("E709", reason=f"there is no function `{name}`", help=help)


def _explain(one: dict[str, Any]) -> None:
    print(f"{one['usage']}\n{one['what']}\n")
    for expression, value in one["examples"]:
        print(f"  {expression}   →   {value}")
    if one["aliases"]:
        print(f"\nalso: {', '.join(one['aliases'])}")
