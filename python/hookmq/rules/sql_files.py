"""Rules from files: a ``.sql`` file is a rule, and its name is that of the file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ..errors import HookMQError
from .definition import Rule

__all__ = ["SUFFIX", "files_of", "read", "rule_of"]

SUFFIX = ".sql"
LARGEST = 1 << 20

_COMMENT = re.compile(r"[ \t]*--[ \t]?(.*)")


def files_of(folder: Path) -> list[Path]:
    """Return the files of a folder that are rules, by name. Raises E711 for a folder that cannot be read."""
    try:
        found = [path for path in folder.iterdir() if path.suffix == SUFFIX and not path.name.startswith(".")]
    except OSError as error:
        raise HookMQError("E711", where=str(folder), reason=(error.strerror or str(error)).lower()) from None
    return sorted(path for path in found if path.is_file())


def read(path: Path) -> Rule:
    """Read a file.

    Raises:
        HookMQError: E711 for a file that cannot be read, and as :func:`rule_of`.
    """
    shown = str(path)
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise HookMQError("E711", where=shown, reason=(error.strerror or str(error)).lower()) from None
    except UnicodeDecodeError as error:
        raise HookMQError("E711", where=shown, reason=f"it is not UTF-8 at byte {error.start}") from None
    if len(data) > LARGEST:
        raise HookMQError("E711", where=shown, reason="it is larger than 1 MiB")
    return rule_of(text.replace("\r\n", "\n"), path.stem, shown)


def rule_of(text: str, name: str, where: str) -> Rule:
    r"""Read the text of a file: comment lines with TOML first, if there are some, then the SQL.

    The comments are TOML from the first one on that begins like it; those before are the description.

    Raises:
        HookMQError: as :meth:`Rule.of`; E711 for comments that are TOML only in part.

    >>> rule = rule_of("-- Too hot.\n-- [[actions]]\n-- kind = 'log'\nSELECT * FROM 't'", "hot", "hot.sql")
    >>> rule.name, rule.description, rule.actions[0].kind, rule.above
    ('hot', 'Too hot.', 'log', 3)
    """
    lines = text.split("\n")
    head: list[str] = []
    for line in lines:
        found = _COMMENT.fullmatch(line)
        if found is None and line.strip():
            break
        head.append("" if found is None else found[1])
    at = len(head)
    table = _table(head, where)
    table["sql"] = "\n".join(lines[at:]).rstrip() or None
    return Rule.of(table, "file", where, name=name, above=at)


_BEGINS_TOML = re.compile(r"\s*(?:\[\[?\s*\w+|(?:name|description|enabled|max_keys|actions)\s*=)")


def _table(head: list[str], where: str) -> dict[str, Any]:
    import tomllib

    begin = next((n for n, line in enumerate(head) if _BEGINS_TOML.match(line)), len(head))
    try:
        # Empty lines in the place of the words, so that an error names the line of the file.
        table = tomllib.loads("\n" * begin + "\n".join(head[begin:]))
    except tomllib.TOMLDecodeError as error:
        reason, _, position = str(error).partition(" (at line ")
        line = position.partition(",")[0]
        place = f"{where}:{line}" if line.isdigit() else where
        raise HookMQError(
            "E711", where=place, reason=f"its comments are not TOML: {reason[:1].lower()}{reason[1:]}"
        ) from None
    words = " ".join(line.strip() for line in head[:begin] if line.strip())
    if words and "description" not in table:
        table["description"] = words
    return table
