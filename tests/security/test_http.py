"""The HTTP port against what is no HTTP, too much of it, and too slow."""

from __future__ import annotations

import contextlib
import socket

import pytest

from .exchange import Answer, parse

GET = b"GET /api/v1/session HTTP/1.1\r\nHost: localhost\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def post(*headers: bytes, body: bytes = b"") -> bytes:
    rows = b"".join(header + b"\r\n" for header in headers)
    return b"POST /api/v1/publish HTTP/1.1\r\nHost: localhost\r\nX-HookMQ: 1\r\n" + rows + b"\r\n" + body


REFUSED = {
    "two lengths": post(b"Content-Length: 0", b"Content-Length: %d" % len(SMUGGLED), body=SMUGGLED),
    "two lengths in one": post(b"Content-Length: 0, %d" % len(SMUGGLED), body=SMUGGLED),
    "a negative length": post(b"Content-Length: -1", body=SMUGGLED),
    "a length with a sign": post(b"Content-Length: +0", body=SMUGGLED),
    "a length in hexadecimal": post(b"Content-Length: 0x0", body=SMUGGLED),
    "a length that is none": post(b"Content-Length: x", body=SMUGGLED),
    "a length of very many digits": post(b"Content-Length: " + b"9" * 400, body=SMUGGLED),
    "a length that is too large for 64 bits": post(b"Content-Length: 18446744073709551617", body=SMUGGLED),
    "a coding that is not known": post(b"Transfer-Encoding: xchunked", body=SMUGGLED),
    "chunked is not the last": post(b"Transfer-Encoding: chunked, identity", body=SMUGGLED),
    "a chunk of no size": post(b"Transfer-Encoding: chunked", body=b"x\r\n" + SMUGGLED),
    "a chunk of a negative size": post(b"Transfer-Encoding: chunked", body=b"-1\r\n" + SMUGGLED),
    "a chunk of a size that is too large": post(
        b"Transfer-Encoding: chunked", body=b"f" * 17 + b"\r\n" + SMUGGLED
    ),
    "a chunk without an end": post(b"Transfer-Encoding: chunked", body=b"1\r\nxx0\r\n\r\n" + SMUGGLED),
    "a space before the colon": GET + b"Transfer-Encoding : chunked\r\n\r\n" + SMUGGLED,
    "a header without a colon": GET + b"Transfer-Encoding chunked\r\n\r\n" + SMUGGLED,
    "a NUL in a header": GET + b"X: a\0b\r\n\r\n" + SMUGGLED,
    "a bare CR in a header": GET + b"X: a\rb\r\n\r\n" + SMUGGLED,
    "a folded header": GET + b"X: a\r\n b\r\n\r\n" + SMUGGLED,
    "a name with a space": GET + b"X Y: z\r\n\r\n" + SMUGGLED,
    "no version": b"GET /api/v1/session\r\nHost: localhost\r\n\r\n" + SMUGGLED,
    "a version that is not there": b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n" + SMUGGLED,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SMUGGLED,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    "MQTT": b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04abcd\r\n\r\n",
    "nothing but ends of lines": b"\r\n" * 20_000 + b"x\r\n\r\n",
    "random bytes": bytes(range(256)) * 8 + b"\r\n\r\n",
    "a method of NULs": b"\0\0\0 / HTTP/1.1\r\n\r\n",
}


def answered(site, data: bytes) -> list[Answer]:
    return site.send(data, patience=2)


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_what_can_be_read_in_two_ways_is_not_read_at_all(site, attack, data):
    """Or what one server takes for a body, another takes for a request: nothing behind it is answered."""
    with attack():
        answers = answered(site, data)
        assert len(answers) <= 1, [answer.status for answer in answers]
        assert all(answer.status in (400, 401, 403, 413, 431, 505) for answer in answers), answers
        assert b"smuggled" not in b"".join(answer.body for answer in answers)
        site.is_well()


def test_both_a_length_and_chunks(site, attack):
    """RFC 9112 lets a server take the chunks, and has it close the connection then."""
    chunked = post(b"Content-Length: 6", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED)
    with attack():
        answers = answered(site, chunked)
        assert len(answers) <= 2 and answers[0].status in (400, 401, 403)
        assert not [one for one in answers if one.status == 200], answers
    with attack():
        length = post(b"Transfer-Encoding: chunked", b"Content-Length: 6", body=b"0\r\n\r\nG" + SMUGGLED)
        assert not [one for one in answered(site, length) if one.status == 200]


def test_two_hosts(fresh, attack):
    for pair in ((b"localhost", b"evil.example"), (b"evil.example", b"localhost")):
        with attack():
            head = b"GET /api/v1/hooks HTTP/1.1\r\nConnection: close\r\n"
            data = head + b"".join(b"Host: " + host + b"\r\n" for host in pair) + b"\r\n"
            assert fresh.raw(data).status in (400, 403)


def test_no_host(fresh, attack):
    with attack():
        assert fresh.raw(b"GET /api/v1/hooks HTTP/1.1\r\nConnection: close\r\n\r\n").status in (400, 403)
    with attack():
        assert fresh.raw(b"GET /api/v1/hooks HTTP/1.0\r\n\r\n").status in (400, 403)
    with attack():
        head = b"GET http://evil.example/api/v1/hooks HTTP/1.1\r\nHost: evil.example\r\n"
        data = head + b"Connection: close\r\n\r\n"
        assert fresh.raw(data).status in (400, 403)


DOUBLE = {
    "the permit": b"X-HookMQ: 0\r\nX-HookMQ: 1\r\nOrigin: http://evil.example\r\n",
    "the origin, foreign first": b"Origin: http://evil\r\nOrigin: http://localhost\r\nX-HookMQ: 1\r\n",
    "the origin, foreign last": b"X-HookMQ: 1\r\nOrigin: http://localhost\r\nOrigin: http://evil.example\r\n",
    "the token": b"Authorization: Bearer x\r\nAuthorization: Bearer y\r\nX-HookMQ: 1\r\n",
}


@pytest.mark.parametrize("headers", DOUBLE.values(), ids=DOUBLE)
def test_headers_that_come_twice(site, attack, headers):
    with attack():
        body = b'{"topic":"twice","payload":1}'
        length = b"Content-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(
            body
        )
        head = b"POST /api/v1/publish HTTP/1.1\r\nHost: localhost\r\n"
        assert site.raw(head + headers + length + body).status in (400, 401, 403)
        assert site.get("topics/value?topic=twice").status == 404


# Too much ---------------------------------------------------------------------------------------------------

LARGE = {
    "a path of a megabyte": b"GET /" + b"a" * (1 << 20) + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a query of a megabyte": b"GET /api/v1/hooks?"
    + b"a=b&" * (1 << 18)
    + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a header of a megabyte": GET + b"X: " + b"a" * (1 << 20) + b"\r\n\r\n",
    "a cookie of a megabyte": GET + b"Cookie: hookmq_session=" + b"a" * (1 << 20) + b"\r\n\r\n",
    "10,000 headers": GET + b"".join(b"X-%d: y\r\n" % number for number in range(10_000)) + b"\r\n",
    "a method of a megabyte": b"A" * (1 << 20) + b" / HTTP/1.1\r\n\r\n",
    "a length of a terabyte": post(b"Content-Length: 1099511627776", body=b"{}"),
    "a length of 17 MiB": post(b"Content-Length: %d" % (17 << 20), body=b"{}"),
}


@pytest.mark.parametrize("data", LARGE.values(), ids=LARGE)
def test_what_is_too_large_is_refused_at_once(site, attack, data):
    with attack():
        answers = answered(site, data)
        assert all(answer.status in (400, 401, 403, 413, 414, 431) for answer in answers), answers
        site.is_well()


def test_a_body_that_never_ends_does(site, attack):
    with attack(), site.connect() as connection:
        connection.sendall(post(b"Transfer-Encoding: chunked"))
        chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        sent = 0
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while sent < 64 << 20:
                connection.sendall(chunk)
                sent += len(chunk)
        assert sent < 40 << 20, "16 MiB are read, and what is on its way"
    site.is_well()


@pytest.mark.parametrize("path", ["publish", "session", "accounts", "dashboards", "rules"])
def test_a_body_that_is_larger_than_the_api_reads(site, attack, path):
    with attack():
        answer = site.do(
            "POST",
            path,
            b'"' + b"x" * (5 << 20) + b'"',
            headers={"Content-Type": "application/json", "X-HookMQ": "1"},
        )
        assert answer.status == 413, answer
        site.is_well()


# Too slow ---------------------------------------------------------------------------------------------------


def test_slow_bodies_keep_nobody_waiting(site, attack):
    with attack(), contextlib.ExitStack() as stack:
        for _ in range(200):
            connection = stack.enter_context(site.connect())
            connection.sendall(post(b"Content-Length: 1000", body=b"{"))
        for _ in range(10):
            site.is_well()


def test_who_does_not_read_keeps_nobody_waiting(site, attack):
    with attack(), contextlib.ExitStack() as stack:
        for _ in range(30):
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", site.port))
            with contextlib.suppress(BlockingIOError):
                connection.setblocking(False)
                connection.send((b"GET /api/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n") * 50)
        for _ in range(10):
            site.is_well()


def test_many_requests_at_once_are_answered_in_order(site, attack):
    with attack():
        rows = b"".join(
            b"GET /api/v1/x%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % number for number in range(100)
        )
        with site.connect() as connection:
            connection.sendall(rows + SMUGGLED)
            data = b""
            while piece := connection.recv(1 << 16):
                data += piece
        answers = parse(data)
        assert len(answers) == 101
        for number, answer in enumerate(answers[:100]):
            assert f"/api/v1/x{number}".encode() in answer.body
