"""States of pages that one comes to by doing something: nothing is wrong, missing or too wide there."""

from __future__ import annotations

import json

import pytest

from .mqtt import connected
from .test_pages import complaints


@pytest.fixture(params=["light", "dark"])
def theme(request):
    return request.param


def test_a_rule_that_is_wrong_and_completed(dashboard, theme):
    dashboard.broker.publish("sensors/roof/temp", {"temp": 31})
    with dashboard.open("#/rules/%2B", theme=theme) as page:
        page.getByText("Selects 1 result.").waitFor()
        found = complaints(page, "en", theme)
        page.getByLabel("SQL of the rule").fill('SELECT averge(payload.temp) AS t\nFROM "sensors/+/temp"')
        page.locator(".editor-mistake").waitFor()
        found += complaints(page, "en", theme)
        page.getByLabel("SQL of the rule").fill("")
        page.getByLabel("SQL of the rule").pressSequentially("SELECT hyst")
        page.locator(".editor-help").waitFor()
        found += complaints(page, "en", theme)
        page.getByRole("radio", {"name": "Samples of my own"}).click()
        page.getByLabel("Add an action…").selectOption("email")
        page.getByText("More options").last().click()
        found += complaints(page, "en", theme)
    assert found == []


def test_a_rule_with_versions(dashboard, theme):
    rule = {"name": "hot", "sql": 'SELECT * FROM "a"', "actions": []}
    dashboard.post("rules", rule)
    dashboard.call("PUT", "rules/hot", rule | {"sql": 'SELECT topic\nFROM "a"'})
    with dashboard.open("#/rules/hot", theme=theme) as page:
        page.getByRole("button", {"name": "2 changed"}).click()
        page.locator(".changes").waitFor()
        assert complaints(page, "en", theme) == []


def test_a_hook_that_was_run(dashboard, theme):
    @dashboard.broker.on_message_received("tank/{tank}/level")
    def watch(msg, tank):
        print("looking at", tank)
        return json.loads(msg.payload)["level"]

    with dashboard.open("#/hooks/watch", theme=theme) as page:
        page.getByRole("tab", {"name": "Run it"}).click()
        page.getByRole("radio", {"name": "A sample"}).click()
        page.getByRole("button", {"name": "Run", "exact": True}).click()
        page.getByText("Returned").waitFor()
        found = complaints(page, "en", theme)
        page.getByRole("textbox", {"name": "Payload"}).fill("{}")
        page.getByRole("button", {"name": "Run", "exact": True}).click()
        page.getByText("Raised").waitFor()
        found += complaints(page, "en", theme)
    assert found == []


def test_dialogs_and_menus(dashboard, theme):
    dashboard.broker.publish("a/b", {"state": "on"}, retain=True)
    with connected(dashboard.broker, "tank-7", "a/#"), dashboard.open("#/clients", theme=theme) as page:
        page.getByRole("button", {"name": "Actions: tank-7"}).click()
        found = complaints(page, "en", theme)
        page.setViewportSize({"width": 1280, "height": 900})
        page.getByRole("button", {"name": "Actions: tank-7"}).click()
        page.getByRole("menuitem", {"name": "Ban"}).click()
        page.getByRole("dialog").waitFor()
        found += complaints(page, "en", theme)
        page.goto(f"{dashboard.url}#/retained")
        page.getByText("a/b", {"exact": True}).click()
        page.locator("dialog .payload").waitFor()
        found += complaints(page, "en", theme)
        page.goto(f"{dashboard.url}#/subscriptions?topic=a/b")
        page.getByText("1 subscription gets it").waitFor()
        found += complaints(page, "en", theme)
    assert found == []
