"""A file as the answer of a page."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .request import Request
from .response import Response

if TYPE_CHECKING:
    from .._hookmq import PageReply

__all__ = ["File"]

# A file that is packed is sent as it is: its name, not an encoding of the transfer, says so.
_PACKED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}

_MISSING = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP})


class File(Response):
    """A file that a page answers with; the broker sends it without Python.

    Args:
        path: the file; a relative path begins at the working directory.
        content_type: guessed from the name by default.
        filename: the browser saves it under this name instead of showing it.
        root: a directory that the file must be in, after links and ``..`` are followed; relative paths begin
            there. For paths that the request has a say in.
        headers: further headers, such as ``Cache-Control``.

    A file that is not there, or is none, is answered with 404. A browser that has it already is told so
    (``ETag``, ``Last-Modified``), and is sent the part it asks for (``Range``).

    >>> File("flow.csv", filename="flow of July.csv").content_type
    'text/csv; charset=utf-8'
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        content_type: str | None = None,
        filename: str | None = None,
        root: str | os.PathLike[str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        named = dict(headers or {})
        if filename is not None:
            named.setdefault("Content-Disposition", _attachment(filename))
        self.path = Path(path)
        self.root = None if root is None else Path(root)
        guessed = _guess(filename or self.path.name) if content_type is None else content_type
        super().__init__(headers=named, content_type=guessed)

    def send(self, request: Request, reply: PageReply) -> None:
        """Answer a request. Raises ``OSError`` if the file is there but cannot be read."""
        try:
            path = self._resolved()
            about = path.stat()
        except ValueError:  # no name that a file can have
            return _send_missing(reply)
        except OSError as error:
            if error.errno not in _MISSING:
                raise
            return _send_missing(reply)
        # What is no file may never come to an end, or not let itself be opened before somebody writes.
        if not stat.S_ISREG(about.st_mode):
            return _send_missing(reply)
        from email.utils import formatdate  # half of email comes with it

        size, tag = about.st_size, f'"{about.st_mtime_ns:x}-{about.st_size:x}"'
        modified = formatdate(about.st_mtime, usegmt=True)
        marks = [("etag", tag), ("last-modified", modified), ("accept-ranges", "bytes")]
        pairs = self.header_pairs() + marks
        if request.method not in ("GET", "HEAD"):
            return _send_part(reply, 200, pairs, path, 0, size)
        if _is_known(request, tag, about.st_mtime):
            return reply(304, [pair for pair in pairs if pair[0] != "content-type"], b"")
        if request.method == "HEAD":
            return reply(200, [*pairs, ("content-length", str(size))], b"")
        wanted = _range(request, tag, modified, size)
        if wanted is None:
            return _send_part(reply, 200, pairs, path, 0, size)
        start, stop = wanted
        if start >= stop:
            return reply(416, [*marks, ("content-range", f"bytes */{size}")], b"")
        pairs.append(("content-range", f"bytes {start}-{stop - 1}/{size}"))
        return _send_part(reply, 206, pairs, path, start, stop - start)

    def _has_body(self) -> bool:
        return True

    def _resolved(self) -> Path:
        if self.root is None:
            return self.path
        root = os.path.realpath(self.root)
        path = Path(os.path.realpath(os.path.join(root, self.path)))
        if not path.is_relative_to(root):
            raise ValueError(f"{path} is not in {root}")
        return path


def _send_missing(reply: PageReply) -> None:
    missing = Response("there is no such file\n", status=404)
    reply(missing.status, missing.header_pairs(), missing.body)


def _send_part(
    reply: PageReply, status: int, pairs: list[tuple[str, str]], path: Path, start: int, length: int
) -> None:
    try:
        reply.file(status, pairs, str(path), start, length)
    except FileNotFoundError:  # it went away just now
        _send_missing(reply)


def _is_known(request: Request, tag: str, modified: float) -> bool:
    """Say whether the browser has the file as it is (RFC 9110, 13.2.2)."""
    tags = request.headers.get("if-none-match")
    if tags is not None:
        return tags.strip() == "*" or tag in (one.strip().removeprefix("W/") for one in tags.split(","))
    since = request.headers.get("if-modified-since")
    if since is None:
        return False
    from email.utils import parsedate_to_datetime

    try:
        # The header has whole seconds.
        return int(modified) <= parsedate_to_datetime(since).timestamp()
    except (ValueError, OverflowError):
        return False


def _range(request: Request, tag: str, modified: str, size: int) -> tuple[int, int] | None:
    """Return where the part begins that is asked for, and where it is over; the whole file is ``None``.

    Several parts at once and what is no range are answered with the whole file, as RFC 9110 permits.
    """
    unit, _, text = request.headers.get("range", "").partition("=")
    first, dash, last = text.strip().partition("-")
    if unit.strip().lower() != "bytes" or not dash or not all(_is_number(one) for one in (first, last)):
        return None
    if request.headers.get("if-range", tag) not in (tag, modified):
        return None
    if not first:
        return None if not last else (max(0, size - int(last)), size)
    start = int(first)
    if last and int(last) < start:
        return None
    return start, min(size, int(last) + 1) if last else size


def _is_number(text: str) -> bool:
    # Not more digits than a size has: Python takes long ones only up to a point, and slowly.
    return not text or (text.isascii() and text.isdigit() and len(text) < 20)


def _guess(name: str) -> str:
    import mimetypes  # it reads the system's tables

    kind, packing = mimetypes.guess_type(name)
    if packing is not None:
        return _PACKED.get(packing, "application/octet-stream")
    if kind is None:
        return "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


def _attachment(filename: str) -> str:
    from urllib.parse import quote

    # Both forms: the second is for names that are not ASCII (RFC 6266).
    plain = "".join(c if " " <= c <= "~" and c not in '"\\' else "_" for c in filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
