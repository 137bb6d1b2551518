"""Pages that send piece by piece, files, and paths that name them."""

from __future__ import annotations

import asyncio
import http.client
import os
import socket
import time
from contextlib import contextmanager
from email.utils import formatdate

import pytest

from hookmq import HookMQError, Response
from hookmq.web import File, stream

from .helpers import DEADLINE, Gate, Seen, eventually, get, request

TEXT = "text/plain; charset=utf-8"
FAILED = "the page failed; the broker's log says why\n"


@pytest.fixture
def site(broker_factory):
    """A broker with pages."""
    return broker_factory(http_port=0)


@contextmanager
def asked(site, path, method="GET"):
    """The answer to a request, before its body was read."""
    connection = http.client.HTTPConnection("127.0.0.1", site.http_port, timeout=DEADLINE)
    try:
        connection.request(method, path)
        yield connection.getresponse()
    finally:
        connection.close()


def either(kind, chunks, before=lambda: None):
    """A page of either kind that sends these pieces."""

    def page():
        before()
        yield from chunks

    async def page_later():
        before()
        for chunk in chunks:
            await asyncio.sleep(0)
            yield chunk

    return page if kind == "def" else page_later


def failures(caplog):
    return [record for record in caplog.records if record.name == "hookmq.hooks"]


KINDS = pytest.mark.parametrize("kind", ["def", "async def"])


# Generators ---------------------------------------------------------------------------------------------


@KINDS
@pytest.mark.parametrize(
    ("chunks", "body"),
    [
        (["a", "bü", b"\xff", bytearray(b"d"), memoryview(b"e")], b"ab\xc3\xbc\xffde"),
        ([], b""),
        (["", b"", "x", ""], b"x"),
        (["x" * 3_000_000, b"y" * 3_000_000], b"x" * 3_000_000 + b"y" * 3_000_000),
        (["line\n"] * 5000, b"line\n" * 5000),
    ],
    ids=["kinds", "none", "empty", "large", "many"],
)
def test_what_a_generator_sends(site, kind, chunks, body):
    site.route("/page")(either(kind, chunks))
    reply = get(site, "/page")
    assert (reply.status, reply.body, reply.headers["Content-Type"]) == (200, body, TEXT)
    assert (reply.headers["Transfer-Encoding"], reply.headers["Content-Length"]) == ("chunked", None)
    assert reply.headers["X-Content-Type-Options"] == "nosniff"


@KINDS
def test_a_generator_in_a_response(site, kind):
    page = either(kind, ["a,b\n"])
    site.route("/csv")(lambda: Response(page(), status=201, content_type="text/csv", headers={"X-A": "b"}))

    @site.route("/later")
    async def later():
        return Response(page(), content_type="text/csv")

    reply = get(site, "/csv")
    assert (reply.status, reply.text, reply.headers["X-A"]) == (201, "a,b\n", "b")
    assert reply.headers["Content-Type"] == "text/csv"
    assert (get(site, "/later").text, get(site, "/later").headers["Cache-Control"]) == ("a,b\n", None)


def test_other_iterators(site, tmp_path):
    (tmp_path / "lines").write_text("one\ntwo\n")
    opened = Seen()
    site.route("/map")(lambda: map(str, range(3)))
    site.route("/lines")(lambda: opened.append((tmp_path / "lines").open()) or opened[-1])
    assert get(site, "/map").text == "012"
    assert get(site, "/lines").text == "one\ntwo\n"
    assert request(site, "HEAD", "/lines").status == 200
    eventually(lambda: all(file.closed for file in opened) and len(opened) == 2)


@KINDS
def test_each_piece_is_sent_at_once(site, kind):
    gate = Gate()

    def page():
        yield "first"
        gate.wait()
        yield "second"

    async def page_later():
        yield "first"
        await asyncio.to_thread(gate.wait)
        yield "second"

    site.route("/page")(page if kind == "def" else page_later)
    with asked(site, "/page") as answer:
        assert answer.read(5) == b"first"
        assert gate.entered.wait(DEADLINE)
        gate.opened.set()
        assert answer.read() == b"second"


@KINDS
def test_server_sent_events(site, kind):
    gate = Gate()

    def events():
        gate.wait()
        yield 'data: {"level": 42}\n\n'

    async def events_later():
        await asyncio.to_thread(gate.wait)
        yield 'data: {"level": 42}\n\n'

    page = events if kind == "def" else events_later
    site.route("/events")(lambda: Response(page(), content_type="text/event-stream"))
    # The head comes before the first event does.
    with asked(site, "/events") as answer:
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/event-stream")
        assert answer.headers["Cache-Control"] == "no-cache"
        gate.opened.set()
        assert answer.read() == b'data: {"level": 42}\n\n'


@KINDS
@pytest.mark.parametrize("error", [ValueError("secret"), SystemExit(1)], ids=repr)
def test_an_error_before_the_first_piece(site, caplog, kind, error):
    def fail():
        raise error

    site.route("/page")(either(kind, ["never"], before=fail))
    reply = get(site, "/page")
    assert (reply.status, reply.text) == (500, FAILED)
    (record,) = failures(caplog)
    assert record.exc_info[1] is error


@KINDS
def test_a_body_that_is_no_json(site, caplog, kind):
    def page(request):
        yield str(request.json())

    async def page_later(request):
        yield str(request.json())

    site.route("/page")(page if kind == "def" else page_later)
    assert request(site, "POST", "/page", "{").status == 400
    assert request(site, "POST", "/page", "[1]").text == "[1]"
    assert failures(caplog) == []


@KINDS
@pytest.mark.parametrize("bad", [5, None, {"level": 1}, "\ud800"], ids=repr)
def test_an_error_between_pieces_breaks_the_answer_off(site, caplog, kind, bad):
    site.route("/page")(either(kind, ["good", bad, "never"]))
    with asked(site, "/page") as answer, pytest.raises(http.client.IncompleteRead) as caught:
        answer.read()
    assert caught.value.partial == b"good"
    (record,) = eventually(lambda: failures(caplog))
    assert "/page" in record.getMessage()
    assert isinstance(record.exc_info[1], TypeError if bad != "\ud800" else UnicodeEncodeError)


@KINDS
def test_a_browser_that_goes(site, caplog, kind):
    ends = Seen()

    def page():
        try:
            while True:
                yield "x" * 1000
        finally:
            ends.append("def")

    async def page_later():
        try:
            yield "x"
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)
            ends.append("async def")

    site.route("/page")(page if kind == "def" else page_later)
    with asked(site, "/page") as answer:
        assert answer.read(1) == b"x"
    assert ends.until(1) == [kind]
    assert failures(caplog) == []


@KINDS
def test_a_browser_that_does_not_read_holds_nobody_up(site, kind):
    piece, made = bytes(64 << 10), Seen()

    def endless():
        while True:
            made.append(1)
            yield piece

    async def endless_later():
        while True:
            made.append(1)
            yield piece

    @site.route("/later")
    async def later():
        return "later"

    site.route("/page")(endless if kind == "def" else endless_later)
    site.route("/quick")(lambda: "quick")
    connections = [socket.create_connection(("127.0.0.1", site.http_port)) for _ in range(8)]
    try:
        for connection in connections:
            connection.sendall(b"GET /page HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(12) == b"HTTP/1.1 200"
        # Until nothing is made any more: all of them have what they take.
        before = -1
        while before != len(made):
            before = len(made)
            for _ in range(5):
                assert (get(site, "/quick").text, get(site, "/later").text) == ("quick", "later")
        # What the system's buffers of a connection take, and a little.
        assert len(made) < 8 * 400
    finally:
        for connection in connections:
            connection.close()


def test_head_does_not_run_a_generator(site):
    ran = Seen()
    for kind in ("def", "async def"):
        site.route(f"/{kind[:3]}")(either(kind, ["x"], before=lambda: ran.append(1)))
        reply = request(site, "HEAD", f"/{kind[:3]}")
        assert (reply.status, reply.body, reply.headers["Content-Type"]) == (200, b"", TEXT)
    assert ran == []


def test_more_generators_than_there_may_be(site, monkeypatch):
    monkeypatch.setattr(stream, "MAX_THREADS", 2)
    gate = Gate()
    site.route("/page")(lambda: (gate.wait() or "x" for _ in range(1)))
    with asked(site, "/page") as one, asked(site, "/page") as other:
        assert get(site, "/page").status == 503
        gate.opened.set()
        assert (one.read(), other.read()) == (b"x", b"x")
    eventually(lambda: get(site, "/page").text == "x")


def test_a_stop_ends_generators(broker_factory, caplog):
    site = broker_factory({"hooks.stop_grace": 3}, http_port=0)
    ends = Seen()

    @site.route("/def")
    def page():
        try:
            while True:
                yield "x"
                time.sleep(0.01)
        finally:
            ends.append("def")

    @site.route("/async")
    async def page_later():
        try:
            yield "x"
            await asyncio.sleep(3600)
        finally:
            ends.append("async def")

    with asked(site, "/def") as one, asked(site, "/async") as other:
        assert (one.read(1), other.read(1)) == (b"x", b"x")
        began = time.monotonic()
        site.stop()
        assert time.monotonic() - began < 2.5
    assert sorted(ends) == ["async def", "def"]
    assert failures(caplog) == []


# Files --------------------------------------------------------------------------------------------------

DATA = bytes(range(256)) * 4
MODIFIED = 1_700_000_000


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "data.bin"
    path.write_bytes(DATA)
    os.utime(path, (MODIFIED, MODIFIED))
    return path


def test_a_file(site, file):
    site.route("/file")(lambda: File(file, headers={"Cache-Control": "max-age=60"}))

    @site.route("/later")
    async def later():
        return File(str(file))

    reply = get(site, "/file")
    assert (reply.status, reply.body) == (200, DATA)
    assert reply.headers["Content-Length"] == str(len(DATA))
    assert reply.headers["Content-Type"] == "application/octet-stream"
    assert reply.headers["Last-Modified"] == formatdate(MODIFIED, usegmt=True)
    assert (reply.headers["Accept-Ranges"], reply.headers["Cache-Control"]) == ("bytes", "max-age=60")
    assert reply.headers["ETag"].startswith('"') and reply.headers["Content-Disposition"] is None
    assert get(site, "/later").body == DATA
    head = request(site, "HEAD", "/file", Range="bytes=0-1")
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(DATA)))
    assert head.headers["ETag"] == reply.headers["ETag"]
    assert request(site, "POST", "/file", "x", Range="bytes=0-1").body == DATA


def test_large_and_empty_files(site, tmp_path):
    content = os.urandom(1 << 20) * 24
    (tmp_path / "large").write_bytes(content)
    (tmp_path / "empty").touch()
    site.route("/{name}")(lambda name: File(name, root=tmp_path))
    reply = get(site, "/large")
    assert (reply.body == content, reply.headers["Content-Length"]) == (True, str(len(content)))
    empty = get(site, "/empty")
    assert (empty.status, empty.body, empty.headers["Content-Length"]) == (200, b"", "0")
    assert request(site, "GET", "/empty", Range="bytes=0-").status == 416


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("a.html", "text/html; charset=utf-8"),
        ("a.CSV", "text/csv; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.png", "image/png"),
        ("a.tar.gz", "application/gzip"),
        ("a", "application/octet-stream"),
    ],
)
def test_the_type_of_a_file(site, tmp_path, name, content_type):
    (tmp_path / name).write_text("x")
    site.route("/file")(lambda: File(tmp_path / name))
    site.route("/own")(lambda: File(tmp_path / name, content_type="text/x-own"))
    assert get(site, "/file").headers["Content-Type"] == content_type
    assert get(site, "/own").headers["Content-Type"] == "text/x-own"


def test_a_file_to_save(site, file):
    site.route("/file")(lambda: File(file, filename='flöw "1".csv'))
    reply = get(site, "/file")
    expected = "attachment; filename=\"fl_w _1_.csv\"; filename*=UTF-8''fl%C3%B6w%20%221%22.csv"
    assert reply.headers["Content-Disposition"] == expected
    assert reply.headers["Content-Type"] == "text/csv; charset=utf-8"


def test_a_file_that_the_browser_has(site, file):
    site.route("/file")(lambda: File(file))
    tag = get(site, "/file").headers["ETag"]
    after, before = (formatdate(MODIFIED + more, usegmt=True) for more in (0, -1))
    for headers, status in [
        ({"If_None_Match": tag}, 304),
        ({"If_None_Match": f'"other", W/{tag}'}, 304),
        ({"If_None_Match": "*"}, 304),
        ({"If_None_Match": '"other"'}, 200),
        ({"If_None_Match": '"other"', "If_Modified_Since": after}, 200),
        ({"If_Modified_Since": after}, 304),
        ({"If_Modified_Since": before}, 200),
        ({"If_Modified_Since": "yesterday"}, 200),
        ({"If_None_Match": tag, "Range": "bytes=0-1"}, 304),
    ]:
        for method in ("GET", "HEAD"):
            reply = request(site, method, "/file", **headers)
            assert (reply.status, reply.headers["ETag"]) == (status, tag), headers
            assert reply.body == (DATA if (status, method) == (200, "GET") else b"")
    file.write_bytes(b"changed")
    assert request(site, "GET", "/file", If_None_Match=tag).body == b"changed"


@pytest.mark.parametrize(
    ("asked_for", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=1000-", 1000, 1024),
        ("bytes=1000-9999", 1000, 1024),
        ("bytes=-24", 1000, 1024),
        ("bytes=-9999", 0, 1024),
        ("Bytes= 5-6", 5, 7),
        ("bytes=1024-", None, None),
        ("bytes=9999-10000", None, None),
        ("bytes=-0", None, None),
        ("bytes=5-4", 0, None),
        ("bytes=-", 0, None),
        ("bytes=0-1,5-6", 0, None),
        ("bytes=a-b", 0, None),
        ("bytes=²-", 0, None),
        (f"bytes={'9' * 5000}-", 0, None),
        ("lines=0-1", 0, None),
        ("nonsense", 0, None),
    ],
)
def test_a_part_of_a_file(site, file, asked_for, start, stop):
    site.route("/file")(lambda: File(file))
    reply = request(site, "GET", "/file", Range=asked_for.encode())
    if start is None:
        assert (reply.status, reply.headers["Content-Range"]) == (416, "bytes */1024")
    elif stop is None:
        assert (reply.status, reply.body, reply.headers["Content-Range"]) == (200, DATA, None)
    else:
        assert (reply.status, reply.body) == (206, DATA[start:stop])
        assert reply.headers["Content-Range"] == f"bytes {start}-{stop - 1}/1024"
        assert reply.headers["Content-Length"] == str(stop - start)


def test_a_part_of_a_file_that_has_changed(site, file):
    site.route("/file")(lambda: File(file))
    whole = get(site, "/file").headers
    for mark, status in [(whole["ETag"], 206), (whole["Last-Modified"], 206), ('"other"', 200)]:
        assert request(site, "GET", "/file", Range="bytes=0-9", If_Range=mark).status == status


def test_what_is_no_file(site, caplog, tmp_path, file):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "none", tmp_path, tmp_path / "pipe", file / "below", "a\0b", "", "x" * 300):
        site.route("/file")(lambda path=path: File(path))
        for method in ("GET", "HEAD"):
            assert request(site, method, "/file").status == 404, path
    assert failures(caplog) == []


# Paths --------------------------------------------------------------------------------------------------


def test_the_rest_of_a_path(site):
    site.route("/{all:path}")(lambda all: f"all {all}")
    site.route("/files/{rest:path}")(lambda request, rest: f"rest {rest} {request.params['rest']}")
    site.route("/files/{one}")(lambda one: f"one {one}")
    site.route("/{user}/files/{rest:path}")(lambda user, rest: f"{user} {rest}")
    site.route("/files/a/b")(lambda: "fixed")
    for path, text in [
        ("/files/a/b", "fixed"),
        ("/files/a", "one a"),
        ("/files/a/c.d", "rest a/c.d a/c.d"),
        ("/tank/files/a%20b/c", "tank a b/c"),
        ("/files/", "rest  "),
        ("/files", "all files"),
        ("/", "all "),
        ("/.../..a/b..", "all .../..a/b.."),
    ]:
        assert get(site, path).text == text
    site.route("/{all:path}", methods=("PUT",))(lambda all: "put")
    assert site.routes[-1].methods == ("PUT",)


def test_the_rest_of_a_path_does_not_lead_outside(site, tmp_path):
    (tmp_path / "secret").write_text("secret")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "page.txt").write_text("page")
    (inside / "link").symlink_to(tmp_path / "secret")
    site.route("/joined/{rest:path}")(lambda rest: File(inside / rest))
    site.route("/rooted/{rest:path}")(lambda rest: File(rest, root=inside))
    site.route("/asked")(lambda request: File(request.query["name"], root=inside))
    assert [get(site, f"/{way}/page.txt").text for way in ("joined", "rooted")] == ["page", "page"]
    assert get(site, "/asked?name=page.txt").text == "page"
    for outside in (
        "../secret",
        "..%2Fsecret",
        "%2e%2e/secret",
        "x/../../secret",
        f"{tmp_path}/secret",
        "..",
    ):
        for way in ("/joined/", "/rooted/", "/asked?name="):
            assert get(site, f"{way}{outside}").status == 404, (way, outside)
    assert get(site, "/rooted/link").status == 404


@pytest.mark.parametrize(
    "path", ["/{a:path}/b", "/x{a:path}", "/{a:path}/{b:path}", "/{a:int}", "/{a:}", "/{:path}"]
)
def test_paths_that_cannot_be(site, path):
    with pytest.raises(HookMQError) as caught:
        site.route(path)(lambda **names: "")
    assert caught.value.code == "E501"


def test_the_methods_a_path_has(site):
    site.route("/two", methods=("POST", "GET"))(lambda: "two")
    site.route("/put", methods=("PUT",))(lambda: "put")
    site.route("/own", methods=("GET",))(lambda: "own")
    site.route("/own", methods=("OPTIONS",))(lambda: "options")
    for path, allow in [("/two", "GET, HEAD, OPTIONS, POST"), ("/put", "OPTIONS, PUT")]:
        reply = request(site, "OPTIONS", path)
        assert (reply.status, reply.body, reply.headers["Allow"]) == (204, b"", allow)
    assert request(site, "OPTIONS", "/own").text == "options"
    assert request(site, "OPTIONS", "/none").status == 404
    assert request(site, "DELETE", "/own").headers["Allow"] == "GET, OPTIONS"
