"""The broker: one object that a script creates, decorates and runs."""

from __future__ import annotations

import functools
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from .bans import Ban, who
from .errors import HookMQError
from .lifecycle import Lifecycle
from .message import encode_payload
from .run import left
from .source import Source, place_of
from .subscription import Subscription

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal, Self

    from .authentication import AuthenticationService
    from .connectors import Connector
    from .replaying.replayed import Replay
    from .storage import History

__all__ = ["Broker"]

_UNSET: Any = object()

_OF_RULES = (
    "rules",
    "rules_matched",
    "rules_passed",
    "rules_failed",
    "rules_results",
    "rules_loops",
    "rules_actions_failed",
)
"""What is counted of rules; 0 where there are none."""


class Broker(Lifecycle):
    """An MQTT broker (3.1, 3.1.1 and 5.0) with hooks in this process.

    Args:
        host: address to listen on. ``127.0.0.1`` by default: only this machine can connect.
        port: MQTT port, 1883 by default; 0 takes a free one, see :attr:`port`; ``None`` serves no plain MQTT.
        http_port: port of the pages, 8080 by default; 0 takes a free one, ``None`` serves none.
        data_dir: directory for what outlives the process; in memory without one.
        config: a TOML file; ``hookmq.toml`` in the working directory is read by itself.
        allow_anonymous: lets everyone connect although other machines can.
        settings: sections of the configuration, such as ``limits={"max_clients": 5}``.

    Flags and ``HOOKMQ_…`` variables win over these arguments, these win over the file. Nothing is bound
    before :meth:`start`; hooks can be added before and after.

    >>> broker = Broker(port=0, http_port=None)
    >>> @broker.on_message_received("tank/{tank}/level")
    ... def watch(msg, tank):
    ...     print(tank, msg.json())
    >>> with broker:
    ...     broker.port > 0
    True
    """

    def __init__(
        self,
        *,
        host: str = _UNSET,
        port: int | None = _UNSET,
        http_port: int | None = _UNSET,
        data_dir: str | os.PathLike[str] | None = _UNSET,
        config: str | os.PathLike[str] | None = _UNSET,
        allow_anonymous: bool = _UNSET,
        **settings: Any,
    ) -> None:
        named = {
            "host": host,
            "port": port,
            "http_port": http_port,
            "data_dir": data_dir,
            "config": config,
            "allow_anonymous": allow_anonymous,
        }
        arguments = {key: value for key, value in named.items() if value is not _UNSET} | settings
        super().__init__(arguments, Source.of_caller(sys._getframe(1)))

    # Messages -------------------------------------------------------------------------------------------

    def publish(
        self,
        topic: str,
        payload: object = None,
        *,
        qos: int = 0,
        retain: bool = False,
        properties: Mapping[str, object] | None = None,
    ) -> None:
        """Publish a message from this process, from any thread.

        Args:
            topic: a topic name, without wildcards.
            payload: ``bytes`` as they are, ``str`` as UTF-8, ``None`` as nothing, anything else as JSON.
            qos: 0, 1 or 2.
            retain: whether the broker keeps it for later subscribers; without payload it clears the topic.
            properties: MQTT 5's, as in :attr:`Message.properties`.

        Raises:
            HookMQError: E503 when it does not run, E506 when a subscriber's queue is full (QoS 1 and 2) or
                there is no room for another retained message.
            ValueError: for a topic, QoS or property that cannot be.
            TypeError: for a payload that has no JSON form.
        """
        data = encode_payload(payload)
        replay = _replaying()
        if replay is not None and replay.catch(topic, data, qos, retain, properties):
            return
        self._hand_in(topic, data, qos, retain, properties)

    def _hand_in(
        self,
        topic: str,
        data: bytes,
        qos: int,
        retain: bool,
        properties: Mapping[str, object] | None,
        publisher: str = "",
    ) -> None:
        native = self._active().native
        given = None if properties is None else dict(properties)
        try:
            native.publish(topic, data, qos, retain, given, publisher)
        except RuntimeError as error:
            problem = native.statistics().get("store_problem", 0)
            if not problem or "stored" not in str(error):
                raise HookMQError("E506", topic=topic, reason=str(error)) from None
            help = "free space on the disk of the data directory" if problem == 1 else "the log says why"
            raise HookMQError("E506", topic=topic, reason=str(error), help=help, store=problem) from None

    def subscribe(self, filter: str = "#", *, retained: bool = True, maxsize: int = 10_000) -> Subscription:
        """Return the messages that match as an iterator and an async iterator, the retained ones first.

        Args:
            filter: a topic filter.
            retained: whether it begins with the retained messages.
            maxsize: messages that may wait; beyond it the oldest go, counted in ``Subscription.dropped``.

        ```python
        with broker.subscribe("tank/#") as messages:
            for msg in messages:
                print(msg.topic, msg.text)
        ```

        Raises:
            HookMQError: E502 if the filter is none, E503 when the broker does not run.
        """
        run = self._active()
        try:
            inbox, number = run.native.subscribe(filter, retained, maxsize)
        except ValueError as error:
            raise HookMQError("E502", filter=filter, problem=str(error)) from None
        unsubscribe = functools.partial(run.native.unsubscribe, filter, number)
        subscription = Subscription(filter, inbox, unsubscribe)
        run.subscriptions.add(subscription)
        return subscription

    def history(
        self,
        filter: str = "#",
        *,
        since: Any = None,
        until: Any = None,
        client: str | None = None,
        limit: int | None = None,
        newest: bool = False,
    ) -> History:
        """Return the stored messages that match: of clients and of the broker itself.

        It is read when the result is, and contains what was published before. See
        :meth:`hookmq.storage.HistoryStore.query` for the arguments.

        ```python
        for row in broker.history("tank/+/level", since="10m").last(by="topic"):
            print(row.topic, row.json())
        ```

        Raises:
            HookMQError: E503 when the broker does not run, E507 when the history is switched off.
        """
        replay = _replaying()
        if self._run is None and replay is not None and (trial := replay.captured.get()) is not None:
            stored: History = trial.history(
                filter, since=since, until=until, client=client, limit=limit, newest=newest
            )
            return stored
        recorder = self._active().recorder
        if recorder is None:
            raise HookMQError("E507")
        return recorder.store.query(
            filter, since=since, until=until, client=client, limit=limit, newest=newest
        )

    def disconnect(self, client_id: str) -> bool:
        """End a client's connection. Return whether it had one."""
        return not _is_dry_run() and self._active().native.disconnect(client_id)

    def ban(
        self,
        client_id: str | None = None,
        *,
        username: str | None = None,
        address: str | None = None,
        seconds: float | None = None,
        reason: str = "",
    ) -> None:
        """Refuse a client from now on, by its identifier, its user name or its IP address.

        Its connection is ended if it has one. With a data directory the ban outlives the broker.

        Args:
            client_id: the Client Identifier; or
            username: the user name; or
            address: the IP address, such as ``"192.0.2.7"``.
            seconds: how long; for ever if it is not given.
            reason: why, for :attr:`bans`.

        Raises:
            ValueError: if not one of the three is named, or the address is none.

        >>> with Broker(port=0, http_port=None) as broker:
        ...     broker.ban("tank7", reason="floods")
        ...     print([ban.value for ban in broker.bans], broker.unban("tank7"), broker.bans)
        ['tank7'] True []
        """
        by, value = who(client_id, username, address)
        if not _is_dry_run():
            self._active().native.ban(by, value, seconds, reason)

    def unban(
        self, client_id: str | None = None, *, username: str | None = None, address: str | None = None
    ) -> bool:
        """Take a ban back. Return whether there was one. Raises ``ValueError`` like :meth:`ban`."""
        return not _is_dry_run() and self._active().native.unban(*who(client_id, username, address))

    @property
    def bans(self) -> list[Ban]:
        """Who is refused, see :meth:`ban`; the end is nearest first, and what has none is last."""
        found = [Ban(*ban) for ban in self._active().native.bans()]
        return sorted(found, key=lambda ban: (ban.until is None, ban.until or 0.0, ban.by, ban.value))

    def replay(
        self,
        filter: str = "#",
        *,
        hook: str | Callable[..., Any],
        since: Any = None,
        until: Any = None,
        client: str | None = None,
        speed: float | None = None,
        dry_run: bool = True,
        limit: int | None = None,
        progress: Callable[[Replay], None] | None = None,
    ) -> Replay:
        """Give stored messages to a hook once more, and tell what came of it.

        Args:
            filter: a topic filter: which of them.
            hook: the name of a hook, the function, or any function of a message.
            since, until, client, limit: as those of :meth:`history`.
            speed: 1.0 as it happened, 10.0 ten times faster; as fast as it goes by default.
            dry_run: what the hook publishes is caught and told, not published; what a ``transform`` hook
                changes is shown beside what was stored.
            progress: is told now and then how far it is.

        ```python
        print(broker.replay("tank/+/level", hook="watch", since="1h"))
        ```

        Raises:
            HookMQError: E503 when the broker does not run, E507 when the history is switched off.
            ValueError: if there is no such hook.
            TypeError: if it cannot be replayed.
        """
        from .replaying.replay import replay

        self._active()
        return replay(
            self._hooks,
            self.history,
            filter,
            hook=hook,
            since=since,
            until=until,
            client=client,
            speed=speed,
            dry_run=dry_run,
            limit=limit,
            progress=progress,
            event_loop=self._event_loop,
            stopped=self._stopping,
        )

    # Services -------------------------------------------------------------------------------------------

    def send_to(
        self,
        connector: Connector,
        filter: str = "#",
        /,
        *,
        events: Sequence[str] = ("received",),
        ack: Literal["received", "stored"] = "received",
        **limits: Any,
    ) -> None:
        """Send messages, and what else happens, to a database or another service.

        Args:
            connector: where to, such as :class:`hookmq.connectors.SQL`.
            filter: a topic filter: which messages.
            events: what is sent: ``"received"`` (what clients publish), ``"sent"`` (once for each receiver),
                ``"connected"``, ``"disconnected"``, ``"subscribed"``, ``"unsubscribed"``, ``"error"``.
            ack: ``"stored"`` holds PUBACK and PUBREC back until the service has the message or, while it is
                away, the spool in ``data_dir``.
            limits: ``queue_rows``, ``queue_bytes`` (waiting in memory), ``spool_bytes`` (on disk),
                ``patience`` (seconds until the spool is used).

        ```python
        from hookmq.connectors import SQL

        broker.send_to(SQL("sqlite:///plant.db"), "plant/#", ack="stored")
        ```

        Raises:
            HookMQError: E502 if the filter is none, E603 for a connector that cannot be used.
            ValueError: for an event that there is not, and for a second connector of the same name.
        """
        from .connectors.feed import Feed

        feed = Feed(connector, filter, events=events, ack=ack, **limits)
        self._add_part(feed, lambda: feed.register(self))

    def authenticate_with(self, service: AuthenticationService) -> None:
        """Ask a service who clients are: one of :mod:`hookmq.authentication`.

        Services and ``authenticate`` hooks are asked in the order in which they were registered.

        ```python
        from hookmq.authentication import JWT

        broker.authenticate_with(JWT(jwks="https://login.example/keys"))
        ```

        Raises:
            HookMQError: E3xx for options that cannot be.
            ValueError: for a second service of the same name.
        """
        from .authentication.part import ServicePart

        part = ServicePart(service)
        self._add_part(part, lambda: part.register(self))

    @classmethod
    def from_crystalmq(cls, home: str | os.PathLike[str], **settings: Any) -> Self:
        """Return a broker that does what a CrystalMQ or an MQTTRoute with this home does.

        Its configuration files of both generations are read, and its extensions loaded unmodified.

        Args:
            home: the folder that has ``bin``, ``conf`` and ``extensions``.
            settings: as those of ``Broker(...)``; they win over the home's.

        ```python
        Broker.from_crystalmq("/opt/CrystalMQ").run()
        ```

        Raises:
            HookMQError: E801 if it is no home, E802 for a file that cannot be read, E803 for an extension
                that cannot be loaded, E804 for what is refused.
        """
        from .crystalmq import open_home

        make: Any = cls  # what a home needs of a broker is a protocol without overloads
        made: Self = open_home(home, make, **settings)
        return made

    # Rules ----------------------------------------------------------------------------------------------

    def add_rule(
        self,
        name: str,
        sql: str,
        actions: Sequence[Mapping[str, Any]] = (),
        *,
        description: str = "",
        enabled: bool = True,
        max_keys: int = 10_000,
    ) -> None:
        """Add a rule, whose results go to actions; one of the same name that was added so is replaced.

        Args:
            name: what it is called.
            sql: what it selects; see [Rules](../rules.md).
            actions: tables as ``[[rules.actions]]`` has them, each with its ``kind``.
            description: what it is for.
            enabled: whether it is evaluated from the beginning.
            max_keys: how many keys it remembers something of.

        ```python
        broker.add_rule(
            "hot",
            '''SELECT payload.temp AS t FROM "sensors/+/temp" WHERE payload.temp > 30''',
            [{"kind": "republish", "topic": "alarm/${clientid}", "payload": "${t} degrees"}],
        )
        ```

        Raises:
            HookMQError: E3xx and E711 for what is wrong, E710 for SQL that cannot be: at the start, or at
                once if the broker runs.
        """
        from .rules.definition import Rule

        where = place_of(sys._getframe(1))
        table = {"name": name, "sql": sql, "actions": list(actions), "description": description}
        rule = Rule.of(table | {"enabled": enabled, "max_keys": max_keys}, "python", where)
        with self._lifecycle:
            before = self.rules.get(name)
            again = before is not None and before.source == "python" and before.hook is None
            self.rules.add(rule, before=before if again else None)

    def remove_rule(self, name: str) -> None:
        """Remove a rule that Python has added.

        Raises:
            HookMQError: E712 if there is none of the name, E713 if it comes from somewhere else.
        """
        with self._lifecycle:
            hook = self.rules.remove(name).hook
            if hook is not None:
                self._remove_hook(hook)

    # Counting -------------------------------------------------------------------------------------------

    @property
    def statistics(self) -> dict[str, int]:
        """Counters since the start and totals of this moment, by name."""
        run = self._active()
        counters = dict(run.native.statistics())
        if run.recorder is not None:
            counters |= run.recorder.counters()
        return counters | (self._book.counters() if self._book is not None else dict.fromkeys(_OF_RULES, 0))

    def wait_for_rules(self, timeout: float = 5.0) -> bool:
        """Wait until what rules have selected is where actions bring it. Return whether it was in time."""
        deadline = time.monotonic() + timeout
        told = self.wait_for_hooks(timeout)
        return told and (self._book is None or self._book.wait(lambda: left(deadline)))

    def _count(self) -> dict[str, int]:
        return self.statistics

    def _publish_for(
        self,
        publisher: str,
        topic: str,
        payload: object,
        qos: int,
        retain: bool,
        properties: Mapping[str, object] | None = None,
    ) -> None:
        self._hand_in(topic, encode_payload(payload), qos, retain, properties, publisher)

    def _stored_messages(self, filter: str, **chosen: Any) -> History:
        return self.history(filter, **chosen)

    def wait_for_hooks(self, timeout: float = 5.0) -> bool:
        """Wait until every observer was told what happened before. Return whether they were in time.

        For tests, and for scripts that end: hooks run behind the broker, not in its way. Coroutines count
        from when they are begun.
        """
        run = self._active()
        deadline = time.monotonic() + timeout
        told = all(lane.wait(left(deadline)) for lane in run.lanes)
        # Hooks in other processes have their messages when their lane is done, and still work on them.
        elsewhere = [hook.executor for hook in self._hooks if hook.executor is not None]
        return told and all(executor.drain(left(deadline)) for executor in elsewhere)


def _replaying() -> Any:
    """Return the module of replays if there may be one: who never replays does not import it."""
    return sys.modules.get("hookmq.replaying.replay")


def _is_dry_run() -> bool:
    """Whether the caller is a hook in a replay that must change nothing."""
    replay = _replaying()
    trial = None if replay is None else replay.captured.get()
    return trial is not None and bool(trial.replay.dry_run)
