"""What is pushed to pages that listen at ``/`` and ``/ws``: by extensions, and by the broker itself."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..log import logger
from ..message import Client, Message
from .host import Host
from .log_file import EXTENSIONS
from .payload import received

if TYPE_CHECKING:
    from ..web.request import Request
    from ..web.sockets import PageSocket, PageSockets

__all__ = ["PATHS", "Pushes", "WebSocketObject"]

PATHS = ("/", "/ws")
"""Where pages listen, on the port of the web socket and on that of the pages."""


class WebSocketObject:
    """What ``setwebsocketport`` hands over: sends to every page that listens.

    Args:
        hubs: where they are connected.
        admits: whether a page that asks may listen; ``None`` admits every one.
    """

    def __init__(self, hubs: list[PageSockets], admits: Callable[[Request], bool] | None) -> None:
        self._hubs = hubs
        self._admits = admits
        self._admitted: dict[PageSockets, set[int]] = {hub: set() for hub in hubs}
        if admits is not None:
            for hub in hubs:
                self._guard(hub, admits)

    def __len__(self) -> int:
        """How many pages listen."""
        if self._admits is None:
            return sum(map(len, self._hubs))
        return sum(map(len, self._admitted.values()))

    def __bool__(self) -> bool:
        # It is there, also while nobody listens: `if web_socket:` asks whether it was handed over.
        return True

    def send_message_to_all(self, message: str | bytes) -> None:
        """Send a text, or bytes, which are sent as text if they are UTF-8. Errors are logged, not raised."""
        try:
            value: object = message
            if isinstance(message, bytes | bytearray):
                try:
                    value = bytes(message).decode()
                except UnicodeDecodeError:
                    value = bytes(message)
            for hub in self._hubs:
                if self._admits is None:
                    hub.send(value)
                else:
                    for socket in tuple(self._admitted[hub]):
                        hub.send(value, to=socket)
        except (TypeError, ValueError) as error:
            logger(EXTENSIONS).error("a message for pages cannot be sent: %s", error, exc_info=error)

    def _guard(self, hub: PageSockets, admits: Callable[[Request], bool]) -> None:
        """Let only those listen who are logged in: what is sent goes to them one by one."""
        admitted = self._admitted[hub]

        @hub.on_open
        def opened(socket: PageSocket) -> None:
            if admits(socket.request):
                admitted.add(socket.id)
            else:
                socket.close(1008)  # RFC 6455, 7.4.1: policy violation

        @hub.on_close
        def closed(socket: PageSocket) -> None:
            admitted.discard(socket.id)


class Pushes:
    """The broker's own pushes: JSON with a field ``work``. Nothing is made while no page listens."""

    def __init__(self, pages: WebSocketObject) -> None:
        self._pages = pages
        self._handler = _Errors(self)

    def register(self, broker: Host) -> None:
        """Watch messages and clients."""
        broker.on_message_received("#", name="push-received")(self._received)
        broker.on_message_sent("#", name="push-sent")(self._sent)
        broker.on_client_connected(name="push-connected")(self._connected)
        broker.on_client_disconnected(name="push-disconnected")(self._disconnected)
        broker.on_subscribed(name="push-subscribed")(self._subscribed)

    def start(self) -> None:
        """Watch the log."""
        logger().addHandler(self._handler)

    def stop(self) -> None:
        """Watch it no longer."""
        logger().removeHandler(self._handler)

    def error(self, client_id: str, text: str, created: float) -> None:
        """Push what went wrong."""
        self._push("errorlog", clientid=client_id, ip="", error=text, time=_clock(created))

    def _received(self, message: Message) -> None:
        if not self._pages_listen():
            return
        data = received(message)
        self._push(
            "recv_pub",
            name=message.client_id,
            id=message.client_id,
            topic=message.topic,
            msg=data["message"],
            qos=message.qos,
            retain=int(message.retain),
            packet=message.packet_id or 0,
            status="received",
            time=data["datetime"],
        )

    def _sent(self, message: Message) -> None:
        if not self._pages_listen():
            return
        data = received(message)
        self._push(
            "send",
            id=message.client_id,
            topic=message.topic,
            msg=data["message"],
            qos=message.qos,
            time=_clock(time.time()),
        )

    def _connected(self, client: Client) -> None:
        self._client("connect", client)

    def _disconnected(self, client: Client) -> None:
        self._client("disconnect", client)

    def _client(self, work: str, client: Client) -> None:
        self._push(
            work,
            id=client.client_id,
            ipaddr=client.address or "",
            name=client.username or client.client_id,
            cleansession=int(client.clean_start),
            time=_clock(time.time()),
        )

    def _subscribed(self, client: Client, filter: str, qos: int) -> None:
        now = _clock(time.time())
        self._push("onsubscribe", id=client.client_id, topic_name=filter, msg="subscribed", qos=qos, time=now)

    def _pages_listen(self) -> bool:
        return len(self._pages) > 0

    def _push(self, work: str, **fields: Any) -> None:
        if self._pages_listen():
            self._pages.send_message_to_all(json.dumps({"work": work, **fields}))


class _Errors(logging.Handler):
    """Pushes warnings, errors, and what the broker logs about clients that were refused."""

    def __init__(self, pushes: Pushes) -> None:
        super().__init__(logging.INFO)
        self._pushes = pushes

    def emit(self, record: logging.LogRecord) -> None:
        about_client = record.name == "hookmq.clients"
        if record.levelno < logging.WARNING and not about_client:
            return
        try:
            client = str(record.args[0]).strip("'") if about_client and isinstance(record.args, tuple) else ""
            self._pushes.error(client, record.getMessage(), record.created)
        except Exception:  # nobody can be told of it but the log
            self.handleError(record)


def _clock(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
