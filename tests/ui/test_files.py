"""The dashboard's files: texts in both languages, imports, libraries, and how much it all is."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hookmq.hooks.registry import HOOKS

ROOT = Path(__file__).parent.parent.parent
DASHBOARD = ROOT / "python/hookmq/dashboard"
SOURCES = sorted((DASHBOARD / "js").rglob("*.js"))
PAGES = re.findall(r'name: "(\w+)"', (DASHBOARD / "js/pages.js").read_text())
LANGUAGES = ["en", "ja"]

WRITES_HTML = re.compile(r"(inner|outer)HTML\s*=|insertAdjacentHTML|document\.write|dangerouslySetInner")
EVALUATES = re.compile(r"\beval\(|new Function\(")
FROM_ELSEWHERE = re.compile(r"""(from|import\(?|fetch\(|src=|href=)\s*["'`]https?:""")

LARGEST = 300 * 1024
"""Bytes of the whole dashboard, as it is sent."""


def texts(language: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in [
        DASHBOARD / f"text/{language}.json",
        *sorted((DASHBOARD / f"text/{language}").glob("*.json")),
    ]:
        for key, text in json.loads(path.read_text()).items():
            assert key not in found, f"{key} is twice in the texts of {language}"
            found[key] = text
    return found


ENGLISH = texts("en")


def used_keys() -> tuple[set[str], set[re.Pattern[str]]]:
    """Keys that are in the sources as they are, and patterns of those that are put together."""
    plain: set[str] = set()
    patterns: set[re.Pattern[str]] = set()
    for path in SOURCES:
        source = path.read_text()
        # Also keys that a variable or a table holds until they are looked up.
        plain |= {key for key in re.findall(r"""["'`]([a-z_]+\.[\w.]+)["'`]""", source) if key in ENGLISH}
        plain |= set(re.findall(r"""\bt\(\s*["']([^"']+)["']""", source))
        for key in re.findall(r"""\b(?:t|hasText)\(\s*`([^`]*)`""", source):
            pieces = re.split(r"\$\{[^}]*\}", key)
            patterns.add(re.compile(r"[\w.-]+".join(re.escape(piece) for piece in pieces)))
    return plain, patterns


def test_both_languages_have_the_same_texts():
    english, japanese = texts("en"), texts("ja")
    assert set(english) - set(japanese) == set()
    assert set(japanese) - set(english) == set()


def test_texts_have_the_same_blanks_in_both_languages():
    japanese = texts("ja")
    for key, text in ENGLISH.items():
        blanks = {frozenset(re.findall(r"\{(\w+)\}", each)) for each in text.split(" | ")}
        assert frozenset(re.findall(r"\{(\w+)\}", japanese[key])) in blanks, key


def test_japanese_is_japanese():
    same = {
        key
        for key, text in texts("ja").items()
        if text == ENGLISH[key] and re.search(r"[a-z]{4,} [a-z]{3,}", text)
    }
    assert same == set()


def test_hooks_are_described_as_in_their_registry():
    for kind in HOOKS.values():
        assert ENGLISH[f"hooks.when_{kind.name}"] == kind.when.replace("`", "")


def test_every_text_is_used():
    plain, patterns = used_keys()
    unused = [
        key for key in ENGLISH if key not in plain and not any(each.fullmatch(key) for each in patterns)
    ]
    assert unused == []


def test_every_text_that_is_used_is_there():
    plain, _ = used_keys()
    assert sorted(key for key in plain if key not in ENGLISH) == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(DASHBOARD)))
def test_imports_are_there(path):
    for name in re.findall(r"""(?:from|import)\s*\(?\s*["'](\.[^"']*)["']""", path.read_text()):
        assert (path.parent / name).resolve().is_file(), f"{path.name} imports {name}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(DASHBOARD)))
def test_nothing_that_the_policy_of_pages_forbids(path):
    source = path.read_text()
    for forbidden in (WRITES_HTML, EVALUATES, FROM_ELSEWHERE):
        assert not forbidden.search(source)


def test_the_page_itself_has_no_inline_code():
    page = (DASHBOARD / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    assert not re.search(r"<style|\bstyle=|\bon\w+=", page)


def test_libraries_are_what_npm_has():
    done = subprocess.run(
        [sys.executable, ROOT / "tools/vendor.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_it_is_small(figures):
    files = [path for path in DASHBOARD.rglob("*") if path.is_file() and "LICENSES" not in path.parts]
    whole = sum(len(gzip.compress(path.read_bytes(), 9)) for path in files)
    figures(f"the dashboard is {whole / 1024:.0f} KiB packed, in {len(files)} files")
    assert whole <= LARGEST
