"""The registry of hooks: which there are, when each is called, with what and on which thread.

Decorators, ``broker.hooks``, ``hookmq hooks``, the HTTP API and the documentation follow it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["HOOKS", "HookSpec"]


@dataclass(frozen=True, slots=True)
class HookSpec:
    """A kind of hook.

    Attributes:
        name: of its decorator.
        when: when it is called, in words.
        arguments: what it is given, by position.
        native: its name in the native module; empty for what the package calls itself.
        filtered: whether it takes a topic filter.
        decides: whether it answers instead of observing.
        thread: on which thread ``def`` hooks of this kind run; ``async def`` hooks run on the event loop.
        order: in which order calls are made.
        overflow: what happens by default when more comes than it can take.
        payload: whether it is given messages, so that their payloads may be read as what an annotation says.
    """

    name: str
    when: str
    arguments: tuple[str, ...]
    native: str
    filtered: bool = False
    decides: bool = False
    thread: str = "`hookmq-hooks`, or threads of its own with `threads=`"
    order: str = "as it happened, for each client"
    overflow: str = "drop_oldest"
    payload: bool = False


_DECIDING = "`hookmq-decide-N`"
_NO_OVERFLOW = "denied after `hooks.decision_timeout`"

_SPECS = (
    HookSpec(
        "on_message_received",
        "A client published a message, or its will was published. What the broker itself publishes does not "
        "fire it, so a hook that publishes cannot call itself.",
        ("message",),
        "received",
        filtered=True,
        payload=True,
    ),
    HookSpec(
        "on_batch",
        "Clients published messages: many at a time, as a list of messages, as dicts, or as Arrow columns.",
        ("rows",),
        "received",
        filtered=True,
        thread="`hookmq-batch-NAME`",
        order="as they came",
    ),
    HookSpec(
        "on_message_sent",
        "A message was sent to a client, once for each receiver; `message.client_id` is the receiver.",
        ("message",),
        "sent",
        filtered=True,
        payload=True,
    ),
    HookSpec(
        "on_message_acked",
        "A receiver has acknowledged a message of QoS 1 or 2 to the end; `message.client_id` is the "
        "receiver.",
        ("message",),
        "acked",
        filtered=True,
        payload=True,
    ),
    HookSpec(
        "on_message_dropped",
        "A receiver did not get a message and will not get it: its queue is full, the message has expired or "
        "is larger than the client takes, a hook decided so. `reason` says which, in words.",
        ("message", "client_id", "reason"),
        "dropped",
        filtered=True,
        payload=True,
    ),
    HookSpec("on_client_connected", "A client connected.", ("client",), "connected"),
    HookSpec(
        "on_client_disconnected",
        "A client's connection ended; `reason` says why, in words.",
        ("client", "reason"),
        "disconnected",
    ),
    HookSpec(
        "on_subscribed",
        "A client subscribed to a topic filter; `qos` is what was granted.",
        ("client", "filter", "qos"),
        "subscribed",
    ),
    HookSpec("on_unsubscribed", "A client unsubscribed.", ("client", "filter"), "unsubscribed"),
    HookSpec(
        "authenticate",
        "A client wants to connect. True, `Identity` and `Allow` let it in, False and `Deny` refuse it, None "
        "has no opinion; with no opinion from anyone, and with any error or time-out, it is refused.",
        ("client",),
        "",
        decides=True,
        thread=_DECIDING,
        order="one after the other until one has an opinion",
        overflow=_NO_OVERFLOW,
    ),
    HookSpec(
        "enhanced_authenticate",
        "A client of MQTT 5 wants to connect, or proves again who it is, by the authentication method that "
        "the hook names. A generator yields challenges and is given the answers; True, None or bytes at its "
        "end let the client in, False refuses it, and so do an error and a time-out.",
        ("client", "data"),
        "",
        decides=True,
        thread=_DECIDING,
        order="the one that names the method",
        overflow=_NO_OVERFLOW,
    ),
    HookSpec(
        "on_connect",
        "A client that is who it says it is wants to connect. True and None let it in if nobody says False "
        "or `Deny`; an error or a time-out refuses it.",
        ("client",),
        "",
        decides=True,
        thread=_DECIDING,
        order="one after the other until one refuses",
        overflow=_NO_OVERFLOW,
    ),
    HookSpec(
        "authorize",
        "A client wants to publish to a topic, or to subscribe to a filter. True, None and `Allow` allow it "
        "if nobody says False or `Deny`; an error or a time-out denies it.",
        ("client", "action", "topic", "qos", "retain"),
        "",
        decides=True,
        thread=_DECIDING,
        order="one after the other until one denies",
        overflow=_NO_OVERFLOW,
    ),
    HookSpec(
        "on_subscribe",
        "A client wants to subscribe to a filter. A number grants at most this QoS, True and None leave it, "
        "False and `Deny` refuse the subscription; so does an error or a time-out.",
        ("client", "filter", "qos"),
        "",
        decides=True,
        thread=_DECIDING,
        order="one after the other until one refuses",
        overflow=_NO_OVERFLOW,
    ),
    HookSpec(
        "transform",
        "A client publishes a message, or leaves a will, and nobody has got it yet. None leaves it as it is; "
        "a payload, a `Change` or a list of them takes its place, `Drop` drops it, `Deny` refuses it. An "
        "error or a time-out refuses it.",
        ("message", "client"),
        "transform",
        filtered=True,
        decides=True,
        thread=_DECIDING,
        order="as the client sends, each hook on what the one before it left",
        overflow=_NO_OVERFLOW,
        payload=True,
    ),
    HookSpec(
        "on_deliver",
        "A message is to go to a subscriber, and has not gone yet: asked once for each. True and None let it "
        "go, False and `Drop` keep it back, a payload or a `Change` takes its place. With an error or a "
        "time-out it does not go.",
        ("message", "client"),
        "deliver",
        filtered=True,
        decides=True,
        thread="`hookmq-deliver`",
        order="as it was published",
        overflow="block",
        payload=True,
    ),
    HookSpec(
        "rule",
        "A rule has selected something from a message, an event or at a time. `row` is the result, a dict by "
        "the names of its columns; `source` the message or the event that it was selected from.",
        ("row", "source"),
        "rule",
        order="as they were selected, for each client",
    ),
    HookSpec(
        "on_startup",
        "The broker has begun to serve. If one raises, the broker does not start.",
        (),
        "",
        thread="the one that starts the broker",
        order="as they were registered",
        overflow="waits",
    ),
    HookSpec(
        "on_shutdown",
        "The broker is about to stop; clients are still connected.",
        (),
        "",
        thread="the one that stops the broker",
        order="as they were registered",
        overflow="waits",
    ),
)

HOOKS: Mapping[str, HookSpec] = MappingProxyType({spec.name: spec for spec in _SPECS})
"""The registry: name → :class:`HookSpec`."""
