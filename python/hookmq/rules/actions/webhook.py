"""The action that sends HTTP requests."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from ...connectors.address import parts_of
from ...connectors.connector import redacted
from ...connectors.fields import filled, pieces
from ...connectors.http import Refused, no_http_url
from ...connectors.record import Record
from ...connectors.webhook import key_of, signature
from ...errors import HookMQError
from .action import HIDDEN, Option, rendered
from .addresses import forbidden
from .delivery import RETRYING, Context, CourierAction, Delivery
from .guarded import GuardedHTTP
from .result import Result, json_text

__all__ = ["Webhook", "url_of"]

METHODS = ("POST", "GET", "PUT", "PATCH", "DELETE")

_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


class Webhook(CourierAction):
    """Sends a request for each result.

    >>> options = {"url": "https://plant.example/alarm/${clientid}?t=${t}", "method": "POST"}
    >>> url_of(options["url"], {"t": "a b"}, {"clientid": "../x"})
    'https://plant.example/alarm/..%2Fx?t=a%20b'
    """

    kind = "webhook"
    what = "sends an HTTP request"
    OPTIONS = (
        Option(
            "url",
            "str",
            "Where to; fields may stand in its path and its query, and are escaped.",
            required=True,
            template=True,
            address=True,
        ),
        Option("method", "str", "`POST`, `GET`, `PUT`, `PATCH` or `DELETE`.", "POST", choices=METHODS),
        Option("body", "str", "What is sent; the result as JSON. Nothing with `GET`.", template=True),
        Option("content_type", "str", "What the body is.", "application/json"),
        Option("headers", "templates", "Further headers.", {}, template=True, secret=True),
        Option("username", "str", "For Basic authentication."),
        Option("password", "str", "For Basic authentication.", secret=True),
        Option("secret", "str", "Signs each request as Standard Webhooks says.", secret=True),
        Option(
            "allow_private",
            "bool",
            "Whether it may reach addresses that are not public: this machine, private networks.",
            False,
        ),
        Option("timeout", "duration", "Time for a connection, and again for an answer.", 10.0, minimum=0.1),
        Option("ca", "file", "Certificates of the authorities that are trusted, PEM."),
        *RETRYING,
    )

    def check(self) -> None:
        """Refuse addresses that are none, or that may not be reached."""
        url = str(self.options["url"])
        # With letters in the place of fields, which may not be part of the host.
        plain = _plain(url)
        reason = no_http_url(plain)
        if reason is None and "${" in "/".join(url.split("/", 3)[:3]).partition("?")[0].partition("#")[0]:
            reason = "a field may stand in its path and its query alone: it does not choose the host"
        if reason is None and urlsplit(plain).username is not None:
            reason = "it has a password in it; write `username` and `password`"
        if reason is None and not self.options["allow_private"]:
            reason = _literally_forbidden(urlsplit(plain).hostname or "")
        if reason is not None:
            raise HookMQError("E711", where=self.where, reason=f"`url`: {reason}")
        if (self.options["password"] is None) is not (self.options["username"] is None):
            raise HookMQError("E711", where=self.where, reason="`username` and `password` go together")
        if self.options["secret"] is not None:
            try:
                key_of(self.options["secret"])
            except ValueError as error:
                raise HookMQError("E711", where=self.where, reason=f"`secret`: {error}") from None

    @property
    def target(self) -> str:
        """The host alone: the path of a webhook is often its secret."""
        parts = urlsplit(_plain(str(self.options["url"])))
        more = "/…" if parts.path.strip("/") or parts.query else ""
        return f"{self.options['method']} {parts.scheme}://{parts.netloc}{more}"

    def delivery(self, name: str, context: Context) -> Delivery:
        """What sends requests."""
        return _Requests(name, self)

    def preview(self, row: Mapping[str, Any], source: Mapping[str, Any]) -> dict[str, Any]:
        """The request that would be sent."""
        shown: dict[str, Any] = {"method": self.options["method"]}
        shown["url"] = url_of(self.options["url"], row, source)
        if self.options["headers"]:
            shown["headers"] = dict.fromkeys(self.options["headers"], HIDDEN)
        body = self.body(row, source)
        return shown if body is None else shown | {"body": body.decode()}

    def body(self, row: Mapping[str, Any], source: Mapping[str, Any]) -> bytes | None:
        """Return what is sent."""
        template = self.options["body"]
        if template is not None:
            return rendered(template, row, source).encode()
        return None if self.options["method"] == "GET" else json_text(row).encode()

    def headers(self, result: Result, record: Record, body: bytes | None) -> dict[str, str]:
        """Return the headers of a request."""
        identifier = hashlib.sha256(record.id.encode()).hexdigest()[:32]
        now = int(time.time())
        made = {
            "User-Agent": "hookmq",
            "Idempotency-Key": identifier,
            "webhook-id": identifier,
            "webhook-timestamp": str(now),
        }
        if body is not None:
            made["Content-Type"] = str(self.options["content_type"])
        if self.options["username"] is not None:
            made["Authorization"] = _basic(self.options["username"], self.options["password"])
        if self.options["secret"] is not None:
            made["webhook-signature"] = signature(
                key_of(self.options["secret"]), identifier, now, body or b""
            )
        for name, template in self.options["headers"].items():
            # What a client has sent must not become a header of its own.
            value = _CONTROL.sub(" ", rendered(template, *result)).strip()
            made[name] = value.encode("latin-1", "replace").decode("latin-1")
        return made


class _Requests(Delivery):
    kind = "webhook"

    def __init__(self, name: str, action: Webhook) -> None:
        super().__init__(name, action.patience)
        self._action = action
        options = action.options
        self._http = GuardedHTTP(
            _plain(str(options["url"])),
            allow_private=options["allow_private"],
            timeout=options["timeout"],
            ca=options["ca"],
        )

    def deliver(self, result: Result, record: Record) -> None:
        action = self._action
        parts = urlsplit(url_of(action.options["url"], *result))
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        body = action.body(*result)
        self._http.send(action.options["method"], path, body, action.headers(result, record, body))

    def abort(self) -> None:
        self._http.abort()

    def close(self) -> None:
        self._http.close()

    def is_rejection(self, error: Exception) -> bool:
        # An address that may not be reached is none of the result's, but waiting does not mend it either; it
        # is tried again because names change.
        return isinstance(error, Refused | ValueError)

    def describe(self) -> str:
        return self._action.target

    def reason(self, error: BaseException) -> str:
        options = self._action.options
        return redacted(
            super().reason(error),
            *parts_of(_plain(str(options["url"]))),
            options["password"],
            options["secret"],
            *options["headers"].values(),
        )


def url_of(template: str, row: Mapping[str, Any], source: Mapping[str, Any]) -> str:
    """Return a URL with its fields filled in, each of them escaped."""

    made = filled(template, row, source, lambda text: quote(text, safe=""))
    return quote(made, safe="%/:=&?~#+!$,;'@()*[]")


def _plain(template: str) -> str:
    """Return a URL with a letter in the place of each field.

    >>> _plain("https://plant.example/${clientid}")
    'https://plant.example/x'
    """
    return "".join("x" if is_field else text for text, is_field in pieces(template))


def _literally_forbidden(host: str) -> str | None:
    """Say why a host that is written as an address may not be reached; names are resolved later."""
    try:
        what = forbidden(host)
    except ValueError:
        what = "this machine" if host.lower().rstrip(".") == "localhost" else None
    return None if what is None else f"{host} is not public ({what}): allow it with   allow_private = true"


def _basic(username: str, password: str) -> str:
    import base64

    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode("ascii")
