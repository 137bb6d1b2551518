"""All measurements of the web side, one after the other: ``python -m bench.web``."""

from __future__ import annotations

import subprocess
import sys

PARTS = {
    "page": "how long a page takes until it can be used",
    "clients": "a page of 100,000 clients",
    "viewers": "1,000 pages with one dashboard",
    "latency": "messages of clients, with 50 pages open and without",
    "tree": "a million topics at 100,000 messages a second",
}


def main() -> int:
    """Measure, and return 1 if something failed."""
    failed = 0
    for name, about in PARTS.items():
        print(f"\n## {about}\n", flush=True)
        failed |= subprocess.run([sys.executable, "-m", f"bench.web.{name}"], check=False).returncode
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
