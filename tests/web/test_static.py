"""The dashboard's files: as they are, once, and no others."""

from __future__ import annotations

import gzip
import http.client
import json
from pathlib import Path

import pytest

import hookmq.web.static
from hookmq.web.request import Request
from hookmq.web.static import DASHBOARD, StaticFiles


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "dashboard"
    (root / "js").mkdir(parents=True)
    (root / "index.html").write_text("<!doctype html><html><head>\n<title>HookMQ</title></head></html>")
    (root / "js" / "app.js").write_text("export const answer = 42;\n" * 100)
    (root / "js" / "small.js").write_text("1")
    (root / "icon.svg").write_text("<svg/>")
    (root / ".secret.js").write_text("no")
    (root / "notes.py").write_text("no")
    (tmp_path / "outside.js").write_text("no")
    return root


def get(files, name, method="GET", **headers):
    named = {"host": "localhost:8080"} | {key.replace("_", "-"): value for key, value in headers.items()}
    return files.answer(Request(method, "/dashboard/" + name, "", named, b"", "127.0.0.1"), name)


def test_a_file_is_sent_packed_or_as_it_is(root):
    files, body = StaticFiles(root), (root / "js" / "app.js").read_bytes()
    plain, packed = get(files, "js/app.js"), get(files, "js/app.js", accept_encoding="br, gzip")
    assert (plain.status, plain.body, plain.content_type) == (200, body, "text/javascript; charset=utf-8")
    assert gzip.decompress(packed.body) == body and packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers and plain.headers["Vary"] == "Accept-Encoding"
    assert plain.headers["ETag"] != packed.headers["ETag"]
    assert plain.headers["Cache-Control"] == "no-cache"
    assert "Content-Encoding" not in get(files, "js/app.js", accept_encoding="gzip;q=0").headers
    assert "Content-Encoding" not in get(files, "js/small.js", accept_encoding="gzip").headers


def test_who_has_it_is_told_so(root):
    files = StaticFiles(root)
    tag = get(files, "js/app.js").headers["ETag"]
    for known in (tag, f'"x", {tag}', f"W/{tag}", "*"):
        answer = get(files, "js/app.js", if_none_match=known)
        assert (answer.status, answer.body, answer.headers["ETag"]) == (304, b"", tag)
    assert get(files, "js/app.js", if_none_match='"x"').status == 200
    (root / "js" / "app.js").write_text("changed")
    answer = get(files, "js/app.js", if_none_match=tag)
    assert (answer.status, answer.body) == (200, b"changed")


def test_a_file_is_read_once(root, monkeypatch):
    files = StaticFiles(root)
    get(files, "js/app.js")
    monkeypatch.setattr(Path, "read_bytes", lambda path: 1 / 0)
    assert get(files, "js/app.js").status == 200


@pytest.mark.parametrize("page", ["<head>", '<head><base href="/other/">', '<head>\n  <base href="x">'])
@pytest.mark.parametrize("base", ["", "/mqtt-broker", '/a"><script>'])
def test_the_base_is_written_into_the_page(root, page, base):
    (root / "index.html").write_text(f"<html>{page}</head></html>")
    text = get(StaticFiles(root, base), "index.html").body.decode()
    assert text.count("<base") == 1 and "<script>" not in text
    assert f'<base href="{base}/">' in text or '"' in base


def test_headers_of_a_page(root):
    headers = get(StaticFiles(root), "index.html").headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'" in policy and "unsafe" not in policy
    assert "ws://localhost:8080" in policy and headers["X-Frame-Options"] == "DENY"
    assert "Content-Security-Policy" not in get(StaticFiles(root), "icon.svg").headers


@pytest.mark.parametrize(
    "name",
    [
        "",
        "js",
        "js/",
        "js/none.js",
        "../outside.js",
        "js/../../outside.js",
        "js/../js/app.js",
        "/etc/passwd",
        "//etc/passwd",
        "js//app.js",
        "./index.html",
        ".secret.js",
        "js/.secret.js",
        "notes.py",
        "index.html\0.js",
        "js\\app.js",
        "..\\outside.js",
        "index.html/",
        "INDEX.HTML",
        "js/app.js/x.js",
        "%2e%2e/outside.js",
        "a" * 5000 + ".js",
        "js/app.js\n",
        "ä.js",
        "\ud800.js",
    ],
    ids=lambda name: repr(name)[:40],
)
def test_nothing_else_is_served(root, name):
    answer = get(StaticFiles(root), name)
    assert answer.status == 404 and b"no" not in answer.body.replace(b"no such file", b"")


def test_which_paths_are_files():
    paths = ("/dashboard/js/app.js", "/dashboard/../x", "/dashboards", "/api/v1/hooks", "/favicon.ico")
    assert [StaticFiles.name_of(path) for path in paths] == ["js/app.js", "../x", None, None, "icon.svg"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_files_are_only_read(root, method):
    answer = get(StaticFiles(root), "index.html", method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


# On the port ----------------------------------------------------------------------------------------------


def ask(site, path, method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", site.http_port, timeout=10)
    connection.request(method, path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


@pytest.mark.parametrize("path", ["/", "/dashboard", "/dashboard/"])
def test_the_dashboard_of_the_package(broker_factory, path):
    site = broker_factory(http_port=0)
    answer, body = ask(site, path)
    assert answer.status == 200 and b'<base href="/">' in body
    assert answer.headers.get_all("X-Content-Type-Options") == ["nosniff"]
    answer, body = ask(site, path, "HEAD")
    assert (answer.status, body) == (200, b"")


def test_every_file_of_the_package_is_served(broker_factory):
    site = broker_factory(http_port=0)
    files = [path for path in DASHBOARD.rglob("*") if path.is_file()]
    assert any(path.name == "app.js" for path in files)
    connection = http.client.HTTPConnection("127.0.0.1", site.http_port, timeout=10)
    for path in files:
        name = path.relative_to(DASHBOARD).as_posix()
        if path.suffix not in hookmq.web.static._TYPES:
            continue  # licences, which browsers do not ask for
        connection.request("GET", f"/dashboard/{name}")
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200 and (name == "index.html" or body == path.read_bytes()), name
    connection.close()


def test_a_page_of_the_user_wins(broker_factory):
    site = broker_factory(http_port=0)
    site.route("/")(lambda: "mine")
    assert ask(site, "/")[1] == b"mine"
    assert b"<base" in ask(site, "/dashboard")[1]


def test_without_the_dashboard(broker_factory):
    site = broker_factory(http_port=0, dashboard=False)
    assert b"There are no pages yet" in ask(site, "/")[1]
    assert ask(site, "/dashboard")[0].status == ask(site, "/dashboard/js/app.js")[0].status == 404
    answer, body = ask(site, "/api/v1/session")
    assert answer.status == 200 and json.loads(body)["dashboard"] is False


def test_behind_a_proxy(broker_factory):
    site = broker_factory(http_port=0, http_base="/mqtt-broker")
    for path in ("/", "/mqtt-broker/", "/mqtt-broker", "/mqtt-broker/dashboard"):
        assert b'<base href="/mqtt-broker/">' in ask(site, path)[1]
    assert ask(site, "/mqtt-broker/dashboard/js/app.js")[0].status == 200
