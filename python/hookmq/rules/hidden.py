"""Secrets that were hidden when a rule was shown, and that it is to keep when it comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..connectors.address import HIDDEN, masked
from ..errors import HookMQError
from .definition import Rule

__all__ = ["check_written", "with_secrets"]


def with_secrets(table: Mapping[str, Any], before: Rule) -> dict[str, Any]:
    """Return a rule as a table, with what was hidden when it was shown as it was ``before``.

    >>> hook = {"kind": "webhook", "url": "https://plant.example", "secret": "sesame"}
    >>> rule = Rule.of({"name": "hot", "sql": "…", "actions": [hook]}, "api", "")
    >>> with_secrets(rule.table(secrets=False), rule)["actions"][0]["secret"]
    'sesame'
    """
    made = dict(table)
    actions = made.get("actions")
    if not isinstance(actions, Sequence) or isinstance(actions, str):
        return made
    known = [action.table() for action in before.actions]
    made["actions"] = [
        _revealed(action, known[n]) if isinstance(action, Mapping) and n < len(known) else action
        for n, action in enumerate(actions)
    ]
    return made


def _revealed(shown: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    if shown.get("kind") != before.get("kind"):
        return dict(shown)
    made: dict[str, Any] = {}
    for key, value in shown.items():
        old = before.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            made[key] = {
                name: old.get(name, text) if text == HIDDEN else text for name, text in value.items()
            }
        else:
            made[key] = old if old is not None and _stands_for(value, old) else value
    return made


def _stands_for(value: Any, old: Any) -> bool:
    """Say whether a value is what was shown in the place of an old one."""
    return value == HIDDEN or (
        isinstance(value, str) and value.endswith(f"/{HIDDEN}") and value == masked(str(old))
    )


def check_written(rule: Rule) -> None:
    """Raise E711 for a rule in which something is still hidden, and would be kept so.

    >>> hook = {"kind": "webhook", "url": "https://plant.example/***"}
    >>> try:
    ...     check_written(Rule.of({"name": "hot", "sql": "…", "actions": [hook]}, "api", ""))
    ... except HookMQError as error:
    ...     error.code
    'E711'
    """
    for number, action in enumerate(rule.actions, start=1):
        if (key := action.hidden) is not None:
            where = f"rule {rule.name}, action {number}"
            reason = f"`{key}` has {HIDDEN} for what is not shown: write all of it"
            raise HookMQError("E711", where=where, reason=reason)
