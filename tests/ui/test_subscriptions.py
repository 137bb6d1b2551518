"""The page of subscriptions: all of them, and who receives a message."""

from __future__ import annotations

from .mqtt import connected


def test_who_receives_a_topic(dashboard):
    broker = dashboard.broker

    @broker.on_message_received("plant/+/state")
    def follow(msg):
        pass

    broker.add_rule("seen", 'SELECT * FROM "plant/#"')
    with (
        connected(broker, "all", "plant/#"),
        connected(broker, "worker-1", "$share/team/plant/north/state"),
        connected(broker, "other", "cellar/#"),
        dashboard.open("#/subscriptions") as page,
    ):
        page.getByText("3 of 3").waitFor()
        page.getByLabel("Topic").fill("plant/north/state")
        page.getByRole("button", {"name": "Show"}).click()
        page.getByText("2 subscriptions get it").waitFor()
        card = page.locator(".card").first().innerText()
        assert "all" in card and "worker-1" in card and "other" not in card
        assert "shared: team" in card and "one member gets each message" in card
        page.getByRole("link", {"name": "follow"}).waitFor()
        page.getByRole("link", {"name": "seen"}).waitFor()
        page.getByLabel("Topic").fill("nobody/here")
        page.getByRole("button", {"name": "Show"}).click()
        page.getByText("No client would get it.").waitFor()
        page.getByLabel("Topic").fill("plant/#")
        page.getByRole("button", {"name": "Show"}).click()
        page.getByText("wildcard").waitFor()  # what is wrong is said


def test_a_subscription_leads_to_its_client(dashboard):
    with connected(dashboard.broker, "all", "plant/#"), dashboard.open("#/subscriptions") as page:
        page.getByRole("searchbox").fill("plant")
        page.getByRole("link", {"name": "all", "exact": True}).click()
        page.until("location.hash === '#/clients/all'")
