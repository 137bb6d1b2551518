"""A browser for the run, and brokers whose dashboard it opens."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hookmq import Broker

from .browser import Browser, Page, is_installed
from .plant import Plant

PASSWORD = "correct horse battery"
PURE = {"test_files.py"}
"""Tests that need no browser."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if is_installed():
        return
    here = Path(__file__).parent
    print("no browser (make test-python installs it on Debian): its tests are left out")
    items[:] = [item for item in items if item.path.parent != here or item.path.name in PURE]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all tests."""
    made = Browser()
    yield made
    made.close()


class Dashboard:
    """A broker's dashboard, and people who may use it: ``admin``, ``operator`` and ``viewer``."""

    def __init__(self, broker: Broker, browser: Browser) -> None:
        self.broker = broker
        self.browser = browser
        self.url = f"http://127.0.0.1:{broker.http_port}/"
        self._cookies: dict[str, str] = {}

    @property
    def link(self) -> str:
        """The link that is printed at the first start."""
        return f"{self.url}?token={self.broker._console.link_token}"

    def call(self, method: str, path: str, body: Any = None, role: str | None = "admin") -> Any:
        """Ask the API as somebody of a role."""
        _, answer = self._send(method, path, body, self.cookie(role) if role else None)
        return answer

    def get(self, path: str, role: str | None = "admin") -> Any:
        return self.call("GET", path, role=role)

    def post(self, path: str, body: Any = None, role: str | None = "admin") -> Any:
        return self.call("POST", path, body, role)

    def cookie(self, role: str) -> str:
        """The session of somebody with that role; accounts are made when they are first needed."""
        if "admin" not in self._cookies:
            link, _ = self._send("POST", "session", {"token": self.broker._console.link_token})
            self._account("admin", link)
        if role not in self._cookies:
            self._account(role, self._cookies["admin"])
        return self._cookies[role]

    def page(self, role: str | None = "admin", **options: Any) -> Page:
        """Open a page of somebody who is logged in; ``None``: of nobody."""
        if role is None:
            return self.browser.page(**options)
        name, _, value = self.cookie(role).partition("=")
        cookie = {"name": name, "value": value, "domain": "127.0.0.1", "path": "/", "httpOnly": True}
        cookie |= {"expires": -1, "secure": False, "sameSite": "Strict"}
        return self.browser.page(storage={"cookies": [cookie], "origins": []}, **options)

    def open(self, place: str = "", role: str | None = "admin", **options: Any) -> Page:
        """Open a page and go there: ``open("#/topics")``."""
        page = self.page(role, **options)
        page.goto(self.url + place)
        page.settle()
        return page

    def _account(self, role: str, cookie: str) -> None:
        self._send("POST", "accounts", {"name": role, "password": PASSWORD, "role": role}, cookie)
        self._cookies[role], _ = self._send("POST", "session", {"name": role, "password": PASSWORD})

    def _send(self, method: str, path: str, body: Any = None, cookie: str | None = None) -> tuple[str, Any]:
        headers = {"X-HookMQ": "1", "Content-Type": "application/json"}
        if cookie:
            headers["Cookie"] = cookie
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}api/v1/{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            told = answer.read()
            return answer.headers.get("Set-Cookie", "").partition(";")[0], json.loads(told) if told else None


@pytest.fixture
def dashboard_of(browser: Browser) -> Callable[[Broker], Dashboard]:
    """Return the dashboard of a broker of your own."""
    return lambda broker: Dashboard(broker, browser)


@pytest.fixture
def dashboard(broker_factory: Callable[..., Broker], browser: Browser) -> Dashboard:
    """The dashboard of a new broker: ``.open("#/clients", role="viewer")``, ``.get("clients")``."""
    return Dashboard(broker_factory(http_port=0), browser)


@pytest.fixture
def plant(tmp_path: Path, browser: Browser) -> Iterator[Dashboard]:
    """The dashboard of a broker that has something to show on every page."""
    made = Plant({"data_dir": tmp_path / "data"})
    try:
        yield Dashboard(made.broker, browser)
    finally:
        made.close()
