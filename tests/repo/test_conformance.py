"""Every normative statement that a server can be held to has a test, and docs/conformance.md says which."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools" / "conformance.py"

HEADER = "version,id,side,summary\n"
STATEMENTS = f"""{HEADER}5.0,3.1.0-1,both,CONNECT comes first
5.0,3.1.0-2,server,A second CONNECT is refused
5.0,3.2.2-4,client,A client leaves
3.1.1,3.1.0-1,both,CONNECT comes first
3.1.1,7.0.0-1,none,A bridge is a client (there is none)
"""
TEST = """import pytest

pytestmark = [pytest.mark.mqtt311("3.1.0-1")]


@pytest.mark.mqtt5("3.1.0-1")
class TestConnect:
    @pytest.mark.mqtt5("3.1.0-2")
    async def test_a_second_one(self):
        ...
"""


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("conformance_tool", TOOL)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def project(tool: ModuleType, tmp_path: Path) -> Path:
    """A small project with nothing wrong."""
    for file, text in ((tool.STATEMENTS, STATEMENTS), (Path("tests/protocol/test_connect.py"), TEST)):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text, encoding="utf-8")
    (tmp_path / "docs").mkdir()
    assert tool.main(["--root", str(tmp_path)]) == 0
    assert tool.problems(tmp_path) == []
    return tmp_path


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_every_statement_for_the_server_has_a_test(tool: ModuleType) -> None:
    missing = tool.read().missing()
    assert " ".join(f"{one.version}:{one.id}" for one in missing) == ""


def test_markers_and_statements_are_in_order(tool: ModuleType) -> None:
    found = tool.read()
    assert (found.problems, found.unknown()) == ([], [])


def test_the_page_is_current(tool: ModuleType) -> None:
    assert tool.stale(tool.read()) == []


def test_the_statements_are_all_there(tool: ModuleType) -> None:
    counts = Counter(one.version for one in tool.read().statements)
    assert counts == {"5.0": 251, "3.1.1": 139}


def test_the_tool_finds_the_tests_that_pytest_finds(tool: ModuleType) -> None:
    """Every marker that pytest sees is in the page, and every test of the page is one that pytest runs."""
    command = [sys.executable, str(Path(__file__).with_name("collected.py")), str(ROOT / "tests")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.stdout, done.stderr[-1000:]
    seen = {tuple(one) for one in json.loads(done.stdout)}
    read = {(mark.version, mark.id, mark.file, mark.test) for mark in tool.read().marks}
    covered = {
        (version, id, file, test)
        for version, id, file, test in seen
        # What stands at a class or at the module is there for each of its tests.
        if any((version, id, file, owner) in read for owner in owners(test))
    }
    assert sorted(seen - covered) == []
    used = {(version, id, file, owner) for version, id, file, test in seen for owner in owners(test)}
    assert sorted(read - used) == []


def owners(test: str) -> list[str]:
    """The test, its classes, the module: `A.test_b`, `A`, and nothing."""
    parts = test.split(".")
    return [".".join(parts[:count]) for count in range(len(parts), -1, -1)]


def test_the_page_names_files_that_exist(tool: ModuleType) -> None:
    page = ROOT / tool.PAGE
    names = set(re.findall(r"`((?:\w+/)*test_\w+\.py)", page.read_text(encoding="utf-8")))
    assert len(names) >= 5
    assert [name for name in names if not (ROOT / "tests" / name).is_file()] == []


def test_the_page_has_counts_and_rows(tool: ModuleType, project: Path) -> None:
    page = (project / tool.PAGE).read_text(encoding="utf-8")
    file = "protocol/test_connect.py"
    for row in (
        "| 5.0 | 3 | 2 | 2 | 1 |",
        "| 3.1.1 | 2 | 1 | 1 | 1 |",
        f"| 3.1.0-1 | both | CONNECT comes first | `{file}::TestConnect` |",
        f"| 3.1.0-2 | server | A second CONNECT is refused | `{file}::TestConnect.test_a_second_one` |",
        "| 3.2.2-4 | client | A client leaves | — |",
        f"| 3.1.0-1 | both | CONNECT comes first | `tests/{file}` |",
        "| 7.0.0-1 | none | A bridge is a client (there is none) | — |",
    ):
        assert page.count(row + "\n") == 1
    assert re.findall(r"^#+ .*", page, re.MULTILINE) == [
        *("# Conformance", "## MQTT 5.0", "### 3.1 CONNECT", "### 3.2 CONNACK"),
        *("## MQTT 3.1.1", "### 3.1 CONNECT", "### 7 Conformance"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('    @pytest.mark.mqtt5("3.1.0-2")\n', "", "MQTT 5.0: 1 without a test: 3.1.0-2"),
        ("async def test_a_second_one", "async def a_second_one", "MQTT 5.0: 2 without a test"),
        ("class TestConnect", "class Connect", "this marker names no statement, or belongs to no test"),
        ('"3.1.0-2"', '"3.1.0-2", "3.1.0-9"', "test_connect.py:8: MQTT 5.0 has no statement '3.1.0-9'"),
        ('mqtt311("3.1.0-1")', 'mqtt311("3.2.2-4")', "MQTT 3.1.1 has no statement '3.2.2-4'"),
        ('mqtt311("3.1.0-1")', "mqtt311", "this marker names no statement"),
        ('"3.1.0-2"', "", "this marker names no statement"),
        ('"3.1.0-2"', "*IDS", "a statement is named by literal text"),
        ('"3.1.0-2"', 'ids="3.1.0-2"', "this marker names no statement"),
    ],
)
def test_a_marker_that_is_wrong_or_gone_is_noticed(
    tool: ModuleType, project: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, told: str
) -> None:
    replace(project / "tests" / "protocol" / "test_connect.py", old, new)
    assert tool.main(["--check", "--root", str(project)]) == 1
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("5.0,3.2.2-4", "5.0,3.1.0-2", "5.0 3.1.0-2 stands there twice"),
        ("5.0,3.2.2-4,client", "5.0,3.2.2-4,user", "has the side 'user'"),
        ("5.0,3.2.2-4", "5.0,9.2.2-4", "a version or chapter without a heading"),
        ("A client leaves", "", "needs a summary"),
        ("A client leaves", "A client leaves " * 20, "needs a summary"),
        (" (there is none)", "", "needs the reason"),
        ("3.2.2-4,client", "3.2.2-4,server", "MQTT 5.0: 1 without a test: 3.2.2-4"),
    ],
)
def test_a_statement_that_is_wrong_is_noticed(
    tool: ModuleType, project: Path, old: str, new: str, told: str
) -> None:
    replace(project / tool.STATEMENTS, old, new)
    assert told in "\n".join(tool.problems(project))


def test_a_page_that_is_stale_or_gone_is_noticed(tool: ModuleType, project: Path) -> None:
    page = project / tool.PAGE
    replace(page, "A client leaves", "A client stays")
    lines = tool.problems(project)
    assert [line[:1] for line in lines[3:5]] == ["-", "+"]
    assert lines[-1] == "docs/conformance.md is stale: python tools/conformance.py"
    page.unlink()
    assert tool.problems(project)[-1] == lines[-1]


@pytest.mark.parametrize("ids", ['"3.1.0-2"', "*ROW.split()"])
def test_a_marker_outside_of_test_files_is_noticed(tool: ModuleType, project: Path, ids: str) -> None:
    table = project / "tests" / "protocol" / "table.py"
    table.write_text(f"import pytest\nmark = pytest.mark.mqtt5({ids})\n", encoding="utf-8")
    (line,) = tool.problems(project)
    assert line == "tests/protocol/table.py:2: this marker names no statement, or belongs to no test"


def test_a_statement_that_loses_its_tests_in_this_project_is_noticed(
    tool: ModuleType, tmp_path: Path
) -> None:
    ignored = shutil.ignore_patterns("__pycache__", "foreign")
    shutil.copytree(ROOT / "tests", tmp_path / "tests", ignore=ignored)
    (tmp_path / "docs").mkdir()
    before = tool.read(tmp_path)
    for file in {mark.file for mark in before.marks if mark.id == "3.1.0-2"}:
        replace(tmp_path / file, '"3.1.0-2"', '"3.1.0-1"')
    lost = {(one.version, one.id) for one in tool.read(tmp_path).missing() if one not in before.missing()}
    assert lost == {("3.1.1", "3.1.0-2"), ("5.0", "3.1.0-2")}
    assert any("3.1.0-2" in line for line in tool.problems(tmp_path) if "without a test" in line)
