"""A web service of yours that knows who may connect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Unpack

from ..decisions import Allow, Identity
from .http_client import HTTPAnswer, HTTPClient, checked_url, place
from .service import Answer, AuthenticationService, ServiceOptions, bad_login, number
from .trouble import Failure

if TYPE_CHECKING:
    from .._hookmq import Client

__all__ = ["HTTPService"]

METHODS = ("POST", "GET", "PUT")


class HTTPService(AuthenticationService):
    """Asks a web service: 200 lets the client in, anything else refuses it.

    It is told ``username``, ``password``, ``clientid`` and ``ipaddress``, form-encoded as CrystalMQ does it:
    with ``GET`` in the query, where they end up in the service's own log. What a client did not give is
    empty. An answer may be a JSON object (``Content-Type: application/json``) that says more:
    ``{"username": "north", "ttl": 60}`` names the client otherwise and lets the answer hold for a minute.

    Args:
        url: of the service; ``https`` checks its certificate.
        method: ``"POST"``, ``"GET"`` or ``"PUT"``.
        timeout: seconds for a connection, and again for the answer.
        retries: attempts to connect after the first.
        body: ``"form"``, or ``"json"`` for an object with the same names.
        bearer: a token for ``Authorization: Bearer``.
        headers: further ones.
        ca: path of the certificates that the service's own must be signed by.
        reads_answer: whether an answer in JSON may name the user (``username``) and how long it holds
            (``ttl``).
        options: those of all services, see :class:`~hookmq.authentication.service.ServiceOptions`.

    Redirects are not followed. 429, 502, 503, 504, and no answer count as an outage.

    ```python
    broker.authenticate_with(HTTPService("https://plant.example/auth", timeout=0.5, ttl=60))
    ```

    >>> HTTPService("https://plant.example/auth?key=secret").describe()
    'POST https://plant.example/auth'
    """

    kind = "http"

    def __init__(
        self,
        url: str,
        *,
        method: str = "POST",
        timeout: float = 1.0,
        retries: int = 3,
        body: str = "form",
        bearer: str | None = None,
        headers: Mapping[str, str] | None = None,
        ca: str | None = None,
        reads_answer: bool = True,
        **options: Unpack[ServiceOptions],
    ) -> None:
        super().__init__(**options)
        if method not in METHODS:
            raise ValueError(f"method is one of {', '.join(METHODS)}, not {method!r}")
        if body not in ("form", "json") or (body == "json" and method == "GET"):
            raise ValueError(f"body is 'form', or with POST and PUT 'json', not {body!r}")
        self._url, self._method, self._body = checked_url(url), method, body
        self._reads_answer = reads_answer
        authorization = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
        self._http = HTTPClient(
            kind=self.kind,
            extra="http-auth",
            timeout=number("timeout", timeout, least=0.001),
            retries=int(number("retries", retries)),
            ca=ca,
            headers=dict(headers or {}) | authorization,
            connections=self.threads,
        )

    def check(self, client: Client) -> Answer:
        """Ask the service."""
        given: dict[str, str | bytes] = {
            "username": client.username or "",
            "password": client.password_bytes or b"",
            "clientid": client.client_id,
            "ipaddress": client.address or "",
        }
        if self._method == "GET":
            answer = self._http.ask("GET", self._url, params=given)
        elif self._body == "form":
            answer = self._http.ask(self._method, self._url, data=given)
        else:
            if client.password_bytes is not None and client.password is None:
                return bad_login()  # JSON has no bytes
            answer = self._http.ask(self._method, self._url, json=given | {"password": client.password or ""})
        if answer.status == 200:
            return self._read(answer)
        if answer.status >= 500:
            raise Failure(f"{place(self._url)} answered {answer.status}")
        return bad_login()

    def _read(self, answer: HTTPAnswer) -> Answer:
        if not self._reads_answer or answer.content_type != "application/json" or not answer.body.strip():
            return Allow(ttl=self.ttl)
        found = answer.object()
        ttl, name = found.get("ttl"), found.get("username")
        try:
            holds = self.ttl if ttl is None else number("ttl", ttl)
        except ValueError:
            raise Failure("the `ttl` in its answer is no number of seconds") from None
        if name is None:
            return Allow(ttl=holds)
        if not isinstance(name, str) or not name or "\0" in name:
            raise Failure("the `username` in its answer is no user name")
        return Identity(name, ttl=holds)

    def shown(self, client: Client) -> tuple[object, ...]:
        """Return what the service is told."""
        return client.username, client.password_bytes, client.client_id, client.address

    def describe(self) -> str:
        """The method and the address, without its query."""
        return f"{self._method} {place(self._url)}"

    def closed(self) -> None:
        """Close the connections."""
        self._http.close()
