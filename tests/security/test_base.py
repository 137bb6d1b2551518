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
    # The path of the cookie is the whole broker's: requests may come without the base.
    assert "; Path=/; " in login.header("set-cookie") and login.header("set-cookie").endswith("; Secure")
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


def test_without_a_dashboard_there_are_no_pages(start, attack):
    site = HttpSite(start(HOOKMQ__DASHBOARD="false"))
    assert site.start.link is None
    for path in ("/dashboard", "/dashboard/", "/dashboard/index.html", "/dashboard/js/app.js"):
        with attack():
            assert site.ask("GET", path).status == 404
    assert site.ask("GET", "/api/v1/session").json()["dashboard"] is False
