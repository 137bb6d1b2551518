"""Clients that show a signed token: JSON Web Tokens (RFC 7519)."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from ..decisions import Deny, Identity
from .http_client import HTTPClient, checked_url
from .key_sets import GivenKeys, KeyFile, KeySource, PublishedKeys
from .keys import CURVES, EDWARDS, HMAC, RSA, key_of_pem, key_of_secret
from .lease import Lease
from .library import library
from .service import Answer, AuthenticationService, ServiceOptions, number
from .token import checked_place, moment, name_from, refusal, token_of

if TYPE_CHECKING:
    from .._hookmq import Client

__all__ = ["JWT"]

ALGORITHMS = (*HMAC, *RSA, *CURVES.values(), *dict.fromkeys(one for some in EDWARDS.values() for one in some))

_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")


class JWT(AuthenticationService):
    """Lets in who shows a token that is signed, meant for this broker and not expired.

    When it expires, the connection is ended. A client that shows something else in its place, such as a
    password, is left to others.

    One of ``secret``, ``key`` and ``jwks`` says how tokens are signed. Which algorithms that allows follows
    from the key: ``none`` never is, and a public key is never taken for a secret.

    Args:
        secret: for HS256, HS384 and HS512, 32 bytes or more.
        key: a public key or a certificate in PEM.
        jwks: path or URL of a set of public keys. A file is read again when it changes; a URL is fetched
            again every hour, and when a token names a key that is not there, at most every 30 s.
        algorithms: those that are allowed, such as ``["ES256"]``; by default all that fit the key.
        audience: what must stand in ``aud``, or one of several. Without it a token with an ``aud`` is
            refused: it is meant for somebody.
        issuer: what must stand in ``iss``.
        leeway: seconds by which clocks may differ.
        username_claim: the claim with the user name by which the client is known, whatever it gave.
        client_id_claim: a claim in which the client identifier must stand.
        token_from: ``"password"`` or ``"username"``.
        require_expiry: whether a token without ``exp`` is refused.
        disconnect: whether the connection ends when the token expires.
        ca: path of the certificates for the URL of ``jwks``; ``timeout`` are the seconds it has to answer.
        options: those of all services. Tokens are checked here each time, so ``ttl`` counts for nothing.

    It needs ``hookmq[jwt]``.

    ```python
    broker.authenticate_with(JWT(jwks="https://login.example/keys", audience="mqtt"))
    ```
    """

    kind = "jwt"
    waits = False
    leases = True
    defaults = {"negative_ttl": 0.0}  # noqa: RUF012 - not changed by anybody

    def __init__(
        self,
        *,
        secret: str | bytes | None = None,
        key: str | bytes | None = None,
        jwks: str | None = None,
        algorithms: Sequence[str] | None = None,
        audience: str | Sequence[str] | None = None,
        issuer: str | None = None,
        leeway: float = 0.0,
        username_claim: str = "sub",
        client_id_claim: str | None = None,
        token_from: str = "password",
        require_expiry: bool = True,
        disconnect: bool = True,
        ca: str | None = None,
        timeout: float = 2.0,
        **options: Unpack[ServiceOptions],
    ) -> None:
        super().__init__(**options)
        self._jwt = library("jwt", kind=self.kind, extra="jwt")
        if [secret, key, jwks].count(None) != 2:
            raise ValueError("give one of secret, key and jwks")
        allowed = _checked_algorithms(algorithms)
        self._keys: KeySource
        if secret is not None:
            self._keys = GivenKeys([key_of_secret(secret)], allowed, "secret")
        elif key is not None:
            self._keys = GivenKeys([key_of_pem(key)], allowed, "key")
        elif jwks is not None and "://" in jwks:
            wait = number("timeout", timeout, least=0.001)
            http = HTTPClient(kind=self.kind, extra="jwt", timeout=wait, retries=1, ca=ca)
            self._keys = PublishedKeys(checked_url(jwks, "jwks"), http, allowed, report=self._troubles.report)
        else:
            self._keys = KeyFile(Path(str(jwks)), allowed)
        self._audience = audience if audience is None or isinstance(audience, str) else list(audience)
        self._issuer = issuer
        self._leeway = number("leeway", leeway)
        self._username_claim, self._client_id_claim = username_claim, client_id_claim
        self._place = checked_place(token_from)
        self._options = {"require": ["exp"] if require_expiry else []}
        self._disconnect = disconnect
        jwt = self._jwt
        self._words = (
            (jwt.ExpiredSignatureError, "the token has expired"),
            (jwt.ImmatureSignatureError, "the token is not valid yet"),
            (jwt.MissingRequiredClaimError, "the token lacks a claim that is needed"),
            (jwt.InvalidAudienceError, "the token is meant for somebody else"),
            (jwt.InvalidIssuerError, "the token is of another issuer"),
        )

    def concerns(self, client: Client) -> bool | Deny:
        """Whether it shows what looks like a token."""
        token = token_of(client, self._place)
        return token is not None and _TOKEN.fullmatch(token) is not None

    def shown(self, client: Client) -> tuple[object, ...]:
        """Return the token, and the client identifier."""
        return token_of(client, self._place), client.client_id

    def waits_for(self, client: Client) -> bool:
        """Whether keys have to be fetched for it."""
        if not isinstance(self._keys, PublishedKeys):
            return False
        return self._keys.is_stale(_key_id(_header(token_of(client, self._place) or "")))

    def check(self, client: Client) -> Answer:
        """Check the token."""
        token = token_of(client, self._place) or ""
        header = _header(token)
        if "crit" in header:
            raise refusal("the token asks for something that is not known here")  # RFC 7515, 4.1.11
        claims = self._verified(token, header)
        name = name_from(claims, self._username_claim)
        if self._client_id_claim is not None and claims.get(self._client_id_claim) != client.client_id:
            raise refusal("the token is for another client identifier")
        expires = moment(claims, "exp")
        if expires is None or not self._disconnect:
            return Identity(name)
        return Lease(name, expires=expires + self._leeway)

    def _verified(self, token: str, header: Mapping[str, Any]) -> dict[str, Any]:
        jwt = self._jwt
        for key in self._keys.find(_key_id(header), header.get("alg")):
            try:
                claims: dict[str, Any] = jwt.decode(
                    token,
                    key.material,
                    algorithms=key.algorithms,
                    audience=self._audience,
                    issuer=self._issuer,
                    leeway=self._leeway,
                    options=self._options,
                )
            except jwt.InvalidSignatureError:
                continue  # of several keys without an identifier it may be the next
            except jwt.PyJWTError as error:
                raise refusal(self._in_words(error)) from None
            except (TypeError, ValueError, OverflowError):  # a claim is not what it should be
                raise refusal("the token is not valid") from None
            return claims
        raise refusal("the token is signed by nobody known here")

    def _in_words(self, error: Exception) -> str:
        """Say why a token is refused. The library's own words may contain parts of the token."""
        return next(
            (words for kind, words in self._words if isinstance(error, kind)), "the token is not valid"
        )

    def describe(self) -> str:
        """Where its keys come from."""
        return f"tokens by {self._keys.describe()}"

    def closed(self) -> None:
        """Close the connections."""
        self._keys.close()


def _header(token: str) -> dict[str, Any]:
    """Return what a token says of itself, which nobody has checked; nothing if it cannot be read."""
    part = token.partition(".")[0]
    try:
        found = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _key_id(header: Mapping[str, Any]) -> str | None:
    found = header.get("kid")
    return found if isinstance(found, str) else None


def _checked_algorithms(named: Sequence[str] | None) -> list[str] | None:
    if named is None:
        return None
    if isinstance(named, str) or not named:
        raise ValueError('algorithms is a list, such as ["ES256"]')
    for one in named:
        if one not in ALGORITHMS:
            raise ValueError(f"algorithms has {one!r}; those there are: {', '.join(ALGORITHMS)}")
    return list(named)
