"""What is wrong with the rules of settings, of files and of Python, before any of them runs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import HookMQError
from .definition import Rule, rules_of
from .sql_files import files_of, read

if TYPE_CHECKING:
    from ..settings.config import Settings

__all__ = ["configured_rules", "problems", "taken"]


def configured_rules(settings: Settings) -> list[Rule]:
    """Return the rules of ``[[rules]]``. Raises E3xx, E711 for what is wrong."""
    tables = settings["rules"]
    return rules_of(tables if isinstance(tables, tuple) else (), settings.origin("rules"))


def problems(settings: Settings, own: Iterable[Rule], functions: Sequence[str]) -> list[HookMQError]:
    """Return what is wrong with rules of the settings, of files, and of Python, which are ``own``."""
    found: list[HookMQError] = []
    rules = {rule.name: rule for rule in own}
    for rule in rules.values():
        found += _wrong_with(rule, functions)
    readers: list[Callable[[], Rule]] = []
    try:
        readers += [functools.partial(_itself, rule) for rule in configured_rules(settings)]
    except HookMQError as error:
        found.append(error)
    try:
        folder = settings["rules_folder"]
        paths = [] if folder is None else files_of(Path(str(folder)))
        readers += [functools.partial(read, path) for path in paths]
    except HookMQError as error:
        found.append(error)
    for reader in readers:
        try:
            rule = reader()
        except HookMQError as error:
            found.append(error)
            continue
        if rule.name in rules:
            found.append(taken(rule, rules[rule.name]))
        rules[rule.name] = rule
        found += _wrong_with(rule, functions)
    return found


def taken(rule: Rule, other: Rule) -> HookMQError:
    """Return the error for a rule whose name another has."""
    place = other.where or other.source
    return HookMQError(
        "E711",
        where=rule.where or f"rule {rule.name}",
        reason=f"there is a rule `{rule.name}` already, from {place}",
    )


def _itself(rule: Rule) -> Rule:
    return rule


def _wrong_with(rule: Rule, functions: Sequence[str]) -> list[HookMQError]:
    try:
        rule.described(functions)
    except HookMQError as error:
        return [error]
    return []
