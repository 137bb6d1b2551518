"""What a broker that is the whole program tells at its start."""

from __future__ import annotations

import platform
import sys
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from ._hookmq import __version__
from .banner import BannerHook, BannerInfo, write
from .settings import config

if TYPE_CHECKING:
    from .hooks.hook import HookInfo
    from .run import Run
    from .scheduler import JobInfo
    from .web.routes import RouteInfo
    from .web.widgets import Widget

__all__ = ["announce"]

MAX_RULES = 8
"""Names of rules that are listed."""


def announce(
    run: Run,
    hooks: Sequence[HookInfo],
    jobs: Sequence[JobInfo],
    routes: Sequence[RouteInfo],
    widgets: Sequence[Widget[..., Any]],
    rules: Collection[str],
    link_token: str | None = None,
) -> None:
    """Print where a broker is to be reached, what it keeps, and which functions it calls.

    ``link_token`` lets the dashboard in as long as there is no account.
    """
    settings = run.settings
    host, port = str(settings["host"]), run.http_port
    named = host if ":" not in host else f"[{host}]"
    scheme = "https" if settings["tls.http"] else "http"
    http = None if port is None else f"{scheme}://{named}:{port}/"
    doors = [*settings.listeners, settings.http]
    hosts = [door.host for door in doors if door is not None and door.host is not None]
    info = BannerInfo(
        version=__version__,
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        mqtt=[listener.url for listener in run.listeners],
        http=http,
        dashboard=_dashboard(http, host, link_token) if settings["dashboard"] else None,
        websocket=None
        if http is None
        else f"{http[:-1].replace('http', 'ws', 1)}{settings['websocket.path']}",
        pages=[route.path for route in routes],
        storage=None if run.recorder is None else run.recorder.describe(),
        rules=None
        if not rules
        else f"{len(rules)}: {', '.join(sorted(rules)[:MAX_RULES])}"
        + (", …" if len(rules) > MAX_RULES else ""),
        bridges=[(bridge.name, bridge.url) for bridge in settings.bridges],
        hooks=[
            *(BannerHook(hook.name, hook.filter or hook.kind, hook.where) for hook in hooks),
            *(BannerHook(job.name, job.description, job.where, scheduled=True) for job in jobs),
            *(
                BannerHook(one.name, f"widget, every {one.every:g} s", one.where, scheduled=True)
                for one in widgets
            ),
        ],
        loopback_only=all(config.is_loopback(host) for host in hosts),
    )
    write(info, sys.stdout)
    sys.stdout.flush()


def _dashboard(http: str | None, host: str, link_token: str | None) -> str | None:
    """Return the address of the dashboard for a browser of this machine."""
    if http is None:
        return None
    wildcard = {"0.0.0.0": "127.0.0.1", "::": "::1"}
    address = http.replace(host, wildcard.get(host, host), 1)
    return address if link_token is None else f"{address}?token={link_token}"
