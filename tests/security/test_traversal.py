"""Paths that lead out of the dashboard's directory."""

from __future__ import annotations

import pytest

from .exchange import check_headers

PATHS = [
    "/dashboard/../errors.py",
    "/dashboard/../../../../../../etc/passwd",
    "/dashboard/%2e%2e/errors.py",
    "/dashboard/%2e%2e%2ferrors.py",
    "/dashboard/..%2ferrors.py",
    "/dashboard/..%2f..%2f..%2f..%2fetc%2fpasswd",
    "/dashboard/%252e%252e/errors.py",
    "/dashboard/%252e%252e%252ferrors.py",
    "/dashboard/..\\errors.py",
    "/dashboard/..%5cerrors.py",
    "/dashboard/%2e%2e%5cerrors.py",
    "/dashboard/....//errors.py",
    "/dashboard/..;/errors.py",
    "/dashboard/.%00./errors.py",
    "/dashboard/index.html%00.png",
    "/dashboard/%00",
    "/dashboard/index.html%0a",
    "/dashboard//etc/passwd",
    "/dashboard/%2fetc%2fpasswd",
    "/dashboard/file:///etc/passwd",
    "/dashboard/C:%5cWindows%5cwin.ini",
    "/dashboard/js/../../errors.py",
    "/dashboard/js/%2e%2e/%2e%2e/errors.py",
    "/dashboard/./index.html",
    "/dashboard/js/./app.js",
    "/dashboard/js//app.js",
    "/dashboard/.",
    "/dashboard/..",
    "/dashboard/%2e",
    "/dashboard/js",
    "/dashboard/js/",
    "/dashboard/.git/config",
    "/dashboard/.env",
    "/dashboard/%c0%ae%c0%ae/errors.py",
    "/dashboard/%e0%80%ae%e0%80%ae/errors.py",
    "/dashboard/%u002e%u002e/errors.py",
    "/dashboard/．．/errors.py",
    "/dashboard/" + "a/" * 2000 + "x",
    "/dashboard/" + "../" * 2000 + "etc/passwd",
    "/../errors.py",
    "//etc/passwd",
    "/%2e%2e/secret.txt",
    "/..%2fsecret.txt",
    "/dashboard/..%2f..%2f..%2f..%2f..%2fsecret.txt",
    "/favicon.ico/../errors.py",
    "/api/../../secret.txt",
    "/data/accounts.json",
    "/data/api-token",
    "/dashboard/__init__.py",
    "/hello/..%2f..%2fsecret.txt",
]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path[:60])
def test_no_path_leads_out(site, attack, path):
    with attack():
        answer = site.ask("GET", path)
        assert (
            b"root:" not in answer.body and b"ErrorSpec" not in answer.body and b"argon2" not in answer.body
        )
        assert b"hmq_" not in answer.body
        if path.startswith("/hello/"):
            return  # a page of the user's own says what it was given
        assert answer.status in (400, 404, 414, 431), answer


@pytest.mark.parametrize(
    "method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "<script>"]
)
def test_files_are_only_read(site, attack, method):
    with attack():
        answer = site.ask(method, "/dashboard/index.html")
        assert answer.status in (400, 404, 405, 501), answer
        assert b"<script" not in answer.body.lower()


def test_the_page_s_headers(site, attack):
    for host in (site.host, "127.0.0.1", "[::1]:1", "evil.example", 'x"; script-src *', "a;b", "<script>"):
        with attack():
            answer = site.ask("GET", "/", headers={"Host": host})
            if answer.status == 400:
                continue
            check_headers(answer)
            assert answer.status == 200 and answer.media == "text/html"
            policy = answer.header("content-security-policy")
            assert "default-src 'none'; script-src 'self'; style-src 'self';" in policy
            assert "unsafe" not in policy and "*" not in policy and "<" not in policy
            assert policy.count("script-src") == 1
            if '"' in host or "<" in host:
                assert host.encode() not in answer.body


def test_the_base_is_not_what_a_proxy_says(site, attack):
    for name in (
        "X-Forwarded-Prefix",
        "X-Forwarded-Host",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-Script-Name",
    ):
        with attack():
            answer = site.ask("GET", "/", headers={name: "//evil.example/"})
            assert b"evil.example" not in answer.body
            assert b'<base href="/">' in answer.body
