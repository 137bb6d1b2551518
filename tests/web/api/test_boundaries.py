"""What an operator may not reach by way of what he may, and what keeps others waiting."""

from __future__ import annotations

import threading
import time

from ...api.helpers import Device, eventually


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
