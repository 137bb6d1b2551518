"""Texts with ``${…}`` in which each field is made fit for where it stands: a URL, HTML."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .._hookmq import render_template

__all__ = ["filled", "pieces"]


def pieces(template: str) -> Iterator[tuple[str, bool]]:
    """Return the parts of a template, and whether each is a field.

    >>> list(pieces("a/${clientid}?t=${t || '}'}"))
    [('a/', False), ('${clientid}', True), ('?t=', False), ("${t || '}'}", True)]
    """
    at = 0
    while (start := template.find("${", at)) >= 0:
        end = _closing(template, start + 2)
        if end < 0:
            break
        if start > at:
            yield template[at:start], False
        yield template[start:end], True
        at = end
    if at < len(template):
        yield template[at:], False


def filled(
    template: str, row: Mapping[str, Any], source: Mapping[str, Any], made_fit: Callable[[str], str]
) -> str:
    """Return a template with its fields filled in, each of them made fit.

    >>> filled("<b>${t}</b>", {"t": "<"}, {}, lambda text: text.replace("<", "&lt;"))
    '<b>&lt;</b>'
    """
    result, origin = dict(row), dict(source)
    return "".join(
        made_fit(render_template(text, result, origin)) if is_field else text
        for text, is_field in pieces(template)
    )


def _closing(text: str, at: int) -> int:
    """Return where a field ends that begins at a place: behind its brace; -1 if it does not."""
    depth, quote = 0, ""
    for index in range(at, len(text)):
        one = text[index]
        if quote:
            quote = "" if one == quote else quote
        elif one in "'\"":
            quote = one
        elif one == "{":
            depth += 1
        elif one == "}":
            if depth == 0:
                return index + 1
            depth -= 1
    return -1
