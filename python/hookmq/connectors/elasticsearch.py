"""The connector to Elasticsearch and OpenSearch."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias

from ..errors import HookMQError
from .address import secrets_of, without_secrets
from .connector import Connector, Rejection, redacted, unusable
from .http import Unavailable, cause, no_http_url
from .library import library
from .record import Record
from .shape import Shape, checked_shape, is_binary, json_of, shaped
from .template import Template

__all__ = ["Elasticsearch"]

Product: TypeAlias = Literal["elasticsearch", "opensearch"]

_EXISTS = 409
_TOO_LARGE = 413
"""The only answer to a whole request that speaks of what was in it; the others are given for each record."""
_NOT_NOW = frozenset({401, 403, 404, 408, 429})
"""Answers about a single record that say nothing against it; those from 500 on do not either."""

_NOT_IN_A_NAME = re.compile(r'[\\/*?"<>| ,#:]')

TEMPLATE_VERSION = 1


class Elasticsearch(Connector):
    """Records as documents of Elasticsearch 8 and 9, or of OpenSearch, with the bulk API.

    ``_id`` is the record's name and the operation is ``create``, so what is written again is there once. The
    time is in ``@timestamp``. A payload that is a JSON object is the object ``payload``, a number ``value``,
    anything else ``text``: a field has one type in an index, whatever clients publish. What the index does
    not take, for instance because a field of the payload has another type there, is a dead letter.

    Args:
        urls: one, or several nodes: ``https://user:password@host:9200``.
        index: a :class:`~hookmq.connectors.Template`. What cannot be in a name becomes ``_``.
        template: whether an index template is made for these indices, unless there is one of its name.
        product: ``"elasticsearch"`` (the client of version 8 or 9, that of the server or older) or
            ``"opensearch"``.
        shape: ``"document"``, or ``"crystalmq"`` for the keys of CrystalMQ (and ``@timestamp``).
        username, password: for Basic authentication.
        api_key: of Elasticsearch, in the place of a user.
        verify: whether certificates are checked, or the path of the authorities' certificates.
        timeout: seconds that an answer may take.
        name, batch_rows, batch_delay: as those of :class:`~hookmq.connectors.Connector`.

    ```python
    broker.send_to(Elasticsearch("https://search:9200", api_key="…", index="plant-%Y.%m.%d"), "plant/#")
    ```

    >>> Elasticsearch(["http://elastic:secret@a:9200", "http://b:9200"]).describe()
    'http://a:9200, http://b:9200 mqtt-%Y.%m.%d'
    """

    kind = "elasticsearch"

    def __init__(
        self,
        urls: str | Sequence[str] = "http://127.0.0.1:9200",
        *,
        index: str = "mqtt-%Y.%m.%d",
        template: bool = True,
        product: Product = "elasticsearch",
        shape: Shape = "document",
        username: str | None = None,
        password: str | None = None,
        api_key: str | None = None,
        verify: bool | str = True,
        timeout: float = 10.0,
        name: str | None = None,
        batch_rows: int = 1000,
        batch_delay: float = 0.2,
    ) -> None:
        super().__init__(name=name, batch_rows=batch_rows, batch_delay=batch_delay)
        if product not in ("elasticsearch", "opensearch"):
            raise ValueError(f"the product is 'elasticsearch' or 'opensearch', not {product!r}")
        if api_key is not None and (username is not None or product == "opensearch"):
            raise ValueError("`api_key` is for Elasticsearch, in the place of `username` and `password`")
        self._urls = [urls] if isinstance(urls, str) else list(urls)
        self._index = Template.parse(index)
        self._pattern = _pattern(self._index) if template else None
        if self._pattern == "*":
            help = "begin it with a word, or set template=False"
            raise ValueError(f"{index!r} would need a template for every index: {help}")
        self._product: Product = product
        self._shape = checked_shape(shape)
        self._login = None if username is None else (username, password or "")
        self._api_key, self._verify, self._timeout = api_key, verify, timeout
        self._secrets = (password, api_key, *(secret for url in self._urls for secret in secrets_of(url)))
        self._client: _Client | None = None

    def check(self) -> None:
        """Find a missing library and addresses that are none."""
        self._library(_MODULES[self._product])
        for url in self._urls or [""]:
            if reason := no_http_url(url):
                raise unusable(self, reason, "write it like   https://search.example:9200")

    def open(self) -> None:
        """Connect, and make the index template if it is not there."""
        self._client = self._connect()
        if self._pattern is not None:
            self._client.add_template(f"hookmq-{self.name}", self._template(self._pattern))

    def write(self, records: Sequence[Record], *, again: bool) -> Sequence[Rejection] | None:
        """Write the records with one request."""
        if self._client is None:
            self.open()
        assert self._client is not None
        lines: list[bytes] = []
        for record in records:
            action = {"_index": self._name_of_index(record), "_id": record.id}
            lines += [json_of({"create": action}), json_of(self._document(record))]
        return self._rejected(records, self._client.bulk(lines))

    def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def is_rejection(self, error: Exception) -> bool:
        """Whether the server says that the request is too large: its halves may not be."""
        return _status(error) == _TOO_LARGE

    def describe(self) -> str:
        """The addresses without secrets, and the index."""
        return f"{', '.join(map(without_secrets, self._urls))} {self._index.text}"

    def reason(self, error: BaseException) -> str:
        """What the server said, without secrets."""
        if isinstance(error, HookMQError):
            return error.message
        return redacted(cause(error) or super().reason(error)[:500], *self._secrets)

    # Connecting -----------------------------------------------------------------------------------------

    def _library(self, module: str) -> Any:
        return library(module, kind=self.kind, extra=self._product)

    def _connect(self) -> _Client:
        module = self._library(_MODULES[self._product])
        # Another node is asked at once; whoever carries the records here tries all of them again later.
        options: dict[str, Any] = {"max_retries": len(self._urls) - 1, "retry_on_timeout": False}
        if any(url.startswith("https://") for url in self._urls):
            options["verify_certs"] = self._verify is not False
            if self._verify is False:
                options["ssl_show_warn"] = False
            elif isinstance(self._verify, str):
                options["ca_certs"] = self._verify
        if self._product == "opensearch":
            options |= {} if self._login is None else {"http_auth": self._login}
            return _OpenSearch(module.OpenSearch(self._urls, timeout=self._timeout, **options))
        options |= {} if self._login is None else {"basic_auth": self._login}
        options |= {} if self._api_key is None else {"api_key": self._api_key}
        return _Elastic(module.Elasticsearch(self._urls, request_timeout=self._timeout, **options))

    def _template(self, pattern: str) -> dict[str, Any]:
        keyword = {"type": "keyword", "ignore_above": 8191}
        names = ("id", "kind", "client_id", "topic", "sender")
        properties: dict[str, Any] = {name: keyword for name in names}
        properties |= {"@timestamp": {"type": "date"}, "value": {"type": "double"}, "text": {"type": "text"}}
        properties |= {"message": {"type": "text"}, "qos": {"type": "byte"}, "retain": {"type": "boolean"}}
        # Of 1 and 1.5 the first must not make a field whole numbers; and a text is no date because it looks
        # like one.
        numbers = {"numbers": {"match_mapping_type": "long", "mapping": {"type": "double"}}}
        texts = {"texts": {"match_mapping_type": "string", "mapping": keyword}}
        mappings = {"date_detection": False, "dynamic_templates": [numbers, texts], "properties": properties}
        return {
            "index_patterns": [pattern],
            "priority": 200,
            "version": TEMPLATE_VERSION,
            "_meta": {"made_by": "hookmq"},
            "template": {"settings": {"index.mapping.ignore_malformed": True}, "mappings": mappings},
        }

    # Writing --------------------------------------------------------------------------------------------

    def _name_of_index(self, record: Record) -> str:
        name = _NOT_IN_A_NAME.sub("_", self._index.render(record).lower()).lstrip("-_+.")
        return name.encode()[:255].decode(errors="ignore") or "mqtt"

    def _document(self, record: Record) -> dict[str, Any]:
        document = {"@timestamp": record.moment.isoformat(), **shaped(record, self._shape)}
        if self._shape == "crystalmq":
            return document
        del document["time"]
        if "text" in document:  # of an error in the log
            return document
        payload = document.pop("payload", None)
        if isinstance(payload, dict) and not is_binary(payload):
            document["payload"] = payload
        elif isinstance(payload, int | float) and not isinstance(payload, bool):
            document["value"] = payload
        elif record.payload:
            document["text"] = record.text
        return document

    def _rejected(self, records: Sequence[Record], answer: Mapping[str, Any]) -> list[Rejection]:
        """Return what the server will never take. Raises if it may take some of it later."""
        items = answer.get("items", ())
        if len(items) != len(records):
            raise Unavailable(f"it answered about {len(items)} of {len(records)} records")
        rejected = []
        for record, item in zip(records, items, strict=True):
            result = item.get("create", {})
            status = int(result.get("status", 500))
            if status < 300 or status == _EXISTS:
                continue
            reason = redacted(_words(result.get("error")), *self._secrets)
            if status in _NOT_NOW or status >= 500:
                raise Unavailable(f"it answered {status}: {reason}")
            rejected.append(Rejection(record, reason))
        return rejected


_MODULES: Mapping[Product, str] = {"elasticsearch": "elasticsearch", "opensearch": "opensearchpy"}


class _Client(Protocol):
    """What the two libraries have in common."""

    def bulk(self, lines: Sequence[bytes]) -> Mapping[str, Any]: ...

    def add_template(self, name: str, template: Mapping[str, Any]) -> None: ...

    def close(self) -> None: ...


class _Elastic:
    def __init__(self, client: Any) -> None:
        self._client = client

    def bulk(self, lines: Sequence[bytes]) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = self._client.bulk(operations=lines).body
        return answer

    def add_template(self, name: str, template: Mapping[str, Any]) -> None:
        if not self._client.indices.exists_index_template(name=name):
            # `_meta` is the only key that Python would not take as it is.
            options = {key.removeprefix("_"): value for key, value in template.items()}
            self._client.indices.put_index_template(name=name, **options)

    def close(self) -> None:
        self._client.close()


class _OpenSearch:
    def __init__(self, client: Any) -> None:
        self._client = client

    def bulk(self, lines: Sequence[bytes]) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = self._client.bulk(body=b"\n".join(lines) + b"\n")
        return answer

    def add_template(self, name: str, template: Mapping[str, Any]) -> None:
        if not self._client.indices.exists_index_template(name=name):
            self._client.indices.put_index_template(name=name, body=template)

    def close(self) -> None:
        self._client.close()


def _status(error: Exception) -> int | None:
    """Return the status of an answer that one of the libraries made an error of."""
    meta = getattr(error, "meta", None)
    status = getattr(meta, "status", None) or getattr(error, "status_code", None)
    return status if isinstance(status, int) else None


def _words(error: Any) -> str:
    if not isinstance(error, Mapping):
        return str(error)
    text = f"{error.get('type')}: {error.get('reason')}"
    cause = error.get("caused_by")
    return f"{text} ({cause.get('reason')})" if isinstance(cause, Mapping) else text


def _pattern(index: Template) -> str:
    """Return the pattern of all names that a template can make.

    >>> _pattern(Template.parse("mqtt-{topic[0]}-%Y.%m.%d"))
    'mqtt-*'
    """
    literal = "".join(part if isinstance(part, str) else "*" for part in index.parts)
    stars = re.sub("%.", "*", literal).lower()
    return re.sub(r"\*.*\*", "*", stars, flags=re.DOTALL)
