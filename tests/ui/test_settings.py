"""The page of settings: values with their origin, reload, and what is chosen for this browser."""

from __future__ import annotations

import pytest


@pytest.fixture
def set_up(broker_factory, dashboard_of):
    return dashboard_of(broker_factory(http_port=0, **{"history.max_rows": 4321}))


def test_values_say_where_they_come_from(set_up):
    with set_up.open("#/settings") as page:
        page.getByLabel("Only what is not the default").check()
        row = page.locator("tbody tr").filter({"hasText": "history.max_rows"})
        row.waitFor()
        assert "4321" in row.innerText()
        assert "Broker(" in row.innerText()
        page.getByLabel("Only what is not the default").uncheck()
        page.getByRole("searchbox").fill("users_file")
        page.until("document.querySelectorAll('tbody tr').length === 1")
        assert "not set" in page.locator("tbody").innerText()


def test_the_broker_is_described(set_up):
    with set_up.open("#/settings", role="viewer") as page:
        text = page.locator(".page").innerText()
        assert f"mqtt://127.0.0.1:{set_up.broker.port}" in text
        assert page.getByRole("button", {"name": "Reload"}).count() == 0


def test_language_and_theme(set_up):
    with set_up.open("#/settings") as page:
        page.getByRole("radio", {"name": "dark"}).click()
        page.until("document.documentElement.dataset.theme === 'dark'")
        page.getByRole("radio", {"name": "日本語"}).click()
        page.getByText("このブラウザー").waitFor()


def test_reload_reads_users_and_rules_again(tmp_path, broker_factory, dashboard_of):
    (tmp_path / "acl").write_text("allow any all a/#\n")
    found = dashboard_of(broker_factory(http_port=0, **{"access.acl_file": tmp_path / "acl"}))
    with found.open("#/settings") as page:
        page.getByRole("button", {"name": "Reload"}).click()
        page.getByRole("dialog").getByRole("button", {"name": "Reload"}).click()
        page.until("document.querySelector('.toasts .notice')")
        told = page.locator(".toasts").innerText()
    assert "read again" in told or "E5" in told or "app" in told
