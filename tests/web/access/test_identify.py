"""Who a request comes from: the rules in their order, and what pages of somebody else's cannot do."""

from __future__ import annotations

import json

import pytest

from hookmq import api_token
from hookmq.web.access import ROLES, Identity, Refusal
from hookmq.web.api import Api
from hookmq.web.operations.operation import Operation

from .conftest import HOST, PASSWORD, ask, page


def refused(function, *arguments) -> tuple[int, str]:
    with pytest.raises(Refusal) as caught:
        function(*arguments)
    return caught.value.status, caught.value.code


# A program of this machine ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "127.9.9.9", "[::1]:8080", "localhost."]
)
@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_a_program_of_this_machine_is_an_admin_while_there_is_no_account(make, host, address):
    identity = make().identify(ask(host=host, address=address))
    assert (identity.name, identity.role, identity.via) == ("local", "admin", "local")


FOREIGN = {
    "another machine": {"address": "10.0.0.9", "host": "10.0.0.1"},
    "another machine, which says it is this one": {"address": "10.0.0.9"},
    "a name that is not of the loopback interface": {"host": "10.0.0.1:8080"},
    "a proxy": {"x_forwarded_for": "10.0.0.9"},
    "a proxy that says nothing": {"x_forwarded_for": ""},
    "a proxy by RFC 7239": {"forwarded": "for=10.0.0.9"},
    "a proxy with via": {"via": "1.1 proxy"},
    "nginx": {"x_real_ip": "10.0.0.9"},
    "a proxy of TLS": {"x_forwarded_proto": "https"},
    "a proxy that names its host": {"x_forwarded_host": "broker.example"},
    "an old proxy": {"x_forwarded": "for=10.0.0.9"},
    "Cloudflare": {"cf_connecting_ip": "10.0.0.9"},
    "a page of ours": {"origin": f"http://{HOST}"},
    "a page of ours that only reads": {"sec_fetch_site": "same-origin"},
    "an address typed into a browser": {"sec_fetch_site": "none", "sec_fetch_mode": "navigate"},
    "a page of others": {"origin": "http://evil.example"},
    "an image in a page of others": {"sec_fetch_site": "cross-site", "sec_fetch_dest": "image"},
    "an old browser": {"referer": "http://evil.example/"},
}


@pytest.mark.parametrize("case", FOREIGN.values(), ids=FOREIGN)
def test_nobody_else_is(make, case):
    assert make().identify(ask(**case)).is_nobody


@pytest.mark.parametrize("settings", [{"base": "/mqtt-broker"}, {"hosts": ["broker.example"]}])
def test_behind_a_proxy_that_says_nothing_strangers_need_the_link(make, settings):
    """As nginx is with `proxy_pass` alone: they come from this machine, and call it by its address."""
    access = make(**settings)
    for request in (ask(), ask("POST", x_hookmq="1")):
        for who in (access.identify(request), access.check_socket(request)):
            assert who.is_nobody
            assert "open the link" in who.help
    assert access.enter(page(), access.link_token).identity.may("admin")


def test_once_there_is_an_account_a_program_is_nobody(access):
    identity = access.identify(ask())
    assert (identity.via, identity.role, identity.reason) == ("nobody", None, "nobody is logged in")
    assert not any(identity.may(role) for role in ROLES)


def test_a_program_changes_something_only_with_the_header(make):
    access = make()
    assert access.identify(ask("POST", x_hookmq="1")).may("admin")
    assert refused(access.identify, ask("POST")) == (403, "csrf")
    assert refused(access.identify, ask("DELETE", x_hookmq="0")) == (403, "csrf")


# Names ------------------------------------------------------------------------------------------------------

REBOUND = [
    "evil.example",
    "evil.example:8080",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "evil",
    "",
    "a b",
    "localhost@evil.example",
    "localhost:8080:1",
    "localhost:99999",
    "2130706433",
    "0x7f.1",
    "127.1",
    "[::1",
    "/",
]


@pytest.mark.parametrize("host", REBOUND)
def test_a_name_that_is_none_of_ours_is_refused_with_the_key_to_set(make, access, host):
    login = access.login(page(), "anna", PASSWORD)
    for one in (make(), access):
        for request in (ask(host=host), ask("POST", host=host, x_hookmq="1"), page(host=host, cookie=login)):
            assert refused(one.identify, request) == (403, "forbidden")
            assert refused(one.check_socket, request) == (403, "forbidden")
    with pytest.raises(Refusal) as caught:
        access.identify(ask(host="evil.example"))
    assert caught.value.detail == "the broker is not called `evil.example`"
    assert caught.value.help == "add the name to http_hosts in the configuration"


@pytest.mark.parametrize(
    "host", ["broker.example", "Broker.Example.:8080", "other.example:8443", "10.0.0.1", "[fe80::1]"]
)
def test_names_of_the_configuration_and_addresses(make, host):
    access = make(hosts=["broker.example", "other.example:8443"])
    access.identify(ask(host=host))
    assert refused(access.identify, ask(host="other.example")) == (403, "forbidden")


def test_any_name(make):
    assert make(hosts=["*"]).identify(ask(host="evil.example", address="10.0.0.9")).is_nobody
    assert refused(make(hosts=["*"]).identify, ask(host="a b")) == (403, "forbidden")


def test_who_has_a_token_may_call_it_as_he_likes(access):
    _, secret = access.add_token("grafana", "viewer")
    assert access.identify(ask(host="grafana.internal", authorization=f"Bearer {secret}")).via == "token"


# Sessions ---------------------------------------------------------------------------------------------------


def test_a_session(access):
    login = access.login(page(), "otto", PASSWORD)
    assert login.cookie.endswith("; Path=/; Max-Age=2592000; HttpOnly; SameSite=Strict")
    identity = access.identify(page("GET", cookie=login))
    assert identity == login.identity
    assert (identity.name, identity.role, identity.via) == ("otto", "operator", "session")
    assert (identity.may("operator"), identity.may("admin")) == (True, False)
    assert access.identify(page("POST", cookie=login)) == identity


CROSS = {
    "the header is missing": {"x_hookmq": ""},
    "another origin": {"origin": "http://evil.example"},
    "another port of this host": {"origin": "http://localhost:3000"},
    "a page from a file": {"origin": "null"},
    "no origin at all": {"origin": ""},
    "an origin that is none": {"origin": "http://localhost:8080@evil.example"},
    "an origin with a path": {"origin": f"http://{HOST}/x"},
    "another scheme": {"origin": f"ftp://{HOST}"},
    "an extension of a browser": {"origin": f"chrome-extension://{HOST}"},
}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "post", "LINK"])
@pytest.mark.parametrize("case", CROSS.values(), ids=CROSS)
def test_a_page_of_others_changes_nothing(access, case, method):
    login = access.login(page(), "anna", PASSWORD)
    assert refused(access.identify, page(method, cookie=login, **case)) == (403, "csrf")


@pytest.mark.parametrize("site", ["cross-site", "same-site", "Cross-Site"])
def test_a_browser_that_says_another_site_asks_is_believed(access, site):
    login = access.login(page(), "anna", PASSWORD)
    assert access.identify(page("GET", cookie=login, sec_fetch_site=site)).is_nobody
    assert access.identify(page("POST", cookie=login, sec_fetch_site=site)).is_nobody


def test_a_foreign_page_cannot_log_anybody_in(access):
    for case in (*CROSS.values(), {"sec_fetch_site": "same-site"}):
        assert refused(access.login, page(**case), "anna", PASSWORD) == (403, "csrf")
        assert refused(access.enter, page(**case), "x") == (403, "csrf")


def test_origins_behind_a_proxy_that_does_not_hand_the_host_on(make):
    access = make(hosts=["broker.example", "other.example:8443"])
    access.add_account("anna", PASSWORD, "admin")
    for origin in ("https://broker.example", "http://broker.example", "https://other.example:8443"):
        assert access.login(page(origin=origin), "anna", PASSWORD).identity.may("admin")
    for origin in ("https://broker.example:3000", "https://other.example", "https://x.broker.example"):
        assert refused(access.login, page(origin=origin), "anna", PASSWORD) == (403, "csrf")


def test_with_tls_pages_without_are_foreign_and_cookies_are_secure(make):
    access = make(secure=True)
    access.add_account("anna", PASSWORD, "admin")
    login = access.login(page(origin=f"https://{HOST}"), "anna", PASSWORD)
    assert login.cookie.endswith("; SameSite=Strict; Secure")
    assert refused(access.identify, page(cookie=login)) == (403, "csrf")


def test_behind_a_proxy_with_tls_cookies_are_secure(access):
    assert access.login(page(x_forwarded_proto="https"), "anna", PASSWORD).cookie.endswith("; Secure")
    assert "Secure" not in access.login(page(), "anna", PASSWORD).cookie


@pytest.mark.parametrize(
    "cookie",
    [
        "hookmq_session=",
        "hookmq_session=" + "A" * 43,
        "hookmq_session=" + "A" * 9000,
        "hookmq_session",
        "=;=",
        "é",
        "hookmq_session=../../etc",
        "hookmq_session=\x00",
    ],
)
def test_a_cookie_that_is_no_session(access, cookie):
    assert access.identify(page("GET", cookie=cookie)).is_nobody


def test_a_second_cookie_of_that_name_is_put_there_by_somebody_else(access):
    mine, other = (access.login(page(), name, PASSWORD) for name in ("anna", "vera"))
    both = "; ".join(one.cookie.partition(";")[0] for one in (mine, other))
    assert access.identify(page("GET", cookie=both)).is_nobody
    twice = "; ".join([mine.cookie.partition(";")[0]] * 2)
    assert access.identify(page("GET", cookie=twice)).name == "anna"


# API tokens -------------------------------------------------------------------------------------------------


def test_an_api_token(access, clock):
    _, secret = access.add_token("grafana", "viewer", expires_in=60)
    request = ask("POST", address="10.0.0.9", host="10.0.0.1", authorization=f"bearer  {secret}")
    identity = access.identify(request)
    assert (identity.name, identity.role, identity.via) == ("grafana", "viewer", "token")
    assert secret.startswith("hmq_") and len(secret) == 47
    assert access.tokens()[0].last_used_at == clock.now
    clock.now += 61
    assert access.identify(request).reason == "the API token has expired"
    assert not access.holds(identity)


@pytest.mark.parametrize("value", ["", "hmq_", "hmq_" + "A" * 43, "é", "x" * 9000, "null", "undefined"])
def test_a_token_that_is_none_is_nobody_whatever_else_there_is(make, access, value):
    login = access.login(page(), "anna", PASSWORD)
    identity = access.identify(page("GET", cookie=login, authorization=f"Bearer {value}"))
    assert (identity.via, identity.reason) == ("nobody", "the API token is not known")


def test_the_api_says_why_somebody_is_nobody_and_what_to_do(access, clock):
    api = Api(lambda: [Operation("GET", "x", lambda ask: 1, "X")], access, "1")
    login = access.login(page(), "anna", PASSWORD)
    _, token = access.add_token("grafana", "viewer", expires_in=60)
    assert api.answer(ask(authorization=f"Bearer {token}")).status == 200
    clock.now += 365 * 86_400
    for request, detail, remedy in (
        (ask(), "nobody is logged in", "log in, or send an API token"),
        (ask(cookie=login), "the session has ended", "log in again"),
        (ask(authorization=f"Bearer {token}"), "the API token has expired", "hookmq tokens add"),
        (ask(authorization="Bearer hmq_x"), "the API token is not known", "hookmq tokens add"),
    ):
        reply = api.answer(request)
        told = json.loads(reply.body)
        assert (reply.status, told["detail"]) == (401, detail)
        assert remedy in told["help"] and "link" not in told["help"]


def test_what_a_proxy_asks_for_in_authorization_is_not_ours(access):
    login = access.login(page(), "anna", PASSWORD)
    assert access.identify(page(cookie=login, authorization="Basic YTpi")).name == "anna"


def test_the_local_token(tmp_path, make):
    token = api_token.write(tmp_path)
    access = make(local_token=token)
    access.add_account("anna", PASSWORD, "admin")
    identity = access.identify(ask("POST", authorization=f"Bearer {token}"))
    assert (identity.role, identity.via, access.holds(identity)) == ("admin", "local", True)
    assert (
        make(local_token=api_token.write(tmp_path)).identify(ask(authorization=f"Bearer {token}")).is_nobody
    )


def test_without_a_local_token_none_is_right(make):
    access = make(None)
    assert access.identify(ask(authorization="Bearer None")).is_nobody
    assert access.identify(ask(authorization="Bearer ")).is_nobody


# The link of the first start --------------------------------------------------------------------------------


def test_the_link_holds_until_there_is_an_account(make):
    access = make()
    assert access.identify(page("GET")).is_nobody
    login = access.enter(page(), access.link_token)
    assert (login.identity.role, login.identity.via) == ("admin", "link")
    assert access.identify(page(cookie=login)) == login.identity
    token = access.link_token
    access.add_account("anna", PASSWORD, "admin")
    assert access.link_token is None
    assert access.identify(page("GET", cookie=login)).is_nobody
    assert not access.holds(login.identity)
    assert refused(access.enter, page(), token) == (401, "unauthorized")


@pytest.mark.parametrize("token", ["", "None", "x" * 43, "é" * 43])
def test_another_link_is_none(make, token):
    assert refused(make().enter, page(), token) == (401, "unauthorized")


def test_each_start_has_another_link_and_its_session_goes_on(make):
    first = make()
    login = first.enter(page(), first.link_token)
    second = make()
    assert refused(second.enter, page(), first.link_token) == (401, "unauthorized")
    assert second.identify(page(cookie=login)).via == "link"


# WebSockets -------------------------------------------------------------------------------------------------


def test_a_websocket_of_our_own_page(access):
    login = access.login(page(), "vera", PASSWORD)
    assert access.check_socket(page("GET", cookie=login, x_hookmq="")).name == "vera"


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:3000", ""])
def test_a_websocket_of_a_foreign_page(make, access, origin):
    login = access.login(page(), "anna", PASSWORD)
    assert refused(access.check_socket, page("GET", cookie=login, origin=origin)) == (403, "csrf")
    assert refused(make(None).check_socket, ask(origin=origin)) == (403, "csrf")


def test_a_websocket_of_a_program(make, access):
    assert make(None).check_socket(ask()).via == "local"
    assert make(None).check_socket(page("GET")).is_nobody
    _, secret = access.add_token("watcher", "viewer")
    assert access.check_socket(ask(authorization=f"Bearer {secret}")).name == "watcher"
    assert access.check_socket(ask()).is_nobody


def test_whoever_was_let_in_is_asked_again(make):
    access = make()
    program = access.identify(ask())
    assert access.holds(program)
    access.add_account("anna", PASSWORD, "admin")
    assert not access.holds(program)
    login = access.login(page(), "anna", PASSWORD)
    assert access.holds(login.identity)
    access.logout(page(cookie=login))
    assert not access.holds(login.identity)
    assert not access.holds(Identity("anna", "admin", "magic"))
    token, secret = access.add_token("watcher", "viewer")
    watcher = access.identify(ask(authorization=f"Bearer {secret}"))
    access.remove_token(token.id)
    assert not access.holds(watcher)
