"""The files of dashboards: one each, which only its owner reads, exchanged as a whole."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...errors import HookMQError
from ...log import logger
from ..schema import BadValue
from .dashboard import Dashboard
from .layout import read_layout

__all__ = ["LARGEST", "NAME", "Folder"]

LARGEST = 1 << 20
"""Bytes of a dashboard."""

FORMAT = 1

NAME = re.compile(r"[a-z0-9-]{1,64}")
"""What a dashboard's ``id`` is: it is the name of its file."""


class Folder:
    """``DATA_DIR/dashboards``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Iterator[Dashboard]:
        """Return every dashboard that can be read; of another the log says why, and its file stays."""
        try:
            names = sorted(entry.name for entry in os.scandir(self.path) if entry.name.endswith(".json"))
        except FileNotFoundError:
            return
        except OSError as error:
            return logger().error("%s cannot be read: %s", self.path, _reason(error))
        for name in names:
            path = self.path / name
            try:
                yield _read(path)
            except (OSError, ValueError, RecursionError) as error:
                reason = _reason(error)
                logger().error("%s is left out: %s; correct it, or remove it", path, reason)

    def has(self, id: str) -> bool:
        """Say whether there is a file of that name, also one that could not be read."""
        return os.path.lexists(self.path / f"{id}.json")

    def write(self, dashboard: Dashboard) -> None:
        """Keep a dashboard. Raises E703 if it cannot be written; what was there before stays then."""
        kept = {"format": FORMAT} | dashboard.plain() | {"share": dashboard.share}
        del kept["shared"]
        data = json.dumps(kept, ensure_ascii=False, indent=1).encode(errors="backslashreplace")
        path, temporary = self.path / f"{dashboard.id}.json", None
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            # It has the token of the shared link; a temporary file is its owner's alone.
            handle, temporary = tempfile.mkstemp(prefix=".writing-", dir=self.path)
            with open(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, path)
            temporary = None
            self._settle()
        except OSError as error:
            raise HookMQError("E703", path=path, reason=_reason(error)) from None
        finally:
            if temporary is not None:
                os.unlink(temporary)

    def remove(self, id: str) -> None:
        """Forget a dashboard. Raises E703 if its file cannot be removed."""
        path = self.path / f"{id}.json"
        try:
            path.unlink(missing_ok=True)
            self._settle()
        except OSError as error:
            raise HookMQError("E703", path=path, reason=_reason(error)) from None

    def _settle(self) -> None:
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _read(path: Path) -> Dashboard:
    with open(path, "rb") as stream:
        data = stream.read(2 * LARGEST + 1)
    if len(data) > 2 * LARGEST:
        raise ValueError("it is larger than 2 MiB")
    value: Any = json.loads(data)
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise ValueError(f"it does not say that its format is {FORMAT}")
    share = value.pop("share", None)
    if not (share is None or (isinstance(share, str) and re.fullmatch(r"[A-Za-z0-9_-]{43}", share))):
        raise BadValue("share", "is no token")
    del value["format"]
    layout = read_layout(value)
    id, version, updated_at = (value.get(name) for name in ("id", "version", "updated_at"))
    if id != path.stem or not NAME.fullmatch(str(id)):
        raise BadValue("id", f"is not {path.stem}, as the file is called")
    if version is None or updated_at is None:
        raise BadValue("version" if version is None else "updated_at", "is missing")
    return Dashboard(path.stem, version=int(version), updated_at=float(updated_at), share=share, **layout)


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error)
