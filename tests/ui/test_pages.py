"""Every page, in both languages and both themes, at three widths: nothing is wrong, missing, or too wide."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent.parent.parent / "python/hookmq/dashboard/js"
NAMES = [
    name
    for name in re.findall(r'name: "(\w+)"', (SCRIPTS / "pages.js").read_text())
    if (SCRIPTS / f"pages/{name}.js").is_file() and name != "login"
]
MORE = [
    "topics/home%2Fkitchen%2Fclimate",
    "topics/factory%2Fpress-1%2Fpicture",
    "history?filter=home/%23&tab=plot&path=temperature",
    "clients/press-1",
    "hooks/watch",
    "nowhere",
]
WIDTHS = [1280, 768, 360]

# Through the page's own modules, as its menus do.
SET_LANGUAGE = """async (name) => {
  const app = document.querySelector("script[src]").src;
  await (await import(new URL("core/i18n.js", app))).setLanguage(name);
}"""


def complaints(page, language, theme):
    """What is wrong with what the page shows now."""
    found = []
    for width in WIDTHS:
        page.setViewportSize({"width": width, "height": 900})
        page.waitForTimeout(60)  # two frames, for what draws itself anew
        where = f"{language}, {theme}, {width}: "
        if (wide := page.overflow()) > 0:
            found.append(f"{where}{wide} pixels too wide")
        if missing := page.missing_texts():
            found.append(f"{where}no text for {missing}")
        # Once for each theme and width: what axe looks at is the same in both languages, but for their texts.
        if (language, width) in (("en", 1280), ("ja", 360)):
            found += [f"{where}{each['id']}: {each['help']} {each['nodes']}" for each in page.axe()]
    return found


@pytest.mark.parametrize("place", [*NAMES, *MORE])
def test_a_page(plant, place):
    found = []
    with plant.open(f"#/{place}") as page:
        for language in ["en", "ja"]:
            page.evaluate(f"({SET_LANGUAGE})({language!r})")
            for theme in ["light", "dark"]:
                page.emulateMedia({"colorScheme": theme})
                # The page hears of it with its next picture: until then half of it may be in the old colours.
                page.until(f"document.documentElement.dataset.theme === {theme!r}")
                found += complaints(page, language, theme)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_logging_in(dashboard, theme):
    dashboard.cookie("admin")
    with dashboard.open(role=None, theme=theme) as page:
        assert page.getByRole("heading", {"name": "Log in"}).isVisible()
        assert complaints(page, "en", theme) == []


def test_a_new_broker_teaches_its_first_message(dashboard):
    with dashboard.open("#/overview") as page:
        page.until("document.body.innerText.includes('hookmq pub')")
        assert complaints(page, "en", "light") == []


def test_the_menu_of_a_narrow_screen(plant):
    with plant.open("#/overview", width=360) as page:
        page.getByRole("button", {"name": "Menu"}).click()
        page.getByRole("link", {"name": "Topics", "exact": True}).click()
        page.until("location.hash === '#/topics' && !document.querySelector('.side.open')")
        page.settle()
        assert page.overflow() <= 0


def test_keys_go_to_pages_and_to_the_search(plant):
    with plant.open("#/overview") as page:
        page.keyboard.press("g")
        page.keyboard.press("t")
        page.until("location.hash === '#/topics' && document.querySelector('[data-search]')")
        page.keyboard.press("/")
        page.until("document.activeElement.matches('[data-search]')")
        page.keyboard.press("Tab")
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press("?")
        page.until("document.querySelector('dialog[open]')")
        page.keyboard.press("Escape")
        page.until("!document.querySelector('dialog[open]')")


def test_what_is_chosen_is_kept(plant):
    with plant.open("#/overview") as page:
        page.getByRole("button", {"name": "Theme"}).click()
        page.getByRole("menuitemradio", {"name": "Dark"}).click()
        page.getByRole("button", {"name": "Language"}).click()
        page.getByRole("menuitemradio", {"name": "日本語"}).click()
        page.until(
            "document.documentElement.lang === 'ja' && document.documentElement.dataset.theme === 'dark'"
        )
        page.reload()
        page.until(
            "document.documentElement.lang === 'ja' && document.documentElement.dataset.theme === 'dark'"
        )


def test_what_the_broker_refuses_begins_in_the_language_of_the_page(plant):
    with plant.open("#/history?filter=a/%23/b", language="ja") as page:
        alert = page.locator(".notice", {"hasText": "リクエストが正しくありません: "})
        alert.waitFor()
        japanese = alert.innerText()
        page.problems()  # the browser's own word on the answer
    with plant.open("#/history?filter=a/%23/b") as page:
        page.locator(".notice", {"hasText": "a/#/b"}).waitFor()
        assert "リクエスト" not in page.locator(".notice").innerText() and "a/#/b" in japanese
        page.problems()


TOUCHED = "button, a, select, summary, [role=treeitem], input:not([type=checkbox])"
SMALL = f"""[...document.querySelectorAll("{TOUCHED}")]
  .filter((each) => each.offsetParent && !each.closest(".sr, .skip"))
  .filter((each) => getComputedStyle(each).display !== "inline")
  .map((each) => [each.getBoundingClientRect(), each])
  .filter(([{{ width, height }}]) => width > 0 && (width < 24 || height < 24))
  .map(([{{ width, height }}, each]) => `${{each.outerHTML.slice(0, 99)}}: ${{width}} x ${{height}}`)"""


@pytest.mark.parametrize(
    "place", ["topics/home%2Fkitchen%2Fclimate", "hooks", "hooks/watch", "history", "clients"]
)
def test_what_is_touched_on_a_phone_is_large_enough(plant, place):
    with plant.open(f"#/{place}", width=360) as page:
        if place.startswith("topics"):
            page.locator(".numberbox").first().click()
            page.getByRole("button", {"name": "Remove home/kitchen/climate"}).waitFor()
        assert page.evaluate(SMALL) == []


def test_a_phone_shows_what_was_published(plant):
    with plant.open("#/history?filter=tank/1/level", width=360) as page:
        row = page.getByRole("row", {"name": "tank/1/level"}).first()
        row.waitFor()
        # In sight without scrolling to the side, and no row is higher than others.
        box = "document.querySelector('tbody .only-sm').getBoundingClientRect()"
        assert page.evaluate(
            f"{box}.width > 0 && {box}.right <= innerWidth && {box}.bottom <= {box}.top + 20"
        )
        rows = "[...document.querySelectorAll('tbody tr:not(.pad)')]"
        assert page.evaluate(f"new Set({rows}.map((row) => row.offsetHeight)).size") == 1
        assert re.search(r"\d\d\.\d", page.locator("tbody .only-sm").first().innerText())


def test_on_paper_the_page_stands_alone_and_dark_on_white(plant):
    with plant.open("#/hooks/watch", theme="dark") as page:
        page.emulateMedia({"media": "print"})
        assert not page.getByRole("navigation").isVisible()
        assert page.getByRole("heading", {"name": "watch"}).isVisible()
        light = "getComputedStyle(document.documentElement).color"
        page.until(f"{light} === 'rgb(23, 28, 37)'")
        page.emulateMedia({"media": "screen"})
        page.until(f"{light} !== 'rgb(23, 28, 37)'")
