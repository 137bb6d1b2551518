"""The page of settings: values with their origin, reload, and what is chosen for this browser."""

from __future__ import annotations

import re

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
        page.reload()
        page.getByLabel("Only what is not the default").waitFor()
        assert page.getByLabel("Only what is not the default").isChecked()
        page.getByLabel("Only what is not the default").uncheck()
        page.getByRole("searchbox").fill("users_file")
        page.until("document.querySelectorAll('tbody tr').length === 1")
        assert "not set" in page.locator("tbody").innerText()


def test_the_broker_is_described(set_up):
    with set_up.open("#/settings", role="viewer") as page:
        text = page.locator(".page").innerText()
        assert f"mqtt://127.0.0.1:{set_up.broker.port}" in text
        assert page.getByRole("button", {"name": "Reload"}).count() == 0


def test_what_settings_mean_is_told_in_both_languages(set_up):
    japanese = {one["key"]: one["help"] for one in set_up.get("settings?language=ja")["items"]}
    english = {one["key"]: one["help"] for one in set_up.get("settings")["items"]}
    assert all(re.search("[ぁ-ん]", text) for text in japanese.values())
    # Names of values and of other settings are the same in all languages.
    named = {key: (set(re.findall("`[^`]*`", text)), english[key]) for key, text in japanese.items()}
    assert not [key for key, (names, text) in named.items() if names != set(re.findall("`[^`]*`", text))]
    with set_up.open("#/settings", language="ja") as page:
        page.getByRole("searchbox").fill("MQTT のポート")
        page.locator("tbody tr").filter({"hasText": "MQTT のポート。0 は"}).waitFor()


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
