"""The broker's own side of the HTTP port, beside users' pages: the API, metrics, health."""

from __future__ import annotations

import functools
import threading

from .log import logger, when_used

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._hookmq import Hub
    from .run import Run
    from .web.access import Access
    from .web.api import Api
    from .web.crystalmq_rest import CrystalMQRest
    from .web.dashboards import Dashboards
    from .web.live import LiveFeed
    from .web.log_ring import LogRing
    from .web.request import Request
    from .web.response import Response
    from .web.source import Source
    from .web.widgets import Widgets

__all__ = ["Console"]

LIVE = "/api/v1/live"
"""Where the live feed is."""


class Console:
    """What the HTTP port answers where no page of the user's does.

    ``source()`` says what the API is about; ``widgets()`` returns what is written in Python for dashboards;
    ``failed(name, error)`` is told what cannot be shown. All of it is made, and imported, when somebody asks
    for it: a start only writes the token by which commands of this machine ask, and begins to keep the log.
    """

    def __init__(
        self,
        source: Callable[[], Source],
        widgets: Callable[[], Widgets],
        failed: Callable[[str, BaseException], None],
    ) -> None:
        self._source = source
        self._widgets = widgets
        self._failed = failed
        self._making = threading.RLock()
        self._run: Run | None = None
        self._token: str | None = None
        self._ring: LogRing | None = None
        self._access: Access | None = None
        self._api: Api | None = None
        self._crystalmq: CrystalMQRest | None = None
        self._dashboards: Dashboards | None = None
        self._hubs: dict[str, Hub] = {}
        self._feeds: dict[str, LiveFeed] = {}
        self._silenced: Callable[[], None] = lambda: None

    # Life -----------------------------------------------------------------------------------------------

    def open(self, run: Run) -> None:
        """Begin with a run."""
        if run.settings["http_port"] is None:
            return
        self._run = run
        self._token = _write_token(run)
        self._silenced = when_used(self._keep_log)
        if run.settings["topic_statistics"]:
            run.native.count_topics(True)
        # A proxy takes what it has added away, or does not.
        for path in {LIVE, f"{run.settings['http_base']}{LIVE}"}:
            self._hubs[path] = run.console_hub(path, functools.partial(self._hear, path))

    def close_live(self, grace: float) -> list[str]:
        """End the live feed, before the native side ends; return its thread if it does not."""
        with self._making:
            feeds, self._feeds, self._hubs = self._feeds, {}, {}
        return [name for feed in feeds.values() for name in feed.close(grace)]

    def close(self) -> None:
        """End with a run."""
        self._silenced()
        with self._making:
            if self._ring is not None:
                self._ring.remove()
            if self._access is not None:
                self._access.close()
            self._run = self._token = self._ring = self._access = self._api = self._crystalmq = None
            self._dashboards = None

    def _keep_log(self) -> None:
        self.ring.install()

    @property
    def ring(self) -> LogRing:
        """The last records of the log."""
        with self._making:
            if self._ring is None:
                from .web.log_ring import LogRing

                self._ring = LogRing()
            return self._ring

    @property
    def access(self) -> Access:
        """Says who asks."""
        with self._making:
            if self._access is None:
                from pathlib import Path

                from .web.access import Access

                run = self._running()
                directory = run.settings["data_dir"]
                self._access = Access(
                    None if directory is None else Path(str(directory)),
                    hosts=run.settings.texts("http_hosts"),
                    port=run.http_port,
                    base=str(run.settings["http_base"]),
                    secure=bool(run.settings["tls.http"]),
                    local_token=self._token,
                )
            return self._access

    @property
    def dashboards(self) -> Dashboards:
        """What people have put together."""
        with self._making:
            if self._dashboards is None:
                from pathlib import Path

                from .web.dashboards import Dashboards

                directory = self._running().settings["data_dir"]
                self._dashboards = Dashboards(None if directory is None else Path(str(directory)))
            return self._dashboards

    def _hear(self, path: str, kind: str, *what: Any) -> None:
        """Tell the live feed what happened to a browser; it is made when the first one comes."""
        feed = self._feeds.get(path)
        if feed is None:
            if kind != "open":
                return
            with self._making:
                if (hub := self._hubs.get(path)) is None:  # the broker is about to stop
                    return
                from .web.live import LiveFeed
                from .web.live.of_source import live_data

                data = live_data(self._source(), lambda: self.ring, self.dashboards, self._widgets())
                feed = self._feeds[path] = LiveFeed(hub, data, self.access, self._failed)
        feed.event(kind, *what)

    @property
    def link_token(self) -> str | None:
        """What the link of the first start has after ``?token=``; ``None`` once there is an account."""
        return None if self._run is None else self.access.link_token

    @property
    def api(self) -> Api:
        """Answers what is asked below ``/api/``."""
        with self._making:
            if self._api is None:
                from ._hookmq import __version__
                from .web.api import Api
                from .web.operations import accounts, dashboards, session, tokens, widgets
                from .web.operations.history import chart_of
                from .web.operations.operation import Operation
                from .web.operations.table import operations_of

                access, dashboard = self.access, bool(self._running().settings["dashboard"])

                def operations() -> list[Operation]:
                    source = self._source()
                    return [
                        *session.operations(access, dashboard=dashboard),
                        *accounts.operations(access),
                        *tokens.operations(access),
                        *dashboards.operations(self.dashboards, functools.partial(chart_of, source)),
                        *widgets.operations(self._widgets),
                        *operations_of(source, lambda: self.ring),
                    ]

                self._api = Api(operations, access, __version__)
            return self._api

    @property
    def _of_crystalmq(self) -> CrystalMQRest:
        with self._making:
            if self._crystalmq is None:
                from .web.crystalmq_rest import CrystalMQRest

                self._crystalmq = CrystalMQRest(self._source(), self.access)
            return self._crystalmq

    def _running(self) -> Run:
        run = self._run
        if run is None:
            from .errors import HookMQError

            raise HookMQError("E503")
        return run

    # Answering ------------------------------------------------------------------------------------------

    def answer(self, request: Request) -> Response | None:
        """Return the answer to a request; None for a path that is none of the broker's own."""
        path = request.path
        if path.startswith("/api/"):
            return self.api.answer(request)
        if path in ("/healthz", "/readyz"):
            from .web.health import health

            return health(request, self._run, ready=path == "/readyz")
        if path == "/metrics":
            from .web.prometheus import exposition

            return exposition(request, self._source(), self.access)
        if path.startswith(("/crystalmq/api/v1/", "/bwiot/api/v1/")):
            return self._of_crystalmq.answer(request)
        return None


def _write_token(run: Run) -> str | None:
    """Write the token for commands of this machine. Returns None if there is no place for it."""
    directory = run.settings["data_dir"]
    if directory is None:
        return None
    from . import api_token

    try:
        return api_token.write(str(directory))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        logger("hookmq.web").warning(
            "commands need --token-file, because no token can be written into %s: %s", directory, reason
        )
        return None
