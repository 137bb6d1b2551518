"""Who is logged in, logging in and out, and one's own password."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from typing import Any

from ..._hookmq import __version__
from ..access.access import Access, Login
from ..access.identity import Identity
from ..problem import Problem
from ..schema import Boolean, Field, Nullable, Object, Ref, Schema, Text
from .operation import Answer, Ask, Operation

__all__ = ["PASSWORD", "operations"]

PASSWORD = Text(1, 1024, format="password")
"""A password as it is sent; whether a new one is long enough is said when it is kept."""

_USER = Object(
    [
        Field("name", Text(), required=True),
        Field("role", Text(among=("viewer", "operator", "admin")), required=True),
        Field("via", Text(among=("session", "token", "local", "link")), required=True),
    ]
)

_SESSION: Schema = Ref(
    "Session",
    Object(
        [
            Field("user", Nullable(_USER), "who asks; null: nobody", required=True),
            Field("setup", Boolean(), "there is no account yet", required=True),
            Field("version", Text(), "of HookMQ", required=True),
            Field("hostname", Text(), "of the machine on which the broker runs", required=True),
            Field("dashboard", Boolean(), "the broker serves its pages", required=True),
        ]
    ),
)


def operations(access: Access, *, dashboard: bool = True) -> Sequence[Operation]:
    """Return what can be asked of a session, and be done with it; ``dashboard`` is the setting."""

    def described(identity: Any) -> dict[str, Any]:
        nobody = identity.role is None
        user = {"name": identity.name, "role": identity.role, "via": identity.via}
        return {
            "user": None if nobody else user,
            "setup": access.setup,
            "version": __version__,
            "hostname": platform.node(),
            "dashboard": dashboard,
        }

    def begun(login: Login) -> Answer:
        return Answer(described(login.identity), headers={"Set-Cookie": login.cookie})

    def begin(ask: Ask) -> Answer:
        name, password, token = (ask.body[member] for member in ("name", "password", "token"))
        if token is not None:
            if name is not None or password is not None:
                raise Problem(400, "`token` stands alone, without `name` and `password`")
            return begun(access.enter(ask.request, token))
        if name is None or password is None:
            raise Problem(400, f"`{'name' if name is None else 'password'}` is missing")
        return begun(access.login(ask.request, name, password))

    def end(ask: Ask) -> Answer:
        access.check_change(ask.request)
        return Answer(None, status=204, headers={"Set-Cookie": access.logout(ask.request)})

    def change_password(ask: Ask) -> Answer:
        identity = ask.identity
        assert isinstance(identity, Identity)
        return begun(access.change_password(ask.request, identity, ask.body["old"], ask.body["new"]))

    return [
        Operation(
            "GET", "session", lambda ask: described(ask.identity), "Who asks", "anyone", answer=_SESSION
        ),
        Operation(
            "POST",
            "session",
            begin,
            "Log in",
            "anyone",
            body=Object(
                [
                    Field("name", Nullable(Text(1, 200)), "of the account"),
                    Field("password", Nullable(PASSWORD)),
                    Field(
                        "token",
                        Nullable(Text(1, 200)),
                        "of the link that is printed while there is no account",
                    ),
                ]
            ),
            answer=_SESSION,
            description="Needs the header `X-HookMQ: 1`. Sets the cookie `hookmq_session_PORT`, "
            "named after the broker's HTTP port.",
            raises=(401, 429, 503),
            example={"name": "anna", "password": "correct horse"},
            before=access.check_login,
        ),
        Operation(
            "DELETE",
            "session",
            end,
            "Log out",
            "anyone",
            status=204,
            description="Needs the header `X-HookMQ: 1`. Without a session nothing happens.",
        ),
        Operation(
            "PUT",
            "session/password",
            change_password,
            "Change one's own password",
            "viewer",
            body=Object([Field("old", PASSWORD, required=True), Field("new", PASSWORD, required=True)]),
            answer=_SESSION,
            description="All other sessions of the account end.",
            raises=(409, 422, 429),
            example={"old": "correct horse", "new": "battery staple"},
        ),
    ]
