"""The custom UI server: parameters, methods, what a page returns, templates, static files, redirects."""

from __future__ import annotations

import json
import os
from urllib.parse import urlencode

import pytest

from hookmq import HookMQError

from ..api.helpers import get, request

HTML, TEXT, JSON = "text/html; charset=utf-8", "text/plain; charset=utf-8", "application/json"

SERVER = """
    import os

    def echo(data):
        data["changed"] = "yes"
        return data

    def nothing():
        return "<p>nothing"

    def table(data):
        return "table.html"

    def where(data):
        return {"cwd": os.getcwd()}

    def many(data=None):
        return [1, data]

    def broken(data):
        raise LookupError("no such pump")

    def missing(data):
        return "missing.html"

    def outside(data):
        return "../conf/mqtt.conf.html"

    def custom_urls():
        return {
            "URL_REDIRECT": "/table",
            "urls": [{"/echo": echo}, {"/nothing": nothing}, {"/table": table}, {"where": where},
                     {"/many": many}, {"/broken": broken}, {"/missing": missing, "/outside": outside}],
        }
"""


@pytest.fixture
def site(home, run_home):
    home.extension("custom_ui_server.py", SERVER)
    home.write(
        "ui/table.html",
        "{% include 'head.html' %}<p>{{ data.get('name', '') }}<script src={{ static_url('js/x.js') }}>",
    )
    home.write("ui/head.html", "<h1>head</h1>")
    home.write("ui/static/js/x.js", "let x")
    home.write("ui/secret.txt", "not to be served")
    return run_home(home)


def test_parameters(site):
    assert get(site, "/echo?a=1&b=x%20y&a=2").body == b'{"a": "2", "b": "x y", "changed": "yes"}'
    form = urlencode({"level": "42", "name": "tür"})
    reply = request(site, "POST", "/echo?level=1", form, Content_Type="application/x-www-form-urlencoded")
    assert json.loads(reply.body) == {"level": "42", "name": "tür", "changed": "yes"}
    body = json.dumps({"level": 42, "on": True, "deep": {"a": [1]}, "text": "t"})
    reply = request(site, "POST", "/echo", body, Content_Type="application/json; charset=utf-8")
    assert json.loads(reply.body) == {
        "level": "42",
        "on": "true",
        "deep": '{"a": [1]}',
        "text": "t",
        "changed": "yes",
    }
    assert request(site, "POST", "/echo", "{", Content_Type="application/json").status == 400
    head = 'Content-Disposition: form-data; name="file"; filename="a.txt"'
    parts = f"--X\r\n{head}\r\n\r\nhällo\r\n--X--\r\n".encode()
    reply = request(site, "POST", "/echo", parts, Content_Type="multipart/form-data; boundary=X")
    assert json.loads(reply.body) == {"file": "hällo", "changed": "yes"}
    assert json.loads(request(site, "DELETE", "/echo?id=7").body) == {"id": "7", "changed": "yes"}
    assert request(site, "PUT", "/echo").status == 405


def test_what_a_page_returns(site, home):
    reply = get(site, "/nothing")
    assert (reply.status, reply.headers["Content-Type"], reply.body) == (200, HTML, b"<p>nothing")
    assert get(site, "/many").body == b"[1, {}]"
    here = os.getcwd()
    assert json.loads(get(site, "/where").body) == {"cwd": str(home.path / "bin")}
    assert os.getcwd() == here


def test_templates(site, home):
    reply = get(site, "/table?name=%3Cb%3E")
    assert reply.headers["Content-Type"] == HTML
    assert reply.text == "<h1>head</h1><p>&lt;b&gt;<script src=/static/js/x.js>"
    path = home.write("ui/head.html", "<h2>changed</h2>")
    os.utime(path, ns=(1, 1))
    assert get(site, "/table").text.startswith("<h2>changed</h2>")


def test_static_files(site, home):
    reply = get(site, "/static/js/x.js")
    assert (reply.status, reply.body) == (200, b"let x")
    (home.path / "ui/static/link.txt").symlink_to(home.path / "ui/secret.txt")
    for path in (
        "/static/../secret.txt",
        "/static/%2e%2e/secret.txt",
        "/static/link.txt",
        "/static/none.js",
        "/static/",
    ):
        assert get(site, path).status == 404, path


def test_redirect_and_errors(site, home):
    reply = get(site, "/")
    assert (reply.status, reply.headers["Location"]) == (302, "/table")
    for path in ("/broken", "/missing", "/outside"):
        reply = get(site, path)
        assert reply.status == 500 and b"pump" not in reply.body and b"conf" not in reply.body, path
    site.stop()
    assert "LookupError: no such pump" in home.log
    assert "there is no template missing.html" in home.log


def test_pages_are_on_the_port_of_the_web_socket_too(site):
    class Other:
        http_port = site.http_ports[-1]

    assert get(Other(), "/nothing").body == b"<p>nothing"


def test_pages_run_beside_each_other(home, run_home):
    """Pages that wait for each other: one thread would never answer."""
    home.extension(
        "custom_ui_server.py",
        """
        import threading
        meeting = threading.Barrier(3, timeout=8)

        def meet():
            meeting.wait()
            return "met"

        def custom_urls():
            return {"urls": [{"/meet": meet}]}
        """,
    )
    broker = run_home(home)
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(3) as pool:
        replies = list(pool.map(lambda _: get(broker, "/meet").body, range(3)))
    assert replies == [b"met"] * 3


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("x = 1", "does not define custom_urls"),
        ("def custom_urls(): return []", "returned list, not a dict"),
        ("def custom_urls(): return {'urls': {}}", "urls is dict, not a list"),
        ("def custom_urls(): return {'urls': ['/x']}", "an entry of urls is str"),
        ("def custom_urls(): return {'urls': [{'/x': 'y'}]}", "not a function"),
        (
            "def f(a, b): pass\ndef custom_urls(): return {'urls': [{'/x': f}]}",
            "given the parameters, or nothing",
        ),
        ("def f(): pass\ndef custom_urls(): return {'urls': [{'/{x:y}': f}]}", "neither"),
        (
            "def custom_urls(): return {'AUTHENTICATION': 'PERHAPS', 'urls': []}",
            "AUTHENTICATION is 'PERHAPS'",
        ),
        (
            "def f(): pass\ndef custom_urls(): return {'AUTHENTICATION': 'ENABLE', 'urls': [{'/login': f}]}",
            "/login is a page of the login",
        ),
    ],
)
def test_what_cannot_be_served(home, run_home, body, reason):
    home.extension("custom_ui_server.py", body)
    with pytest.raises(HookMQError, match=reason) as failure:
        run_home(home)
    assert failure.value.code == "E803" and failure.value.help
