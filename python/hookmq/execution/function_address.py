"""Where another process finds a function."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

__all__ = ["FunctionAddress", "Terminated"]


@dataclass(frozen=True, slots=True)
class FunctionAddress:
    """Where another process finds a function.

    ``file`` is that of the module, if there is one; ``package`` is set for a script that was run as
    ``python -m package.module``.

    >>> import textwrap
    >>> FunctionAddress.of(textwrap.dedent).find() is textwrap.dedent
    True
    """

    module: str
    qualname: str
    file: str | None
    package: str | None = None

    @classmethod
    def of(cls, function: Callable[..., Any]) -> FunctionAddress:
        """Return the address. Raises ``ValueError`` for what another process cannot find."""
        name, qualname = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
        if not (isinstance(name, str) and isinstance(qualname, str)):
            raise _unreachable(repr(function), "it has no name to find it by")
        if qualname.endswith("<lambda>"):
            raise _unreachable(qualname, "a lambda has no name to find it by")
        if "<locals>" in qualname:
            raise _unreachable(qualname, "it is made by a function when this runs")
        if inspect.iscoroutinefunction(function):
            raise ValueError(
                f"{qualname} cannot run in another process: it is async; write it as a plain def"
            )
        module = sys.modules.get(name)
        # While a decorator runs, the name is not bound yet, or still to an earlier function. What was defined
        # on top of the module will be found there.
        defined = inspect.unwrap(function)
        on_top = isinstance(defined, FunctionType) and module and defined.__globals__ is vars(module)
        if module is None or not (on_top or _attribute(module, qualname) == function):
            raise _unreachable(qualname, f"it is not what `{qualname}` in the module `{name}` is")
        file = getattr(module, "__file__", None)
        if name != "__main__":
            return cls(name, qualname, file)
        if file is None or not Path(file).is_file():
            raise _unreachable(qualname, "the main program is not a file that could be imported again")
        return cls(name, qualname, file, getattr(module, "__package__", None))

    def find(self) -> Callable[..., Any]:
        """Import the module and return the function. Raises what the import does, or ``LookupError``."""
        module = self._main() if self.module == "__main__" else self._module()
        function = _attribute(module, self.qualname)
        if not callable(function):
            raise LookupError(f"there is no function `{self.qualname}` in {self.file or self.module}")
        found: Callable[..., Any] = function
        return found

    def _main(self) -> ModuleType:
        """Run the script again, under the name that multiprocessing gives it: not as the main program."""
        module = ModuleType("__mp_main__")
        module.__file__, module.__package__ = self.file, self.package
        sys.modules["__main__"] = sys.modules["__mp_main__"] = module
        code = compile(Path(self.file or "").read_bytes(), self.file or "", "exec")
        try:
            exec(code, vars(module))
        except Terminated:
            raise
        except SystemExit:
            pass  # scripts may end with it
        return module

    def _module(self) -> ModuleType:
        try:
            found = importlib.util.find_spec(self.module)
        except (ImportError, ValueError):
            found = None
        if self.file is None or (found and found.origin and _same_file(found.origin, self.file)):
            return importlib.import_module(self.module)
        if "." in self.module:
            self._stand_in_for_packages()
            return importlib.import_module(self.module)
        # It was imported by its path, as `hookmq run app.py` does, and may have the name of another module.
        name = self.module if self.module not in sys.modules else f"{self.module}_app"
        spec = importlib.util.spec_from_file_location(name, self.file)
        if spec is None or spec.loader is None:
            raise ImportError(f"{self.file} cannot be imported")
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def _stand_in_for_packages(self) -> None:
        """Make packages for a module that was imported without them, as pytest does."""
        package, folder = self.module, Path(self.file or "")
        while package := package.rpartition(".")[0]:
            folder = folder.parent
            if package not in sys.modules:
                sys.modules[package] = ModuleType(package)
                sys.modules[package].__path__ = [str(folder)]


class Terminated(SystemExit):
    """Ends a worker that the parent has given up."""


def _attribute(module: ModuleType, qualname: str) -> Any:
    value: Any = module
    for part in qualname.split("."):
        value = getattr(value, part, None)
    return value


def _same_file(one: str, other: str) -> bool:
    with contextlib.suppress(OSError):
        return os.path.samefile(one, other)
    return False


def _unreachable(name: str, cause: str) -> ValueError:
    remedy = "define it with `def` at the top level of a module, or of the script that is run"
    return ValueError(f"{name} cannot run in another process: {cause}; {remedy}")
