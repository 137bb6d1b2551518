"""The page of hooks: errors with their source, a run by hand, pausing."""

from __future__ import annotations

import json

import pytest

from .plant import wait_for

FRAMES = """[...document.querySelectorAll('.frame')].map(
    (one) => [one.innerText.split('\\n')[0], one.querySelector('details').open])"""


@pytest.fixture
def tank(dashboard):
    """A dashboard whose broker has a hook that fails without a level; ``tank.seen`` is what it was told."""
    dashboard.seen = []

    @dashboard.broker.on_message_received("tank/{tank}/level")
    def watch(msg, tank):
        print("looking at", tank)
        level = json.loads(msg.payload)["level"]
        dashboard.seen.append(level)
        return f"level {level}"

    return dashboard


def publish(dashboard, payload, topic="tank/7/level"):
    from .mqtt import connected

    with connected(dashboard.broker, "tank-7") as client:
        client.publish(topic, payload, qos=1).wait_for_publish(10)


def test_a_hook_raises_and_its_traceback_shows(tank):
    with tank.open("#/hooks") as page:
        page.getByText("watch", {"exact": True}).waitFor()
        publish(tank, '{"lvl": 3}')
        page.until("document.querySelector('tbody .badge.error')")  # without a reload: it is live
        page.getByText("watch", {"exact": True}).click()
        page.until("location.hash === '#/hooks/watch'")
        page.getByText("KeyError: 'level'").first().waitFor()
        marked = page.locator(".is-raised .is-marked").innerText()
        assert 'level = json.loads(msg.payload)["level"]' in marked
        assert "raised 1 time" in page.locator(".hook-raised").innerText()


def test_frames_of_libraries_are_folded(tank):
    publish(tank, "no JSON")
    with tank.open("#/hooks/watch") as page:
        page.getByText("JSONDecodeError").first().waitFor()
        frames = page.evaluate(FRAMES)
        assert frames[0][1], "the user's own stands open"
        assert any("decoder.py" in name and not is_open for name, is_open in frames[1:-1])
        assert frames[-1][1], "and so does the one that raised"
        page.locator(".frame summary").nth(1).click()
        page.until("document.querySelectorAll('.frame details[open]').length === 3")


def test_the_source_of_a_hook(tank):
    with tank.open("#/hooks/watch") as page:
        page.getByRole("tab", {"name": "Source"}).click()
        page.until("document.querySelector('.source')?.innerText.includes('def watch(msg, tank):')")


def test_a_run_with_a_sample_shows_what_came_of_it(tank):
    with tank.open("#/hooks/watch") as page:
        page.getByRole("tab", {"name": "Run it"}).click()
        page.getByRole("radio", {"name": "A sample"}).click()
        page.getByLabel("Topic").fill("tank/9/level")
        page.getByRole("textbox", {"name": "Payload"}).fill('{"level": 12}')
        page.getByRole("button", {"name": "Run", "exact": True}).click()
        page.getByText("'level 12'").waitFor()
        assert "looking at 9" in page.locator(".hook-tab").innerText()
        assert tank.seen == [12]
        page.getByRole("textbox", {"name": "Payload"}).fill('{"lvl": 12}')
        page.getByRole("button", {"name": "Run", "exact": True}).click()
        page.getByText("Raised KeyError: 'level'").waitFor()
        assert page.locator(".frame.is-raised").count() == 1
    assert tank.broker.hooks[0].calls == 0, "a trial counts nowhere"


def test_a_run_with_the_last_real_message(tank):
    publish(tank, '{"level": 55}')
    with tank.open("#/hooks/watch") as page:
        page.getByRole("tab", {"name": "Run it"}).click()
        page.getByRole("button", {"name": "Run", "exact": True}).click()
        page.getByText("'level 55'").waitFor()
    assert tank.seen == [55, 55]


def test_pause_and_resume(tank):
    with tank.open("#/hooks/watch", role="operator") as page:
        page.getByRole("button", {"name": "Pause"}).click()
        page.getByRole("button", {"name": "Resume"}).waitFor()
        publish(tank, '{"level": 1}')
        page.until(
            "[...document.querySelectorAll('.stat')].some((one) => /Skipped\\s+1/.test(one.innerText))"
        )
        page.getByRole("button", {"name": "Resume"}).click()
        page.getByRole("button", {"name": "Pause"}).waitFor()
        publish(tank, '{"level": 2}')
        wait_for(lambda: tank.seen == [2])


def test_pausing_a_decider_is_asked_about(dashboard):
    @dashboard.broker.authorize
    def may(client, action, topic):
        return True

    with dashboard.open("#/hooks/may") as page:
        page.getByRole("button", {"name": "Pause"}).click()
        dialog = page.getByRole("dialog")
        assert "denies everything" in dialog.innerText()
        dialog.getByRole("button", {"name": "Cancel"}).click()
        page.until("!document.querySelector('dialog')")
        assert not dashboard.broker.hooks[0].paused
        page.getByRole("button", {"name": "Pause"}).click()
        dialog.getByRole("button", {"name": "Pause"}).click()
        page.getByRole("button", {"name": "Resume"}).waitFor()
    assert dashboard.broker.hooks[0].paused


def test_the_rate_of_a_hook(tank):
    from .mqtt import connected

    with tank.open("#/hooks") as page, connected(tank.broker, "fast") as client:
        for n in range(40):
            client.publish("tank/1/level", json.dumps({"level": n}), qos=1).wait_for_publish(10)
            page.waitForTimeout(50)
        page.until("/[1-9]\\S*\\/s/.test(document.querySelector('.hook-rate').innerText)")


def test_a_broker_without_hooks_teaches(dashboard):
    with dashboard.open("#/hooks") as page:
        assert "on_message_received" in page.locator(".snippet").innerText()


def test_a_hook_that_there_is_not(tank):
    with tank.open("#/hooks/none") as page:
        page.getByText("There is no hook none.").waitFor()
