"""Pages of the user's own."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading

import pytest

from hookmq import HookMQError, Response

from .helpers import DEADLINE, Gate, Seen, get, request

TEXT, HTML, JSON = "text/plain; charset=utf-8", "text/html; charset=utf-8", "application/json"


@pytest.fixture
def site(broker_factory):
    """A broker with pages."""
    return broker_factory(http_port=0)


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize(
    ("value", "status", "content_type", "body"),
    [
        ("hällo", 200, TEXT, "hällo".encode()),
        (" <p>hello", 200, HTML, b" <p>hello"),
        ("", 200, TEXT, b""),
        ({"level": 42}, 200, JSON, b'{"level": 42}'),
        ([1, "ü"], 200, JSON, '[1, "ü"]'.encode()),
        (42, 200, JSON, b"42"),
        (b"\xff", 200, "application/octet-stream", b"\xff"),
        (None, 204, None, b""),
        (Response("made", status=201), 201, TEXT, b"made"),
        (Response({"a": 1}, content_type="application/ld+json"), 200, "application/ld+json", b'{"a": 1}'),
        (Response("a,b", headers={"Content-Type": "text/csv"}), 200, "text/csv", b"a,b"),
        (Response(status=303, headers={"Location": "/other"}), 303, None, b""),
    ],
    ids=str,
)
def test_what_a_page_returns(site, kind, value, status, content_type, body):
    async def later():
        await asyncio.sleep(0)
        return value

    assert site.route("/page")(page := (lambda: value) if kind == "def" else later) is page
    reply = get(site, "/page")
    assert (reply.status, reply.body) == (status, body)
    assert reply.headers["Content-Type"] == (content_type if body else None)
    if status == 303:
        assert reply.headers["Location"] == "/other"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"


def test_paths(site):
    site.route("/{anything}")(lambda anything: f"any {anything}")
    site.route("/hello")(lambda: "fixed")
    site.route("/tank/{tank}/{what}")(lambda request, what, tank: f"{tank} {what} {request.path}")
    site.route("/raw/{name}")(lambda request: request.params["name"])
    site.route("/all/{a}/{b}")(lambda **names: names)
    for path, text in [
        ("/hello", "fixed"),
        ("/other", "any other"),
        ("/tank/7/level", "7 level /tank/7/level"),
        ("/tank/t%207/l%C3%A4vel", "t 7 lävel /tank/t 7/lävel"),
        ("/raw/%3Cb%3E", "<b>"),
        ("/all/1/2", '{"a": "1", "b": "2"}'),
    ]:
        reply = get(site, path)
        assert (reply.status, reply.text) == (200, text)
    for path in ("/tank/7", "/tank//level", "/hello/", "//hello", "/tank/7/level/"):
        assert get(site, path).status == 404
    assert site.routes[0].path == "/hello"


def test_what_a_request_says(site):
    seen = Seen()

    @site.route("/say", methods=("GET", "POST"))
    def say(request):
        seen.append(request)
        return request.method

    reply = request(site, "POST", "/say?a=1&b=%C3%BC&a=2&c=", "x=1&y=a+b%26", X_Own="value")
    assert reply.text == "POST"
    (got,) = seen
    assert got.query == {"a": "2", "b": "ü", "c": ""}
    assert got.query_pairs == [("a", "1"), ("b", "ü"), ("a", "2"), ("c", "")]
    assert (got.form, got.text) == ({"x": "1", "y": "a b&"}, "x=1&y=a+b%26")
    assert (got.headers["x-own"], got.address, got.params) == ("value", "127.0.0.1", {})
    assert get(site, "/say").text == "GET"
    assert (seen[1].query, seen[1].body, seen[1].form) == ({}, b"", {})


def test_json_that_is_posted(site, caplog):
    @site.route("/json")
    def double(request):
        return {"double": request.json()["level"] * 2}

    @site.route("/own")
    def own():
        return json.loads("{ its own mistake")

    assert request(site, "POST", "/json", '{"level": 21}').text == '{"double": 42}'
    for body in ("", "{", "nothing", b"\xff\xfe\xfd", b"[" * 100_000, '{"level": }'):
        reply = request(site, "POST", "/json", body)
        assert (reply.status, reply.headers["Content-Type"]) == (400, TEXT)
        assert reply.text.startswith("the request's body is not JSON: ")
    assert caplog.records == []
    assert request(site, "POST", "/json", "[]").status == 500
    assert get(site, "/own").status == 500
    assert len(caplog.records) == 2


@pytest.mark.parametrize(
    "path",
    ["/<script>alert(1)</script>", "/%3Cscript%3Ealert(1)%3C/script%3E", "/a?<script>", "/%22onload=x"],
)
def test_an_unknown_path_is_not_echoed_as_html(site, path):
    site.route("/<b>{name}")(lambda name: name)
    site.route('/"x')(lambda: "")
    with socket.create_connection(("127.0.0.1", site.http_port)) as peer:
        peer.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: peer.recv(65536), b""))
    assert b"<script>" not in answer and b"<b>" not in answer and b'"x"' not in answer
    assert answer.startswith((b"HTTP/1.1 404", b"HTTP/1.1 400"))


def test_methods(site):
    site.route("/two", methods=("POST", "GET"))(lambda request: request.method)
    site.route("/put", methods=("put",))(lambda request: "first")
    site.route("/put", methods=("DELETE",))(lambda request: "second")
    site.route("/any")(lambda request: request.method)
    assert request(site, "POST", "/two").text == "POST"
    for path, allow in [("/two", "GET, POST"), ("/put", "DELETE, PUT")]:
        reply = request(site, "PATCH", path)
        assert (reply.status, reply.headers["Allow"]) == (405, allow)
    assert request(site, "PUT", "/put").text == "first"
    assert request(site, "DELETE", "/put").text == "second"
    assert request(site, "OPTIONS", "/any").text == "OPTIONS"
    reply = request(site, "HEAD", "/two")
    assert (reply.status, reply.body, reply.headers["Content-Type"]) == (200, b"", TEXT)
    assert request(site, "HEAD", "/put").status == 405
    assert (request(site, "HEAD", "/none").status, request(site, "HEAD", "/none").body) == (404, b"")


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize("error", [ValueError("secret"), SystemExit(1), KeyboardInterrupt()])
def test_an_error_is_in_the_log_and_not_in_the_answer(site, caplog, kind, error):
    def fail(name):
        raise error

    async def fail_later(name):
        raise error

    site.route("/fail/{name}")(fail if kind == "def" else fail_later)
    site.route("/good")(lambda: "good")
    for number in range(8):
        reply = get(site, f"/fail/{number}")
        assert (reply.status, reply.text) == (500, "the page failed; the broker's log says why\n")
    assert get(site, "/good").text == "good"
    (record,) = [record for record in caplog.records if record.name == "hookmq.hooks"]
    assert record.levelno == logging.ERROR
    assert "/fail/{name}" in record.getMessage()
    assert record.exc_info is not None and record.exc_info[1] is error


@pytest.mark.parametrize("value", [object(), {1, 2}, "\ud800", {"a": b""}], ids=repr)
def test_what_cannot_be_answered(site, value):
    site.route("/page")(lambda: value)
    assert get(site, "/page").status == 500


@pytest.mark.parametrize("status", [0, 42, 99, 100, 101, 600, 1000, 99_999, -1, "200", None, True])
def test_a_status_that_is_none_of_an_answer(site, caplog, status):
    site.route("/page")(lambda: Response("x", status=status))
    assert get(site, "/page").status == 500
    assert f"status is {status!r}, it must be from 200 to 599" in caplog.text


@pytest.mark.parametrize(
    "headers",
    [
        {"X-A": "b\r\nX-Evil: 1"},
        {"X-A": "b\nX-Evil: 1"},
        {"X-A": "b\rX-Evil: 1"},
        {"X-A\r\nX-Evil": "1"},
        {"X-A: b\r\nX-Evil": "1"},
        {"X-A": "b\0"},
        {"X-A": 5},
        {"": "b"},
        {"Set-Cookie": "a=1\r\n\r\n<script>"},
        {"Content-Length": "3"},
        {"transfer-encoding": "gzip"},
        {"Connection": "upgrade"},
    ],
    ids=str,
)
def test_headers_that_cannot_be(site, headers):
    with pytest.raises(ValueError):
        Response("hello", headers=headers)
    late = Response("hello")
    late.headers.update(headers)  # behind its back
    site.route("/checked")(lambda: Response("hello", headers=headers))
    assert get(site, "/checked").status == 500
    if not {name.lower() for name in headers} & {"content-length", "transfer-encoding"}:
        site.route("/late")(lambda: late)
        reply = get(site, "/late")
        names = {name.lower() for name, _ in reply.pairs}
        assert names <= {"content-type", "content-length", "date", "x-content-type-options", "connection"}
        assert (reply.status, reply.body) in [
            (200, b"hello"),
            (500, b"the page failed; the broker's log says why\n"),
        ]


def test_a_page_that_is_slow(broker_factory):
    site = broker_factory({"hooks.page_timeout": 0.2, "hooks.stop_grace": 0.2}, http_port=0)
    gate = Gate()
    site.route("/slow")(gate.wait)

    @site.route("/later")
    async def later():
        await asyncio.sleep(5)

    site.route("/quick")(lambda: "quick")
    for path in ("/slow", "/later"):
        reply = get(site, path)
        assert (reply.status, reply.text) == (504, "the page took too long\n")
        assert get(site, "/quick").text == "quick"
    gate.opened.set()


def test_slow_pages_do_not_hold_up_the_broker(site):
    gate = Gate()
    site.route("/slow")(lambda: gate.wait() or "done")
    replies = Seen()
    threads = [threading.Thread(target=lambda: replies.append(get(site, "/slow").text)) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert gate.entered.wait(DEADLINE)
    with site.subscribe("a") as messages:
        site.publish("a", "x")
        assert messages.get(timeout=1).text == "x"
    gate.opened.set()
    for thread in threads:
        thread.join()
    assert replies == ["done"] * 8


def test_the_size_of_a_body(site):
    site.route("/size")(lambda request: str(len(request.body)))
    limit = 16 << 20
    assert request(site, "POST", "/size", bytes(limit)).text == str(limit)
    with socket.create_connection(("127.0.0.1", site.http_port), timeout=DEADLINE) as peer:
        peer.sendall(b"POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (limit + 1))
        sent = 0
        try:
            while sent <= limit:
                sent += peer.send(bytes(65536))
        except OSError:
            assert sent > 0
        assert peer.recv(65536).startswith(b"HTTP/1.1 413")


def test_mistakes(site):
    def page(request): ...

    def two(request, other): ...

    def keyword(request, *, other): ...

    def some(request, a): ...

    for path, function, more in [
        ("page", page, {}),
        ("", page, {}),
        (5, page, {}),
        ("/{1}", page, {}),
        ("/{a}/{a}", page, {}),
        ("/page", two, {}),
        ("/page", keyword, {}),
        ("/{a}/{b}", some, {}),
        ("/page", page, {"methods": "GET"}),
    ]:
        with pytest.raises(HookMQError) as caught:
            site.route(path, **more)(function)
        assert caught.value.code == "E501"
        assert f"{function.__name__} does not fit route: " in str(caught.value)
    assert site.routes == []


def test_a_page_is_replaced_while_it_runs(site):
    site.route("/page")(lambda: "old")
    assert get(site, "/page").text == "old"
    site.route("/page")(lambda: "new")
    assert get(site, "/page").text == "new"
    assert len(site.routes) == 1


def test_the_first_page_lists_the_others(broker_factory):
    site = broker_factory(http_port=0, dashboard=False)
    assert "There are no pages yet" in get(site, "/").text
    site.route("/hello")(lambda: "hello")
    assert '<a href="/hello">/hello</a>' in get(site, "/").text
    assert get(site, "/none").status == 404
