"""Writes docs/conformance.md: every normative statement of MQTT, and the tests that cover it.

    python tools/conformance.py             writes the page
    python tools/conformance.py --check     writes nothing; says what is wrong and exits with 1
    python tools/conformance.py --missing   lists the statements for the server that have no test

The statements are in tests/conformance/statements.csv. A test names those it covers by a marker: on the test
function, on its class, or as `pytestmark` of the class or module.

    @pytest.mark.mqtt5("3.1.2-4")
    @pytest.mark.mqtt311("3.1.2-6", "3.2.2-1")
    def test_a_clean_start_discards_the_session(): ...

Test files are read, not imported: a test that a table drives names the statements of all its rows.
"""

from __future__ import annotations

import argparse
import ast
import csv
import difflib
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STATEMENTS = Path("tests", "conformance", "statements.csv")
PAGE = Path("docs", "conformance.md")

NOTICE = "<!-- Written by tools/conformance.py: change statements.csv or the tests, then run it again. -->"

# Marker -> the version of the protocol.
MARKERS = {"mqtt5": "5.0", "mqtt311": "3.1.1"}
SIDES = ("server", "client", "both", "none")
LONGEST_SUMMARY = 120

PACKETS = {
    "3.1": "3.1 CONNECT",
    "3.2": "3.2 CONNACK",
    "3.3": "3.3 PUBLISH",
    "3.4": "3.4 PUBACK",
    "3.5": "3.5 PUBREC",
    "3.6": "3.6 PUBREL",
    "3.7": "3.7 PUBCOMP",
    "3.8": "3.8 SUBSCRIBE",
    "3.9": "3.9 SUBACK",
    "3.10": "3.10 UNSUBSCRIBE",
    "3.11": "3.11 UNSUBACK",
    "3.12": "3.12 PINGREQ",
    "3.14": "3.14 DISCONNECT",
    "3.15": "3.15 AUTH",
}
DELIVERY = {
    "4.1": "4.1 Sessions",
    "4.2": "4.2 Transports",
    "4.3": "4.3 Qualities of service",
    "4.4": "4.4 Sending again",
    "4.5": "4.5 Taking messages over",
    "4.6": "4.6 Order",
    "4.7": "4.7 Topic names and filters",
    "6.0": "6 WebSocket",
}
HEADINGS = {
    "5.0": {
        "1.5": "1.5 Strings and numbers",
        "2.1": "2.1 First byte",
        "2.2": "2.2 Packet Identifiers and properties",
        "4.8": "4.8 Shared subscriptions",
        "4.9": "4.9 Flow control",
        "4.12": "4.12 Enhanced authentication",
        "4.13": "4.13 Errors",
        **PACKETS,
        **DELIVERY,
    },
    "3.1.1": {
        "1.5": "1.5 Strings",
        "2.2": "2.2 First byte",
        "2.3": "2.3 Packet Identifiers",
        "4.8": "4.8 Errors",
        "7.0": "7 Conformance",
        "7.1": "7.1 Transports",
        **PACKETS,
        **DELIVERY,
    },
}


@dataclass(frozen=True)
class Statement:
    """A normative statement, in our words."""

    version: str
    id: str
    side: str
    summary: str

    @property
    def for_server(self) -> bool:
        """Whether a test has to cover it."""
        return self.side in ("server", "both")

    @property
    def chapter(self) -> str:
        """The part of the specification it stands in: `3.1` for `3.1.2-4`."""
        return ".".join(self.id.partition("-")[0].split(".")[:2])

    @property
    def place(self) -> list[int]:
        """What sorts statements as the specification has them."""
        return [int(part) for part in self.id.replace("-", ".").split(".")]


@dataclass(frozen=True, order=True)
class Mark:
    """One statement that one test, class or module claims to cover."""

    version: str
    id: str
    file: str
    test: str
    line: int


@dataclass
class Conformance:
    """The statements, the tests that name them, and what is wrong with either."""

    statements: list[Statement] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def tests(self) -> Mapping[tuple[str, str], list[Mark]]:
        """Return the marks of each statement."""
        found = defaultdict(list)
        for mark in sorted(self.marks):
            found[mark.version, mark.id].append(mark)
        return found

    def missing(self) -> list[Statement]:
        """Return the statements for the server that no test names."""
        tests = self.tests()
        return [one for one in self.statements if one.for_server and (one.version, one.id) not in tests]

    def unknown(self) -> list[Mark]:
        """Return the marks that name no statement."""
        known = {(one.version, one.id) for one in self.statements}
        return [mark for mark in self.marks if (mark.version, mark.id) not in known]


def read(root: Path = ROOT) -> Conformance:
    """Read the statements and the tests of a project."""
    found = Conformance()
    _read_statements(root / STATEMENTS, found)
    for path in sorted((root / "tests").rglob("*.py")):
        text = path.read_text(encoding="utf-8", errors="replace")
        if any(marker in text for marker in MARKERS):
            _Reader(path.relative_to(root).as_posix(), text, found).run()
    return found


def _read_statements(path: Path, found: Conformance) -> None:
    seen = set()
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file, strict=True), start=2):
            one = Statement(row["version"], row["id"], row["side"], row["summary"])
            wrong = []
            if (one.version, one.id) in seen:
                wrong.append("stands there twice")
            if one.version not in HEADINGS or one.chapter not in HEADINGS[one.version]:
                wrong.append("has a version or chapter without a heading")
            if one.side not in SIDES:
                wrong.append(f"has the side {one.side!r}")
            if not 0 < len(one.summary) <= LONGEST_SUMMARY:
                wrong.append(f"needs a summary of at most {LONGEST_SUMMARY} characters")
            if one.side == "none" and not (" (" in one.summary and one.summary.endswith(")")):
                wrong.append("needs the reason for the side `none`, in parentheses at its end")
            seen.add((one.version, one.id))
            found.problems += [f"{STATEMENTS.as_posix()}:{number}: {one.version} {one.id} {x}" for x in wrong]
            if not wrong:
                found.statements.append(one)


class _Reader:
    """Finds the markers of one file; one that stands where no test has it is a problem."""

    def __init__(self, file: str, text: str, found: Conformance) -> None:
        self.file = file
        self.tree = ast.parse(text, file)
        self.found = found
        self.taken: set[ast.expr] = set()

    def run(self) -> None:
        # pytest collects nothing from other files.
        if self.file.rpartition("/")[2].startswith("test_"):
            self._read(self.tree.body, "", [])
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute) and _marker(node) and node not in self.taken:
                self._problem(node, "this marker names no statement, or belongs to no test")

    def _read(self, body: Sequence[ast.stmt], owner: str, decorators: Sequence[ast.expr]) -> bool:
        """Read a module or class; return whether there are tests in it."""
        any_test = False
        marks = [*decorators]
        for node in body:
            match node:
                case ast.FunctionDef() | ast.AsyncFunctionDef() if node.name.startswith("test"):
                    any_test = True
                    self._take(node.decorator_list, f"{owner}{node.name}")
                case ast.ClassDef() if node.name.startswith("Test"):
                    any_test |= self._read(node.body, f"{owner}{node.name}.", node.decorator_list)
                case ast.Assign(targets=[ast.Name(id="pytestmark")], value=value):
                    marks.append(value)
                case ast.AnnAssign(target=ast.Name(id="pytestmark"), value=ast.expr() as value):
                    marks.append(value)
        if any_test:
            self._take(marks, owner.rstrip("."))
        return any_test

    def _take(self, marks: Iterable[ast.expr], test: str) -> None:
        for node in (node for mark in marks for node in ast.walk(mark)):
            if isinstance(node, ast.Call) and (version := _marker(node.func)):
                self.taken.add(node.func)
                for id in self._ids(node):
                    self.found.marks.append(Mark(version, id, self.file, test, node.lineno))

    def _ids(self, call: ast.Call) -> Iterator[str]:
        if not call.args or call.keywords:
            self._problem(call, "this marker names no statement, or not by position")
        for argument in call.args:
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield argument.value
            else:
                self._problem(argument, "a statement is named by literal text")

    def _problem(self, node: ast.expr, text: str) -> None:
        self.found.problems.append(f"{self.file}:{node.lineno}: {text}")


def _marker(node: ast.expr) -> str | None:
    """Return the version that `pytest.mark.mqtt5` or `mark.mqtt5` stands for."""
    match node:
        case ast.Attribute(value=ast.Attribute(attr="mark") | ast.Name(id="mark"), attr=attr):
            return MARKERS.get(attr)
    return None


def page(found: Conformance) -> str:
    """Return the text of docs/conformance.md."""
    parts = [
        "# Conformance",
        NOTICE,
        "The specifications of MQTT 5.0 and 3.1.1 number what they demand. The tables below have all of it: "
        "whose duty a statement is, what it asks for in our words, and the tests that cover it. What the "
        "specifications call MQTT-3.1.2-4 is 3.1.2-4 here.",
        "*server* is the duty of the server alone. *both* is also the client's, or the client's alone if the "
        "server has to notice when it is neglected. *client* is what no server can see, *none* what does not "
        "apply, with the reason. Every statement for *server* or *both* has a test: without one `make test` "
        "fails.",
        "A test names its statements by markers, `@pytest.mark.mqtt5` and `@pytest.mark.mqtt311`; the "
        "statements are in `tests/conformance/statements.csv`. This page is written from both by:",
        "```sh\npython tools/conformance.py\n```",
        _counts(found),
    ]
    tests = found.tests()
    for version in HEADINGS:
        parts.append(f"## MQTT {version}")
        ours = sorted((one for one in found.statements if one.version == version), key=lambda one: one.place)
        for chapter, statements in groupby(ours, key=lambda one: one.chapter):
            rows = ["| Statement | Side | Asks for | Tests |", "|---|---|---|---|"]
            for one in statements:
                names = _names(tests.get((one.version, one.id), ()))
                rows.append(f"| {one.id} | {one.side} | {_cell(one.summary)} | {names} |")
            parts += [f"### {HEADINGS[version][chapter]}", "\n".join(rows)]
    return "\n\n".join(parts) + "\n"


def _counts(found: Conformance) -> str:
    rows = ["| Version | Statements | For the server | of these covered | Others |", "|---|---|---|---|---|"]
    missing = found.missing()
    for version in HEADINGS:
        ours = [one for one in found.statements if one.version == version]
        server = sum(one.for_server for one in ours)
        covered = server - sum(one.version == version for one in missing)
        rows.append(f"| {version} | {len(ours)} | {server} | {covered} | {len(ours) - server} |")
    return "\n".join(rows)


def _names(marks: Iterable[Mark]) -> str:
    # A test that names a statement in two markers is still one test.
    names = dict.fromkeys(
        f"{mark.file.removeprefix('tests/')}::{mark.test}" if mark.test else mark.file for mark in marks
    )
    return ", ".join(f"`{name}`" for name in names) or "—"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def problems(root: Path = ROOT) -> list[str]:
    """Return all that is wrong, a line each; empty if nothing is."""
    found = read(root)
    lines = list(found.problems)
    for mark in found.unknown():
        lines.append(f"{mark.file}:{mark.line}: MQTT {mark.version} has no statement {mark.id!r}")
    for version in HEADINGS:
        missing = [one.id for one in found.missing() if one.version == version]
        if missing:
            lines.append(f"MQTT {version}: {len(missing)} without a test: {', '.join(missing)}")
    return lines + stale(found, root)


def stale(found: Conformance, root: Path = ROOT) -> list[str]:
    """Return the first lines that differ between the page and what it should be."""
    path = root / PAGE
    present = path.read_text(encoding="utf-8") if path.is_file() else ""
    name = PAGE.as_posix()
    difference = difflib.unified_diff(
        present.splitlines(), page(found).splitlines(), name, f"{name} (expected)", lineterm="", n=0
    )
    lines = [line[:200] for line in islice(difference, 12)]
    return [*lines, f"{name} is stale: python tools/conformance.py"] if lines else []


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, check it, or list what is missing; return the exit code."""
    parser = argparse.ArgumentParser(description="Write docs/conformance.md from the statements and tests.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a thing is wrong")
    parser.add_argument("--missing", action="store_true", help="list the statements that have no test")
    parser.add_argument("--root", type=Path, default=ROOT, help="the project (default: this one)")
    options = parser.parse_args(arguments)
    if options.missing:
        for one in read(options.root).missing():
            print(f"{one.version:5}  {one.id:9} {one.side:6}  {one.summary}")
        return 0
    if options.check:
        lines = problems(options.root)
        print("\n".join(lines), end="\n" if lines else "", file=sys.stderr)
        return 1 if lines else 0
    (options.root / PAGE).write_text(page(read(options.root)), encoding="utf-8")
    print(PAGE.as_posix())
    return 0


if __name__ == "__main__":
    sys.exit(main())
