"""The page of logs: live, by level, searched, paused, with tracebacks."""

from __future__ import annotations

import logging

import pytest


@pytest.fixture
def log():
    return logging.getLogger("hookmq.test")


def test_what_is_logged_appears_the_newest_first(dashboard, log):
    with dashboard.open("#/logs") as page:
        log.warning("the first")
        page.getByText("the first").waitFor()
        try:
            raise RuntimeError("no more paper")
        except RuntimeError:
            log.exception("the second")
        page.getByText("the second").waitFor()
        shown = page.locator(".log").innerText()
        assert shown.index("the second") < shown.index("the first")
        page.getByText("Traceback", {"exact": True}).first().click()
        page.getByText("RuntimeError: no more paper").first().waitFor()


def test_levels_and_search(dashboard, log):
    log.warning("tank is low")
    log.error("tank is empty")
    log.error("pump is stuck")
    with dashboard.open("#/logs") as page:
        page.getByText("tank is low").waitFor()
        page.getByLabel("At least").selectOption("error")
        page.until("!document.querySelector('.log').innerText.includes('tank is low')")
        page.getByRole("searchbox").fill("tank")
        page.until("!document.querySelector('.log').innerText.includes('pump')")
        log.error("pump again")
        log.error("tank again")
        page.getByText("tank again").waitFor()
        assert "pump again" not in page.locator(".log").innerText()


def test_while_it_is_paused_nothing_moves(dashboard, log):
    with dashboard.open("#/logs") as page:
        log.warning("before")
        page.getByText("before").waitFor()
        page.getByRole("button", {"name": "Pause"}).click()
        log.warning("meanwhile")
        page.getByText("1 new record").waitFor()
        assert "meanwhile" not in page.locator(".log").innerText()
        page.getByRole("button", {"name": "Go on"}).click()
        page.getByText("meanwhile").waitFor()
