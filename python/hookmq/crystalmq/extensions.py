"""The files in ``HOME/extensions``, loaded as CrystalMQ loads them."""

from __future__ import annotations

import importlib.util
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from ..errors import HookMQError
from ..hooks.functions import is_coroutine_function, where_defined
from .log_file import BrokerLog
from .python2 import NAMES, hint, module_hint, quoted
from .working_directory import WorkingDirectory

__all__ = ["Extensions", "function_of", "refusal"]

T = TypeVar("T")

_folders: set[str] = set()
"""Folders that this process has loaded extensions from: their modules' names are free for the next home."""


class Extensions:
    """Loads the extensions of a home, and calls them while they are loaded.

    Args:
        folder: ``HOME/extensions``, which is put on ``sys.path``.
        directory: in which they are loaded and called.
        log: its logger is the global ``logger_p`` of each file.
        setters: what a file is given that defines the function: ``{"setclientobj": {"Client_obj": …}}``.
    """

    def __init__(
        self, folder: Path, directory: WorkingDirectory, log: BrokerLog, setters: Mapping[str, dict[str, Any]]
    ) -> None:
        self._folder = folder
        self._directory = directory
        self._log = log
        self._setters = setters
        self._make_room()

    def load(self, path: Path) -> ModuleType:
        """Import a file and call its setters.

        Raises:
            HookMQError: E803 with file, line and remedy, for whatever keeps it from being imported.
        """
        return self.call(path, lambda: self._import(path))

    def call(self, path: Path, function: Callable[[], T]) -> T:
        """Call a function of a loaded file in the working directory. Raises E803 for what it raises."""
        try:
            return self._directory.run(function, path.stem)
        except HookMQError:
            raise
        except BaseException as error:  # sys.exit() when a database is away is common
            raise self._explained(path, error) from error

    def _import(self, path: Path) -> ModuleType:
        name = path.stem
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise ImportError(f"{path.name} is not a Python file")
        module = importlib.util.module_from_spec(spec)
        module.__dict__["logger_p"] = self._log.extensions
        sys.modules[name] = module
        before = list(sys.path)
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
        finally:
            self._settle_path(before)
        for setter, given in self._setters.items():
            if callable(function := getattr(module, setter, None)):
                function(dict(given))
        return module

    def _make_room(self) -> None:
        """Put the folder first on ``sys.path``; modules of earlier homes do not stand for this one's."""
        folder = str(self._folder)
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if file and any(str(file).startswith(one + os.sep) for one in _folders):
                del sys.modules[name]
        sys.path[:] = [folder, *(one for one in sys.path if one not in _folders and one != folder)]
        _folders.add(folder)
        importlib.invalidate_caches()

    def _settle_path(self, before: list[str]) -> None:
        """Make what a file added to ``sys.path`` mean the same on threads that work elsewhere."""
        for index, entry in enumerate(sys.path):
            if entry not in before and not os.path.isabs(entry):
                sys.path[index] = os.path.normpath(self._directory.path / entry)

    def _explained(self, path: Path, error: BaseException) -> HookMQError:
        file, line = self._place(path, error)
        where = f"{file}:{line}"
        if isinstance(error, SyntaxError):
            words = hint(error.text) or f"look closer:   python -m py_compile {file}"
            return refusal(where, f"syntax error: {error.msg}{quoted(error.text)}", words)
        if isinstance(error, ModuleNotFoundError) and error.name:
            return refusal(where, f"there is no module `{error.name}`", module_hint(error.name))
        words = f"correct the file, or look closer:   hookmq doctor {self._folder.parent}"
        if isinstance(error, NameError) and error.name in NAMES:
            words = f"this is Python 2; write {NAMES[error.name]}"
        text = str(error)
        return refusal(where, f"{type(error).__name__}: {text}" if text else type(error).__name__, words)

    def _place(self, path: Path, error: BaseException) -> tuple[str, int]:
        """Return the innermost line of the home's own files that has to do with an error."""
        if isinstance(error, SyntaxError) and error.filename:
            return error.filename, error.lineno or 1
        home = str(self._folder.parent) + os.sep
        for frame in reversed(traceback.extract_tb(error.__traceback__)):
            file = os.path.normpath(self._directory.path / frame.filename)
            if file.startswith(home) or file == str(path):
                return file, frame.lineno or 1
        return str(path), 1


def function_of(module: ModuleType, *names: str) -> Callable[..., Any] | None:
    """Return the first function of these names that a file defines.

    Raises:
        HookMQError: E803 for what is no function, and for a coroutine function.
    """
    for name in names:
        function = getattr(module, name, None)
        if function is None:
            continue
        if not callable(function):
            raise refusal(str(module.__file__), f"{name} is not a function", f"write   def {name}(…):")
        if is_coroutine_function(function):
            raise refusal(where_defined(function), f"{name} is a coroutine", "write `def` for `async def`")
        return function  # type: ignore[no-any-return]
    return None


def refusal(where: object, reason: str, help: str) -> HookMQError:
    """Return the error for an extension that cannot be loaded."""
    return HookMQError("E803", where=where, exception=reason, help=help)
