"""``hookmq dev APP``: run an app, and give it its new code whenever one of its files is saved.

A child process runs the app. When Python files change it is asked to reload (SIGHUP), which keeps every
connection; when that cannot be enough, it is replaced. The parent only watches files and never imports the
app, so no mistake in it can end the watching.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hookmq.errors import HookMQError, render

from .run import APP_HELP, add_broker_flags, flags_as_arguments

__all__ = ["configure", "main"]


INTERVAL = 0.3
"""Seconds between two looks at the files."""

STOP_TIMEOUT = 10.0
"""Seconds the app has to stop before it is killed."""

PATIENCE = 5.0
"""Seconds the app has to load its new code; if it is not done, the next change restarts it."""

SIGINT_GRACE = 0.5
"""Seconds to wait after Ctrl+C, which a terminal sends to the app as well, before asking it once more."""

_WATCHED_SUFFIXES = (".py", ".toml")
_SKIPPED = frozenset({"__pycache__", "node_modules", "hookmq-data", "site-packages"})

# A file's identity on disk: when it was written and how long it is.
_Stamps = Mapping[Path, tuple[int, int]]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("app", metavar="APP", help=APP_HELP)
    add_broker_flags(parser)


def main(options: argparse.Namespace) -> int:
    """Run the app until SIGINT or SIGTERM; return the exit code of its last run."""
    from .app_loading import AppReference

    directory = AppReference.parse(options.app).directory
    command = [sys.executable, "-m", "hookmq", "run", options.app, *flags_as_arguments(options)]
    config_files = [Path(options.config or os.environ.get("HOOKMQ_CONFIG") or "hookmq.toml").absolute()]
    return _Supervisor(command, directory, config_files).run()


class _Child:
    """A process that runs the app, and what it tells: see :class:`hookmq.terminal.Supervisor`."""

    def __init__(self, command: Sequence[str]) -> None:
        self._news, told = os.pipe()
        os.set_blocking(self._news, False)
        self._unread = b""
        self._waits_since: float | None = None
        self._is_ready = False
        try:
            self.process = subprocess.Popen([*command, f"--supervisor={told}"], pass_fds=(told,))
        finally:
            os.close(told)

    def news(self) -> Iterator[tuple[str, str]]:
        """Yield what it has told since the last look: ``ready``, ``reloaded``, ``failed`` or ``restart``."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._news, 4096):
                self._unread += data
        *lines, self._unread = self._unread.split(b"\n")
        for line in lines:
            self._is_ready, self._waits_since = True, None
            what, _, text = line.decode().partition(" ")
            yield what, text

    def reload(self) -> bool:
        """Ask it to reload. Return false if it does not listen: it is not up, or busy for too long."""
        now = time.monotonic()
        if not self._is_ready or (self._waits_since is not None and now - self._waits_since > PATIENCE):
            return False
        self._waits_since = now if self._waits_since is None else self._waits_since
        self.process.send_signal(signal.SIGHUP)
        return True

    def close(self) -> None:
        """Listen no longer."""
        os.close(self._news)


class _Supervisor:
    """Keeps one child running, and reloads or replaces it when a file changes."""

    def __init__(self, command: Sequence[str], directory: Path, files: Sequence[Path]) -> None:
        self._command = list(command)
        self._directory = directory
        self._files = files
        self._signal: int | None = None
        self._child: _Child | None = None
        self._reloads: set[Path] = set()
        """Files that changed since the child told of a reload."""

    def run(self) -> int:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        stamps = self._stamps()
        self._child = _Child(self._command)
        code = 0
        while self._signal is None:
            began = time.monotonic()
            if self._child is not None:
                self._hear(self._child)
            if self._child is not None and (ended := self._child.process.poll()) is not None:
                code = _exit_code(ended)
                self._forget()
                if code == 0:
                    return 0  # the app ended by itself, and meant to
                _say(f"the app ended with exit code {code}; waiting for a file to be saved")
            before, stamps = stamps, self._stamps()
            changed = _changed(before, stamps)
            if changed and self._are_readable(changed):
                self._renew(changed)
            # In a large directory, looking takes long: then look less often, not all the time.
            self._wait(max(INTERVAL, 4 * (time.monotonic() - began)))
        return code if self._child is None else self._stop()

    def _hear(self, child: _Child) -> None:
        """Say what became of a reload; replace the child if a reload is not enough."""
        for what, text in child.news():
            names = self._names(sorted(self._reloads))
            if what == "reloaded":
                _say(f"{names} changed: {text}")
            elif what == "failed":
                _say("the app keeps running as it was")
            elif what == "restart":
                self._restart(f"{names} changed, restarting for new settings: {text}")
                return
            self._reloads.clear()

    def _renew(self, changed: Sequence[Path]) -> None:
        """Let the child load what changed, or replace it if it cannot."""
        is_code = all(path.suffix == ".py" for path in changed)
        if is_code and self._child is not None and self._child.reload():
            self._reloads.update(changed)
        else:
            self._restart(f"{self._names(changed)} changed, restarting")

    def _restart(self, reason: str) -> None:
        _say(reason)
        self._stop()
        self._child = _Child(self._command)

    def _forget(self) -> None:
        if self._child is not None:
            self._child.close()
        self._child = None
        self._reloads.clear()

    def _on_signal(self, number: int, frame: object) -> None:
        self._signal = number

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while self._signal is None and time.monotonic() < until:
            time.sleep(0.05)

    def _stop(self) -> int:
        """End the child, gently first; return its exit code."""
        if self._child is None:
            return 0
        child = self._child.process
        self._forget()
        if self._signal == signal.SIGINT:
            try:
                return _exit_code(child.wait(SIGINT_GRACE))
            except subprocess.TimeoutExpired:
                pass
        child.terminate()
        try:
            return _exit_code(child.wait(STOP_TIMEOUT))
        except subprocess.TimeoutExpired:
            _say(f"the app did not stop within {STOP_TIMEOUT:.0f} s and was killed")
            child.kill()
            return _exit_code(child.wait())

    def _stamps(self) -> _Stamps:
        stamps = dict(_scan(self._directory))
        for path in self._files:
            try:
                status = path.stat()
            except OSError:
                continue
            stamps[path] = (status.st_mtime_ns, status.st_size)
        return stamps

    def _are_readable(self, changed: Sequence[Path]) -> bool:
        """Say whether all these files can be read; print what is wrong with those that cannot.

        A typo must not end a broker that runs: its clients would be thrown out for nothing.
        """
        errors = [error for path in changed if (error := _problem(path)) is not None]
        for error in errors:
            _say(render(error, colour=_colour()), prefix="")
        if errors and self._child is not None:
            _say("the app keeps running as it was")
        return not errors

    def _names(self, changed: Sequence[Path]) -> str:
        names = [os.path.relpath(path, self._directory) for path in changed]
        return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _scan(directory: Path) -> Iterator[tuple[Path, tuple[int, int]]]:
    """Yield the files to watch below a directory, without what tools and environments keep there."""
    try:
        with os.scandir(directory) as found:
            entries = list(found)
    except OSError:
        return  # deleted or closed to us in this moment
    if any(entry.name == "pyvenv.cfg" for entry in entries):
        return  # a virtual environment, whatever it is called
    for entry in entries:
        if entry.name.startswith(".") or entry.name in _SKIPPED:
            continue
        try:
            if entry.is_dir(follow_symlinks=False):
                yield from _scan(Path(entry.path))
            elif entry.name.endswith(_WATCHED_SUFFIXES):
                status = entry.stat()
                yield Path(entry.path), (status.st_mtime_ns, status.st_size)
        except OSError:
            continue


def _changed(before: _Stamps, after: _Stamps) -> list[Path]:
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def _problem(path: Path) -> HookMQError | None:
    """Return what is wrong with the text of a file, if anything is."""
    from .app_loading import syntax_error

    try:
        content = path.read_bytes()
    except OSError:
        return None  # deleted: whether the app can do without it, only a restart can tell
    if path.suffix == ".py":
        try:
            compile(content, str(path), "exec", dont_inherit=True)
        except SyntaxError as error:
            return syntax_error(error)
        except ValueError as error:  # null bytes
            return HookMQError("E206", where=path.name, reason=str(error))
    else:
        import tomllib

        try:
            tomllib.loads(content.decode())
        except ValueError as error:
            return HookMQError("E304", where=path.name, reason=f"not TOML: {error}")
    return None


def _exit_code(returned: int) -> int:
    """Return the exit code of a child the way a shell does: 128 and the signal if one ended it."""
    return returned if returned >= 0 else 128 - returned


def _say(text: str, *, prefix: str = "hookmq dev: ") -> None:
    print(f"{prefix}{text}", file=sys.stderr, flush=True)


def _colour() -> bool:
    from hookmq.banner import wants_colour

    return wants_colour(sys.stderr)
