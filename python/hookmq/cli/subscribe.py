"""``hookmq sub``: print messages as they come, with mosquitto_sub's letters."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from hookmq.errors import HookMQError

from .message_format import (
    FORMAT_HELP,
    Formatter,
    PayloadIsNotJSON,
    ReceivedMessage,
    compile_format,
    plain,
    verbose,
)
from .mosquitto_options import (
    SHARED_OPTIONS,
    ClientOptions,
    Option,
    Take,
    add_to_list,
    check_filter,
    help_text,
    number,
    parse,
    set_flag,
    text,
)
from .mqtt_properties import properties_of, to_paho
from .usage import UsageError

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode
    from paho.mqtt.subscribeoptions import SubscribeOptions as PahoOptions

    from .mqtt_client import Connection

__all__ = ["EXIT_TIMEOUT", "main"]


EXIT_TIMEOUT = 27
"""Exit code when -W ended the wait: mosquitto_sub's, which scripts look for."""

RECONNECT_DELAY = 1.0
"""Seconds before each attempt to reach a broker that went away."""

POLL = 0.2
"""Longest time, in seconds, until a signal is noticed."""

_RETAIN_HANDLING = {"0": 0, "always": 0, "1": 1, "new": 1, "2": 2, "never": 2}


@dataclass(slots=True, kw_only=True)
class SubscribeOptions(ClientOptions):
    """What ``hookmq sub`` can be told."""

    count: int | None = None
    template: str | None = None
    verbose: bool = False
    no_newline: bool = False
    pretty: bool = False
    filter_out: list[str] = field(default_factory=list)
    fresh_only: bool = False
    retained_only: bool = False
    remove_retained: bool = False
    unsubscribe: list[str] = field(default_factory=list)
    exit_after_subscribe: bool = False
    retain_as_published: bool = False
    retain_handling: int = 0
    timeout: float | None = None

    def finish(self, environ: Mapping[str, str]) -> None:
        """Check what only a subscriber needs."""
        ClientOptions.finish(self, environ)
        if not self.topics and not self.unsubscribe:
            raise UsageError("a topic filter is needed: -t FILTER")
        for option, filters in (("-t", self.topics), ("-T", self.filter_out), ("-U", self.unsubscribe)):
            for topic_filter in filters:
                check_filter(topic_filter, option=option)
        if self.fresh_only and self.retained_only:
            raise UsageError("-R and --retained-only leave nothing to print")


def _take_retain_handling(options: SubscribeOptions, option: str, word: str) -> None:
    if word not in _RETAIN_HANDLING:
        raise UsageError(f"{option} {word}: expected always, new or never (0, 1 or 2)")
    options.retain_handling = _RETAIN_HANDLING[word]


_TIMEOUT: Take = number("timeout", 0, kind=float)


def _take_timeout(options: SubscribeOptions, option: str, word: str) -> None:
    _TIMEOUT(options, option, word)
    if options.timeout == 0:
        raise UsageError(f"{option} {word}: expected more than no time")


_OPTIONS: tuple[Option, ...] = (
    Option(("-t", "--topic"), "FILTER", "topic filter; can be repeated", add_to_list("topics")),
    Option(("-C",), "COUNT", "exit after so many messages", number("count", 1)),
    Option(("-W",), "SECONDS", f"exit with code {EXIT_TIMEOUT} after this time", _take_timeout),
    Option(("-E",), None, "exit once the subscriptions are acknowledged", set_flag("exit_after_subscribe")),
    Option(("-v", "--verbose"), None, "print topic and payload", set_flag("verbose")),
    Option(("-F",), "FORMAT", "print in this format, see below", text("template")),
    Option(("--pretty",), None, "print the JSON of %j and %J over several lines", set_flag("pretty")),
    Option(("-N",), None, "print no line end after a message", set_flag("no_newline")),
    Option(
        ("-T", "--filter-out"),
        "FILTER",
        "do not print these topics; can be repeated",
        add_to_list("filter_out"),
    ),
    Option(("-R",), None, "do not print retained messages", set_flag("fresh_only")),
    Option(
        ("--retained-only",),
        None,
        "print only retained messages, exit at the first other",
        set_flag("retained_only"),
    ),
    Option(
        ("--remove-retained",), None, "clear the retained messages that come", set_flag("remove_retained")
    ),
    Option(
        ("-U", "--unsubscribe"),
        "FILTER",
        "end this subscription of the session; can be repeated",
        add_to_list("unsubscribe"),
    ),
    Option(
        ("--retain-as-published",),
        None,
        "MQTT 5: keep the retain flag of the publisher",
        set_flag("retain_as_published"),
    ),
    Option(
        ("--retain-handling",),
        "WHEN",
        "MQTT 5: send retained messages always, new or never",
        _take_retain_handling,
    ),
    *SHARED_OPTIONS,
)

_ABOUT = f"""Subscribe to an MQTT broker and print the messages that come.
Exit codes: 0 done, 1 out of reach, 2 usage, 6 refused, {EXIT_TIMEOUT} time is up (-W)."""


def main(arguments: Sequence[str]) -> int:
    """Run ``hookmq sub``; return the exit code. Raises ``UsageError`` and ``HookMQError``."""
    options = SubscribeOptions()
    parse(options, _OPTIONS, arguments)
    if options.help:
        print(help_text("hookmq sub -t FILTER [options]", _ABOUT, _OPTIONS, epilogue=FORMAT_HELP))
        return 0
    subscriber = _Subscriber(options, _formatter(options))
    try:
        with _signals(subscriber):
            return subscriber.run()
    except HookMQError as error:
        if options.quiet:
            return error.exit_code
        raise


def _formatter(options: SubscribeOptions) -> Formatter:
    newline = not options.no_newline
    if options.template is not None:
        return compile_format(options.template, newline=newline, pretty=options.pretty)
    return partial(verbose if options.verbose else plain, newline=newline)


@contextmanager
def _signals(subscriber: _Subscriber) -> Iterator[None]:
    """Let SIGINT and SIGTERM end the subscriber the orderly way, as they end mosquitto_sub."""

    def stop(number: int, frame: object) -> None:
        subscriber.finished = True

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, stop) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


class _Subscriber:
    """Subscribes, prints, and knows when it is done."""

    def __init__(self, options: SubscribeOptions, show: Formatter) -> None:
        from .mqtt_client import Connection

        self.finished = False
        self._options = options
        self._show = show
        self._printed = 0
        self._awaited: set[int] = set()  # packet identifiers of SUBSCRIBE and UNSUBSCRIBE
        self._refusal: str | None = None
        self._aliases: dict[int, str] = {}
        self._deadline: float | None = None
        self._connection: Connection = Connection(options)
        paho = self._connection.paho
        paho.on_message = self._on_message
        paho.on_subscribe = self._on_subscribe
        paho.on_unsubscribe = self._on_unsubscribe
        # Messages that arrive together with the last one wanted (-C) are not acknowledged: the session
        # keeps them for the next connection.
        paho.manual_ack_set(True)

    def run(self) -> int:
        """Print messages until something says enough; return the exit code."""
        from .mqtt_client import ConnectionLost

        self._connection.connect()
        if self._options.timeout is not None:
            self._deadline = time.monotonic() + self._options.timeout
        self._subscribe()
        while not self.finished and not self._timed_out():
            try:
                self._connection.step(self._patience())
            except ConnectionLost as lost:
                self._complain(f"{lost}; trying again")
                self._reconnect()
        if self._refusal is not None:
            self._connection.close()
            raise HookMQError("E404", reason=self._refusal)
        timed_out = not self.finished
        self._connection.close()
        if timed_out:
            self._complain("Timed out")
        return EXIT_TIMEOUT if timed_out else 0

    def _reconnect(self) -> None:
        self._aliases.clear()  # they belong to the connection
        while True:
            # Also before the first attempt: two clients with one identifier throw each other out for ever,
            # and should not do it as fast as they can.
            self._sleep(RECONNECT_DELAY)
            if self.finished or self._timed_out():
                return
            try:
                self._connection.reconnect()
            except HookMQError as error:
                if error.code != "E402":
                    raise
            else:
                self._subscribe()
                return

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self.finished and not self._timed_out() and time.monotonic() < until:
            time.sleep(min(self._patience(), seconds))

    def _timed_out(self) -> bool:
        return self._deadline is not None and time.monotonic() >= self._deadline

    def _patience(self) -> float:
        if self._deadline is None:
            return POLL
        return min(POLL, max(0.0, self._deadline - time.monotonic()))

    def _complain(self, line: str) -> None:
        if not self._options.quiet:
            print(line, file=sys.stderr, flush=True)

    def _subscribe(self) -> None:
        options, paho = self._options, self._connection.paho
        self._awaited.clear()
        is_v5 = options.version == "5"
        if options.topics:
            properties = to_paho(options.properties, "subscribe") if is_v5 else None
            self._await(paho.subscribe(self._subscriptions(), properties=properties))
        if options.unsubscribe:
            properties = to_paho(options.properties, "unsubscribe") if is_v5 else None
            self._await(paho.unsubscribe(options.unsubscribe, properties))

    def _subscriptions(self) -> list[tuple[str, int]] | list[tuple[str, PahoOptions]]:
        from paho.mqtt.subscribeoptions import SubscribeOptions as PahoOptions

        options = self._options
        if options.version != "5":
            return [(topic_filter, options.qos) for topic_filter in options.topics]
        how = PahoOptions(
            options.qos,
            retainAsPublished=options.retain_as_published,
            retainHandling=options.retain_handling,
        )
        return [(topic_filter, how) for topic_filter in options.topics]

    def _await(self, sent: tuple[int, int | None]) -> None:
        if sent[1] is not None:
            self._awaited.add(sent[1])

    def _on_subscribe(
        self,
        client: Client,
        data: object,
        packet_id: int,
        reasons: list[ReasonCode],
        properties: Properties | None,
    ) -> None:
        if self._options.debug:
            granted = ", ".join(str(reason.value) for reason in reasons)
            print(f"Subscribed (mid: {packet_id}): {granted}", flush=True)
        refused = [reason for reason in reasons if reason.is_failure]
        if len(refused) == len(reasons):
            self._refusal = str(refused[0]).lower()
            self.finished = True
        else:
            for topic_filter, reason in zip(self._options.topics, reasons, strict=False):
                if reason.is_failure:
                    self._complain(f"the broker refused the subscription to {topic_filter}: {reason}")
        self._acknowledged(packet_id)

    def _on_unsubscribe(
        self,
        client: Client,
        data: object,
        packet_id: int,
        reasons: list[ReasonCode],
        properties: Properties | None,
    ) -> None:
        self._acknowledged(packet_id)

    def _acknowledged(self, packet_id: int) -> None:
        self._awaited.discard(packet_id)
        if self._options.exit_after_subscribe and not self._awaited:
            self.finished = True

    def _on_message(self, client: Client, data: object, arrived: MQTTMessage) -> None:
        if self.finished:
            return
        message = self._received(arrived)
        if self._options.retained_only and not message.retain:
            self.finished = True
            return
        if self._is_wanted(message):
            self._print(message)
        if arrived.qos:
            client.ack(arrived.mid, arrived.qos)

    def _received(self, arrived: MQTTMessage) -> ReceivedMessage:
        properties = properties_of(arrived.properties)
        topic = arrived.topic
        # paho leaves topic aliases, which -D connect topic-alias-maximum allows the broker, to its user.
        for alias in properties.get("topic-alias", ()):
            if isinstance(alias, int):
                topic = topic or self._aliases.get(alias, "")
                self._aliases[alias] = topic
        return ReceivedMessage(
            topic, bytes(arrived.payload), arrived.qos, arrived.retain, arrived.mid, properties
        )

    def _is_wanted(self, message: ReceivedMessage) -> bool:
        from paho.mqtt.client import topic_matches_sub

        options = self._options
        if any(topic_matches_sub(topic_filter, message.topic) for topic_filter in options.filter_out):
            return False
        if options.remove_retained and message.retain:
            self._connection.paho.publish(message.topic, b"", 1, retain=True)
        return not (options.fresh_only and message.retain)

    def _print(self, message: ReceivedMessage) -> None:
        try:
            line = self._show(message)
        except PayloadIsNotJSON:
            self._complain(f"Error: Message payload is not valid JSON on topic {message.topic}.")
            line = b"" if self._options.no_newline else b"\n"
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
        self._printed += 1
        if self._printed == self._options.count:
            self.finished = True
