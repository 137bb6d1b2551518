"""Rules: what there is, writing them, trying them, and their versions."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from ..._hookmq import rule_functions
from ...connectors.address import in_text
from ...errors import HookMQError
from ...rules.info import RuleInfo
from ...rules.live import LiveRule
from ...rules.store import Version
from ..problem import Problem
from ..schema import Anything, Array, Boolean, Field, Integer, Object, Ref, Text
from ..source import Source
from .operation import Answer, Ask, Operation, may
from .paging import PAGE, page, page_of
from .shapes import named

__all__ = ["operations"]

_RULE = Ref("Rule", Object([Field("name", Text(), required=True)], more=Anything()))
_INFO = named("RuleInfo", RuleInfo)
_SHOWN = Ref(
    "RuleDetail",
    Object([Field("rule", _RULE, required=True), Field("info", _INFO, required=True)]),
)

# What a rule is made of is checked where it is read, which says what is wrong and in which line.
_TABLE = Object(
    [
        Field("name", Text(1, 200), example="hot"),
        Field("sql", Text(1, 65_536), example='SELECT payload.t AS t FROM "tank/#" WHERE payload.t > 30'),
        Field("description", Text()),
        Field("enabled", Boolean()),
        Field("max_keys", Integer(1, 10_000_000)),
        Field("actions", Array(Object(more=Anything()), 100)),
    ],
    more=Anything(),
)

_EXAMPLE = {
    "name": "hot",
    "sql": 'SELECT payload.t AS t, topic FROM "tank/#" WHERE payload.t > 30',
    "actions": [{"kind": "republish", "topic": "alerts/${topic}"}],
}

_TRIED = Ref(
    "RuleTrial",
    Object(
        [
            Field("name", Anything(), required=True),
            Field("sql", Text(), required=True),
            Field("trials", Array(Object(more=Anything())), required=True),
        ]
    ),
)


def operations(source: Source) -> Sequence[Operation]:
    """Return what can be asked of the rules of a broker, and be done with them."""
    api = _Rules(source)
    return [
        Operation(
            "GET",
            "rules",
            api.list,
            "List the rules and what they counted since the start",
            query=PAGE,
            answer=page(_INFO),
        ),
        Operation(
            "POST",
            "rules",
            api.create,
            "Add a rule",
            role="admin",
            body=_TABLE,
            answer=_SHOWN,
            status=201,
            raises=(409, 422),
            example=_EXAMPLE,
        ),
        Operation(
            "POST",
            "rules/test",
            api.test,
            "Try a rule on messages, without doing what its actions would do",
            role="operator",
            body=Object(
                [
                    Field("name", Text(), "a rule that is there"),
                    Field("rule", Object(more=Anything()), "or a rule as one is made of"),
                    Field("sql", Text(), "or a query alone"),
                    Field("samples", Array(Object(more=Anything()), 1000), "messages; else a stored one"),
                    Field("sample", Object(more=Anything()), "or one message"),
                ]
            ),
            answer=_TRIED,
            raises=(404, 409, 422),
            example={"sql": 'SELECT * FROM "a"', "sample": {"topic": "a", "payload": {"t": 1}}},
        ),
        Operation(
            "GET",
            "rules/functions",
            api.functions,
            "List the functions of the rule language",
            query=PAGE,
            answer=page(Object(more=Anything())),
        ),
        Operation("GET", "rules/{name}", api.show, "Show a rule", answer=_SHOWN, raises=(404,)),
        Operation(
            "PUT",
            "rules/{name}",
            api.change,
            "Change a rule",
            role="admin",
            body=_TABLE,
            answer=_SHOWN,
            versioned=True,
            raises=(404, 409, 412, 422),
            example=_EXAMPLE,
        ),
        Operation(
            "DELETE",
            "rules/{name}",
            api.delete,
            "Remove a rule",
            role="admin",
            answer=Object([Field("removed", Text(), required=True)]),
            versioned=True,
            raises=(404, 409, 412),
        ),
        *(
            Operation(
                "POST",
                f"rules/{{name}}/{action}",
                lambda ask, enabled=action == "enable": api.switch(ask, enabled),  # type: ignore[misc]
                summary,
                role="operator",
                answer=_SHOWN,
                raises=(404, 409),
            )
            for action, summary in (("enable", "Let a rule run"), ("disable", "Let messages pass a rule by"))
        ),
        Operation(
            "GET",
            "rules/{name}/versions",
            api.versions,
            "List what a rule was before",
            query=PAGE,
            answer=page(Object(more=Anything())),
            raises=(404, 409),
        ),
        Operation(
            "POST",
            "rules/{name}/versions/{version}/restore",
            api.restore,
            "Make a rule what it was before",
            role="admin",
            answer=_SHOWN,
            raises=(404, 409, 422),
        ),
    ]


class _Rules:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._book = source.book

    def list(self, ask: Ask) -> Any:
        return page_of(ask, [dataclasses.asdict(live.info()) for live in self._source.rules()])

    def functions(self, ask: Ask) -> Any:
        return page_of(ask, rule_functions())

    def show(self, ask: Ask) -> Any:
        return _shown(ask, self._book().find(ask.path["name"]))

    def create(self, ask: Ask) -> Any:
        return _shown(ask, self._book().create(_given(ask), ask.who), status=201)

    def change(self, ask: Ask) -> Any:
        name, table = ask.path["name"], _given(ask)
        if table.get("name", name) != name:
            raise HookMQError("E709", reason="a rule keeps its name: make a new one, and remove this one")
        return _shown(ask, self._book().change(name, table, ask.who, expected=_expected(ask)))

    def delete(self, ask: Ask) -> Any:
        name = ask.path["name"]
        self._book().delete(name, ask.who, expected=_expected(ask))
        return {"removed": name}

    def switch(self, ask: Ask, enabled: bool) -> Any:
        return _shown(ask, self._book().switch(ask.path["name"], enabled, ask.who))

    def versions(self, ask: Ask) -> Any:
        return page_of(ask, [_version(ask, one) for one in self._book().versions(ask.path["name"])])

    def restore(self, ask: Ask) -> Any:
        name, version = ask.path["name"], ask.path["version"]
        if not version.isascii() or not version.isdigit() or len(version) > 9:
            raise Problem(404, f"the rule {name[:100]!r} has no version {version[:20]!r}")
        return _shown(ask, self._book().restore(name, int(version), ask.who))

    def test(self, ask: Ask) -> Any:
        asked = ask.body
        samples = asked["samples"]
        if samples is None and asked["sample"] is not None:
            samples = [asked["sample"]]
        table = asked["rule"]
        if table is None and asked["sql"] is not None:
            table = {"sql": asked["sql"]}
        if table is not None and not may(ask.identity.role, "admin") and _names_secrets(table):
            raise Problem(
                403,
                "a rule that takes something from a file or an environment variable is tried by admins",
                help="leave out what ends with `_file` and `_env`",
            )
        if table is None and asked["name"] is None:
            raise HookMQError("E709", reason="name a rule with `name`, or write one with `sql` or `rule`")
        trials = self._book().test(name=asked["name"], table=table, samples=samples)
        return trials.json(addresses=may(ask.identity.role, "admin"))


def _names_secrets(table: Mapping[str, Any]) -> bool:
    """Say whether an action of a rule takes something from a file or a variable of the broker's."""
    actions = table.get("actions")
    keys = [
        str(key)
        for action in (actions if isinstance(actions, list) else [])
        if isinstance(action, Mapping)
        for key in action
    ]
    return any(key.endswith(("_file", "_env")) for key in keys)


def _given(ask: Ask) -> Mapping[str, Any]:
    """Return the members of a rule that were sent; those that were not have their own defaults."""
    return {name: value for name, value in ask.body.items() if value is not None}


def _expected(ask: Ask) -> int | None:
    expected = ask.expected()
    if expected is None:
        return None
    if not expected.isdigit():
        raise Problem(400, f"If-Match is {expected}, which is no version of a rule")
    return int(expected)


def _shown(ask: Ask, live: LiveRule, *, status: int = 200) -> Answer:
    rule = live.rule.table(secrets=False, addresses=may(ask.identity.role, "admin"))
    body = {"rule": rule, "info": dataclasses.asdict(live.info())}
    return Answer(body, status, version=live.version)


def _version(ask: Ask, version: Version) -> dict[str, Any]:
    shown = dataclasses.asdict(version)
    if version.rule is not None:
        from ...rules.definition import Rule

        try:
            rule = Rule.of(version.rule, "api", "")
            shown["rule"] = rule.table(secrets=False, addresses=may(ask.identity.role, "admin"))
        except HookMQError as error:  # of a later HookMQ, or a file of secrets is gone
            problem = in_text(error.message)
            shown["rule"] = {"name": version.rule.get("name"), "problem": problem}
    return shown
