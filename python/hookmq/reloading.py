"""Loading an app's code once more, while what it made runs on."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, TypeVar

from .errors import HookMQError
from .source import Source, loading

__all__ = ["differences", "load", "summary"]

B = TypeVar("B")

# Modules belong to the process: while they are exchanged, nobody else may exchange some.
_lock = threading.RLock()


def load(source: Source, current: B, check: Callable[[B], None]) -> B:
    """Run an app's file anew, and return the broker that it makes in the place of the ``current`` one.

    That is the one of the same name if the file has several. Modules beside the file, or below its directory,
    are run anew as well when it imports them. When anything fails, all of them are as they were; ``check``
    raises for a broker that cannot be used.

    Raises:
        HookMQError: E511 with what failed.
    """
    with _lock:
        names = _names_of(source, current)
        with _fresh_modules(source):
            made: list[object] = []
            loading.made = made
            try:
                module = _run(source)
            except BaseException as error:
                raise _failure(source, error) from error
            finally:
                loading.made = None
            chosen = _broker_of(module, names, made, type(current))
            if chosen is None:
                raise HookMQError("E511", path=source.path, problem="it makes no Broker any more")
            check(chosen)
            return chosen


def _run(source: Source) -> ModuleType:
    name = _name(source)
    loader = _FromSource(name, source.path)
    spec = importlib.util.spec_from_file_location(name, source.path, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader.exec_module(module)
    return module


class _FromSource(SourceFileLoader):
    """Runs what stands in a file now. Bytecode is told by seconds, and people save faster than that."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


class _SourceFinder:
    """Finds the modules of an app, to be run from their sources."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module that belongs to the app, and ``None`` for any other."""
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or spec.origin is None or type(spec.loader) is not SourceFileLoader:
            return None
        if not _lies_below(spec.origin, self._directory):
            return None
        spec.loader = _FromSource(name, spec.origin)
        return spec


def _name(source: Source) -> str:
    # A script is not run as one: what stands under `if __name__ == "__main__"` is for its start.
    return "__hookmq_app__" if source.module == "__main__" else source.module


def _names_of(source: Source, current: object) -> list[str]:
    """Return the names by which the app's code knows a broker. One that took over shares what it knows."""
    modules = [sys.modules.get(name) for name in (_name(source), "__main__")]
    values = [pair for module in modules if module is not None for pair in list(vars(module).items())]
    return [
        name for name, value in values if type(value) is type(current) and value.__dict__ is current.__dict__
    ]


def _broker_of(module: ModuleType, names: list[str], made: list[object], kind: type[B]) -> B | None:
    """Return the broker that has one of the names, or any that the module has, or that was to run."""
    named = [vars(module).get(name) for name in names]
    for value in [*named, *vars(module).values(), *reversed(made)]:
        if isinstance(value, kind):
            return value
    return None


@contextlib.contextmanager
def _fresh_modules(source: Source) -> Iterator[None]:
    """Take the app's own modules out of ``sys.modules``, and put them back if it fails."""
    directory = Path(source.directory or Path(source.path).parent)
    own = {name: module for name, module in list(sys.modules.items()) if _is_below(module, directory)}
    packages = []
    for name, module in own.items():
        if name == "__main__":
            continue
        del sys.modules[name]
        # `from . import part` takes what the package knows by that name before it looks for a module, and a
        # package without __init__.py stays.
        package, _, part = name.rpartition(".")
        knows = vars(sys.modules[package]) if package in sys.modules else {}
        if knows.get(part) is module:
            packages.append((knows, part))
            del knows[part]
    importlib.invalidate_caches()
    finder = _SourceFinder(directory)
    # Before the one that it asks, behind those of built-in modules and of installed ones.
    sys.meta_path.insert(sys.meta_path.index(PathFinder) if PathFinder in sys.meta_path else 0, finder)
    try:
        yield
    except BaseException:
        for name, module in list(sys.modules.items()):
            if name not in own and _is_below(module, directory):
                del sys.modules[name]
        sys.modules.update(own)
        for knows, part in packages:
            knows[part] = own[f"{knows['__name__']}.{part}"]
        raise
    finally:
        sys.meta_path.remove(finder)


def _is_below(module: Any, directory: Path) -> bool:
    path = getattr(module, "__file__", None)
    if not isinstance(path, str) or module.__name__.partition(".")[0] == "hookmq":
        return False
    return _lies_below(path, directory)


def _lies_below(path: str, directory: Path) -> bool:
    if "site-packages" in path:
        return False
    with contextlib.suppress(OSError, ValueError):
        return Path(path).resolve().is_relative_to(directory)
    return False


def _failure(source: Source, error: BaseException) -> HookMQError:
    place = source.path
    if isinstance(error, SyntaxError) and error.filename:
        place = f"{error.filename}:{error.lineno}"
    else:
        trace = error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == source.path:
                place = f"{source.path}:{trace.tb_lineno}"
            trace = trace.tb_next
    return HookMQError("E511", path=place, problem=f"{type(error).__name__}: {error}")


def differences(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    """Return the settings whose values differ.

    >>> differences({"host": "::1", "port": 1883}, {"host": "::1", "port": 1884})
    ['port']
    """
    return [key for key, value in after.items() if before[key] != value]


def summary(hooks: int, jobs: int, pages: int, connections: int) -> str:
    """Say in one line what a reload has brought.

    >>> summary(3, 1, 0, 2)
    '3 hooks, 1 job reloaded, 2 connections kept'
    """
    counts = ((hooks, "hook"), (jobs, "job"), (pages, "page"))
    parts = [_counted(count, noun) for count, noun in counts if count or noun == "hook"]
    return f"{', '.join(parts)} reloaded, {_counted(connections, 'connection')} kept"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
