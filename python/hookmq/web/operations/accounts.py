"""Accounts of those who log in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..access.access import Access
from ..access.account import Account, composed
from ..schema import Field, Nullable, Number, Object, Ref, Schema, Text
from .operation import Answer, Ask, Operation
from .paging import PAGE, page, page_of
from .session import PASSWORD

__all__ = ["ROLE", "operations"]

ROLE = Text(among=("viewer", "operator", "admin"))
"""What somebody may."""

_NAME = Text(1, 64)

_ACCOUNT: Schema = Ref(
    "Account",
    Object(
        [
            Field("name", Text(), required=True),
            Field("role", ROLE, required=True),
            Field("created_at", Number(), required=True),
            Field("last_login_at", Nullable(Number()), required=True),
        ]
    ),
)


def operations(access: Access) -> Sequence[Operation]:
    """Return what can be asked of accounts, and be done with them."""

    def described(name: str) -> dict[str, Any]:
        return next(_plain(one) for one in access.accounts() if one.name == composed(name))

    def listed(ask: Ask) -> dict[str, Any]:
        return page_of(ask, [_plain(one) for one in access.accounts()])

    def add(ask: Ask) -> Answer:
        name = ask.body["name"]
        access.add_account(name, ask.body["password"], ask.body["role"])
        headers = {}
        if ask.identity.via == "link":
            # Its session is over with the first account: it goes on as that one.
            headers["Set-Cookie"] = access.begin(ask.request, name).cookie
        return Answer(described(name), status=201, headers=headers)

    def change(ask: Ask) -> dict[str, Any]:
        name = ask.path["name"]
        access.change_account(name, role=ask.body["role"], password=ask.body["password"])
        return described(name)

    def remove(ask: Ask) -> None:
        access.remove_account(ask.path["name"])

    return [
        Operation(
            "GET",
            "accounts",
            listed,
            "List the accounts",
            "admin",
            query=PAGE,
            answer=page(_ACCOUNT),
            raises=(503,),
        ),
        Operation(
            "POST",
            "accounts",
            add,
            "Add an account",
            "admin",
            body=Object(
                [
                    Field("name", _NAME, required=True),
                    Field("password", PASSWORD, "of 8 characters at least", required=True),
                    Field("role", ROLE, required=True),
                ]
            ),
            answer=_ACCOUNT,
            status=201,
            description="The first one must be an admin's; from then on everybody has to log in. "
            "A session of the first start's link becomes one of the new account.",
            raises=(409, 422, 429, 503),
            example={"name": "anna", "password": "correct horse", "role": "admin"},
        ),
        Operation(
            "PATCH",
            "accounts/{name}",
            change,
            "Change an account's role or password",
            "admin",
            body=Object([Field("role", Nullable(ROLE)), Field("password", Nullable(PASSWORD))]),
            answer=_ACCOUNT,
            description="Its sessions end. The last admin stays one.",
            raises=(404, 409, 422, 429, 503),
            example={"role": "operator"},
        ),
        Operation(
            "DELETE",
            "accounts/{name}",
            remove,
            "Remove an account",
            "admin",
            status=204,
            description="Its sessions end. The last admin cannot be removed.",
            raises=(404, 409, 503),
        ),
    ]


def _plain(account: Account) -> dict[str, Any]:
    return {
        "name": account.name,
        "role": account.role,
        "created_at": account.created_at,
        "last_login_at": account.last_login_at,
    }
