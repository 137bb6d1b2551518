"""The page of retained messages: found, looked into, cleared."""

from __future__ import annotations

from .plant import wait_for


def retained(dashboard):
    return sorted(one["topic"] for one in dashboard.get("retained")["items"])


def keep(dashboard, *topics):
    for topic in topics:
        dashboard.broker.publish(topic, {"state": topic}, retain=True)
    wait_for(lambda: len(retained(dashboard)) == len(topics))


def test_one_is_looked_into_and_cleared(dashboard):
    keep(dashboard, "a/1", "a/2")
    with dashboard.open("#/retained", role="operator") as page:
        page.getByText("a/1", {"exact": True}).click()
        dialog = page.getByRole("dialog")
        dialog.locator(".payload").getByText("a/1").waitFor()
        dialog.getByRole("button", {"name": "Clear"}).click()
        page.getByRole("button", {"name": "Clear", "exact": True}).last().click()
        page.getByText("a/1 is cleared.").waitFor()
        assert retained(dashboard) == ["a/2"]
        page.getByText("1 of").waitFor()


def test_those_of_a_filter_are_cleared_and_it_says_how_many(dashboard):
    keep(dashboard, "a/1/x", "a/2/x", "a/3/y", "b/1/x")
    with dashboard.open("#/retained") as page:
        page.getByLabel("Filter").fill("a/+/x")
        page.getByText("2 of 2").waitFor()
        page.getByRole("button", {"name": "Clear these…"}).click()
        dialog = page.getByRole("dialog")
        assert "Clear 2 retained messages?" in dialog.innerText()
        assert "a/+/x" in dialog.innerText()
        dialog.getByRole("button", {"name": "Clear 2 messages"}).click()
        page.getByText("2 messages are cleared.").waitFor()
    assert retained(dashboard) == ["a/3/y", "b/1/x"]


def test_bytes_are_shown_as_bytes(dashboard):
    dashboard.broker.publish("picture", bytes(range(200, 256)), retain=True)
    with dashboard.open("#/retained") as page:
        page.getByText("bytes", {"exact": True}).waitFor()
        page.getByText("picture", {"exact": True}).click()
        page.until("/c8 c9 ca/i.test(document.querySelector('dialog .payload')?.innerText)")


def test_a_filter_that_is_none_is_told(dashboard):
    with dashboard.open("#/retained") as page:
        page.getByLabel("Filter").fill("a/#/b")
        page.getByRole("alert").waitFor()
