"""A viewer cannot do what others can: neither with the page, which has no such buttons, nor with the API."""

from __future__ import annotations

import json

import pytest

from .mqtt import connected

RULE = {"name": "hot", "sql": 'SELECT * FROM "a/#"', "actions": [{"kind": "log"}]}

FORBIDDEN = {
    "hooks": ["Pause: watch"],
    "hooks/watch": ["Pause", "Run it"],
    "jobs": ["Run now: sweep", "Pause: sweep"],
    "rules": ["New rule", "Enabled: hot"],
    "rules/hot": ["Save", "Delete", "Copy to a new rule", "Add an action…", "Enabled: hot"],
    "clients": ["Actions: tank-7"],
    "clients/tank-7": ["Disconnect", "End session", "Ban"],
    "clients?tab=bans": ["Add a ban", "Lift"],
    "retained": ["Clear these…", "Clear: kept"],
    "security": ["Users", "Access list", "API tokens"],
    "security?tab=users": ["Add a user"],
    "security?tab=acl": ["Save and apply"],
    "security?tab=accounts": ["Add an account"],
    "security?tab=tokens": ["Create a token"],
    "settings": ["Reload"],
}
"""Of each page what only others see: the names of buttons, links, tabs and switches."""

NAMES = """[...document.querySelectorAll('.page :is(button, a, select, label)')].flatMap(
    (one) => [one.getAttribute('aria-label') ?? one.title ?? '', one.innerText.trim()])"""


@pytest.fixture
def full(dashboard):
    """A dashboard with something of everything."""
    from hookmq import every

    broker = dashboard.broker

    @broker.on_message_received("tank/#")
    def watch(msg):
        pass

    @broker.schedule(every(1).hours)
    def sweep():
        pass

    broker.publish("kept", "x", retain=True)
    broker.ban("somebody")
    dashboard.post("rules", RULE)
    with connected(broker, "tank-7", "cmd/#"):
        yield dashboard


@pytest.mark.parametrize("place", FORBIDDEN)
def test_a_viewer_sees_no_button_that_is_not_for_viewers(full, place):
    names = json.dumps(FORBIDDEN[place])
    with full.open(f"#/{place}", role="admin") as page:
        # They are there for an administrator, so this test looks for the right ones.
        wanted = [
            name for name in FORBIDDEN[place] if not place.startswith("security?tab=") or "Save" not in name
        ]
        if not place.startswith(("security?tab=acl", "security?tab=users")):
            page.until(f"((there) => {json.dumps(wanted)}.every((name) => there.includes(name)))({NAMES})")
    with full.open(f"#/{place}", role="viewer") as page:
        page.waitForTimeout(300)  # what comes late must not come either
        assert page.evaluate(f"((there) => {names}.filter((name) => there.includes(name)))({NAMES})") == []


CALLS = [
    ("POST", "hooks/watch/pause", None),
    ("POST", "hooks/watch/run", {"topic": "tank/1", "payload": "x"}),
    ("POST", "jobs/sweep/run", None),
    ("POST", "rules", RULE | {"name": "other"}),
    ("PUT", "rules/hot", RULE),
    ("DELETE", "rules/hot", None),
    ("POST", "rules/hot/disable", None),
    ("POST", "rules/test", {"sql": RULE["sql"], "sample": {"topic": "a/b", "payload": 1}}),
    ("POST", "clients/tank-7/disconnect", None),
    ("DELETE", "clients/tank-7", None),
    ("POST", "clients/tank-7/ban", {}),
    ("DELETE", "bans?by=client&value=somebody", None),
    ("DELETE", "retained?topic=kept", None),
    ("POST", "publish", {"topic": "a", "payload": "x"}),
    ("PUT", "users/anna", {"password": "long enough"}),
    ("PUT", "acl", {"text": ""}),
    ("POST", "accounts", {"name": "mallory", "password": "long enough", "role": "admin"}),
    ("POST", "tokens", {"name": "mine", "role": "admin"}),
    ("POST", "reload", None),
]


def test_nor_does_the_api_let_them(full):
    """Asked by the page's own code, with the viewer's cookie."""
    with full.open("#/overview", role="viewer") as page:
        script = """async (calls) => {
          const found = [];
          for (const [method, path, body] of calls) {
            const answer = await fetch(new URL(`api/v1/${path}`, location.origin), {
              method, headers: { "X-HookMQ": "1", "Content-Type": "application/json" },
              body: body === null ? undefined : JSON.stringify(body),
            });
            found.push(answer.status);
          }
          return found;
        }"""
        assert page.evaluate(f"({script})({json.dumps(CALLS)})") == [403] * len(CALLS)
    assert list(full.broker.rules) == ["hot"]
    assert full.get("retained")["total"] == 1
