"""The decorators of hooks that observe: they are told what happened, and never change it."""

from __future__ import annotations

from collections.abc import Callable

from .registering import Registering, overload

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Unpack

    from .options import BatchOptions, MessageOptions, ObserverOptions
    from .registering import F

__all__ = ["Observing"]


class Observing(Registering):
    """What ``Broker`` inherits to be observed."""

    # Observers of messages ------------------------------------------------------------------------------

    @overload
    def on_message_received(self, filter: F, /) -> F: ...
    @overload
    def on_message_received(
        self, filter: str = "#", /, **options: Unpack[MessageOptions]
    ) -> Callable[[F], F]: ...
    def on_message_received(self, filter: Any = "#", /, **options: Unpack[MessageOptions]) -> Any:
        """Call the function with each message that a client publishes to a topic that matches.

        ``filter`` is a topic filter; ``{name}`` in the place of ``+`` hands that level over as an argument.

        The function runs on a thread of its own, never on a network thread; messages of one client come in
        their order. An ``async def`` function runs on the broker's event loop, in the same order for each
        client. What it returns is ignored, what it raises is logged and counted. Wills fire it as well; what
        the broker itself publishes does not.

        ```python
        @broker.on_message_received("tank/{tank}/level")
        def watch(msg, tank):
            if msg.json()["level"] < 20:
                broker.publish(f"tank/{tank}/alert", {"low": True}, retain=True)
        ```

        An annotation reads the payload, and levels of the topic; see
        [Typed payloads](../hooks.md#typed-payloads):

        ```python
        from dataclasses import dataclass

        @dataclass
        class Level:
            level: float
            pump: bool = False

        @broker.on_message_received("tank/{tank}/level", dead_letter="rejected/level")
        def typed(level: Level, tank: int):
            print(tank, level.level)
        ```

        Raises:
            HookMQError: E501 if the function cannot be called so, E502 if the filter is none.
        """
        return self._decorate("on_message_received", filter, options, default="#")

    def on_batch(self, filter: str = "#", /, **options: Unpack[BatchOptions]) -> Callable[[F], F]:
        """Call the function with many messages at a time.

        A thread of its own waits for messages that match ``filter``, and calls the function when ``max_rows``
        have come or the first has waited ``max_delay`` seconds; when it is slow, the next batch is what came
        meanwhile.

        Rows of ``"dicts"`` have the keys ``topic``, ``payload`` (bytes), ``qos``, ``retain``, ``client_id``
        and ``timestamp`` (seconds); columns of ``"arrow"`` are ``time`` (milliseconds, UTC), ``topic``,
        ``client``, ``qos``, ``retain``, ``payload`` and the ``fields``.

        ```python
        @broker.on_batch("tank/+/level", format="arrow", fields={"level": float})
        def average(rows):
            import pyarrow.compute as pc
            import pyarrow as pa

            print(pc.mean(pa.table(rows)["level"]))
        ```
        """
        if callable(filter):
            from .functions import bare

            raise bare("on_batch", filter, '@broker.on_batch("#")')
        return self._decorate("on_batch", filter, options)  # type: ignore[no-any-return]

    @overload
    def on_message_sent(self, filter: F, /) -> F: ...
    @overload
    def on_message_sent(
        self, filter: str = "#", /, **options: Unpack[MessageOptions]
    ) -> Callable[[F], F]: ...
    def on_message_sent(self, filter: Any = "#", /, **options: Unpack[MessageOptions]) -> Any:
        """Call the function with each message that is sent to a client, once for each receiver.

        ``msg.client_id`` is the receiver, ``msg.publisher`` who published it; ``msg.qos``, ``msg.retain`` and
        ``msg.packet_id`` are those it was sent with. Otherwise like :meth:`on_message_received`.

        ```python
        @broker.on_message_sent("alarm/#")
        def log_delivery(msg):
            print(msg.topic, "went to", msg.client_id)
        ```
        """
        return self._decorate("on_message_sent", filter, options, default="#")

    @overload
    def on_message_acked(self, filter: F, /) -> F: ...
    @overload
    def on_message_acked(
        self, filter: str = "#", /, **options: Unpack[MessageOptions]
    ) -> Callable[[F], F]: ...
    def on_message_acked(self, filter: Any = "#", /, **options: Unpack[MessageOptions]) -> Any:
        """Call the function with each message of QoS 1 or 2 that a receiver has acknowledged to the end.

        ``msg.client_id`` is the receiver. Otherwise like :meth:`on_message_sent`.

        ```python
        @broker.on_message_acked("command/#")
        def arrived(msg):
            print(msg.client_id, "has got", msg.topic)
        ```
        """
        return self._decorate("on_message_acked", filter, options, default="#")

    @overload
    def on_message_dropped(self, filter: F, /) -> F: ...
    @overload
    def on_message_dropped(
        self, filter: str = "#", /, **options: Unpack[MessageOptions]
    ) -> Callable[[F], F]: ...
    def on_message_dropped(self, filter: Any = "#", /, **options: Unpack[MessageOptions]) -> Any:
        """Call the function with each message that a receiver did not get and will not get.

        It is given the message, the receiver's client identifier, and why in words: a full queue, an expired
        message, one larger than the client takes, a hook that decided so.

        ```python
        @broker.on_message_dropped("command/#")
        def lost(msg, client_id, reason):
            print(client_id, "did not get", msg.topic, "because", reason)
        ```
        """
        return self._decorate("on_message_dropped", filter, options, default="#")

    # Observers of clients -------------------------------------------------------------------------------

    @overload
    def on_client_connected(self, function: F, /) -> F: ...
    @overload
    def on_client_connected(self, /, **options: Unpack[ObserverOptions]) -> Callable[[F], F]: ...
    def on_client_connected(self, function: Any = None, /, **options: Unpack[ObserverOptions]) -> Any:
        """Call the function with the :class:`~hookmq.Client` when a client has connected.

        ```python
        @broker.on_client_connected
        def hello(client):
            print(client.client_id, "from", client.address)
        ```
        """
        return self._decorate("on_client_connected", function, options)

    @overload
    def on_client_disconnected(self, function: F, /) -> F: ...
    @overload
    def on_client_disconnected(self, /, **options: Unpack[ObserverOptions]) -> Callable[[F], F]: ...
    def on_client_disconnected(self, function: Any = None, /, **options: Unpack[ObserverOptions]) -> Any:
        """Call the function with the client, and why in words, when a connection has ended.

        ```python
        @broker.on_client_disconnected
        def gone(client, reason):
            print(client.client_id, reason)
        ```
        """
        return self._decorate("on_client_disconnected", function, options)

    @overload
    def on_subscribed(self, function: F, /) -> F: ...
    @overload
    def on_subscribed(self, /, **options: Unpack[ObserverOptions]) -> Callable[[F], F]: ...
    def on_subscribed(self, function: Any = None, /, **options: Unpack[ObserverOptions]) -> Any:
        """Call the function with the client, the filter and the granted QoS when a client has subscribed.

        ```python
        @broker.on_subscribed
        def interested(client, filter, qos):
            print(client.client_id, "reads", filter)
        ```
        """
        return self._decorate("on_subscribed", function, options)

    @overload
    def on_unsubscribed(self, function: F, /) -> F: ...
    @overload
    def on_unsubscribed(self, /, **options: Unpack[ObserverOptions]) -> Callable[[F], F]: ...
    def on_unsubscribed(self, function: Any = None, /, **options: Unpack[ObserverOptions]) -> Any:
        """Call the function with the client and the topic filter when a client has unsubscribed.

        ```python
        @broker.on_unsubscribed
        def lost_interest(client, filter):
            print(client.client_id, "reads", filter, "no longer")
        ```
        """
        return self._decorate("on_unsubscribed", function, options)
