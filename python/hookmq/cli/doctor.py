"""``hookmq doctor [HOME or app.py]``: say what would not work, without importing or running anything."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

from .usage import UsageError

__all__ = ["configure", "main"]


_EXIT_FOUND = 1


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    what = "folder that has bin, conf and extensions, or a Python file; what is here if it is left out"
    parser.add_argument("target", metavar="HOME|APP", nargs="?", help=what)
    parser.add_argument("--json", action="store_true", help="print JSON")


def main(options: argparse.Namespace) -> int:
    """Look, and tell; return 0, or 1 if there are errors."""
    from hookmq.crystalmq.doctor import examine

    target = _target(options.target)
    found = examine(target)
    counts = Counter(finding.severity for finding in found)
    if options.json:
        report = {
            "target": str(target),
            "ok": not counts["error"],
            "findings": [finding.as_dict() for finding in found],
        }
        print(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        for finding in found:
            print(finding)
        told = [f"{counts[kind]} {kind}{'s' * (counts[kind] != 1)}" for kind in ("error", "warning", "note")]
        print(f"{target}: {', '.join(told)}" if found else f"{target}: no problems found")
    return _EXIT_FOUND if counts["error"] else 0


def _target(given: str | None) -> Path:
    if given is not None:
        return Path(given)
    if Path("conf").is_dir() and Path("extensions").is_dir():
        return Path()
    if Path("app.py").is_file():
        return Path("app.py")
    raise UsageError("there is neither a home nor an app.py here: name one")
