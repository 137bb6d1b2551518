"""The connector to an HTTP endpoint of yours."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from .address import parts_of
from .connector import Connector, Rejection, redacted, unusable
from .http import HTTPService, Refused, no_http_url
from .record import Record
from .shape import Shape, checked_shape, json_of, shaped

__all__ = ["Webhook", "key_of", "signature"]

METHODS = ("POST", "PUT", "PATCH")


class Webhook(Connector):
    """Records as JSON to a URL.

    The body is an array of records. 2xx means that all of them are taken, 400, 409, 413, 422 and the like
    that one of them never will be (it is looked for and goes to the dead letters); anything else, and no
    answer, that they are to be sent again. ``Retry-After`` is respected. Each request has the headers of
    `Standard Webhooks <https://www.standardwebhooks.com>`_: ``webhook-id`` (the same when it is sent again;
    also as ``Idempotency-Key``), ``webhook-timestamp`` and, with a secret, ``webhook-signature``. A batch
    that waited on disk may come again in another composition, so the receiver that wants each record once
    looks at their ``id``.

    Private addresses are allowed, because the operator writes the URL and no record can change it.

    Args:
        url: where to.
        secret: signs each request; at its best ``whsec_`` and 24 to 64 random bytes in Base64.
        headers: further ones, for instance ``{"Authorization": "Bearer …"}``.
        method: ``"POST"``, ``"PUT"`` or ``"PATCH"``.
        array: ``False`` sends each record as a request of its own, and no array around it.
        shape: ``"document"``, or ``"crystalmq"`` for the keys of CrystalMQ.
        username, password: for Basic authentication.
        verify: whether certificates are checked, or the path of the authorities' certificates.
        proxy: URL of a proxy.
        timeout: seconds that an answer may take; a connection may take 5.
        name, batch_rows, batch_delay: as those of :class:`~hookmq.connectors.Connector`.

    ```python
    broker.send_to(Webhook("https://plant.example/mqtt", secret="whsec_…"), "plant/#", ack="stored")
    ```

    >>> Webhook("https://hooks.example/services/T0/secret").describe()
    'https://hooks.example/…'
    """

    kind = "webhook"

    def __init__(
        self,
        url: str,
        *,
        secret: str | None = None,
        headers: Mapping[str, str] | None = None,
        method: str = "POST",
        array: bool = True,
        shape: Shape = "document",
        username: str | None = None,
        password: str | None = None,
        verify: bool | str = True,
        proxy: str | None = None,
        timeout: float = 10.0,
        name: str | None = None,
        batch_rows: int = 100,
        batch_delay: float = 0.05,
    ) -> None:
        super().__init__(name=name, batch_rows=batch_rows if array else 1, batch_delay=batch_delay)
        if method not in METHODS:
            raise ValueError(f"the method of a webhook is one of {', '.join(METHODS)}, not {method!r}")
        self._url, self._method, self._array = url, method, array
        self._shape = checked_shape(shape)
        self._key = None if secret is None else key_of(secret)
        self._secrets = (secret, password, *(headers or {}).values())
        auth = None if username is None else (username, password or "")
        self._service = HTTPService(
            kind=self.kind,
            extra="webhook",
            timeout=timeout,
            verify=verify,
            headers=headers,
            auth=auth,
            proxy=proxy,
        )

    def check(self) -> None:
        """Find a missing library and an address that is none."""
        self._service.check()
        if reason := no_http_url(self._url):
            raise unusable(self, reason, "write it like   https://plant.example/mqtt")

    def write(self, records: Sequence[Record], *, again: bool) -> Sequence[Rejection] | None:
        """Send the records in one request."""
        documents = [self._document(record) for record in records]
        body = json_of(documents if self._array else documents[0])
        self._service.send(self._method, self._url, body, headers=self._headers(records, body))
        return None

    def close(self) -> None:
        """Close the connections."""
        self._service.close()

    def is_rejection(self, error: Exception) -> bool:
        """Whether the receiver says that the records are at fault."""
        return isinstance(error, Refused)

    def describe(self) -> str:
        """The host alone: the path of a webhook is often its secret."""
        parts = urlsplit(self._url)
        host = parts.netloc.rpartition("@")[2]
        return f"{parts.scheme}://{host}" + ("/…" if parts.path.strip("/") or parts.query else "")

    def reason(self, error: BaseException) -> str:
        """What the receiver said, without secrets."""
        return redacted(super().reason(error), *parts_of(self._url), *self._secrets)

    def _document(self, record: Record) -> dict[str, object]:
        return {"id": record.id} | shaped(record, self._shape)

    def _headers(self, records: Sequence[Record], body: bytes) -> dict[str, str]:
        identifier = _identifier(records)
        now = int(time.time())
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": identifier,
            "webhook-id": identifier,
            "webhook-timestamp": str(now),
        }
        if self._key is not None:
            headers["webhook-signature"] = signature(self._key, identifier, now, body)
        return headers


def signature(key: bytes, identifier: str, timestamp: int, body: bytes) -> str:
    """Return the header ``webhook-signature``, as Standard Webhooks 1.0 defines it.

    A receiver makes the same from what it got, compares with :func:`hmac.compare_digest`, and refuses
    timestamps that are minutes away; the package ``standardwebhooks`` does all of it.

    >>> signature(b"key", "id", 1_650_000_000, b"[]")
    'v1,y+aEYbXkEbE7bjIXxlyf/xUPMjQaGEdA1KtojAvqagM='
    """
    signed = hmac.digest(key, b"%s.%d.%s" % (identifier.encode(), timestamp, body), hashlib.sha256)
    return "v1," + base64.b64encode(signed).decode("ascii")


def key_of(secret: str) -> bytes:
    """Return the key of a secret: what ``whsec_`` has in Base64, else its characters."""
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise ValueError("behind `whsec_` a secret is Base64") from None


def _identifier(records: Sequence[Record]) -> str:
    """Return a name of these records: others, or these in another order, have another."""
    return hashlib.sha256(" ".join(record.id for record in records).encode()).hexdigest()[:32]
