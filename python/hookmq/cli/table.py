"""Tables on a terminal, and how times and rates are written in them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["console", "duration", "make", "moment", "moment_at", "rate"]

_UNBOUNDED = 1000
"""Columns of what is no terminal: a line of a table is a line there."""


def console() -> Console:
    """Return the standard output, which wraps and colours only if it is a terminal."""
    from rich.console import Console

    from hookmq.banner import wants_colour

    width = None if sys.stdout.isatty() else _UNBOUNDED
    return Console(
        file=sys.stdout, width=width, no_color=not wants_colour(sys.stdout), highlight=False, soft_wrap=False
    )


def make(columns: Sequence[tuple[str, bool]], rows: Sequence[Sequence[str]]) -> Table:
    """Return a table of columns, each with its title and whether it holds numbers."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title, is_number in columns:
        table.add_column(title, justify="right" if is_number else "left", overflow="fold")
    encoding = sys.stdout.encoding or "utf-8"
    for row in rows:
        cells = (cell.encode(encoding, "backslashreplace").decode(encoding) for cell in row)
        table.add_row(*(Text(cell) for cell in cells))  # no markup: names are the user's
    return table


def duration(seconds: float | None) -> str:
    """Return seconds in the unit that suits.

    >>> duration(0.0000123), duration(0.25), duration(3.14159), duration(None)
    ('12 us', '250 ms', '3.1 s', '')
    """
    if seconds is None:
        return ""
    value, unit = (seconds * 1e6, "us") if seconds < 1e-3 else (seconds * 1e3, "ms")
    if seconds >= 1:
        value, unit = seconds, "s"
    return f"{value:.0f} {unit}" if value >= 10 or not value else f"{value:.1f} {unit}"


def rate(per_second: float | None) -> str:
    """Return a rate; nothing if it is not known.

    >>> rate(12345.6), rate(0.25), rate(None)
    ('12,346/s', '0.2/s', '')
    """
    if per_second is None:
        return ""
    return f"{per_second:,.0f}/s" if per_second >= 10 or not per_second else f"{per_second:.1f}/s"


def moment(iso: str | None) -> str:
    """Return a time of ISO 8601 in local time.

    >>> moment(None)
    ''
    """
    from datetime import datetime

    if iso is None:
        return ""
    return datetime.fromisoformat(iso).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def moment_at(seconds: float | None) -> str:
    """Return a time of seconds since the Unix epoch in local time.

    >>> moment_at(None)
    ''
    """
    from datetime import datetime

    return "" if seconds is None else datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S")
