"""What a rule is: its name, its SQL, and what is done with its results."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from .._hookmq import RuleError, describe_rule, try_rule
from ..errors import HookMQError
from ..settings.setting import Setting
from .actions.action import Action
from .actions.kinds import action_of
from .actions.native import NativeAction
from .conditions import KEYS, sql_of
from .problem import wrong_sql

__all__ = ["SOURCES", "Rule", "Source", "rules_of"]

Source: TypeAlias = Literal["toml", "file", "python", "api"]
SOURCES: tuple[Source, ...] = ("toml", "file", "python", "api")
"""Where a rule can come from: ``hookmq.toml``, a file of the folder, Python, the HTTP API."""

MAX_KEYS = 10_000
LONGEST_SQL = 100_000
MOST_ACTIONS = 32

_RESERVED = ("functions", "test")
"""What the paths of the HTTP API mean something else by."""

_NAME = re.compile(r"\w[\w.-]{0,99}")
_OPTIONS = (
    Setting("sql", "str", None, "What it selects; or the keys of a condition."),
    Setting("description", "str", "", "What it is for."),
    Setting("enabled", "bool", True, "Whether it is evaluated."),
    Setting("max_keys", "int", MAX_KEYS, "Keys of which it remembers something.", minimum=1),
)
_KEYS = ("name", *(option.key for option in _OPTIONS), "actions", *KEYS)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as it is written.

    >>> rule = Rule.of({"name": "hot", "sql": 'SELECT * FROM "t"', "actions": [{"kind": "log"}]}, "toml", "x")
    >>> rule.name, rule.enabled, rule.actions[0].kind
    ('hot', True, 'log')
    """

    name: str
    sql: str
    actions: tuple[Action, ...] = ()
    description: str = ""
    enabled: bool = True
    max_keys: int = MAX_KEYS
    source: Source = "api"
    where: str = ""
    """Where it is written, for people: ``hookmq.toml:3, rule 2``, ``rules/hot.sql``, ``app.py:7``."""
    above: int = 0
    """Lines that its file has above the SQL."""
    condition: tuple[tuple[str, Any], ...] = ()
    """The keys of the condition that the SQL was made of."""

    @classmethod
    def of(
        cls,
        table: Mapping[str, Any],
        source: Source,
        where: str,
        *,
        name: str | None = None,
        above: int = 0,
    ) -> Rule:
        """Read a rule from a table, as ``[[rules]]`` in ``hookmq.toml`` is one.

        ``name`` is what it is called if the table does not say.

        Raises:
            HookMQError: E301 for an option that there is not, E303 for one that cannot be, E306 for one that
                is missing, E711 for what contradicts itself.
        """
        for key in table:
            if key not in _KEYS:
                close = difflib.get_close_matches(key, _KEYS, n=1)
                raise HookMQError("E301", where=where, key=key, suggestion=close[0] if close else None)
        named = table.get("name", name)
        if named is None:
            raise HookMQError("E306", where=where, what="a rule", key="name")
        if not isinstance(named, str) or not _NAME.fullmatch(named) or named in _RESERVED:
            expected = "at most 100 letters, digits, `_`, `-` and `.`"
            raise HookMQError("E303", where=where, key="name", value=repr(named), expected=expected)
        condition = {key: table[key] for key in KEYS if key in table}
        given: dict[str, Any] = {
            option.key: option.read(table[option.key], where=where)
            for option in _OPTIONS
            if table.get(option.key) not in (None, "")
        }
        if condition:
            if "sql" in given:
                raise HookMQError(
                    "E711",
                    where=where,
                    reason=f"it has `sql` and `{next(iter(condition))}`; write one of them",
                )
            given["sql"] = sql_of(condition, where)
        if "sql" not in given:
            raise HookMQError("E306", where=where, what="a rule", key="sql")
        if len(given["sql"]) > LONGEST_SQL:
            raise HookMQError(
                "E711", where=where, reason=f"its SQL is longer than {LONGEST_SQL:,} characters"
            )
        actions = _actions(table.get("actions", ()), where)
        return cls(
            named,
            actions=actions,
            source=source,
            where=where,
            above=above,
            condition=tuple(condition.items()),
            **given,
        )

    @property
    def shown_where(self) -> str:
        """Where it is written, for errors in its SQL."""
        return self.where or f"rule {self.name}"

    def table(self, *, secrets: bool = True, addresses: bool = True) -> dict[str, Any]:
        """Return it as a table again; without ``secrets``, and ``addresses``, ``***`` stands for them."""
        table: dict[str, Any] = {"name": self.name}
        table |= dict(self.condition) or {"sql": self.sql}
        if self.description:
            table["description"] = self.description
        table["enabled"] = self.enabled
        if self.max_keys != MAX_KEYS:
            table["max_keys"] = self.max_keys
        table["actions"] = [action.table(secrets=secrets, addresses=addresses) for action in self.actions]
        return table

    def switched(self, enabled: bool) -> Rule:
        """Return it enabled or disabled."""
        return self if self.enabled is enabled else replace(self, enabled=enabled)

    def described(self, functions: Sequence[str] = ()) -> dict[str, Any]:
        """Return what the native side says of its SQL, with Python functions of these names.

        Raises:
            HookMQError: E710 for SQL that cannot be, and for templates of actions.
        """
        try:
            described = describe_rule(self.sql, list(functions))
        except RuleError as error:
            if self.condition:
                where = f"{self.shown_where} (made of {', '.join(key for key, _ in self.condition)})"
                raise wrong_sql(error, self.sql, where) from None
            raise wrong_sql(error, self.sql, self.shown_where, above=self.above) from None
        self._check_templates(described, functions)
        return described

    def _check_templates(self, described: Mapping[str, Any], functions: Sequence[str]) -> None:
        """Raise E710 for a field in an action that neither the result nor the message has."""
        called = dict.fromkeys(functions, print)
        for number, action in enumerate(self.actions, start=1):
            if "*" in described["columns"] and not isinstance(action, NativeAction):
                continue  # the names of its columns come with messages
            for key, text in action.templates.items():
                try:
                    try_rule(self.sql, [], called, [text])
                except RuleError as error:
                    where = f"{self.shown_where}, action {number}, `{key}`"
                    raise wrong_sql(error, text, where) from None


def rules_of(tables: Sequence[Mapping[str, Any]], where: str) -> list[Rule]:
    """Return the rules of ``[[rules]]``.

    Raises:
        HookMQError: as :meth:`Rule.of`; E711 for two of one name.
    """
    rules = [Rule.of(table, "toml", f"{where}, rule {n}") for n, table in enumerate(tables, start=1)]
    seen: dict[str, Rule] = {}
    for rule in rules:
        if rule.name in seen:
            raise HookMQError(
                "E711",
                where=rule.where,
                reason=f"there is a rule `{rule.name}` already: {seen[rule.name].where}",
            )
        seen[rule.name] = rule
    return rules


def _actions(tables: Any, where: str) -> tuple[Action, ...]:
    # Each may have a thread of its own.
    if isinstance(tables, Sequence) and len(tables) > MOST_ACTIONS:
        raise HookMQError("E711", where=where, reason=f"it has more than {MOST_ACTIONS} actions")
    if not isinstance(tables, Sequence) or isinstance(tables, str):
        expected = 'a list of tables, such as [{ kind = "log" }]'
        raise HookMQError("E303", where=where, key="actions", value=repr(tables), expected=expected)
    return tuple(action_of(table, f"{where}, action {n}") for n, table in enumerate(tables, start=1))
