"""Sets of keys, in files and behind URLs: choosing one, new ones, old ones, and none."""

from __future__ import annotations

import json
import os
import threading
import time

import pytest

from hookmq.authentication import JWT

from ..api.helpers import eventually
from .clients import BAD_LOGIN, UNAVAILABLE, knock
from .peer import Reply
from .tokens import ASYMMETRIC, SECRET, jwk, jwks, key, token

A, B = key("RS"), key("RS", 1)


@pytest.fixture
def published(peer):
    """A set behind a URL, which the test can change."""
    peer.keys = jwks(jwk(A, "RS256", kid="a"))
    peer.answer = lambda request: Reply(200, peer.keys, "application/json")
    return peer


def impatient(service, pause=0.0):
    """Fetches again as often as it is asked to."""
    service._keys._pause = pause
    return service


def test_the_set_is_fetched_once(guarded, published):
    broker = guarded(JWT(jwks=published.url))
    assert published.seen == []
    for _ in range(5):
        assert knock(broker, "x", token(A, "RS256", kid="a")).code == 0
    assert [request.method for request in published.seen] == ["GET"]
    assert knock(broker, "x", token(B, "RS256", kid="a")).code == BAD_LOGIN


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
@pytest.mark.parametrize("kid", ["k", None])
def test_keys_of_every_kind(guarded, tmp_path, algorithm, kid):
    path = tmp_path / "keys.json"
    kinds = dict.fromkeys(ASYMMETRIC.values())
    names = {kind: "RS256" if kind == "RS" else kind for kind in kinds}
    path.write_bytes(jwks(*(jwk(key(kind), name, kid=kid or kind) for kind, name in names.items())))
    if kid:  # all of them have one name, as some issuers do: the algorithm tells them apart
        broker = guarded(JWT(jwks=str(path)))
        assert knock(broker, "x", token(key(ASYMMETRIC[algorithm]), algorithm, kid=kid)).code == 0
    broker = guarded(JWT(jwks=str(path)))
    assert knock(broker, "x", token(key(ASYMMETRIC[algorithm]), algorithm)).code == 0


def test_a_key_says_what_it_is_for(guarded, tmp_path):
    path = tmp_path / "keys.json"
    path.write_bytes(
        jwks(
            jwk(A, "RS256", kid="enc", use="enc"),
            jwk(A, "RS256", kid="ops", key_ops=["encrypt"]),
            jwk(A, "RS256", kid="ps", alg="PS256", use="sig"),
            {"kty": "oct", "kid": "oct", "k": "c2VjcmV0"},
            {"kty": "RSA", "kid": "broken", "n": "AQ", "e": "AQAB"},
            {"kid": "nothing"},
        )
    )
    broker = guarded(JWT(jwks=str(path)))
    assert knock(broker, "x", token(A, "PS256", kid="ps")).code == 0
    for kid in ("enc", "ops", "ps", "oct", "broken", "nothing"):
        assert knock(broker, "x", token(A, "RS256", kid=kid)).code == BAD_LOGIN
    assert knock(broker, "x", token(SECRET, kid="oct")).code == BAD_LOGIN


def test_a_new_key_is_fetched_when_a_token_names_it(guarded, published):
    broker = guarded(impatient(JWT(jwks=published.url)))
    assert knock(broker, "x", token(A, "RS256", kid="a")).code == 0
    published.keys = jwks(jwk(B, "RS256", kid="b"))
    assert knock(broker, "x", token(B, "RS256", kid="b")).code == 0
    assert knock(broker, "x", token(A, "RS256", kid="a")).code == BAD_LOGIN  # it was taken away


def test_names_that_nobody_knows_do_not_make_it_fetch_each_time(guarded, published):
    broker = guarded(impatient(JWT(jwks=published.url), pause=30))
    for number in range(20):
        assert knock(broker, "x", token(B, "RS256", kid=f"made-up-{number}")).code == BAD_LOGIN
    assert len(published.seen) == 1


def test_many_clients_wait_for_one_fetch(guarded, published):
    published.answer = lambda request: time.sleep(0.3) or Reply(200, published.keys, "application/json")
    broker, codes = guarded(JWT(jwks=published.url)), []
    made = token(A, "RS256", kid="a")

    def enter(number):
        codes.append(knock(broker, "x", made, client_id=f"c{number}").code)

    threads = [threading.Thread(target=enter, args=(number,)) for number in range(10)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(10)
    assert codes == [0] * 10
    assert len(published.seen) == 1


def test_an_issuer_that_is_away_at_the_start(guarded, published, caplog):
    published.stop()
    service = JWT(jwks=published.url, failures=3, pause=0.2)
    broker = guarded(service)
    assert knock(broker, "x", token(A, "RS256", kid="a")).code == UNAVAILABLE
    assert "there are no keys" in caplog.text
    published.start()
    eventually(lambda: knock(broker, "x", token(A, "RS256", kid="a")).code == 0)
    assert "jwt answers again" in caplog.text


def test_an_issuer_that_is_away_later(guarded, published, caplog):
    """The keys that were fetched go on to count, and unknown ones open no breaker."""
    service = impatient(JWT(jwks=published.url, failures=1, pause=60))
    broker = guarded(service)
    assert knock(broker, "x", token(A, "RS256", kid="a")).code == 0
    published.stop()
    assert knock(broker, "x", token(B, "RS256", kid="b")).code == BAD_LOGIN
    assert "the old ones count" in caplog.text
    assert knock(broker, "x", token(A, "RS256", kid="a")).code == 0
    # But not for ever.
    service._keys._longest = 0.0
    assert knock(broker, "x", token(A, "RS256", kid="a")).code == UNAVAILABLE


def test_a_set_that_is_old_is_fetched_again(guarded, published):
    service = impatient(JWT(jwks=published.url))
    broker = guarded(service)
    assert knock(broker, "x", token(A, "RS256", kid="a")).code == 0
    service._keys._refresh = 0.0
    published.keys = jwks(jwk(B, "RS256", kid="b"))
    assert knock(broker, "x", token(A, "RS256", kid="a")).code == BAD_LOGIN
    assert len(published.seen) == 2


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"<html>", "text/html"),
        Reply(200, b"{}", "application/json"),
        Reply(200, b'{"keys": []}', "application/json"),
        Reply(200, b'{"keys": {"a": 1}}', "application/json"),
        Reply(200, b"[" * 100_000, "application/json"),
        Reply(200, b'{"keys": [' + b" " * (1 << 20) + b"]}", "application/json"),
        Reply(404),
        Reply(500),
        Reply(302, headers=(("Location", "/other"),)),
    ],
    ids=["html", "nothing", "empty", "object", "deep", "long", "404", "500", "302"],
)
def test_what_is_no_set_lets_nobody_in(guarded, peer, reply):
    peer.answer = lambda request: reply
    broker = guarded(JWT(jwks=peer.url))
    assert knock(broker, "x", token(A, "RS256", kid="a")).code == UNAVAILABLE
    assert {request.path for request in peer.seen} <= {"/", ""}


def test_a_slow_issuer_delays_nobody_who_needs_no_new_key(guarded, published):
    service = JWT(jwks=published.url, timeout=2.0)
    broker = guarded(service)
    assert knock(broker, "x", token(A, "RS256", kid="a")).code == 0
    service._keys._pause = 0.0
    released = threading.Event()
    published.answer = lambda request: Reply(503) if released.wait(5) else Reply()
    waiting = [
        threading.Thread(
            target=knock, args=(broker, "x", token(B, "RS256", kid=f"u{n}")), kwargs={"client_id": f"u{n}"}
        )
        for n in range(6)
    ]
    for one in waiting:
        one.start()
    eventually(lambda: len(published.seen) == 2)
    began = time.monotonic()
    for _ in range(10):
        assert knock(broker, "x", token(A, "RS256", kid="a")).code == 0
    assert time.monotonic() - began < 1
    released.set()
    for one in waiting:
        one.join(15)


def test_tls(guarded, secure_peer, authority, other_authority):
    secure_peer.answer = lambda request: Reply(200, jwks(jwk(A, "RS256", kid="a")), "application/json")
    made = token(A, "RS256", kid="a")
    assert knock(guarded(JWT(jwks=secure_peer.url, ca=str(authority.ca_file))), "x", made).code == 0
    assert knock(guarded(JWT(jwks=secure_peer.url, ca=str(other_authority))), "x", made).code == UNAVAILABLE


# Files -----------------------------------------------------------------------------------------------------


def test_a_file_that_changes(guarded, tmp_path, caplog):
    path = tmp_path / "keys.json"
    path.write_bytes(jwks(jwk(A, "RS256", kid="a")))
    broker = guarded(JWT(jwks=str(path)))
    assert knock(broker, "x", token(A, "RS256", kid="a")).code == 0
    fresh = tmp_path / "fresh.json"
    fresh.write_bytes(jwks(jwk(B, "RS256", kid="b")))
    os.replace(fresh, path)
    eventually(lambda: knock(broker, "x", token(B, "RS256", kid="b")).code == 0)
    assert knock(broker, "x", token(A, "RS256", kid="a")).code == BAD_LOGIN
    # What cannot be read any more has no keys.
    path.write_text(json.dumps({"keys": "none"}))
    eventually(lambda: knock(broker, "x", token(B, "RS256", kid="b")).code == UNAVAILABLE)
    path.unlink()
    assert knock(broker, "x", token(B, "RS256", kid="b")).code == UNAVAILABLE
    assert "what should be a JWK set is none" in caplog.text or "no key that tokens" in caplog.text
    path.write_bytes(jwks(jwk(B, "RS256", kid="b")))
    eventually(lambda: knock(broker, "x", token(B, "RS256", kid="b")).code == 0)


def test_a_file_that_is_not_there(guarded, tmp_path, caplog):
    broker = guarded(JWT(jwks=str(tmp_path / "keys.json")))
    assert knock(broker, "x", token(A, "RS256")).code == UNAVAILABLE
    assert "No such file" in caplog.text
