"""Tokens: which are taken, whom they name, and every way to make one that must not be taken."""

from __future__ import annotations

import base64
import hmac
import json
import time

import pytest

from hookmq.authentication import JWT, HTTPService

from ..api.helpers import eventually
from .clients import BAD_LOGIN, NOT_AUTHORIZED, client, knock
from .tokens import ASYMMETRIC, SECRET, forged, jwk, key, private_pem, public_pem, token

HOUR = 3600


@pytest.fixture
def guard(guarded):
    return guarded(JWT(secret=SECRET))


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_a_token_that_is_signed_with_the_secret(guard, algorithm):
    assert knock(guard, "x", token(algorithm=algorithm)).code == 0
    assert knock(guard, "x", token("another" * 10, algorithm)).code == BAD_LOGIN


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_a_token_that_is_signed_with_a_key(guarded, algorithm):
    kind = ASYMMETRIC[algorithm]
    broker = guarded(JWT(key=public_pem(key(kind))))
    assert knock(broker, "x", token(key(kind), algorithm)).code == 0
    assert knock(broker, "x", token(key(kind, 1), algorithm)).code == BAD_LOGIN


def test_the_key_of_a_certificate(guarded, authority):
    signer = authority.server.private_key_pem.bytes().decode()
    broker = guarded(JWT(key=authority.cert_file.read_text()))
    assert knock(broker, "x", token(signer, "ES256")).code == 0


def test_the_client_is_known_by_the_name_in_the_token(guarded):
    seen = []
    for claim in ("sub", "preferred_username"):
        broker = guarded(JWT(secret=SECRET, username_claim=claim))
        broker.on_client_connected(lambda client: seen.append(client.username))
        assert knock(broker, "admin", token(sub="tank", preferred_username="north")).code == 0
    eventually(lambda: seen == ["tank", "north"])


def test_a_token_as_the_user_name(guarded):
    broker = guarded(JWT(secret=SECRET, token_from="username"))
    assert knock(broker, token(), None).code == 0
    assert knock(broker, "tank", token()).code == NOT_AUTHORIZED  # no token where one is looked for


@pytest.mark.parametrize(
    "password", ["secret", "a.b", "a.b.c.d", "a.b.c d", ".b.c", "", None, b"\xff.\xff.\xff"]
)
def test_what_is_no_token_is_left_to_others(guarded, peer, password):
    broker = guarded(JWT(secret=SECRET), HTTPService(peer.url))
    assert knock(broker, "tank", password).code == 0
    assert len(peer.seen) == 1
    assert knock(broker, "tank", token(exp=1)).code == BAD_LOGIN  # a bad token is not
    assert len(peer.seen) == 1


# Tokens that must not be taken -----------------------------------------------------------------------------

NOW = int(time.time())
CLAIMS = {"sub": "tank", "exp": NOW + 10 * HOUR}

BAD_CLAIMS = {
    "it has expired": {"exp": NOW - 5},
    "it expires just now": {"exp": NOW},
    "it never expires": {"exp": None},
    "no time": {"exp": "soon"},
    "no number": {"exp": [NOW + HOUR]},
    "endless": {"exp": float("inf")},
    "it is not valid yet": {"nbf": NOW + HOUR},
    "it comes from the future": {"iat": NOW + HOUR},
    "it names nobody": {"sub": None},
    "an empty name": {"sub": ""},
    "a name that is none": {"sub": "a\0b"},
    "it is meant for somebody": {"aud": "others"},
}


@pytest.mark.parametrize("what", BAD_CLAIMS)
def test_claims_that_refuse(guard, what):
    assert knock(guard, "x", token(**BAD_CLAIMS[what])).code == BAD_LOGIN


def signed(header, claims, material=SECRET):
    """A token whose signature is right, with a header that PyJWT would not make."""
    head = forged(header, claims).rpartition(".")[0]
    signature = hmac.digest(material.encode(), head.encode(), "sha256")
    return f"{head}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


BAD_HEADERS = {
    "none": {"alg": "none"},
    "None": {"alg": "None"},
    "no algorithm": {"typ": "JWT"},
    "a list": {"alg": ["HS256"]},
    "another family": {"alg": "RS256"},
    "critical": {"alg": "HS256", "crit": ["exp"], "exp": 1},
    "unencoded": {"alg": "HS256", "b64": False},
}


@pytest.mark.parametrize("what", BAD_HEADERS)
@pytest.mark.parametrize("is_signed", [True, False])
def test_headers_that_refuse(guard, what, is_signed):
    made = signed(BAD_HEADERS[what], CLAIMS) if is_signed else forged(BAD_HEADERS[what], CLAIMS)
    assert knock(guard, "x", made).code == BAD_LOGIN
    assert knock(guard, "x", signed({"alg": "HS256"}, CLAIMS)).code == 0


@pytest.mark.parametrize(
    "made", ["e30.e30.e30", "bm8.bm8.bm8", "W10.W10.W10", "IiI.e30.", "a.b.c", "_-_.e30.e30"]
)
def test_what_only_looks_like_a_token(guard, made):
    assert knock(guard, "x", made).code == BAD_LOGIN


def test_a_token_that_was_changed(guard):
    head, claims, signature = token().split(".")
    other = base64.urlsafe_b64encode(json.dumps(CLAIMS | {"sub": "admin"}).encode()).rstrip(b"=").decode()
    flipped = ("A" if signature[0] != "A" else "B") + signature[1:]
    for changed in (
        f"{head}.{other}.{signature}",
        f"{head}.{claims}.{flipped}",
        f"{head}.{claims}.",
        f"{head}.{claims}.{signature[:-4]}",
    ):
        assert knock(guard, "x", changed).code == BAD_LOGIN


@pytest.mark.parametrize("kind", ["RS", "ES256", "EdDSA"])
def test_a_public_key_is_no_secret(guarded, tmp_path, kind):
    """The old trick: an HMAC made with the public key, which everyone knows."""
    pem = public_pem(key(kind))
    algorithm = {"RS": "RS256"}.get(kind, kind)
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [jwk(key(kind), algorithm)]}))
    for service in (JWT(key=pem), JWT(jwks=str(path)), JWT(key=pem, algorithms=[algorithm])):
        broker = guarded(service)
        for material in (pem, pem.strip(), path.read_text()):
            assert knock(broker, "x", signed({"alg": "HS256"}, CLAIMS, material)).code == BAD_LOGIN
        assert knock(broker, "x", token(key(kind), algorithm)).code == 0


def test_keys_that_a_token_brings_along_are_not_looked_at(guarded, peer):
    other = key("RS", 1)
    broker = guarded(JWT(key=public_pem(key("RS"))))
    import jwt

    for header in (
        {"jwk": jwk(other, "RS256")},
        {"jku": f"{peer.url}/keys"},
        {"x5u": f"{peer.url}/certificate"},
        {"kid": "../../../../dev/null"},
        {"kid": "' OR 1=1 --"},
    ):
        made = jwt.encode(CLAIMS, other, "RS256", headers=header)
        assert knock(broker, "x", made).code == BAD_LOGIN
    assert peer.seen == []


def test_audience_and_issuer(guarded):
    broker = guarded(JWT(secret=SECRET, audience=["mqtt", "plant"], issuer="https://login.example"))
    good = {"aud": ["other", "plant"], "iss": "https://login.example"}
    assert knock(broker, "x", token(**good)).code == 0
    assert knock(broker, "x", token(**good | {"aud": "mqtt"})).code == 0
    for wrong in (
        {"aud": "other"},
        {"aud": None},
        {"aud": ["mqttx"]},
        {"iss": "https://other"},
        {"iss": None},
    ):
        assert knock(broker, "x", token(**good | wrong)).code == BAD_LOGIN


def test_the_client_identifier_of_the_token(guarded):
    broker = guarded(JWT(secret=SECRET, client_id_claim="client"))
    made = token(client="t7")
    assert knock(broker, "x", made, client_id="t7").code == 0
    assert knock(broker, "x", made, client_id="t8").code == BAD_LOGIN
    assert knock(broker, "x", token(), client_id="t8").code == BAD_LOGIN


def test_clocks_that_differ(guarded):
    broker = guarded(JWT(secret=SECRET, leeway=30))
    assert knock(broker, "x", token(exp=int(time.time()) - 10)).code == 0
    assert knock(broker, "x", token(nbf=int(time.time()) + 10)).code == 0
    assert knock(broker, "x", token(exp=int(time.time()) - 40)).code == BAD_LOGIN


def test_tokens_without_an_end_only_if_that_is_wanted(guarded):
    broker = guarded(JWT(secret=SECRET, require_expiry=False))
    assert knock(broker, "x", token(exp=None)).code == 0
    assert knock(broker, "x", token(exp=1)).code == BAD_LOGIN


def test_the_client_is_told_why(guard):
    assert knock(guard, "x", token(exp=1)).reason == "the token has expired"
    assert knock(guard, "x", token("another" * 10)).reason == "the token is signed by nobody known here"
    assert knock(guard, "x", token(aud="others")).reason == "the token is meant for somebody else"


def test_algorithms_that_are_named(guarded):
    broker = guarded(JWT(key=public_pem(key("RS")), algorithms=["PS256"]))
    assert knock(broker, "x", token(key("RS"), "PS256")).code == 0
    assert knock(broker, "x", token(key("RS"), "RS256")).code == BAD_LOGIN


# Options ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "give one of secret, key and jwks"),
        ({"secret": SECRET, "jwks": "keys.json"}, "give one of secret, key and jwks"),
        ({"secret": "short"}, "secret has 5 bytes; it needs 32"),
        ({"secret": public_pem(key("RS"))}, "secret is a public key"),
        ({"secret": "ssh-ed25519 AAAA" * 10}, "secret is a public key"),
        ({"secret": json.dumps(jwk(key("RS"), "RS256"))}, "secret is a public key"),
        ({"key": private_pem(key("RS"))}, "key is a private key"),
        ({"key": SECRET}, "neither a public key nor a certificate"),
        ({"key": public_pem(key("weak"))}, "1024 bits is too short"),
        ({"secret": SECRET, "algorithms": ["none"]}, "algorithms has 'none'"),
        ({"secret": SECRET, "algorithms": ["RS256"]}, "fits none of the secret's"),
        ({"key": public_pem(key("RS")), "algorithms": ["HS256"]}, "fits none of the key's"),
        ({"key": public_pem(key("ES256")), "algorithms": ["ES384"]}, "fits none of the key's"),
        ({"secret": SECRET, "algorithms": "HS256"}, "algorithms is a list"),
        ({"secret": SECRET, "algorithms": []}, "algorithms is a list"),
        ({"secret": SECRET, "token_from": "header"}, "token_from is"),
        ({"jwks": "ftp://login.example/keys"}, "jwks is an address"),
    ],
)
def test_options_that_cannot_be(options, words):
    with pytest.raises(ValueError, match=words) as caught:
        JWT(**options)
    assert SECRET not in str(caught.value)


def test_nothing_secret_is_shown():
    assert "jwt: tokens by a secret for HS256" in repr(JWT(secret=SECRET))
    assert SECRET not in repr(JWT(secret=SECRET))


def test_it_decides_at_once():
    """No thread, no loop: the answer is there when the call returns."""
    assert JWT(secret=SECRET)(client("x", token())).username == "tank"
