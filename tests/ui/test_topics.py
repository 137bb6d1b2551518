"""The Topics page, and those that publish and look back."""

from __future__ import annotations

import json

from .plant import wait_for

NASTY = [
    '<img src=x onerror="window.hit=1">',
    "<script>window.hit=1</script>",
    '"><svg onload=window.hit=1>',
    "javascript:window.hit=1",
    "{{constructor.constructor('window.hit=1')()}}",
    "${window.hit=1}",
    "</textarea><script>window.hit=1</script>",
    "<a href='javascript:window.hit=1'>x</a>",
]


def test_a_large_tree_stays_quick(dashboard):
    broker = dashboard.broker
    for n in range(20_000):
        broker.publish(f"fleet/{n % 20:02}/truck-{n}", str(n))
    with dashboard.open("#/topics") as page:
        page.getByRole("treeitem", {"name": "fleet"}).click()
        page.getByRole("treeitem", {"name": "19", "exact": False}).click()
        page.getByRole("treeitem", {"name": "truck-19"}).first().waitFor()
        # Only the rows in sight are drawn, and a level of many is shown in parts.
        assert page.evaluate("document.querySelectorAll('[role=treeitem]').length") < 120
        frames = page.evaluate(
            """new Promise((done) => {
              const times = [];
              const box = document.querySelector(".tree");
              const step = (time) => {
                times.push(time);
                box.scrollTop += 120;
                if (times.length < 40) requestAnimationFrame(step);
                else done((times.at(-1) - times[0]) / (times.length - 1));
              };
              requestAnimationFrame(step);
            })"""
        )
        assert frames < 100, "milliseconds from picture to picture, on a machine with other work"


def scroll_to(page, text):
    """Scroll down, as often as it takes, until a topic is in sight."""
    tree = "document.querySelector('.tree')"
    page.until(f"({tree}.scrollTop = 1e6, {tree}.innerText.includes('{text}'))")


def test_a_level_of_many_is_shown_in_parts(dashboard):
    for n in range(1200):
        dashboard.broker.publish(f"many/{n:04}", "1")
    with dashboard.open("#/topics") as page:
        page.getByRole("treeitem", {"name": "many"}).click()
        for last in ("0499", "0999"):
            scroll_to(page, last)
            page.getByRole("button", {"name": "Show more"}).click()
        scroll_to(page, "1199")
        assert page.getByRole("button", {"name": "Show more"}).count() == 0


def test_levels_without_a_name_are_opened_and_shown_in_parts(dashboard):
    for n in range(600):
        dashboard.broker.publish(f"/{n:04}", "1")
    dashboard.broker.publish("edge//inner", "42")
    with dashboard.open("#/topics") as page:
        page.getByRole("treeitem", {"name": "edge"}).click()
        page.locator("[role=treeitem][aria-level='2']", {"hasText": "(empty)"}).click()
        page.getByRole("treeitem", {"name": "inner"}).click()
        page.until("location.hash === '#/topics/edge%2F%2Finner'")
        page.locator(".topic", {"hasText": "edge//inner"}).getByText("42").first().waitFor()
        page.locator("[role=treeitem][aria-level='1']", {"hasText": "(empty)"}).click()
        page.until("location.hash === '#/topics/'")
        page.getByText("Nothing was published to this level").waitFor()
        scroll_to(page, "0499")
        page.getByRole("button", {"name": "Show more"}).click()
        scroll_to(page, "0599")


def test_the_tree_is_walked_with_the_keyboard(plant):
    with plant.open("#/topics") as page:
        page.getByRole("treeitem", {"name": "home"}).focus()
        for key in ["ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight", "Enter"]:
            page.waitForTimeout(350)
            page.keyboard.press(key)
        page.until("location.hash === '#/topics/home%2Fkitchen%2Fclimate'")


def test_what_changed_is_marked(plant):
    with plant.open("#/topics/home%2Fkitchen%2Fclimate") as page:
        page.getByText("ground floor").first().waitFor()
        plant.broker.publish(
            "home/kitchen/climate", json.dumps({"temperature": 99.5, "place": "ground floor"})
        )
        page.locator(".changed", {"hasText": "99.5"}).waitFor()
        assert page.locator(".changed").count() == 1


def test_several_numbers_share_a_chart_and_go_on_live(plant):
    with plant.open("#/topics/home%2Fkitchen%2Fclimate") as page:
        page.locator(".numberbox", {"hasText": "temperature"}).click()
        page.locator(".numberbox", {"hasText": "humidity"}).click()
        page.goto(f"{plant.url}#/topics/tank%2F1%2Flevel")
        page.locator(".numberbox").click()
        page.until("document.querySelectorAll('.legend li').length === 3")
        plant.broker.publish("tank/1/level", "12.5")
        page.locator(".legend", {"hasText": "12.5"}).waitFor()
        page.getByRole("button", {"name": "Remove tank/1/level"}).click()
        page.until("document.querySelectorAll('.legend li').length === 2")


def test_a_part_of_a_chart_is_looked_at(plant):
    with plant.open("#/topics/tank%2F1%2Flevel") as page:
        page.locator(".numberbox").click()
        page.until("document.querySelector('.u-over')")
        page.locator(".u-over").scrollIntoViewIfNeeded()
        box = "document.querySelector('.u-over').getBoundingClientRect()"
        x, y, width = page.evaluate(f"[{box}.x, {box}.y, {box}.width]")
        page.mouse.move(x + width / 2, y + 40)
        page.mouse.down()
        page.mouse.move(x + width - 4, y + 40)
        page.mouse.up()
        page.getByRole("button", {"name": "Back to live"}).click()
        page.until("!document.body.innerText.includes('Back to live')")


def test_a_retained_message_is_cleared(plant):
    with plant.open("#/topics/tank%2F2%2Flevel") as page:
        page.locator(".topic").getByRole("button", {"name": "Actions"}).click()
        page.getByRole("menuitem", {"name": "Clear retained message"}).click()
        page.getByRole("dialog").getByRole("button", {"name": "Clear retained message"}).click()
        page.getByText("Cleared").waitFor()
    wait_for(lambda: not [each for each in plant.get("retained")["items"] if each["topic"] == "tank/2/level"])


def test_bytes_are_shown_as_hex(plant):
    with plant.open("#/topics/factory%2Fpress-1%2Fpicture") as page:
        page.getByText("000010  10 11 12 13").waitFor()


def test_a_search_finds_over_the_whole_tree(plant):
    with plant.open("#/topics") as page:
        page.locator("[data-search]").fill("kitchen")
        page.getByRole("row", {"name": "home/kitchen/climate"}).click()
        page.until("location.hash === '#/topics/home%2Fkitchen%2Fclimate?search=kitchen'")
        page.reload()
        page.getByRole("row", {"name": "home/kitchen/climate"}).waitFor()


def test_a_viewer_publishes_nothing(plant):
    with plant.open("#/topics/tank%2F1%2Flevel", role="viewer") as page:
        page.locator(".topic").getByRole("button", {"name": "Actions"}).waitFor()
        assert page.getByRole("button", {"name": "Publish to it"}).count() == 0
        page.goto(f"{plant.url}#/publish")
        page.getByText("Your role, viewer, does not publish.").waitFor()


def test_listening(plant):
    with plant.open("#/publish?filter=lab/%23") as page:
        page.getByRole("button", {"name": "Listen"}).click()
        page.getByText("Waiting for messages").waitFor()
        page.waitForTimeout(400)
        plant.broker.publish("lab/1", "seen", qos=1)
        plant.broker.publish("other/1", "not seen")
        page.getByRole("row", {"name": "lab/1"}).waitFor()
        assert page.getByText("not seen").count() == 0


def test_a_message_is_published_with_its_properties(plant):
    inbox = plant.broker.subscribe("lab/2")
    with plant.open("#/publish") as page:
        page.getByLabel("Topic", {"exact": True}).fill("lab/2")
        page.getByRole("radio", {"name": "Hex"}).click()
        page.getByLabel("Payload", {"exact": True}).fill("00 ff 1a")
        page.getByRole("button", {"name": "Properties"}).click()
        page.getByLabel("Content type").fill("image/x")
        page.getByLabel("User properties").fill("from = page\nnote = a=b")
        page.getByRole("button", {"name": "Publish", "exact": True}).click()
        page.getByText("Published to lab/2").waitFor()
    message = inbox.get(timeout=5)
    assert message.payload == b"\x00\xff\x1a"
    assert message.properties["content_type"] == "image/x"
    assert message.properties["user_properties"] == [("from", "page"), ("note", "a=b")]


def test_wrong_topics_are_told_before_they_are_sent(plant):
    with plant.open("#/publish") as page:
        for topic, told in [("", "Name a topic"), ("a/+", "has no +"), ("$SYS/a", "begin with $")]:
            page.getByLabel("Topic", {"exact": True}).fill(topic)
            page.getByRole("button", {"name": "Publish", "exact": True}).click()
            page.getByRole("alert").filter({"hasText": told}).waitFor()


def test_nothing_that_was_published_is_taken_for_a_page(plant):
    for text in NASTY:
        name = text.replace("+", "").replace("#", "")
        plant.broker.publish(f"nasty/{name}", text)
        plant.broker.publish("nasty/json", json.dumps({text: text, "n": {text: 1}}))
    with plant.open("#/topics/nasty%2Fjson") as page:
        page.getByRole("treeitem", {"name": "json"}).waitFor()
        for place in ["history?filter=nasty/%23", "topics?search=nasty", "publish"]:
            page.goto(f"{plant.url}#/{place}")
            page.settle()
            page.waitForTimeout(300)
        assert page.evaluate("window.hit === undefined")
