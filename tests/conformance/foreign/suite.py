"""Foreign tests: what they are called, and how they end with a broker of ours."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from xml.etree import ElementTree

from hookmq import Broker

HERE = Path(__file__).parent
PLACE = HERE.parents[2] / ".venv" / "foreign"  # tools/foreign.sh fills it

# The public broker that aiomqtt's tests name. redirect.py leads both suites from it to ours.
HOST = "test.mosquitto.org"

DEADLINE = 100.0  # seconds for a whole suite, which takes some 20
WORKERS = 8  # most of the time the tests sleep
NOT_PASSED = ("failure", "error", "skipped")


class Outcome(NamedTuple):
    """How a foreign test ended."""

    passed: bool
    report: str  # empty, or what pytest says of the failure


class Contradiction(NamedTuple):
    """A foreign test that asks for something else than the specification does."""

    clause: str
    reason: str
    report: str  # stands in the report of its failure


class Suite:
    """The tests in one foreign source package."""

    def __init__(self, name: str, config: str) -> None:
        self.place = PLACE / name
        self.config = self.place / "source" / config

    @property
    def names(self) -> list[str]:
        """Every test, by file and name; none before tools/foreign.sh has been there."""
        path = self.place / "names"
        return path.read_text().splitlines() if path.exists() else []

    def run(
        self, ports: Mapping[int, int], directory: Path, environment: Mapping[str, str]
    ) -> dict[str, Outcome]:
        """Run them all in the directory; `ports` says where the ports they know are."""
        report = directory / "report.xml"
        command = [self.place / "bin" / "python", "-m", "pytest", "-p", "redirect", "-p", "no:cacheprovider"]
        command += [f"--config-file={self.config}", f"--rootdir={self.place / 'source'}"]
        command += [f"--junit-xml={report}", f"--numprocesses={WORKERS}", self.place / "source" / "tests"]
        done = subprocess.run(
            command,
            cwd=directory,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(HERE),
                "FOREIGN_HOST": HOST,
                "FOREIGN_PORTS": " ".join(f"{theirs}={ours}" for theirs, ours in ports.items()),
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )
        assert report.exists(), done.stdout + done.stderr
        return read(report)


def read(report: Path) -> dict[str, Outcome]:
    """The outcomes in a JUnit report. An error of a fixture may stand in an entry of its own."""
    found: dict[str, str] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname', '').rpartition('.')[2]}.py::{case.get('name')}"
        bad = [f"{part.get('message')}\n{part.text}" for part in case if part.tag in NOT_PASSED]
        found[name] = found.get(name, "") + "\n".join(bad)
    return {name: Outcome(not text, text) for name, text in found.items()}


def port_of(broker: Broker, scheme: str) -> int:
    """The port of the broker's listener for such addresses."""
    addresses = [urlsplit(listener.url) for listener in broker.listeners]
    (port,) = [address.port for address in addresses if address.scheme == scheme]
    assert port
    return port


def check(
    name: str,
    outcome: Outcome,
    contradictions: Mapping[str, Contradiction],
    races: Mapping[str, str] | None = None,
) -> None:
    """A foreign test passes, or it is listed and fails for the reason that is given there.

    ``races`` are tests whose outcome is up to their client's timing, and what they may fail with.
    """
    if races is not None and name in races:
        assert outcome.passed or races[name] in outcome.report, outcome.report
    elif name not in contradictions:
        assert outcome.passed, outcome.report
    else:
        listed = contradictions[name]
        assert not outcome.passed, f"{name} passes: take it from the list"
        assert listed.report in outcome.report, outcome.report
