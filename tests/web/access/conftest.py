"""Requests as browsers and programs send them, and an Access whose clock stands still."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hookmq.web.access import Access
from hookmq.web.access.access import Login
from hookmq.web.request import Request

PASSWORD = "correct horse"
HOST = "localhost:8080"


class Clock:
    """Seconds since the epoch, which pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def ask(
    method: str = "GET", *, address: str = "127.0.0.1", cookie: Login | str | None = None, **headers: str
) -> Request:
    """A request; headers are written with underscores. `host=""` leaves that out."""
    named = {"host": HOST} | {name.replace("_", "-").lower(): value for name, value in headers.items()}
    if cookie is not None:
        value = cookie if isinstance(cookie, str) else cookie.cookie.partition(";")[0]
        named["cookie"] = value
    return Request(method, "/api/v1/x", "", named, b"", address)


def page(method: str = "POST", **more: Any) -> Request:
    """A request of the dashboard's own page."""
    headers = {"origin": f"http://{HOST}", "sec_fetch_site": "same-origin", "x_hookmq": "1"}
    return ask(method, **(headers | more))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(tmp_path: Path, clock: Clock) -> Callable[..., Access]:
    """`make()` opens the data directory of the test, as another start would."""

    def make(directory: Path | None = tmp_path, **options: Any) -> Access:
        return Access(directory, clock=clock, **options)

    return make


@pytest.fixture
def access(make: Callable[..., Access]) -> Access:
    """One with three accounts; the password of each is `PASSWORD`."""
    access = make()
    for name, role in (("anna", "admin"), ("otto", "operator"), ("vera", "viewer")):
        access.add_account(name, PASSWORD, role)
    return access
