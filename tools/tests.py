"""Runs the Python tests, in two processes at a time: most of them wait for something, and a core would idle.

Each line of output begins with the process that it comes from. What fails is tried once more when the machine
has nothing else to do, because tests that wait for something share two cores here; the output names each. One
that fails then too is a failure, and so are more than :data:`FEW`.

Arguments are handed on to pytest; with any, there is one process, as with ``pytest`` itself.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).parents[1]

FIRST = {"api", "cli", "crystalmq", "docs", "examples", "repo", "rules", "security", "ui", "web"}
"""Folders of the first process, which takes about as long as the second with all others."""

FEW = 5
"""Tests that may fail beside others; more are no accident."""

SOME_FAILED = 1
"""What pytest returns then."""


def folders() -> list[list[str]]:
    """Return the folders of each process: together all that have tests."""
    tests = ROOT / "tests"
    names = sorted({path.relative_to(tests).parts[0] for path in tests.rglob("test_*.py")})
    parts = ([name for name in names if name in FIRST], [name for name in names if name not in FIRST])
    return [[f"tests/{name}" for name in part] for part in parts]


def run(number: int, arguments: list[str], codes: list[int]) -> None:
    """Run one process, pass its lines on, and note how it ended."""
    command = [sys.executable, "-m", "pytest", "-o", f"cache_dir={cache(number)}", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, errors="replace") as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(f"{number}| {line}", end="", flush=True)
    codes[number - 1] = process.returncode


def cache(number: int) -> Path:
    """Return where a process remembers what failed."""
    return ROOT / ".pytest_cache" / str(number)


def failed(number: int) -> list[str]:
    """Return the tests of a process that failed."""
    path = cache(number) / "v/cache/lastfailed"
    return sorted(json.loads(path.read_text())) if path.exists() else []


def main() -> int:
    """Run the tests; 0 if all passed."""
    if arguments := sys.argv[1:]:
        return subprocess.run([sys.executable, "-m", "pytest", *arguments], cwd=ROOT, check=False).returncode
    parts = folders()
    codes = [SOME_FAILED] * len(parts)
    for number in range(1, len(parts) + 1):
        shutil.rmtree(cache(number), ignore_errors=True)
    threads = [
        threading.Thread(target=run, args=(number, part, codes)) for number, part in enumerate(parts, 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = [name for number in range(1, len(parts) + 1) for name in failed(number)]
    if max(codes) != SOME_FAILED or not 0 < len(names) <= FEW:
        return max(codes)
    print("Failed beside others, and tried once more alone:", *names, sep="\n  ", flush=True)
    return subprocess.run([sys.executable, "-m", "pytest", *names], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
