"""Every operation by every role: what the table says, and what the table may say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .exchange import ROLES, HttpSite, check_api, quoted

WHO = (None, *ROLES)

# What the contract gives to less than operators and admins, beside reading.
FOR_ANYONE = {
    "get_session",
    "post_session",
    "delete_session",
    "get_shared_token",
    "get_shared_token_chart",
}
FOR_VIEWERS = {"put_session_password", "post_security_explain"}
ONLY_FOR_ADMINS = {
    "get_accounts",
    "post_accounts",
    "patch_accounts_name",
    "delete_accounts_name",
    "get_tokens",
    "post_tokens",
    "delete_tokens_id",
    "get_users",
    "put_users_name",
    "delete_users_name",
    "get_acl",
    "put_acl",
    "post_reload",
    "post_hooks_name_run",
    "post_dashboards_id_share",
    "delete_dashboards_id_share",
    "put_rules_name",
    "delete_rules_name",
}


def operations(site: HttpSite) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path with names filled in, and the description, of everything that there is."""
    document = site.ask("GET", "/api/openapi.json").json()
    for template, methods in document["paths"].items():
        path = template
        while "{" in path:
            head, _, rest = path.partition("{")
            path = head + quoted("no/such") + rest.partition("}")[2]
        for method, described in methods.items():
            yield method.upper(), path, described


def is_let_in(site: HttpSite, method: str, path: str, who: str | None, via: str) -> bool:
    """Whether a role may: asked with a parameter that there is not, so nothing is done."""
    answer = site.ask(method, f"{path}?no_such_parameter=1", who=who, via=via, headers={"X-HookMQ": "1"})
    check_api(answer)
    assert answer.status in (400, 401, 403), (method, path, answer)
    if answer.status == 401:
        assert who is None, (method, path, answer)
    if answer.status == 403:
        assert answer.json()["code"] == "forbidden", (method, path, answer)
    return answer.status == 400


@pytest.mark.parametrize("via", ["cookie", "token"])
@pytest.mark.parametrize("who", WHO, ids=str)
def test_every_operation(site, attack, who, via):
    rank = -1 if who is None else ROLES.index(who)
    count = 0
    for method, path, described in operations(site):
        needed = described["x-role"]
        may = needed == "anyone" or rank >= ROLES.index(needed)
        with attack():
            assert is_let_in(site, method, path, who, via) == may, (method, path, needed, who)
        count += 1
    assert count > 60


def test_the_table_gives_nobody_more_than_it_should(site, attack):
    ids = set()
    for method, path, described in operations(site):
        id, role = described["operationId"], described["x-role"]
        ids.add(id)
        with attack():
            if id in ONLY_FOR_ADMINS:
                assert role == "admin", id
            elif id in FOR_ANYONE:
                assert role == "anyone", id
            elif id in FOR_VIEWERS or method == "GET":
                assert role in ("viewer", "admin"), id
            else:
                assert role in ("operator", "admin"), (id, path)
    assert ids >= FOR_ANYONE | FOR_VIEWERS | ONLY_FOR_ADMINS, (
        FOR_ANYONE | FOR_VIEWERS | ONLY_FOR_ADMINS
    ) - ids


OTHERS = [
    "/metrics",
    "/crystalmq/api/v1/devices",
    "/bwiot/api/v1/subscriptions",
    "/crystalmq/api/v1/device/list",
]


@pytest.mark.parametrize("path", OTHERS)
def test_what_is_beside_the_table_asks_as_well(site, attack, path):
    with attack():
        assert site.ask("GET", path).status == 401
        assert site.ask("GET", path, headers={"Authorization": "Bearer " + "x" * 43}).status == 401
    assert site.ask("GET", path, who="viewer").status == 200


@pytest.mark.parametrize("call", ["clientsend", "client/send", "sendall", "topic/send_command"])
def test_the_old_product_s_changes(site, attack, call):
    body = b"clientid=x&topic=old&message=1"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for headers, expected in (
        ({}, (401, 403)),
        ({"Cookie": site.cookies["admin"]}, (401, 403)),
        ({"Cookie": site.cookies["admin"], "Origin": "http://evil.example"}, (401, 403)),
        ({"Authorization": f"Bearer {site.tokens['viewer']}"}, (403,)),
        ({"Authorization": site.cookies["viewer"].partition("=")[2]}, (403,)),
        ({"Authorization": "x" * 43}, (401,)),
    ):
        with attack():
            answer = site.ask("POST", f"/crystalmq/api/v1/{call}", body, headers=form | headers)
            assert answer.status in expected, answer
            assert site.get("topics/value?topic=old").status == 404


SECRETS = ("$argon2", "secret of a pump", "hmq_")


@pytest.mark.parametrize("who", ROLES)
def test_no_answer_has_a_secret(site, attack, who):
    secrets = (
        *SECRETS,
        *(cookie.partition("=")[2] for cookie in site.cookies.values()),
        site.start.local_token,
        site.start.link,
    )
    for method, path, described in operations(site):
        if method == "GET" and "{" not in described.get("operationId", ""):
            with attack():
                answer = site.ask("GET", path, who=who)
                for secret in secrets:
                    assert secret.encode() not in answer.body, (path, secret)
