"""A page that watches the live feed of a real broker."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ...api.asgi_apps import CLOSE, Browser, browser
from ...api.helpers import DEADLINE

LIVE = "/api/v1/live"


class Page:
    """A browser's page: it sends frames, and keeps what each of its watches shows."""

    def __init__(self, socket: Browser) -> None:
        self.socket = socket
        self.shown: dict[str, Any] = {}
        self.streams: dict[str, list[Any]] = {}
        self.lost: dict[str, int] = {}
        self.errors: dict[str | None, dict[str, str]] = {}
        self.frames: list[dict[str, Any]] = []

    def say(self, **frame: Any) -> None:
        """Send a frame."""
        self.socket.send(json.dumps(frame))

    def watch(self, view: str, id: str | None = None, /, **options: Any) -> None:
        """Watch a view, by default under its own name."""
        self.say(do="watch", id=id or view, view=view, **{"with": options})

    def take(self) -> dict[str, Any]:
        """Take the next frame and return it."""
        frame: dict[str, Any] = json.loads(self.socket.read())
        self.frames.append(frame)
        id = frame.get("id")
        if "error" in frame:
            self.errors[id] = frame["error"]
        elif "whole" in frame:
            assert isinstance(frame["at"], float)
            self.shown[id] = frame["whole"]
            if isinstance(frame["whole"], list):
                self.streams[id] = list(frame["whole"])
        elif "add" in frame:
            self.streams.setdefault(id, []).extend(frame["add"])
            self.lost[id] = self.lost.get(id, 0) + frame.get("lost", 0)
        elif "set" in frame or "gone" in frame:
            items = self.shown[id]["items"]
            items.update(frame.get("set", {}))
            for key in frame.get("gone", []):
                del items[key]
        return frame

    def until(self, condition: Callable[[], Any], timeout: float = DEADLINE) -> Any:
        """Take frames until a condition holds, and return what it says."""
        deadline = time.monotonic() + timeout
        while not (value := condition()):
            assert time.monotonic() < deadline, f"it did not come true: {self.frames[-3:]}"
            self.take()
        return value

    def items(self, id: str) -> dict[str, Any]:
        """What a keyed view shows."""
        shown = self.shown.get(id)
        return {} if shown is None else shown["items"]

    def read_close(self) -> int:
        """Take frames until the end, and return the code of it."""
        while True:
            opcode, payload = self.socket.read_frame()
            if opcode == CLOSE:
                return int.from_bytes(payload[:2], "big")
            assert payload, "the connection ended without a close"


@contextmanager
def open_page(site: Any, path: str = LIVE, **headers: str) -> Iterator[Page]:
    """A page of a program on this machine, which is let in while there is no account."""
    with browser(site, path, **headers) as socket:
        yield Page(socket)


@pytest.fixture
def site(broker_factory: Callable[..., Any]) -> Any:
    """A broker with a live feed."""
    return broker_factory(http_port=0)


@pytest.fixture
def page(site: Any) -> Iterator[Page]:
    with open_page(site) as page:
        yield page
