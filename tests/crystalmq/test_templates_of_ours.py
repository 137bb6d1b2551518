"""The templates in `extensions/`, copied into a home as their README says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from ..api.asgi_apps import browser
from ..api.helpers import Device, eventually, get
from .homes import NEW_STORE

TEMPLATES = Path(__file__).parents[2] / "extensions"


def test_templates(home, run_home):
    for name in ("store", "scheduler", "ui_server"):
        for file in (TEMPLATES / name).glob("*.py"):
            shutil.copy(file, home.path / "extensions")
    shutil.copytree(TEMPLATES / "ui_server/ui", home.path / "ui", dirs_exist_ok=True)
    home.datastore(NEW_STORE)
    broker = run_home(home)
    assert get(broker, "/").headers["Location"] == "/overview"
    assert "<h1>What the broker sees</h1>" in get(broker, "/overview").text
    assert json.loads(get(broker, "/api/notes?name=a&text=b").body) == {"notes": {"a": "b"}}
    assert len(broker.jobs) == 2
    with browser(broker, "/ws") as page, Device(broker, "pump") as device:
        page.send("routepublish")
        eventually(lambda: len(broker.websocket("/ws")) == 1)
        device.publish("tank/7", "42")
        while json.loads(page.read())["work"] != "recv_pub":
            pass
        eventually(lambda: "received tank/7 from pump" in home.log)
