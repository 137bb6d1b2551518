"""``hookmq migrate crystalmq HOME``: make an app of a home of CrystalMQ or MQTTRoute."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

__all__ = ["configure", "main"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the commands and their arguments."""
    commands = parser.add_subparsers(dest="source", metavar="SOURCE", required=True)
    summary = "write hookmq.toml and app.py that do what a CrystalMQ or an MQTTRoute does"
    crystalmq = commands.add_parser(
        "crystalmq", help=summary, description=f"{summary.capitalize()}.", allow_abbrev=False
    )
    crystalmq.add_argument("home", metavar="HOME", help="folder that has bin, conf and extensions")
    crystalmq.add_argument("--out", metavar="DIRECTORY", default=".", help="where they are written (.)")
    crystalmq.add_argument("--replace", action="store_true", help="write files anew that are there already")
    crystalmq.add_argument("--json", action="store_true", help="print JSON")


def main(options: argparse.Namespace) -> int:
    """Write the app, and list what could not be translated; return 0."""
    from hookmq.crystalmq.migration import migrate

    done = migrate(Path(options.home), Path(options.out), replace=options.replace)
    if options.json:
        report = {
            "files": [str(path) for path in done.files],
            "findings": [finding.as_dict() for finding in done.findings],
        }
        print(json.dumps(report, ensure_ascii=False, indent=2))
        return 0
    for path in done.files:
        print(f"wrote {path}")
    if done.findings:
        print("\nWhat needs your eye:")
    for finding in done.findings:
        print(finding)
    print(f"\nRun it:   cd {options.out} && hookmq run app.py")
    return 0
