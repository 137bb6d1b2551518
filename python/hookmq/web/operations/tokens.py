"""API tokens of programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..access.access import Access
from ..access.token import ApiToken
from ..schema import Field, Nullable, Number, Object, Ref, Schema, Text
from .accounts import ROLE
from .operation import Answer, Ask, Operation
from .paging import PAGE, page, page_of

__all__ = ["operations"]

_LONGEST = 100 * 366 * 86_400.0

_MEMBERS = (
    Field("id", Text(), required=True),
    Field("name", Text(), required=True),
    Field("role", ROLE, required=True),
    Field("created_at", Number(), required=True),
    Field("expires_at", Nullable(Number()), "null: never", required=True),
    Field("last_used_at", Nullable(Number()), required=True),
)

_TOKEN: Schema = Ref("Token", Object(_MEMBERS))
_NEW_TOKEN: Schema = Ref(
    "NewToken", Object([*_MEMBERS, Field("token", Text(), "is shown this once", required=True)])
)


def operations(access: Access) -> Sequence[Operation]:
    """Return what can be asked of API tokens, and be done with them."""

    def listed(ask: Ask) -> dict[str, Any]:
        return page_of(ask, [_plain(one) for one in access.tokens()])

    def add(ask: Ask) -> Answer:
        token, secret = access.add_token(ask.body["name"], ask.body["role"], ask.body["expires_in"])
        return Answer({**_plain(token), "token": secret}, status=201)

    def remove(ask: Ask) -> None:
        access.remove_token(ask.path["id"])

    return [
        Operation(
            "GET",
            "tokens",
            listed,
            "List the API tokens",
            "admin",
            query=PAGE,
            answer=page(_TOKEN),
            raises=(503,),
        ),
        Operation(
            "POST",
            "tokens",
            add,
            "Make an API token",
            "admin",
            body=Object(
                [
                    Field("name", Text(1, 64), "what it is for", required=True),
                    Field("role", ROLE, required=True),
                    Field("expires_in", Nullable(Number(1, _LONGEST)), "seconds; null: never"),
                ]
            ),
            answer=_NEW_TOKEN,
            status=201,
            raises=(409, 422, 503),
            example={"name": "grafana", "role": "viewer", "expires_in": 2_592_000},
        ),
        Operation(
            "DELETE",
            "tokens/{id}",
            remove,
            "Remove an API token",
            "admin",
            status=204,
            raises=(404, 503),
        ),
    ]


def _plain(token: ApiToken) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "role": token.role,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
    }
