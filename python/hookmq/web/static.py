"""The files of the dashboard, as the HTTP port serves them: from the package, packed, with their marks."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import threading
from pathlib import Path
from typing import NamedTuple

from .request import Request
from .response import Response
from .security_headers import COMMON, base_href, of_page

__all__ = ["DASHBOARD", "StaticFiles"]

DASHBOARD = Path(__file__).resolve().parent.parent / "dashboard"
"""Where the package has them."""

# Written out, because the tables of the system differ, and a wrong type of a module is an empty page.
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}

# Names of the package's own files: nothing else is looked for, so no path leads anywhere.
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")

_SMALLEST = 512
"""Bytes from which packing is worth it."""

_BASE = re.compile(rb"<base\b[^>]*>")


class _Known(NamedTuple):
    """A file that was read."""

    mark: tuple[int, int]
    content_type: str
    body: bytes
    packed: bytes | None
    tag: str


class StaticFiles:
    """Serves what lies in a directory of the package.

    Args:
        root: the directory.
        base: what a reverse proxy adds before every path; it is written into pages as ``<base href>``.

    A file is read and packed once, and again when it has changed. Who has it already is told so.

    >>> files = StaticFiles(DASHBOARD)
    >>> files.answer(Request("GET", "/dashboard/../errors.py", "", {}, b"", "::1"), "../errors.py").status
    404
    """

    def __init__(self, root: Path = DASHBOARD, base: str = "") -> None:
        self._root = root
        self._base = base.rstrip("/")
        self._known: dict[str, _Known] = {}
        self._lock = threading.Lock()

    @staticmethod
    def name_of(path: str) -> str | None:
        """Return which file a decoded path stands for; ``None`` if it is none of the dashboard.

        >>> StaticFiles.name_of("/"), StaticFiles.name_of("/dashboard/js/app.js"), StaticFiles.name_of("/a")
        ('index.html', 'js/app.js', None)
        """
        if path in ("/", "/dashboard", "/dashboard/"):
            return "index.html"
        if path == "/favicon.ico":
            return "icon.svg"
        return path.removeprefix("/dashboard/") if path.startswith("/dashboard/") else None

    def answer(self, request: Request, name: str) -> Response:
        """Answer a request for one of the files."""
        if request.method not in ("GET", "HEAD"):
            return _plain(405, "files are only read\n", request, Allow="GET, HEAD")
        known = self._find(name)
        if known is None:
            return _plain(404, "there is no such file\n", request)
        packs = known.packed is not None and _takes_gzip(request.headers.get("accept-encoding", ""))
        tag = f'"{known.tag}-gzip"' if packs else f'"{known.tag}"'
        headers = _headers(request, known.content_type) | {
            "ETag": tag,
            "Cache-Control": "no-cache",
            "Vary": "Accept-Encoding",
        }
        if _has(request.headers.get("if-none-match", ""), tag):
            return Response(status=304, headers=headers)
        if packs and known.packed is not None:
            headers["Content-Encoding"] = "gzip"
            return Response(known.packed, content_type=known.content_type, headers=headers)
        return Response(known.body, content_type=known.content_type, headers=headers)

    def _find(self, name: str) -> _Known | None:
        if not _NAME.fullmatch(name) or (content_type := _TYPES.get(os.path.splitext(name)[1])) is None:
            return None
        path = self._root / name
        try:
            about = path.stat()
            mark = (about.st_mtime_ns, about.st_size)
            known = self._known.get(name)
            if known is not None and known.mark == mark:
                return known
            body = path.read_bytes()
        except (OSError, ValueError):
            return None
        if name == "index.html":
            body = self._with_base(body)
        packed = gzip.compress(body, 9, mtime=0) if len(body) >= _SMALLEST else None
        if packed is not None and len(packed) > 0.9 * len(body):
            packed = None
        made = _Known(mark, content_type, body, packed, hashlib.sha256(body).hexdigest()[:24])
        with self._lock:
            self._known[name] = made
        return made

    def _with_base(self, page: bytes) -> bytes:
        """Write where all addresses of a page begin."""
        base = base_href(self._base).encode()
        if _BASE.search(page):
            return _BASE.sub(lambda _: base, page, count=1)
        return page.replace(b"<head>", b"<head>\n" + base, 1)


def _headers(request: Request, content_type: str) -> dict[str, str]:
    if content_type.startswith("text/html"):
        return of_page(request.headers.get("host", ""))
    return dict(COMMON)


def _plain(status: int, text: str, request: Request, **headers: str) -> Response:
    kind = "text/plain; charset=utf-8"
    return Response(text, status=status, content_type=kind, headers=_headers(request, kind) | headers)


def _takes_gzip(accepted: str) -> bool:
    """Say whether ``Accept-Encoding`` permits gzip.

    >>> _takes_gzip("br, gzip;q=0.5"), _takes_gzip("gzip;q=0"), _takes_gzip("*"), _takes_gzip("")
    (True, False, True, False)
    """
    for part in accepted.split(","):
        name, _, parameter = part.partition(";")
        if name.strip().lower() in ("gzip", "*"):
            weight = parameter.strip().lower().removeprefix("q=")
            return not weight or re.fullmatch(r"0(\.0*)?", weight) is None
    return False


def _has(tags: str, tag: str) -> bool:
    return tags.strip() == "*" or tag in (one.strip().removeprefix("W/") for one in tags.split(","))
