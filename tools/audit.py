"""Checks what the project is built from: licences, sources and known vulnerabilities of its dependencies.

    python tools/audit.py            both, as `make check` does
    python tools/audit.py rust       cargo-deny, by deny.toml
    python tools/audit.py python     pip-audit, for what is installed beside this Python

What is found fails. The databases of vulnerabilities are on the internet: on a machine that cannot reach them
it says loudly what was not checked, and passes, because that says nothing about the dependencies. With
HOOKMQ_AUDIT=strict it fails; that is for whoever makes a release.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]

# A database that does not answer must not hold up `make check`.
SECONDS = 60
REQUEST_SECONDS = 10

# Asked in this order. A mirror of PyPI often has the packages but not what is known about them.
SERVICES = ("pypi", "osv")

# Vulnerabilities of Python packages that do not concern us, with the reason; crates have deny.toml for it.
ACCEPTED: dict[str, str] = {}


class Missing(Exception):
    """A program that the checks need is not there."""


class Unreachable(Exception):
    """A database could not be asked."""


def program(name: str, remedy: str) -> str:
    """The path of a program: the one beside this Python, or any."""
    beside = shutil.which(name, path=str(Path(sys.executable).parent))
    found = beside or shutil.which(name)
    if found is None:
        raise Missing(f"{name} is not installed: {remedy}")
    return found


def run(command: Sequence[str]) -> tuple[int, str, str]:
    """Runs a program that asks the network: its exit code, its output, its errors."""
    # In a session of its own, so that what it started ends with it.
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise Unreachable(f"no answer within {SECONDS} s") from None
    return process.returncode, output, errors


def last_line(text: str) -> str:
    """The last line of an output that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "no answer"


def not_checked(what: str, why: str) -> bool:
    """Says what was not checked; whether that is good enough."""
    print(f"  !! NOT CHECKED: {what}\n  !! {why}", file=sys.stderr)
    return os.environ.get("HOOKMQ_AUDIT") != "strict"


def fetch_advisories(deny: Sequence[str]) -> None:
    """Brings the RustSec database up to date."""
    # A step of its own, because `check` ends with the same code for "cannot fetch" and for "found".
    code, _, errors = run([*deny, "fetch", "db"])
    if code != 0:
        raise Unreachable(last_line(errors))


def audit_rust() -> bool:
    """Runs cargo-deny: everything, or all but the advisories where their database cannot be reached."""
    deny = [program("cargo-deny", "make setup, or cargo install --locked cargo-deny"), "--locked"]
    checks = ["bans", "licenses", "sources"]
    good = True
    try:
        fetch_advisories(deny)
        checks.append("advisories")
    except Unreachable as error:
        good = not_checked("Rust crates against the RustSec advisory database", str(error))
    return subprocess.run([*deny, "check", *checks], cwd=ROOT, check=False).returncode == 0 and good


def installed() -> str:
    """The packages beside this Python, but for our own and what every virtual environment comes with."""
    command = [sys.executable, "-m", "pip", "freeze", "--exclude-editable"]
    for ours in ("hookmq", "pip", "setuptools"):
        command += ["--exclude", ours]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def ask(service: str, requirements: Path) -> list[dict[str, Any]]:
    """What a service says about each package that it knows."""
    command = [program("pip-audit", "make setup"), "--requirement", str(requirements), "--no-deps"]
    command += ["--disable-pip", "--vulnerability-service", service, "--timeout", str(REQUEST_SECONDS)]
    command += ["--format", "json", "--desc", "off", "--progress-spinner", "off"]
    _, output, errors = run(command)
    try:
        packages: list[dict[str, Any]] = json.loads(output)["dependencies"]
    except ValueError:
        raise Unreachable(last_line(errors)) from None
    # pip-audit calls it a success when there was nothing that it could look up.
    known = [package for package in packages if "skip_reason" not in package]
    if not known:
        raise Unreachable("it knows none of the packages")
    return known


def audit_python() -> bool:
    """Runs pip-audit for what is installed, with the first service that answers."""
    reasons = []
    with tempfile.TemporaryDirectory() as directory:
        requirements = Path(directory) / "requirements.txt"
        requirements.write_text(installed())
        total = len(requirements.read_text().splitlines())
        for service in SERVICES:
            try:
                return judge(service, ask(service, requirements), total)
            except Unreachable as error:
                reasons.append(f"{service}: {error}")
    return not_checked(f"{total} Python packages against known vulnerabilities", "; ".join(reasons))


def judge(service: str, packages: Sequence[dict[str, Any]], total: int) -> bool:
    """Prints what is known about the packages; whether it is good enough."""
    bad = 0
    for package in packages:
        for vulnerability in package["vulns"]:
            if not ACCEPTED.keys() & {vulnerability["id"], *vulnerability["aliases"]}:
                bad += 1
                fixed = ", ".join(vulnerability["fix_versions"]) or "no version yet"
                what = f"{package['name']} {package['version']}: {vulnerability['id']}, fixed in {fixed}"
                print(f"  {what}", file=sys.stderr)
    print(f"python: {len(packages)} packages looked up, {bad} vulnerabilities")
    good = bad == 0
    if len(packages) < total:
        missing = f"{total - len(packages)} of {total} Python packages"
        good = not_checked(missing, f"{service} does not know them") and good
    return good


AUDITS = {"rust": audit_rust, "python": audit_python}


def main(arguments: Sequence[str]) -> int:
    """Runs the audits that are named, or all."""
    try:
        # Each one runs, so that everything is seen at once.
        return 0 if all([AUDITS[name]() for name in arguments or AUDITS]) else 1
    except Missing as error:
        print(f"  {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
