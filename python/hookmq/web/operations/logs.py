"""The log, and the settings."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from ...connectors.address import in_text, masked, without_secrets
from ...settings.config import Settings
from ...settings.keys import SETTINGS
from ...settings.setting import Setting
from ..log_ring import LEVELS, LogRing
from ..schema import Anything, Array, Field, Integer, Nullable, Object, Ref, Text
from ..source import Source
from .operation import Ask, Operation, may
from .paging import PAGE, page, paged
from .shapes import AT

__all__ = ["entry_of", "operations"]

_ENTRY = Ref(
    "LogRecord",
    Object(
        [
            Field("number", Integer(), required=True),
            Field("at", AT, required=True),
            Field("level", Text(among=LEVELS), required=True),
            Field("logger", Text(), required=True),
            Field("message", Text(), required=True),
            Field("traceback", Nullable(Text()), required=True),
        ]
    ),
)

_SETTING = Ref(
    "Setting",
    Object(
        [
            Field("key", Text(), required=True),
            Field("value", Anything(), "secrets are ***", required=True),
            Field("default", Anything(), required=True),
            Field("origin", Text(), "where it comes from", required=True),
            Field("help", Text(), required=True),
            Field("type", Text(), required=True),
        ]
    ),
)


def operations(source: Source, ring: Callable[[], LogRing]) -> Sequence[Operation]:
    """Return what can be asked of the log and the settings."""
    api = _Logs(ring)
    return [
        Operation(
            "GET",
            "logs",
            api.list,
            "List the last records of the log, newest first",
            query=(
                Field("level", Text(among=LEVELS), "from this level on", default="debug"),
                Field("search", Text(1, 1000), "a part of the text"),
                *PAGE,
            ),
            answer=page(_ENTRY),
        ),
        Operation(
            "GET",
            "settings",
            lambda ask: {"items": [_setting(ask, source.run().settings, one) for one in SETTINGS]},
            "List the settings and where each comes from",
            query=(Field("language", Text(among=("en", "ja")), "of what they mean", default="en"),),
            answer=Object([Field("items", Array(_SETTING), required=True)]),
        ),
    ]


class _Logs:
    def __init__(self, ring: Callable[[], LogRing]) -> None:
        self._ring = ring

    def list(self, ask: Ask) -> Any:
        def read(limit: int, after: str | None) -> tuple[Sequence[Any], str | None, int]:
            before = None if after is None else int(after)
            if before is not None and before < 1:
                raise ValueError("it is before the first record")
            addresses = may(ask.identity.role, "admin")
            shown = str if addresses else in_text
            found = self._ring().entries(ask.query["level"], ask.query["search"], before, shown=shown)
            page = found[:limit]
            following = str(page[-1].number) if len(found) > limit else None
            return [entry_of(one, addresses=addresses) for one in page], following, len(found)

        return paged(ask, read)


def entry_of(entry: Any, *, addresses: bool) -> dict[str, Any]:
    """Return a record of the log as the API shows it; without ``addresses`` with the hosts of these alone."""
    shown = {name: getattr(entry, name) for name in entry.FIELDS}
    if not addresses:
        shown |= {name: in_text(shown[name]) for name in ("message", "traceback") if shown[name] is not None}
    return shown


# Settings -------------------------------------------------------------------------------------------------

_SECRET = re.compile(r"pass|pwd|secret|token|key|auth|sig|credential", re.IGNORECASE)


def _setting(ask: Ask, settings: Settings, setting: Setting) -> dict[str, Any]:
    addresses = may(ask.identity.role, "admin")
    return {
        "key": setting.key,
        "value": _shown(settings[setting.key], addresses=addresses),
        "default": _shown(setting.default, addresses=addresses),
        "origin": settings.origin(setting.key),
        "help": _japanese()[setting.key] if ask.query["language"] == "ja" else setting.help,
        "type": setting.type,
    }


@cache
def _japanese() -> dict[str, str]:
    """Return what each setting means, in Japanese: read when it is first asked for."""
    told: dict[str, str] = json.loads(files("hookmq.settings").joinpath("japanese.json").read_text("utf-8"))
    return told


def _shown(value: Any, *, addresses: bool) -> Any:
    """Return a value as JSON knows it, without secrets; without ``addresses`` with the hosts of these alone.

    >>> _shown({"url": "redis://plant:pw@host/0", "password": "pw", "name": "a"}, addresses=False)
    {'url': 'redis://host/0', 'password': '***', 'name': 'a'}
    >>> [_shown("https://hooks.example.com/T0/B0", addresses=one) for one in (True, False)]
    ['https://hooks.example.com/T0/B0', 'https://hooks.example.com/***']
    """
    if isinstance(value, Mapping):
        return {str(name): _member(str(name), one, addresses=addresses) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(one, addresses=addresses) for one in value]
    if isinstance(value, str):
        if not addresses and value.lower().startswith(("http://", "https://")):
            return masked(value)
        return without_secrets(value) if "://" in value and ("@" in value or "?" in value) else value
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value)


def _member(name: str, value: Any, *, addresses: bool) -> Any:
    # The tables of connectors, services and bridges: a file's name is none, and headers may be any.
    if value is None or name.endswith(("_file", "_files")):
        return value
    if _SECRET.search(name) and not isinstance(value, Mapping | bool | int | float):
        return "***"
    if name == "headers" and isinstance(value, Mapping):
        return dict.fromkeys(map(str, value), "***")
    return _shown(value, addresses=addresses)
