"""Prints the markers of conformance that pytest itself finds, as JSON; run by test_conformance.py."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest

MARKERS = {"mqtt5": "5.0", "mqtt311": "3.1.1"}


class Collected:
    """A plugin that keeps what was collected."""

    def __init__(self) -> None:
        self.found: set[tuple[str, str, str, str]] = set()

    # Some tests are left out where a program they need is not installed; they have markers all the same.
    @pytest.hookimpl(tryfirst=True)
    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        return False if collection_path.name.startswith("test_") else None

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            if not isinstance(item, pytest.Function):
                continue
            owners = [node.name for node in item.listchain() if isinstance(node, pytest.Class)]
            test = ".".join([*owners, item.originalname])
            file = item.path.relative_to(item.config.rootpath).as_posix()
            for mark in item.iter_markers():
                if version := MARKERS.get(mark.name):
                    self.found |= {(version, id, file, test) for id in mark.args}


if __name__ == "__main__":
    collected = Collected()
    with redirect_stdout(sys.stderr):
        code = pytest.main(["--collect-only", "-qqq", "-p", "no:cacheprovider", *sys.argv[1:]], [collected])
    json.dump(sorted(collected.found), sys.stdout)
    sys.exit(code)
