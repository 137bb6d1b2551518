"""Clients with a token that an authorization server is asked about: OAuth 2.0 Introspection (RFC 7662)."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack
from urllib.parse import quote_plus

from ..decisions import Deny, Identity
from .http_client import HTTPClient, checked_url, place
from .lease import Lease
from .service import NOT_AUTHORIZED, Answer, AuthenticationService, ServiceOptions, number
from .token import checked_place, moment, name_from, refusal, token_of
from .trouble import Failure

if TYPE_CHECKING:
    from .._hookmq import Client

__all__ = ["OAuth2"]

DISCOVERY = "/.well-known/openid-configuration"


class OAuth2(AuthenticationService):
    """Lets in who shows an access token that the authorization server calls active.

    When it expires, the connection is ended. An answer is remembered for ``ttl`` seconds, but never longer
    than the token is good; so a token that is revoked opens the door for that long. A client without a token
    is left to others.

    Args:
        introspection_url: where tokens are asked about; or
        issuer: the address of an OpenID provider, whose ``/.well-known/openid-configuration`` names it.
        client_id, client_secret: who the broker is for the authorization server.
        secret_in: ``"header"`` for Basic authentication, ``"body"`` for servers that want it in the form.
        scope: one that the token must have, or several of which it must have all.
        audience: what must stand in ``aud``, or one of several.
        username_claim: where the answer has the user name by which the client is known: ``"username"``,
            ``"sub"``, ``"client_id"``, …
        client_id_claim: where the client identifier must stand, if anywhere.
        token_from: ``"password"`` or ``"username"``.
        disconnect: whether the connection ends when the token expires.
        leeway: seconds by which clocks may differ.
        timeout: seconds for a connection, and again for the answer.
        retries: attempts to connect after the first.
        ca: path of the certificates that the server's must be signed by.
        options: those of all services; ``ttl`` is 30 here.

    It needs ``hookmq[oauth2]``.

    ```python
    broker.authenticate_with(OAuth2(issuer="https://login.example", client_id="mqtt", client_secret="…"))
    ```
    """

    kind = "oauth2"
    leases = True
    defaults = {"ttl": 30.0}  # noqa: RUF012 - not changed by anybody

    def __init__(
        self,
        *,
        client_id: str,
        client_secret: str,
        introspection_url: str | None = None,
        issuer: str | None = None,
        secret_in: str = "header",
        scope: str | Sequence[str] = (),
        audience: str | Sequence[str] | None = None,
        username_claim: str = "username",
        client_id_claim: str | None = None,
        token_from: str = "password",
        disconnect: bool = True,
        leeway: float = 0.0,
        timeout: float = 1.5,
        retries: int = 1,
        ca: str | None = None,
        **options: Unpack[ServiceOptions],
    ) -> None:
        super().__init__(**options)
        if (introspection_url is None) == (issuer is None):
            raise ValueError("give either introspection_url or issuer")
        if secret_in not in ("header", "body"):
            raise ValueError(f"secret_in is 'header' or 'body', not {secret_in!r}")
        self._url = None if introspection_url is None else checked_url(introspection_url, "introspection_url")
        self._issuer = None if issuer is None else checked_url(issuer, "issuer")
        self._finding = threading.Lock()
        self._credentials = client_id, client_secret
        self._in_body = secret_in == "body"
        self._scopes = frozenset(scope.split() if isinstance(scope, str) else scope)
        self._audience = (
            None if audience is None else frozenset([audience] if isinstance(audience, str) else audience)
        )
        self._username_claim, self._client_id_claim = username_claim, client_id_claim
        self._place = checked_place(token_from)
        self._disconnect = disconnect
        self._leeway = number("leeway", leeway)
        # RFC 6749, 2.3.1: both are form-encoded first.
        basic = quote_plus(client_id), quote_plus(client_secret)
        self._http = HTTPClient(
            kind=self.kind,
            extra="oauth2",
            timeout=number("timeout", timeout, least=0.001),
            retries=int(number("retries", retries)),
            ca=ca,
            headers={"Accept": "application/json"},
            auth=None if self._in_body else basic,
            connections=self.threads,
        )

    def concerns(self, client: Client) -> bool | Deny:
        """Whether it shows anything that could be a token."""
        token = token_of(client, self._place)
        # RFC 6750, 2.1: visible characters.
        return token is not None and token.isascii() and token.isprintable() and " " not in token

    def shown(self, client: Client) -> tuple[object, ...]:
        """Return the token, and the client identifier if it counts."""
        return token_of(client, self._place), client.client_id if self._client_id_claim else None

    def check(self, client: Client) -> Answer:
        """Ask about the token."""
        found = self._introspected(token_of(client, self._place) or "")
        active = found.get("active")
        if active is False:
            return refusal("the token is not valid")
        if active is not True:
            raise Failure("the authorization server's answer does not say whether the token is active")
        if "refresh" in str(found.get("token_type") or found.get("typ") or "").casefold():
            return refusal("it is a refresh token, which is for the authorization server alone")
        now = time.time()
        expires = moment(found, "exp")
        if expires is not None and expires + self._leeway <= now:
            return refusal("the token has expired")
        if (begins := moment(found, "nbf")) is not None and begins - self._leeway > now:
            return refusal("the token is not valid yet")
        if not self._scopes <= _words(found.get("scope")):
            return Deny("the token has not the scope that is needed", code=NOT_AUTHORIZED)
        if self._audience is not None and not self._audience & _listed(found.get("aud")):
            return refusal("the token is meant for somebody else")
        if self._client_id_claim is not None and found.get(self._client_id_claim) != client.client_id:
            return refusal("the token is for another client identifier")
        name = name_from(found, self._username_claim)
        if expires is None:
            return Identity(name, ttl=self.ttl)
        end = expires + self._leeway
        ttl = min(self.ttl, end - now)
        return Lease(name, ttl=ttl, expires=end) if self._disconnect else Identity(name, ttl=ttl)

    def _introspected(self, token: str) -> dict[str, Any]:
        form: dict[str, str | bytes] = {"token": token, "token_type_hint": "access_token"}
        if self._in_body:
            form |= dict(zip(("client_id", "client_secret"), self._credentials, strict=True))
        url = self._url or self._discovered()
        answer = self._http.ask("POST", url, data=form)
        if answer.status in (401, 403):
            raise Failure(f"{place(url)} answered {answer.status}: client_id or client_secret is wrong")
        if answer.status != 200:
            raise Failure(f"{place(url)} answered {answer.status}")
        return answer.object()

    def _discovered(self) -> str:
        """Return where the issuer wants to be asked; found out once."""
        assert self._issuer is not None
        with self._finding:
            if self._url is None:
                answer = self._http.ask("GET", self._issuer.rstrip("/") + DISCOVERY)
                if answer.status != 200:
                    raise Failure(f"{place(self._issuer)}{DISCOVERY} answered {answer.status}")
                self._url = self._endpoint(answer.object())
            return self._url

    def _endpoint(self, configuration: dict[str, Any]) -> str:
        issuer = self._issuer or ""
        # OpenID Connect Discovery, 4.3: or somebody else could speak for it.
        if str(configuration.get("issuer")).rstrip("/") != issuer.rstrip("/"):
            raise Failure("the configuration is of another issuer")
        try:
            found = checked_url(str(configuration.get("introspection_endpoint")))
        except ValueError:
            raise Failure("the issuer's configuration names no introspection_endpoint") from None
        if issuer.startswith("https:") and not found.startswith("https:"):
            raise Failure("the issuer wants to be asked without TLS")
        return found

    def describe(self) -> str:
        """The address, without its query."""
        return place(self._url or self._issuer or "")

    def closed(self) -> None:
        """Close the connections."""
        self._http.close()


def _words(value: object) -> frozenset[str]:
    return frozenset(value.split()) if isinstance(value, str) else _listed(value)


def _listed(value: object) -> frozenset[str]:
    if isinstance(value, str):
        return frozenset([value])
    return frozenset(one for one in value if isinstance(one, str)) if isinstance(value, list) else frozenset()
