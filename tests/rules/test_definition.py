"""What a rule is written as, and what is wrong with what is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hookmq.errors import HookMQError
from hookmq.rules.actions.kinds import KINDS_OF_ACTIONS, action_of, class_of
from hookmq.rules.conditions import sql_of
from hookmq.rules.definition import Rule, rules_of
from hookmq.rules.sql_files import files_of, read, rule_of

SQL = 'SELECT payload.t AS t FROM "t/#"'

# A table for each kind of action, with what it cannot do without.
ACTIONS: dict[str, dict[str, Any]] = {
    "republish": {"topic": "alarm/${clientid}"},
    "retain": {"topic": "state/${clientid}"},
    "forward": {"topic": "copy/${topic}"},
    "disconnect": {},
    "log": {},
    "webhook": {"url": "https://plant.example/x"},
    "email": {"server": "mail.example", "from": "a@example.com", "to": "b@example.com"},
    "store": {"table": "readings", "url": "sqlite://"},
    "connector": {"name": "plant"},
    "function": {"function": "math:sqrt"},
}


def wrong(**table: Any) -> HookMQError:
    with pytest.raises(HookMQError) as caught:
        Rule.of({"name": "hot", "sql": SQL} | table, "toml", "hookmq.toml:3, rule 1")
    return caught.value


def wrong_action(**table: Any) -> HookMQError:
    with pytest.raises(HookMQError) as caught:
        action_of(table, "hookmq.toml:3, rule 1, action 1")
    return caught.value


def test_a_whole_rule() -> None:
    rule = Rule.of(
        {
            "name": "hot",
            "sql": SQL,
            "description": "too hot",
            "enabled": False,
            "max_keys": 5,
            "actions": [{"kind": kind, **table} for kind, table in ACTIONS.items()],
        },
        "toml",
        "hookmq.toml:3, rule 1",
    )
    assert (rule.name, rule.description, rule.enabled, rule.max_keys) == ("hot", "too hot", False, 5)
    assert [action.kind for action in rule.actions] == list(KINDS_OF_ACTIONS)
    assert rule.described()["columns"] == ["t"]
    again = Rule.of(rule.table(), "toml", rule.where)
    assert again == rule and again.table() == rule.table()


@pytest.mark.parametrize(
    ("table", "code", "words"),
    [
        ({"sgl": "x"}, "E301", "did you mean `sql`?"),
        ({"action": []}, "E301", "did you mean `actions`?"),
        ({"name": ""}, "E303", "letters, digits"),
        ({"name": "a/b"}, "E303", "letters, digits"),
        ({"name": "../x"}, "E303", "letters, digits"),
        ({"name": "test"}, "E303", "letters, digits"),
        ({"name": "x" * 101}, "E303", "letters, digits"),
        ({"name": 7}, "E303", "letters, digits"),
        ({"enabled": "perhaps"}, "E303", "true or false"),
        ({"max_keys": 0}, "E303", "at least 1"),
        ({"actions": {"kind": "log"}}, "E303", "a list of tables"),
        ({"actions": ["log"]}, "E303", "a table, such as"),
        ({"actions": [{"kind": "log"}] * 33}, "E711", "more than 32 actions"),
        ({"sql": None}, "E306", "a rule needs `sql`"),
        ({"sql": "x" * 100_001}, "E711", "longer than 100,000"),
        ({"topic": "a"}, "E711", "write one of them"),
    ],
)
def test_rules_that_are_none(table: dict[str, Any], code: str, words: str) -> None:
    error = wrong(**table)
    assert error.code == code and words in str(error)
    assert "hookmq.toml:3, rule 1" in str(error)


@pytest.mark.parametrize(
    ("table", "code", "words"),
    [
        ({}, "E306", "an action needs `kind`"),
        ({"kind": "republsh"}, "E303", "did you mean `republish`?"),
        ({"kind": "republish"}, "E306", "needs `topic`"),
        ({"kind": "republish", "topic": "a/#"}, "E303", "no wildcards"),
        ({"kind": "republish", "topic": "a/+/${x}"}, "E303", "no wildcards"),
        ({"kind": "republish", "topic": "a", "qos": 3}, "E303", "from 0 to 2"),
        ({"kind": "republish", "topic": "a", "payloda": "x"}, "E301", "did you mean `payload`?"),
        ({"kind": "republish", "topic": "a", "user_properties": "x"}, "E303", "a table of texts"),
        ({"kind": "republish", "topic": "a/${x"}, "E710", "`topic`"),
        ({"kind": "forward", "topic": "a", "payload": "x"}, "E301", "payload"),
        ({"kind": "log", "level": "loud"}, "E303", "one of info, warning"),
        ({"kind": "webhook", "url": "https://a.example", "method": "HEAD"}, "E303", "one of POST"),
        ({"kind": "webhook", "url": "https://a.example", "username": "x"}, "E711", "go together"),
        ({"kind": "webhook", "url": "https://a.example", "secret": "whsec_!"}, "E711", "Base64"),
        ({"kind": "webhook", "url": "https://a.example", "timeout": "soon"}, "E303", "a number of seconds"),
        ({"kind": "webhook", "url": "https://a.example", "headers": ["x"]}, "E303", "a table of texts"),
        ({"kind": "webhook", "url": "https://a.example", "password_env": "NOBODY_SET"}, "E304", "NOBODY_SET"),
        ({"kind": "email", "server": "m", "from": "nobody", "to": "b@c.example"}, "E711", "not one address"),
        ({"kind": "email", "server": "m", "from": "a@b.example", "to": []}, "E711", "nobody"),
        ({"kind": "email", "server": "m", "from": "a@b.example", "to": "x\ny@z"}, "E711", "not one address"),
        ({"kind": "email", "server": "m", "from": "a@b.example"}, "E306", "needs `to`"),
        ({"kind": "store", "table": "a b"}, "E303", "letters, digits"),
        ({"kind": "store", "table": "a; DROP TABLE x"}, "E303", "letters, digits"),
        ({"kind": "store", "table": "x" * 61}, "E303", "letters, digits"),
        ({"kind": "connector"}, "E306", "needs `name`"),
        ({"kind": "function", "function": "os.system"}, "E303", "a module and a function"),
        ({"kind": "function", "function": "os:system('x')"}, "E303", "a module and a function"),
        ({"kind": "function", "function": "math:sqrt", "retries": -1}, "E303", "at least 0"),
    ],
)
def test_actions_that_are_none(table: dict[str, Any], code: str, words: str) -> None:
    error = wrong_action(**table)
    assert error.code == code and words in str(error), str(error)
    assert "hookmq.toml:3, rule 1, action 1" in str(error)


@pytest.mark.parametrize("kind", KINDS_OF_ACTIONS)
def test_every_kind_says_what_it_is(kind: str) -> None:
    made = class_of(kind)
    assert made.kind == kind and made.what[0].islower() and not made.what.endswith(".")
    for option in made.OPTIONS:
        assert option.help.endswith("."), option.key
    action = action_of({"kind": kind, **ACTIONS[kind]}, "a rule")
    assert action.target and kind in repr(action)


def test_secrets_are_shown_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANT_PASSWORD", "swordfish")
    table = {
        "kind": "webhook",
        "url": "https://plant.example/T0/path",
        "username": "plant",
        "password_env": "PLANT_PASSWORD",
        "secret": "sesame",
        "headers": {"Authorization": "Bearer open"},
    }
    action: Any = action_of(table, "a rule")
    shown = action.table(secrets=False)
    assert shown["secret"] == "***" and shown["headers"] == {"Authorization": "***"}
    assert action.options["password"] == "swordfish" and shown["password_env"] == "PLANT_PASSWORD"
    told = f"{action!r} {shown} {action.target} {action.preview({}, {'topic': 't'})}"
    assert not {
        word for word in ("swordfish", "sesame", "Bearer", "T0") if word in told.replace("/T0/path", "")
    }


@pytest.mark.parametrize(
    ("action", "key", "hint"),
    [
        ({"kind": "republish", "topic": "a/${clienid}"}, "topic", "did you mean `clientid`?"),
        ({"kind": "log", "text": "${temp}"}, "text", "payload.temp"),
        ({"kind": "webhook", "url": "https://a.example/${T}"}, "url", ""),
        ({"kind": "webhook", "url": "https://a.example", "headers": {"X": "${tt}"}}, "headers.X", ""),
        ({"kind": "email", "server": "m", "from": "a@b.example", "to": ["${x}"]}, "to, 1", ""),
        ({"kind": "republish", "topic": "a", "payload": "${uper(t)}"}, "payload", "did you mean `upper`?"),
    ],
)
def test_a_field_of_a_template_that_is_not_there(action: dict[str, Any], key: str, hint: str) -> None:
    rule = Rule.of({"name": "hot", "sql": SQL, "actions": [{"kind": "log"}, action]}, "toml", "hookmq.toml:3")
    with pytest.raises(HookMQError) as caught:
        rule.described()
    assert caught.value.code == "E710" and hint in str(caught.value.fields["hint"])
    assert f"hookmq.toml:3, action 2, `{key}`, line 1, column " in str(caught.value)


def test_two_rules_of_one_name() -> None:
    with pytest.raises(HookMQError, match=r"there is a rule `hot` already: hookmq\.toml:3, rule 1"):
        rules_of([{"name": "hot", "sql": SQL}] * 2, "hookmq.toml:3")


# Conditions as CrystalMQ has them ---------------------------------------------------------------------------

CONDITIONS = [
    ({"client": "pump", "topic": "a/b"}, """SELECT * FROM "a/b" WHERE clientid = 'pump'"""),
    ({"topic": "a/#", "message": "on"}, """SELECT * FROM "a/#" WHERE payload = 'on'"""),
    ({"topic": "a", "operator": "!=", "message": "on"}, """SELECT * FROM "a" WHERE payload != 'on'"""),
    ({"topic": "a"}, 'SELECT * FROM "a"'),
    ({"timer": "daily at 06:30"}, "SELECT * FROM TIMER 'daily at 06:30'"),
]


@pytest.mark.parametrize(("table", "sql"), CONDITIONS, ids=str)
def test_conditions_become_sql(table: dict[str, Any], sql: str) -> None:
    assert sql_of(table, "a rule") == sql
    rule = Rule.of({"name": "old", **table}, "toml", "hookmq.toml:3, rule 1")
    assert rule.sql == sql and rule.described()["sources"]
    assert rule.table() == {"name": "old", **table, "enabled": True, "actions": []}


@pytest.mark.parametrize(
    ("table", "code", "words"),
    [
        ({"client": "pump"}, "E306", "`topic`"),
        ({"topic": "a", "operator": "="}, "E306", "`message`"),
        ({"topic": "a", "operator": ">=", "message": "1"}, "E303", "one of =, !=, <, >"),
        ({"topic": "a", "operator": "<", "message": "on"}, "E303", "a number"),
        ({"topic": "a", "message": True}, "E303", "a text"),
        ({"topic": 7}, "E303", "a text"),
        ({"timer": "every 1s", "topic": "a"}, "E711", "fires without a message"),
    ],
)
def test_conditions_that_are_none(table: dict[str, Any], code: str, words: str) -> None:
    with pytest.raises(HookMQError) as caught:
        Rule.of({"name": "old", **table}, "toml", "hookmq.toml:3, rule 1")
    assert caught.value.code == code and words in str(caught.value)


# Files ------------------------------------------------------------------------------------------------------

FILE = """\
-- Tells when a roof is too hot,
-- wherever it is.
-- enabled = true
-- [[actions]]
-- kind = "republish"
-- topic = "alarm/${clientid}"
--
-- [[actions]]
-- kind = "log"

SELECT payload.temp AS t
FROM "sensors/+/temp"   -- of every house
"""


def test_a_file_is_a_rule(tmp_path: Path) -> None:
    (tmp_path / "hot.sql").write_bytes(FILE.replace("\n", "\r\n").encode("utf-8-sig"))
    rule = read(tmp_path / "hot.sql")
    assert (rule.name, rule.source, rule.above) == ("hot", "file", 10)
    assert rule.description == "Tells when a roof is too hot, wherever it is."
    assert [action.kind for action in rule.actions] == ["republish", "log"]
    assert rule.sql.startswith("SELECT payload.temp AS t\n")
    assert rule.described()["columns"] == ["t"]


def test_an_error_in_a_file_names_the_line_of_the_file() -> None:
    with pytest.raises(HookMQError) as caught:
        rule_of(FILE.replace('FROM "', 'FORM "'), "hot", "rules/hot.sql").described()
    assert str(caught.value).startswith("error[E710]: rules/hot.sql, line 12, column ")
    assert '12 | FORM "sensors/+/temp"' in str(caught.value)


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        ("-- [[actions]]\n-- kind = log\nSELECT 1 FROM 't'", "hot.sql:2", "its comments are not TOML"),
        ("-- words\n-- enabled = perhaps\nSELECT 1 FROM 't'", "hot.sql:2", "its comments are not TOML"),
        ("-- [[actions]]\n-- kind = 'lgo'\nSELECT 1 FROM 't'", "hot.sql, action 1", "did you mean `log`?"),
        ("-- name = 'a/b'\nSELECT 1 FROM 't'", "hot.sql", "letters, digits"),
        ("-- only words\n", "hot.sql", "needs `sql`"),
        ("", "hot.sql", "needs `sql`"),
    ],
)
def test_files_that_are_no_rules(text: str, where: str, words: str) -> None:
    with pytest.raises(HookMQError) as caught:
        rule_of(text, "hot", "hot.sql")
    assert f" {where}  " in str(caught.value).replace("error[", " error[") and words in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_bytes(b"SELECT '\xff'")
    for path, words in ((tmp_path / "a.sql", "not UTF-8 at byte 8"), (tmp_path / "b.sql", "no such file")):
        with pytest.raises(HookMQError, match=words):
            read(path)
    with pytest.raises(HookMQError, match="no such file"):
        files_of(tmp_path / "none")
    (tmp_path / ".hidden.sql").touch()
    (tmp_path / "notes.txt").touch()
    assert files_of(tmp_path) == [tmp_path / "a.sql"]
