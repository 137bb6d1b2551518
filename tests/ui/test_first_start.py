"""From the link of the first start to exported data, as somebody does who opens the dashboard at first."""

from __future__ import annotations

import csv
import io
import json

import pytest

from .conftest import PASSWORD
from .plant import wait_for

VALUES = [20.5, 21.25, 22.75, 19.0]


def payload(value):
    return json.dumps({"temperature": value, "place": "hall"})


def publish_from_the_page(page, topic, text, retain=False):
    page.getByLabel("Topic", {"exact": True}).fill(topic)
    page.getByLabel("Payload", {"exact": True}).fill(text)
    if retain:
        page.getByLabel("Retain").check()
    page.getByRole("button", {"name": "Publish", "exact": True}).click()
    page.getByText(f"Published to {topic}").last().waitFor()


@pytest.mark.timeout(90)
def test_from_the_first_start_to_exported_data(broker_factory, dashboard_of, tmp_path):
    broker = broker_factory(http_port=0, data_dir=tmp_path / "home")
    dashboard = dashboard_of(broker)
    with dashboard.browser.page() as page:
        # The link lets in, leaves the address, and an account is offered.
        page.goto(dashboard.link)
        page.getByLabel("Name").fill("ann")
        assert "token" not in page.url()
        page.getByLabel("Password", {"exact": True}).fill(PASSWORD)
        page.getByLabel("Password again").fill(PASSWORD)
        page.getByRole("button", {"name": "Create the account"}).click()
        page.getByRole("heading", {"name": "Overview"}).waitFor()
        assert dashboard.broker._console.link_token is None

        # Logged out and in again, by password.
        page.getByRole("button", {"name": "ann"}).click()
        page.getByRole("menuitem", {"name": "Log out"}).click()
        page.getByLabel("Name").fill("ann")
        page.getByLabel("Password").fill("not my password")
        page.getByRole("button", {"name": "Log in"}).click()
        page.getByRole("alert").waitFor()
        page.getByLabel("Password").fill(PASSWORD)
        page.getByRole("button", {"name": "Log in"}).click()
        page.getByRole("heading", {"name": "Overview"}).waitFor()

        # Publish, and the value appears.
        page.getByRole("link", {"name": "Publish", "exact": True}).first().click()
        for value in VALUES:
            publish_from_the_page(page, "hall/climate", payload(value), retain=True)
        page.getByRole("link", {"name": "Topics", "exact": True}).click()
        page.getByRole("treeitem", {"name": "hall"}).click()
        page.getByRole("treeitem", {"name": "climate"}).click()
        page.getByRole("button", {"name": "19", "exact": True}).waitFor()
        page.getByText("Retained", {"exact": True}).first().waitFor()

        # A press on the number charts it, with what was before.
        page.getByRole("button", {"name": "19", "exact": True}).click()
        page.until("document.querySelector('.chart canvas')")
        wait_for(lambda: sum(point[4] for point in chart_points(dashboard)) == len(VALUES))
        page.getByText("hall/climate · temperature").first().waitFor()
        broker.publish("hall/climate", payload(23.5))
        page.getByText("23.5").first().waitFor()

        # It is pinned, and there after the page was loaded anew.
        page.getByRole("button", {"name": "Pin to a dashboard"}).click()
        page.getByLabel("Dashboard", {"exact": True}).selectOption("new")
        page.getByLabel("Name of the new dashboard").fill("House")
        page.getByLabel("As", {"exact": True}).selectOption("gauge")
        page.getByRole("dialog").getByRole("button", {"name": "Pin to a dashboard"}).click()
        page.getByRole("link", {"name": "Open it"}).click()
        page.getByText("House").first().waitFor()
        page.reload()
        page.getByText("House").first().waitFor()
        (house,) = dashboard_items(dashboard)
        (widget,) = dashboard_get(dashboard, f"dashboards/{house['id']}")["widgets"]
        assert (widget["kind"], widget["topic"], widget["path"]) == ("gauge", "hall/climate", "temperature")

        # What is exported is what was published.
        page.goto(f"{dashboard.url}#/history?filter=hall/%23")
        page.getByRole("button", {"name": "Export"}).click()
        exported = page.download(page.getByRole("menuitem", {"name": "CSV, for spreadsheets"}))
        rows = list(csv.DictReader(io.StringIO(exported.decode("utf-8-sig"))))
        found = sorted((row["time_us"], row["topic"], row["payload"]) for row in rows)
        assert [each[1:] for each in found] == [("hall/climate", payload(each)) for each in [*VALUES, 23.5]]

        page.getByRole("button", {"name": "Export"}).click()
        exported = page.download(page.getByRole("menuitem", {"name": "JSON Lines"}))
        lines = [json.loads(line) for line in exported.decode().splitlines()]
        assert sorted(line["payload"] for line in lines) == sorted(payload(each) for each in [*VALUES, 23.5])


def ann(dashboard):
    if "admin" not in dashboard._cookies:
        body = {"name": "ann", "password": PASSWORD}
        dashboard._cookies["admin"], _ = dashboard._send("POST", "session", body)
    return dashboard


def chart_points(dashboard):
    found = ann(dashboard).get("history/chart?topic=hall/climate&path=temperature")["series"]
    return [point for series in found for point in series["points"]]


def dashboard_items(dashboard):
    return ann(dashboard).get("dashboards")["items"]


def dashboard_get(dashboard, path):
    return ann(dashboard).get(path)


def test_a_link_that_was_used_up_says_what_to_do(dashboard):
    link = dashboard.link
    dashboard.cookie("admin")
    with dashboard.browser.page() as page:
        page.goto(link)
        page.getByRole("heading", {"name": "Log in"}).waitFor()
        assert "token" not in page.url()


def test_who_comes_without_the_link_is_told_of_it(dashboard):
    with dashboard.browser.page() as page:
        page.goto(dashboard.url)
        page.getByText("The broker printed a link when it started").waitFor()


def test_the_page_that_was_asked_for_comes_after_the_login(dashboard):
    dashboard.cookie("admin")
    with dashboard.browser.page() as page:
        page.goto(f"{dashboard.url}#/publish")
        page.getByLabel("Name").fill("admin")
        page.getByLabel("Password").fill(PASSWORD)
        page.getByRole("button", {"name": "Log in"}).click()
        page.getByRole("button", {"name": "Listen"}).waitFor()


def test_a_session_that_ends_asks_for_a_login(dashboard):
    with dashboard.open("#/publish", role="operator") as page:
        dashboard.call("DELETE", "accounts/operator")
        page.getByLabel("Topic", {"exact": True}).fill("a")
        page.getByRole("button", {"name": "Publish", "exact": True}).click()
        page.getByRole("heading", {"name": "Log in"}).waitFor()


def test_a_broker_that_comes_back_is_live_again(plant):
    with plant.open("#/topics/tank%2F1%2Flevel") as page:
        page.until("document.querySelector('.dot.on')")
        page.evaluate(
            """(async () => {
              const live = await import(new URL("core/live.js", document.querySelector("script[src]").src));
              live.reconnect();
            })()"""
        )
        plant.broker.publish("tank/1/level", "33.25")
        page.getByText("33.25").first().waitFor()
