"""A web service that is asked: what it is told, what its answers mean, and what happens when it is away."""

from __future__ import annotations

import json
import time

import pytest

from hookmq.authentication import HTTPService

from ..api.helpers import eventually
from .clients import BAD_LOGIN, UNAVAILABLE, knock, secret
from .peer import Reply, as_json

ODD = "tank&username=admin\r\nX-Injected: yes#?%00 é水"


@pytest.mark.parametrize("method", ["POST", "PUT", "GET"])
def test_what_the_service_is_told(guarded, peer, method):
    broker = guarded(HTTPService(f"{peer.url}/auth", method=method))
    assert knock(broker, "tank", "deep water", client_id="t7").code == 0
    (request,) = peer.seen
    assert (request.method, request.path) == (method, "/auth")
    told = {"username": "tank", "password": "deep water", "clientid": "t7", "ipaddress": "127.0.0.1"}
    if method == "GET":
        assert (request.query, request.body) == (told, b"")
    else:
        assert (request.form, request.query) == (told, {})
        assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize("options", [{}, {"method": "GET"}, {"body": "json"}], ids=str)
def test_nothing_that_a_client_says_changes_the_request(guarded, peer, options):
    broker = guarded(HTTPService(f"{peer.url}/auth", **options))
    assert knock(broker, ODD, "p&clientid=root\r\n", client_id="c&ipaddress=10.0.0.1").code == 0
    (request,) = peer.seen
    told = {
        "username": ODD,
        "password": "p&clientid=root\r\n",
        "clientid": "c&ipaddress=10.0.0.1",
        "ipaddress": "127.0.0.1",
    }
    found = request.query or (json.loads(request.body) if options.get("body") else request.form)
    assert found == told
    assert "X-Injected" not in request.headers
    assert request.path == "/auth"


def test_a_password_that_is_no_text(guarded, peer):
    broker = guarded(HTTPService(peer.url), HTTPService(peer.url, body="json", name="json"))
    assert knock(broker, "tank", b"\xff\x00\xfe").code == 0
    assert b"password=%FF%00%FE" in peer.seen[0].body
    broker = guarded(HTTPService(peer.url, body="json"))
    assert knock(broker, "tank", b"\xff\x00\xfe").code == BAD_LOGIN
    assert len(peer.seen) == 1


def test_a_client_without_credentials_is_for_the_service_to_decide(guarded, peer):
    assert knock(guarded(HTTPService(peer.url))).code == 0
    assert peer.seen[0].form["username"] == peer.seen[0].form["password"] == ""


@pytest.mark.parametrize("status", [201, 204, 400, 401, 403, 404, 418, 422])
def test_whatever_is_not_200_refuses(guarded, peer, status):
    peer.answer = lambda request: Reply(status)
    service = HTTPService(peer.url)
    assert knock(guarded(service), "tank", "water").code == BAD_LOGIN
    assert service.refused == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(guarded, peer, status, caplog):
    def answer(request):
        if request.path == "/elsewhere":
            return Reply()
        return Reply(status, headers=(("Location", f"{peer.url}/elsewhere"),))

    peer.answer = answer
    assert knock(guarded(HTTPService(f"{peer.url}/auth")), "tank", "water").code == UNAVAILABLE
    assert [request.path for request in peer.seen] == ["/auth"]
    assert "redirects are not followed" in caplog.text


@pytest.mark.parametrize(
    ("status", "opens"), [(500, False), (501, False), (429, True), (502, True), (503, True)]
)
def test_a_service_that_fails_refuses_and_opens_the_breaker_if_it_is_down(guarded, peer, status, opens):
    peer.answer = lambda request: Reply(status)
    service = HTTPService(peer.url, failures=2, pause=60)
    broker = guarded(service)
    for number in range(4):
        assert knock(broker, f"t{number}", "water").code == UNAVAILABLE
    assert len(peer.seen) == (2 if opens else 4)
    assert service.short_circuited == (2 if opens else 0)


def test_a_service_that_is_down_and_comes_back(guarded, peer, caplog):
    service = HTTPService(f"{peer.url}/auth?key=hidden-key", failures=1, pause=0.2, retries=1)
    secret("hidden-key")
    broker = guarded(service)
    assert knock(broker, "tank", "water").code == 0
    peer.stop()
    assert knock(broker, "tank", "water").code == UNAVAILABLE
    assert knock(broker, "tank", "water").code == UNAVAILABLE
    assert service.short_circuited >= 1
    assert "Connection refused" in caplog.text
    peer.start()
    eventually(lambda: knock(broker, "tank", "water").code == 0)
    assert "http answers again" in caplog.text


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_slow_service(guarded, peer, method, caplog):
    peer.answer = lambda request: time.sleep(1) or Reply()
    began = time.monotonic()
    broker = guarded(HTTPService(peer.url, timeout=0.1, retries=3, method=method))
    assert knock(broker, "tank", "water").code == UNAVAILABLE
    assert time.monotonic() - began < 0.9
    assert len(peer.seen) == 1  # what was sent is not sent again
    assert f"no answer from {peer.url} within 0.1 s" in caplog.text


def test_a_kept_connection_that_the_service_closes_meanwhile(guarded, peer):
    broker = guarded(HTTPService(peer.url))
    assert knock(broker, "tank", "water").code == 0
    peer.stop()
    peer.start()
    assert knock(broker, "tank", "water").code == 0


def test_connections_are_kept(guarded, peer):
    broker = guarded(HTTPService(peer.url))
    for number in range(5):
        assert knock(broker, f"t{number}", "water").code == 0
    assert (len(peer.seen), peer.connections) == (5, 1)


@pytest.mark.parametrize(
    ("said", "known_as"),
    [
        ({"username": "north"}, "north"),
        ({}, "tank"),
        ({"username": None, "ttl": None, "more": [1]}, "tank"),
    ],
)
def test_an_answer_may_name_the_client(guarded, peer, said, known_as):
    peer.answer = lambda request: as_json(said)
    broker, seen = guarded(HTTPService(peer.url)), []
    broker.on_client_connected(lambda client: seen.append(client.username))
    assert knock(broker, "tank", "water").code == 0
    eventually(lambda: seen == [known_as])


def test_an_answer_may_say_how_long_it_holds(guarded, peer):
    peer.answer = lambda request: as_json({"ttl": 60})
    broker = guarded(HTTPService(peer.url))
    assert [knock(broker, "tank", "water").code for _ in range(3)] == [0, 0, 0]
    assert len(peer.seen) == 1
    peer.answer = lambda request: as_json({"ttl": 0})
    broker = guarded(HTTPService(peer.url, ttl=60))
    assert [knock(broker, "tank", "water").code for _ in range(3)] == [0, 0, 0]
    assert len(peer.seen) == 4


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b'"yes"', b'{"username": 7}', b'{"username": ""}', b'{"username": "a\\u0000"}',
     b'{"ttl": "long"}', b'{"ttl": -1}', b'{"ttl": NaN}', b"\xff", b"[" * 100_000,
     b'{"username": "' + b"x" * (1 << 20) + b'"}'],
)  # fmt: skip
def test_an_answer_that_cannot_be_read_refuses(guarded, peer, body):
    peer.answer = lambda request: Reply(200, body, "application/json")
    service = HTTPService(peer.url)
    assert knock(guarded(service), "tank", "water").code == UNAVAILABLE
    assert service.failed == 1


def test_text_beside_200_means_nothing(guarded, peer):
    peer.answer = lambda request: Reply(200, b'{"username": "admin"}', "text/plain")
    broker, seen = guarded(HTTPService(peer.url)), []
    broker.on_client_connected(lambda client: seen.append(client.username))
    assert knock(broker, "tank", "water").code == 0
    eventually(lambda: seen == ["tank"])


def test_headers(guarded, peer):
    options = {"bearer": secret("bearer-of-the-broker"), "headers": {"X-Plant": "north"}}
    knock(guarded(HTTPService(peer.url, **options)), "tank", "water")
    headers = peer.seen[0].headers
    assert headers["Authorization"] == "Bearer bearer-of-the-broker"
    assert headers["X-Plant"] == "north"


def test_no_cookie_carries_from_one_client_to_the_next(guarded, peer):
    peer.answer = lambda request: Reply(headers=(("Set-Cookie", "session=tank"),))
    broker = guarded(HTTPService(peer.url))
    knock(broker, "tank", "water")
    knock(broker, "pump", "steam")
    assert all("Cookie" not in request.headers for request in peer.seen)


def test_tls(guarded, secure_peer, authority, other_authority, caplog):
    assert knock(guarded(HTTPService(secure_peer.url, ca=str(authority.ca_file))), "tank", "water").code == 0
    for ca in (None, str(other_authority)):
        broker = guarded(HTTPService(secure_peer.url, ca=ca, retries=0))
        assert knock(broker, "tank", "water").code == UNAVAILABLE
    assert len(secure_peer.seen) == 1
    assert "certificate" in caplog.text.lower()


def test_the_environment_has_no_say(guarded, peer, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password something\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert knock(guarded(HTTPService(peer.url)), "tank", "water").code == 0
    assert "Authorization" not in peer.seen[0].headers


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "plant.example/auth"}, "url is an address such as"),
        ({"url": "ftp://plant.example"}, "url is an address such as"),
        ({"url": "http://user:pass-word@plant.example"}, "url has a password in it"),
        ({"url": "http://plant.example", "method": "DELETE"}, "method is one of POST, GET, PUT"),
        ({"url": "http://plant.example", "method": "GET", "body": "json"}, "body is"),
        ({"url": "http://plant.example", "timeout": 0}, "timeout is a number"),
    ],
)
def test_options_that_cannot_be(options, words):
    with pytest.raises(ValueError, match=words) as caught:
        HTTPService(**options)
    assert "pass-word" not in str(caught.value)
