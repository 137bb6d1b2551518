"""What an operator may not reach by way of what he may, and what keeps others waiting."""

from __future__ import annotations

import json
import logging
import threading
import time
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ...api.helpers import Device, eventually
from ..live.conftest import open_page
from .site import Site, publish


def token_of(site, role):
    return site.do("POST", "tokens", {"name": role, "role": role}, status=201)["token"]


def test_an_operator_reads_no_files_by_trying_a_rule(site, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("a secret of the machine")
    operator, admin = token_of(site, "operator"), token_of(site, "admin")
    for key, place in (("payload_file", str(secret)), ("topic_env", "PATH")):
        action = {"kind": "republish", "topic": "x"} | {key: place}
        if key == "topic_env":
            del action["topic"]
        rule = {"sql": 'SELECT * FROM "a"', "actions": [action]}
        body = {"rule": rule, "sample": {"topic": "a", "payload": {"t": 1}}}
        refused = site.ask("POST", "rules/test", body, token=operator)
        assert refused.status == 403 and b"admins" in refused.body
        assert site.ask("POST", "rules/test", body, token=admin).status == 200


SECRET = "T0SECRET/B0SECRET"


@pytest.fixture
def webhooks(broker_factory, tmp_path):
    """A broker whose webhooks have secrets in their addresses, in every place where one is written."""
    address = f"https://hooks.example.com/services/{SECRET}?key=SECRETKEY"
    rule = {"name": "hot", "sql": 'SELECT * FROM "a"', "actions": [{"kind": "webhook", "url": address}]}
    configured = {"kind": "webhook", "name": "w", "url": f"http://127.0.0.1:9/{SECRET}", "filter": "b"}
    broker = broker_factory(
        http_port=0, data_dir=tmp_path / "data", connectors=[configured], rules=[rule | {"name": "toml"}]
    )
    site = Site(broker)
    site.do("POST", "rules", rule, status=201)
    site.address, site.rule = address, rule
    logging.getLogger("hookmq.test").warning("POST %s failed", address)
    try:
        raise ValueError(f"no answer of {address}, nor of http://anna:SECRET@other.example/x")
    except ValueError:
        logging.getLogger("hookmq.test").exception("it failed")
    site.tokens = {role: token_of(site, role) for role in ("viewer", "operator", "admin")}
    return site


SHOWN = [
    ("GET", "rules", None),
    ("GET", "rules/hot", None),
    ("GET", "rules/toml", None),
    ("GET", "rules/hot/versions", None),
    ("POST", "rules/hot/disable", None),
    ("POST", "rules/hot/enable", None),
    ("POST", "rules/test", {"name": "hot", "sample": {"topic": "a", "payload": {"t": 1}}}),
    ("GET", "logs", None),
    ("GET", "settings", None),
    ("GET", "connectors", None),
    ("GET", "broker", None),
]


@pytest.mark.parametrize(("method", "path", "body"), SHOWN, ids=[path for _, path, _ in SHOWN])
def test_addresses_of_webhooks_are_for_admins(webhooks, method, path, body):
    for role in ("viewer", "operator"):
        reply = webhooks.ask(method, path, body, token=webhooks.tokens[role])
        assert reply.status == (403 if (role, method) == ("viewer", "POST") else 200), reply.body
        assert b"SECRET" not in reply.body
    reply = webhooks.ask(method, path, body, token=webhooks.tokens["admin"])
    assert (b"T0SECRET" in reply.body) == (path not in ("rules", "connectors", "broker"))


def test_the_host_of_a_webhook_is_shown_and_what_is_hidden_is_not_found(webhooks):
    viewer = webhooks.tokens["viewer"]
    (action,) = webhooks.ask("GET", "rules/hot", token=viewer).json["rule"]["actions"]
    assert action == {"kind": "webhook", "url": "https://hooks.example.com/***"}
    for part, count in (("T0SECRET", 0), ("SECRETKEY", 0), ("hooks.example.com/***", 2)):
        assert webhooks.ask("GET", "logs", token=viewer, search=part).json["total"] == count
    assert webhooks.get("logs", search="T0SECRET")["total"] == 2


def test_what_was_hidden_stays_when_it_comes_back(webhooks):
    shown = webhooks.ask("GET", "rules/hot", token=webhooks.tokens["operator"]).json["rule"]
    changed = webhooks.do("PUT", "rules/hot", shown | {"description": "as an operator has read it"})
    assert changed["rule"]["actions"][0]["url"] == webhooks.address
    for url in ("https://other.example/***", "https://hooks.example.com/x/***"):
        table = shown | {"actions": [{"kind": "webhook", "url": url}]}
        reply = webhooks.ask("PUT", "rules/hot", table)
        assert reply.status == 422 and "`url` has *** for what is not shown" in reply.json["detail"]
    reply = webhooks.ask("POST", "rules", shown | {"name": "copy"})
    assert reply.status == 422 and reply.json["code"] == "E711"
    hook = {"kind": "webhook", "url": "https://a.example", "headers": {"Authorization": "***"}}
    assert webhooks.ask("POST", "rules", shown | {"name": "copy", "actions": [hook]}).status == 422
    assert webhooks.get("rules/hot")["rule"]["actions"][0]["url"] == webhooks.address


def test_addresses_in_the_code_of_hooks_are_for_admins(webhooks):
    @webhooks.broker.on_message_received("called", name="calls")
    def calls(msg):
        raise ValueError("no answer of https://hooks.example.com/services/T0SECRET")

    publish(webhooks, ("called", b"1"))
    eventually(lambda: webhooks.ask("GET", "hooks/calls/traceback").status == 200)
    for path in ("hooks/calls", "hooks/calls/traceback"):
        for role in ("viewer", "operator"):
            reply = webhooks.ask("GET", path, token=webhooks.tokens[role])
            assert reply.status == 200 and b"T0SECRET" not in reply.body
            assert b"https://hooks.example.com/***" in reply.body
        assert b"T0SECRET" in webhooks.ask("GET", path, token=webhooks.tokens["admin"]).body


@pytest.mark.parametrize("role", ["viewer", "operator", "admin"])
def test_the_live_log_shows_addresses_to_admins_alone(webhooks, role):
    with ExitStack() as stack:
        pages = {
            one: stack.enter_context(open_page(webhooks.broker, Authorization=f"Bearer {token}"))
            for one, token in sorted(webhooks.tokens.items(), key=lambda pair: pair[0] != role)
        }
        for one, page in pages.items():  # whoever comes first makes the view
            page.watch("log")
            page.until(lambda page=page: "it failed" in json.dumps(page.shown.get("log")))
            assert ("T0SECRET" in json.dumps(page.frames)) == (one == "admin")
            page.watch("rules")
            page.until(lambda page=page: page.shown.get("rules"))
            page.watch("connectors")
            page.until(lambda page=page: page.shown.get("connectors"))
            assert one == "admin" or "SECRET" not in json.dumps(page.frames)


def test_a_receiver_that_repeats_an_address_does_not_show_it(broker_factory, tmp_path):
    """Not in the list of rules, which everybody sees, and not in the file of dead letters either."""

    class Repeats(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            text = f"there is no {self.path}".encode()
            self.send_response(422)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Repeats) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/services/{SECRET}"
        action = {"kind": "webhook", "url": url, "allow_private": True}
        site = Site(broker_factory(http_port=0, data_dir=tmp_path / "data"))
        site.do("POST", "rules", {"name": "hot", "sql": 'SELECT * FROM "a"', "actions": [action]}, status=201)
        site.broker.publish("a", '{"t": 1}')
        told = eventually(lambda: (found := site.get("rules")["items"][0]["actions"][0])["failed"] and found)
        server.shutdown()
        (record,) = site.get("logs", search="refused a record")["items"]
    assert "it answered 422: there is no ***" in record["message"]
    assert "SECRET" not in json.dumps([told, record])
    assert "SECRET" not in Path(told["dead_letters"]).read_text()


def test_a_secret_comes_from_a_file_that_ends(site):
    action = {"kind": "republish", "topic": "x", "payload_file": "/dev/zero"}
    body = {"rule": {"sql": 'SELECT * FROM "a"', "actions": [action]}, "sample": {"topic": "a"}}
    reply = site.ask("POST", "rules/test", body)
    assert reply.status == 422 and b"/dev/zero" in reply.body


def test_an_operator_shows_no_more_by_a_public_link(site):
    operator = token_of(site, "operator")
    widget = {"id": "w", "kind": "value", "topic": "tank/1/level", "x": 0, "y": 0, "w": 3, "h": 2}
    made = site.do("POST", "dashboards", {"title": "Plant", "widgets": [widget]}, status=201)
    link = f"dashboards/{made['id']}"
    more = {"title": "Plant", "widgets": [widget | {"topic": "#"}]}
    assert site.ask("PUT", link, more, token=operator).status == 200, "nobody else sees it"
    site.do("PUT", link, {"title": "Plant", "widgets": [widget]})
    site.do("POST", f"{link}/share", status=200)
    refused = site.ask("PUT", link, more, token=operator)
    assert refused.status == 403 and b"link" in refused.body
    history = {"title": "Plant", "widgets": [widget | {"kind": "line", "span": 86_400}]}
    assert site.ask("PUT", link, history, token=operator).status == 403
    moved = {"title": "Plant", "widgets": [widget | {"x": 4, "title": "Level"}]}
    assert site.ask("PUT", link, moved, token=operator).status == 200
    assert site.ask("PUT", link, more).status == 200, "this machine is an admin"


def test_a_page_of_the_history_ends_behind_some_megabytes(site):
    def sizes():
        found, cursor = [], None
        while True:
            more = {"cursor": cursor} if cursor else {}
            page = site.get("history", topic="tank/large", limit=1000, **more)
            found.append(len(page["items"]))
            cursor = page["next"]
            if cursor is None:
                return found

    with Device(site.broker) as device:
        for _ in range(40):
            device.publish("tank/large", b"x" * (256 << 10))
        eventually(lambda: sum(sizes()) == 40)
    assert sizes() == [17, 17, 6]


def test_what_takes_long_makes_nobody_else_wait(site):
    @site.broker.on_message_received("slow", name="slow")
    def slow(msg):
        time.sleep(3)

    sample = {"topic": "slow", "payload": "x"}
    trials = [threading.Thread(target=site.ask, args=("POST", "hooks/slow/run", sample)) for _ in range(5)]
    for trial in trials:
        trial.start()
    time.sleep(0.3)
    began = time.monotonic()
    assert site.ask("GET", "/healthz").status == 200
    assert site.get("hooks")["items"]
    assert time.monotonic() - began < 1.5
    for trial in trials:
        trial.join()
