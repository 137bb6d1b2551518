"""Subscriptions, and who receives a topic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..problem import Problem
from ..schema import Array, Boolean, Field, Nullable, Object, Ref, Text
from ..source import Source
from .operation import Ask, Operation
from .paging import PAGE, page, paged
from .shapes import COUNT, QOS, TOPIC

__all__ = ["operations"]

_SUBSCRIPTION = Ref(
    "Subscription",
    Object(
        [
            Field("client_id", Text(), required=True),
            Field("filter", Text(), required=True),
            Field("qos", QOS, required=True),
            Field("shared", Nullable(Text()), "the name of the group that shares it", required=True),
            Field("no_local", Boolean(), required=True),
            Field("connected", Boolean(), required=True),
            Field("identifier", Nullable(COUNT), required=True),
        ]
    ),
)

_RECEIVER = Ref(
    "Receiver",
    Object(
        [
            Field("client_id", Text(), required=True),
            Field("filter", Text(), required=True),
            Field("qos", QOS, required=True),
            Field("shared", Nullable(Text()), required=True),
            Field("connected", Boolean(), required=True),
        ]
    ),
)


def operations(source: Source) -> Sequence[Operation]:
    """Return what can be asked of subscriptions."""
    api = _Subscriptions(source)
    names = [
        Field(what, Array(Text()), f"{what} that get it too", required=True)
        for what in ("hooks", "rules", "bridges")
    ]
    return [
        Operation(
            "GET",
            "subscriptions",
            api.list,
            "List the subscriptions of all sessions",
            query=(
                Field("search", Text(1, 1000), "a part of the filter or the client identifier"),
                Field("client", Text(), "only of this client identifier"),
                *PAGE,
            ),
            answer=page(_SUBSCRIPTION),
        ),
        Operation(
            "GET",
            "receivers",
            api.receivers,
            "Say who receives a message of a topic",
            query=(Field("topic", TOPIC, "a topic name", required=True, example="tank/7/level"), *PAGE),
            answer=page(_RECEIVER, *names),
        ),
    ]


class _Subscriptions:
    def __init__(self, source: Source) -> None:
        self._source = source

    def list(self, ask: Ask) -> Any:
        native = self._source.run().native
        search, client = ask.query["search"], ask.query["client"]
        return paged(
            ask, lambda limit, after: native.subscriptions(limit, after, search=search, client=client)
        )

    def receivers(self, ask: Ask) -> Any:
        native, topic = self._source.run().native, ask.query["topic"]
        check_topic(topic)
        told: dict[str, Any] = {}

        def read(limit: int, after: str | None) -> tuple[Sequence[Any], str | None, int | None]:
            told.update(native.receivers(topic, limit, after))
            return told["items"], told["next"], told["total"]

        found = paged(ask, read)
        return found | {what: told[what] for what in ("hooks", "rules", "bridges")}


def check_topic(topic: str, name: str = "topic") -> None:
    """Raise a problem for what is no topic name."""
    from ..._hookmq import check_filter

    try:
        if "+" in topic or "#" in topic:
            raise ValueError("has a wildcard, which only a topic filter may have")
        check_filter(topic)
    except ValueError as error:
        raise Problem(400, f"`{name}` is {topic[:60]!r}, which {error}", more={"parameter": name}) from None


def check_topic_filter(filter: str, name: str = "filter") -> None:
    """Raise a problem for what is no topic filter."""
    from ..._hookmq import check_filter

    try:
        check_filter(filter)
    except ValueError as error:
        raise Problem(400, f"`{name}` is {filter[:60]!r}, which {error}", more={"parameter": name}) from None
