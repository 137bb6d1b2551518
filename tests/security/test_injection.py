"""Texts that would be programs in a page, a header or a file: everything that the API answers stays JSON."""

from __future__ import annotations

import time

import pytest

from ..protocol.packets import V5, Connect
from ..protocol.wire import Wire
from .exchange import check_api, check_headers, quoted

TEXTS = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    '"><script>alert(1)</script>',
    "'-alert(1)-'",
    "javascript:alert(1)",
    "{{constructor.constructor('alert(1)')()}}",
    "${alert(1)}",
    "<!--",
    "]]>",
    "\u2028alert(1)\u2029",
    "\u202ealert(1)",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<a href=data:text/html,x>",
    "＜script＞alert(1)＜/script＞",
    "=cmd|' /C calc'!A1",
    "'; DROP TABLE messages; --",
    "%3Cscript%3E",
    "__proto__",
    "../../etc/passwd",
    "é" * 40 + "<b>",
]


@pytest.fixture(scope="module")
def told(site):
    """A broker that has each of the texts everywhere it can be put from outside."""
    wires = []
    for number, text in enumerate(TEXTS):
        wire = Wire("127.0.0.1", site.start.mqtt_port, version=V5, deadline=5.0)
        wire.connect(Connect(f"c{number}{text}", username=text, password=text.encode()))
        wire.subscribe((f"s{number}/{text.replace('#', '')}", 1))
        wires.append(wire)
        topic = topic_of(number, text)
        for payload in (text, {"value": text, text: 1}):
            body = {"topic": topic, "payload": payload, "retain": True}
            assert site.do("POST", "publish", body, "operator").status == 200
        wire.publish(f"fails/{number}", text.encode())
    until = time.monotonic() + 8
    while site.get("hooks/watch/traceback").status == 404 and time.monotonic() < until:
        time.sleep(0.05)
    yield site
    for wire in wires:
        wire.close()


def topic_of(number: int, text: str) -> str:
    return f"x/{number}/{text}".replace("#", "").replace("+", "")


LISTS = [
    "clients?limit=1000",
    "subscriptions?limit=1000",
    "retained?limit=1000",
    "topics?parent=x",
    "history?limit=1000",
    "hooks",
    "hooks/watch",
    "hooks/watch/traceback",
    "logs?limit=1000",
    "overview",
    "settings",
    "security",
    "broker",
]


@pytest.mark.parametrize("path", LISTS)
def test_lists_with_all_of_them_are_json(told, attack, path):
    with attack():
        answer = told.get(path)
        assert answer.status == 200, answer
        check_api(answer)
        assert "charset" not in answer.header("content-type") or "utf-8" in answer.header("content-type")


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_each_text_comes_back_as_it_was(told, attack, number):
    text = TEXTS[number]
    topic = topic_of(number, text)
    with attack():
        client = told.get(f"clients/{quoted(f'c{number}{text}')}")
        check_api(client)
        assert (client.json()["client_id"], client.json()["username"]) == (f"c{number}{text}", text)
    for path in (f"topics/value?topic={quoted(topic)}", f"retained/message?topic={quoted(topic)}"):
        with attack():
            answer = told.get(path)
            check_api(answer)
            assert answer.json()["topic"] == topic, answer
    for path in (
        f"topics?search={quoted(text)}",
        f"clients?search={quoted(text)}",
        f"history?contains={quoted(text)}",
        f"history/paths?topic={quoted(topic)}",
        f"history/chart?topic={quoted(topic)}&path=value",
        f"receivers?topic={quoted(topic)}",
    ):
        with attack():
            answer = told.get(path)
            check_api(answer)
            assert answer.status in (200, 400), answer


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_said_of_a_mistake_is_json_as_well(site, attack, text):
    part = quoted(text)
    for path in (
        part,
        f"clients/{part}",
        f"hooks/{part}",
        f"clients?{part}=1",
        f"clients?limit={part}",
        f"bans?by={part}",
    ):
        with attack():
            answer = site.get(path)
            assert 400 <= answer.status < 500, answer
            check_api(answer)
    for body in ({text: 1}, {"topic": 5, "payload": text}, text.encode()):
        with attack():
            answer = site.do("POST", "publish", body)
            assert 400 <= answer.status < 500, answer
            check_api(answer)


@pytest.mark.parametrize("text", TEXTS)
def test_names_of_accounts_and_tokens(site, attack, text):
    for path, body in (
        ("accounts", {"name": text, "password": "battery staple", "role": "viewer"}),
        ("tokens", {"name": text, "role": "viewer"}),
    ):
        with attack():
            made = site.do("POST", path, body)
            check_api(made)
            listed = site.get(f"{path}?limit=1000")
            check_api(listed)
            if made.status == 201:
                assert text in [one["name"] for one in listed.json()["items"]]
                key = made.json().get("id", text)
                assert site.do("DELETE", f"{path}/{quoted(key)}").status == 204
            else:
                assert made.status == 422, made


EXPORTS = ["csv", "jsonl"]


@pytest.mark.parametrize("kind", EXPORTS)
def test_a_download_is_one_file_that_no_browser_shows(told, attack, kind):
    for text in TEXTS:
        with attack():
            answer = told.get(f"history/export?format={kind}&filter={quoted(text.replace('#', ''))}")
            check_headers(answer)
            if answer.status >= 400:
                check_api(answer)
                continue
            assert answer.header("content-disposition").startswith("attachment; filename=")
            assert answer.media in ("text/csv", "application/jsonl", "application/x-ndjson"), answer


HEADERS = [
    "\r\nX-Evil: 1",
    "%0d%0aX-Evil:%201",
    "\nX-Evil: 1",
    "%0aX-Evil:1",
    "é\r\n\r\n<script>",
    "%E5%98%8A%E5%98%8DX-Evil:1",
]


@pytest.mark.parametrize("text", HEADERS)
def test_no_text_becomes_a_header(site, attack, text):
    for path in (
        f"history/export?format=csv&topic=a{quoted(text)}",
        f"clients/{quoted(text)}",
        f"hooks/{quoted(text)}/traceback",
    ):
        with attack():
            answer = site.get(path)
            check_headers(answer)
            assert "x-evil" not in dict(answer.headers)
    with attack():
        answer = site.do("POST", "session", {"name": text, "password": text}, None, headers=site.page())
        assert answer.status in (401, 429) and not answer.all("set-cookie"), answer
        assert "x-evil" not in dict(answer.headers)
