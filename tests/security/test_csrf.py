"""Pages of somebody else's, which a browser lets ask with the user's cookie, and names that lead here."""

from __future__ import annotations

import json

import pytest

from .exchange import PASSWORD, check_api, live

PUBLISH = {"topic": "csrf", "payload": "x"}

# What a page of another site can let a browser send without being asked: forms, images, simple requests.
SIMPLE = {
    "a form": ("application/x-www-form-urlencoded", b"topic=csrf&payload=x"),
    "a form with files": (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--',
    ),
    "JSON as text": ("text/plain", json.dumps(PUBLISH).encode()),
    "a form that is JSON": ("text/plain", b'{"topic":"csrf","payload":"x="}'),
    "JSON without a type": (None, json.dumps(PUBLISH).encode()),
    "JSON": ("application/json", json.dumps(PUBLISH).encode()),
}

FROM = {
    "another site": {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"},
    "another site, an old browser": {"Origin": "http://evil.example"},
    "another port": {"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"},
    "a page in a sandbox": {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    "an old browser that says nothing": {},
    "our own page without the header": {"Origin": "OWN", "Sec-Fetch-Site": "same-origin"},
}


def own(site, headers):
    return {name: f"http://{site.host}" if value == "OWN" else value for name, value in headers.items()}


@pytest.mark.parametrize("body", SIMPLE.values(), ids=SIMPLE)
@pytest.mark.parametrize("origin", FROM.values(), ids=FROM)
def test_a_foreign_page_changes_nothing_with_a_cookie(site, attack, origin, body):
    media, data = body
    headers = {"Cookie": site.cookies["admin"], "Content-Type": media} | own(site, origin)
    with attack():
        before = site.get("topics/value?topic=csrf").status
        answer = site.do("POST", "publish", data, None, headers=headers)
        assert answer.status in (401, 403), answer
        check_api(answer)
        assert site.get("topics/value?topic=csrf").status == before == 404


@pytest.mark.parametrize("origin", FROM.values(), ids=FROM)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "reload"),
        ("DELETE", "session"),
        ("POST", "tokens"),
        ("DELETE", "accounts/vera"),
        ("PUT", "session/password"),
        ("POST", "hooks/watch/pause"),
        ("PATCH", "accounts/vera"),
        ("POST", "session"),
    ],
)
def test_no_change_at_all(site, attack, origin, method, path):
    with attack():
        answer = site.do(
            method, path, {}, None, headers={"Cookie": site.cookies["admin"]} | own(site, origin)
        )
        assert answer.status in (400, 401, 403), answer
        assert answer.status != 400 or path == "session", answer
        assert not answer.all("set-cookie")
        assert site.get("session", "admin", via="cookie").json()["user"]["name"] == "anna"


@pytest.mark.parametrize("origin", FROM.values(), ids=FROM)
def test_a_foreign_page_logs_nobody_in(site, attack, origin):
    with attack():
        body = {"name": "anna", "password": PASSWORD}
        answer = site.do("POST", "session", body, None, headers=own(site, origin))
        assert (answer.status, answer.json()["code"]) == (403, "csrf"), answer
        assert not answer.all("set-cookie")


@pytest.mark.parametrize("origin", [*FROM.values()][:4], ids=[*FROM][:4])
def test_a_foreign_page_reads_nothing(site, attack, origin):
    with attack():
        headers = {"Cookie": site.cookies["admin"], "Access-Control-Request-Method": "POST"} | own(
            site, origin
        )
        for method in ("GET", "OPTIONS"):
            answer = site.ask(method, "/api/v1/accounts", headers=headers)
            # Without a header that allows it a browser hands nothing over.
            assert not [name for name, _ in answer.headers if name.startswith("access-control")]
            assert "Sec-Fetch-Site" not in origin or answer.status in (401, 405), answer


def test_methods_are_not_what_a_header_says(site, attack):
    for name in ("X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"):
        with attack():
            answer = site.ask(
                "GET", "/api/v1/accounts/vera", who="admin", via="cookie", headers={name: "DELETE"}
            )
            assert answer.status == 405
            assert site.ask("GET", "/api/v1/accounts?_method=DELETE", who="admin").status == 400


# A program of this machine, and who says he is one ----------------------------------------------------------

PRETENDERS = {
    "another site": {"Origin": "http://evil.example", "X-HookMQ": "1"},
    "another port": {"Origin": "http://localhost:3000", "X-HookMQ": "1"},
    "a page without an origin": {"Sec-Fetch-Site": "cross-site", "X-HookMQ": "1"},
    "a page of our own": {"Origin": "OWN", "X-HookMQ": "1"},
    "a page that was found by a link": {"Referer": "http://evil.example/", "X-HookMQ": "1"},
    "a sandbox": {"Origin": "null", "X-HookMQ": "1"},
    "a simple request": {},
    "a proxy": {"X-Forwarded-For": "10.0.0.9", "X-HookMQ": "1"},
    "another proxy": {"Forwarded": "for=10.0.0.9", "X-HookMQ": "1"},
    "a proxy of TLS": {"X-Forwarded-Proto": "https", "X-HookMQ": "1"},
    "an address of somebody else's": {"Host": "10.0.0.1", "X-HookMQ": "1"},
}


@pytest.mark.parametrize("headers", PRETENDERS.values(), ids=PRETENDERS)
def test_before_there_is_an_account_only_programs_of_this_machine_change_anything(fresh, attack, headers):
    with attack():
        answer = fresh.do("POST", "publish", PUBLISH, None, headers=own(fresh, headers))
        assert answer.status in (401, 403), answer
        answer = fresh.do(
            "POST",
            "accounts",
            {"name": "eve", "password": PASSWORD, "role": "admin"},
            None,
            headers=own(fresh, headers),
        )
        assert answer.status in (401, 403), answer
        assert fresh.get("session", None).json()["setup"] is True


def test_a_program_may(fresh):
    assert fresh.do("POST", "publish", PUBLISH, None, headers={"X-HookMQ": "1"}).status == 200


# DNS rebinding ----------------------------------------------------------------------------------------------

REBOUND = [
    "evil.example",
    "evil.example:{port}",
    "127.0.0.1.evil.example:{port}",
    "localhost.evil.example",
    "evil.localhost.example",
    "127.1:{port}",
    "2130706433:{port}",
    "0x7f000001",
    "017700000001",
    "localhost:{port}@evil.example",
    "localhost evil.example",
    "",
    "evil.example:99999",
    "[::1",
    "[::ffff:evil]",
    "localhost/",
    "localhost?",
    "localhost\\",
    "xn--localhost",
    "lоcalhost",
]


@pytest.mark.parametrize("host", REBOUND)
def test_a_name_that_leads_here_is_none_of_ours(fresh, site, attack, host):
    for one in (fresh, site):
        named = host.replace("{port}", str(one.port))
        with attack():
            answer = one.get("hooks", None, headers={"Host": named})
            assert answer.status in (400, 403), answer
            changed = one.do(
                "POST",
                "publish",
                PUBLISH,
                None,
                headers={"Host": named, "X-HookMQ": "1", "Origin": f"http://{named}"},
            )
            assert changed.status in (400, 403), changed


@pytest.mark.parametrize("host", REBOUND[:10])
def test_a_name_that_leads_here_opens_no_live_feed(fresh, site, attack, host):
    for one in (fresh, site):
        named = host.replace("{port}", str(one.port))
        with attack(), live(one, who=None, Host=named, Origin=f"http://{named}") as (status, socket):
            assert status in (400, 401, 403) or socket.close_code() in (4401, 4403)


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "http://localhost:3000",
        "https://evil.example:{port}",
        "http://localhost:{port}.evil.example",
    ],
)
def test_a_foreign_page_opens_no_live_feed(fresh, site, attack, origin):
    for one, who in ((fresh, None), (site, "admin")):
        with attack(), live(one, who=who, Origin=origin.replace("{port}", str(one.port))) as (status, socket):
            assert status in (401, 403) or socket.close_code() in (4401, 4403)


@pytest.mark.parametrize("path", ["/api/v1/live", "/mqtt"])
def test_a_foreign_page_opens_no_websocket(site, attack, path):
    with (
        attack(),
        live(site, path, who="admin", Origin="http://evil.example", Sec_WebSocket_Protocol="mqtt") as (
            status,
            socket,
        ),
    ):
        assert status in (401, 403) or socket.close_code() in (4401, 4403)
