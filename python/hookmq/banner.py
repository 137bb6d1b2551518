"""The lines a broker prints once every port is open: where it listens, what it keeps, which hooks it has.

>>> print(render(BannerInfo(version="0.1.0", python="3.12.4", platform="Linux x86_64",
...                         mqtt=("mqtt://127.0.0.1:1883",), storage="in memory"), colour=False))
  HookMQ 0.1.0   Python 3.12.4 · Linux x86_64
  ➜  MQTT        mqtt://127.0.0.1:1883                    3.1 · 3.1.1 · 5.0
  ➜  Storage     in memory
  Only this machine can connect. To open it:  hookmq run --host 0.0.0.0
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TextIO

__all__ = ["BannerHook", "BannerInfo", "render", "wants_colour", "write"]

MAX_HOOKS = 20
"""Hooks listed before the rest is only counted: the addresses must stay on the screen."""

_BOLD, _DIM, _GREEN, _CYAN, _RESET = "\x1b[1m", "\x1b[2m", "\x1b[32m", "\x1b[36m", "\x1b[0m"

_LABEL_WIDTH = 12
_URL_WIDTH = 41
_NAME_WIDTH = 6
_WHAT_WIDTH = 20
_VERSIONS = "3.1 · 3.1.1 · 5.0"

# A terminal that cannot show these gets plain words instead of an exception or question marks.
_ASCII = str.maketrans({"➜": ">", "·": "-", "←": "<-", "⏱": "@", "…": "..."})


@dataclass(frozen=True, slots=True)
class BannerHook:
    """One line of the list of hooks.

    ``what`` is the topic filter, or the schedule in words if ``scheduled``; ``where`` is ``"app.py:7"``.

    >>> BannerHook("watch", "tank/+/level", "app.py:7").scheduled
    False
    """

    name: str
    what: str
    where: str
    scheduled: bool = False


@dataclass(frozen=True, slots=True)
class BannerInfo:
    """What the banner tells.

    ``mqtt`` are the addresses clients connect to; ``http`` is the address of the pages or ``None``,
    ``dashboard`` that of the dashboard, with a token while there is no account, ``websocket`` that of MQTT
    over WebSocket on the same port, ``pages`` the user's paths; ``storage`` is a text such as
    ``"hookmq-data/history.db (SQLite, 0 messages)"``, ``rules`` one such as ``"2: cold, hot"``; ``bridges``
    are names and addresses of other brokers. With ``loopback_only`` the banner says how to open the broker
    to others.

    >>> BannerInfo(version="0.1.0", python="3.12.4", platform="Linux", mqtt=("mqtt://[::1]:1883",)).hooks
    ()
    """

    version: str
    python: str
    platform: str
    mqtt: Sequence[str]
    http: str | None = None
    dashboard: str | None = None
    websocket: str | None = None
    pages: Sequence[str] = ()
    storage: str | None = None
    rules: str | None = None
    bridges: Sequence[tuple[str, str]] = ()
    hooks: Sequence[BannerHook] = ()
    loopback_only: bool = True


def render(info: BannerInfo, *, colour: bool) -> str:
    """Return the banner, without a line end after the last line."""
    paint = _painted if colour else _plain
    lines = [
        f"  {paint(f'HookMQ {info.version}', _BOLD)}   "
        + paint(f"Python {info.python} · {info.platform}", _DIM)
    ]

    def row(label: str, text: str, note: str = "") -> None:
        arrow = paint("➜", _GREEN) if label else " "
        padding = " " * max(_URL_WIDTH - _width(text), 3) if note else ""
        lines.append(
            f"  {arrow}  {paint(_padded(label, _LABEL_WIDTH), _BOLD)}{paint(text, _CYAN)}"
            + (padding + paint(note, _DIM) if note else "")
        )

    if info.dashboard is not None:
        row("Dashboard", info.dashboard)
    for index, url in enumerate(info.mqtt):
        row("" if index else "MQTT", url, "" if index else _VERSIONS)
    if info.http is not None and (info.pages or info.dashboard is None):
        row("Pages", "   ".join(filter(None, (info.http, "  ".join(info.pages)))))
    if info.websocket is not None:
        row("WebSocket", info.websocket)
    if info.storage is not None:
        row("Storage", info.storage)
    if info.rules is not None:
        row("Rules", info.rules)
    for index, (name, url) in enumerate(info.bridges):
        row("" if index else "Bridge" if len(info.bridges) == 1 else "Bridges", url, name)
    lines += _hook_lines(info.hooks, paint)
    if info.loopback_only:
        lines.append(
            "  Only this machine can connect. To open it:  " + paint("hookmq run --host 0.0.0.0", _BOLD)
        )
    return "\n".join(lines)


def write(info: BannerInfo, stream: TextIO) -> None:
    """Print the banner to a stream: in colour if it is a terminal, in ASCII if it cannot show more."""
    text = render(info, colour=wants_colour(stream))
    try:
        text.encode(stream.encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        text = text.translate(_ASCII).encode("ascii", "backslashreplace").decode("ascii")
    stream.write(text + "\n")
    stream.flush()


def wants_colour(stream: TextIO) -> bool:
    """Say whether colour is welcome: the stream is a terminal that has it, and ``NO_COLOR`` is not set.

    >>> import io
    >>> wants_colour(io.StringIO())
    False
    """
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def _hook_lines(hooks: Sequence[BannerHook], paint: _Paint) -> list[str]:
    shown = hooks[:MAX_HOOKS]
    if not shown:
        return []
    name_width = max(_NAME_WIDTH, *(_width(hook.name) for hook in shown)) + 3
    what_width = max(_WHAT_WIDTH, *(_width(hook.what) for hook in shown)) + 3
    lines = []
    for index, hook in enumerate(shown):
        head = paint("Hooks", _BOLD) if index == 0 else "     "
        sign = paint("⏱" if hook.scheduled else "←", _GREEN)
        name, what = _padded(hook.name, name_width), _padded(hook.what, what_width)
        lines.append(f"  {head}  {name}{sign} {what}{paint(hook.where, _DIM)}")
    if len(hooks) > len(shown):
        lines.append(f"         … and {len(hooks) - len(shown)} more:   hookmq check lists them all")
    return lines


_Paint = Callable[[str, str], str]


def _plain(text: str, code: str) -> str:
    return text


def _painted(text: str, code: str) -> str:
    return f"{code}{text}{_RESET}"


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _width(text: str) -> int:
    """Return how many columns a terminal gives the text: East Asian characters take two, accents none."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )
