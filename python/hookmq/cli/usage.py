"""A command line that cannot be understood: the message, and exit code 2."""

from __future__ import annotations

__all__ = ["EXIT_USAGE", "UsageError"]

EXIT_USAGE = 2
"""Exit code of a command line that cannot be understood."""


class UsageError(Exception):
    """The command line is wrong; the text says how."""
