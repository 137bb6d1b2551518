"""``hookmq restore FILE``: put a backup in the place of a broker's data."""

from __future__ import annotations

import argparse
from pathlib import Path

from . import data_directory

__all__ = ["configure", "main"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("file", metavar="FILE", help="a file that `hookmq backup` has written")
    data_directory.add_flags(parser)


def main(options: argparse.Namespace) -> int:
    """Put the backup in its place; return 0."""
    from hookmq.backup import restore

    directory, backup = data_directory.find(options), Path(options.file)
    with data_directory.progress_bar("checking the store") as progress:
        done = restore(backup, directory, progress)
    when = "" if done else "; a broker runs there and takes it when it starts the next time"
    facts = {"file": str(backup), "data_dir": str(directory), "done": done}
    data_directory.show(facts, f"{backup} is restored to {directory}{when}", options)
    return 0
