"""Runs the Python tests, in two processes at a time: most of them wait for something, and a core would idle.

Each line of output begins with the process that it comes from. Arguments are handed on to pytest; with any,
there is one process, as with ``pytest`` itself.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).parents[1]

FIRST = {"api", "cli", "crystalmq", "docs", "examples", "repo", "rules", "security", "ui", "web"}
"""Folders of the first process, which takes about as long as the second with all others."""


def folders() -> list[list[str]]:
    """Return the folders of each process: together all that have tests."""
    tests = ROOT / "tests"
    names = sorted({path.relative_to(tests).parts[0] for path in tests.rglob("test_*.py")})
    parts = ([name for name in names if name in FIRST], [name for name in names if name not in FIRST])
    return [[f"tests/{name}" for name in part] for part in parts]


def run(number: int, arguments: list[str], codes: list[int]) -> None:
    """Run one process and pass its lines on."""
    command = [sys.executable, "-m", "pytest", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, errors="replace") as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(f"{number}| {line}", end="", flush=True)
    codes[number - 1] = process.returncode


def main() -> int:
    """Run the tests; 0 if all passed."""
    if arguments := sys.argv[1:]:
        return subprocess.run([sys.executable, "-m", "pytest", *arguments], cwd=ROOT, check=False).returncode
    parts = folders()
    codes = [1] * len(parts)
    threads = [
        threading.Thread(target=run, args=(number, part, codes)) for number, part in enumerate(parts, 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
