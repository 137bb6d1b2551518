"""``hookmq backup FILE``: copy the data of a broker that may run."""

from __future__ import annotations

import argparse
from pathlib import Path

from hookmq.errors import HookMQError

from . import data_directory

__all__ = ["configure", "main"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("file", metavar="FILE", help="the file to write, such as backup.tar or backup.tar.gz")
    parser.add_argument("--replace", action="store_true", help="also if the file is there already")
    data_directory.add_flags(parser)


def main(options: argparse.Namespace) -> int:
    """Write the backup; return 0."""
    from hookmq.backup import back_up

    directory, to = data_directory.find(options), Path(options.file)
    if to.exists() and not options.replace:
        raise HookMQError("E708", path=to)
    with data_directory.progress_bar("copying the store") as progress:
        size = back_up(directory, to, progress)
    facts = {"file": str(to), "bytes": size, "data_dir": str(directory)}
    data_directory.show(facts, f"{to}: {data_directory.in_mib(size)} from {directory}", options)
    return 0
