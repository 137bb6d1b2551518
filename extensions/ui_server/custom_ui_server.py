"""Pages of your own: a template for HOME/extensions/custom_ui_server.py."""

from __future__ import annotations

import time

notes: dict[str, str] = {}


def custom_urls():
    """Say which pages there are, and whether the login guards them."""
    return {
        "URL_REDIRECT": "/overview",
        "AUTHENTICATION": "DISABLE",
        "urls": [{"/overview": overview}, {"/api/notes": api_notes}, {"/api/time": api_time}],
    }


def overview():
    """Return a page: the name of a template in HOME/ui."""
    return "overview.html"


def api_notes(data):
    """Keep `text` under `name`, and return everything: for GET, POST and DELETE alike."""
    name = data.get("name", "")
    if name and "text" in data:
        notes[name] = data["text"]
    elif name:
        notes.pop(name, None)
    return {"notes": notes}


def api_time():
    """Return text."""
    return time.strftime("%H:%M:%S")
