"""A home that is opened: its extensions, registered with a broker."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from ..authentication.workers import Workers
from ..errors import HookMQError
from ..log import logger
from ..settings import config
from .authentication import register_authentication
from .client import ClientObject
from .configuration import Configuration
from .cursor import Cursor
from .elastic import LazyElasticsearch
from .extensions import Extensions
from .host import Host
from .log_file import BrokerLog
from .login import WebLogin
from .pages import Pages, Urls, register_static
from .push import PATHS, Pushes, WebSocketObject
from .schedules import register_schedules
from .settings import merged, settings_of
from .store import register_store
from .templates import Templates
from .working_directory import WorkingDirectory

__all__ = ["Home", "open_home"]

B = TypeVar("B", bound=Host)

SCHEDULER, UI_SERVER = "custom_scheduler.py", "custom_ui_server.py"


def open_home(home: str | os.PathLike[str], make_broker: Callable[..., B], **overrides: Any) -> B:
    """Return a broker that does what a home says: see :meth:`hookmq.Broker.from_crystalmq`.

    Args:
        home: the folder.
        make_broker: makes the broker of its settings, :class:`hookmq.Broker`.
        overrides: settings that win over those of the home.
    """
    configuration = Configuration.read(Path(home))
    configuration.require()
    host = str(config.resolve(arguments=_host(overrides), flags=_flags(), environ=os.environ)["host"])
    broker = make_broker(**merged(settings_of(configuration, host), overrides))
    Home(configuration, broker).register()
    return broker


def _host(overrides: dict[str, Any]) -> dict[str, Any]:
    return {key: overrides[key] for key in ("host", "config") if key in overrides}


def _flags() -> dict[str, object]:
    return {key: config.process_flags[key] for key in ("host", "config") if key in config.process_flags}


class Home:
    """The extensions of a home, which start and stop with a broker."""

    name = "crystalmq"

    def __init__(self, configuration: Configuration, broker: Host) -> None:
        self._configuration = configuration
        self._broker = broker
        self.directory = WorkingDirectory(configuration.bin)
        """Where extensions work."""
        self.log = BrokerLog(configuration.log)
        self._pages = Workers("pages", threads=8)
        self._authentication = Workers("extension", threads=8)
        self._cursor = Cursor(configuration.storage_url)
        self._elastic = LazyElasticsearch(configuration.elastic.url)
        self._client = ClientObject(broker)
        self._pushes: Pushes | None = None
        self._begun = False

    def register(self) -> None:
        """Load what is switched on, and register it.

        Raises:
            HookMQError: E803 for an extension that cannot be loaded, E804 for what is refused.
        """
        self._check_login()
        with self.log.opened():
            for finding in self._configuration.findings:
                logger().warning("%s  %s", finding.where, finding.text)
            self._load()
        self._broker._add_part(self, lambda: None)
        self._broker.on_startup(name="crystalmq")(self._client.begin)

    # Life -----------------------------------------------------------------------------------------------

    def start(self, broker: Any, data_dir: Path | None) -> None:
        """Begin; no hook is called yet. Raises E804 for what is refused."""
        self._check_login()
        self._begun = True
        self.log.open()
        self._pages.start()
        self._authentication.start()
        if self._pushes is not None:
            self._pushes.start()

    def stop(self, grace: float) -> None:
        """End the threads, and close what is open. Without effect if it has not begun."""
        if not self._begun:
            return
        self._begun = False
        if self._pushes is not None:
            self._pushes.stop()
        self._pages.stop(grace)
        self._authentication.stop(grace)
        self._cursor.close()
        self._elastic.close()
        self.log.close()

    def info(self) -> None:
        """It is no connector."""

    def take_over(self, before: Any, broker: Any, data_dir: Path | None, grace: float) -> None:
        """Begin in the place of another."""
        before.stop(grace)
        self.start(broker, data_dir)

    # Loading --------------------------------------------------------------------------------------------

    def _load(self) -> None:
        configuration, broker = self._configuration, self._broker
        folder = configuration.extensions
        hubs = [] if configuration.http_port is None else [broker.websocket(path) for path in PATHS]
        login = self._login()
        # Who may listen is known when the pages are, which may ask for the web socket before.
        guards: list[WebLogin] = []
        pages = WebSocketObject(hubs, lambda request: all(one.admits(request) for one in guards))
        setters: dict[str, dict[str, Any]] = {
            "setwebsocketport": {"websocket": pages},
            "setsqlconnector": {"sql": self._cursor},
            "setelasticconnector": {"elastic": self._elastic},
            "setclientobj": {"Client_obj": self._client},
        }
        extensions = Extensions(folder, self.directory, self.log, setters)
        if configuration.authentication == "custom":
            file = self._required(configuration.authentication_file, configuration.authentication_where)
            register_authentication(broker, extensions.load(file), self.directory, self._authentication)
        elif configuration.authentication == "default":
            _make_users_file(configuration)
        if configuration.store:
            module = extensions.load(self._required(configuration.store_file, configuration.store_where))
            register_store(broker, module, self.directory)
        if (folder / SCHEDULER).is_file():
            register_schedules(broker, extensions.load(folder / SCHEDULER), extensions, self.directory)
        if configuration.http_port is not None:
            register_static(broker, configuration.ui)
            if (folder / UI_SERVER).is_file():
                urls = Urls.of(extensions.load(folder / UI_SERVER), extensions)
                if urls.guarded and login is None:
                    self._refuse_unguarded(folder / UI_SERVER)
                elif urls.guarded and login is not None:
                    guards.append(login)
                guard = login if urls.guarded else None
                templates = Templates(configuration.ui)
                Pages(urls, templates, self._pages, self.directory, guard).register(broker)
            self._pushes = Pushes(pages)
            self._pushes.register(broker)

    def _required(self, file: Path, where: str) -> Path:
        if file.is_file():
            return file
        help = "correct the path, which begins at HOME/bin, or switch the extension off"
        raise HookMQError("E803", where=where, exception=f"there is no file {file}", help=help)

    # The login ------------------------------------------------------------------------------------------

    def _login(self) -> WebLogin | None:
        login = self._configuration.login
        return WebLogin(login.username, login.password) if login.enabled else None

    def _check_login(self) -> None:
        """Raise E804 if other machines could log in with a password that everybody knows."""
        login = self._configuration.login
        if login.enabled and login.is_default and (host := self._open_host()) is not None:
            raise HookMQError(
                "E804",
                where=login.where,
                reason=f"everybody knows the web login's password, and {host} is open to other machines",
                help="set another WEB_PASSWORD in [WEB_LOGIN_PAGE], or serve no pages:   --http-port off",
            )

    def _refuse_unguarded(self, file: Path) -> None:
        reason = "its pages ask for the web login, which is switched off"
        if (host := self._open_host()) is not None:
            help = "set WEB_LOGIN = ENABLED in [WEB_LOGIN_PAGE], or AUTHENTICATION to DISABLE in custom_urls"
            raise HookMQError(
                "E804", where=file, reason=f"{reason}, and {host} is open to other machines", help=help
            )
        logger().warning("%s  %s: everybody on this machine sees them", file, reason)

    def _open_host(self) -> str | None:
        """Return the address on which pages are served to other machines, if they are."""
        door = self._broker.settings.http
        return None if door is None or door.host is None or config.is_loopback(door.host) else door.host


def _make_users_file(configuration: Configuration) -> None:
    """Make the file of those who may log in, if it is not there: nobody may, then."""
    path = configuration.home / "data" / "users"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
    if not path.stat().st_size:
        logger().warning("nobody can connect yet: add users with   hookmq users add NAME --file %s", path)
