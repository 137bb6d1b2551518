"""The pages of docs/reference/ are those that tools/reference.py writes, and have everything."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from hookmq.errors import ERRORS
from hookmq.hooks.registry import HOOKS
from hookmq.settings.config import SETTINGS

from .pages import ROOT

TOOL = ROOT / "tools" / "reference.py"


@pytest.fixture
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference_tool", TOOL)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def text(page: str) -> str:
    return (ROOT / "docs" / "reference" / page).read_text(encoding="utf-8")


def test_the_pages_are_up_to_date() -> None:
    result = subprocess.run(
        [sys.executable, str(TOOL), "--check"], capture_output=True, encoding="utf-8", timeout=60, check=False
    )
    assert (result.returncode, result.stdout) == (0, ""), result.stdout


def test_a_stale_page_is_noticed(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    monkeypatch.setattr(tool, "DIRECTORY", tmp_path / "docs" / "reference")
    assert tool.main([]) == 0
    assert tool.main(["--check"]) == 0
    page = tmp_path / "docs" / "reference" / "errors.md"
    page.write_text(page.read_text(encoding="utf-8").replace("E503", "E999"), encoding="utf-8")
    capsys.readouterr()
    assert tool.main(["--check"]) == 1
    difference = capsys.readouterr().out
    assert "\n-### E999\n" in difference and "\n+### E503\n" in difference
    page.unlink()
    assert tool.main(["--check"]) == 1


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.key)
def test_every_setting_is_there(setting) -> None:
    page = text("configuration.md")
    assert f"| `{setting.key}` | `{setting.default_text}` |" in page
    assert f"- `{setting.key}`: variable `{setting.variable}`" in page
    assert setting.help in page


@pytest.mark.parametrize("code", ERRORS)
def test_every_error_is_there(code: str) -> None:
    page = text("errors.md")
    assert f"### {code}\n" in page
    assert ERRORS[code].text in page
    assert (ERRORS[code].help or "") in page


@pytest.mark.parametrize("hook", [*HOOKS, "schedule", "route"])
def test_every_decorator_is_there_with_an_example(hook: str) -> None:
    section = text("hooks.md").partition(f"\n## {hook}\n")[2].partition("\n## ")[0]
    assert f"```text\n@broker.{hook}" in section
    assert "```python\n" in section
    assert "``" not in section.replace("```", "") and ":class:" not in section
