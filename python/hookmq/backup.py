"""Backups of a data directory: one file with all that a broker needs to be the same again.

That is the store, the history, rules, accounts with their API tokens, and dashboards, while the broker runs.

A backup is put back in two steps. Its content comes into the data directory under a name of its own, and is
checked there; then it takes the place of what is there, at once or, while a broker runs on the directory, at
its next start. What was there before is kept.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ._hookmq import StoreError, check_store, copy_store
from .errors import HookMQError
from .recovering import store_error

__all__ = ["back_up", "restore", "take_staged"]

_STORE = "store"
_DATABASES = ("history.db", "rules.db")
_DASHBOARDS = "dashboards"
_MARK = "hookmq-backup"
_STAGED = "restoring"
"""What a backup is called in a data directory until it takes its place there."""
_FORMAT = "1"

Progress = Callable[[int, int], None]


def back_up(directory: Path, to: Path, progress: Progress | None = None) -> int:
    """Write a backup of a data directory to a new file, compressed if its name ends in ``.gz``.

    The broker may run: what it had acknowledged when this began is in the backup. Hashes of passwords are
    as well, so only the owner may read the file.

    Returns:
        The bytes of the file.

    Raises:
        HookMQError: E602 if the store cannot be read, E703 if the file cannot be written.
    """
    with _written(to), tempfile.TemporaryDirectory(dir=to.absolute().parent, prefix=".backup-") as place:
        content = Path(place)
        try:
            copy_store(directory / _STORE, content / _STORE, progress)
        except StoreError as error:
            raise store_error(error) from None
        for name in _DATABASES:
            if (directory / name).is_file():
                _copy_database(directory / name, content / name)
        _copy_accounts(directory, content)
        _copy_dashboards(directory / _DASHBOARDS, content / _DASHBOARDS)
        sums = "".join(f"{_sum(file)}  {file.relative_to(content)}\n" for file in _files(content))
        (content / _MARK).write_text(f"{_FORMAT}\n{sums}")
        new = content / "new.tar"
        new.touch(mode=0o600)
        with tarfile.open(new, "w:gz" if to.suffix == ".gz" else "w") as archive:
            for item in sorted(content.iterdir()):
                if item != new:
                    archive.add(item, item.name)
        with new.open("rb") as file:
            os.fsync(file.fileno())
        new.replace(to)
        return to.stat().st_size


def _files(directory: Path) -> list[Path]:
    return sorted(file for file in directory.rglob("*") if file.is_file())


def _sum(path: Path) -> str:
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _written(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise HookMQError("E703", path=path, reason=getattr(error, "strerror", None) or error) from None


def _copy_database(source: Path, to: Path) -> None:
    """Copy a SQLite database as it is at one moment, whoever writes to it."""
    with (
        contextlib.closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as reading,
        contextlib.closing(sqlite3.connect(to)) as writing,
    ):
        reading.backup(writing)
    shutil.copymode(source, to)  # rules may have secrets in them


def _copy_accounts(directory: Path, to: Path) -> None:
    """Copy accounts and tokens. Sessions stay behind: who has logged out since is not to be in again."""
    from .web.access.vault import FILE, Vault

    if not (directory / FILE).is_file():
        return
    try:
        contents = Vault(directory).read()
    except HookMQError:
        # It lets nobody in here, and must not let anybody in there: without it, nobody would be asked.
        _copy_file(directory / FILE, to / FILE)
    else:
        Vault(to).write(contents.but(sessions={}))


def _copy_dashboards(source: Path, to: Path) -> None:
    if not source.is_dir():
        return
    to.mkdir(mode=0o700)
    for file in sorted(one for one in source.glob("*.json") if one.is_file()):
        with contextlib.suppress(FileNotFoundError):  # it was removed meanwhile
            _copy_file(file, to / file.name)


def _copy_file(source: Path, to: Path) -> None:
    """Copy a file that is only ever exchanged as a whole."""
    data = source.read_bytes()
    to.touch(mode=0o600)
    to.write_bytes(data)


def restore(backup: Path, directory: Path, progress: Progress | None = None) -> bool:
    """Put a backup in the place of what is in a data directory, which is kept beside it.

    Returns:
        Whether it is there now; while a broker runs on the directory, it takes it at its next start.

    Raises:
        HookMQError: E701 if the file cannot be read, is damaged or is no backup, E602 if the store in it is
            damaged, E703 if the directory cannot be written. Nothing has changed then.
    """
    with _written(directory):
        directory.mkdir(parents=True, exist_ok=True)
        new = directory / f"{_STAGED}.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)  # nobody else looks into what is unpacked, whatever its mode is meanwhile
        try:
            _unpack(backup, new)
            _check(new / _STORE, progress)
            shutil.rmtree(directory / _STAGED, ignore_errors=True)
            new.rename(directory / _STAGED)
        finally:
            shutil.rmtree(new, ignore_errors=True)
        if _is_in_use(directory / _STORE):
            return False
        take_staged(directory)
    return True


def _unpack(backup: Path, to: Path) -> None:
    try:
        with tarfile.open(backup) as archive:
            archive.extractall(to, filter="data")
    except (OSError, tarfile.TarError, EOFError) as error:
        reason = getattr(error, "strerror", None) or error
        raise HookMQError("E701", path=backup, reason=reason) from None
    mark = to / _MARK
    if not mark.is_file():
        raise HookMQError("E701", path=backup, reason="it is no backup of HookMQ")
    form, *sums = mark.read_text().splitlines()
    if form != _FORMAT:
        raise HookMQError("E701", path=backup, reason="it was made by a later version")
    mark.unlink()
    if sums != [f"{_sum(file)}  {file.relative_to(to)}" for file in _files(to)]:
        raise HookMQError("E701", path=backup, reason="it is damaged", help="use another backup")


def _check(store: Path, progress: Progress | None) -> None:
    try:
        found = check_store(store, progress)
    except StoreError as error:
        raise store_error(error) from None
    if found["damages"] or found["orphans"]:
        raise HookMQError(
            "E602", help="take another backup", path=store.name, reason="the one in the backup is damaged"
        )


def _is_in_use(store: Path) -> bool:
    import fcntl

    try:
        with (store / "lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def take_staged(directory: Path) -> Path | None:
    """Put what :func:`restore` has brought in its place, if it has; return where what was there is kept.

    Killed in the middle, it goes on at the next start where it was.
    """
    staged = directory / _STAGED
    if not staged.is_dir():
        return None
    kept = directory / time.strftime("replaced-%Y%m%d-%H%M%S")
    kept.mkdir(exist_ok=True)
    for item in sorted(staged.iterdir()):
        # A database without the files beside it would be another one.
        for name in (item.name, f"{item.name}-wal", f"{item.name}-shm"):
            if (directory / name).exists():
                (directory / name).rename(kept / name)
        item.rename(directory / item.name)
    staged.rmdir()
    return kept
