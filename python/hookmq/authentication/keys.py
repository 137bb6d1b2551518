"""The keys that tokens are signed with, and which algorithms each of them is good for."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from .library import library
from .trouble import Failure

__all__ = ["Key", "key_of_pem", "key_of_secret", "keys_of_set"]

MIN_SECRET = 32
"""Bytes of a secret, at least: RFC 7518, 3.2 asks for as many as the shortest hash has."""

MIN_RSA = 2048
"""Bits of an RSA key, at least: RFC 7518, 3.3."""

HMAC = ("HS256", "HS384", "HS512")
RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512", "secp256k1": "ES256K"}
EDWARDS = {"Ed25519PublicKey": ("EdDSA", "Ed25519"), "Ed448PublicKey": ("EdDSA", "Ed448")}

_LOOKS_PUBLIC = (b"-----BEGIN", b"ssh-", b"ecdsa-sha2-", b'{"')


@dataclass(frozen=True, slots=True)
class Key:
    """A key, and the algorithms that it may be used with and no others.

    That they follow from the key is what keeps a public key from being taken for the secret of an HMAC.
    """

    material: Any
    algorithms: tuple[str, ...]
    id: str | None = None

    def only(self, named: Collection[str] | None) -> Key | None:
        """Return the key for some of its algorithms; ``None`` if none of those that are named fits it."""
        if named is None:
            return self
        left = tuple(one for one in self.algorithms if one in named)
        return Key(self.material, left, self.id) if left else None


def key_of_secret(secret: str | bytes) -> Key:
    """Return the key of a secret that the issuer of tokens knows as well, for HMAC.

    Raises:
        ValueError: for what is too short, or looks like a public key.

    >>> key_of_secret("0123456789abcdef0123456789abcdef").algorithms
    ('HS256', 'HS384', 'HS512')
    """
    data = secret.encode() if isinstance(secret, str) else bytes(secret)
    if data.lstrip().startswith(_LOOKS_PUBLIC):
        raise ValueError("secret is a public key: give it as key or jwks")
    if len(data) < MIN_SECRET:
        raise ValueError(f"secret has {len(data)} bytes; it needs {MIN_SECRET}: openssl rand -base64 48")
    return Key(data, HMAC)


def key_of_pem(text: str | bytes) -> Key:
    """Return a public key, or that of a certificate, from PEM.

    Raises:
        ValueError: for anything else, a private key included: it has no place in a broker.
    """
    serialization = _cryptography("hazmat.primitives.serialization")
    data = text.encode() if isinstance(text, str) else bytes(text)
    if b"PRIVATE KEY" in data:
        raise ValueError("key is a private key: give its public half (openssl pkey -pubout)")
    try:
        if b"BEGIN CERTIFICATE" in data:
            found = _cryptography("x509").load_pem_x509_certificate(data).public_key()
        else:
            found = serialization.load_pem_public_key(data)
    except Exception:
        raise ValueError("key is neither a public key nor a certificate in PEM") from None
    return Key(found, _algorithms(found))


def keys_of_set(document: bytes) -> list[Key]:
    """Return the usable keys of a JWK set (RFC 7517).

    Those for encryption are left out, and so are symmetric ones: a set is published.

    Raises:
        Failure: for what is no set, and for one without a usable key.
    """
    try:
        found = json.loads(document)
        entries = found["keys"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Failure("what should be a JWK set is none") from None
    keys = [_key_of_entry(entry) for entry in entries] if isinstance(entries, list) else []
    usable = [key for key in keys if key is not None]
    if not usable:
        raise Failure("the JWK set has no key that tokens could be signed with")
    return usable


def _key_of_entry(entry: object) -> Key | None:
    if not isinstance(entry, Mapping) or entry.get("kty") not in ("RSA", "EC", "OKP"):
        return None
    if entry.get("use") not in (None, "sig") or "verify" not in (entry.get("key_ops") or ["verify"]):
        return None
    jwt = library("jwt", kind="jwt", extra="jwt")
    public = {
        name: value for name, value in entry.items() if name not in ("d", "p", "q", "dp", "dq", "qi", "oth")
    }
    try:
        # Without `alg`, which PyJWT would choose the class by.
        material = jwt.PyJWK({name: value for name, value in public.items() if name != "alg"}).key
        algorithms = _algorithms(material)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None
    named, name = entry.get("alg"), entry.get("kid")
    key = Key(material, algorithms, name if isinstance(name, str) else None)
    return key if named is None else key.only((str(named),))


def _algorithms(key: Any) -> tuple[str, ...]:
    rsa = _cryptography("hazmat.primitives.asymmetric.rsa")
    ec = _cryptography("hazmat.primitives.asymmetric.ec")
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < MIN_RSA:
            raise ValueError(f"an RSA key of {key.key_size} bits is too short; it needs {MIN_RSA}")
        return RSA
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in CURVES:
        return (CURVES[key.curve.name],)
    for name, algorithms in EDWARDS.items():
        if name in (kind.__name__ for kind in type(key).__mro__):
            return algorithms
    raise ValueError("a key is RSA, EC (P-256, P-384, P-521, secp256k1), Ed25519 or Ed448")


def _cryptography(module: str) -> Any:
    return library(f"cryptography.{module}", kind="jwt", extra="jwt")
