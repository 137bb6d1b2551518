"""What ``setclientobj`` hands over: a callable that publishes."""

from __future__ import annotations

import threading
from collections import deque

from ..errors import HookMQError
from ..log import logger
from .host import Host
from .log_file import EXTENSIONS

__all__ = ["ClientObject"]

WAITING = 1000
"""Messages that may wait for the broker's start, for those who publish while they are imported."""


class ClientObject:
    """Publishes as ``client(user_name, client_id, topic, message, qos)``, from any thread.

    It never raises: what cannot be published is logged, because a hook that fails for that would fail for its
    own message. Before the broker runs, messages wait; they are published when it does.
    """

    def __init__(self, broker: Host) -> None:
        self._broker = broker
        self._waiting: deque[tuple[str, str | bytes, int]] | None = deque()
        self._lock = threading.Lock()

    def __call__(
        self, user_name: str, client_id: str, topic: str, message: str | bytes, qos: int | str = 0
    ) -> None:
        """Publish a message. User name and client identifier are for the log: the broker is who publishes."""
        try:
            if not isinstance(message, str | bytes | bytearray):
                message = str(message)  # numbers are published as they are printed
            data = message if isinstance(message, str) else bytes(message)
            with self._lock:
                if self._waiting is not None:
                    if len(self._waiting) >= WAITING:
                        raise BufferError(f"{WAITING} messages wait for the broker's start already")
                    self._waiting.append((topic, data, int(qos)))
                    return
            self._publish(topic, data, int(qos))
        except Exception as error:
            self._tell(topic, f" for {client_id or user_name}" if client_id or user_name else "", error)

    def begin(self) -> None:
        """Publish what waits, and from now on at once."""
        with self._lock:
            waiting, self._waiting = self._waiting or (), None
        for topic, message, qos in waiting:
            try:
                self._publish(topic, message, qos)
            except Exception as error:
                self._tell(topic, "", error)

    def _publish(self, topic: str, message: str | bytes, qos: int) -> None:
        self._broker.publish(topic, message, qos=qos)

    @staticmethod
    def _tell(topic: str, who: str, error: Exception) -> None:
        reason = error.message if isinstance(error, HookMQError) else f"{type(error).__name__}: {error}"
        logger(EXTENSIONS).error(
            "an extension could not publish to %r%s: %s", topic, who, reason, exc_info=error
        )
