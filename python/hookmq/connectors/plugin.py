"""Connectors for extensions that are written as CrystalMQ has them: a file with a hook that gets a dict."""

from __future__ import annotations

import ast
import atexit
import contextlib
import logging
from collections.abc import Mapping
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from ..log import logger
from .connector import Connector
from .courier import Courier
from .health import ConnectorInfo
from .plugin_conf import PluginConf
from .record import Kind, Numbers, Record

__all__ = ["Plugin", "PluginConf", "record_of"]


class Plugin:
    """Hands the dicts of ``on_message_received_hook`` to a connector, and returns at once.

    A thread of its own writes them, in batches. While the service is away they wait on disk, in
    ``directory``; what it refuses is kept there with the reason, in ``dead-letters.jsonl``.

    Args:
        connector: where to.
        directory: for what waits; without one it waits in memory, within bounds.
        log: a file that gets what the log says of connectors, besides the broker's own.
        limits: further arguments of :class:`~hookmq.connectors.Courier`.

    Raises:
        HookMQError: E603 for what no waiting mends, such as a library that is not installed.

    ```python
    from hookmq.connectors import MongoDB
    from hookmq.connectors.plugin import Plugin

    plugin = Plugin(MongoDB(shape="crystalmq"), "../data/mongodb")


    def on_message_received_hook(data):
        plugin.received(data)
    ```
    """

    def __init__(
        self,
        connector: Connector,
        directory: str | Path | None = None,
        *,
        log: str | Path | None = None,
        **limits: Any,
    ) -> None:
        # The working directory may be another one when the thread needs it.
        place = None if directory is None else Path(directory).absolute()
        self.courier = Courier(connector, place, **limits)
        self._numbers = Numbers()
        self._log = None if log is None else _log_into(Path(log))
        try:
            self.courier.start()
        except BaseException:
            self._close_log()
            raise
        atexit.register(self.stop)

    def received(self, data: Mapping[str, Any]) -> None:
        """Take what ``on_message_received_hook`` or ``handle_Received_Payload`` was called with."""
        self._put("received", data)

    def sent(self, data: Mapping[str, Any]) -> None:
        """Take what ``on_message_sent_hook`` or ``handle_Sent_Payload`` was called with."""
        self._put("sent", data)

    def info(self) -> ConnectorInfo:
        """How it is."""
        return self.courier.info()

    def stop(self, grace: float = 5.0) -> None:
        """Write what waits, for at most so many seconds; called at the end of the process."""
        atexit.unregister(self.stop)
        self.courier.stop(grace)
        self._close_log()

    def _close_log(self) -> None:
        handler, self._log = self._log, None
        if handler is not None:
            logger("hookmq.connectors").removeHandler(handler)
            handler.close()

    def _put(self, kind: Kind, data: Mapping[str, Any]) -> None:
        self.courier.put((self._numbers.name(record_of(kind, data)),))


def _log_into(path: Path) -> logging.Handler | None:
    """Write what the log says of connectors into a file as well, if that can be."""
    with contextlib.suppress(OSError):
        handler = RotatingFileHandler(path, maxBytes=3 << 20, backupCount=2, encoding="utf-8", delay=False)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logger("hookmq.connectors").addHandler(handler)
        return handler
    logger("hookmq.connectors").warning("the log %s cannot be written", path)
    return None


def record_of(kind: Kind, data: Mapping[str, Any]) -> Record:
    r"""Return the record that a dict of CrystalMQ tells of, without a name.

    >>> data = {"sender": "pump", "topic": "a/b", "message": "b'\\xff'", "unixtime": 7}
    >>> record = record_of("received", data)
    >>> record.client_id, record.topic, record.payload, record.time
    ('pump', 'a/b', b'\xff', 7.0)
    """
    packet = data.get("sent_packetid")
    return Record(
        0,
        0,
        kind,
        float(data["unixtime"]),
        str(data["sender"]),
        str(data["topic"]),
        _payload(str(data["message"])),
        int(data.get("qos", 0)),
        bool(data.get("retain", 0)),
        detail=None if packet is None else {"packet_id": packet},
    )


def _payload(message: str) -> bytes:
    """Return the bytes that a message stands for: `repr` of them, if they are no text."""
    if message[:2] in ("b'", 'b"'):
        try:
            value = ast.literal_eval(message)
            value.decode()
        except UnicodeDecodeError:
            return bytes(value)
        except (AttributeError, SyntaxError, ValueError, MemoryError, RecursionError):
            pass
    return message.encode(errors="surrogateescape")
