"""Settings as TOML."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

__all__ = ["toml_of"]


def toml_of(settings: Mapping[str, Any]) -> str:
    """Return settings as the text of ``hookmq.toml``; a port that is ``None`` is ``"off"``.

    >>> print(toml_of({"port": 1883, "tls": {"port": None}, "listeners": [{"url": "ws://h:1"}]}), end="")
    port = 1883
    <BLANKLINE>
    [tls]
    port = "off"
    <BLANKLINE>
    [[listeners]]
    url = "ws://h:1"
    """
    plain = {key: value for key, value in settings.items() if not _is_table(value)}
    blocks = ["".join(f"{key} = {_value(value)}\n" for key, value in plain.items())] if plain else []
    for key, value in settings.items():
        tables = [value] if isinstance(value, Mapping) else value if _is_table(value) else []
        head = f"[{key}]" if isinstance(value, Mapping) else f"[[{key}]]"
        for table in tables:
            blocks.append(f"{head}\n" + "".join(f"{name} = {_value(one)}\n" for name, one in table.items()))
    return "\n".join(blocks)


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping) or (
        isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)
    )


def _value(value: Any) -> str:
    if value is None:
        return '"off"'
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    # What JSON writes of texts, numbers and truth values is TOML as well, but for the end of ASCII.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
