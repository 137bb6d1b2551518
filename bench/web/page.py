"""How long the dashboard takes until it can be used, on loopback: `python -m bench.web.page`.

A broker with a history and 20,000 topics, a browser with an empty cache for each visit. "Interactive" is when
the page has drawn its frame and answers to the keyboard; "complete" when its first content is there.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "tests"))

from ui.browser import Browser
from ui.conftest import Dashboard
from ui.plant import Plant

READY = "performance.getEntriesByName('hookmq-ready')[0].startTime"
TRANSFERRED = "performance.getEntriesByType('resource').reduce((sum, each) => sum + each.transferSize, 0)"
PAGES = ["overview", "topics", "history", "dashboards"]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as home:
        plant, browser = Plant({"data_dir": Path(home)}), Browser()
        try:
            for n in range(20_000):
                plant.broker.publish(f"fleet/{n % 100}/truck-{n}", str(n))
            dashboard = Dashboard(plant.broker, browser)
            print(
                f"{'page':12} {'interactive':>12} {'complete':>10} {'sent':>10}   ms, KiB; median of {rounds}"
            )
            for name in PAGES:
                seen = [visit(dashboard, name) for _ in range(rounds)]
                ready, complete, sent = (statistics.median(column) for column in zip(*seen, strict=True))
                print(f"{name:12} {ready:12.0f} {complete:10.0f} {sent / 1024:10.0f}")
        finally:
            browser.close()
            plant.close()


def visit(dashboard: Dashboard, name: str) -> tuple[float, float, float]:
    """Milliseconds until the page is interactive and complete, and bytes that were sent."""
    with dashboard.page() as page:
        page.goto(f"{dashboard.url}#/{name}")
        page.settle()
        complete = page.evaluate("performance.now()")
        return page.evaluate(READY), complete, page.evaluate(TRANSFERRED)


if __name__ == "__main__":
    main()
