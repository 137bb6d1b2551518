"""The page of security: users, the access list, who may what, accounts and tokens of the dashboard."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest

from .conftest import PASSWORD
from .test_pages import complaints

RULES = """# A tank reports its own level.
allow user tank publish tank/%c/level
deny any all internal/#
allow any all #
"""


@pytest.fixture
def guarded(tmp_path, broker_factory, dashboard_of):
    """A dashboard whose broker has a users file and an access list."""
    (tmp_path / "users").write_text("")
    (tmp_path / "acl").write_text(RULES)
    access = {"access.users_file": tmp_path / "users", "access.acl_file": tmp_path / "acl"}
    made = dashboard_of(broker_factory(http_port=0, **access))
    made.folder = tmp_path
    return made


def test_a_user_is_added_gets_another_password_and_is_removed(guarded):
    users = guarded.folder / "users"
    with guarded.open("#/security?tab=users") as page:
        page.getByRole("button", {"name": "Add a user"}).click()
        dialog = page.getByRole("dialog")
        dialog.getByLabel("Name").fill("tank")
        dialog.getByLabel("Password").fill("short")
        dialog.getByLabel("Once more").fill("short")
        dialog.getByRole("button", {"name": "Save"}).click()
        dialog.getByText("at least 8 characters").waitFor()
        dialog.getByLabel("Password").fill("long enough")
        dialog.getByLabel("Once more").fill("long enouhg")
        dialog.getByText("The two passwords differ.").waitFor()
        dialog.getByLabel("Once more").fill("long enough")
        dialog.getByRole("button", {"name": "Save"}).click()
        page.getByText("tank is saved.").waitFor()
        page.getByText("argon2id").waitFor()
        first = users.read_text()
        assert first.startswith("tank:$argon2id$")
        page.getByRole("button", {"name": "New password: tank"}).click()
        dialog.getByLabel("Password").fill("another one")
        dialog.getByLabel("Once more").fill("another one")
        dialog.getByRole("button", {"name": "Save"}).click()
        page.until("!document.querySelector('dialog')")
        assert users.read_text() != first
        page.getByRole("button", {"name": "Remove: tank"}).click()
        dialog.getByRole("button", {"name": "Remove"}).click()
        page.getByText("No user yet.").waitFor()
    assert "tank" not in users.read_text()


def test_a_mistake_in_the_access_list_is_shown_at_its_line(guarded):
    with guarded.open("#/security?tab=acl") as page:
        area = page.getByLabel("Rules of the access list")
        area.fill(RULES + "allows any all x\n")
        page.getByRole("button", {"name": "Save and apply"}).click()
        page.getByText("Line 5:").waitFor()
        assert page.locator(".editor-mistake pre").innerText().startswith("allows any all x")
        assert (guarded.folder / "acl").read_text() == RULES
        area.fill(RULES + "allow any all x\n")
        page.getByRole("button", {"name": "Save and apply"}).click()
        page.getByText("The access list is in force.").waitFor()
        page.until("!document.body.innerText.includes('Not saved yet')")
    assert (guarded.folder / "acl").read_text().endswith("allow any all x\n")


def test_an_access_list_that_was_changed_meanwhile_is_not_overwritten_unasked(guarded):
    with guarded.open("#/security?tab=acl") as page:
        page.getByLabel("Rules of the access list").fill(RULES + "deny any all mine\n")
        (guarded.folder / "acl").write_text(RULES + "deny any all theirs\n")
        page.getByRole("button", {"name": "Save and apply"}).click()
        dialog = page.getByRole("dialog")
        dialog.getByText("deny any all theirs").waitFor()
        dialog.getByRole("button", {"name": "Save mine over it"}).click()
        page.until("!document.querySelector('dialog')")
    assert (guarded.folder / "acl").read_text().endswith("deny any all mine\n")


def test_may_somebody_and_which_rule_says_so(guarded):
    with guarded.open("#/security?tab=explain") as page:
        page.getByLabel("User (empty: none)").fill("tank")
        page.getByLabel("Client", {"exact": True}).fill("t7")
        page.getByLabel("Topic or filter").fill("tank/t7/level")
        page.getByRole("button", {"name": "Ask"}).click()
        page.getByText("Allowed", {"exact": True}).waitFor()
        page.getByText("by line 2 of the access list").waitFor()
        page.getByLabel("Topic or filter").fill("internal/keys")
        page.getByLabel("Action").selectOption("subscribe")
        page.getByRole("button", {"name": "Ask"}).click()
        page.getByText("Denied", {"exact": True}).waitFor()
        assert page.locator(".explain-rule").innerText() == "deny any all internal/#"
        page.getByRole("link", {"name": "Show the line"}).click()
        page.until("document.activeElement.id === 'acl'")
        chosen = page.evaluate(
            "((area) => area.value.slice(area.selectionStart, area.selectionEnd))(document.activeElement)"
        )
        assert chosen == "deny any all internal/#"


def test_a_hook_that_decides_is_asked(dashboard):
    @dashboard.broker.authorize
    def by_day(client, action, topic):
        return topic != "night"

    with dashboard.open("#/security?tab=explain", role="viewer") as page:
        page.getByLabel("Topic or filter").fill("night")
        page.getByRole("button", {"name": "Ask"}).click()
        page.getByText("Denied", {"exact": True}).waitFor()
        assert "by_day" in page.locator(".explain-asked").innerText()


def test_a_broker_without_files_teaches(dashboard):
    with dashboard.open("#/security?tab=users") as page:
        page.getByText("The broker has no users file").waitFor()
        page.getByRole("tab", {"name": "Access list"}).click()
        page.getByText("There is no access list").waitFor()


def test_accounts(dashboard):
    with dashboard.open("#/security?tab=accounts") as page:
        page.getByRole("button", {"name": "Add an account"}).click()
        dialog = page.getByRole("dialog")
        dialog.getByLabel("Name").fill("bob")
        dialog.getByLabel("Role").selectOption("viewer")
        dialog.getByLabel("Password").fill(PASSWORD)
        dialog.getByLabel("Once more").fill(PASSWORD)
        dialog.getByRole("button", {"name": "Save"}).click()
        page.getByText("bob is saved.").waitFor()
        page.getByLabel("Role: bob").selectOption("operator")
        page.getByText("bob is operator now.").waitFor()
        assert {one["name"]: one["role"] for one in dashboard.get("accounts")["items"]}["bob"] == "operator"
        # The last administrator stays one, and the page shows what is true.
        page.getByLabel("Role: admin").selectOption("viewer")
        page.locator(".toasts .notice.error").waitFor()
        page.until(
            "[...document.querySelectorAll('tbody tr')].some("
            "(row) => row.innerText.startsWith('admin') && row.querySelector('select').value === 'admin')"
        )
        page.getByRole("button", {"name": "Remove: bob"}).click()
        dialog.getByRole("button", {"name": "Remove"}).click()
        page.getByText("bob is removed.").waitFor()
    assert [one["name"] for one in dashboard.get("accounts")["items"]] == ["admin"]


def test_one_s_own_password(dashboard):
    with dashboard.open("#/security?tab=accounts", role="viewer") as page:
        page.getByRole("button", {"name": "Change my password"}).click()
        dialog = page.getByRole("dialog")
        dialog.getByLabel("Present password").fill(PASSWORD)
        dialog.getByLabel("Password", {"exact": True}).fill("battery staple")
        dialog.getByLabel("Once more").fill("battery staple")
        dialog.getByRole("button", {"name": "Save"}).click()
        page.getByText("The password is changed.").waitFor()
    dashboard._send("POST", "session", {"name": "viewer", "password": "battery staple"})


def test_a_token_is_made_used_and_removed(dashboard):
    with dashboard.open("#/security?tab=tokens") as page:
        page.getByRole("button", {"name": "Create a token"}).click()
        dialog = page.getByRole("dialog")
        dialog.getByLabel("Name").fill("grafana")
        dialog.getByRole("button", {"name": "Create a token"}).click()
        dialog.getByText("it is not shown again").waitFor()
        token = dialog.locator("pre").innerText()
        assert token.startswith("hmq_")
        assert ask(dashboard, token) == 200
        dialog.getByRole("button", {"name": "Done"}).click()
        page.getByText("grafana").waitFor()
        page.getByRole("button", {"name": "Remove: grafana"}).click()
        dialog.getByRole("button", {"name": "Remove"}).click()
        page.getByText("grafana is removed.").waitFor()
    assert ask(dashboard, token) == 401


def ask(dashboard, token):
    request = urllib.request.Request(
        f"{dashboard.url}api/v1/overview", headers={"Authorization": f"Bearer {token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize("tab", ["explain", "users", "acl", "accounts", "tokens"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_tab_is_in_order(guarded, tab, theme):
    with guarded.open(f"#/security?tab={tab}", theme=theme) as page:
        assert complaints(page, "en", theme) == []
