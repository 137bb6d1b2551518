"""What decorators can be told by keyword, beside the function: for type checkers and the documentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict

__all__ = [
    "BatchOptions",
    "DeciderOptions",
    "MessageOptions",
    "ObserverOptions",
    "TransformOptions",
]

Overflow = Literal["drop_oldest", "drop_newest", "block"]


class DeciderOptions(TypedDict, total=False):
    """What every hook can be told.

    Attributes:
        name: the hook's name, the function's own by default.
        priority: of two hooks of a kind, the one with the higher number is called first. 0 by default.
    """

    name: str | None
    priority: int


class ObserverOptions(DeciderOptions, total=False):
    """What hooks that observe can be told.

    Attributes:
        overflow: what happens when events come faster than the hook is: ``"drop_oldest"`` (the default),
            ``"drop_newest"``, or ``"block"``: the sockets of those who cause them are not read until half of
            the queue is empty. What is dropped is counted in ``broker.hooks`` and logged.
        threads: as many threads of its own among which clients are shared out, each client's events in order;
            without it the hook shares the thread ``hookmq-hooks`` with others. For ``def`` hooks.
        executor: ``"process"`` runs the function, which must stand at the top of a module, in other
            processes: for what computes for long. Such a hook cannot reach the broker.
        workers: how many processes, 1 by default.
    """

    overflow: Overflow | None
    threads: int | None
    executor: Literal["thread", "process"]
    workers: int | None


class MessageOptions(ObserverOptions, total=False):
    """What hooks that observe messages can be told.

    Attributes:
        where: a condition on JSON fields of the payload, such as ``"level < 20 and state in ('open',
            'stuck')"``. It is tested natively: other messages never reach Python.
        payload: ``False`` spares the copy of payloads; messages come with an empty one.
        ack: ``"after_hook"`` holds the publisher's PUBACK or PUBREC back until the hook has returned. If it
            raises, the message is not acknowledged: a client of MQTT 5 is told (0x83), others are
            disconnected, and send it again. Nothing is dropped then.
        dead_letter: a topic to which messages go whose payload is not what the function's annotation says.
    """

    where: str | None
    payload: bool
    ack: Literal["after_hook"] | None
    dead_letter: str | None


class BatchOptions(DeciderOptions, total=False):
    """What batch hooks can be told.

    Attributes:
        max_rows: messages at a time, at most.
        max_delay: seconds that a message waits for others, at most, unless the hook is slow.
        format: ``"messages"``, a list of :class:`~hookmq.Message`; ``"dicts"``, a list of dicts; ``"arrow"``,
            columns that pyarrow, polars, pandas and duckdb read without a copy.
        fields: for Arrow: JSON fields of the payload that become columns, as a list of paths (numbers) or a
            dict of paths and types: ``{"level": float, "count": int, "state": str, "open": bool}``.
        overflow: as that of :class:`ObserverOptions`.
        where: as that of :class:`MessageOptions`.
        ack: as that of :class:`MessageOptions`.
    """

    max_rows: int
    max_delay: float
    format: Literal["messages", "dicts", "arrow"]
    fields: Sequence[str] | Mapping[str, type]
    overflow: Overflow | None
    where: str | None
    ack: Literal["after_hook"] | None


class TransformOptions(DeciderOptions, total=False):
    """What ``transform`` can be told.

    Attributes:
        dead_letter: as that of :class:`MessageOptions`.
    """

    dead_letter: str | None
