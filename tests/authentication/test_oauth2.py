"""An authorization server that is asked about tokens (RFC 7662)."""

from __future__ import annotations

import base64
import time

import pytest

from hookmq.authentication import OAuth2

from ..api.helpers import eventually
from .clients import BAD_LOGIN, NOT_AUTHORIZED, UNAVAILABLE, knock, secret
from .peer import Reply, as_json

BROKER = {"client_id": "mq:tt", "client_secret": "s3cr&t of the broker"}


class Server:
    """Tokens and what is known of them; with an OpenID configuration."""

    def __init__(self, peer):
        self.peer = peer
        self.tokens = {"good-token": self.of(), "gone-token": {"active": False}}
        self.configuration = {"issuer": peer.url, "introspection_endpoint": f"{peer.url}/introspect"}
        peer.answer = self.answer
        secret(BROKER["client_secret"])

    @staticmethod
    def of(**claims):
        return {"active": True, "username": "tank", "exp": int(time.time()) + 3600} | claims

    def answer(self, request):
        if request.path.endswith("/.well-known/openid-configuration"):
            return as_json(self.configuration)
        assert (request.method, request.path) == ("POST", "/introspect")
        return as_json(self.tokens.get(request.form["token"], {"active": False}))

    @property
    def asked(self):
        return [request.form["token"] for request in self.peer.seen if request.path == "/introspect"]

    def service(self, **options):
        return OAuth2(**{"introspection_url": f"{self.peer.url}/introspect"} | BROKER | options)


@pytest.fixture
def server(peer):
    return Server(peer)


def test_tokens_that_are_active(guarded, server):
    broker, seen = guarded(server.service()), []
    broker.on_client_connected(lambda client: seen.append(client.username))
    assert knock(broker, "whoever", "good-token").code == 0
    assert knock(broker, "whoever", "gone-token").code == BAD_LOGIN
    assert knock(broker, "whoever", "unknown-token").code == BAD_LOGIN
    eventually(lambda: seen == ["tank"])
    request = server.peer.seen[0]
    assert request.form == {"token": "good-token", "token_type_hint": "access_token"}
    # RFC 6749, 2.3.1: name and secret are form-encoded before they are put together.
    given = base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode()
    assert given == "mq%3Att:s3cr%26t+of+the+broker"


def test_the_secret_in_the_form(guarded, server):
    assert knock(guarded(server.service(secret_in="body")), "x", "good-token").code == 0
    (request,) = server.peer.seen
    assert request.form["client_secret"] == BROKER["client_secret"]
    assert "Authorization" not in request.headers


def test_an_answer_is_remembered(guarded, server):
    broker = guarded(server.service(ttl=60))
    for number in range(4):
        # Whatever they call themselves: it is the token that counts.
        assert knock(broker, f"x{number}", "good-token", client_id=f"c{number}").code == 0
        assert knock(broker, "x", "gone-token").code == BAD_LOGIN
    assert sorted(server.asked) == ["gone-token", "good-token"]
    broker = guarded(server.service(ttl=0, negative_ttl=0))
    for _ in range(3):
        assert knock(broker, "x", "good-token").code == 0
        assert knock(broker, "x", "gone-token").code == BAD_LOGIN
    assert len(server.asked) == 8


def test_a_token_that_is_revoked(guarded, server):
    broker = guarded(server.service(ttl=0.2))
    assert knock(broker, "x", "good-token").code == 0
    server.tokens["good-token"] = {"active": False}
    eventually(lambda: knock(broker, "x", "good-token").code == BAD_LOGIN)


NOW = time.time()
CASES = {
    "it has expired": ({}, {"exp": NOW - 5}, BAD_LOGIN),
    "it is not valid yet": ({}, {"nbf": NOW + 3600}, BAD_LOGIN),
    "it never expires": ({}, {"exp": None}, 0),
    "its end is no time": ({}, {"exp": "tomorrow"}, BAD_LOGIN),
    "no name": ({}, {"username": None}, BAD_LOGIN),
    "another claim": ({"username_claim": "sub"}, {"sub": "north"}, 0),
    "no other claim": ({"username_claim": "sub"}, {}, BAD_LOGIN),
    "the scope": ({"scope": "mqtt"}, {"scope": "openid mqtt"}, 0),
    "both scopes": ({"scope": ["mqtt", "plant"]}, {"scope": "plant mqtt"}, 0),
    "one of two scopes": ({"scope": "mqtt plant"}, {"scope": "mqtt"}, NOT_AUTHORIZED),
    "a scope that only begins so": ({"scope": "mqtt"}, {"scope": "mqtt2"}, NOT_AUTHORIZED),
    "no scope": ({"scope": "mqtt"}, {}, NOT_AUTHORIZED),
    "a list of scopes": ({"scope": "mqtt"}, {"scope": ["mqtt"]}, 0),
    "the audience": ({"audience": "mqtt"}, {"aud": ["other", "mqtt"]}, 0),
    "another audience": ({"audience": "mqtt"}, {"aud": "other"}, BAD_LOGIN),
    "no audience": ({"audience": "mqtt"}, {}, BAD_LOGIN),
    "the client": ({"client_id_claim": "device"}, {"device": "c1"}, 0),
    "another client": ({"client_id_claim": "device"}, {"device": "c2"}, BAD_LOGIN),
}


@pytest.mark.parametrize("case", CASES)
def test_what_else_must_hold(guarded, server, case):
    options, claims, code = CASES[case]
    server.tokens["good-token"] = server.of(**claims)
    assert knock(guarded(server.service(**options)), "x", "good-token").code == code


@pytest.mark.parametrize(
    "reply",
    [
        as_json({"active": "true"}),
        as_json({"active": 1, "username": "tank"}),
        as_json({"username": "tank"}),
        as_json([True]),
        Reply(200, b"yes"),
        Reply(200),
        as_json({"active": True, "username": "tank"}, 201),
        Reply(401),
        Reply(403),
        Reply(404),
        Reply(500),
        Reply(503),
        Reply(302, headers=(("Location", "/introspect2"),)),
    ],
    ids=lambda reply: f"{reply.status} {reply.body[:20]!r}",
)
def test_an_answer_that_means_nothing(guarded, peer, reply):
    peer.answer = lambda request: reply
    service = OAuth2(introspection_url=f"{peer.url}/introspect", **BROKER)
    assert knock(guarded(service), "x", "good-token").code == UNAVAILABLE
    assert service.failed == 1
    assert len(peer.seen) == 1


def test_credentials_of_the_broker_that_are_wrong_are_named(guarded, peer, caplog):
    secret(BROKER["client_secret"])
    peer.answer = lambda request: Reply(401)
    knock(guarded(OAuth2(introspection_url=peer.url, **BROKER)), "x", "good-token")
    assert "client_id or client_secret is wrong" in caplog.text


@pytest.mark.parametrize("token", ["a&token=good-token", "a\r\nHost: x", "good-token ", "é", "", None])
def test_a_token_is_never_part_of_the_request(guarded, server, token):
    assert knock(guarded(server.service()), "x", token).code in (BAD_LOGIN, NOT_AUTHORIZED)
    assert "good-token" not in server.asked


def test_a_server_that_is_down_and_comes_back(guarded, server, caplog):
    service = server.service(failures=1, pause=0.2, ttl=0)
    broker = guarded(service)
    assert knock(broker, "x", "good-token").code == 0
    server.peer.stop()
    assert [knock(broker, "x", "good-token").code for _ in range(3)] == [UNAVAILABLE] * 3
    assert service.short_circuited >= 1
    server.peer.start()
    eventually(lambda: knock(broker, "x", "good-token").code == 0)


def test_who_is_remembered_gets_in_while_the_server_is_down(guarded, server):
    broker = guarded(server.service(ttl=60))
    assert knock(broker, "x", "good-token").code == 0
    server.peer.stop()
    assert knock(broker, "x", "good-token").code == 0
    assert knock(broker, "x", "other-token").code == UNAVAILABLE


# Discovery -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slash", ["", "/"])
def test_an_issuer_says_where_it_is_asked(guarded, server, slash):
    broker = guarded(OAuth2(issuer=server.peer.url + slash, **BROKER))
    assert knock(broker, "x", "good-token").code == 0
    assert knock(broker, "x", "gone-token").code == BAD_LOGIN
    paths = [request.path for request in server.peer.seen]
    assert paths == ["/.well-known/openid-configuration", "/introspect", "/introspect"]


@pytest.mark.parametrize(
    "configuration",
    [
        {"issuer": "https://other.example"},
        {"introspection_endpoint": None},
        {"introspection_endpoint": "file:///etc/passwd"},
        {"introspection_endpoint": 7},
    ],
)
def test_an_issuer_that_is_not_what_it_says(guarded, server, configuration):
    server.configuration |= configuration
    assert knock(guarded(OAuth2(issuer=server.peer.url, **BROKER)), "x", "good-token").code == UNAVAILABLE
    assert server.asked == []


def test_tls_is_not_given_up(guarded, secure_peer, authority):
    server = Server(secure_peer)
    options = {"issuer": secure_peer.url, "ca": str(authority.ca_file), **BROKER}
    assert knock(guarded(OAuth2(**options)), "x", "good-token").code == 0
    server.configuration["introspection_endpoint"] = "http://127.0.0.1:1/introspect"
    assert knock(guarded(OAuth2(**options)), "x", "good-token").code == UNAVAILABLE


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "either introspection_url or issuer"),
        (
            {"issuer": "https://a.example", "introspection_url": "https://a.example"},
            "either introspection_url",
        ),
        ({"issuer": "a.example"}, "issuer is an address"),
        ({"issuer": "https://a.example", "secret_in": "query"}, "secret_in is"),
    ],
)
def test_options_that_cannot_be(options, words):
    with pytest.raises(ValueError, match=words):
        OAuth2(**BROKER, **options)
