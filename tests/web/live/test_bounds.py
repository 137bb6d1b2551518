"""Pages that want too much: it is refused or left out, and others are shown what they watch."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from contextlib import ExitStack

from hookmq.web.live.taps import Taps

from ...api.helpers import eventually
from .conftest import open_page
from .test_feed import feed_of, logged_in

LARGE = b"[" + b",".join([b"{}"] * 87_000) + b"]"
"""As much as is read of a payload, which takes many times its bytes then."""


def descriptors():
    return len(os.listdir("/proc/self/fd"))


# Topics ---------------------------------------------------------------------------------------------------


def test_one_viewer_takes_no_topics_from_others_and_gives_all_back(site, monkeypatch):
    monkeypatch.setattr("hookmq.web.live.taps.MOST_TAPS_OF_ONE", 50)
    monkeypatch.setattr("hookmq.web.live.feed.LINGER", 0.0)
    cookie, other = logged_in(site), logged_in(site, "vera")
    with open_page(site, Cookie=other) as theirs:
        theirs.watch("topic", topic="theirs/0")
        theirs.until(lambda: "topic" in theirs.shown)
        taps, before = feed_of(site)._taps, descriptors()
        with ExitStack() as stack:
            pages = [stack.enter_context(open_page(site, Cookie=cookie)) for _ in range(3)]
            for number, page in enumerate(pages):
                for view in range(5):
                    topics = [f"mine/{number}/{view}/{topic}" for topic in range(20)]
                    page.watch("points", f"p{view}", topics=topics)
                page.until(lambda page=page: len(page.shown) + len(page.errors) == 5)
            errors = [error for page in pages for error in page.errors.values()]
            assert len(errors) == 13 and {error["code"] for error in errors} == {"too_many"}
            assert "anna watches 50 different topics and filters" in errors[0]["message"]
            assert "close a page, or watch one filter with a wildcard" in errors[0]["message"]
            # What a view had opened before it was refused is closed again.
            assert len(taps) == 41
            assert descriptors() == before + 2 * 3  # a page has one at each end
            # What somebody else has open already costs a place of one's own as well.
            for number in range(12):
                theirs.watch("topic", f"t{number}", topic=f"theirs/{number}")
                pages[0].watch("messages", f"t{number}", filter=f"theirs/{number}")
            pages[0].until(lambda: "t11" in pages[0].errors)
            pages[0].until(lambda: {f"t{number}" for number in range(10)} <= pages[0].shown.keys())
            theirs.until(lambda: "t11" in theirs.shown)
            assert not theirs.errors
        eventually(lambda: len(taps) == 12 and descriptors() == before)
        assert set(taps._of) == {"session vera"} and taps._of["session vera"] == 12


def test_all_together_watch_a_bounded_number_of_topics(site, page, monkeypatch):
    monkeypatch.setattr("hookmq.web.live.taps.MOST_TAPS", 10)
    page.watch("points", "few", topics=[f"a/{topic}" for topic in range(8)])
    page.until(lambda: "few" in page.shown)
    made = site._console.dashboards.add(
        {"title": "T", "widgets": [{"id": f"w{n}", "kind": "value", "topic": f"w/{n}"} for n in range(5)]}
    )
    page.watch("dashboard", "d", id=made.id)
    error = page.until(lambda: page.errors.get("d"))
    assert error["code"] == "too_many" and "10 different topics and filters" in error["message"]
    assert len(feed_of(site)._taps) == 8
    site.publish("a/0", "4")
    page.until(lambda: [point[2] for point in page.streams["few"]] == [4])


# The thread -----------------------------------------------------------------------------------------------


def test_the_feed_survives_its_own_failures_and_those_of_who_is_told_of_them(site, page, monkeypatch):
    page.watch("topic", topic="a")
    page.until(lambda: "topic" in page.shown)
    feed, failed = feed_of(site), []

    def no_file(name, error):
        failed.append(error)
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(feed, "_failed", no_file)
    hear = feed._hear
    for error in (OSError(24, "Too many open files"), SystemExit()):

        def fail(error=error):
            monkeypatch.setattr(feed, "_hear", hear)
            raise error

        monkeypatch.setattr(feed, "_hear", fail)
        eventually(lambda error=error: error in failed)
    site.publish("a", "1")
    page.until(lambda: (page.shown["topic"] or {}).get("payload") == "1")


def test_a_thread_that_has_ended_is_replaced(site, page):
    page.watch("topic", topic="a")
    page.until(lambda: "topic" in page.shown)
    feed = feed_of(site)
    ended = threading.Thread(target=lambda: None)
    ended.start()
    ended.join()
    with feed._wake:
        # As if it had ended: the one that runs hears of nothing else than that it is to end.
        running, feed._closed = feed._thread, True
        feed._wake.notify_all()
    running.join(10)
    feed._closed, feed._thread = False, running
    assert not running.is_alive()
    page.say(do="ping")
    page.until(lambda: "pong" in page.frames[-1])
    assert feed._thread is not running


# Memory ---------------------------------------------------------------------------------------------------


def test_what_was_read_of_payloads_is_not_kept(site, page):
    page.watch("values", topic="big/+", path="[0]")
    page.watch("values", "again", topic="+/#", path="[1]")
    page.until(lambda: {"values", "again"} <= page.shown.keys())
    before = sys.getallocatedblocks()
    for number in range(12):
        site.publish(f"big/{number}", LARGE)
    for view in ("values", "again"):
        page.until(lambda view=view: len(page.items(view)) == 12, timeout=60)
    assert all(item["value"] == {} for item in page.items("values").values())
    # One that was read has 87,000 of them.
    eventually(lambda: sys.getallocatedblocks() - before < 80_000)


def test_what_is_kept_of_all_topics_is_bounded(site, page, monkeypatch):
    monkeypatch.setattr("hookmq.web.live.taps.HELD", 1 << 20)
    page.watch("values", topic="big/+", path="")
    page.watch("values", "small", topic="small/+", path="")
    page.until(lambda: {"values", "small"} <= page.shown.keys())
    for number in range(10):
        site.publish(f"small/{number}", "1")
    for number in range(20):
        site.publish(f"big/{number}", f"{number} " + "x" * 200_000)
    page.until(lambda: page.items("values").keys() == {f"big/{number}" for number in range(15, 20)})
    page.until(lambda: len(page.items("small")) == 10)
    assert sum(tap.held for tap in feed_of(site)._taps._taps.values()) <= 1 << 20


# Time -----------------------------------------------------------------------------------------------------


def test_a_flood_that_takes_long_to_read_stops_nobody_else(site, figures):
    cookie, other = logged_in(site), logged_in(site, "vera")
    over = threading.Event()

    def flood():
        number = 0
        while not over.wait(0.005):
            site.publish(f"cpu/{number % 10}", LARGE)
            number += 1

    with open_page(site, Cookie=cookie) as page, open_page(site, Cookie=other) as theirs:
        for number in range(10):
            page.watch("points", f"p{number}", filter="cpu/#", path=f"[{number}]")
        page.until(lambda: len(page.shown) == 10)
        theirs.watch("overview")
        theirs.watch("topic", topic="clock")
        theirs.until(lambda: len(theirs.shown) == 2)
        flooding = threading.Thread(target=flood)
        flooding.start()
        try:
            begun = time.monotonic()
            theirs.frames.clear()
            while (took := time.monotonic() - begun) < 5:
                site.publish("clock", str(took))
                theirs.take()
        finally:
            over.set()
            flooding.join()
        clock, overview = (
            sum(frame["id"] == id for frame in theirs.frames) / took for id in ("topic", "overview")
        )
        figures(f"beside a flood: {clock:.1f} frames/s of a topic, {overview:.1f} of the overview")
        assert clock >= 2 and overview > 0.6
        # What was too much is told as lost; then numbers are shown as before.
        page.until(lambda: all(page.lost.get(f"p{number}") for number in range(10)))
        site.publish("cpu/0", b"[1,2,3,4,5,6,7,8,9,10]")
        page.until(lambda: all(page.streams.get(f"p{number}") for number in range(10)))
        assert [point[2] for point in page.streams["p4"]] == [5]


def test_views_that_there_is_no_time_for_say_how_much_they_lost(site, page, monkeypatch):
    monkeypatch.setattr("hookmq.web.live.feed.LOOKING", 0.0)  # one view in each round
    for number in range(10):
        page.watch("messages", f"m{number}", filter="a", **({"qos": number % 3} if number < 3 else {}))
        page.watch("points", f"p{number}", filter="a", path=f"[{number}]")
    page.until(lambda: len(page.shown) == 14)
    for number in range(50):
        site.publish("a", json.dumps([number] * 10))
        page.say(do="ping")
        page.take()
    for id in ("m0", "p0", "p9"):
        page.until(lambda id=id: len(page.streams[id]) + page.lost.get(id, 0) == 50)
    assert any(page.lost.values())


def test_filters_that_there_is_no_time_for_wait_and_lose_nothing(site, page, monkeypatch):
    monkeypatch.setattr("hookmq.web.live.feed.TAKING", 0.0)  # one filter in each round
    for number in range(6):
        page.watch("messages", f"m{number}", filter="/".join(["t"] + ["+"] * number) if number else "t/#")
    page.until(lambda: len(page.shown) == 6)
    for number in range(6):
        site.publish("/".join(["t"] * (number + 1)), str(number))
    page.until(lambda: all(page.streams[f"m{number}"] for number in range(6)))
    page.until(lambda: len(page.streams["m0"]) == 6)
    assert not any(page.lost.values())


def test_few_messages_are_taken_before_those_of_floods(site, page):
    page.watch("overview")
    page.until(lambda: "overview" in page.shown)
    taps = Taps(feed_of(site)._context.data.native)
    flood, quiet = taps.open("flood"), taps.open("quiet")
    quiet.spent = 1.0
    for number in range(30):
        site.publish("flood", str(number))
    site.publish("quiet", "1")
    eventually(lambda: (flood.waiting, quiet.waiting) == (30, 1))
    taps.look(0.0)  # one filter in each round
    assert (len(flood.fresh), len(quiet.fresh)) == (0, 1)
    taps.look(1.0)
    assert (len(flood.fresh), flood.lost) == (30, 0)
    for tap in (flood, quiet):
        taps.close(tap)


def test_what_browsers_said_is_heard_however_little_time_there_is(site, page, monkeypatch):
    monkeypatch.setattr("hookmq.web.live.feed.HEARING", 0.0)
    for number in range(20):
        page.watch("topic", f"t{number}", topic=f"t/{number}")
    page.until(lambda: len(page.shown) == 20)


def test_dashboards_show_all_that_is_large_when_there_was_time_to_read_it(site, page):
    for number in range(12):
        site.publish(f"big/{number}", LARGE[:-1] + b',"%d"]' % number, retain=True)
    widgets = [
        {"id": "table", "kind": "table", "topic": "big/+"},
        {"id": "value", "kind": "value", "topic": "big/11", "path": "[87000]"},
        {"id": "line", "kind": "line", "topic": "big/+", "path": "[87000]"},
        {"id": "log", "kind": "log", "topic": "big/+"},
    ]
    made = site._console.dashboards.add({"title": "T", "widgets": widgets})
    page.watch("dashboard", "d", id=made.id)
    page.until(lambda: page.items("d").get("value", {}).get("value") == "11")
    page.until(lambda: len(page.items("d").get("table", {}).get("rows", ())) == 12, timeout=60)
    assert [row["topic"] for row in page.items("d")["table"]["rows"]] == sorted(
        f"big/{number}" for number in range(12)
    )
    site.publish("big/3", b'{"small":1}')
    page.until(lambda: {"small": 1} in [row["value"] for row in page.items("d")["table"]["rows"]])
    assert len(page.items("d")["table"]["rows"]) == 12


def test_many_views_of_one_account_leave_time_for_its_small_ones(site, page, figures):
    levels = "abcdefgh"
    for number in range(80):
        filter = "/".join("+" if number >> at & 1 else level for at, level in enumerate(levels))
        page.watch("messages", f"m{number}", filter=filter)
    page.until(lambda: len(page.shown) == 80)
    with open_page(site) as other:
        other.watch("topic", topic="clock")
        other.until(lambda: "topic" in other.shown)
        payload, begun = "x" * 60_000, time.monotonic()
        over = threading.Event()

        def flood():
            while not over.wait(0.0025):
                site.publish("/".join(levels), payload)

        def read():  # so that there is room for more
            while not over.is_set():
                page.take()

        threads = [threading.Thread(target=flood), threading.Thread(target=read)]
        for thread in threads:
            thread.start()
        try:
            other.frames.clear()
            while (took := time.monotonic() - begun) < 5:
                site.publish("clock", str(took))
                other.take()
        finally:
            over.set()
            for thread in threads:
                thread.join()
        figures(f"beside 80 views of a flood: {len(other.frames) / took:.1f} frames/s of a topic")
        assert len(other.frames) / took >= 2
