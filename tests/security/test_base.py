"""Behind a proxy that serves the broker below a path, and without a dashboard."""

from __future__ import annotations

import pytest

from .exchange import HttpSite, check_api, live

BASE = "/mqtt-broker"


@pytest.fixture(scope="module")
def based(start) -> HttpSite:
    return HttpSite(start(HOOKMQ__HTTP_BASE=BASE, HOOKMQ__HTTP_HOSTS="broker.example"))


def test_paths_are_the_same_with_it_and_without(based):
    for base in ("", BASE):
        page = based.ask("GET", f"{base}/")
        assert page.status == 200 and f'<base href="{BASE}/">'.encode() in page.body
        check_api(based.ask("GET", f"{base}/api/v1/session"))
        assert based.ask("GET", f"{base}/api/v1/session").json()["setup"] is True
        assert based.ask("GET", f"{base}/hello/x").body == b"hello x"
        assert based.ask("GET", f"{base}/dashboard/icon.svg").media == "image/svg+xml"
        with live(based, f"{base}/api/v1/live", who=None) as (status, _):
            assert status == 101


PATHS = [
    f"{BASE}s/api/v1/session",
    f"{BASE}{BASE}/api/v1/session",
    f"{BASE}/../api/v1/session",
    f"{BASE}/..%2fapi/v1/session",
    "/mqtt-broke/api/v1/session",
    f"{BASE}//api/v1/session",
    f"{BASE}/dashboard/../../errors.py",
    f"{BASE}/dashboard/..%2f..%2ferrors.py",
    f"/{BASE}/api/v1/session",
]


@pytest.mark.parametrize("path", PATHS)
def test_nothing_else_is(based, attack, path):
    with attack():
        assert based.ask("GET", path).status in (400, 404)


def test_a_page_that_the_proxy_serves_logs_in(based, attack):
    headers = based.page(Host="broker.example", Origin="https://broker.example", X_Forwarded_For="10.0.0.1")
    headers["X-Forwarded-Proto"] = "https"
    login = based.ask("POST", f"{BASE}/api/v1/session", {"token": based.start.link}, headers=headers)
    assert login.status == 200, login
    # What else the proxy serves is not sent it; the broker's pages ask below the base in any case.
    assert f"; Path={BASE}; " in login.header("set-cookie") and login.header("set-cookie").endswith(
        "; Secure"
    )
    cookie = login.header("set-cookie").partition(";")[0]
    for host, origin in (
        ("evil.example", "https://evil.example"),
        ("broker.example", "https://evil.example"),
    ):
        with attack():
            changed = headers | {"Host": host, "Origin": origin, "Cookie": cookie}
            assert (
                based.ask(
                    "POST", f"{BASE}/api/v1/publish", {"topic": "a", "payload": 1}, headers=changed
                ).status
                == 403
            )
    done = based.ask(
        "POST", f"{BASE}/api/v1/publish", {"topic": "a", "payload": 1}, headers=headers | {"Cookie": cookie}
    )
    assert done.status == 200, done


def test_a_proxy_that_says_nothing_makes_nobody_an_admin(based, fresh, attack):
    """`proxy_pass` alone: requests come from this machine, and call the broker by its address."""
    for path in (f"{BASE}/api/v1", "/api/v1"):
        for method, what, body in (
            ("GET", "hooks", None),
            ("POST", "accounts", {"name": "eve", "password": "correct horse", "role": "admin"}),
        ):
            with attack():
                headers = {"Host": f"127.0.0.1:{based.port}", "X-HookMQ": "1"}
                answer = based.ask(method, f"{path}/{what}", body, headers=headers)
                assert answer.status == 401 and "open the link" in answer.json()["help"], answer
        with attack(), live(based, f"{path}/live", who=None) as (_, page):
            page.say({"do": "watch", "id": "w", "view": "overview"})
            assert page.close_code() == 4401
    for name in ("X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Forwarded", "Via"):
        with attack():
            assert fresh.ask("GET", "/api/v1/hooks", headers={name: "10.0.0.9"}).status == 401
    local = {"Authorization": f"Bearer {based.start.local_token}"}
    assert based.ask("GET", "/api/v1/hooks", headers=local).status == 200


def test_without_a_dashboard_there_are_no_pages(start, attack):
    site = HttpSite(start(HOOKMQ__DASHBOARD="false"))
    assert site.start.link is None
    for path in ("/dashboard", "/dashboard/", "/dashboard/index.html", "/dashboard/js/app.js"):
        with attack():
            assert site.ask("GET", path).status == 404
    assert site.ask("GET", "/api/v1/session").json()["dashboard"] is False
