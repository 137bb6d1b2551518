"""The broker as a whole, topics, retained messages, security, logs, settings, metrics and health."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hookmq import Broker

from ...api.helpers import Device, eventually, refused
from .site import ACL, Site, publish


def test_what_the_broker_is(site: Site, tmp_path: Path) -> None:
    with Device(site.broker, "a"):
        found = site.get("broker")
    assert found["data_dir"] == str(tmp_path / "data") and found["http_port"] == site.port
    (listener,) = found["listeners"]
    assert (listener["scheme"], listener["port"], listener["clients"]) == ("mqtt", site.broker.port, 1)
    assert found["history"]["enabled"] and found["history"]["url"].endswith("history.db")
    assert found["app"] is None, "this broker was made in a function, not by an app"
    assert 0 < found["uptime"] < 100 and abs(found["started_at"] - time.time()) < 100


def test_how_much_is_stored(broker_factory: Callable[..., Broker]) -> None:
    site = Site(broker_factory(http_port=0))
    for number in range(3):
        site.broker.publish("a", b"%d" % number)
    assert site.get("broker")["history"] == {"enabled": True, "url": "sqlite://", "rows": 3}
    other = Site(broker_factory(http_port=0, history={"enabled": False}))
    assert other.get("broker")["history"] == {"enabled": False, "url": None, "rows": None}


def test_overview_and_series(site: Site) -> None:
    publish(site, *(("tank/7/level", b'{"level": 0}') for _ in range(20)))
    found = site.get("overview")
    assert {"clients", "sessions", "topics", "hooks", "rules"} <= found["totals"].keys()
    assert (found["totals"]["hooks"], found["totals"]["jobs"], found["totals"]["rules"]) == (3, 1, 1)
    eventually(lambda: site.get("topics")["items"][0]["topic"] == "$SYS")
    assert site.get("overview")["totals"]["topics"] == 1, "those below $SYS are the broker's"
    codes = {alarm["code"]: alarm for alarm in found["alarms"]}
    assert codes["hook_errors"]["params"] == {"name": "watch", "count": 20}
    assert codes["hook_errors"]["page"] == "#/hooks/watch"
    told = eventually(
        lambda: (
            (told := site.get("series", names="received,cpu"))
            and any(told["series"]["received"][-5:])
            and told
        )
    )
    assert (told["step"], set(told["series"])) == (1.0, {"received", "cpu"})
    assert len(site.get("series", span=3600)["series"]["memory"]) == 360
    assert site.get("statistics")["statistics"]["messages_received"] == 20


def test_topics_and_values(site: Site) -> None:
    publish(site, ("tank/7/level", b'{"level": 1}'), ("tank/8/level", b"x" * 5000), ("tank", b""))
    eventually(lambda: site.get("topics", parent="tank")["total"] == 2)
    seven, _ = site.get("topics", parent="tank")["items"]
    assert (seven["topic"], seven["name"], seven["children"]) == ("tank/7", "7", 1)
    (level,) = site.get("topics", parent="tank/7")["items"]
    assert (level["messages"], level["bytes"], level["preview"]) == (1, 12, '{"level": 1}')
    found = site.get("topics", search="8/LEV")["items"]
    assert [one["topic"] for one in found] == ["tank/8/level"]
    value = site.get("topics/value", topic="tank/8/level")
    assert (value["bytes"], value["cut"], len(value["payload"])) == (5000, True, 4096)
    assert (value["is_retained"], value["client_id"]) == (False, "pump")
    site.do("GET", "topics/value", topic="none", status=404)


def test_retained_messages(site: Site) -> None:
    for number in range(5):
        body = {"topic": f"tank/{number}/kept", "payload": {"n": number}, "retain": True, "qos": 1}
        assert site.do("POST", "publish", body) == {"receivers": 0, "accepted": True}
    assert site.get("retained", filter="tank/#")["total"] == 5
    (item,) = site.get("retained", search="3/kept")["items"]
    assert (item["topic"], item["bytes"], item["qos"], item["preview"]) == ("tank/3/kept", 8, 1, '{"n": 3}')
    shown = site.get("retained/message", topic="tank/3/kept")
    assert (shown["payload"], shown["retain"]) == ('{"n": 3}', True)
    assert site.get("topics/value", topic="tank/3/kept")["is_retained"]
    assert site.do("DELETE", "retained", topic="tank/3/kept") == {"cleared": 1}
    assert site.do("DELETE", "retained", filter="tank/+/kept") == {"cleared": 4}
    site.do("GET", "retained/message", topic="tank/3/kept", status=404)
    site.do("DELETE", "retained", status=400)


def test_publish_reaches_clients_as_it_was_said(site: Site) -> None:
    with Device(site.broker, "a") as device:
        device.subscribe("tank/#")
        body = {
            "topic": "tank/x",
            "payload_base64": "/wA=",
            "qos": 1,
            "properties": {"content_type": "x/y", "user_properties": {"a": "ü"}, "correlation_data": "AQI="},
        }
        assert site.do("POST", "publish", body)["receivers"] == 1
        got = device.receive()
        assert (got.payload, got.qos, got.properties.ContentType) == (b"\xff\x00", 1, "x/y")
        assert got.properties.UserProperty == [("a", "ü")]
        assert got.properties.CorrelationData == b"\x01\x02"
        for payload, expected in ((None, b""), ("text", b"text"), ({"a": 1.5}, b'{"a": 1.5}'), ([1], b"[1]")):
            site.do("POST", "publish", {"topic": "tank/x", "payload": payload})
            assert device.receive().payload == expected


# Security -------------------------------------------------------------------------------------------------


def test_users(site: Site, tmp_path: Path) -> None:
    assert site.get("users")["items"] == []
    made = site.do("PUT", "users/anna", {"password": "correct horse"})
    assert made == {"name": "anna", "methods": ["argon2id", "scram-sha-256"]}
    assert site.get("users")["items"] == [made]
    assert "$argon2id$" in (tmp_path / "users").read_text()
    assert refused(site.broker, "a", login=("anna", "correct horse"))[0] == 0
    site.do("PUT", "users/anna", {"password": "another one"})
    assert site.do("DELETE", "users/anna") == {"removed": "anna"}
    site.do("DELETE", "users/anna", status=404)
    site.do("PUT", "users/a%3Ab", {"password": "x"}, status=400)
    assert (tmp_path / "users").read_text().strip() == ""


def test_the_access_list(site: Site, tmp_path: Path) -> None:
    reply = site.ask("GET", "acl")
    assert reply.json == {"path": str(tmp_path / "acl"), "text": ACL}
    tag = reply.headers["ETag"]
    problem = site.do("PUT", "acl", {"text": "allow all a\nnonsense\n"}, status=422)
    assert problem["line"] == 2 and (tmp_path / "acl").read_text() == ACL
    changed = site.ask("PUT", "acl", {"text": ACL + "allow all more\n"}, headers={"If-Match": tag})
    assert changed.status == 200 and (tmp_path / "acl").read_text().endswith("more\n")
    assert site.ask("PUT", "acl", {"text": ACL}, headers={"If-Match": tag}).status == 412
    with Device(site.broker, "a") as device:
        assert device.publish("more") < 0x80 and device.publish("less") == 0x87
    again = site.ask("PUT", "acl", {"text": ACL}, headers={"If-Match": changed.headers["ETag"]})
    assert again.status == 200


@pytest.mark.parametrize(
    ("asked", "allowed", "line", "by"),
    [
        ({"action": "publish", "topic": "tank/7"}, True, 1, ["acl", "may"]),
        ({"action": "subscribe", "topic": "tank/#"}, True, 1, ["acl", "may"]),
        ({"action": "publish", "topic": "other"}, False, None, ["acl"]),
        ({"action": "subscribe", "topic": "public/#", "user": "anna"}, True, 2, ["acl", "may"]),
        ({"action": "subscribe", "topic": "$share/g/public/#", "user": "anna"}, True, 2, ["acl", "may"]),
        ({"action": "publish", "topic": "public/a", "user": "anna"}, False, None, ["acl"]),
        ({"action": "publish", "topic": "tank/secret/a"}, False, None, ["acl", "may"]),
    ],
    ids=str,
)
def test_who_may_and_who_says_so(
    site: Site, asked: dict[str, Any], allowed: bool, line: int | None, by: list[str]
) -> None:
    found = site.do("POST", "security/explain", asked)
    assert (found["allowed"], found["line"]) == (allowed, line)
    assert [one["by"].rpartition("/")[2] for one in found["asked"]] == by
    assert found["rule"] == (None if line is None else ACL.split("\n")[line - 1])
    if found["asked"][-1] == {"by": "may", "answer": "deny"}:
        assert found["reason"].startswith("may (")


def test_why_is_told_to_operators_and_admins(site: Site) -> None:
    asked = [{"action": "publish", "topic": topic} for topic in ("tank/7", "private/a", "tank/secret/a")]
    tokens = {
        role: site.do("POST", "tokens", {"name": role, "role": role}, status=201)["token"]
        for role in ("viewer", "operator")
    }
    for body in asked:
        told = site.do("POST", "security/explain", body)
        assert site.do("POST", "security/explain", body, token=tokens["operator"]) == told
        shown = site.do("POST", "security/explain", body, token=tokens["viewer"])
        assert (shown["allowed"], shown["asked"]) == (told["allowed"], told["asked"])
        assert (shown["line"], shown["rule"]) == (None, None)
        assert "allow all" not in str(shown) and "why is told to operators" in shown["reason"]


def test_hooks_that_do_not_answer_deny(site: Site) -> None:
    @site.broker.authorize(name="fails")
    def fails(client: Any) -> bool:
        raise RuntimeError("no database")

    found = site.do("POST", "security/explain", {"action": "publish", "topic": "tank/7"})
    assert not found["allowed"] and "RuntimeError" in found["reason"]
    site.broker.pause("fails")
    found = site.do("POST", "security/explain", {"action": "publish", "topic": "tank/7"})
    assert not found["allowed"] and "paused" in found["reason"]


def test_what_is_open_is_told(site: Site, broker_factory: Callable[..., Broker]) -> None:
    found = site.get("security")
    assert found["authenticators"] == ["door/2 ü"] and found["authorizers"] == ["may"]
    assert not found["anonymous"] and found["problems"] == []
    other = Site(broker_factory(http_port=0, host="0.0.0.0", allow_anonymous=True))
    (listener,) = other.get("security")["listeners"]
    assert listener["anonymous"]
    assert [one["level"] for one in other.get("security")["problems"]] == ["error", "info"]
    assert other.do("GET", "users", status=409)["help"].startswith("name one with access.users_file")
    assert "anonymous" in {alarm["code"] for alarm in other.get("overview")["alarms"]}


# Logs and settings ----------------------------------------------------------------------------------------


def test_the_log(site: Site) -> None:
    log = logging.getLogger("hookmq.test")
    for number in range(30):
        log.warning("message %d", number)
    try:
        raise ValueError("no number")
    except ValueError:
        log.exception("it failed")
    found = site.get("logs", limit=10, level="warning", search="hookmq.test")
    first = found["items"][0]
    assert (first["level"], first["logger"], first["message"]) == ("error", "hookmq.test", "it failed")
    assert "ValueError: no number" in first["traceback"] and abs(first["at"] - time.time()) < 10
    second = site.get("logs", limit=10, level="warning", search="hookmq.test", cursor=found["next"])
    assert [one["message"] for one in second["items"]] == [f"message {n}" for n in range(20, 10, -1)]
    assert site.get("logs", search="it FAILED")["total"] == 1
    assert site.get("logs", level="critical")["items"] == []


def test_the_log_ends_with_the_broker(broker_factory: Callable[..., Broker]) -> None:
    before = list(logging.getLogger("hookmq").handlers)
    broker = broker_factory(http_port=0)
    Site(broker).get("logs")
    broker.stop()
    assert logging.getLogger("hookmq").handlers == before


def test_a_program_without_a_log_still_sees_warnings(
    site: Site, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    logging.getLogger("hookmq.test").warning("look here")
    assert "look here" in capfd.readouterr().err
    logging.getLogger("hookmq.test").info("not here")
    assert "not here" not in capfd.readouterr().err


def test_settings_without_secrets(broker_factory: Callable[..., Broker], tmp_path: Path) -> None:
    connectors = [
        {
            "kind": "webhook",
            "name": "w",
            "url": "https://anna:hush@localhost:1/x?key=hush",
            "filter": "a",
            "headers": {"Authorization": "Bearer hush"},
        }
    ]
    bridges = [
        {"name": "b", "url": "mqtt://localhost:1", "password": "hush", "username": "anna", "topics": []}
    ]
    bridges[0]["topics"] = [{"filter": "a", "direction": "out"}]
    url = f"sqlite:///{tmp_path}/history.db"
    site = Site(broker_factory(http_port=0, connectors=connectors, bridges=bridges, history={"url": url}))
    reply = site.ask("GET", "settings")
    assert b"hush" not in reply.body
    found = {one["key"]: one for one in reply.json["items"]}
    assert (found["host"]["value"], found["host"]["origin"]) == ("127.0.0.1", "default")
    assert found["http_port"]["origin"].startswith("Broker(") and found["http_port"]["type"] == "port-or-off"
    assert found["bridges"]["value"][0]["password"] == "***"
    assert b"hush" not in site.ask("GET", "connectors").body + site.ask("GET", "broker").body


# Metrics and health ---------------------------------------------------------------------------------------

SAMPLE = re.compile(r'((?:hookmq|process)_[a-z0-9_]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*\})? (\S+)')


def test_metrics_are_as_prometheus_wants_them(site: Site) -> None:
    site.broker.on_message_received("a", name='quo"te\\ and\nline')(lambda msg: None)
    publish(site, ("tank/7/level", b'{"level": 4}'), ("tank/7/level", b'{"level": 0}'))
    reply = site.ask("GET", "/metrics")
    assert reply.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    kinds: dict[str, str] = {}
    values: dict[str, float] = {}
    helped = set()
    for line in reply.body.decode().splitlines():
        if line.startswith("# HELP "):
            helped.add(line.split()[2])
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name not in kinds, f"{name} is there twice"
            kinds[name] = kind
        else:
            match = SAMPLE.fullmatch(line)
            assert match, line
            assert match[1] + (match[2] or "") not in values
            assert match[1] in kinds or match[1].rpartition("_")[0] in kinds
            values[match[1] + (match[2] or "")] = float(match[3])
    assert helped == set(kinds)
    for name, kind in kinds.items():
        assert kind in ("counter", "gauge", "histogram", "summary")
        assert name.endswith("_total") == (kind == "counter"), name
    assert values['hookmq_hook_calls_total{hook="watch",kind="on_message_received"}'] == 2
    assert values['hookmq_hook_errors_total{hook="watch",kind="on_message_received"}'] == 1
    assert values["hookmq_messages_received_total"] == 2
    assert kinds["hookmq_hook_run_seconds"] == "summary"
    labels = 'hook="watch",kind="on_message_received"'
    assert values[f"hookmq_hook_run_seconds_count{{{labels}}}"] == 2
    assert values[f"hookmq_hook_run_seconds_sum{{{labels}}}"] > 0
    assert values[f'hookmq_hook_run_seconds{{{labels},quantile="0.99"}}'] < 10
    assert values["process_resident_memory_bytes"] > 1 << 20 and values["process_cpu_seconds_total"] > 0
    assert time.time() - 3600 < values["process_start_time_seconds"] <= time.time() + 1
    assert any('quo\\"te\\\\ and\\nline' in name for name in values)


def test_metrics_are_for_those_who_may_look(site: Site) -> None:
    site.do("POST", "accounts", {"name": "root", "password": "correct horse", "role": "admin"}, status=201)
    reply = site.ask("GET", "/metrics")
    assert reply.status == 401 and reply.headers["WWW-Authenticate"].startswith("Bearer")
    assert "let Prometheus send an API token" in reply.json["help"]
    other = site.ask("GET", "/metrics", token="hmq_other")
    assert (other.status, other.json["detail"]) == (401, "the API token is not known")


def test_the_grafana_dashboard_asks_for_what_there_is(site: Site) -> None:
    import json

    publish(site, ("tank/7/level", b'{"level": 0}'))
    site.do("POST", "jobs/tick/run", status=202)
    eventually(lambda: site.get("jobs")["items"][0]["duration"] is not None)
    there = set(re.findall(r"^# TYPE (\S+)", site.ask("GET", "/metrics").body.decode(), re.MULTILINE))
    path = Path(__file__).parents[3] / "extras" / "grafana" / "hookmq.json"
    board = json.loads(path.read_text())
    asked = {
        name
        for panel in board["panels"]
        for target in panel.get("targets", ())
        for name in re.findall(r"(?:hookmq|process)_[a-z0-9_]+", target["expr"])
    }
    optional = {name for name in asked if name.startswith(("hookmq_connector_", "hookmq_bridge_"))}
    assert asked and asked - optional <= there, asked - optional - there
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_health(site: Site) -> None:
    assert site.ask("GET", "/healthz").json == {"status": "ok"}
    ready = site.ask("GET", "/readyz")
    assert (ready.status, ready.json["checks"]) == (200, {"clients": "ok", "store": "ok", "history": "ok"})
    recorder = site.broker._active_run().recorder
    recorder.store._losses.add(1, "the disk is full", "make room", outage=True)
    ready = site.ask("GET", "/readyz")
    assert (ready.status, ready.json["checks"]["history"]) == (503, "failing")
    assert [one["code"] for one in site.get("overview")["alarms"] if "history" in one["code"]] == [
        "history_failed"
    ]
    publish(site, ("tank/7/level", b'{"level": 1}'))
    eventually(lambda: site.ask("GET", "/readyz").status == 200)
    assert not [one for one in site.get("overview")["alarms"] if "history" in one["code"]]


def test_nobody_is_sent_to_a_broker_that_starts_or_stops(broker_factory: Callable[..., Broker]) -> None:
    broker = broker_factory(http_port=0, start=False)
    told: list[tuple[str, int]] = []

    def look(when: str) -> None:
        told.append((when, Site(broker).ask("GET", "/readyz").status))

    broker.on_startup(lambda: look("starts"))
    broker.on_shutdown(lambda: look("stops"))
    broker.start()
    look("runs")
    broker.stop()
    assert told == [("starts", 503), ("runs", 200), ("stops", 503)]
