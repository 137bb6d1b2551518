"""What HTTP is asked with: ETags, HEAD, methods, compression, bodies that are wrong, problems."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
from typing import Any

import pytest

from hookmq.web.api import Api
from hookmq.web.operations.operation import Answer, Operation
from hookmq.web.request import Request
from hookmq.web.schema import (
    Anything,
    Array,
    BadValue,
    Boolean,
    Field,
    Integer,
    Nullable,
    Number,
    Object,
    Text,
)

from .site import Site, publish

PROBLEM = {"type", "title", "status", "detail", "code", "help", "error"}


# Caches and methods ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["hooks", "clients", "settings", "hooks/watch", "/api/openapi.json"])
def test_what_has_not_changed_is_not_sent_again(site: Site, path: str) -> None:
    reply = site.ask("GET", path)
    tag = reply.headers["ETag"]
    assert tag.startswith('W/"') and reply.headers["Cache-Control"] == "no-store"
    for given in (tag, f'"x", {tag}', tag.removeprefix("W/"), "*"):
        again = site.ask("GET", path, headers={"If-None-Match": given})
        assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag)
    assert site.ask("GET", path, headers={"If-None-Match": 'W/"other"'}).status == 200


def test_what_has_changed_is_sent_again(site: Site) -> None:
    tag = site.ask("GET", "hooks").headers["ETag"]
    publish(site, ("tank/7/level", b'{"level": 1}'))
    assert site.ask("GET", "hooks", headers={"If-None-Match": tag}).status == 200


def test_head_is_get_without_a_body(site: Site) -> None:
    reply = site.ask("HEAD", "clients")
    assert (reply.status, reply.body) == (200, b"") and reply.headers["ETag"]
    assert site.ask("HEAD", "clients/none").status == 404
    site.broker.route("/hello")(lambda: "hello")
    for path in ("clients", "hooks/kinds", "clients/none", "/", "/metrics", "/healthz", "/hello", "/none"):
        for packed in ({}, {"Accept-Encoding": "gzip"}):
            got, head = site.ask("GET", path, headers=packed), site.ask("HEAD", path, headers=packed)
            assert (head.status, head.body) == (got.status, b"")
            same = path == "/metrics" or head.headers["Content-Length"] == str(len(got.body))
            assert same and int(head.headers["Content-Length"]) > 0, path
    assert site.ask("HEAD", "history/export", format="csv").headers["Content-Length"] is None
    assert site.ask("HEAD", "history/export", format="csv").status == 200


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", "clients", "GET, HEAD"),
        ("PUT", "clients/a", "DELETE, GET, HEAD"),
        ("OPTIONS", "rules/functions", "GET, HEAD"),
        ("GET", "publish", "POST"),
        ("DELETE", "/metrics", "GET, HEAD"),
        ("POST", "/readyz", "GET, HEAD"),
        ("POST", "/api/openapi.json", "GET, HEAD"),
    ],
)
def test_methods(site: Site, method: str, path: str, allowed: str) -> None:
    reply = site.ask(method, path)
    assert (reply.status, ", ".join(sorted(reply.headers["Allow"].split(", ")))) == (405, allowed)


def test_answers_are_compressed_where_that_is_taken(site: Site) -> None:
    plain = site.ask("GET", "settings")
    assert "Content-Encoding" not in plain.headers and len(plain.body) > 1024
    for accept in ("gzip", "br, gzip;q=0.5", "*"):
        packed = site.ask("GET", "settings", headers={"Accept-Encoding": accept})
        assert packed.headers["Content-Encoding"] == "gzip" and packed.headers["Vary"] == "Accept-Encoding"
        assert gzip.decompress(packed.body) == plain.body and len(packed.body) < len(plain.body) / 2
    for accept in ("br", "gzip;q=0", "identity"):
        assert site.ask("GET", "settings", headers={"Accept-Encoding": accept}).body == plain.body
    assert "Content-Encoding" not in site.ask("GET", "jobs", headers={"Accept-Encoding": "gzip"}).headers


def test_headers_of_every_answer(site: Site) -> None:
    for path in ("hooks", "none", "/metrics", "/healthz", "/api/openapi.json", "history/export?format=csv"):
        headers = site.ask("GET", path).headers
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Cache-Control"] == "no-store"
        assert (headers["Referrer-Policy"], headers["X-Frame-Options"]) == ("no-referrer", "DENY")


# What is wrong --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("GET", "nothing", None, 404, "there is no /api/v1/nothing"),
        ("GET", "clients?nonsense=1", None, 400, "`nonsense` is unknown"),
        ("GET", "clients?connected=yes", None, 400, "expected true or false"),
        ("GET", "clients?sort=size", None, 400, "expected client_id"),
        ("GET", "clients?limit=1e3", None, 400, "whole number from 1 to 1000"),
        ("GET", "retained/message", None, 400, "`topic` is missing"),
        ("DELETE", "retained?topic=$share/a/b", None, 400, "a shared subscription"),
        ("DELETE", "retained?filter=$share/a/b", None, 400, "a shared subscription"),
        ("GET", "retained?filter=$share/a/b", None, 400, "a shared subscription"),
        ("POST", "publish", b"{", 400, "not JSON"),
        ("POST", "publish", b"", 400, "`topic` is missing"),
        ("POST", "publish", b"[1]", 400, "expected an object"),
        ("POST", "publish", b'{"topic": 7}', 400, "expected a text"),
        ("POST", "publish", b'{"topic": "a", "qos": true}', 400, "whole number from 0 to 2"),
        ("POST", "publish", b'{"topic": "a", "retian": true}', 400, "did you mean `retain`"),
        ("POST", "publish", b'{"topic": "a", "payload_base64": "?"}', 400, "no base64"),
        ("POST", "publish", b'{"topic": "\\ud800"}', 400, "not JSON"),
        ("POST", "publish", b'{"topic": "a", "payload": NaN}', 400, "not JSON"),
        ("POST", "publish", b'{"topic": "a", "payload": 1e999}', 400, "not JSON"),
        ("POST", "publish", b'{"topic": "a", "payload": ' + b"9" * 5000 + b"}", 400, "not JSON"),
        ("POST", "publish", b"[" * 100_000, 400, "not JSON"),
        ("POST", "publish", b'{"topic": "a/+"}', 400, "wildcard"),
        ("POST", "publish", b'{"topic": "$SYS/a"}', 403, "the broker's own"),
        ("POST", "publish", b'{"topic": "a", "properties": {"user_properties": [1]}}', 400, "pairs"),
        ("POST", "publish", b'{"topic": "a", "properties": {"content": "x"}}', 400, "`content_type`"),
        ("GET", "series?names=recieved", None, 400, "expected received, sent, bytes_received"),
        ("GET", "series?span=17", None, 400, "expected 300, 3600 or 86400"),
        ("POST", "bans", b'{"by": "client", "value": "a", "seconds": 0}', 400, "`seconds`"),
    ],
)
def test_problems(site: Site, method: str, path: str, body: bytes | None, status: int, words: str) -> None:
    reply = site.ask(method, path, body)
    assert (reply.status, reply.headers["Content-Type"]) == (status, "application/problem+json"), reply.body
    problem = reply.json
    assert problem.keys() >= PROBLEM and words in problem["detail"]
    assert problem["error"]["code"] == problem["code"] and problem["error"]["message"] == problem["detail"]
    assert site.get("session")


def test_who_is_nobody_yet_sends_little(site: Site) -> None:
    """What he sends is not even read where it can be refused before."""
    large = b'{"name": "anna", "password": "' + b"x" * (16 << 10) + b'"}'
    assert site.ask("POST", "session", large, headers={"X-HookMQ": "0"}).json["code"] == "csrf"
    assert site.ask("POST", "session", large).status == 413
    longest = json.dumps({"name": "\U0001f600" * 200, "password": "\U0001f600" * 1024}).encode()
    assert site.ask("POST", "session", longest).status == 401
    for number in range(30):
        if (reply := site.ask("POST", "session", {"name": f"n{number}", "password": "x"})).status == 429:
            break
    assert reply.status == 429 and site.ask("POST", "session", b"no JSON").status == 429
    responses = site.get("/api/openapi.json")["paths"]["/api/v1/session"]["post"]["responses"]
    assert {"401", "413", "429"} <= responses.keys()


def test_bodies_of_other_types_and_sizes(site: Site) -> None:
    reply = site.ask("POST", "publish", b"topic=a", headers={"Content-Type": "text/plain"})
    assert reply.status == 415 and "application/json" in reply.json["help"]
    assert reply.json["code"] == "unsupported_media_type"
    body = b'{"topic": "a", "payload": "' + b"x" * (5 << 20) + b'"}'
    # It may be refused before all of it was sent.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError, http.client.RemoteDisconnected):
        assert site.ask("POST", "publish", body).status == 413
    assert site.get("session")


def test_a_cursor_of_somebody_elses_making(site: Site) -> None:
    import base64

    def made(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    values = [None, [], ["clients"], ["clients", 7], ["clients", "x" * 3000], ["topics", "a"], {"a": 1}]
    for path in ("clients", "subscriptions", "retained", "topics", "history", "hooks", "logs"):
        for value in values:
            reply = site.ask("GET", path, cursor=made(value))
            assert reply.status in (200, 400), (path, value, reply.body)
            if value != ["clients", "x" * 3000] and value != ["topics", "a"]:
                assert reply.status == 400
    for value in ["-1", "x", "1:x", "9" * 30 + ":1"]:
        for path in ("history", "hooks", "logs"):
            assert site.ask("GET", path, cursor=made([path, value])).status == 400, (path, value)
    # A list may have become shorter: what is behind its end is an empty page.
    assert site.get("hooks", cursor=made(["hooks", "9" * 30]))["items"] == []


# The table ------------------------------------------------------------------------------------------------


class Somebody:
    """Who may do everything."""

    name, role, via = "anna", "admin", "token"

    def identify(self, request: Request) -> Any:
        return self


def test_what_fails_is_told_without_its_secrets(caplog: pytest.LogCaptureFixture) -> None:
    def fail(ask: Any) -> None:
        raise KeyError("the password is 1234")

    api = Api(lambda: [Operation("GET", "fails", fail, "Fail")], Somebody(), "1")
    answer = api.answer(Request("GET", "/api/v1/fails", "", {}, b"", "127.0.0.1"))
    assert answer.status == 500 and b"1234" not in answer.body and b"log says why" in answer.body
    assert "get_fails failed" in caplog.text


def test_numbers_that_json_does_not_have_are_null() -> None:
    values = {"a": float("nan"), "b": [float("inf"), 1.5]}
    api = Api(lambda: [Operation("GET", "n", lambda ask: values, "Numbers")], Somebody(), "1")
    answer = api.answer(Request("GET", "/api/v1/n", "", {}, b"", "127.0.0.1"))
    assert json.loads(answer.body) == {"a": None, "b": [None, 1.5]}


def test_versions() -> None:
    def change(ask: Any) -> Answer:
        ask.check_version(3)
        return Answer({"done": True}, version=4)

    api = Api(lambda: [Operation("PUT", "thing", change, "Change", versioned=True)], Somebody(), "1")

    def put(tag: str | None) -> int:
        headers = {} if tag is None else {"if-match": tag}
        answer = api.answer(Request("PUT", "/api/v1/thing", "", headers, b"", "127.0.0.1"))
        return answer.status

    assert [put(tag) for tag in (None, "*", '"3"', 'W/"3"', 'W/"3.0ab"')] == [200] * 5
    assert [put(tag) for tag in ('"2"', 'W/"33"', '"x"')] == [412] * 3
    assert [put(tag) for tag in ("3", "x y", '"', "W/3", '"3", "4"')] == [400] * 5


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        (Text(1, 3), ["a", "abc"], ["", "abcd", 7, None, ["a"]]),
        (Text(pattern="[a-z]+", meant="letters"), ["a"], ["A", "a1", "a\n"]),
        (Integer(0, 5), [0, 5, 2.0], [-1, 6, 2.5, "2", True, None, 10**400]),
        (Number(0, 1), [0, 0.5, 1], [-0.1, 1.1, float("nan"), float("inf"), "1", False, 10**400]),
        (Boolean(), [True, False], [0, 1, "true", None]),
        (Nullable(Integer()), [None, 1], ["", False]),
        (Array(Integer(), 2), [[], [1, 2]], [[1, 2, 3], ["a"], {}, "ab"]),
        (Object([Field("a", Integer(), required=True)]), [{"a": 1}], [{}, {"a": 1, "b": 2}, {"a": "x"}, []]),
        (Object(more=Boolean()), [{}, {"x": True}], [{"x": 1}]),
        (Anything(), [None, 1, "a", []], []),
    ],
    ids=lambda value: type(value).__name__,
)
def test_schemas_read_what_they_describe(schema: Any, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        schema.read(value, "it")
    for value in bad:
        with pytest.raises(BadValue):
            schema.read(value, "it")
    assert isinstance(schema.json(), dict)
