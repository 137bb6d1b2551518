"""The connector to Kafka, and to what speaks its protocol."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import HookMQError
from .connector import Connector, Rejection, redacted, unusable
from .http import Unavailable
from .library import library
from .record import Record, plain
from .shape import json_of
from .template import Template

__all__ = ["Kafka"]

_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9._-]")
_SECRET = re.compile(r"password|secret|key|token|jaas", re.IGNORECASE)

_ABOUT_THE_RECORD = (
    "MSG_SIZE_TOO_LARGE",
    "INVALID_MSG",
    "INVALID_MSG_SIZE",
    "INVALID_RECORD",
    "TOPIC_EXCEPTION",
)
_ABOUT_THE_TOPIC = ("UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_TOPIC", "TOPIC_AUTHORIZATION_FAILED")
"""Names in :class:`confluent_kafka.KafkaError`. A topic that a record has chosen is its own fault."""


class Kafka(Connector):
    """Records as messages: the value is the payload as it came, the rest is in headers.

    The producer is idempotent and waits for all in-sync replicas: within a run of the producer nothing comes
    twice, and messages with the same key keep their order. After an error there is a new producer, and what
    nobody knows whether it was written comes again; the header ``id`` names each record.

    Args:
        servers: ``host:9092,host:9092``.
        topic: a :class:`~hookmq.connectors.Template` of the topic. ``/`` becomes ``.``, what else cannot be
            in a name ``_``.
        key: a template of the key; empty ones are left out.
        username, password: for SASL, with TLS unless ``options`` say otherwise.
        options: of librdkafka, for instance ``{"security.protocol": "SSL", "compression.type": "zstd"}``.
        timeout: seconds within which a batch must be acknowledged.
        name, batch_rows, batch_delay: as those of :class:`~hookmq.connectors.Connector`.

    ```python
    broker.send_to(Kafka("kafka:9092", topic="mqtt.{topic[0]}", key="{topic}"), "plant/#", ack="stored")
    ```

    >>> Kafka("kafka:9092", topic="mqtt").describe()
    'kafka:9092 mqtt'
    """

    kind = "kafka"

    def __init__(
        self,
        servers: str,
        *,
        topic: str = "{topic}",
        key: str = "{client_id}",
        username: str | None = None,
        password: str | None = None,
        options: Mapping[str, Any] | None = None,
        timeout: float = 10.0,
        name: str | None = None,
        batch_rows: int = 5000,
        batch_delay: float = 0.05,
    ) -> None:
        super().__init__(name=name, batch_rows=batch_rows, batch_delay=batch_delay)
        self._servers = servers
        self._topic, self._key = Template.parse(topic), Template.parse(key)
        self._timeout = timeout
        self._options = dict(options or {})
        sasl = {"security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512", "sasl.username": username}
        self._login = {} if username is None else {**sasl, "sasl.password": password or ""}
        named = [value for option, value in self._options.items() if _SECRET.search(option)]
        self._secrets = (password, *named)
        self._producer: Any = None
        self._said = ""
        """What librdkafka last said of the brokers."""
        self._acknowledged: dict[str, None] = {}
        """The last records that a broker has taken: of a batch that comes again these are left out."""

    def check(self) -> None:
        """Find a missing library, and options that librdkafka does not know."""
        kafka = self._library()
        if not self._servers:
            raise unusable(self, "no server is named", "write it like   kafka:9092")
        try:
            kafka.Producer(self._configuration())
        except (kafka.KafkaException, TypeError, ValueError) as error:
            raise unusable(self, self.reason(error), "correct the options of librdkafka") from None

    def open(self) -> None:
        """Connect, and see whether a broker answers."""
        self._said = ""
        self._producer = self._library().Producer(self._configuration())
        try:
            self._producer.list_topics(timeout=min(5.0, self._timeout))
        except self._library().KafkaException as error:
            self._producer.poll(0)  # calls `_note` with what the brokers are accused of
            raise Unavailable(self._said or self.reason(error)) from None

    def write(self, records: Sequence[Record], *, again: bool) -> Sequence[Rejection] | None:
        """Hand the records to the producer, and wait until each is acknowledged or refused."""
        if self._producer is None:
            self.open()
        if again:
            records = [record for record in records if record.id not in self._acknowledged]
        deadline = time.monotonic() + self._timeout
        outcomes = _Outcomes(len(records))
        for number, record in enumerate(records):
            self._produce(record, outcomes.report(number), deadline)
        self._producer.flush(max(0.0, deadline - time.monotonic()))
        self._remember([record for number, record in enumerate(records) if outcomes.is_taken(number)])
        if outcomes.left:
            # None of them may be under way when they come again.
            self._producer.purge()
            self._producer.flush(1.0)
            raise Unavailable(
                self._said or f"{outcomes.left} messages were not acknowledged in {self._timeout:g} s"
            )
        rejected = []
        for record, error in zip(records, outcomes.errors, strict=True):
            if error is not None:
                if not self._is_about(error):
                    raise self._library().KafkaException(error)
                rejected.append(Rejection(record, redacted(error.str(), *self._secrets)))
        return rejected

    def abort(self) -> None:
        """Give up what waits for an acknowledgement."""
        if (producer := self._producer) is not None:
            producer.purge()

    def close(self) -> None:
        """Let go of the connections."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.purge()
            producer.flush(1.0)

    def is_rejection(self, error: Exception) -> bool:
        """Whether an error is about a message."""
        found = error.args[0] if error.args else None
        return isinstance(found, self._library().KafkaError) and self._is_about(found)

    def describe(self) -> str:
        """The servers and the topic."""
        return f"{self._servers} {self._topic.text}"

    def reason(self, error: BaseException) -> str:
        """What librdkafka or a broker said, without secrets."""
        if isinstance(error, HookMQError):
            return error.message
        found = error.args[0] if error.args else None
        text = found.str() if isinstance(found, self._library().KafkaError) else super().reason(error)
        return redacted(text, *self._secrets)

    def _library(self) -> Any:
        return library("confluent_kafka", kind=self.kind, extra="kafka")

    def _configuration(self) -> dict[str, Any]:
        milliseconds = int(self._timeout * 1000)
        return {
            "bootstrap.servers": self._servers,
            "client.id": "hookmq",
            "enable.idempotence": True,  # and so acks=all
            "message.timeout.ms": milliseconds,
            "socket.timeout.ms": milliseconds,
            "socket.connection.setup.timeout.ms": min(5000, milliseconds),
            "linger.ms": 0,  # a batch is whole when it comes
            "log_level": 0,
            "error_cb": self._note,
            **self._login,
            **self._options,
        }

    def _remember(self, records: Sequence[Record]) -> None:
        self._acknowledged |= dict.fromkeys(record.id for record in records)
        for name in list(self._acknowledged)[: -4 * self.batch_rows]:
            del self._acknowledged[name]

    def _note(self, error: Any) -> None:
        self._said = redacted(error.str(), *self._secrets)

    def _produce(self, record: Record, report: Callable[[Any, Any], None], deadline: float) -> None:
        key = self._key.render(record).encode() or None
        milliseconds = int(record.time * 1000)
        while True:
            try:
                self._producer.produce(
                    self._name_of_topic(record),
                    record.payload,
                    key,
                    on_delivery=report,
                    timestamp=milliseconds,
                    headers=_headers(record),
                )
                return
            except BufferError:
                if time.monotonic() > deadline:
                    raise Unavailable(self._said or "its queue is full") from None
                self._producer.poll(0.1)
            except self._library().KafkaException as error:
                report(error.args[0], None)
                return

    def _name_of_topic(self, record: Record) -> str:
        name = _NOT_IN_A_NAME.sub("_", self._topic.render(record).replace("/", "."))[:249]
        return "mqtt" if name in ("", ".", "..") else name

    def _is_about(self, error: Any) -> bool:
        names = _ABOUT_THE_RECORD if self._topic.is_constant else _ABOUT_THE_RECORD + _ABOUT_THE_TOPIC
        known = self._library().KafkaError
        return error.code() in {getattr(known, name) for name in names if hasattr(known, name)}


class _Outcomes:
    """What became of each message of a batch."""

    def __init__(self, count: int) -> None:
        self.errors: list[Any] = [None] * count
        self.known = [False] * count
        self.left = count

    def is_taken(self, number: int) -> bool:
        """Whether a broker has acknowledged it."""
        return self.known[number] and self.errors[number] is None

    def report(self, number: int) -> Callable[[Any, Any], None]:
        """Return what is to be called once, with an error or with none."""

        def note(error: Any, _message: Any) -> None:
            self.errors[number] = error
            self.known[number] = True
            self.left -= 1

        return note


def _headers(record: Record) -> list[tuple[str, bytes]]:
    headers: list[tuple[str, bytes]] = [
        ("id", record.id.encode()),
        ("kind", record.kind.encode()),
        ("client_id", record.client_id.encode()),
        ("topic", record.topic.encode()),
        ("qos", b"%d" % record.qos),
        ("retain", b"%d" % record.retain),
    ]
    if record.properties:
        headers.append(("properties", json_of(plain(record.properties))))
    if record.detail:
        headers.append(("detail", json_of(dict(record.detail))))
    return headers
