"""Templates in ``HOME/ui``, rendered by the library that CrystalMQ uses: Tornado's."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..errors import HookMQError

__all__ = ["Templates"]


class Templates:
    """The templates of a home: ``{{ static_url('js/x.js') }}``, ``{% include %}``; output is escaped.

    A template that was changed is read again.

    >>> import tempfile
    >>> ui = Path(tempfile.mkdtemp())
    >>> _ = (ui / "hello.html").write_text("<p>{{ data['name'] }} <img src={{ static_url('a b.png') }}>")
    >>> Templates(ui).render("hello.html", {"name": "<tank>"})
    '<p>&lt;tank&gt; <img src=/static/a%20b.png>'
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._loader: Any = None
        self._seen: dict[str, int] = {}

    def render(self, name: str, data: dict[str, Any]) -> str:
        """Return a page. The template knows the request's parameters as ``data``.

        Raises:
            FileNotFoundError: if there is no such template in the folder.
            HookMQError: E803 if Tornado is not installed.
        """
        root = self._folder.resolve()
        path = (root / name.removeprefix("/")).resolve()
        if not path.is_relative_to(root) or not path.is_file():
            raise FileNotFoundError(f"there is no template {name} in {self._folder}")
        template = self._fresh_loader().load(path.relative_to(root).as_posix())
        page: bytes = template.generate(data=data, static_url=_static_url)
        return page.decode()

    def _fresh_loader(self) -> Any:
        """Return the loader, without what it remembers if a template was changed: one may include another."""
        with self._lock:
            times = {str(path): path.stat().st_mtime_ns for path in self._folder.rglob("*.html")}
            if self._loader is None:
                self._loader = _tornado().Loader(str(self._folder.resolve()))
            elif times != self._seen:
                self._loader.reset()
            self._seen = times
            return self._loader


def _static_url(path: str, **_: object) -> str:
    return "/static/" + quote(path.lstrip("/"))


def _tornado() -> Any:
    try:
        from tornado import template
    except ModuleNotFoundError:
        raise HookMQError(
            "E803",
            where="HOME/ui",
            exception="templates need the library Tornado, which is not installed",
            help="install it:   pip install 'hookmq[crystalmq]'",
        ) from None
    return template
