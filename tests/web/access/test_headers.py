"""Headers of pages and downloads, and paths behind a proxy."""

from __future__ import annotations

import re

import pytest

from hookmq.web import security_headers
from hookmq.web.response import Response


def directives(host: str) -> dict[str, str]:
    policy = security_headers.content_security_policy(host)
    return dict(part.strip().split(" ", 1) for part in policy.split(";"))


def test_the_policy_of_pages():
    assert directives("broker.example:8080") == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data: blob:",
        "font-src": "'self'",
        "connect-src": "'self' ws://broker.example:8080 wss://broker.example:8080",
        "base-uri": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }


@pytest.mark.parametrize(
    "host", ["", "x; script-src *", "a b", "a,b", "a\r\nX: y", "*", "'unsafe-inline'", "é", "a" * 300]
)
def test_a_host_does_not_change_the_policy(host):
    assert directives(host) == directives("") == directives("localhost") | {"connect-src": "'self'"}


def test_every_header_can_be_sent():
    headers = security_headers.of_page("localhost") | dict(security_headers.FRESH)
    assert Response(b"", headers=headers).headers == headers
    assert headers["X-Frame-Options"] == "DENY" and headers["Referrer-Policy"] == "no-referrer"


NAMES = [
    "../../etc/passwd",
    'a"; filename="b.exe',
    "a\r\nSet-Cookie: x=y",
    "a/b",
    "..",
    "",
    "\x00",
    "é.csv",
    "日本.csv",
    "a;b",
    "a%22",
    "a\\b",
    "a" * 900,
    "\ud800.csv",
    "CON",
    ".bashrc",
    "\u202egpj.exe",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_download_s_name_is_one_name(name):
    header = security_headers.attachment(name)
    assert Response(b"", headers={"Content-Disposition": header})
    match = re.fullmatch(
        r"attachment; filename=\"([A-Za-z0-9 ._()-]+)\"(; filename\*=UTF-8''[A-Za-z0-9._~%-]+)?", header
    )
    assert match is not None, header
    assert not match[1].startswith(".") and len(header) < 2500
    assert "%2F" not in header and "%5C" not in header and "%0" not in header
