"""From ``app.py``, ``app:broker`` or ``pkg.module:name`` to the user's ``Broker``.

The app is imported, not run: ``__name__`` is the module's name, so what stands under
``if __name__ == "__main__"`` does not happen, and ``Broker.run()`` returns at once. Whatever goes wrong is
reported with the line of the user's code it happened in.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING

from hookmq.errors import HookMQError
from hookmq.settings import config
from hookmq.source import Source

if TYPE_CHECKING:
    from hookmq.broker import Broker

__all__ = ["AppReference", "load", "syntax_error"]

EXIT_CANNOT_IMPORT = 4


@dataclass(frozen=True, slots=True)
class AppReference:
    """What the user named: the text, the module, its file if one was named, and the broker's name if given.

    >>> AppReference.parse("pkg.module:hub")
    AppReference(given='pkg.module:hub', module='pkg.module', file=None, name='hub')
    """

    given: str
    module: str
    file: Path | None
    name: str | None

    @classmethod
    def parse(cls, given: str) -> AppReference:
        """Read a reference. Raises E205 for a file that does not exist, E201 for what cannot be a module."""
        place, colon, name = given.rpartition(":")
        # In C:\apps\hub.py the colon is not ours.
        if not colon or not name.isidentifier() or (len(place) == 1 and "\\" in given):
            place, name = given, ""
        if place.endswith(".py") or "/" in place or os.sep in place:
            path = Path(place)
            if not path.is_file():
                raise HookMQError("E205", path=place)
            return cls(given, path.stem, path.resolve(), name or None)
        if not all(part.isidentifier() for part in place.split(".")):
            raise HookMQError("E201", module=place)
        return cls(given, place, None, name or None)

    @property
    def directory(self) -> Path:
        """The directory of the app: its file's, or the working directory."""
        return Path.cwd() if self.file is None else self.file.parent

    @property
    def place(self) -> str:
        """The reference without the broker's name."""
        return self.given.removesuffix(f":{self.name}") if self.name else self.given


def load(given: str, *, command: str = "hookmq run") -> Broker:
    """Import the app and return its broker. ``command`` is what the help of an error tells to type.

    A reload of the broker is one of the app then, also if a module that the app imports has made it.

    Raises E201 to E206, and what HookMQ itself raised while the app was imported; the exit code is 4 unless
    the configuration is at fault.
    """
    reference = AppReference.parse(given)
    module = _import(reference)
    broker = _broker_of(module, reference, command)
    if module.__file__ is not None:
        path = os.path.realpath(module.__file__)
        broker._source = Source(module.__name__, path, os.path.realpath(reference.directory))
    return broker


def syntax_error(error: SyntaxError) -> HookMQError:
    """Return E206 for a ``SyntaxError``, with the place and the line."""
    where = f"{_shown(error.filename or '<unknown>')}:{error.lineno or 0}"
    source = (error.text or "").strip() or None
    return HookMQError("E206", where=where, reason=error.msg, source=source)


def _import(reference: AppReference) -> ModuleType:
    directory = str(reference.directory)
    if directory not in sys.path:
        sys.path.insert(0, directory)
    config.importing_app = True
    try:
        return _import_module(reference)
    except HookMQError as error:
        raise _located(error, reference) from None
    except SyntaxError as error:
        raise syntax_error(error) from None
    except ModuleNotFoundError as error:
        if _is_the_app_itself(error, reference):
            raise HookMQError("E201", module=reference.module) from None
        raise _raised(error, reference) from None
    except (Exception, SystemExit) as error:
        raise _raised(error, reference) from None
    finally:
        config.importing_app = False


def _import_module(reference: AppReference) -> ModuleType:
    if reference.file is None:
        return importlib.import_module(reference.module)
    # By its path, not by its name: a file called queue.py or test.py must not be mistaken for a module of
    # the standard library, nor replace one that is already imported.
    name = reference.module if reference.module not in sys.modules else f"{reference.module}_app"
    spec = importlib.util.spec_from_file_location(name, reference.file)
    if spec is None or spec.loader is None:
        raise HookMQError("E201", module=reference.given)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _broker_of(module: ModuleType, reference: AppReference, command: str) -> Broker:
    from hookmq.broker import Broker

    if reference.name is not None:
        found = getattr(module, reference.name, None)
        if isinstance(found, Broker):
            return found
        is_what = "nothing" if found is None else f"of type {type(found).__name__}, not a Broker"
        raise HookMQError("E203", f"`{reference.name}` in {reference.place} is {is_what}", help="")
    brokers = {name: value for name, value in vars(module).items() if isinstance(value, Broker)}
    distinct = {id(broker): broker for broker in brokers.values()}
    if not distinct:
        raise HookMQError("E203", app=reference.place)
    if len(distinct) > 1:
        raise HookMQError(
            "E204",
            app=reference.place,
            names=", ".join(brokers),
            command=command,
            example=f"{reference.place}:{next(iter(brokers))}",
        )
    return next(iter(distinct.values()))


# Errors ---------------------------------------------------------------------------------------------------


def _raised(error: BaseException, reference: AppReference) -> HookMQError:
    """Return E202: the app raised ``error`` while it was imported."""
    exception = "".join((type(error).__name__, f": {error}" if str(error) else ""))
    where = _where(error.__traceback__, reference)
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.partition(".")[0]
        help = f"if it is a package, install it for this Python:   python -m pip install {package}"
        return HookMQError("E202", where=where, exception=exception, help=help)
    return HookMQError("E202", where=where, exception=exception, app=reference.file and reference.place)


def _located(error: HookMQError, reference: AppReference) -> HookMQError:
    """Add the line of the app to an error of HookMQ's own API, which does not know it."""
    if error.code.startswith("E5"):
        if "where" not in error.fields:
            error.message = f"{_where(error.__traceback__, reference)}  {error.message}"
        error.exit_code = EXIT_CANNOT_IMPORT
    return error


def _is_the_app_itself(error: ModuleNotFoundError, reference: AppReference) -> bool:
    """Say whether the module that is missing is the one the user named, not one the app imports."""
    name = error.name or ""
    is_named = reference.module == name or reference.module.startswith(f"{name}.")
    return is_named and not any(
        _is_users(filename, reference) for filename, _ in _frames(error.__traceback__)
    )


def _where(traceback: TracebackType | None, reference: AppReference) -> str:
    """Return ``app.py:7``: the innermost line of the user's code."""
    frames = list(_frames(traceback))
    for filename, line in reversed(frames):
        if _is_users(filename, reference):
            return f"{_shown(filename)}:{line}"
    return reference.place


def _frames(traceback: TracebackType | None) -> list[tuple[str, int]]:
    frames = []
    while traceback is not None:
        frames.append((traceback.tb_frame.f_code.co_filename, traceback.tb_lineno))
        traceback = traceback.tb_next
    return frames


def _is_users(filename: str, reference: AppReference) -> bool:
    path = Path(filename)
    if not path.is_absolute() or not path.is_relative_to(reference.directory):
        return False
    ours = Path(config.__file__).parents[1]  # the package
    return "site-packages" not in path.parts and not path.is_relative_to(ours)


def _shown(filename: str) -> str:
    """Return the path as the user would type it: relative if it is below the working directory."""
    path = Path(filename)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else filename
