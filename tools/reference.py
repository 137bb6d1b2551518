"""Writes the pages of docs/reference/ from the package, so that they cannot say anything else.

    python tools/reference.py            writes the pages
    python tools/reference.py --check    writes nothing; shows what differs and exits with 1

The configuration comes from `hookmq.settings.config.SETTINGS`, the errors from `hookmq.errors.ERRORS`, the
hooks from `hookmq.hooks.registry.HOOKS`, the docstrings of the decorators, and `hookmq.hooks.options`, what
rules can call from the native module, and what they can do from `hookmq.rules.actions`.
"""

from __future__ import annotations

import argparse
import difflib
import inspect
import json
import re
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from hookmq._hookmq import rule_functions
from hookmq.decorators import Decorators
from hookmq.errors import ERRORS, ErrorSpec
from hookmq.hooks import options
from hookmq.hooks.hook import OVERFLOWS, Options
from hookmq.hooks.registry import HOOKS
from hookmq.rules.actions.action import Option
from hookmq.rules.actions.delivery import RETRYING
from hookmq.rules.actions.kinds import KINDS_OF_ACTIONS, class_of
from hookmq.settings.config import CONFIG_FILE, SETTINGS
from hookmq.settings.keys import BRIDGE, BRIDGE_TOPIC, LISTENER
from hookmq.settings.setting import Setting

ROOT = Path(__file__).resolve().parents[1]
DIRECTORY = ROOT / "docs" / "reference"

NOTICE = "<!-- Written by tools/reference.py: change the package, then run it again. -->\n"

SECTIONS = {
    "": (
        "The broker",
        "Where it listens and what it keeps. In `hookmq.toml` these stand at the top. "
        "[What is kept](../durability.md) says what `data_dir` holds.",
    ),
    "tls": (
        "tls",
        "The TLS port, and how every listener does TLS unless it says otherwise. See "
        "[TLS](../listeners.md#tls).",
    ),
    "access": ("access", "Who may log in, and who may do what. See [Users and access](../access.md)."),
    "websocket": (
        "websocket",
        "MQTT over WebSocket, on the HTTP port and on `ws` and `wss` listeners. See "
        "[WebSocket](../listeners.md#websocket).",
    ),
    "limits": ("limits", "What clients may ask for. [Limits](../limits.md) says what happens at each."),
    "hooks": (
        "hooks",
        "The queues and threads of hooks and pages. One queue serves all `def` observers and one all "
        "`async def` observers; hooks with threads or processes of their own and batch hooks have queues of "
        "their own. Each has the bounds below: see [Overflow](../hooks.md#overflow).",
    ),
    "store": ("store", "Sessions, retained messages and bans on disk. See [What is kept](../durability.md)."),
    "history": ("history", "The stored messages. See [History](../history.md)."),
    "storage": (
        "storage",
        "What happens, in a database of your own. See [Storage](../storage.md). `[[connectors]]` and "
        "`[[authentication]]` are lists of tables, each with a `kind` and the options of its class: see "
        "[Connectors](../connectors.md) and [Authentication services](../authentication-services.md).",
    ),
    "log": ("log", "What is printed to stderr while the broker runs."),
}

GROUPS = {
    "E1": "The network addresses the broker listens on",
    "E2": "The app cannot be imported",
    "E3": "The configuration",
    "E4": "Refused by a broker, or a broker out of reach",
    "E5": "Use of the Python API",
    "E6": "Storage",
    "E7": "Files and streams of the command line; rules; accounts",
    "E8": "Homes of CrystalMQ and MQTTRoute",
    "E9": "Bridges to other brokers",
}

# What registers functions beside the hooks of the registry, and what is not written as a decorator.
OTHERS = ("rule_function", "schedule", "route", "websocket", "widget", "mount")
CALLED = ("websocket", "mount")

WIDTH = 100


def pages() -> Mapping[Path, str]:
    """Return every page and its text."""
    return {
        DIRECTORY / "configuration.md": configuration(),
        DIRECTORY / "errors.md": errors(),
        DIRECTORY / "hooks.md": hooks(),
        DIRECTORY / "rule-functions.md": functions_of_rules(),
        DIRECTORY / "rule-actions.md": actions_of_rules(),
    }


def configuration() -> str:
    """Return the page of all settings."""
    parts = [
        "# Configuration",
        NOTICE,
        "A value comes from the first of these that has it:",
        "1. a flag of the command line, such as `--port 1884`;\n"
        "2. an environment variable, such as `HOOKMQ_PORT=1884`;\n"
        "3. an argument of `Broker(...)`, such as `Broker(port=1884)`, or for a section "
        '`Broker(limits={"max_clients": 5})`;\n'
        f"4. the file named by `config`, `HOOKMQ_CONFIG` or `--config`; without one, `{CONFIG_FILE}` in the "
        "working directory, if it is there;\n"
        "5. the default.",
        f'```toml\n# {CONFIG_FILE}\nport = 1884\n\n[limits]\nmax_packet_size = "1MiB"\n\n'
        '[history]\nmax_age = "7d"\n```',
        'A size is a number of bytes, or text such as `"64KiB"`, `"1MiB"`, `"2GiB"`. A duration is a '
        'number of seconds, or text such as `"250ms"`, `"10s"`, `"5m"`, `"2h"`, `"30d"`. An empty variable '
        "counts as not set. An unknown key or variable is an error ([E301](errors.md#e301)), and so is a "
        "value that does not fit ([E303](errors.md#e303)).",
        'In Python, `broker.settings["limits.max_clients"]` is the value in force and '
        '`broker.settings.origin("limits.max_clients")` says where it came from.',
    ]
    for section, settings in groupby(SETTINGS, key=lambda setting: setting.key.rpartition(".")[0]):
        title, introduction = SECTIONS[section]
        rows = ["| Key | Default | Accepts | Meaning |", "|---|---|---|---|"]
        names = []
        for setting in settings:
            expected = _capitalised(setting.expected)
            rows.append(f"| `{setting.key}` | `{setting.default_text}` | {expected} | {setting.help} |")
            flag = f", flag `{setting.flag_name}`" if setting.flag else ""
            names.append(f"- `{setting.key}`: variable `{setting.variable}`{flag}")
        parts += [f"## {title}", introduction, "\n".join(rows), "\n".join(names)]
    parts += [
        "## listeners",
        "The keys of one `[[listeners]]` table in the file, or of one dict in `Broker(listeners=[…])`. What "
        "is left out is as for all, in `[tls]`, `[access]` and `[limits]`. See [Listeners](../listeners.md).",
        _keys_of(LISTENER),
        "## bridges",
        "The keys of one `[[bridges]]` table in the file, or of one dict in `Broker(bridges=[…])`. See "
        "[Bridges](../bridge.md).",
        _keys_of(BRIDGE),
        "The keys of one entry of its `topics`:",
        _keys_of(BRIDGE_TOPIC),
    ]
    return _joined(parts)


def _keys_of(settings: Iterable[Setting]) -> str:
    rows = ["| Key | Accepts | Meaning |", "|---|---|---|"]
    rows += [f"| `{one.key}` | {_capitalised(one.expected)} | {one.help} |" for one in settings]
    return "\n".join(rows)


def errors() -> str:
    """Return the page of all error codes."""
    parts = [
        "# Errors",
        NOTICE,
        "Every error that HookMQ reports has a code that stays the same, a sentence, and often a way out. In "
        "Python it is a `hookmq.HookMQError` with `code`, `message`, `help` and `exit_code`; on the command "
        "line it is printed to stderr, and the command ends with the exit code. Words in braces stand for "
        "what the error is about.",
        "| Exit code | Meaning |\n|---|---|\n| 0 | ok |\n| 1 | failure |\n| 2 | usage of the command line |\n"
        "| 3 | configuration |\n| 4 | the app cannot be imported |\n| 5 | an address cannot be bound |\n"
        "| 6 | refused by a broker; `users check`, `acl test`: the answer is no |\n"
        "| 27 | `hookmq sub -W`: the time is up |",
    ]
    for group, specs in groupby(ERRORS.values(), key=lambda spec: spec.code[:2]):
        parts.append(f"## {group}xx: {GROUPS[group]}")
        parts += [_error(spec) for spec in specs]
    return _joined(parts)


def _error(spec: ErrorSpec) -> str:
    help = f"\n  help: {spec.help}" if spec.help else ""
    shown = f"error[{spec.code}]: {spec.text}{help}"
    return f"### {spec.code}\n\n```text\n{shown}\n```\n\nExit code {spec.exit_code}."


def hooks() -> str:
    """Return the page of all decorators."""
    table = [
        "| Hook | Kind | Given | Topic filter | Thread | Order | Overflow |",
        "|---|---|---|---|---|---|---|",
    ]
    for spec in HOOKS.values():
        kind = "decides" if spec.decides else "observes"
        given = ", ".join(f"`{argument}`" for argument in spec.arguments)
        filtered = "yes" if spec.filtered else "no"
        overflow = f"`{spec.overflow}`" if spec.overflow in OVERFLOWS else spec.overflow
        cells = [f"[`{spec.name}`](#{spec.name})", kind, given, filtered, spec.thread, spec.order, overflow]
        table.append(f"| {' | '.join(cells)} |")
    parts = [
        "# Hooks and decorators",
        NOTICE,
        "Every decorator returns the function untouched, so it can still be called and tested. A function "
        "takes as many of the arguments as it has parameters, from the left. [Hooks](../hooks.md) tells how "
        "they run.",
        "\n".join(table),
        "`async def` functions run on the event loop's thread, `hookmq-asyncio`. *Overflow* is what happens "
        "by default when more comes than a hook can take.",
    ]
    for name in [*HOOKS, *OTHERS]:
        method = getattr(Decorators, name)
        told = _told(method)
        call = ("" if name in CALLED else "@") + f"broker.{name}"
        parts += [f"## {name}", f"```text\n{_signature(call, name, method, told)}\n```"]
        if name in HOOKS:
            parts.append(HOOKS[name].when)
        parts.append(_markdown(inspect.getdoc(method) or ""))
        if told:
            listed = [f"- `{key}`: {_markdown(meaning)}" for key, meaning in told.items()]
            parts += ["**Options:**", "\n".join(listed)]
    return _joined(parts)


def functions_of_rules() -> str:
    """Return the page of all functions that rules can call."""
    functions = rule_functions()
    groups = {
        one["group"]: [each for each in functions if each["group"] == one["group"]] for one in functions
    }
    parts = [
        "# Functions of rules",
        NOTICE,
        f"The {len(functions)} functions that a [rule](../rules.md) can call; `hookmq rules functions "
        "NAME` explains one in the terminal. Names may be written in capital letters. `null` as an "
        "argument gives "
        "`null`, unless the function is about that. The examples are tests: time is "
        "2026-01-01T00:00:00Z, the topic "
        "`sensors/roof/temp`.",
        "\n".join(f"- [{group}](#{_anchor(group)}): {_names(each)}" for group, each in groups.items()),
    ]
    for group, each in groups.items():
        parts.append(f"## {group}")
        parts += [_function(one) for one in each]
    return _joined(parts)


def _anchor(heading: str) -> str:
    return re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip())


def _names(functions: Iterable[Mapping[str, object]]) -> str:
    return ", ".join(f"`{one['name']}`" for one in functions)


def _function(one: Mapping[str, object]) -> str:
    aliases, examples = one["aliases"], one["examples"]
    assert isinstance(aliases, Sequence) and isinstance(examples, Sequence)
    also = f" Also called {', '.join(f'`{alias}`' for alias in aliases)}." if aliases else ""
    shown = "\n".join(f"{expression}   →   {value}" for expression, value in examples)
    return f"### {one['name']}\n\n`{one['usage']}`\n\n{one['what']}{also}\n\n```text\n{shown}\n```"


def actions_of_rules() -> str:
    """Return the page of all actions of rules, and their options."""
    parts = [
        "# Actions of rules",
        NOTICE,
        "What is done with each result of a [rule](../rules.md). An action is a table with a `kind` and the "
        "options below, in `[[rules.actions]]`, in the comments of a `.sql` file, in "
        "`broker.add_rule`, or in "
        "JSON. Any option may be read from a file or from the environment: `password_file`, "
        "`password_env`. In "
        "options marked with `${}` fields stand as `${name}`: see [Templates](../rules.md#templates).",
        "\n".join(f"- [`{kind}`](#{kind}) {class_of(kind).what}" for kind in KINDS_OF_ACTIONS),
        "Those that wait for somebody else (`webhook`, `email`, `store`, `function`) carry results "
        "on a thread of "
        "their own, in order, try again with pauses from 0.1 to 10 seconds, and keep what waits on "
        "disk if there "
        "is a data directory. They can be told:",
        _options(RETRYING),
    ]
    common = {option.key for option in RETRYING}
    for kind in KINDS_OF_ACTIONS:
        made = class_of(kind)
        parts += [f"## {kind}", f"It {made.what}."]
        own = [option for option in made.OPTIONS if option.key not in common]
        if own:
            parts.append(_options(own))
        if len(own) < len(made.OPTIONS):
            parts.append("It tries again, as said above.")
    return _joined(parts)


def _options(options: Iterable[Option]) -> str:
    rows = ["| Option | Default | Meaning |", "|---|---|---|"]
    for option in options:
        default = "needed" if option.required else _shown_default(option)
        mark = " `${}`" if option.template else ""
        rows.append(f"| `{option.key}`{mark} | {default} | {option.help} |")
    return "\n".join(rows)


def _shown_default(option: Option) -> str:
    if option.default is None or option.type == "templates":
        return ""
    kind: Any = option.type
    return f"`{Setting(option.key, kind, option.default, option.help).default_text}`"


def _told(method: object) -> Mapping[str, str]:
    """Return what a decorator can be told by `**options`, and what each of it means."""
    for one in inspect.signature(method).parameters.values():  # type: ignore[arg-type]
        named = re.fullmatch(r"Unpack\[(\w+)\]", str(one.annotation))
        if named is not None:
            return _meanings(getattr(options, named[1]))
    return {}


def _meanings(kind: type) -> dict[str, str]:
    """Return the keys of a class of options and their descriptions: its own, then those it inherits."""
    keys = set(kind.__annotations__)
    # A TypedDict does not tell what it was derived from.
    kinds = [getattr(options, name) for name in options.__all__]
    bases = [one for one in kinds if set(one.__annotations__) < keys]
    found: dict[str, str] = {}
    for one in [kind, *sorted(bases, key=lambda base: -len(base.__annotations__))]:
        for key, meaning in _described(one).items():
            found.setdefault(key, meaning)
    if keys != set(found):
        raise ValueError(f"{kind.__name__} does not describe {', '.join(sorted(keys ^ set(found)))}")
    return found


def _described(kind: type) -> dict[str, str]:
    found: dict[str, str] = {}
    text = inspect.cleandoc(kind.__doc__ or "").partition("Attributes:\n")[2]
    for entry in re.split(r"^    (?=\S)", text, flags=re.MULTILINE)[1:]:
        key, _, meaning = entry.partition(": ")
        found[key] = " ".join(meaning.split())
        same = re.fullmatch(r"as that of :class:`(\w+)`\.", found[key])
        if same is not None:
            found[key] = _described(getattr(options, same[1]))[key]
    return found


def _signature(call: str, name: str, method: object, told: Iterable[str]) -> str:
    """Return how a decorator is written, with everything it can be told; bare where that is possible."""
    shown, star = [], False
    for one in [*inspect.signature(method).parameters.values()][1:]:  # type: ignore[arg-type]
        if one.name == "function" or one.kind is one.VAR_KEYWORD:
            continue
        if one.kind is one.KEYWORD_ONLY and not star:
            shown.append("*")
            star = True
        shown.append(one.name if one.default is one.empty else f"{one.name}={_written(one.default)}")
    keywords = [f"{key}={_written(_default(name, key))}" for key in told]
    shown += ["*", *keywords] if keywords else []
    line = f"{call}({', '.join(shown)})" if shown else call
    if len(line) <= WIDTH:
        return line
    wrapped = textwrap.fill(", ".join(shown), WIDTH, initial_indent="    ", subsequent_indent="    ")
    return f"{call}(\n{wrapped}\n)"


def _default(name: str, key: str) -> object:
    """Return the default of an option of a hook."""
    if key == "name":
        return None
    return HOOKS[name].overflow if key == "overflow" else getattr(Options(), key)


def _written(value: object) -> str:
    return json.dumps(value) if isinstance(value, str) else repr(value)


def _markdown(docstring: str) -> str:
    """Turn a docstring with roles and sections into Markdown."""
    text = re.sub(r":\w+:`(?:~hookmq\.)?([^`]+)`", r"`\1`", docstring).replace("``", "`")
    # The replacement above must not touch the fences of code blocks.
    text = re.sub(r"^`+(python|text)?$", lambda fence: f"```{fence[1] or ''}", text, flags=re.MULTILINE)
    lines, section = [], False
    for line in text.splitlines():
        if line in ("Args:", "Raises:", "Returns:"):
            lines += [f"**{line}**", ""]
            section = True
        elif section and line.startswith("        "):
            lines[-1] += " " + line.strip()
        elif section and line.startswith("    "):
            name, _, meaning = line.strip().partition(": ")
            lines.append(f"- `{name}`: {meaning}")
        else:
            section = section and not line
            lines.append(line)
    return "\n".join(lines)


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _joined(parts: Iterable[str]) -> str:
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def stale() -> str:
    """Return what differs between the pages and what they should be, as a unified diff; empty if nothing."""
    differences: list[str] = []
    for path, text in pages().items():
        present = path.read_text(encoding="utf-8") if path.is_file() else ""
        name = path.relative_to(ROOT)
        differences += difflib.unified_diff(
            present.splitlines(keepends=True), text.splitlines(keepends=True), f"{name}", f"{name} (expected)"
        )
    return "".join(differences)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pages, or check them; return the exit code."""
    parser = argparse.ArgumentParser(description="Write docs/reference/ from the package.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a page is stale")
    if parser.parse_args(arguments).check:
        difference = stale()
        if difference:
            print(difference, end="")
            print("\ndocs/reference/ is stale:   python tools/reference.py", file=sys.stderr)
        return 1 if difference else 0
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
