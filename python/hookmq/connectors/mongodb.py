"""The connector to MongoDB, and to what speaks its protocol."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import HookMQError
from .address import secrets_of, without_secrets
from .connector import Connector, Rejection, redacted, unusable
from .library import library
from .record import Record
from .shape import Shape, checked_shape, is_binary, shaped
from .template import Template

__all__ = ["MongoDB"]

_DUPLICATE_KEY = 11000
_NAMESPACE_EXISTS = 48

_REJECTIONS = frozenset({15, 73, 10334})
"""Codes of a whole command that speak of a record: too deep, too large, no name of a collection."""

_NOT_NOW = frozenset({6, 7, 13, 18, 50, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436, 14031})
"""Codes of a single document that speak of the server: it stops, is no primary, is full, lets nobody in."""

_NOT_IN_A_NAME = re.compile(r"[$\x00]")


class MongoDB(Connector):
    """Records as documents.

    ``_id`` is the record's name, so a batch that is written again leaves each document there once. A payload
    that is JSON is stored as its value, what is no text as binary data; ``time`` is a date, ``number`` the
    order. A JSON value that BSON cannot hold, such as an integer of 65 bits, is stored as text.

    With ``time_series=True`` collections are made as time series (``time`` is their time, ``source`` with
    topic and client their meta field). ``_id`` is not unique there: before something is written again, the
    connector asks which of it is there. That is exact as long as an earlier attempt is not still at work in
    the server.

    Args:
        url: ``mongodb://user:password@host:27017`` or ``mongodb+srv://…``, with the options of MongoDB.
        database: its name.
        collection: a :class:`~hookmq.connectors.Template` of the collection. What cannot be in a name
            becomes ``_``; a level that is empty, ``mqtt``.
        time_series: see above.
        max_age: seconds after which MongoDB removes documents; ``None`` keeps them.
        shape: ``"document"``, or ``"crystalmq"`` for the keys of CrystalMQ (and ``_id``).
        username, password: in the place of those in ``url``.
        timeout: seconds that an answer may take; a connection and the choice of a server may take 5.
        name, batch_rows, batch_delay: as those of :class:`~hookmq.connectors.Connector`.

    Unless the URL says otherwise a write is acknowledged when it is in the journal (``journal=true``).

    ```python
    broker.send_to(MongoDB("mongodb://mqtt:secret@db", database="plant"), "plant/#", ack="stored")
    ```

    >>> MongoDB("mongodb://mqtt:secret@db", database="plant").describe()
    'mongodb://db plant.{topic[0]}'
    """

    kind = "mongodb"

    def __init__(
        self,
        url: str = "mongodb://127.0.0.1:27017",
        *,
        database: str = "hookmq",
        collection: str = "{topic[0]}",
        time_series: bool = False,
        max_age: int | None = None,
        shape: Shape = "document",
        username: str | None = None,
        password: str | None = None,
        timeout: float = 10.0,
        name: str | None = None,
        batch_rows: int = 1000,
        batch_delay: float = 0.05,
    ) -> None:
        super().__init__(name=name, batch_rows=batch_rows, batch_delay=batch_delay)
        if shape == "crystalmq" and (time_series or max_age is not None):
            raise ValueError(
                "documents in the shape of CrystalMQ have no date for `time_series` and `max_age`"
            )
        if max_age is not None and max_age < 1:
            raise ValueError(f"`max_age` is a number of seconds from 1 on, not {max_age}")
        self._url, self._database = url, database
        self._collection = Template.parse(collection)
        self._time_series, self._max_age = time_series, max_age
        self._shape = checked_shape(shape)
        self._login = {"username": username, "password": password} if username else {}
        self._timeout = timeout
        self._secrets = (*secrets_of(url), password)
        self._client: Any = None
        self._prepared: set[str] = set()
        self._max_size = 16 << 20
        """Bytes of a document, at most; the server says."""

    def check(self) -> None:
        """Find a missing library and an address that is none."""
        pymongo = self._library("pymongo")
        if self._url.startswith("mongodb+srv://"):
            return  # it is looked up in the DNS, which may be away like any service
        try:
            self._library("pymongo.uri_parser").parse_uri(self._url)
        except (pymongo.errors.PyMongoError, ValueError) as error:
            help = "write it like   mongodb://user:password@host:27017"
            raise unusable(self, f"{without_secrets(self._url)}: {self.reason(error)}", help) from None

    def open(self) -> None:
        """Connect, and see whether it answers."""
        self._client = self._library("pymongo").MongoClient(self._url, **self._login, **self._options())
        self._prepared.clear()
        self._max_size = self._client.admin.command("hello").get("maxBsonObjectSize", self._max_size)

    def write(self, records: Sequence[Record], *, again: bool) -> Sequence[Rejection] | None:
        """Write the records, those of each collection with one ``insert_many``."""
        groups: dict[str, list[Record]] = {}
        for record in records:
            groups.setdefault(self._name_of_collection(record), []).append(record)
        rejected: list[Rejection] = []
        for name, group in groups.items():
            rejected += self._insert(name, group, again)
        return rejected

    def abort(self) -> None:
        """Close the client, which whoever waits for a server or an answer notices."""
        if (client := self._client) is not None:
            client.close()

    def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def is_rejection(self, error: Exception) -> bool:
        """Whether MongoDB, or the driver, says that a document is at fault."""
        errors = self._library("pymongo").errors
        if isinstance(error, errors.OperationFailure):
            return error.code in _REJECTIONS
        kinds = errors.InvalidName, errors.DocumentTooLarge, self._library("bson.errors").BSONError
        return isinstance(error, kinds)

    def describe(self) -> str:
        """The address without secrets, the database and the collection."""
        return f"{without_secrets(self._url)} {self._database}.{self._collection.text}"

    def reason(self, error: BaseException) -> str:
        """What MongoDB said, without secrets."""
        if isinstance(error, HookMQError):
            return error.message
        # The driver appends its settings, and what it knows of all servers.
        text = super().reason(error)
        for appendix in (" (configured timeouts:", ", full error:", ", Timeout: "):
            text = text.partition(appendix)[0]
        return redacted(text, *self._secrets)

    # Connecting -----------------------------------------------------------------------------------------

    def _library(self, module: str) -> Any:
        return library(module, kind=self.kind, extra="mongodb")

    def _options(self) -> dict[str, Any]:
        milliseconds = int(self._timeout * 1000)
        options = {
            "appname": "hookmq",
            "connectTimeoutMS": min(5000, milliseconds),
            "serverSelectionTimeoutMS": min(5000, milliseconds),
            "socketTimeoutMS": milliseconds,
            "journal": True,
            "tz_aware": True,
        }
        given = self._url.partition("?")[2].lower()
        return {name: value for name, value in options.items() if f"{name.lower()}=" not in given}

    def _name_of_collection(self, record: Record) -> str:
        name = _NOT_IN_A_NAME.sub("_", self._collection.render(record)).strip(".")
        if name.startswith("system."):
            name = "_" + name
        # With the database a name has at most 255 bytes.
        return name.encode()[:150].decode(errors="ignore") or "mqtt"

    def _prepare(self, name: str) -> Any:
        """Return a collection; with what the options ask for, if it is met for the first time."""
        database = self._client[self._database]
        if name not in self._prepared:
            if self._time_series:
                self._make_time_series(database, name)
            elif self._max_age is not None:
                database[name].create_index("time", expireAfterSeconds=self._max_age, name="hookmq_max_age")
            self._prepared.add(name)
        return database[name]

    def _make_time_series(self, database: Any, name: str) -> None:
        options = {} if self._max_age is None else {"expireAfterSeconds": self._max_age}
        time_series = {"timeField": "time", "metaField": "source", "granularity": "seconds"}
        try:
            database.create_collection(name, check_exists=False, timeseries=time_series, **options)
        except self._library("pymongo").errors.OperationFailure as error:
            if error.code != _NAMESPACE_EXISTS:
                raise
            if "timeseries" not in database[name].options():
                reason = f"the collection {self._database}.{name} is there, and is no time series"
                raise unusable(self, reason, "name another one, or leave out `time_series`") from None

    # Writing --------------------------------------------------------------------------------------------

    def _insert(self, name: str, records: Sequence[Record], again: bool) -> list[Rejection]:
        collection = self._prepare(name)
        if again and self._time_series:
            records = self._lacking(collection, records)
        documents, kept, rejected = [], [], []
        for record in records:
            try:
                document = self._encoded(record)
            except (self._library("bson.errors").BSONError, OverflowError, ValueError) as error:
                rejected.append(Rejection(record, self.reason(error)))
                continue
            if len(document.raw) > self._max_size:
                reason = f"the document has {len(document.raw):,} bytes, and MongoDB takes {self._max_size:,}"
                rejected.append(Rejection(record, reason))
                continue
            documents.append(document)
            kept.append(record)
        if not documents:
            return rejected
        try:
            collection.insert_many(documents, ordered=False)
        except self._library("pymongo").errors.BulkWriteError as error:
            rejected += self._refused(kept, error.details)
        return rejected

    def _lacking(self, collection: Any, records: Sequence[Record]) -> list[Record]:
        times = [record.moment for record in records]
        wanted = {"time": {"$gte": _floor(min(times)), "$lte": max(times)}}
        wanted |= {"_id": {"$in": [record.id for record in records]}}
        there = {document["_id"] for document in collection.find(wanted, {"_id": 1})}
        return [record for record in records if record.id not in there]

    def _refused(self, records: Sequence[Record], details: Mapping[str, Any]) -> list[Rejection]:
        """Return what the server will never take. Raises if the server is at fault, or cannot promise it."""
        rejected = []
        for error in details.get("writeErrors", ()):
            code, text = error.get("code"), str(error.get("errmsg", "it was refused"))
            if code == _DUPLICATE_KEY and tuple(error.get("keyPattern", ("_id",))) == ("_id",):
                continue  # it is there: written before
            if code in _NOT_NOW:
                raise self._library("pymongo").errors.AutoReconnect(text)
            rejected.append(Rejection(records[error["index"]], redacted(text, *self._secrets)))
        for error in details.get("writeConcernErrors", ()):
            raise self._library("pymongo").errors.AutoReconnect(
                str(error.get("errmsg", "it is not acknowledged"))
            )
        return rejected

    def _encoded(self, record: Record) -> Any:
        """Return a document in BSON: what cannot be encoded is found before it takes others with it."""
        bson, raw = self._library("bson"), self._library("bson.raw_bson")
        document = self._document(record)
        try:
            return raw.RawBSONDocument(bson.encode(document))
        except (self._library("bson.errors").BSONError, OverflowError, RecursionError, ValueError):
            if "payload" not in document:
                raise
            return raw.RawBSONDocument(bson.encode(document | {"payload": record.text}))

    def _document(self, record: Record) -> dict[str, Any]:
        document = {"_id": record.id, **shaped(record, self._shape)}
        if self._shape == "crystalmq":
            return document
        del document["id"]
        document |= {"time": record.moment, "number": record.number}
        if is_binary(document.get("payload")):
            document["payload"] = record.payload
        if self._time_series:
            source = {name: document.pop(name) for name in ("topic", "client_id") if name in document}
            document["source"] = source
        return document


def _floor(moment: Any) -> Any:
    """Return the millisecond that BSON makes of a moment."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
