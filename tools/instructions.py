"""The guard of speed: instructions for a message, counted by callgrind, beside those of the last time.

They depend on no clock and on nobody else on the machine. ``tools/instructions.py`` fails when a scenario
needs more than a tenth above what ``tools/instructions.json`` says, ``--write`` writes that file anew.
Without valgrind nothing is counted, and it says so.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
KNOWN = Path(__file__).with_suffix(".json")
PROGRAM = ROOT / "target/release/examples/instructions"
SCENARIOS = ("1 → 1", "1 → 1, QoS 1", "1 → 100", "1,000 topics", "1,000 topics, counted")
FEW, MANY = 2_000, 12_000
MARGIN = 1.10


def build() -> None:
    """Build what is counted, as it is built for the wheel."""
    command = ["cargo", "build", "--release", "--quiet", "-p", "hookmq-engine", "--example", "instructions"]
    subprocess.run(command, cwd=ROOT, check=True)


def instructions(scenario: str, messages: int) -> int:
    """Count the instructions of a run."""
    with tempfile.NamedTemporaryFile() as out:
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out.name}"]
        done = subprocess.run(
            [*command, str(PROGRAM), scenario, str(messages)], capture_output=True, text=True, check=False
        )
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or found is None:
        raise SystemExit(done.stderr)
    return int(found[1])


def count() -> dict[str, int]:
    """Count the instructions of a message in every scenario: what more messages need more."""
    return {
        scenario: round((instructions(scenario, MANY) - instructions(scenario, FEW)) / (MANY - FEW))
        for scenario in SCENARIOS
    }


def main() -> int:
    """Compare, or write; return 1 if something needs more than it may."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write down what is needed now")
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("  !! NOT CHECKED: instructions for a message; valgrind is not installed")
        return 0
    build()
    counted = count()
    if options.write:
        KNOWN.write_text(json.dumps(counted, ensure_ascii=False, indent=2) + "\n")
    known: dict[str, int] = json.loads(KNOWN.read_text())
    failed = False
    for scenario, now in counted.items():
        ratio = now / known[scenario]
        too_many = ratio > MARGIN
        failed |= too_many
        verdict = f"more than {MARGIN:.2f} × {known[scenario]:,}" if too_many else f"{ratio:.2f} ×"
        print(f"  {scenario}: {now:,} instructions a message, {verdict}")
    if failed:
        print("  find out why with callgrind_annotate, or write them down with tools/instructions.py --write")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
