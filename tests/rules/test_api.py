"""Rules by the HTTP API: stored, versioned, switched, tried; and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hookmq import Broker
from hookmq.rules.store import RuleStore

from ..api.helpers import Device, eventually, request


def _media(status: int) -> str:
    return "application/json" if status < 400 else "application/problem+json"


SQL = 'SELECT payload.temp AS t, clientid FROM "sensors/+/temp" WHERE payload.temp > 30'
HOT = {"name": "hot", "sql": SQL, "actions": [{"kind": "republish", "topic": "alarm"}]}


@pytest.fixture
def site(broker_factory: Callable[..., Any], tmp_path: Path) -> Broker:
    history = {"enabled": True}
    broker: Broker = broker_factory(http_port=0, data_dir=tmp_path / "data", history=history)
    return broker


def ask(
    broker: Any, method: str, path: str = "", body: Any = None, *, status: int = 200, **headers: str
) -> Any:
    sent = None if body is None else json.dumps(body)
    reply = request(broker, method, f"/api/v1/rules{path}", sent, **({"X_HookMQ": "1"} | headers))
    assert (reply.status, reply.headers["Content-Type"]) == (status, _media(status)), reply.text
    assert reply.headers["Cache-Control"] == "no-store"
    answer = json.loads(reply.text)
    if isinstance(answer, dict) and "rule" in answer and (etag := reply.headers["ETag"]):
        version = etag.removeprefix('W/"').rstrip('"').partition(".")[0]
        answer["etag"] = f'"{version}"'
    return answer


def publish(broker: Any, *temps: float) -> None:
    with Device(broker, "pump") as pump:
        for temp in temps:
            pump.publish("sensors/a/temp", json.dumps({"temp": temp}))


def test_a_rule_from_its_making_to_its_end(site: Broker) -> None:
    assert ask(site, "GET") == {"items": [], "next": None, "total": 0}
    made = ask(site, "POST", body=HOT, status=201)
    assert made["etag"] == '"1"' and made["rule"] == HOT | {"enabled": True}
    with site.subscribe("alarm") as alarms:
        publish(site, 31)
        assert alarms.get(timeout=8).json() == {"t": 31, "clientid": "pump"}
        changed = ask(site, "PUT", "/hot", HOT | {"sql": SQL.replace("30", "10")}, If_Match='"1"')
        assert changed["etag"] == '"2"'
        publish(site, 11)
        assert alarms.get(timeout=8).json()["t"] == 11
    shown = ask(site, "GET", "/hot")
    assert shown["info"]["matched"] == 2 and shown["info"]["version"] == 2
    assert shown["info"]["actions"][0]["kind"] == "republish"
    (listed,) = ask(site, "GET")["items"]
    assert listed == shown["info"]
    assert ask(site, "DELETE", "/hot") == {"removed": "hot"}
    assert ask(site, "GET") == {"items": [], "next": None, "total": 0} and not site.rules
    publish(site, 31)
    assert site.wait_for_hooks()


def test_versions(site: Broker) -> None:
    ask(site, "POST", body=HOT, status=201, X_HookMQ_User="ann")
    for limit in ("40", "50"):
        ask(site, "PUT", "/hot", HOT | {"sql": SQL.replace("30", limit)}, X_HookMQ_User="bob")
    ask(site, "POST", "/hot/disable")
    ask(site, "POST", "/hot/versions/2/restore", X_HookMQ_User="ann")
    ask(site, "DELETE", "/hot")
    versions = ask(site, "GET", "/hot/versions")["items"]
    assert [(one["version"], one["change"]) for one in versions] == [
        (6, "removed"),
        (5, "restored from 2"),
        (4, "disabled"),
        (3, "changed"),
        (2, "changed"),
        (1, "created"),
    ]
    assert versions[-1]["who"] == "ann at 127.0.0.1" and versions[-2]["who"] == "bob at 127.0.0.1"
    assert versions[0]["rule"] is None and "> 40" in versions[1]["rule"]["sql"]
    assert sorted(one["time"] for one in versions) == [one["time"] for one in reversed(versions)]
    back = ask(site, "POST", "/hot/versions/1/restore")
    assert back["etag"] == '"7"' and "> 30" in site.rules["hot"].sql
    error = ask(site, "POST", "/hot/versions/6/restore", status=404)["error"]
    assert error["code"] == "E712" and "7, 5, 4, 3, 2, 1" in error["help"]


def test_they_outlive_the_broker(broker_factory: Callable[..., Any], tmp_path: Path) -> None:
    options = {"http_port": 0, "data_dir": tmp_path / "data", "history": {"enabled": False}}
    first = broker_factory(**options)
    ask(first, "POST", body=HOT, status=201)
    ask(first, "POST", body=HOT | {"name": "off", "enabled": False}, status=201)
    ask(first, "POST", body=HOT | {"name": "gone"}, status=201)
    ask(first, "DELETE", "/gone")
    ask(first, "POST", "/hot/disable")
    ask(first, "POST", "/hot/enable")
    first.stop()
    second = broker_factory(**options)
    rules = {rule["name"]: rule for rule in ask(second, "GET")["items"]}
    assert {name: (rule["enabled"], rule["version"]) for name, rule in rules.items()} == {
        "hot": (True, 3),
        "off": (False, 1),
    }
    with second.subscribe("alarm") as alarms:
        publish(second, 31)
        assert alarms.get(timeout=8).json()["t"] == 31
    assert (tmp_path / "data/rules.db").stat().st_mode & 0o077 == 0, "it may have secrets"


def test_they_are_in_a_backup(site: Broker, tmp_path: Path) -> None:
    from hookmq.backup import back_up, restore

    ask(site, "POST", body=HOT, status=201)
    back_up(tmp_path / "data", tmp_path / "backup.tar")
    restore(tmp_path / "backup.tar", tmp_path / "other")
    with RuleStore(tmp_path / "other/rules.db") as store:
        assert list(store.rules()) == ["hot"]


def test_a_stored_rule_that_holds_no_longer_is_told(
    broker_factory: Callable[..., Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with RuleStore(tmp_path / "data/rules.db") as store:
        store.add({"name": "old", "sql": 'SELECT gone_in_this_version(1) FROM "t"'}, "created", "x")
        store.add({"name": "good", "sql": 'SELECT 1 AS x FROM "t"'}, "created", "x")
    broker = broker_factory(data_dir=tmp_path / "data", http_port=0, history={"enabled": False})
    assert list(broker.rules) == ["good"]
    assert "the stored rule old is left out" in caplog.text and "gone_in_this_version" in caplog.text
    assert ask(broker, "GET", "/old/versions")["items"][0]["version"] == 1


def test_without_a_data_directory_they_are_in_memory(broker_factory: Callable[..., Any]) -> None:
    broker = broker_factory(http_port=0, data_dir=None)
    ask(broker, "POST", body=HOT, status=201)
    ask(broker, "POST", "/hot/disable")
    assert [one["change"] for one in ask(broker, "GET", "/hot/versions")["items"]] == [
        "disabled",
        "created",
    ]


REFUSED: list[tuple[str, str, Any, int, str, str]] = [
    ("POST", "", HOT | {"name": "a/b"}, 422, "E303", "letters"),
    ("POST", "", HOT | {"sgl": "x"}, 422, "E301", "unknown key"),
    ("POST", "", {"name": "x"}, 422, "E306", "sql"),
    ("POST", "", HOT | {"sql": "SELECT"}, 422, "E710", "line 1, column"),
    ("POST", "", HOT | {"name": "mine"}, 409, "E713", "there is one already"),
    ("POST", "", [1], 400, "bad_request", "expected an object"),
    ("POST", "", HOT | {"name": "x", "actions": [{"kind": "lgo"}]}, 422, "E303", "kind"),
    (
        "POST",
        "",
        HOT | {"name": "x", "actions": [{"kind": "store", "table": "t"}]},
        422,
        "E711",
        "no database",
    ),
    ("PUT", "/none", HOT | {"name": "none"}, 404, "E712", "there is no rule"),
    ("PUT", "/mine", HOT | {"name": "other"}, 400, "E709", "keeps its name"),
    ("PUT", "/python", HOT | {"name": "python"}, 409, "E713", "change it there"),
    ("DELETE", "/python", None, 409, "E713", "change it there"),
    ("DELETE", "/none", None, 404, "E712", "there is no rule"),
    ("GET", "/none", None, 404, "E712", "there is no rule"),
    ("GET", "/none/versions", None, 404, "E712", "there is no rule"),
    ("POST", "/none/enable", None, 404, "E712", "there is no rule"),
    ("POST", "/mine/versions/99/restore", None, 404, "E712", "of version 99"),
    ("POST", "/test", {}, 400, "E709", "name a rule"),
    ("POST", "/test", {"name": "none"}, 404, "E712", "there is no rule"),
    ("POST", "/test", {"sql": "SELECT"}, 422, "E710", "line 1"),
    ("POST", "/test", {"sql": SQL, "sampels": []}, 400, "bad_request", "did you mean `samples`"),
    ("POST", "/test", {"sql": SQL, "samples": [7]}, 400, "bad_request", "`samples[0]` is a number"),
    ("POST", "/test", {"sql": SQL, "samples": [{"payload": 1}]}, 400, "E709", "a `topic`"),
    (
        "POST",
        "/test",
        {"sql": SQL, "samples": [{"topic": "t", "payload": {"$base64": "!"}}]},
        400,
        "E709",
        "Base64",
    ),
    ("POST", "/test", {"sql": SQL}, 400, "E709", "no message that the rule reads"),
]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code", "words"),
    REFUSED,
    ids=[f"{r[0]} {r[1]} {r[4]}" for r in REFUSED],
)
def test_what_is_refused(
    site: Broker, method: str, path: str, body: Any, status: int, code: str, words: str
) -> None:
    site.add_rule("python", SQL)
    ask(site, "POST", body=HOT | {"name": "mine"}, status=201)
    error = ask(site, method, path, body, status=status)["error"]
    assert error["code"] == code and words in f"{error['message']} {error['help']}"
    assert sorted(site.rules) == ["mine", "python"]
    assert [one["version"] for one in ask(site, "GET", "/mine/versions")["items"]] == [1]


def test_an_error_of_the_sql_has_its_place(site: Broker) -> None:
    error = ask(site, "POST", body=HOT | {"sql": 'SELECT averge(1)\nFROM "t"'}, status=422)["error"]
    assert (error["line"], error["column"], error["length"]) == (1, 8, 6)
    assert error["hint"] == "did you mean `average`?" and "^^^^^^" in error["message"]


def test_a_version_that_is_not_the_newest(site: Broker) -> None:
    ask(site, "POST", body=HOT, status=201)
    ask(site, "PUT", "/hot", HOT, If_Match='"1"')
    for method, body in (("PUT", HOT), ("DELETE", None)):
        error = ask(site, method, "/hot", body, status=412, If_Match='"1"')["error"]
        assert error["code"] == "E713" and "its version is 2, not 1" in error["message"]
    assert ask(site, "PUT", "/hot", HOT, status=400, If_Match="x")["error"]["code"] == "bad_request"
    ask(site, "DELETE", "/hot", If_Match='"2"')


def test_what_cannot_be_stored_is_not_there(site: Broker, tmp_path: Path) -> None:
    ask(site, "POST", body=HOT, status=201)
    store = site.rules._store
    assert store is not None
    store._database.execute("PRAGMA query_only = ON")  # as a disk that takes no more
    for method, path, body in (
        ("POST", "", HOT | {"name": "new"}),
        ("PUT", "/hot", HOT | {"sql": SQL.replace("30", "10")}),
        ("DELETE", "/hot", None),
        ("POST", "/hot/disable", None),
    ):
        assert ask(site, method, path, body, status=409)["error"]["code"] == "E602"
    assert list(site.rules) == ["hot"] and "> 30" in site.rules["hot"].sql and site.rules["hot"].enabled
    with site.subscribe("alarm") as alarms:
        publish(site, 11, 31)
        assert alarms.get(timeout=8).json()["t"] == 31


def test_who_may_not(site: Broker) -> None:
    for method, path in (("POST", ""), ("PUT", "/hot"), ("DELETE", "/hot"), ("POST", "/test")):
        reply = request(site, method, f"/api/v1/rules{path}", json.dumps(HOT))
        assert (reply.status, "X-HookMQ: 1" in reply.text) == (403, True)
        reply = request(
            site, method, f"/api/v1/rules{path}", json.dumps(HOT), X_HookMQ="1", Host="evil.example"
        )
        assert reply.status == 403
    assert (
        request(site, "PATCH", "/api/v1/rules/hot", X_HookMQ="1").headers["Allow"] == "GET, HEAD, PUT, DELETE"
    )
    assert not site.rules


def test_secrets_are_hidden_and_stay(site: Broker) -> None:
    hook = {
        "kind": "webhook",
        "url": "https://plant.example/x",
        "secret": "sesame",
        "headers": {"Authorization": "Bearer open", "X-Plain": "a"},
    }
    ask(site, "POST", body=HOT | {"actions": [hook]}, status=201)
    shown = ask(site, "GET", "/hot")
    assert "sesame" not in json.dumps(shown) and "Bearer" not in json.dumps(shown)
    assert "sesame" not in json.dumps(ask(site, "GET", "/hot/versions"))
    (action,) = shown["rule"]["actions"]
    action["url"] = "https://plant.example/y"
    action["headers"]["X-Plain"] = "b"
    ask(site, "PUT", "/hot", shown["rule"])
    kept = site.rules["hot"].rule.actions[0]
    assert kept.options["secret"] == "sesame" and kept.options["url"].endswith("/y")
    assert kept.options["headers"] == {"Authorization": "Bearer open", "X-Plain": "b"}


def test_switching_rules_of_other_sources(site: Broker) -> None:
    site.add_rule("python", SQL)
    assert ask(site, "POST", "/python/disable")["info"]["enabled"] is False
    publish(site, 31)
    assert eventually(lambda: site.rules["python"].info().skipped) == 1
    assert ask(site, "POST", "/python/enable")["info"]["enabled"] is True


def test_functions(site: Broker) -> None:
    functions = {one["name"]: one for one in ask(site, "GET", "/functions?limit=1000")["items"]}
    assert len(functions) > 150
    assert {"abs", "upper", "avg", "changed", "topic"} <= set(functions)
    for one in functions.values():
        assert one["usage"] and one["what"] and one["group"] and len(one["examples"]) >= 2


def test_a_rule_is_tried_on_the_newest_message(site: Broker) -> None:
    publish(site, 29, 31)
    tried = ask(site, "POST", "/test", {"sql": SQL})
    (trial,) = tried["trials"]
    assert trial["sample"]["topic"] == "sensors/a/temp"
    assert json.loads(trial["sample"]["payload"])["temp"] == 31, "what is text is shown as text"
    assert trial["results"] == [{"t": 31, "clientid": "pump"}] and trial["error"] is None
    site.add_rule("hot", SQL, [{"kind": "republish", "topic": "alarm/${t}"}])
    (trial,) = ask(site, "POST", "/test", {"name": "hot"})["trials"]
    assert trial["actions"][0]["would"]["topic"] == "alarm/31"
    assert site.rules["hot"].info().matched == 0, "nothing was done"


def test_a_rule_that_is_not_there_yet_is_tried_with_its_actions(site: Broker) -> None:
    rule = {"sql": SQL, "actions": [{"kind": "log", "text": "${t} of ${clientid}"}]}
    sample = {"topic": "sensors/a/temp", "payload": {"temp": 40}, "clientid": "x"}
    (trial,) = ask(site, "POST", "/test", {"rule": rule, "sample": sample})["trials"]
    assert trial["actions"] == [{"number": 1, "kind": "log", "would": {"text": "40 of x", "level": "info"}}]
