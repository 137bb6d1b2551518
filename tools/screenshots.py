"""Takes the pictures of the dashboard that the documentation shows: `make screenshots`, some two minutes."""

import math
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from ui.browser import Browser, Page, is_installed  # noqa: E402
from ui.conftest import Dashboard  # noqa: E402
from ui.plant import Plant  # noqa: E402

IMAGES = ROOT / "docs/images"
SECONDS = 75
"""Of readings before the first picture: a chart of a moment shows nothing."""


def zoom(page: Page) -> None:
    """Choose the last fifth of the chart with the mouse."""
    page.locator(".chart .u-over").scrollIntoViewIfNeeded()
    box = "document.querySelector('.chart .u-over').getBoundingClientRect()"
    x, y, w = page.evaluate(f"[{box}.x, {box}.y, {box}.width]")
    page.mouse.move(x + w * 0.78, y + 60)
    page.mouse.down()
    page.mouse.move(x + w * 0.995, y + 60)
    page.mouse.up()
    page.mouse.move(10, 10)


def widget(kind: str, title: str, place: tuple[int, int, int, int], **more: object) -> dict[str, object]:
    """A widget of the board in the pictures."""
    x, y, w, h = place
    return {
        "id": title.lower().replace(" ", "-"),
        "kind": kind,
        "title": title,
        "x": x,
        "y": y,
        "w": w,
        "h": h,
    } | more


CLIMATE = {"topic": "home/kitchen/climate", "path": "temperature", "unit": "°C"}
BOARD = {
    "title": "Plant",
    "widgets": [
        widget("tank", "Tank 1", (0, 0, 2, 4), topic="tank/1/level", min=0, max=100, unit="%"),
        widget("tank", "Tank 2", (2, 0, 2, 4), topic="tank/2/level", min=0, max=100, unit="%"),
        widget("area", "Kitchen", (4, 0, 5, 4), span=300, **CLIMATE),
        widget("gauge", "Kitchen now", (9, 0, 3, 4), min=10, max=30, **CLIMATE),
        widget("line", "Levels", (0, 4, 6, 4), topic="tank/+/level", unit="%", span=300),
        widget("table", "Rooms", (6, 4, 6, 4), topic="home/+/climate"),
    ],
}


def readings(plant: Plant, stop: threading.Event) -> None:
    """Publish until the pictures are taken."""
    turn = 0
    while not stop.wait(0.25):
        turn += 1
        plant.tell(math.sin(turn / 20), turn)


def take(page: Page, name: str) -> None:
    """Write what the page shows."""
    page.waitForTimeout(1500)
    page.screenshot({"path": str(IMAGES / f"{name}.png")})
    print(f"  docs/images/{name}.png", flush=True)


def main() -> None:
    """Take all pictures."""
    if not is_installed():
        sys.exit("the browser is missing: `make test-python` installs it on Debian")
    IMAGES.mkdir(exist_ok=True)
    stop = threading.Event()
    with tempfile.TemporaryDirectory() as home:
        plant, browser = Plant({"data_dir": Path(home)}, past=4), Browser()
        publishing = threading.Thread(target=readings, args=(plant, stop))
        publishing.start()
        try:
            dashboard = Dashboard(plant.broker, browser)
            board = dashboard.post("dashboards", BOARD)["id"]
            time.sleep(SECONDS)
            for name, place, theme, language in [
                ("overview", "overview", "light", "en"),
                ("overview-ja", "overview", "light", "ja"),
                ("topics", "topics/home%2Fkitchen%2Fclimate", "light", "en"),
                ("topics-dark", "topics/home%2Fkitchen%2Fclimate", "dark", "en"),
                ("dashboard", f"dashboards/{board}", "light", "en"),
                ("dashboard-dark", f"dashboards/{board}", "dark", "en"),
                ("history", "history?filter=tank/%2B/level&tab=plot&range=10m", "light", "en"),
                ("hooks", "hooks/watch", "light", "en"),
                ("rules", "rules/too_warm", "light", "en"),
                ("clients", "clients/press-1", "light", "en"),
            ]:
                tall = 1150 if name.startswith("topics") else 860
                with dashboard.open(f"#/{place}", theme=theme, language=language, height=tall) as page:
                    if name.startswith("topics"):
                        page.locator(".numberbox").first().click()
                        page.waitForTimeout(1500)
                        zoom(page)
                    take(page, name)
        finally:
            stop.set()
            publishing.join()
            browser.close()
            plant.close()


if __name__ == "__main__":
    main()
