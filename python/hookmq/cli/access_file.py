"""How commands find the files that say who may do what; :mod:`hookmq.access_files` reads them."""

from __future__ import annotations

import argparse
from pathlib import Path

from hookmq.access_files import Problem, in_line, in_text, locked, read, replace, unusable
from hookmq.errors import HookMQError

__all__ = [
    "Problem",
    "add_config_flag",
    "add_file_flags",
    "find",
    "in_line",
    "in_text",
    "locked",
    "read",
    "replace",
    "unusable",
]


def add_file_flags(parser: argparse.ArgumentParser, key: str) -> None:
    """Add ``--file`` and the ``--config`` that says where it is otherwise; ``key`` is the setting."""
    parser.add_argument("--file", metavar="FILE", help=f"the file ({key} of the configuration)")
    add_config_flag(parser)


def add_config_flag(parser: argparse.ArgumentParser) -> None:
    """Add ``--config``."""
    parser.add_argument("--config", metavar="FILE", help="configuration file (hookmq.toml, if it is there)")


def find(given: str | None, options: argparse.Namespace, key: str, what: str, command: str) -> Path:
    """Return the file that was given, or the one the configuration names under ``key``.

    Raises E702, which tells to type ``command``, if there is neither.
    """
    if given is not None:
        return Path(given)
    from hookmq.settings import config

    flags = {"config": options.config} if options.config else {}
    configured = config.resolve(arguments={}, flags=flags)[key]
    if not configured:
        raise HookMQError("E702", what=what, command=command, key=key)
    return Path(str(configured))
