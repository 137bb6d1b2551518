"""Retained messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..problem import Problem
from ..schema import Field, Nullable, Object, Ref, Text
from ..source import Source
from .operation import Ask, Operation
from .paging import PAGE, page, paged
from .shapes import AT, COUNT, MESSAGE, QOS, TOPIC, message
from .subscriptions import check_topic, check_topic_filter

__all__ = ["operations"]

_RETAINED = Ref(
    "Retained",
    Object(
        [
            Field("topic", Text(), required=True),
            Field("bytes", COUNT, required=True),
            Field("qos", QOS, required=True),
            Field("at", Nullable(AT), required=True),
            Field("client_id", Text(), "who published it", required=True),
            Field("preview", Nullable(Text()), "the beginning; null if it is not UTF-8", required=True),
        ]
    ),
)


def operations(source: Source) -> Sequence[Operation]:
    """Return what can be asked of retained messages, and be done with them."""
    api = _Retained(source)
    return [
        Operation(
            "GET",
            "retained",
            api.list,
            "List the retained messages",
            query=(
                Field("filter", TOPIC, "a topic filter", example="tank/#"),
                Field("search", Text(1, 1000), "a part of the topic"),
                *PAGE,
            ),
            answer=page(_RETAINED),
        ),
        Operation(
            "GET",
            "retained/message",
            api.show,
            "Show the retained message of a topic",
            query=(Field("topic", TOPIC, "a topic name", required=True),),
            answer=MESSAGE,
            raises=(404,),
        ),
        Operation(
            "DELETE",
            "retained",
            api.clear,
            "Clear the retained message of a topic, or of all that a filter matches",
            role="operator",
            query=(Field("topic", TOPIC, "a topic name"), Field("filter", TOPIC, "or a topic filter")),
            answer=Object([Field("cleared", COUNT, "how many there were", required=True)]),
        ),
    ]


class _Retained:
    def __init__(self, source: Source) -> None:
        self._source = source

    def list(self, ask: Ask) -> Any:
        native = self._source.run().native
        filter, search = ask.query["filter"], ask.query["search"]
        if filter is not None:
            _check_filter(filter)
        return paged(ask, lambda limit, after: native.retained(limit, after, filter=filter, search=search))

    def show(self, ask: Ask) -> Any:
        topic = ask.query["topic"]
        check_topic(topic)
        found = self._source.run().native.retained_value(topic)
        if found is None:
            detail = f"the topic {topic[:100]!r} has no retained message"
            raise Problem(404, detail, help="GET retained lists those there are")
        return message(found)

    def clear(self, ask: Ask) -> Any:
        topic, filter = ask.query["topic"], ask.query["filter"]
        if (topic is None) == (filter is None):
            raise Problem(400, "name either `topic` or `filter`", help="filter=# clears all of them")
        if topic is not None:
            check_topic(topic)
            _check_not_shared(topic, "topic")
        else:
            _check_filter(filter)
        return {"cleared": self._source.run().native.clear_retained(filter if topic is None else topic)}


def _check_filter(filter: str) -> None:
    check_topic_filter(filter)
    _check_not_shared(filter, "filter")


def _check_not_shared(text: str, name: str) -> None:
    """Raise a problem for a shared subscription, which is of no message's topic, and gets no retained one."""
    if text.startswith("$share/"):
        detail = f"`{name}` is a shared subscription, which has no retained messages"
        raise Problem(400, detail, help="leave out $share/NAME/", more={"parameter": name})
