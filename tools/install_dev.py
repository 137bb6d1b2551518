"""Installs the tools of the dependency group `dev` in pyproject.toml into the running environment.

    python tools/install_dev.py

pip before 25.1 does not know dependency groups, and a new virtual environment has what Python came with.
"""

import hashlib
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
STAMP = Path(sys.prefix) / ".dev"


def main() -> None:
    """Install, unless this very list is installed already."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    digest = hashlib.sha256("\n".join(wanted).encode()).hexdigest()
    if STAMP.exists() and STAMP.read_text() == digest:
        return
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *wanted], check=True)
    STAMP.write_text(digest)


if __name__ == "__main__":
    main()
