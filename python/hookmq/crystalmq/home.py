"""A home with a broker: its extensions are loaded, called in its ``bin``, and end with the broker."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from ..authentication.workers import Workers
from ..errors import HookMQError
from ..log import logger
from ..message import Client
from ..settings import config
from ..web.access.hosts import is_of_this_machine
from ..web.request import Request
from .authentication import Asker
from .client import ClientObject
from .configuration import Configuration, Login
from .cursor import Cursor
from .elastic import LazyElasticsearch
from .extensions import Extensions
from .host import Host
from .log_file import BrokerLog
from .login import WebLogin
from .pages import Pages
from .push import PATHS, Pushes, WebSocketObject
from .templates import Templates
from .working_directory import Inside, WorkingDirectory

__all__ = ["Home"]


class Home:
    """Loads extensions of a home for a broker, and calls their functions where they expect to be.

    Args:
        home: the folder, or its configuration that was read.
        broker: the broker, with which the home starts and stops.

    ```python
    from hookmq import Broker
    from hookmq.crystalmq import Home, received

    broker = Broker()
    home = Home("/opt/CrystalMQ", broker)
    custom_store = home.load("custom_store.py")


    @broker.on_message_received("#", threads=1)
    @home.inside
    def on_message_received_hook(message):
        custom_store.on_message_received_hook(received(message))
    ```

    Raises:
        HookMQError: E801 if it is no home, E802 for a file that cannot be read.
    """

    name = "crystalmq"

    def __init__(self, home: str | os.PathLike[str] | Configuration, broker: Host) -> None:
        self.configuration = home if isinstance(home, Configuration) else Configuration.read(Path(home))
        self.broker = broker
        self.directory = WorkingDirectory(self.configuration.bin)
        """Where extensions work."""
        self.log = BrokerLog(self.configuration.log)
        self._page_threads = Workers("pages", threads=8)
        self._deciding_threads = Workers("extension", threads=8)
        self.pages = Pages(Templates(self.configuration.ui), self._page_threads, self.directory)
        self._cursor = Cursor(self.configuration.storage_url)
        self._elastic = LazyElasticsearch(self.configuration.elastic.url)
        self._client = ClientObject(broker)
        self._askers: dict[Callable[..., Any], Asker] = {}
        self._login: Login | None = None
        self._web_login: WebLogin | None = None
        self._guards_pushes = False
        hubs = [] if broker.settings["http_port"] is None else [broker.websocket(path) for path in PATHS]
        self._web_socket = WebSocketObject(hubs, self._may_listen)
        self._pushes = Pushes(self._web_socket)
        self.extensions = Extensions(self.configuration.extensions, self.directory, self.log, self._setters())
        broker._add_part(self, lambda: None)
        broker.on_startup(name=self.name)(self._client.begin)

    # Extensions -----------------------------------------------------------------------------------------

    def load(self, file: str | os.PathLike[str]) -> ModuleType:
        """Import a file of ``HOME/extensions``, in ``HOME/bin``, and call its setters.

        Raises:
            HookMQError: E803 with file, line and remedy, for whatever keeps it from being imported.
        """
        with self.log.opened():
            return self.extensions.load(self.configuration.extensions / file)

    def inside(self, function: Callable[..., Any]) -> Inside:
        """Let a hook or a job that has a thread of its own run in ``HOME/bin``: a decorator below theirs."""
        return Inside(function, self.directory)

    def ask(self, function: Callable[..., Any], client: Client) -> bool:
        """Return whether an extension's function lets a client in; an error refuses, and is logged."""
        return self.asker(function)(client)

    def asker(self, function: Callable[..., Any]) -> Asker:
        """Return how a function is asked. Raises E803 for one whose arguments cannot be guessed."""
        if function not in self._askers:
            patience = float(str(self.broker.settings["hooks.decision_timeout"]))
            self._askers[function] = Asker(function, self.directory, self._deciding_threads, patience)
        return self._askers[function]

    def page(self, function: Callable[..., Any], request: Request, login: WebLogin | None = None) -> Any:
        """Return what an extension's page answers to a request; ``login`` guards it."""
        return self.pages.answer(function, request, login)

    def login(
        self, username: str, password: str, *, where: str = "the app", guards_pushes: bool = True
    ) -> WebLogin:
        """Serve the form of a login, which guards the pages that are given it, and pushes to pages.

        With ``guards_pushes=False`` only pages of other machines need it for pushes.

        Raises:
            HookMQError: E804, here and at the start, if other machines could use a known password.
        """
        self.check_later(Login(True, username, password, where))
        login = WebLogin(username, password)
        login.register(self.broker)
        self._web_login, self._guards_pushes = login, guards_pushes
        return login

    def check_later(self, login: Login) -> None:
        """Refuse a start at which other machines could use a known login; check it now as well."""
        self._login = login
        self._check_login()

    def serve_pushes(self) -> None:
        """Push what happens to the pages that listen at ``/`` and ``/ws``."""
        self._pushes.register(self.broker)

    # Life: see hookmq.parts.Part ------------------------------------------------------------------------

    def start(self, broker: Any, data_dir: Path | None) -> None:
        """Begin; no hook is called yet. Raises E804 for what is refused."""
        self._check_login()
        if not self._begun:
            self._begun = True
            self.log.open()
        self._page_threads.start()
        self._deciding_threads.start()
        self._pushes.start()

    def stop(self, grace: float) -> None:
        """End the threads, and close what is open. Without effect if it has not begun."""
        if not self._begun:
            return
        self._pushes.stop()
        self._page_threads.stop(grace)
        self._deciding_threads.stop(grace)
        self._cursor.close()
        self._elastic.close()
        self._begun = False
        self.log.close()

    def take_over(self, before: Any, broker: Any, data_dir: Path | None, grace: float) -> None:
        """Begin in the place of another."""
        before.stop(grace)
        self.start(broker, data_dir)
        self._client.begin()  # nobody calls on_startup for new code
        if isinstance(before, Home):
            self._web_socket.take_over(before._web_socket)

    def check(self) -> None:
        """Raises E804 for what is refused."""
        self._check_login()

    def pair(self, before: Any) -> None:
        """Nothing of the other is needed."""

    def info(self) -> None:
        """It is no connector."""

    # Inside ---------------------------------------------------------------------------------------------

    _begun = False

    def _may_listen(self, request: Request) -> bool:
        """Whether a page is sent pushes, which have every payload in them.

        Whoever is logged in is. Where the login guards no pages, those of this machine are as well; others
        only if the broker lets everyone in (``allow_anonymous``): its clients have to say who they are, too.
        """
        if self._web_login is not None and self._web_login.admits(request):
            return True
        if self._guards_pushes:
            return False
        return bool(self.broker.settings["allow_anonymous"]) or is_of_this_machine(request)

    def _setters(self) -> dict[str, dict[str, Any]]:
        return {
            "setwebsocketport": {"websocket": self._web_socket},
            "setsqlconnector": {"sql": self._cursor},
            "setelasticconnector": {"elastic": self._elastic},
            "setclientobj": {"Client_obj": self._client},
        }

    def _check_login(self) -> None:
        login = self._login
        if login is not None and login.is_default and (host := open_host(self.broker)) is not None:
            raise HookMQError(
                "E804",
                where=login.where,
                reason=f"everybody knows the web login's password, and {host} is open to other machines",
                help="set another WEB_PASSWORD in [WEB_LOGIN_PAGE], or serve no pages:   --http-port off",
            )


def open_host(broker: Host) -> str | None:
    """Return the address on which pages are served to other machines, if they are."""
    door = broker.settings.http
    return None if door is None or door.host is None or config.is_loopback(door.host) else door.host


def warn_unguarded(broker: Host, file: Path) -> None:
    """Tell that pages ask for a login that is off. Raises E804 if other machines would see them."""
    reason = "its pages ask for the web login, which is switched off"
    if (host := open_host(broker)) is not None:
        help = "set WEB_LOGIN = ENABLED in [WEB_LOGIN_PAGE], or AUTHENTICATION to DISABLE in custom_urls"
        raise HookMQError(
            "E804", where=file, reason=f"{reason}, and {host} is open to other machines", help=help
        )
    logger().warning("%s  %s: everybody on this machine sees them", file, reason)
