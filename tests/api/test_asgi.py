"""Applications of ASGI that are mounted: Starlette's, FastAPI's, and some that misbehave."""

from __future__ import annotations

import ast
import asyncio
import http.client
import json
import os
import socket
import time

import pytest

from hookmq import HookMQError

from .asgi_apps import BINARY, CLOSE, END, Endless, Lifespan, Steps, browser, fastapi_app, starlette_app, tell
from .helpers import DEADLINE, Seen, eventually, get, request

FAILED = "the application failed; the broker's log says why\n"
START = {"type": "http.response.start", "status": 200, "headers": []}
BODY = {"type": "http.response.body", "body": b"some"}
MORE = BODY | {"more_body": True}


@pytest.fixture
def site(broker_factory):
    """A broker with pages."""
    return broker_factory(http_port=0)


@pytest.fixture
def seen():
    return Seen()


@pytest.fixture
def app(site, seen, tmp_path):
    """Starlette's answers, below /app."""
    (tmp_path / "data.bin").write_bytes(bytes(range(256)) * 1000)
    site.mount("/app", starlette_app(seen, tmp_path))
    return site


def failures(caplog):
    return [record for record in caplog.records if record.name == "hookmq.hooks"]


def start_of(site, path):
    """Ask, and return the connection and the answer before its body was read."""
    connection = http.client.HTTPConnection("127.0.0.1", site.http_port, timeout=DEADLINE)
    connection.request("GET", path)
    return connection, connection.getresponse()


# Requests and answers -----------------------------------------------------------------------------------


def test_the_scope(site):
    site.mount("/app", tell)
    reply = request(site, "POST", "/app/a%20b/%C3%BC?x=1&y=%C3%BC", b"12345", X_Own="vÄlue".encode())
    told = json.loads(reply.text)
    scope = ast.literal_eval(told.pop("scope"))
    assert (reply.status, told) == (203, {"body": 5, "more": False})
    # http.client reads headers as Latin-1; the second value is sent as UTF-8.
    assert reply.headers.get_all("X-Twice") == ["1", "ü".encode().decode("latin-1")]
    headers = scope.pop("headers")
    assert (b"x-own", "vÄlue".encode()) in headers
    assert (b"host", f"127.0.0.1:{site.http_port}".encode()) in headers
    address, _ = scope.pop("client")
    assert address == "127.0.0.1"
    assert scope == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/app/a b/ü",
        "raw_path": b"/app/a%20b/%C3%BC",
        "root_path": "/app",
        "query_string": b"x=1&y=%C3%BC",
        "server": ("127.0.0.1", site.http_port),
        "state": {},
    }


def test_large_bodies(site):
    async def echo(scope, receive, send):
        body = (await receive())["body"]
        await send(START)
        await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": bytearray(body)})

    site.mount("/", echo)
    body = os.urandom(4_000_000)
    assert request(site, "PUT", "/x", body).body == body + body


def test_starlette(app, tmp_path):
    assert json.loads(get(app, "/app/plain").text) == {
        "path": "/app/plain",
        "url": f"http://127.0.0.1:{app.http_port}/app/plain",
    }
    assert (get(app, "/app/none").status, get(app, "/app/none").text) == (404, "Not Found")
    assert request(app, "DELETE", "/app/plain").status == 405
    reply = get(app, "/app/events")
    assert (reply.text, reply.headers["Content-Type"]) == (
        "data: 1\n\ndata: 2\n\n",
        "text/event-stream; charset=utf-8",
    )
    data = (tmp_path / "data.bin").read_bytes()
    reply = get(app, "/app/file")
    assert (reply.body, reply.headers["Content-Length"]) == (data, str(len(data)))
    assert request(app, "GET", "/app/file", Range="bytes=5-9").body == data[5:10]
    assert request(app, "POST", "/app/watch", "x").text == "False"
    for path in ("/app/plain", "/app/file"):
        head, whole = request(app, "HEAD", path), get(app, path)
        assert (head.status, head.body) == (200, b"")
        assert head.headers["Content-Length"] == str(len(whole.body))
    assert request(app, "HEAD", "/app/events").body == b""


def test_fastapi(site, seen, caplog):
    site.mount("/api", fastapi_app(seen))
    assert json.loads(get(site, "/api/tanks/7?unit=m3").text) == {"tank": 7, "said": "hello", "unit": "m3"}
    assert get(site, "/api/tanks/seven").status == 422
    reply = request(site, "POST", "/api/tanks", '{"tank": 7, "level": 1.5}', Content_Type="application/json")
    assert (reply.status, json.loads(reply.text)) == (201, {"tank": 7, "level": 1.5})
    eventually(lambda: list(seen) == ["startup", 1.5])
    reply = get(site, "/api/cookies")
    assert [value for name, value in reply.pairs if name.lower() == "set-cookie"] == [
        "a=1; Path=/; SameSite=lax",
        "b=2; Path=/; SameSite=lax",
    ]
    reply = get(site, "/api/teapot")
    assert (reply.status, json.loads(reply.text)) == (418, {"detail": "short and stout"})
    assert json.loads(get(site, "/api/openapi.json").text)["servers"] == [{"url": "/api"}]
    assert "/api/openapi.json" in get(site, "/api/docs").text
    reply = get(site, "/api/tanks/7/")
    assert (reply.status, reply.headers["Location"].endswith("/api/tanks/7")) == (307, True)
    assert failures(caplog) == []
    for _ in range(3):
        reply = get(site, "/api/fail")
        assert (reply.status, reply.text) == (500, "Internal Server Error")
    (record,) = eventually(lambda: failures(caplog))
    assert record.getMessage() == "the application at /api raised ValueError: secret"
    with browser(site, "/api/ws/hall") as socket:
        socket.send("hello")
        assert socket.read() == "hello hall hello"
    site.stop()
    assert seen[-1] == "shutdown"


def test_which_of_pages_and_applications_answers(site):
    def named(name):
        return Steps(START, {"type": "http.response.body", "body": name.encode()})

    site.route("/{page}/x")(lambda page: f"page {page}")
    site.route("/app/own")(lambda: "own")
    site.route("/app/own/{part}")(lambda part: f"own {part}")
    site.route("/app/put", methods=("PUT",))(lambda: "put")
    site.mount("/app/", named("app"))
    site.mount("/app/inner", named("inner"))
    for path, text in [
        ("/app", "app"),
        ("/app/", "app"),
        ("/app/x", "app"),
        ("/app/own", "own"),
        ("/app/own/7", "own 7"),
        ("/app/own/7/8", "app"),
        ("/app/inner", "inner"),
        ("/app/inner/x", "inner"),
        ("/app/innermost", "app"),
        ("/other/x", "page other"),
        ("/%61pp/y", "app"),
    ]:
        assert get(site, path).text == text, path
    assert get(site, "/application").status == 404
    assert get(site, "/app/put").status == 405
    site.mount("/", named("root"))
    assert [get(site, path).text for path in ("/", "/application", "/app/own")] == ["root", "root", "own"]
    site.mount("/app", named("new"))
    assert get(site, "/app/x").text == "new"
    assert [info.path for info in site.routes[-3:]] == ["/app/inner", "/app", "/"]


# Life ---------------------------------------------------------------------------------------------------


def test_an_application_starts_and_stops_with_the_broker(broker_factory):
    site, app = broker_factory(http_port=0, start=False), Lifespan()
    site.mount("/app", app)
    for _ in range(2):
        app.told.clear()
        with site:
            assert [get(site, "/app").text for _ in range(2)] == ["here", "here"]
        assert app.told == ["startup", {"from": "start"}, {"from": "start"}, "shutdown"]


def test_an_application_that_is_mounted_later_starts_at_once(site):
    first, second = Lifespan(), Lifespan()
    site.mount("/app", first)
    assert first.told.until(1) == ["startup"]
    site.mount("/app", second)
    assert first.told.until(2) == ["startup", "shutdown"]
    assert get(site, "/app").text == "here"


def test_an_application_that_cannot_start(site, caplog):
    app = Lifespan(startup="failed")
    site.mount("/app", app)
    for _ in range(2):
        reply = get(site, "/app")
        assert (reply.status, "could not be started" in reply.text) == (503, True)
    (record,) = eventually(lambda: failures(caplog))
    assert record.getMessage() == "the application at /app raised RuntimeError: no startup today"
    with browser(site, "/app/x") as socket:
        assert socket.read_close() == 1011
    site.stop()
    assert len(failures(caplog)) == 1


def test_an_application_that_fails_to_stop(site, caplog):
    site.mount("/app", Lifespan(shutdown="failed"))
    assert get(site, "/app").text == "here"
    site.stop()
    (record,) = failures(caplog)
    assert record.getMessage() == "the application at /app raised RuntimeError: no shutdown today"


def test_an_application_that_does_not_stop(broker_factory):
    site = broker_factory({"hooks.stop_grace": 0.3}, http_port=0)

    async def stubborn(scope, receive, send):
        if scope["type"] == "lifespan":
            await send({"type": "lifespan.startup.complete"})
            await asyncio.sleep(3600)
        await Steps(START, BODY)(scope, receive, send)

    site.mount("/app", stubborn)
    assert get(site, "/app").text == "some"
    began = time.monotonic()
    site.stop()
    assert time.monotonic() - began < DEADLINE / 2


# What goes wrong ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "status", "text", "problem"),
    [
        ([], 500, FAILED, "returned before"),
        ([START], 500, FAILED, "returned before"),
        ([BODY], 500, FAILED, "before http.response.start"),
        ([START, START], 500, FAILED, "sent twice"),
        ([{"type": "http.response.trailers"}], 500, FAILED, "nothing that can be sent"),
        ([ValueError("secret")], 500, FAILED, "ValueError: secret"),
        ([SystemExit(3)], 500, FAILED, "SystemExit: 3"),
        ([START, ValueError("secret")], 500, FAILED, "ValueError: secret"),
        ([START, BODY, BODY], 200, "some", "the answer is complete"),
        ([START, BODY, ValueError("late")], 200, "some", "ValueError: late"),
        ([START, MORE, BODY, ValueError("late")], 200, "somesome", "ValueError: late"),
    ],
)
def test_an_application_that_fails(site, caplog, steps, status, text, problem):
    site.mount("/app", Steps(*steps))
    reply = get(site, "/app")
    assert (reply.status, reply.text) == (status, text)
    (record,) = eventually(lambda: failures(caplog))
    assert record.getMessage().startswith("the application at /app raised ")
    assert problem in record.getMessage()


@pytest.mark.parametrize("end", [[], [ValueError("x")], [SystemExit()]], ids=repr)
def test_an_answer_that_is_not_complete_is_broken_off(site, caplog, end):
    site.mount("/app", Steps(START, MORE, *end))
    with pytest.raises(http.client.IncompleteRead) as caught:
        get(site, "/app")
    assert caught.value.partial == b"some"
    assert len(eventually(lambda: failures(caplog))) == 1


def test_a_stream_that_fails_in_starlette(app, caplog):
    with pytest.raises(http.client.IncompleteRead):
        get(app, "/app/broken")
    (record,) = eventually(lambda: failures(caplog))
    assert "in the middle" in record.getMessage()


def test_head_of_an_answer_in_pieces(site, caplog):
    site.mount("/app", Steps(START, MORE, MORE, BODY))
    assert request(site, "HEAD", "/app").body == b""
    assert get(site, "/app").text == "somesomesome"
    assert failures(caplog) == []


def test_the_head_of_a_stream_does_not_wait_for_its_first_piece(app, seen):
    connection, answer = start_of(app, "/app/late")
    assert answer.status == 200
    seen.append("go")
    assert answer.read() == b"late"
    connection.close()


def test_a_browser_that_goes_ends_a_stream(app, seen, caplog):
    connection, answer = start_of(app, "/app/events?wait=3600")
    assert answer.read(9) == b"data: 1\n\n"
    answer.close()
    connection.close()
    assert seen.until(1) == ["events over"]
    assert failures(caplog) == []


def test_a_browser_that_does_not_read(site, caplog):
    app = Endless()
    site.mount("/app", app)
    site.route("/quick")(lambda: "quick")
    with socket.create_connection(("127.0.0.1", site.http_port)) as peer:
        peer.sendall(b"GET /app HTTP/1.1\r\nHost: x\r\n\r\n")
        assert peer.recv(12) == b"HTTP/1.1 200"
        before = -1
        while before != len(app.sent):
            before = len(app.sent)
            for _ in range(20):
                assert get(site, "/quick").text == "quick"
        # What the system's buffers of a connection take, and a little.
        assert len(app.sent) < 400
        assert app.ends == []
    assert app.ends.until(1) == [1]
    assert failures(caplog) == []


async def two(scope, receive):
    pass


def wsgi(environ, start_response):
    start_response("200 OK", [])
    return [b""]


class Flaskish:
    def __call__(self, environ, start_response):
        return wsgi(environ, start_response)


@pytest.mark.parametrize(
    ("path", "application", "problem"),
    [
        ("/app", wsgi, "a2wsgi"),
        ("/app", Flaskish(), "a2wsgi"),
        ("/app", lambda scope: None, "no application of ASGI 3.0"),
        ("/app", "app:app", "cannot be called"),
        ("/app", None, "cannot be called"),
        ("app", tell, "must begin with /"),
        ("/{app}", tell, "must begin with /"),
        (None, tell, "must begin with /"),
    ],
)
def test_what_cannot_be_mounted(site, path, application, problem):
    with pytest.raises(HookMQError) as caught:
        site.mount(path, application)
    assert caught.value.code == "E501"
    assert problem in str(caught.value)
    assert site.routes == []


# WebSockets ---------------------------------------------------------------------------------------------


def test_a_websocket(app, seen):
    with browser(app, "/app/echo?name=t%C3%BCr") as socket:
        socket.send("hello")
        assert json.loads(socket.read()) == {"said": "hello"}
        for size in (0, 1, 126, 70_000):
            socket.send(bytes(size))
            assert socket.read_frame() == (BINARY, bytes(size))
        for number in range(300):
            socket.send(str(number))
        assert [json.loads(socket.read())["said"] for _ in range(300)] == [str(n) for n in range(300)]
        socket.leave()
        assert socket.read_close() == 1000
    assert seen.until(2) == [("/app/echo", "tür", "localhost"), "echo over"]


def test_a_browser_that_goes_ends_a_websocket(app, seen, caplog):
    with browser(app, "/app/echo"), browser(app, "/app/careless") as socket:
        socket.send("x")
        seen.until(1)
    assert seen.until(2)[-1] == "echo over"
    with browser(app, "/app/echo") as socket:
        socket.send("x")
        socket.read()
    assert failures(caplog) == []


@pytest.mark.parametrize(
    ("path", "word", "code", "logged"),
    [
        ("/app/echo", "close", 4001, 0),
        ("/app/echo", "raise", 1011, 1),
        ("/app/refuse", None, 4003, 0),
        ("/app/none", None, 1000, 0),
    ],
)
def test_an_application_that_closes(app, caplog, path, word, code, logged):
    with browser(app, path) as socket:
        if word is not None:
            socket.send(word)
        assert socket.read_close() == code
    eventually(lambda: len(failures(caplog)) == logged)


def test_a_browser_that_does_not_read_its_websocket_is_sent_away(app, seen):
    with browser(app, "/app/flood"):
        assert seen.until(1) == ["flood over"]


def test_a_stop_closes_websockets(app, seen):
    with browser(app, "/app/echo") as socket:
        socket.send("x")
        socket.read()
        app.stop()
        assert socket.read_frame()[0] in (CLOSE, END)
    assert seen[-1] == "echo over"
