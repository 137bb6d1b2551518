"""What the pages of the documentation are made of: blocks of code, links, headings, names of files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
README = ROOT / "README.md"

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_FILE = re.compile(r"`((?:docs|examples|python|rust|tests|tools)/[^`\s]*)`")


@dataclass(frozen=True)
class Block:
    """A block of code, and where it stands: `docs/hooks.md:12`."""

    where: str
    language: str
    code: str


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        if found[1] == language:
            line = text.count("\n", 0, found.start()) + 2
            yield Block(f"{name(page)}:{line}", found[1], found[2])


def prose(page: Path) -> str:
    """The page without its blocks of code."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def links(page: Path) -> list[str]:
    return _LINK.findall(prose(page))


def files(page: Path) -> list[str]:
    """Files of the project that the page names."""
    return _FILE.findall(prose(page))


def anchors(page: Path) -> set[str]:
    """What a link can name behind `#`, as GitHub and MkDocs make it from the headings."""
    headings = (_LINK.sub("", heading) for heading in _HEADING.findall(prose(page)))
    return {re.sub(r"[\s]+", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip()) for heading in headings}
