"""``hookmq pub``: publish messages, with mosquitto_pub's letters."""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from hookmq.errors import HookMQError

from .mosquitto_options import (
    SHARED_OPTIONS,
    ClientOptions,
    Option,
    Take,
    add_to_list,
    check_topic,
    help_text,
    number,
    parse,
    set_flag,
)
from .mqtt_properties import to_paho
from .usage import UsageError

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessageInfo
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

    from .mqtt_client import Connection

__all__ = ["main"]


MAX_PENDING = 1000
"""Messages handed to the network and not yet done with before the next line of -l is taken."""

Mode = Literal["message", "file", "null", "stdin", "lines"]


@dataclass(slots=True, kw_only=True)
class PublishOptions(ClientOptions):
    """What ``hookmq pub`` can be told."""

    mode: Mode | None = None
    content: str = ""
    retain: bool = False
    repeat: int = 1
    repeat_delay: float = 0.0

    @property
    def topic(self) -> str:
        """The topic to publish to."""
        return self.topics[-1]

    def finish(self, environ: Mapping[str, str]) -> None:
        """Check what only a publisher needs."""
        ClientOptions.finish(self, environ)
        if not self.topics:
            raise UsageError("a topic is needed: -t TOPIC")
        check_topic(self.topic)
        if self.mode is None:
            raise UsageError("a message is needed: -m TEXT, -f FILE, -n, -s or -l")


def _take_mode(mode: Mode) -> Take:
    def take(options: PublishOptions, option: str, word: str) -> None:
        if options.mode is not None:
            raise UsageError(f"{option}: only one kind of message can be sent at once")
        options.mode, options.content = mode, word

    return take


_OPTIONS: tuple[Option, ...] = (
    Option(("-t", "--topic"), "TOPIC", "topic to publish to", add_to_list("topics")),
    Option(("-m", "--message"), "TEXT", "the message", _take_mode("message")),
    Option(("-f", "--file"), "FILE", "the message is what is in this file", _take_mode("file")),
    Option(("-n", "--null-message"), None, "an empty message; with -r: clear the topic", _take_mode("null")),
    Option(("-s", "--stdin-file"), None, "the message is all of standard input", _take_mode("stdin")),
    Option(("-l", "--stdin-line"), None, "a message for each line of standard input", _take_mode("lines")),
    Option(("-r", "--retain"), None, "retain the message", set_flag("retain")),
    Option(("--repeat",), "COUNT", "publish it so many times (not with -l)", number("repeat", 1)),
    Option(
        ("--repeat-delay",),
        "SECONDS",
        "time between one and the next (0)",
        number("repeat_delay", 0, kind=float),
    ),
    Option(
        ("-M",),
        "COUNT",
        "messages sent ahead of their acknowledgement (20)",
        number("max_inflight", 1, 65535),
    ),
    *SHARED_OPTIONS,
)


def main(arguments: Sequence[str]) -> int:
    """Run ``hookmq pub``; return the exit code. Raises ``UsageError`` and ``HookMQError``."""
    options = PublishOptions()
    parse(options, _OPTIONS, arguments)
    if options.help:
        print(help_text("hookmq pub -t TOPIC {-m TEXT | -f FILE | -n | -s | -l} [options]", _ABOUT, _OPTIONS))
        return 0
    try:
        _publish(options)
    except HookMQError as error:
        if options.quiet:
            return error.exit_code
        raise
    return 0


_ABOUT = """Publish to an MQTT broker and exit once everything is delivered as its QoS asks.
Exit codes: 0 done, 1 out of reach or connection lost, 2 usage, 6 refused."""


def _publish(options: PublishOptions) -> None:
    from .mqtt_client import Connection, ConnectionLost

    # Read first: a file that is not there is no reason to connect.
    payload = None if options.mode == "lines" else _payload(options)
    publisher = _Publisher(Connection(options), options)
    publisher.connection.connect()
    try:
        if payload is None:
            publisher.send_all(_Lines())
        else:
            for remaining in reversed(range(options.repeat)):
                publisher.send(payload)
                publisher.settle(0)
                if remaining:
                    publisher.wait(options.repeat_delay)
        publisher.settle(0)
    except ConnectionLost as lost:
        raise HookMQError("E402", host=options.host, port=options.port, reason=str(lost)) from None
    publisher.connection.close()
    if publisher.refusal is not None:
        raise HookMQError("E403", topic=options.topic, reason=publisher.refusal)


def _payload(options: PublishOptions) -> bytes:
    match options.mode:
        case "message":
            return os.fsencode(options.content)  # the bytes of the command line, UTF-8 or not
        case "stdin":
            return sys.stdin.buffer.read()
        case "file":
            try:
                with open(options.content, "rb") as file:
                    return file.read()
            except OSError as error:
                reason = (error.strerror or str(error)).lower()
                raise HookMQError("E701", path=options.content, reason=reason) from None
        case _:
            return b""


class _Publisher:
    """Sends messages and keeps account of those that are still on their way."""

    def __init__(self, connection: Connection, options: PublishOptions) -> None:
        self.connection = connection
        self.refusal: str | None = None
        self._options = options
        self._pending: deque[MQTTMessageInfo] = deque()
        self._properties: Properties | None = None
        if options.version == "5":
            self._properties = to_paho(options.properties, "publish")
        connection.paho.on_publish = self._on_publish

    def send(self, payload: bytes) -> None:
        """Hand one message to the network."""
        options = self._options
        self._pending.append(
            self.connection.paho.publish(
                options.topic, payload, options.qos, options.retain, self._properties
            )
        )

    def send_all(self, lines: _Lines) -> None:
        """Send a message for each line, as soon as it is there."""
        for line in lines:
            if line is None:  # none yet: see to acknowledgements and the keep alive
                self.connection.step(0)
                self._forget_settled()
            else:
                self.send(line)
                self.settle(MAX_PENDING)

    def settle(self, most: int) -> None:
        """Wait until at most ``most`` messages are still on their way."""
        self._forget_settled()
        while len(self._pending) > most:
            self.connection.step(0.1)
            self._forget_settled()

    def wait(self, seconds: float) -> None:
        """Let time pass without letting the connection go."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.connection.step(left)

    def _forget_settled(self) -> None:
        while self._pending and self._pending[0].is_published():
            self._pending.popleft()

    def _on_publish(
        self, client: Client, data: object, packet_id: int, reason: ReasonCode, properties: Properties
    ) -> None:
        if reason.is_failure and self.refusal is None:
            self.refusal = str(reason).lower()


class _Lines:
    """The lines of standard input without their ends; ``None`` whenever none came for a moment.

    A thread reads them, because a pipe cannot be waited for together with a socket on every system. The
    queue is bounded, so input that is faster than the broker waits in the pipe and not in memory.
    """

    MOMENT = 0.05

    def __init__(self) -> None:
        self._queue: queue.Queue[bytes | None] = queue.Queue(MAX_PENDING)
        threading.Thread(target=self._read, daemon=True, name="hookmq-pub-stdin").start()

    def __iter__(self) -> Iterator[bytes | None]:
        while True:
            try:
                line = self._queue.get(timeout=self.MOMENT)
            except queue.Empty:
                yield None
                continue
            if line is None:
                return
            yield line

    def _read(self) -> None:
        for line in sys.stdin.buffer:
            self._queue.put(line.removesuffix(b"\n"))
        self._queue.put(None)
