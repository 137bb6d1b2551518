"""The files that say who may do what: read, and replaced as a whole.

A broker that reads such a file while it is written must see the old one or the new one, never half of it, and
two commands at the same time must not undo each other.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from .errors import HookMQError

__all__ = [
    "Problem",
    "in_line",
    "in_text",
    "locked",
    "read",
    "replace",
    "unusable",
]

Problem = tuple[int | None, str]
"""The line of a file, if it is known, and what is wrong there."""

_NEW_FILE_MODE = 0o600  # password hashes are nobody else's business


def read(path: Path) -> str:
    """Return the text of a file. Raises E701 if it cannot be read, E305 if it is not UTF-8."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise HookMQError("E701", path=path, reason=_reason(error)) from None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise unusable(path, [(line, "not UTF-8")]) from None


def unusable(path: Path, problems: Sequence[Problem]) -> HookMQError:
    """Return E305 with every problem of a file: ``users:3  what is wrong``, a line each."""
    lines = (f"{path}:{line}  {reason}" if line else f"{path}  {reason}" for line, reason in problems)
    return HookMQError("E305", "\n".join(lines), help="")


def in_text(error: ValueError) -> Problem:
    """Take apart the native ``line 3: what is wrong``."""
    found = re.fullmatch(r"line (\d+): (.*)", str(error), re.DOTALL)
    return (int(found[1]), found[2]) if found else (None, str(error))


def in_line(line: int, error: ValueError) -> Problem:
    """Say where the problem is if the native check was given a single line of the file."""
    return line, in_text(error)[1]


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other commands from changing files of this directory: between reading a file and replacing it.

    The directory is locked and not the file, which is another one after it was replaced.
    """
    try:
        directory = os.open(path.resolve().parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise HookMQError("E703", path=path, reason=_reason(error)) from None
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


def replace(path: Path, text: str) -> None:
    """Write the file as a whole, or not at all; it keeps its mode and owner, a new one is its owner's alone.

    Raises E703 if that is not possible.
    """
    import tempfile

    target = path.resolve()  # a link stays a link
    temporary: str | None = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        with open(handle, "wb") as stream:
            _like(target, stream.fileno())
            stream.write(text.encode("utf-8"))
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, target)
        temporary = None
        _sync_directory(target.parent)
    except OSError as error:
        raise HookMQError("E703", path=path, reason=_reason(error)) from None
    finally:
        if temporary is not None:
            os.unlink(temporary)


def _like(target: Path, descriptor: int) -> None:
    try:
        old = target.stat()
    except FileNotFoundError:
        os.fchmod(descriptor, _NEW_FILE_MODE)
        return
    new = os.fstat(descriptor)
    # A broker that runs as another user must still be able to read it.
    if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
        os.fchown(descriptor, old.st_uid, old.st_gid)
    os.fchmod(descriptor, old.st_mode & 0o7777)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
