"""Clients and their sessions, and who is banned."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from ..problem import Problem
from ..schema import Array, Boolean, Field, Integer, Nullable, Number, Object, Ref, Text
from ..source import Source
from .operation import Answer, Ask, Operation
from .paging import PAGE, page, page_of, paged
from .shapes import AT, COUNT, QOS

__all__ = ["operations"]

_SORTS = ("client_id", "connected_at", "received", "sent", "queued")
_KINDS = ("client", "user", "address")

_ID = "client identifier"

_CLIENT = [
    Field("client_id", Text(), required=True),
    Field("username", Nullable(Text()), required=True),
    Field("address", Nullable(Text()), required=True),
    Field("port", Nullable(Integer()), required=True),
    Field("version", Text(), "of MQTT: 5.0, 3.1.1, 3.1", required=True),
    Field("connected", Boolean(), required=True),
    Field("connected_at", Nullable(AT), required=True),
    Field("disconnected_at", Nullable(AT), required=True),
    Field("listener", Nullable(Text()), required=True),
    Field("keep_alive", COUNT, "seconds", required=True),
    Field("clean_start", Boolean(), required=True),
    Field("subscriptions", COUNT, required=True),
    Field("queued", COUNT, "messages that wait for it", required=True),
    Field("queued_bytes", COUNT, required=True),
    Field("inflight", COUNT, "messages that it has not acknowledged", required=True),
    Field("received", COUNT, "messages it published", required=True),
    Field("sent", COUNT, "messages it was sent", required=True),
    Field("expires_at", Nullable(AT), "when its session ends", required=True),
    Field("principal", Nullable(Text()), "whom the broker takes it for", required=True),
]
CLIENT = Ref("Client", Object(_CLIENT))

_FILTER = Object(
    [
        Field("filter", Text(), required=True),
        Field("qos", QOS, required=True),
        Field("no_local", Boolean(), required=True),
        Field("retain_as_published", Boolean(), required=True),
        Field("retain_handling", QOS, required=True),
        Field("identifier", Nullable(COUNT), required=True),
        Field("shared", Nullable(Text()), "the name of its group", required=True),
    ]
)
_WILL = Object(
    [
        Field("topic", Text(), required=True),
        Field("qos", QOS, required=True),
        Field("retain", Boolean(), required=True),
        Field("delay", Number(0), required=True),
    ]
)
_DETAIL = Ref(
    "ClientDetail",
    Object(
        [
            *_CLIENT,
            Field("filters", Array(_FILTER), required=True),
            Field("will", Nullable(_WILL), required=True),
        ]
    ),
)

_BAN = Ref(
    "Ban",
    Object(
        [
            Field("by", Text(among=_KINDS), required=True),
            Field("value", Text(), required=True),
            Field("until", Nullable(AT), "null: for good", required=True),
            Field("reason", Text(), required=True),
        ]
    ),
)

_TERMS = [
    Field("seconds", Nullable(Number(0.001, 1e10)), "how long; without it for good"),
    Field("reason", Text(max=1000), "for those who read the list; the client is not told", default=""),
]


def operations(source: Source) -> Sequence[Operation]:
    """Return what can be asked of clients, and be done with them."""
    api = _Clients(source)
    return [
        Operation(
            "GET",
            "clients",
            api.list,
            "List the sessions, connected or not",
            query=(
                Field("search", Text(1, 1000), "a part of client identifier, user name or address"),
                Field("connected", Boolean(), "only those that are, or are not"),
                Field("username", Text(), "only of this user"),
                Field("address", Text(), "only from this IP address"),
                Field("version", Text(among=("3.1", "3.1.1", "5.0")), "only of this version of MQTT"),
                Field("listener", Text(), "only by this listener"),
                Field("ids", Array(Text(), 1000), "only these client identifiers"),
                Field(
                    "sort",
                    Text(among=(*_SORTS, *(f"-{one}" for one in _SORTS))),
                    "in which order; with - descending",
                    default="client_id",
                ),
                *PAGE,
            ),
            answer=page(CLIENT),
        ),
        Operation(
            "GET",
            "clients/{id}",
            api.show,
            "Show a session with its subscriptions and its will",
            answer=_DETAIL,
            raises=(404,),
        ),
        Operation(
            "POST",
            "clients/{id}/disconnect",
            api.disconnect,
            "Close the connection of a client; its session stays",
            role="operator",
            answer=Object([Field("disconnected", Text(), _ID, required=True)]),
            raises=(404,),
        ),
        Operation(
            "DELETE",
            "clients/{id}",
            api.remove,
            "Close the connection of a client, and end its session with all that waits for it",
            role="operator",
            answer=Object([Field("removed", Text(), _ID, required=True)]),
            raises=(404,),
        ),
        Operation(
            "POST",
            "clients/{id}/ban",
            api.ban_client,
            "Close the connection of a client, and refuse it from now on",
            role="operator",
            body=Object(_TERMS),
            answer=_BAN,
            raises=(409,),
        ),
        Operation("GET", "bans", api.bans, "List who is banned", query=PAGE, answer=page(_BAN)),
        Operation(
            "POST",
            "bans",
            api.ban,
            "Ban a client, a user or an address",
            role="operator",
            body=Object(
                [
                    Field("by", Text(among=_KINDS), required=True),
                    Field("value", Text(1), required=True, example="203.0.113.7"),
                    *_TERMS,
                ]
            ),
            answer=_BAN,
            status=201,
            raises=(409,),
        ),
        Operation(
            "DELETE",
            "bans",
            api.unban,
            "Lift a ban",
            role="operator",
            query=(
                Field("by", Text(among=_KINDS), required=True),
                Field("value", Text(1), required=True),
            ),
            answer=Object([Field("removed", Text(), required=True)]),
            raises=(404,),
        ),
    ]


class _Clients:
    def __init__(self, source: Source) -> None:
        self._source = source

    def list(self, ask: Ask) -> Any:
        chosen = {name: value for name, value in ask.query.items() if name not in ("limit", "cursor")}
        native = self._source.run().native
        return paged(ask, lambda limit, after: native.clients(limit, after, **chosen))

    def show(self, ask: Ask) -> Any:
        found = self._source.run().native.client(ask.path["id"])
        if found is None:
            raise _unknown(ask.path["id"])
        return found

    def disconnect(self, ask: Ask) -> Any:
        if not self._source.run().native.disconnect(ask.path["id"]):
            raise _unknown(ask.path["id"], "connected client")
        return {"disconnected": ask.path["id"]}

    def remove(self, ask: Ask) -> Any:
        if not self._source.run().native.end_session(ask.path["id"]):
            raise _unknown(ask.path["id"])
        return {"removed": ask.path["id"]}

    def ban_client(self, ask: Ask) -> Any:
        return self._ban("client", ask.path["id"], ask.body)

    def ban(self, ask: Ask) -> Any:
        return Answer(self._ban(ask.body["by"], ask.body["value"], ask.body), 201)

    def _ban(self, by: str, value: str, terms: Any) -> dict[str, Any]:
        native, seconds = self._source.run().native, terms["seconds"]
        try:
            native.ban(by, value, seconds, terms["reason"])
        except ValueError as error:
            raise Problem(400, str(error)) from None
        until = None if seconds is None else time.time() + seconds
        return {"by": by, "value": value, "until": until, "reason": terms["reason"]}

    def bans(self, ask: Ask) -> Any:
        bans = [
            {"by": by, "value": value, "until": until, "reason": reason}
            for by, value, until, reason in self._source.run().native.bans()
        ]
        bans.sort(key=lambda ban: (ban["until"] is None, ban["until"] or 0.0, ban["by"], ban["value"]))
        return page_of(ask, bans)

    def unban(self, ask: Ask) -> Any:
        by, value = ask.query["by"], ask.query["value"]
        try:
            lifted = self._source.run().native.unban(by, value)
        except ValueError as error:
            raise Problem(400, str(error)) from None
        if not lifted:
            raise Problem(404, f"the {by} {value!r} is not banned")
        return {"removed": value}


def _unknown(name: str, what: str = "session") -> Problem:
    return Problem(404, f"there is no {what} of the client {name[:100]!r}", help="GET clients lists them")
