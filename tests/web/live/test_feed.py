"""The live feed with many pages, slow pages, and pages that mean no good."""

from __future__ import annotations

import json
import socket
import time
from contextlib import ExitStack

import pytest

from ...api.helpers import eventually, request
from .conftest import LIVE, open_page

PASSWORD = "correct horse"


def feed_of(site):
    return site._console._feeds[LIVE]


# Frames ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "id", "says"),
    [
        ("", None, "not JSON"),
        ("{", None, "not JSON"),
        ("[" * 50_000, None, "not JSON"),
        ("[]", None, "`do` is missing"),
        ("7", None, "`do` is missing"),
        ("null", None, "`do` is missing"),
        ("{}", None, "`do` is missing"),
        ('{"do":7}', None, "expected a text"),
        ('{"do":"wach","id":"w"}', "w", "expected watch, "),
        ('{"do":"watch","view":"topic"}', None, "`id` is missing"),
        ('{"do":"watch","id":"w"}', "w", "`view` is missing"),
        ('{"do":"watch","id":"","view":"topic"}', None, "`id` is empty"),
        ('{"do":"watch","id":7,"view":"topic"}', None, "expected a text"),
        ('{"do":"watch","id":"' + "x" * 65 + '","view":"topic"}', None, "longer than 64"),
        ('{"do":"watch","id":"w","view":"topic","with":[]}', "w", "expected an object"),
        ('{"do":"watch","id":"w","view":"topic","wit":{}}', "w", "did you mean `with`?"),
        ('{"do":"ping","id":"w"}', "w", "`id` is unknown"),
        ('{"do":"unwatch"}', None, "`id` is missing"),
        ('{"do":"ping","x":"' + "x" * 65_536 + '"}', None, "at most 65536 bytes"),
        ('{"do":"ping","x":"' + "ü" * 40_000 + '"}', None, "at most 65536 bytes"),
        (b'{"do":"ping"}', None, "frames are text"),
        ('{"do":"ping","x":' + "9" * 5000 + "}", None, ""),
        ('{"do":"watch","id":"\\ud800","view":"nothing"}', None, "half of a surrogate pair"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_frame_that_cannot_be_read_is_told_and_the_page_goes_on(site, page, frame, id, says):
    page.socket.send(frame)
    told = page.take()
    assert told["id"] == id and says in told["error"]["message"]
    page.say(do="ping")
    assert abs(page.take()["pong"] - time.time()) < 10


def test_watching_again_replaces(site, page):
    page.watch("topic", "w", topic="a")
    page.until(lambda: "w" in page.shown)
    page.watch("topic", "w", topic="b")
    site.publish("a", "1")
    site.publish("b", "2")
    page.until(lambda: page.shown["w"] and page.shown["w"]["topic"] == "b")
    assert all((frame.get("whole") or {}).get("topic") != "a" for frame in page.frames)
    page.say(do="unwatch", id="w")
    page.say(do="unwatch", id="never there")
    page.say(do="ping")
    page.until(lambda: "pong" in page.frames[-1])
    assert not page.errors


def test_a_page_has_a_bounded_number_of_watches(site, page):
    for number in range(101):
        page.watch("topic", f"w{number}", topic="a")
    assert page.until(lambda: page.errors.get("w100"))["code"] == "too_many"
    page.until(lambda: len(page.shown) == 100)
    assert len(feed_of(site)._watched) == 1


def test_who_talks_too_much_is_closed(site, page):
    for _ in range(300):
        try:
            page.say(do="ping")
        except OSError:
            break
    assert page.read_close() == 1008
    eventually(lambda: not feed_of(site)._browsers)


# Many -----------------------------------------------------------------------------------------------------


def test_two_hundred_pages_cost_one_encoding(site, figures, monkeypatch):
    import hookmq.web.live.states as states

    dashboard = site._console.dashboards.add(
        {
            "title": "T",
            "widgets": [{"id": f"w{n}", "kind": "value", "topic": f"t/{n}"} for n in range(10)],
        }
    )
    with ExitStack() as stack:
        pages = [stack.enter_context(open_page(site)) for _ in range(200)]
        for page in pages:
            page.watch("dashboard", "d", id=dashboard.id)
        for page in pages:
            page.until(lambda page=page: "d" in page.shown)
        feed = feed_of(site)
        assert len(feed._watched) == 1 and len(feed._taps) == 10
        encoded = []
        encode = states.encode
        monkeypatch.setattr(states, "encode", lambda value: encoded.append(1) or encode(value))
        begun = time.monotonic()
        for turn in range(5):
            for number in range(10):
                site.publish(f"t/{number}", str(turn))
            for page in pages:
                page.until(lambda page=page, turn=turn: page.items("d").get("w9", {}).get("value") == turn)
        took = time.monotonic() - begun
    # Each value once, and its key with each frame: not once for each page.
    assert len(encoded) <= 5 * 10 * 2 * 3
    figures(f"200 pages saw 5 rounds of 10 values in {took:.2f} s; {len(encoded)} encodings")


def test_at_most_five_frames_a_second(site, page):
    page.watch("topic", topic="a")
    page.until(lambda: "topic" in page.shown)
    page.frames.clear()
    begun = time.monotonic()
    while time.monotonic() - begun < 1.5:
        site.publish("a", str(time.monotonic()))
        time.sleep(0.002)
    site.publish("a", "end")
    page.until(lambda: (page.shown["topic"] or {}).get("payload") == "end")
    elapsed = time.monotonic() - begun
    assert len(page.frames) <= 5 * elapsed + 2


def test_a_slow_page_gets_fewer_frames_and_holds_nobody_up(site, page):
    with socket.create_connection(("127.0.0.1", site.http_port)) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        head = f"GET {LIVE} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        slow.sendall((head + key).encode())
        assert b" 101 " in slow.recv(4096)
        frame = json.dumps({"do": "watch", "id": "s", "view": "messages", "with": {"filter": "#"}}).encode()
        slow.sendall(bytes([0x81, 0x80 | len(frame)]) + bytes(4) + frame)  # and never reads again
        page.watch("messages", filter="#")
        page.until(lambda: page.shown.get("messages") == [])
        feed = eventually(lambda: site._console._feeds.get(LIVE))
        eventually(lambda: len(feed._browsers) == 2)
        last = 0
        for number in range(15):
            for part in range(50):
                site.publish("big", f"{number} {part} " + "x" * 20_000)
            last = number
            page.until(
                lambda last=last: (
                    page.streams["messages"]
                    and page.streams["messages"][-1]["payload"].startswith(f"{last} 49 ")
                )
            )
        # It is still there, waits for nobody, and a megabyte at most waits for it.
        assert len(feed._browsers) == 2 and feed._hub.dropped == 0
        assert feed._hub.count == 2


def test_a_page_that_was_slow_comes_to_the_same(site):
    with open_page(site) as slow, open_page(site) as quick:
        for page in (slow, quick):
            page.watch("values", topic="v/+")
            page.until(lambda page=page: "values" in page.shown)
        text = "x" * 5000
        for number in range(15):
            for topic in range(30):
                site.publish(f"v/{topic}", f"{number} {text}")
            quick.until(
                lambda number=number: all(
                    quick.items("values").get(f"v/{topic}", {}).get("value", "").startswith(f"{number} ")
                    for topic in range(30)
                )
            )
        slow.until(lambda: slow.items("values") == quick.items("values"))
        assert len(slow.frames) <= len(quick.frames)


# Who ------------------------------------------------------------------------------------------------------


def logged_in(site, name="anna", role="viewer", cookie=""):
    """Make accounts, and return the cookie of one; the browser may have had one."""
    import http.client

    access = site._console.access
    if access.setup:
        access.add_account("admin", PASSWORD, "admin")
    access.add_account(name, PASSWORD, role)
    connection = http.client.HTTPConnection("127.0.0.1", site.http_port)
    body = json.dumps({"name": name, "password": PASSWORD})
    headers = {"X-HookMQ": "1", "Content-Type": "application/json", "Host": "localhost"}
    headers |= {"Cookie": cookie} if cookie else {}
    connection.request("POST", "/api/v1/session", body, headers)
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    connection.close()
    return cookie


def test_nobody_is_shown_nothing(site):
    cookie = logged_in(site)
    with open_page(site) as page:
        page.watch("overview")
        assert page.read_close() == 4401
    with open_page(site, Cookie=cookie) as page:
        page.watch("overview")
        page.until(lambda: "overview" in page.shown)
    with open_page(site, Cookie=cookie + "x") as page:
        page.watch("nothing")
        assert page.read_close() == 4401


def test_nobody_who_says_nothing_is_sent_away(site, monkeypatch):
    monkeypatch.setattr("hookmq.web.live.feed.PATIENCE", 0.3)
    logged_in(site)
    with open_page(site) as page:
        error = page.until(lambda: page.errors.get(None))
        assert error["message"].startswith("nobody is logged in; log in, or send an API token")
        assert page.read_close() == 4401


def test_who_is_sent_away_is_told_why_and_what_to_do(site):
    cookie = logged_in(site)
    token, secret = site._console.access.add_token("grafana", "viewer")
    log_out(site, site._console.access, cookie)
    for headers, says in (
        ({"Authorization": "Bearer hmq_wrong"}, "the API token is not known; is it this broker's"),
        ({"Cookie": cookie}, "the session has ended; log in again"),
    ):
        with open_page(site, **headers) as page:
            page.watch("overview")
            error = page.until(lambda page=page: page.errors.get(None))
            assert error["code"] == "unauthorized" and error["message"].startswith(says)
            assert page.read_close() == 4401
    with open_page(site, Authorization=f"Bearer {secret}") as page:
        page.watch("overview")
        page.until(lambda: "overview" in page.shown)
        site._console.access.remove_token(token.id)
        error = page.until(lambda: page.errors.get(None))
        assert error["message"].startswith("the session or the token has ended: log in again")
        assert page.read_close() == 4401


def test_an_api_token_is_let_in(site):
    logged_in(site)
    _, token = site._console.access.add_token("grafana", "viewer")
    with open_page(site, Authorization=f"Bearer {token}") as page:
        page.watch("overview")
        page.until(lambda: "overview" in page.shown)


def test_pages_of_others_are_not_let_in(site):
    cookie = logged_in(site)
    with open_page(site, Cookie=cookie, Sec_Fetch_Site="cross-site") as page:
        assert page.read_close() == 4403
    with open_page(site, Cookie=cookie, Host="evil.example") as page:
        assert page.read_close() == 4403


def log_out(site, access, cookie):
    reply = request(site, "DELETE", "/api/v1/session", Host="localhost", Cookie=cookie, **{"X-HookMQ": "1"})
    assert reply.status == 204


ENDINGS = {
    "a logout": log_out,
    "another login in its browser": lambda site, access, cookie: logged_in(site, "otto", cookie=cookie),
    "the account is removed": lambda site, access, cookie: access.remove_account("anna"),
    "another role": lambda site, access, cookie: access.change_account("anna", role="operator"),
    "another password": lambda site, access, cookie: access.change_account("anna", password="another horse"),
}


@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS)
def test_a_session_that_is_ended_ends_the_feed_at_once(site, end, monkeypatch):
    monkeypatch.setattr("hookmq.web.live.feed.RECHECK", 3600.0)
    cookie, other = logged_in(site), logged_in(site, "vera")
    with open_page(site, Cookie=cookie) as page, open_page(site, Cookie=other) as stays:
        for one in (page, stays):
            one.watch("messages", filter="#")
            one.until(lambda one=one: "messages" in one.shown)
        end(site, site._console.access, cookie)
        site.publish("after", "1")
        assert page.read_close() == 4401
        assert "after" not in json.dumps(page.frames)
        stays.until(lambda: "after" in json.dumps(stays.frames))


def test_a_token_that_is_removed_ends_the_feed_at_once(site, monkeypatch):
    monkeypatch.setattr("hookmq.web.live.feed.RECHECK", 3600.0)
    access = site._console.access
    token, secret = access.add_token("grafana", "viewer")
    with open_page(site, Authorization=f"Bearer {secret}") as page:
        page.watch("overview")
        page.until(lambda: "overview" in page.shown)
        access.remove_token(token.id)
        assert page.read_close() == 4401


def test_a_session_that_expires_ends_the_feed(site, monkeypatch):
    monkeypatch.setattr("hookmq.web.live.feed.RECHECK", 0.2)
    cookie = logged_in(site)
    with open_page(site, Cookie=cookie) as page:
        page.watch("overview")
        page.until(lambda: "overview" in page.shown)
        monkeypatch.setattr(site._console.access, "_clock", lambda: time.time() + 13 * 3600)
        assert page.read_close() == 4401


def test_one_viewer_takes_no_views_from_others(site, monkeypatch):
    monkeypatch.setattr("hookmq.web.live.feed.MOST_VIEWS_OF_ONE", 20)
    monkeypatch.setattr("hookmq.web.live.feed.MOST_BROWSERS_OF_ONE", 4)
    cookie, other = logged_in(site), logged_in(site, "vera")
    with ExitStack() as stack:
        pages = [stack.enter_context(open_page(site, Cookie=cookie)) for _ in range(4)]
        for number in range(30):
            pages[number % 3].watch("topic", f"w{number}", topic=f"mine/{number}")
        for page in pages[:3]:
            page.until(lambda page=page: len(page.shown) + len(page.errors) == 10)
        refused = [error for page in pages for error in page.errors.values()]
        assert len(refused) == 10 and {error["code"] for error in refused} == {"too_many"}
        assert "anna watches 20 different views" in refused[0]["message"]
        # What somebody else has made costs nothing, and others go on.
        theirs = stack.enter_context(open_page(site, Cookie=other))
        theirs.watch("overview")
        theirs.until(lambda: "overview" in theirs.shown)
        pages[3].watch("overview")
        pages[3].until(lambda: "overview" in pages[3].shown)
        # Nor does leaving one at once make room for another.
        for number in range(40):
            pages[3].watch("topic", "again", topic=f"again/{number}")
        pages[3].until(lambda: "again" in pages[3].errors)
        assert len(feed_of(site)._watched) <= 22
        # When they are gone there is room again.
        for number in range(30):
            pages[number % 3].say(do="unwatch", id=f"w{number}")
        eventually(lambda: len(feed_of(site)._watched) == 1)
        pages[0].watch("topic", "late", topic="mine/late")
        pages[0].until(lambda: "late" in pages[0].shown)
        with open_page(site, Cookie=cookie) as fifth:
            assert fifth.read_close() == 1013


def test_a_link_shows_its_dashboard_and_nothing_else(site):
    logged_in(site)
    dashboards = site._console.dashboards
    made = dashboards.add({"title": "Shared", "widgets": [{"id": "a", "kind": "value", "topic": "open/a"}]})
    token = dashboards.share(made.id)
    site.publish("open/a", "7")
    with open_page(site) as page:
        page.watch("dashboard", "d", token=token)
        page.until(lambda: page.items("d").get("a", {}).get("value") == 7)
        page.watch("dashboard", "other", id=made.id)
        assert page.read_close() == 4401
    for view, options in (
        ("messages", {"filter": "#"}),
        ("dashboard", {"id": made.id, "token": token}),
        ("dashboard", {"token": None}),
        ("widget", {"name": "x"}),
    ):
        with open_page(site) as page:
            page.watch("dashboard", "d", token=token)
            page.until(lambda page=page: "d" in page.shown)
            page.watch(view, **options)
            assert page.read_close() == 4401
    with open_page(site) as page:
        page.watch("dashboard", "d", token=token)
        page.until(lambda: "d" in page.shown)
        dashboards.unshare(made.id)
        assert page.until(lambda: page.errors.get("d"))["code"] == "not_found"


# The end --------------------------------------------------------------------------------------------------


def test_the_feed_ends_with_the_broker_and_begins_again(site):
    with open_page(site) as page:
        page.watch("overview")
        page.until(lambda: "overview" in page.shown)
        site.stop()
        assert page.socket.read_frame()[0] in (8, -1, 1)
    site.start()
    with open_page(site) as page:
        page.watch("overview")
        page.until(lambda: "overview" in page.shown)


def test_below_a_base_path(broker_factory):
    site = broker_factory(http_port=0, http_base="/mqtt-broker")
    _, token = site._console.access.add_token("watcher", "viewer")
    for path in (LIVE, f"/mqtt-broker{LIVE}"):
        with open_page(
            site, path
        ) as page:  # a proxy is in front: whoever comes is no program of this machine
            page.watch("overview")
            assert page.read_close() == 4401
        with open_page(site, path, Authorization=f"Bearer {token}") as page:
            page.watch("overview")
            page.until(lambda page=page: "overview" in page.shown)
