"""Sessions that were chosen, tokens that were guessed, and passwords that were tried: over HTTP."""

from __future__ import annotations

import secrets
import stat
import time

import pytest

from .exchange import PASSWORD, check_api, quoted, somewhere


@pytest.fixture(scope="module")
def own(start):
    """A broker of this file's own: after these tests nobody can log in for a while."""
    from .exchange import HttpSite

    site = HttpSite(start())
    site.settle()
    return site


def login(site, name, password, **headers):
    return site.do(
        "POST", "session", {"name": name, "password": password}, None, headers=site.page(**headers)
    )


def test_a_session_that_somebody_chose(site, attack):
    for chosen in ("A" * 43, secrets.token_urlsafe(32), "", "x", "A" * 5000, "../../x", "é"):
        with attack():
            answer = login(
                site,
                "vera",
                PASSWORD,
                Cookie=f"hookmq_session_{site.port}={chosen}",
                X_Forwarded_For=somewhere(),
            )
            check_api(answer)
            given = answer.header("set-cookie").partition(";")[0].partition("=")[2]
            assert given and given != chosen
            assert (
                site.get("session", None, headers={"Cookie": f"hookmq_session_{site.port}={chosen}"}).json()[
                    "user"
                ]
                is None
            )


def test_a_session_of_somebody_else_s_is_not_taken_over_by_a_login(site, attack):
    with attack():
        mine = (
            login(site, "vera", PASSWORD, X_Forwarded_For=somewhere()).header("set-cookie").partition(";")[0]
        )
        theirs = (
            login(site, "otto", PASSWORD, Cookie=mine, X_Forwarded_For=somewhere())
            .header("set-cookie")
            .partition(";")[0]
        )
        assert mine != theirs
        assert site.get("session", None, headers={"Cookie": mine}).json()["user"] is None
        assert site.get("session", None, headers={"Cookie": theirs}).json()["user"]["name"] == "otto"


def test_two_sessions_in_one_header(site, attack):
    for pair in (("viewer", "admin"), ("admin", "viewer")):
        with attack():
            both = "; ".join(site.cookies[one] for one in pair)
            assert site.get("session", None, headers={"Cookie": both}).json()["user"] is None


def test_a_session_that_has_ended(site, attack):
    with attack():
        cookie = site.login("vera")
        assert site.get("session", None, headers={"Cookie": cookie}).json()["user"]["name"] == "vera"
        ended = site.do("DELETE", "session", None, None, headers=site.page(Cookie=cookie))
        assert ended.status == 204
        left = ended.header("set-cookie").partition(";")[0]
        for one in (cookie, left):
            assert site.get("hooks", None, headers={"Cookie": one}).status == 401


GUESSES = [
    "",
    "hmq_",
    "null",
    "undefined",
    "true",
    "admin",
    "*",
    "%",
    "hmq_" + "A" * 43,
    "hmq_" + "\x00",
    "' OR '1'='1",
    "hmq_é",
    "hmq_" + "A" * 60_000,
    "eyJhbGciOiJub25lIn0.eyJyb2xlIjoiYWRtaW4ifQ.",
    "Bearer",
    "[object Object]",
    "0",
    "hmq_*",
    "a, b",
    "None",
]


@pytest.mark.parametrize("token", GUESSES, ids=lambda token: token[:20])
def test_tokens_that_were_guessed(site, fresh, attack, token):
    for scheme in ("Bearer", "bearer", "Bearer "):
        for one in (site, fresh):
            with attack():
                answer = one.get("accounts", None, headers={"Authorization": f"{scheme} {token}"})
                assert answer.status in (400, 401), answer


@pytest.mark.parametrize("role", ["viewer", "operator", "admin"])
def test_a_token_that_is_almost_right(site, attack, role):
    token = site.tokens[role]
    for wrong in (
        token[:-1],
        token + "A",
        token.swapcase(),
        token[4:],
        "HMQ_" + token[4:],
        token[:20],
        f'"{token}"',
        token + "\t.",
        token[::-1],
    ):
        with attack():
            assert site.get("hooks", None, headers={"Authorization": f"Bearer {wrong}"}).status == 401


@pytest.mark.parametrize("place", ["token", "access_token", "api_key", "authorization", "hookmq_session"])
def test_a_token_in_an_address_is_none(site, attack, place):
    """Addresses are in logs and histories."""
    with attack():
        assert site.get(f"hooks?{place}={site.tokens['admin']}", None).status in (400, 401)
    with attack():
        assert site.get("hooks", None, headers={"Cookie": f"{place}={site.tokens['admin']}"}).status == 401


def test_the_link_is_worth_nothing_any_more(site, attack):
    for token in (site.start.link, site.start.link[:-1], "", site.start.local_token, None):
        with attack():
            answer = site.do(
                "POST", "session", {"token": token}, None, headers=site.page(X_Forwarded_For=somewhere())
            )
            assert answer.status in (400, 401), answer
            assert not answer.all("set-cookie")
    with attack():
        assert site.ask("GET", f"/?token={site.start.link}").all("set-cookie") == []


def test_what_can_be_guessed_of_a_link(fresh, attack):
    link = fresh.start.link
    for token in (link[:-1], link + "A", link.swapcase(), link[::-1]):
        with attack():
            assert (
                fresh.do(
                    "POST", "session", {"token": token}, None, headers=fresh.page(X_Forwarded_For=somewhere())
                ).status
                == 401
            )


def test_an_account_of_one_s_own_is_nobody_else_s(site, attack):
    for method, path, body in (
        ("POST", "accounts", {"name": "eve", "password": PASSWORD, "role": "admin"}),
        ("PATCH", "accounts/vera", {"role": "admin"}),
        ("PATCH", "accounts/anna", {"password": PASSWORD}),
        ("DELETE", "accounts/anna", None),
        ("POST", "tokens", {"name": "eve", "role": "admin"}),
    ):
        for who in ("viewer", "operator"):
            for via in ("cookie", "token"):
                with attack():
                    assert site.do(method, path, body, who, via=via).status == 403
    with attack():
        answer = site.do(
            "PUT",
            "session/password",
            {"old": PASSWORD, "new": PASSWORD, "role": "admin"},
            "viewer",
            via="cookie",
        )
        assert answer.status == 400
    with attack():
        assert (
            site.do(
                "PUT", "session/password", {"old": PASSWORD, "new": PASSWORD}, "viewer", via="token"
            ).status
            == 409
        )


def test_what_lies_in_the_data_directory_is_its_owner_s(site, attack):
    data = site.start.directory / "data"
    for name in ("accounts.json", "api-token"):
        with attack():
            assert stat.S_IMODE((data / name).stat().st_mode) == 0o600
    text = (data / "accounts.json").read_text()
    for secret in (
        PASSWORD,
        *site.tokens.values(),
        *(cookie.partition("=")[2] for cookie in site.cookies.values()),
    ):
        with attack():
            assert secret not in text


# At the end, because nobody can log in for a while then -----------------------------------------------------


def test_names_that_are_not_there_take_as_long(own, attack):
    def seconds(name: str) -> float:
        began = time.perf_counter()
        assert login(own, name, "wrong horse").status == 401
        return time.perf_counter() - began

    with attack():
        # From addresses of their own, as a proxy on this machine names them.
        known, unknown = [], []
        for number in range(4):
            for name, times in (("anna", known), (f"nobody{number}", unknown)):
                began = time.perf_counter()
                answer = login(own, name, "wrong horse", X_Forwarded_For=f"10.1.{number}.{len(name)}")
                times.append(time.perf_counter() - began)
                assert answer.status == 401, answer
        assert 0.3 < min(known) / min(unknown) < 3, (known, unknown)


def test_passwords_are_not_to_be_tried(own, attack):
    statuses = []
    for number in range(20):
        with attack():
            answer = login(own, "otto", f"wrong horse {number}")
            check_api(answer)
            statuses.append(answer.status)
            if answer.status == 429:
                assert 1 <= int(answer.header("retry-after")) <= 60
                assert answer.json()["code"] == "too_many_requests"
    assert statuses[:5] == [401] * 5 and set(statuses[5:]) == {429}
    with attack():
        assert login(own, "otto", PASSWORD).status == 429, "not with the right one either"
    with attack():
        assert login(own, quoted("otto"), PASSWORD).status == 429, "nor by another name"
    for headers in (
        {"X_Real_IP": "10.0.0.1"},
        {"X_Client_IP": "10.0.0.1"},
        {"Forwarded": "for=10.0.0.1"},
        {"Via": "x"},
    ):
        with attack():
            assert login(own, "otto", PASSWORD, **headers).status == 429, (
                "nor by what only says that it is a proxy"
            )
    with attack():
        assert login(own, "vera", PASSWORD).status == 200, "others at the address get in"
    with attack():
        known = login(own, "otto", PASSWORD, Cookie=own.cookies["operator"])
        assert known.status == 200, "and so does he, where he has logged in before"
    own.cookies["operator"] = known.header("set-cookie").partition(";")[0]
    assert own.get("hooks", "operator", via="cookie").status == 200, "who is logged in stays so"
