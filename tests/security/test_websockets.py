"""WebSockets of the live feed: who may, how large, how many, how fast, and who does not read."""

from __future__ import annotations

import contextlib
import json
import time

import pytest

from .exchange import frame, live

WATCH = {"do": "watch", "id": "w", "view": "overview", "with": {}}


@pytest.mark.parametrize("via", ["cookie", "token"])
@pytest.mark.parametrize("who", ["viewer", "operator", "admin"])
def test_who_may_look(site, who, via):
    with live(site, who=who, via=via) as (status, socket):
        assert status == 101
        socket.say(WATCH)
        assert socket.until(lambda value: value.get("id") == "w")["whole"]


NOBODIES = {
    "nobody": {},
    "a session that is none": {"Cookie": "hookmq_session=" + "A" * 43},
    "a token that is none": {"Authorization": "Bearer hmq_" + "A" * 43},
    "a program of this machine": {"X-HookMQ": "1"},
    "our own page, not logged in": {"Origin": "OWN"},
}


@pytest.mark.parametrize("headers", NOBODIES.values(), ids=NOBODIES)
def test_nobody_looks(site, attack, headers):
    named = {name: f"http://{site.host}" if value == "OWN" else value for name, value in headers.items()}
    for view, options in (
        ("overview", {}),
        ("messages", {"filter": "#"}),
        ("log", {}),
        ("dashboard", {"token": "x" * 43}),
    ):
        with attack(), live(site, who=None, **named) as (status, socket):
            if status == 101:
                socket.say({"do": "watch", "id": "w", "view": view, "with": options})
                for opcode, payload in socket.frames():
                    if opcode == 8:
                        assert int.from_bytes(payload[:2], "big") == 4401
                        break
                    assert "error" in json.loads(payload), payload
                    if view == "dashboard":
                        break
            else:
                assert status == 401


def test_a_session_that_ends_takes_its_live_feed_along(site, attack):
    with attack():
        cookie = site.login("vera")
        with live(site, who=None, Cookie=cookie, Origin=f"http://{site.host}") as (status, socket):
            assert status == 101
            socket.say(WATCH)
            socket.until(lambda value: value.get("id") == "w")
            assert site.do("DELETE", "session", None, None, headers=site.page(Cookie=cookie)).status == 204
            assert socket.close_code() == 4401


WORDS = {
    "no JSON": b"x",
    "a list": b"[]",
    "null": b"null",
    "nothing": b"",
    "very deep": b"[" * 60_000,
    "a number of very many digits": b'{"do":"watch","id":"w","view":"series","with":{"span":'
    + b"9" * 60_000
    + b"}}",
    "no view": b'{"do":"watch","id":"w"}',
    "a view that is not there": b'{"do":"watch","id":"w","view":"__class__"}',
    "a view of the prototype": b'{"do":"watch","id":"__proto__","view":"constructor"}',
    "no id": b'{"do":"watch","view":"overview"}',
    "a long id": json.dumps({"do": "watch", "id": "x" * 65, "view": "overview"}).encode(),
    "an id that is none": b'{"do":"watch","id":{},"view":"overview"}',
    "something to do that is not": b'{"do":"publish","topic":"a"}',
    "something to do that is none": b'{"do":["watch"]}',
    "a filter that is none": b'{"do":"watch","id":"w","view":"messages","with":{"filter":"a/#/b"}}',
    "a filter of 60,000 letters": json.dumps(
        {"do": "watch", "id": "w", "view": "messages", "with": {"filter": "a/" * 30_000}}
    ).encode(),
    "a filter that is a number": b'{"do":"watch","id":"w","view":"messages","with":{"filter":5}}',
    "options that are none": b'{"do":"watch","id":"w","view":"messages","with":"#"}',
    "options that are not known": b'{"do":"watch","id":"w","view":"overview","with":{"x":1}}',
    "very many parents": json.dumps(
        {"do": "watch", "id": "w", "view": "topics", "with": {"parents": ["a"] * 9000}}
    ).encode(),
    "a path that is none": b'{"do":"watch","id":"w","view":"values","with":{"topic":"#","path":"a[[[["}}',
    "a dashboard that is a path": b'{"do":"watch","id":"w","view":"dashboard","with":{"id":"../accounts"}}',
    "a dashboard that is absolute": b'{"do":"watch","id":"w","view":"dashboard","with":{"id":"/etc/passwd"}}',
    "a widget that is not there": b'{"do":"watch","id":"w","view":"widget","with":{"name":"<script>"}}',
    "a span that is none": b'{"do":"watch","id":"w","view":"series","with":{"names":["sent"],"span":1e999}}',
}


@pytest.mark.parametrize("data", WORDS.values(), ids=WORDS)
def test_what_cannot_be_said_is_an_error_and_no_more(site, attack, data):
    with attack(), live(site) as (status, socket):
        assert status == 101
        socket.connection.sendall(frame(data))
        socket.say({"do": "ping"})
        for opcode, payload in socket.frames():
            if opcode == 8:
                assert int.from_bytes(payload[:2], "big") in (1003, 1007, 1008, 1009)
                break
            told = json.loads(payload)
            assert "error" in told or "pong" in told, told
            assert b"root:" not in payload and b"Traceback" not in payload
            if "pong" in told:
                break
    site.is_well()


FRAMES = {
    "without a mask": frame(b'{"do":"ping"}', masked=False),
    "of 2 GiB": frame(b"x" * 1000, size=2 << 30),
    "of 8 EiB": frame(b"x" * 1000, size=(1 << 63) - 1),
    "a size with its first bit set": frame(b"x", size=1 << 63),
    "reserved bits": b"\xf1\x80" + bytes(4),
    "a kind that is not there": frame(b"x", opcode=3),
    "a control frame in pieces": frame(b"x", opcode=9, fin=False),
    "a control frame that is large": frame(b"x" * 200, opcode=9),
    "the rest of nothing": frame(b"x", opcode=0),
    "no UTF-8": frame(b"\xff\xfe"),
    "bytes": frame(b'{"do":"ping"}', opcode=2),
    "a close of one byte": frame(b"x", opcode=8),
    "a close with a code that is none": frame(b"\x00\x01", opcode=8),
    "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100,
}


@pytest.mark.parametrize("data", FRAMES.values(), ids=FRAMES)
def test_frames_that_are_none(site, attack, data):
    with attack(), live(site) as (status, socket):
        assert status == 101
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            socket.connection.sendall(data)
            socket.say({"do": "ping"})
        with contextlib.suppress(TimeoutError):
            for opcode, payload in socket.frames(patience=1):
                assert opcode in (1, 8, 10), payload
                assert opcode != 1 or b"error" in payload or b"pong" in payload, payload
                if opcode == 8:
                    break
    site.is_well()


def test_a_frame_that_is_larger_than_said(site, attack):
    with attack(), live(site) as (status, socket):
        assert status == 101
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            socket.connection.sendall(frame(b" " * (8 << 20) + b"{}"))
        for opcode, payload in socket.frames():
            assert opcode == 8 or b"error" in payload
            break
    site.is_well()


def test_a_message_in_very_many_pieces(site, attack):
    with attack(), live(site) as (status, socket):
        assert status == 101
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            socket.connection.sendall(frame(b"{", fin=False) + frame(b" ", 0, fin=False) * 100_000)
    site.is_well()


def test_very_many_views(site, attack):
    with attack(), live(site) as (status, socket):
        assert status == 101
        for number in range(150):
            socket.say({"do": "watch", "id": f"w{number}", "view": "topic", "with": {"topic": f"t/{number}"}})
        refused = socket.until(lambda value: "error" in value)
        assert refused["error"]["code"] == "too_many", refused
    site.is_well()


@pytest.mark.parametrize("word", [{"do": "ping"}, {"do": "x"}, {"do": "unwatch", "id": "x"}, WATCH], ids=str)
def test_a_flood(site, attack, word):
    with attack(), live(site) as (status, socket):
        assert status == 101
        data = frame(json.dumps(word).encode()) * 1000
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(20):
                socket.connection.sendall(data)
        began = time.monotonic()
        site.is_well()
        with contextlib.suppress(TimeoutError):
            code = socket.close_code()
            assert code in (1008, 1013, None), code
        assert time.monotonic() - began < 10


def test_who_never_reads(site, attack):
    with attack(), contextlib.ExitStack() as stack:
        for _ in range(20):
            status, socket = stack.enter_context(live(site))
            assert status == 101
            for number in range(50):
                socket.say(
                    {
                        "do": "watch",
                        "id": f"w{number}",
                        "view": "messages",
                        "with": {"filter": f"flood/{number}/#"},
                    }
                )
        for number in range(60):
            site.do("POST", "publish", {"topic": f"flood/{number % 50}/x", "payload": "x" * 60_000})
        site.is_well()


def test_very_many_sockets_of_strangers(site, attack):
    with attack(), contextlib.ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(live(site, who=None))
        site.is_well()
        with live(site) as (status, socket):
            assert status == 101
            socket.say(WATCH)
            assert socket.until(lambda value: value.get("id") == "w")
    site.is_well()


def test_handshakes_that_are_none(site, attack):
    for changed in (
        {"Sec_WebSocket_Key": "x"},
        {"Sec_WebSocket_Key": None},
        {"Sec_WebSocket_Version": "99"},
        {"Upgrade": "h2c"},
        {"Connection": "close"},
        {"Sec_WebSocket_Key": "A" * 5000},
    ):
        with attack(), live(site, **changed) as (status, _):
            assert status != 101 and 400 <= status < 500
