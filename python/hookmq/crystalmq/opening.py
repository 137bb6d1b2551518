"""A broker that does what a home says."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from ..errors import HookMQError
from ..log import logger
from ..settings import config
from .authentication import register_authentication
from .configuration import Configuration
from .home import Home, warn_unguarded
from .host import Host
from .pages import Urls, register_static
from .schedules import register_schedules
from .settings import merged, settings_of
from .store import register_store

__all__ = ["SCHEDULER", "UI_SERVER", "make_users_file", "open_home"]

B = TypeVar("B", bound=Host)

SCHEDULER, UI_SERVER = "custom_scheduler.py", "custom_ui_server.py"


def open_home(home: str | os.PathLike[str], make_broker: Callable[..., B], **overrides: Any) -> B:
    """Return a broker that does what a home says: see :meth:`hookmq.Broker.from_crystalmq`.

    Args:
        home: the folder.
        make_broker: makes a broker of settings: :class:`hookmq.Broker`.
        overrides: settings that win over those of the home.
    """
    configuration = Configuration.read(Path(home))
    configuration.require()
    broker = make_broker(**merged(settings_of(configuration, _host(overrides)), overrides))
    register_home(Home(configuration, broker))
    return broker


def register_home(home: Home) -> None:
    """Load everything that is switched on, and register it.

    Raises:
        HookMQError: E803 for an extension that cannot be loaded, E804 for what is refused.
    """
    configuration, broker = home.configuration, home.broker
    if configuration.login.enabled:
        home.check_later(configuration.login)
    with home.log.opened():
        for finding in configuration.findings:
            level = logging.INFO if finding.severity == "note" else logging.WARNING
            logger().log(level, "%s  %s", finding.where, finding.text)
    if configuration.authentication == "custom":
        file = _required(configuration.authentication_file, configuration.authentication_where)
        register_authentication(broker, home.load(file), home.asker)
    elif configuration.authentication == "default":
        make_users_file(configuration)
    if configuration.store:
        file = _required(configuration.store_file, configuration.store_where)
        register_store(broker, home.load(file), home.directory)
    if (configuration.extensions / SCHEDULER).is_file():
        register_schedules(broker, home.load(SCHEDULER), home.extensions, home.directory)
    if broker.settings["http_port"] is not None:
        _register_pages(home)


def _register_pages(home: Home) -> None:
    configuration, broker = home.configuration, home.broker
    register_static(broker, configuration.ui)
    file = configuration.extensions / UI_SERVER
    urls = Urls.of(home.load(file), home.extensions) if file.is_file() else None
    guarded = urls is not None and urls.guarded
    known, login = configuration.login, None
    if known.enabled:
        login = home.login(known.username, known.password, where=known.where, guards_pushes=guarded)
    elif guarded:
        warn_unguarded(broker, file)
    if urls is not None:
        home.pages.register(broker, urls, login if guarded else None)
    home.serve_pushes()


def make_users_file(configuration: Configuration) -> None:
    """Make the file of those who may log in, if it is not there: nobody may, then."""
    path = configuration.home / "data" / "users"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
    if not path.stat().st_size:
        logger().warning("nobody can connect yet: add users with   hookmq users add NAME --file %s", path)


def _required(file: Path, where: str) -> Path:
    if file.is_file():
        return file
    help = "correct the path, which begins at HOME/bin, or switch the extension off"
    raise HookMQError("E803", where=where, exception=f"there is no file {file}", help=help)


def _host(overrides: dict[str, Any]) -> str:
    """Return the address on which the broker will listen: its listeners for WebSocket clients name it."""
    named = ("host", "config")
    arguments = {key: overrides[key] for key in named if key in overrides}
    flags = {key: config.process_flags[key] for key in named if key in config.process_flags}
    return str(config.resolve(arguments=arguments, flags=flags)["host"])
