"""The page of rules: one is written, tried and fires; versions, conflicts, rules of somewhere else."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from hookmq.rules.actions.kinds import KINDS_OF_ACTIONS, class_of

from .browser import _node_of_the_environment
from .mqtt import connected
from .plant import wait_for

NODE = shutil.which("node") or _node_of_the_environment()
KINDS = Path(__file__).parent.parent.parent / "python/hookmq/dashboard/js/pages/rules/kinds.js"
SQL = 'SELECT payload.temp AS t, clientid FROM "sensors/+/temp" WHERE payload.temp > 30'
HOT = {"name": "hot", "sql": SQL, "actions": [{"kind": "republish", "topic": "alarm", "payload": "${t}"}]}


def write(page, sql):
    page.getByLabel("SQL of the rule").fill(sql)


def test_a_rule_is_written_tried_and_fires(dashboard):
    with dashboard.open("#/rules") as page, connected(dashboard.broker, "siren", "alarm/#") as siren:
        page.getByRole("link", {"name": "Begin with this one"}).click()
        page.until("location.hash === '#/rules/%2B'")
        page.getByLabel("Name").fill("hot")
        # A mistake is marked where it is, while it is typed.
        write(page, 'SELECT averge(payload.temp) AS t\nFROM "sensors/+/temp"')
        page.getByText("there is no function `averge`").waitFor()
        assert page.locator(".sql-wrong").innerText() == "averge"
        assert "did you mean `average`?" in page.locator(".editor-mistake").innerText()
        # Put right, it is tried on a sample, step by step.
        write(page, SQL)
        page.getByRole("radio", {"name": "Samples of my own"}).click()
        sample = page.locator(".sample")
        sample.getByLabel("Topic").fill("sensors/roof/temp")
        sample.getByLabel("Client").fill("roof-7")
        sample.getByLabel("Payload").fill('{"temp": 29}')
        page.getByText("Selects nothing.").waitFor()
        sample.getByLabel("Payload").fill('{"temp": 33}')
        page.getByText("Selects 1 result.").waitFor()
        assert '"t": 33' in page.locator(".trial-result").innerText()
        assert "alarm/roof-7" in page.locator(".would").innerText()
        assert siren.got == [], "a trial publishes nothing"
        page.getByRole("button", {"name": "Create the rule"}).click()
        page.until("location.hash === '#/rules/hot'")
        with connected(dashboard.broker, "roof-7") as roof:
            roof.publish("sensors/roof/temp", '{"temp": 35}', qos=1).wait_for_publish(10)
            roof.publish("sensors/roof/temp", '{"temp": 25}', qos=1).wait_for_publish(10)
        wait_for(lambda: siren.got == [("alarm/roof-7", "35 degrees")])
        page.until("/Evaluated\\s+2[\\s\\S]*Results\\s+1/.test(document.body.innerText)")


def test_completion_knows_functions_fields_and_the_payload(dashboard):
    dashboard.broker.publish("sensors/roof/temp", {"temp": 31, "unit": {"name": "C"}})
    with dashboard.open("#/rules/%2B") as page:
        page.getByText("Selects 1 result.").waitFor()  # so it knows the payload
        area = page.getByLabel("SQL of the rule")
        area.fill("")
        area.pressSequentially("SELECT hyster")
        page.getByRole("option").first().waitFor()
        assert "hysteresis" in page.locator(".editor-offer").innerText()
        page.keyboard.press("Enter")
        assert area.inputValue() == "SELECT hysteresis("
        area.pressSequentially("payload.un")
        page.getByRole("option").first().waitFor()
        offered = page.evaluate(
            "[...document.querySelectorAll('[role=option] span')].map((one) => one.innerText)"
        )
        assert offered == ["unit", "unit.name"]
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Tab")
        assert area.inputValue() == "SELECT hysteresis(payload.unit.name"
        area.pressSequentially(" ")
        page.keyboard.press("Control+Space")
        page.getByRole("option").first().waitFor()
        page.keyboard.press("Escape")
        page.until("!document.querySelector('.editor-offer')")


def test_the_last_real_message_is_what_it_is_tried_on(dashboard):
    dashboard.broker.publish("sensors/roof/temp", {"temp": 77})
    with dashboard.open("#/rules/%2B") as page:
        page.until("document.querySelector('.trial-payload')?.innerText.includes('77')")
        write(page, 'SELECT * FROM "nothing/here"')
        page.getByText("No message that the rule reads is stored yet.").waitFor()


def test_versions_their_difference_and_the_way_back(dashboard):
    dashboard.post("rules", HOT)
    with dashboard.open("#/rules/hot") as page:
        write(page, SQL.replace("30", "40"))
        page.getByText("Not saved yet").waitFor()
        page.keyboard.press("Control+s")
        page.getByText("hot is saved and in force.").waitFor()
        page.getByRole("button", {"name": "2 changed"}).click()
        assert "payload.temp > 30" in page.locator(".is-removed").first().innerText()
        assert "payload.temp > 40" in page.locator(".is-added").first().innerText()
        page.getByRole("button", {"name": "1 created"}).click()
        page.getByRole("button", {"name": "Restore version 1"}).click()
        page.getByText("Version 1 is in force again.").waitFor()
        page.until("document.querySelector('#sql').value.includes('> 30')")
    assert dashboard.get("rules/hot")["rule"]["sql"] == SQL


@pytest.mark.parametrize("mine", [True, False], ids=["mine", "theirs"])
def test_what_somebody_else_has_changed_is_not_overwritten_unasked(dashboard, mine):
    dashboard.post("rules", HOT)
    with dashboard.open("#/rules/hot") as page:
        write(page, SQL.replace("30", "50"))
        dashboard.call("PUT", "rules/hot", HOT | {"sql": SQL.replace("30", "20")})
        page.getByRole("button", {"name": "Save", "exact": True}).click()
        dialog = page.getByRole("dialog")
        dialog.getByText("Lines with").waitFor()
        assert "> 20" in dialog.locator(".is-removed").first().innerText()
        assert "> 50" in dialog.locator(".is-added").first().innerText()
        dialog.getByRole("button", {"name": "Save mine over it" if mine else "Take theirs"}).click()
        page.until("!document.querySelector('dialog')")
        wanted = SQL.replace("30", "50" if mine else "20")
        page.until(f"document.querySelector('#sql').value === {json.dumps(wanted)}")
    assert dashboard.get("rules/hot")["rule"]["sql"] == wanted


def test_a_rule_is_switched_and_deleted(dashboard):
    dashboard.post("rules", HOT)
    with dashboard.open("#/rules") as page:
        page.getByRole("switch", {"name": "Enabled: hot"}).click()
        page.until("document.querySelector('[role=switch]').getAttribute('aria-checked') === 'false'")
        assert not dashboard.broker.rules["hot"].info().enabled
        page.getByText("hot", {"exact": True}).click()
        page.getByRole("button", {"name": "Delete"}).click()
        page.getByRole("dialog").getByRole("button", {"name": "Delete"}).click()
        page.until("location.hash === '#/rules'")
        assert list(dashboard.broker.rules) == []
        page.getByRole("link", {"name": "Bring it back"}).click()
        page.getByRole("button", {"name": "created"}).click()
        page.getByRole("button", {"name": "Restore version 1"}).click()
        page.until("document.querySelector('#sql')")
    assert list(dashboard.broker.rules) == ["hot"]


def test_a_rule_of_python_is_read_and_copied(dashboard):
    dashboard.broker.add_rule("code", SQL)
    with dashboard.open("#/rules/code") as page:
        page.getByText("This rule is written in").waitFor()
        assert not page.getByLabel("SQL of the rule").isEditable()
        assert page.getByRole("button", {"name": "Save"}).count() == 0
        page.getByRole("button", {"name": "Copy to a new rule"}).click()
        page.until("document.querySelector('#sql')?.readOnly === false")
        page.getByRole("button", {"name": "Create the rule"}).click()
        page.until("location.hash === '#/rules/code-copy'")
    assert dashboard.broker.rules["code-copy"].info().sql == SQL


def test_an_action_that_cannot_be_is_told(dashboard):
    with dashboard.open("#/rules/%2B") as page:
        page.getByLabel("Name").fill("post")
        page.getByLabel("Add an action…").selectOption("webhook")
        page.getByRole("button", {"name": "Create the rule"}).click()
        page.until(
            "[...document.querySelectorAll('[role=alert]')].some((one) => one.innerText.includes('url'))"
        )


def test_forms_of_actions_are_what_the_package_takes():
    script = f"import('{KINDS.as_uri()}').then(({{KINDS}}) => console.log(JSON.stringify(KINDS)))"
    done = subprocess.run(
        [NODE, "--input-type=module", "-e", script], capture_output=True, text=True, check=True
    )
    shown = json.loads(done.stdout)
    assert list(shown) == list(KINDS_OF_ACTIONS)
    for kind, options in shown.items():
        own = {option.key: option for option in class_of(kind).OPTIONS}
        assert options.keys() == own.keys(), kind
        for key, option in options.items():
            assert option.get("required", False) is own[key].required, f"{kind}.{key}"
            assert option.get("template", False) is own[key].template, f"{kind}.{key}"
            assert option.get("secret", False) is own[key].secret, f"{kind}.{key}"
            assert option["type"] == own[key].type, f"{kind}.{key}"
            if own[key].choices:
                assert option["choices"] == list(own[key].choices), f"{kind}.{key}"
