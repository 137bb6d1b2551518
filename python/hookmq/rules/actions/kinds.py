"""Which kinds of actions there are, and how one is read from a table."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from typing import Any

from ...connectors.options import resolved
from ...errors import HookMQError
from .action import Action

__all__ = ["KINDS_OF_ACTIONS", "action_of", "class_of"]

KINDS_OF_ACTIONS: Mapping[str, tuple[str, str]] = {
    "republish": ("native", "Republish"),
    "retain": ("native", "Retain"),
    "forward": ("native", "Forward"),
    "disconnect": ("native", "Disconnect"),
    "log": ("native", "Log"),
    "webhook": ("webhook", "Webhook"),
    "email": ("mail", "Mail"),
    "store": ("store", "Store"),
    "connector": ("connector", "ToConnector"),
    "function": ("function", "CallFunction"),
}
"""From the ``kind`` of a table to the module and the class."""


def class_of(kind: str) -> type[Action]:
    """Return the class of a kind."""
    module, name = KINDS_OF_ACTIONS[kind]
    found: type[Action] = getattr(importlib.import_module(f".{module}", __package__), name)
    return found


def action_of(table: Any, where: str) -> Action:
    """Read an action: its ``kind`` and the options of that.

    An option that ends in ``_file`` or ``_env`` names a file or an environment variable with the value.

    Raises:
        HookMQError: E301 for an option that there is not, E303 for one that cannot be, E306 for one that is
            missing, E710 for a wrong template, E711 for options that do not go together.

    >>> action_of({"kind": "republish", "topic": "alarm/${clientid}"}, "a rule")
    <republish: alarm/${clientid}>
    >>> action_of({"kind": "republsh"}, "a rule")
    Traceback (most recent call last):
        ...
    hookmq.errors.HookMQError: error[E303]: a rule  `kind` is 'republsh'; expected one of republish, retain, \
forward, disconnect, log, webhook, email, store, connector, function
      help: did you mean `republish`?
    """
    if not isinstance(table, Mapping):
        expected = 'a table, such as { kind = "log" }'
        raise HookMQError("E303", where=where, key="actions", value=repr(table), expected=expected)
    written = {str(key): value for key, value in table.items()}
    kind = written.pop("kind", None)
    if kind is None:
        raise HookMQError("E306", where=where, what="an action", key="kind")
    if kind not in KINDS_OF_ACTIONS:
        close = difflib.get_close_matches(str(kind), KINDS_OF_ACTIONS, n=1)
        expected = "one of " + ", ".join(KINDS_OF_ACTIONS)
        help = f"did you mean `{close[0]}`?" if close else None
        raise HookMQError("E303", where=where, key="kind", value=repr(kind), expected=expected, help=help)
    made = class_of(kind)
    known = {option.key: option for option in made.OPTIONS}
    given = resolved(written, known, where)
    options: dict[str, Any] = {}
    for option in made.OPTIONS:
        if given.get(option.key) is not None:
            options[option.key] = option.read(given[option.key], where)
        elif option.required:
            raise HookMQError("E306", where=where, what=f"an action of kind {kind}", key=option.key)
        else:
            options[option.key] = option.default
    return made(options, written, where)
