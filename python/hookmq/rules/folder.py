"""A folder of rules that is looked at, so that a file that was saved takes effect at once."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

from ..errors import HookMQError
from ..log import logger
from .definition import Rule
from .sql_files import files_of, read

__all__ = ["RuleFolder"]

INTERVAL = 1.0
"""Seconds from one look to the next."""

_Seen = tuple[int, int, int]  # when it was written, its size, its number


class RuleFolder:
    """Looks at a folder, and tells of files that are new, that have changed and that are gone.

    Args:
        path: of the folder.
        changed: is given a rule that was read, and raises what is wrong with it.
        gone: is given the name of a rule whose file is gone.
        wrong: is given a rule's name and what is wrong with its file.
    """

    def __init__(
        self,
        path: Path,
        changed: Callable[[Rule], None],
        gone: Callable[[str], None],
        wrong: Callable[[str, HookMQError], None],
    ) -> None:
        self.path = path
        self._changed, self._gone, self._wrong = changed, gone, wrong
        self._seen: dict[Path, _Seen] = {}
        self._names: dict[Path, str] = {}
        self._missing = False
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Look from now on. What is there already was read before: see :meth:`look`."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="hookmq-rules-folder", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join(5.0)

    def look(self) -> None:
        """Look once. Raises E711 if the folder cannot be read."""
        files = files_of(self.path)
        for path in [path for path in self._seen if path not in files]:
            del self._seen[path]
            if (name := self._names.pop(path, None)) is not None and name not in self._names.values():
                self._gone(name)
        for path in files:
            try:
                seen = _seen(path)
            except OSError:
                continue  # it has just gone
            if self._seen.get(path) != seen:
                self._seen[path] = seen
                self._take(path)

    def _take(self, path: Path) -> None:
        try:
            rule = read(path)
            before = self._names.get(path)
            self._changed(rule)
        except HookMQError as error:
            self._wrong(self._names.get(path, path.stem), error)
            return
        self._names[path] = rule.name
        if before is not None and before != rule.name and before not in self._names.values():
            self._gone(before)

    def _run(self) -> None:
        while not self._stop.wait(INTERVAL):
            try:
                self.look()
                self._missing = False
            except HookMQError as error:
                if not self._missing:
                    logger("hookmq.rules").warning("%s; its rules run on", error.message)
                self._missing = True
            except Exception:  # a fault of ours: the next look may go better
                logger("hookmq.rules").exception("the folder of rules could not be looked at")


def _seen(path: Path) -> _Seen:
    state = os.stat(path)
    return state.st_mtime_ns, state.st_size, state.st_ino
