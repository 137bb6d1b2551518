"""The examples in the docstrings of the package, module by module."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

from .pages import ROOT

PACKAGE = ROOT / "python" / "hookmq"


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = sorted(module_name(path) for path in PACKAGE.rglob("*.py"))


def examples(name: str) -> list[doctest.DocTest]:
    module = importlib.import_module(name)
    return [test for test in doctest.DocTestFinder().find(module, name) if test.examples]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    printed: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    for test in examples(name):
        runner.run(test, out=printed.append)
    assert runner.failures == 0, "".join(printed)


def test_there_are_examples() -> None:
    # The modules a reader meets first have examples in any case.
    for name in (
        "hookmq",
        "hookmq.broker",
        "hookmq.settings.config",
        "hookmq.errors",
        "hookmq.hooks.hook",
        "hookmq.storage.query",
    ):
        assert examples(name), name
