"""What the commands that look after a data directory have in common."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .run import DATA_DIR

__all__ = ["add_flags", "find", "in_mib", "progress_bar", "show"]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add ``--data-dir``, ``--config`` and ``--json``."""
    parser.add_argument("--data-dir", metavar="DIRECTORY", help=f"where data is kept ({DATA_DIR})")
    parser.add_argument("--config", metavar="FILE", help="configuration file (hookmq.toml, if it is there)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def find(options: argparse.Namespace) -> Path:
    """Return the data directory that was given, or that of the configuration."""
    from hookmq.settings import config

    given = {"data_dir": options.data_dir, "config": options.config}
    flags = {key: value for key, value in given.items() if value is not None}
    return Path(str(config.resolve(arguments={}, flags=flags, defaults={"data_dir": DATA_DIR})["data_dir"]))


@contextlib.contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None] | None]:
    """Show on stderr how many bytes are done, if that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def show(facts: dict[str, Any], text: str, options: argparse.Namespace) -> None:
    """Print the facts as JSON, or the text."""
    print(json.dumps(facts, ensure_ascii=False, indent=2) if options.json else text)


def in_mib(size: int) -> str:
    """Write a size.

    >>> in_mib(3 << 20)
    '3.0 MiB'
    """
    return f"{size / 2**20:,.1f} MiB"
