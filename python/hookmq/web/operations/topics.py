"""Topics: the tree of what was published, and the newest message of each; and publishing."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

from ..problem import Problem
from ..schema import Anything, Boolean, Field, Integer, Nullable, Number, Object, Ref, Text
from ..source import Source
from .operation import Ask, Operation
from .paging import PAGE, page, paged
from .shapes import AT, COUNT, MESSAGE, QOS, TOPIC, message
from .subscriptions import check_topic

__all__ = ["operations"]

TOPIC_ITEM = Ref(
    "Topic",
    Object(
        [
            Field("topic", Text(), required=True),
            Field("name", Text(), "its last level", required=True),
            Field("messages", COUNT, required=True),
            Field("rate", Number(0), "messages a second", required=True),
            Field("bytes", COUNT, "of all payloads", required=True),
            Field("at", Nullable(AT), "of the newest message", required=True),
            Field("children", COUNT, "levels below it", required=True),
            Field("below_topics", COUNT, "topics below it that were published to", required=True),
            Field("below_messages", COUNT, "messages of all topics below it", required=True),
            Field("retained", Boolean(), required=True),
            Field("preview", Nullable(Text()), "the beginning of the newest payload", required=True),
        ]
    ),
)

_VALUE = Object(
    [*MESSAGE.of.fields, Field("is_retained", Boolean(), required=True)],  # type: ignore[attr-defined]
    more=Anything(),
)


def operations(source: Source) -> Sequence[Operation]:
    """Return what can be asked of topics, and publishing."""
    api = _Topics(source)
    return [
        Operation(
            "GET",
            "topics",
            api.list,
            "List the levels below a topic",
            query=(
                Field("parent", Text(), "the topic whose levels are listed; without it those of the top"),
                Field("search", Text(1, 1000), "a part of the topic: finds over the whole tree"),
                *PAGE,
            ),
            answer=page(TOPIC_ITEM),
        ),
        Operation(
            "GET",
            "topics/value",
            api.value,
            "Show the newest message of a topic",
            query=(Field("topic", TOPIC, "a topic name", required=True),),
            answer=Ref("TopicValue", _VALUE),
            raises=(404,),
        ),
        Operation(
            "POST",
            "publish",
            api.publish,
            "Publish a message",
            role="operator",
            body=Object(
                [
                    Field("topic", TOPIC, required=True, example="tank/7/level"),
                    Field(
                        "payload",
                        Anything(),
                        "a text as it is; any other value as JSON",
                        example={"level": 42},
                    ),
                    Field("payload_base64", Text(max=4 << 20, format="byte"), "or bytes"),
                    Field("qos", QOS, default=0),
                    Field("retain", Boolean(), default=False),
                    Field("properties", _PROPERTIES, "of MQTT 5", default=None),
                ]
            ),
            answer=Object(
                [
                    Field("receivers", Nullable(COUNT), "sessions that it was for", required=True),
                    Field("accepted", Boolean(), required=True),
                ]
            ),
            example={"topic": "tank/7/level", "payload": {"level": 42}, "retain": True},
        ),
    ]


_PROPERTIES = Object(
    [
        Field("payload_format_indicator", Integer(0, 1), "1: it is UTF-8"),
        Field("message_expiry_interval", Integer(0, 2**32 - 1), "seconds"),
        Field("content_type", Text()),
        Field("response_topic", Text(1)),
        Field("correlation_data", Text(), "base64"),
        Field("user_properties", Anything(), "an object, or a list of pairs"),
    ]
)


class _Topics:
    def __init__(self, source: Source) -> None:
        self._source = source

    def list(self, ask: Ask) -> Any:
        native = self._source.run().native
        parent, search = ask.query["parent"], ask.query["search"]
        return paged(ask, lambda limit, after: native.topics(limit, after, parent=parent, search=search))

    def value(self, ask: Ask) -> Any:
        native, topic = self._source.run().native, ask.query["topic"]
        check_topic(topic)
        retained = native.retained_value(topic)
        found = native.topic_value(topic)
        if found is None and retained is None:
            detail = f"nothing was published to {topic[:100]!r} since the broker began"
            raise Problem(404, detail, help="GET topics lists those there are")
        if found is None or (retained is not None and retained.timestamp >= found[0].timestamp):
            assert retained is not None
            shown = message(retained)  # all of it is kept
        else:
            shown = message(found[0], size=found[1])
        return shown | {"is_retained": retained is not None}

    def publish(self, ask: Ask) -> Any:
        body, native = ask.body, self._source.run().native
        topic = body["topic"]
        check_topic(topic)
        if topic.startswith("$"):
            raise Problem(
                403,
                f"{topic[:60]!r} is the broker's own",
                help="choose one that does not begin with $",
            )
        payload = _payload(body)
        given = {name: value for name, value in (body["properties"] or {}).items() if value is not None}
        receivers = native.receivers(topic, 1)["total"]
        try:
            self._source.publish(
                publisher(ask.identity.name),
                topic,
                payload,
                qos=body["qos"],
                retain=body["retain"],
                properties=_properties(given),
            )
        except (ValueError, TypeError) as error:
            raise Problem(400, str(error)) from None
        return {"receivers": receivers, "accepted": True}


def publisher(name: str) -> str:
    """Return the Client Identifier that messages have which somebody publishes through the API.

    >>> publisher("anna")
    '$api/anna'
    """
    return f"$api/{name}"


def _payload(body: dict[str, Any]) -> bytes:
    encoded = body["payload_base64"]
    if encoded is not None:
        if body["payload"] is not None:
            raise Problem(400, "`payload` and `payload_base64` are both there; give one")
        return decoded(encoded, "payload_base64")
    value = body["payload"]
    if value is None:
        return b""
    return value.encode() if isinstance(value, str) else json.dumps(value, ensure_ascii=False).encode()


def decoded(text: str, name: str) -> bytes:
    """Return what a text of base64 stands for. Raises a problem for what is none."""
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error) as error:
        raise Problem(400, f"`{name}` is no base64: {error}", more={"member": name}) from None


def _properties(given: dict[str, Any]) -> dict[str, Any] | None:
    if not given:
        return None
    if "correlation_data" in given:
        given["correlation_data"] = decoded(given["correlation_data"], "properties.correlation_data")
    pairs = given.get("user_properties")
    if isinstance(pairs, dict):
        pairs = list(pairs.items())
    if pairs is not None:
        good = isinstance(pairs, list) and all(
            isinstance(pair, list | tuple) and len(pair) == 2 and all(isinstance(one, str) for one in pair)
            for pair in pairs
        )
        if not good:
            raise Problem(400, "`properties.user_properties` is no object of texts, and no list of pairs")
        given["user_properties"] = [tuple(pair) for pair in pairs]
    return given
