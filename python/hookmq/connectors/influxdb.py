"""The connector to InfluxDB 1, 2 and 3, and to what takes its line protocol."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from .address import secrets_of, without_secrets
from .connector import Connector, Rejection, redacted, unusable
from .http import HTTPService, Refused, no_http_url
from .line_protocol import fields_of, line, nanoseconds
from .record import Record
from .template import Template

__all__ = ["InfluxDB"]

Version: TypeAlias = Literal[1, 2, 3]

TAGS: Mapping[str, str] = {"topic": "{topic}", "client_id": "{client_id}"}


class InfluxDB(Connector):
    """Records as points, in line protocol.

    What is JSON becomes fields, a number alone ``value``, anything else ``text``; numbers are floats. The
    time of a point is that of the record, with its number in the place of the nanoseconds, so a record that
    is written again replaces itself and no other. A point whose field has another type in the database is a
    dead letter.

    Args:
        url: ``http://host:8086``, or what else comes before ``/write`` or ``/api``.
        database: of InfluxDB 1 and 3.
        bucket, org: of InfluxDB 2.
        token: of InfluxDB 2 and 3.
        username, password: of InfluxDB 1.
        version: of the API: 1 for ``database``, 2 for ``bucket``, or 3 with ``database``.
        measurement: a :class:`~hookmq.connectors.Template`.
        tags: templates by the name of the tag.
        verify: whether certificates are checked, or the path of the authorities' certificates.
        proxy: URL of a proxy.
        timeout: seconds that an answer may take; a connection may take 5.
        name, batch_rows, batch_delay: as those of :class:`~hookmq.connectors.Connector`.

    ```python
    broker.send_to(InfluxDB("http://influx:8086", org="plant", bucket="mqtt", token="…"), "plant/#")
    ```

    >>> InfluxDB("http://influx:8086", database="plant").describe()
    'http://influx:8086 plant {topic[0]}'
    """

    kind = "influxdb"

    def __init__(
        self,
        url: str = "http://127.0.0.1:8086",
        *,
        database: str | None = None,
        bucket: str | None = None,
        org: str | None = None,
        token: str | None = None,
        username: str | None = None,
        password: str | None = None,
        version: Version | None = None,
        measurement: str = "{topic[0]}",
        tags: Mapping[str, str] = TAGS,
        verify: bool | str = True,
        proxy: str | None = None,
        timeout: float = 10.0,
        name: str | None = None,
        batch_rows: int = 5000,
        batch_delay: float = 0.2,
    ) -> None:
        super().__init__(name=name, batch_rows=batch_rows, batch_delay=batch_delay)
        self._version = version or (1 if bucket is None else 2)
        if self._version not in (1, 2, 3):
            raise ValueError(f"the version of InfluxDB's API is 1, 2 or 3, not {version!r}")
        wanted, other = (bucket, database) if self._version == 2 else (database, bucket)
        if wanted is None or other is not None:
            raise ValueError("name the `database` of InfluxDB 1 or 3, or the `bucket` of InfluxDB 2")
        self._url, self._store, self._org = url.rstrip("/"), wanted, org
        self._measurement = Template.parse(measurement)
        self._tags = {tag: Template.parse(text) for tag, text in tags.items()}
        self._secrets = (token, password, *secrets_of(url))
        scheme = "Bearer" if self._version == 3 else "Token"
        self._service = HTTPService(
            kind=self.kind,
            extra="influxdb",
            timeout=timeout,
            verify=verify,
            headers={} if token is None else {"Authorization": f"{scheme} {token}"},
            auth=None if username is None else (username, password or ""),
            proxy=proxy,
        )

    def check(self) -> None:
        """Find a missing library and an address that is none."""
        self._service.check()
        if reason := no_http_url(self._url):
            raise unusable(self, reason, "write it like   http://influx.example:8086")

    def write(self, records: Sequence[Record], *, again: bool) -> Sequence[Rejection] | None:
        """Write the records with one request."""
        text = "\n".join(self._line(record) for record in records)
        # A payload may be JSON with half a surrogate pair, which UTF-8 does not have.
        body = gzip.compress(text.encode(errors="replace"), compresslevel=1)
        headers = {"Content-Type": "text/plain; charset=utf-8", "Content-Encoding": "gzip"}
        path, params = self._endpoint()
        try:
            self._service.send("POST", self._url + path, body, headers=headers, params=params)
        except Refused as error:
            if (rejected := self._named(records, error.text)) is None:
                raise
            return rejected
        return None

    def close(self) -> None:
        """Close the connections."""
        self._service.close()

    def is_rejection(self, error: Exception) -> bool:
        """Whether the database says that a line is at fault."""
        return isinstance(error, Refused)

    def describe(self) -> str:
        """The address without secrets, the database or bucket, and the measurement."""
        return f"{without_secrets(self._url)} {self._store} {self._measurement.text}"

    def reason(self, error: BaseException) -> str:
        """What the database said, without secrets."""
        return redacted(super().reason(error), *self._secrets)

    def _endpoint(self) -> tuple[str, dict[str, str]]:
        if self._version == 1:
            return "/write", {"db": self._store, "precision": "ns"}
        if self._version == 2:
            org = {} if self._org is None else {"org": self._org}
            return "/api/v2/write", {**org, "bucket": self._store, "precision": "ns"}
        return "/api/v3/write_lp", {"db": self._store, "precision": "nanosecond", "accept_partial": "true"}

    def _line(self, record: Record) -> str:
        measurement = self._measurement.render(record) or "mqtt"
        tags = {name: template.render(record) for name, template in self._tags.items()}
        return line(measurement, tags, fields_of(record), nanoseconds(record))

    def _named(self, records: Sequence[Record], answer: str) -> list[Rejection] | None:
        """Return the records whose lines version 3 names: it has taken all others. The others name none."""
        try:
            found = json.loads(answer)
            named = [(int(item["line_number"]), str(item["error_message"])) for item in found["data"]]
        except (KeyError, TypeError, ValueError):
            return None
        if not named or not str(found.get("error", "")).startswith("partial write"):
            return None
        if not all(1 <= number <= len(records) for number, _ in named):
            return None
        return [Rejection(records[number - 1], redacted(text, *self._secrets)) for number, text in named]
