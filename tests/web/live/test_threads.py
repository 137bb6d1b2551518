"""What users' pages do with their threads keeps nobody from the broker's own."""

from __future__ import annotations

import threading

from ...api.asgi_apps import browser
from ...api.helpers import Gate, eventually, get
from .conftest import open_page


def test_slow_pages_of_users_keep_nobody_from_the_broker_s_own(broker_factory):
    site = broker_factory({"hooks.page_threads": 2}, http_port=0, http_base="/b")
    gate, begun = Gate(), []

    @site.route("/slow")
    def slow():
        begun.append(1)
        gate.wait()
        return "slow"

    waiting = [threading.Thread(target=get, args=(site, "/slow")) for _ in range(6)]
    for thread in waiting:
        thread.start()
    eventually(lambda: len(begun) == 2)
    answers = {}
    for path in ("/healthz", "/readyz", "/api/openapi.json", "/dashboard", "/b/healthz"):
        answers[path] = get(site, path).status
    assert len(begun) == 2
    gate.opened.set()
    for thread in waiting:
        thread.join()
    assert set(answers.values()) == {200}, answers
    assert len(begun) == 6


def test_a_handler_that_sleeps_keeps_nobody_from_the_live_feed(broker_factory):
    site = broker_factory(http_port=0)
    gate = Gate()
    mine = site.websocket("/mine")

    @mine.on_message
    def wait(socket, message):
        gate.wait()

    with browser(site, "/mine") as line:
        line.send("x")
        assert gate.entered.wait(10)
        with open_page(site) as page:
            page.watch("overview")
            page.until(lambda: "overview" in page.shown)
        gate.opened.set()
