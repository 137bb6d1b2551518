"""Where a broker was made, and whether that is being done once more."""

from __future__ import annotations

import os
import threading

from .records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

__all__ = ["Source", "is_loading", "loading", "place_of"]


class Source(Record):
    """Where a broker was made: the module's name and file, and where the modules lie that belong to the app.

    Without a directory these are the modules beside the file and below.
    """

    module: str
    path: str
    directory: str | None = None

    @classmethod
    def of_caller(cls, frame: FrameType) -> Source | None:
        """Return the source of a frame; ``None`` for what cannot be run again to make the same broker.

        That is what has no file, such as a notebook's cell, and what stands inside of a function.
        """
        path = frame.f_globals.get("__file__")
        if not isinstance(path, str) or frame.f_code.co_name != "<module>":
            return None
        if frame.f_code.co_filename.startswith("<"):
            return None
        # `python -m pkg.app` calls the module __main__, but what it imports from its package needs its name.
        module = getattr(frame.f_globals.get("__spec__"), "name", None) or frame.f_globals.get("__name__")
        return cls(str(module or "__main__"), os.path.realpath(path))


def place_of(frame: FrameType) -> str:
    """Return ``app.py:7``: the file of a frame, relative to the working directory if below, and the line."""
    file = frame.f_code.co_filename
    try:
        shown = os.path.relpath(file)
    except ValueError:  # another drive
        shown = file
    return f"{file if shown.startswith('..') else shown}:{frame.f_lineno}"


class _Loading(threading.local):
    """What the calling thread loads: brokers that are made meanwhile are neither started nor run."""

    made: list[object] | None = None
    """Brokers that were to be started, in this order; ``None`` while nothing is loaded."""


loading = _Loading()


def is_loading(broker: object) -> bool:
    """Say whether the calling thread is loading an app's code again, and remember the broker if it is."""
    if loading.made is None:
        return False
    if broker not in loading.made:
        loading.made.append(broker)
    return True
