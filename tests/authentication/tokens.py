"""Issuers of tokens: keys of every kind, made once, and tokens right and wrong."""

from __future__ import annotations

import base64
import functools
import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from .clients import secret

SECRET = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

MAKERS: dict[str, Any] = {
    "RS": lambda: rsa.generate_private_key(65537, 2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ES512": lambda: ec.generate_private_key(ec.SECP521R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
    "Ed448": ed448.Ed448PrivateKey.generate,
    "weak": lambda: rsa.generate_private_key(65537, 1024),
}

ASYMMETRIC = {
    "RS256": "RS",
    "RS384": "RS",
    "RS512": "RS",
    "PS256": "RS",
    "ES256": "ES256",
    "ES384": "ES384",
    "ES512": "ES512",
    "EdDSA": "EdDSA",
}
"""From an algorithm to the key that signs with it."""


@functools.cache
def key(name: str, number: int = 0) -> Any:
    """A private key of this kind; other numbers are others."""
    return MAKERS[name]()


def public_pem(private: Any) -> str:
    """The public half in PEM."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return str(private.public_key().public_bytes(serialization.Encoding.PEM, form).decode())


def private_pem(private: Any) -> str:
    """The private half in PEM."""
    form = serialization.PrivateFormat.PKCS8
    none = serialization.NoEncryption()
    return str(private.private_bytes(serialization.Encoding.PEM, form, none).decode())


def token(signer: Any = SECRET, algorithm: str = "HS256", *, kid: str | None = None, **claims: Any) -> str:
    """A token that is good for a minute, unless its claims say otherwise; `None` leaves a claim out."""
    all_claims = {"sub": "tank", "exp": int(time.time()) + 60} | claims
    present = {name: value for name, value in all_claims.items() if value is not None}
    headers = {} if kid is None else {"kid": kid}
    return secret(jwt.encode(present, signer, algorithm, headers=headers))


def forged(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    """A token with whatever header and signature."""
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return secret(".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts))


def jwk(private: Any, algorithm: str, **more: Any) -> dict[str, Any]:
    """The public half as a JWK."""
    kind = jwt.get_algorithm_by_name(algorithm)
    made: dict[str, Any] = json.loads(kind.to_jwk(private.public_key()))
    made.pop("key_ops", None)
    return made | more


def jwks(*keys: dict[str, Any]) -> bytes:
    """A set of JWKs."""
    return json.dumps({"keys": keys}).encode()
