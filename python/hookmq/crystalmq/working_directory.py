"""The working directory of extensions: that of their own threads, and of nobody else's."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from ..hooks.functions import code_of, function_name, innermost
from ..log import logger

__all__ = ["Inside", "StandIn", "WorkingDirectory"]

T = TypeVar("T")

_CLONE_FS = 0x200
"""Of Linux: the working directory, the root and the umask."""

_OWN = threading.local()
"""``directory`` is where the calling thread works, if it has a directory of its own."""


class WorkingDirectory:
    """A directory that threads enter, each for itself.

    CrystalMQ runs extensions in ``HOME/bin``, and they open ``../extensions/plugin.conf``. A working
    directory belongs to the process, though, in which others open their own files. On Linux a thread can stop
    sharing it: a thread that enters has it for good, and so have the threads that it starts. Where the system
    refuses that, the whole process changes its directory, once and with a warning.

    >>> directory = WorkingDirectory(Path("/"))
    >>> directory.run(os.getcwd), os.getcwd() != "/"
    ('/', True)
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def enter(self) -> None:
        """Let the calling thread work in the directory from now on; it should be one made for that."""
        if getattr(_OWN, "directory", None) == self.path:
            return
        if not _unshare():
            self._take_the_process_along()
        os.chdir(self.path)
        _OWN.directory = self.path

    def run(self, function: Callable[[], T], name: str = "load") -> T:
        """Call a function on a thread of its own in the directory; return what it returns.

        Threads that the function starts work there as well, and are daemons.
        """
        future: Future[T] = Future()

        def work() -> None:
            try:
                self.enter()
                future.set_result(function())
            except BaseException as error:  # SystemExit as well: it is for who called
                future.set_exception(error)

        threading.Thread(target=work, name=f"hookmq-crystalmq-{name}", daemon=True).start()
        return future.result()

    def _take_the_process_along(self) -> None:
        if Path.cwd() != self.path:
            logger().warning(
                "this system gives no thread a working directory of its own: the process works in %s now, "
                "as extensions expect it",
                self.path,
            )


class StandIn:
    """A function that stands for one of an extension: lists of hooks, jobs and pages show where that one is.

    Args:
        call: what is called.
        of: the extension's function.
    """

    def __init__(self, call: Callable[..., Any], of: Callable[..., Any]) -> None:
        self._call = call
        # What function_name() and where_defined() look at.
        self.__name__ = function_name(of)
        self.__code__ = code_of(innermost(of))

    def __call__(self, *arguments: Any) -> Any:
        """Call it."""
        return self._call(*arguments)


class Inside(StandIn):
    """A stand-in whose calls are made in a working directory, which the calling thread does not leave again.

    Args:
        call: what is called.
        directory: where the thread works from then on.
        of: the extension's function, if ``call`` is not that but calls it.
    """

    def __init__(
        self, call: Callable[..., Any], directory: WorkingDirectory, *, of: Callable[..., Any] | None = None
    ) -> None:
        super().__init__(call, call if of is None else of)
        self._directory = directory

    def __call__(self, *arguments: Any) -> Any:
        """Call it in the working directory."""
        self._directory.enter()
        return self._call(*arguments)


def _unshare() -> bool:
    """Give the calling thread a working directory of its own. Return whether the system does that."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        return bool(ctypes.CDLL(None).unshare(_CLONE_FS) == 0)  # os.unshare() is there from Python 3.12 on
    except (AttributeError, OSError):
        return False
