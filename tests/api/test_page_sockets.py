"""WebSockets of pages: pushing to browsers, and what they say."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import ExitStack

import pytest

from hookmq import HookMQError

from .asgi_apps import BINARY, CLOSE, END, TEXT, browser
from .helpers import Gate, Seen, eventually


@pytest.fixture
def site(broker_factory):
    """A broker with pages."""
    return broker_factory(http_port=0)


@pytest.fixture
def live(site):
    return site.websocket("/live")


def failures(caplog):
    return [record for record in caplog.records if record.name == "hookmq.hooks"]


@pytest.mark.parametrize(
    ("value", "frame"),
    [
        ("hällo", (TEXT, "hällo".encode())),
        ("", (TEXT, b"")),
        (b"\xff\0", (BINARY, b"\xff\0")),
        (bytearray(b"a"), (BINARY, b"a")),
        (memoryview(b"b"), (BINARY, b"b")),
        ({"level": 42, "unit": "ü"}, (TEXT, '{"level":42,"unit":"ü"}'.encode())),
        ([1, 2.5], (TEXT, b"[1,2.5]")),
        (None, (TEXT, b"null")),
        (True, (TEXT, b"true")),
        ("x" * 100_000, (TEXT, b"x" * 100_000)),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_can_be_sent(site, live, value, frame):
    with browser(site, "/live") as socket:
        eventually(lambda: len(live) == 1)
        assert live.send(value) == 1
        assert socket.read_frame() == frame


@pytest.mark.parametrize("value", [object(), {1}, float("nan"), "\ud800", {"a": b""}], ids=repr)
def test_what_cannot_be_sent(site, live, value):
    with browser(site, "/live") as socket:
        eventually(lambda: len(live) == 1)
        with pytest.raises((TypeError, ValueError)):
            live.send(value)
        live.send("next")
        assert socket.read() == "next"


def test_sending_to_all_and_to_one(site, live):
    opened = Seen()
    live.on_open(opened.append)
    with ExitStack() as stack:
        sockets = [stack.enter_context(browser(site, f"/live?n={number}")) for number in range(5)]
        ids = {one.request.query["n"]: one.id for one in opened.until(5)}
        assert (len(live), len(set(ids.values()))) == (5, 5)
        assert live.send("all") == 5
        assert live.send("third", to=ids["2"]) == 1
        assert live.send("nobody", to=max(ids.values()) + 1000) == 0
        threads = [threading.Thread(target=live.send, args=(f"from {n}",)) for n in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for number, socket in enumerate(sockets):
            assert socket.read() == "all"
            if number == 2:
                assert socket.read() == "third"
            assert {socket.read() for _ in range(20)} == {f"from {n}" for n in range(20)}
    eventually(lambda: len(live) == 0)
    assert live.send("all") == 0


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_handlers(site, live, kind):
    told = Seen()

    def hello(socket):
        told.append(("open", socket.id))
        assert socket.send({"hello": socket.request.query["name"]})

    def echo(message, socket):
        told.append(("message", message))
        socket.send(message)

    def bye(socket):
        told.append(("close", socket.id))
        assert not socket.send("too late")

    def later(function):
        async def handler(*arguments):
            await asyncio.sleep(0)
            function(*arguments)

        return handler

    for register, function in ((live.on_open, hello), (live.on_message, echo), (live.on_close, bye)):
        handler = function if kind == "def" else later(function)
        assert register(handler) is handler
    with browser(site, "/live?name=tank", X_Own="value") as socket:
        assert json.loads(socket.read()) == {"hello": "tank"}
        socket.send("text")
        assert socket.read_frame() == (TEXT, b"text")
        socket.send(b"\xff")
        assert socket.read_frame() == (BINARY, b"\xff")
        socket.leave(1001)
        assert socket.read_close() == 1001
    number = told.until(4)[0][1]
    assert told == [("open", number), ("message", "text"), ("message", b"\xff"), ("close", number)]


def test_what_a_socket_tells(site, live):
    opened = Seen()
    live.on_open(opened.append)
    with browser(site, "/live?name=t%C3%BCr", X_Own="value"):
        (one,) = opened.until(1)
    asked = one.request
    assert (asked.method, asked.path, asked.query, asked.body) == ("GET", "/live", {"name": "tür"}, b"")
    assert (asked.headers["x-own"], asked.address, asked.params) == ("value", "127.0.0.1", {})
    assert repr(one) == f"<PageSocket {one.id} of /live from 127.0.0.1>"


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_messages_come_in_their_order(site, live, kind):
    told = Seen()

    async def keep_later(message, socket):
        # The earlier the message, the longer it takes.
        await asyncio.sleep(0.02 if message.endswith(" 0") else 0)
        told.append(message)

    live.on_message(keep_later if kind == "async def" else lambda message: told.append(message))
    with browser(site, "/live") as one, browser(site, "/live") as other:
        for number in range(100):
            one.send(f"one {number}")
            other.send(f"other {number}")
        told.until(200)
    for name in ("one", "other"):
        assert [text for text in told if text.startswith(f"{name} ")] == [f"{name} {n}" for n in range(100)]


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize("error", [ValueError("secret"), SystemExit(1)], ids=repr)
def test_a_handler_that_fails(site, live, caplog, kind, error):
    def fail(message, socket):
        if message == "fail":
            raise error
        socket.send("good")

    async def fail_later(message, socket):
        fail(message, socket)

    live.on_message(fail if kind == "def" else fail_later)
    with browser(site, "/live") as socket:
        for _ in range(3):
            socket.send("fail")
        socket.send("good")
        assert socket.read() == "good"
    (record,) = failures(caplog)
    assert record.exc_info[1] is error
    assert "(/live) raised" in record.getMessage()


def test_a_later_handler_takes_the_place_of_an_earlier(site, live):
    live.on_message(lambda message, socket: socket.send("old"))
    live.on_message(lambda message, socket: socket.send("new"))
    with browser(site, "/live") as socket:
        socket.send("x")
        assert socket.read() == "new"


def test_closing(site, live):
    closed, opened = Seen(), Seen()
    live.on_open(opened.append)
    live.on_close(lambda socket: closed.append(socket.request.query["n"]))
    with ExitStack() as stack:
        one, two, three = (stack.enter_context(browser(site, f"/live?n={number}")) for number in range(3))
        known = {socket.request.query["n"]: socket for socket in opened.until(3)}
        known["0"].close(4000)
        assert (one.read_close(), closed.until(1)) == (4000, ["0"])
        live.close(to=known["1"].id)
        assert (two.read_close(), closed.until(2), len(live)) == (1000, ["0", "1"], 1)
        live.close(code=1001)
        assert (three.read_close(), closed.until(3)) == (1001, ["0", "1", "2"])
        assert len(live) == 0


def test_a_browser_that_does_not_read(site, live):
    piece = bytes(64 << 10)
    with browser(site, "/live") as idle, browser(site, "/live") as reader:
        eventually(lambda: len(live) == 2)
        while live.dropped == 0:
            live.send(piece)
            assert reader.read_frame() == (BINARY, piece)
        assert live.dropped == 1
        eventually(lambda: len(live) == 1)
        # What was under way comes, and then why it ends.
        while (frame := idle.read_frame())[0] == BINARY:
            pass
        assert frame == (CLOSE, (1013).to_bytes(2, "big") + frame[1][2:])
        assert live.send("still") == 1
        assert reader.read() == "still"


def test_a_slow_handler_does_not_hold_up_the_broker(site, live):
    gate = Gate()
    live.on_message(lambda message: gate.wait())
    with browser(site, "/live") as socket, site.subscribe("a") as messages:
        socket.send("x")
        assert gate.entered.wait(5)
        site.publish("a", "x")
        assert messages.get(timeout=1).text == "x"
        assert live.send("y") == 1
        assert socket.read() == "y"
        gate.opened.set()


def test_before_the_broker_runs_and_after(broker_factory):
    site = broker_factory(http_port=0, start=False)
    live = site.websocket("/live")
    assert (live.send("x"), live.send("x", to=1), len(live), live.dropped, bool(live)) == (0, 0, 0, 0, True)
    live.close()
    live.on_message(lambda message, socket: socket.send(message))
    for _ in range(2):
        with site:
            with browser(site, "/live") as socket:
                socket.send("x")
                assert socket.read() == "x"
            with browser(site, "/live") as left:
                eventually(lambda: len(live) >= 1)
                site.stop()
                assert left.read_frame()[0] in (CLOSE, END)
        assert (live.send("x"), len(live)) == (0, 0)
    with pytest.raises(TypeError):
        live.send(object())


def test_several_places(site, live):
    other = site.websocket("/other")
    assert site.websocket("/live") is live
    with browser(site, "/live") as one, browser(site, "/other") as two:
        eventually(lambda: (len(live), len(other)) == (1, 1))
        assert (live.send("live"), other.send("other")) == (1, 1)
        assert (one.read(), two.read()) == ("live", "other")
        with browser(site, "/none", status=404):
            pass


def test_mistakes(site, live):
    for path in ("live", "", None, "/{name}"):
        with pytest.raises(HookMQError) as caught:
            site.websocket(path)
        assert caught.value.code == "E501"
    for register, function in [
        (live.on_open, lambda socket, more: None),
        (live.on_message, lambda message, socket, more: None),
        (live.on_close, lambda *, more: None),
        (live.on_open, "no function"),
    ]:
        with pytest.raises(HookMQError) as caught:
            register(function)
        assert caught.value.code == "E501"
