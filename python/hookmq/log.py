"""The package's log. :mod:`logging` is imported when there is something to say."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import Logger

__all__ = ["logger", "when_used"]

_waiting: list[Callable[[], None]] = []


def logger(name: str = "hookmq") -> Logger:
    """Return a logger of the package.

    >>> logger("hookmq.hooks").name
    'hookmq.hooks'
    """
    import logging

    while _waiting:
        _waiting.pop()()
    return logging.getLogger(name)


def when_used(begin: Callable[[], None]) -> Callable[[], None]:
    """Call a function before the first record, and now if :mod:`logging` is imported; return what takes it
    back."""
    import sys

    if "logging" in sys.modules:
        begin()
    else:
        _waiting.append(begin)

    def forget() -> None:
        if begin in _waiting:
            _waiting.remove(begin)

    return forget
