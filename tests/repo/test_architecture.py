"""The project keeps to the shape that ARCHITECTURE.md describes."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Which of our crates a crate may use, and the libraries that belong to one crate alone.
ALLOWED = {
    "hookmq-fuzz-targets": {"hookmq-auth", "hookmq-codec", "hookmq-engine", "hookmq-rules"},
    "hookmq-auth": set(),
    "hookmq-codec": set(),
    "hookmq-engine": {"hookmq-codec", "hookmq-store"},
    "hookmq-rules": set(),
    "hookmq-store": set(),
    "hookmq-server": {"hookmq-auth", "hookmq-codec", "hookmq-engine", "hookmq-rules", "hookmq-store"},
    "hookmq-python": {"hookmq-auth", "hookmq-codec", "hookmq-engine", "hookmq-rules", "hookmq-server"},
}
ONLY_IN = {
    "pyo3": {"hookmq-python"},
    "arrow-array": {"hookmq-python"},
    "argon2": {"hookmq-auth"},
    "crc32fast": {"hookmq-rules", "hookmq-server", "hookmq-store"},
    "axum": {"hookmq-server", "hookmq-fuzz-targets"},
    "hyper": {"hookmq-server", "hookmq-fuzz-targets"},
    "rustls": {"hookmq-server"},
    "socket2": {"hookmq-server"},
    "tokio": {"hookmq-server", "hookmq-python", "hookmq-fuzz-targets"},
}
# Of tokio the extension uses the channel by which an answer comes back, and nothing that needs a runtime.
TOKIO_IN_PYTHON = {"sync", "time"}


@pytest.fixture(scope="module")
def packages() -> dict[str, dict]:
    command = ["cargo", "metadata", "--no-deps", "--format-version=1", "--offline"]
    output = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return {package["name"]: package for package in json.loads(output)["packages"]}


def test_every_crate_has_its_rule(packages):
    assert set(packages) == set(ALLOWED)


@pytest.mark.parametrize("crate", ALLOWED)
def test_crates_depend_in_one_direction(packages, crate):
    ours = {one["name"] for one in packages[crate]["dependencies"] if one["name"].startswith("hookmq")}
    assert ours <= ALLOWED[crate]


@pytest.mark.parametrize("library", ONLY_IN)
def test_libraries_stay_in_their_crate(packages, library):
    users = {
        name
        for name, package in packages.items()
        if any(one["name"] == library and one["kind"] is None for one in package["dependencies"])
    }
    assert users <= ONLY_IN[library]


def test_the_extension_runs_nothing_on_tokio():
    used = set()
    for file in (ROOT / "rust/python/src").rglob("*.rs"):
        used |= set(re.findall(r"tokio::(\w+)", file.read_text()))
    assert used <= TOKIO_IN_PYTHON


@pytest.mark.parametrize("crate", ["auth", "codec", "engine", "rules", "server", "store"])
def test_unsafe_code_is_forbidden(crate):
    assert "#![forbid(unsafe_code)]" in (ROOT / "rust" / crate / "src/lib.rs").read_text()


def test_network_threads_never_attach_to_the_interpreter():
    """`Python::attach` is the door for threads that Python did not make: nobody uses it."""
    found = [file for file in (ROOT / "rust").rglob("*.rs") if "Python::attach" in file.read_text()]
    assert found == []


def test_python_modules_depend_in_one_direction():
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


# What takes longer to import than a broker without hooks and pages takes to start.
HEAVY = {
    "asyncio",
    "dataclasses",
    "inspect",
    "json",
    "logging",
    "pathlib",
    "re",
    "schedule",
    "sqlalchemy",
    "ssl",
    "typing",
    "urllib",
}


def test_a_start_imports_nothing_heavy():
    program = """
import sys
before = set(sys.modules)
from hookmq import Broker
with Broker(port=0, http_port=None):
    pass
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before}))
"""
    # Isolated, and without the site's packages: what they import at the start is none of ours.
    path = f"import sys; sys.path.insert(0, {str(ROOT / 'python')!r})"
    command = [sys.executable, "-I", "-S", "-c", f"{path}\n{program}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & HEAVY == set()


def test_the_version_is_the_same_everywhere():
    import hookmq
    from hookmq import _hookmq

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == hookmq.__version__ == _hookmq.__version__


def test_ci_runs_the_commands_of_the_readme():
    ci, readme = (ROOT / ".ci/run").read_text(), (ROOT / "README.md").read_text()
    for command in ("make demo", "make test"):
        assert command in ci
        assert command in readme


def test_nothing_depends_on_what_is_outside_the_repository():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True)
    for name in tracked.stdout.splitlines():
        file = ROOT / name
        if file.suffix in {".py", ".rs", ".toml", ".md", ".sh", ""} and file.is_file():
            text = file.read_text(errors="replace")
            assert "../" + "shared" not in text, name
