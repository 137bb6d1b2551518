"""What is pushed to pages that listen at ``/`` and ``/ws``: by extensions, and by the broker itself."""

from __future__ import annotations

import ast
import json
import logging
import re
import time
from typing import TYPE_CHECKING, Any

from ..log import logger
from ..message import Client, Message
from .host import Host
from .log_file import EXTENSIONS
from .payload import received

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..web.request import Request
    from ..web.sockets import PageSocket, PageSockets

__all__ = ["PATHS", "Pushes", "WebSocketObject"]

PATHS = ("/", "/ws")
"""Where pages listen, on the port of the web socket and on that of the pages."""

LOOK_AGAIN = 5.0
"""Seconds after which it is looked again whether a page may still listen."""

POLICY = 1008  # RFC 6455, 7.4.1: policy violation

_NOTICES = "hookmq.clients"
"""The log that tells of clients: who was refused, and why."""
_REFUSED = re.compile(r"refused \[?([0-9A-Fa-f.:]+?)\]?:\d+: ")


class WebSocketObject:
    """What ``setwebsocketport`` hands over: sends to every page that listens.

    ``admits(request)`` says who may, when a page opens its socket and now and then afterwards.
    """

    def __init__(self, hubs: list[PageSockets], admits: Callable[[Request], bool]) -> None:
        self._hubs = hubs
        self._admits = admits
        self._admitted: dict[PageSockets, dict[int, tuple[PageSocket, float]]] = {hub: {} for hub in hubs}
        """Who listens, and until when that need not be looked at again."""
        for hub in hubs:
            self._watch(hub)

    def __len__(self) -> int:
        """How many pages listen."""
        return sum(map(len, self._admitted.values()))

    def __bool__(self) -> bool:
        # It is there, also while nobody listens: `if web_socket:` asks whether it was handed over.
        return True

    def take_over(self, before: WebSocketObject) -> None:
        """Go on with the pages of another, which new code has replaced."""
        old = {hub.path: sockets for hub, sockets in before._admitted.items()}
        for hub, sockets in self._admitted.items():
            sockets.update({id: (socket, 0.0) for id, (socket, _) in old.get(hub.path, {}).items()})

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
                # One by one: who is not admitted is connected for a moment before it is closed.
                for id in self._listening(hub):
                    hub.send(value, to=id)
        except (TypeError, ValueError) as error:
            logger(EXTENSIONS).error("a message for pages cannot be sent: %s", error, exc_info=error)

    def _listening(self, hub: PageSockets) -> list[int]:
        """Return who still may listen: a login may have ended since."""
        now, admitted = time.monotonic(), self._admitted[hub]
        for id, (socket, until) in tuple(admitted.items()):
            if now < until:
                continue
            if self._admits(socket.request):
                admitted[id] = socket, now + LOOK_AGAIN
            else:
                admitted.pop(id, None)
                socket.close(POLICY)
        return list(admitted)

    def _watch(self, hub: PageSockets) -> None:
        admitted = self._admitted[hub]

        @hub.on_open
        def opened(socket: PageSocket) -> None:
            if self._admits(socket.request):
                admitted[socket.id] = socket, time.monotonic() + LOOK_AGAIN
            else:
                socket.close(POLICY)

        @hub.on_close
        def closed(socket: PageSocket) -> None:
            admitted.pop(socket.id, None)


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

    def error(self, record: logging.LogRecord) -> None:
        """Push what went wrong, of which the log tells."""
        client, address = _about(record)
        self._push(
            "errorlog", clientid=client, ip=address, error=record.getMessage(), time=_clock(record.created)
        )

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
        if record.levelno < logging.WARNING and record.name != _NOTICES:
            return
        try:
            self._pushes.error(record)
        except Exception:  # nobody can be told of it but the log
            self.handleError(record)


def _about(record: logging.LogRecord) -> tuple[str, str]:
    """Return the client identifier and the IP address that a notice names, if it names them."""
    if record.name != _NOTICES or not isinstance(record.args, tuple) or len(record.args) < 2:
        return "", ""
    try:
        client = str(ast.literal_eval(str(record.args[0])))
    except (SyntaxError, ValueError):  # one that has not said yet who it is
        client = ""
    address = _REFUSED.match(str(record.args[1]))
    return client, "" if address is None else address[1]


def _clock(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
