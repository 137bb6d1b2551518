"""The package's log. :mod:`logging` is imported when there is something to say."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from logging import Logger

__all__ = ["logger"]


def logger(name: str = "hookmq") -> Logger:
    """Return a logger of the package.

    >>> logger("hookmq.hooks").name
    'hookmq.hooks'
    """
    import logging

    return logging.getLogger(name)
