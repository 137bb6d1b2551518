"""The connector to Redis, and to what speaks its protocol: Valkey, KeyDB, Dragonfly."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from ..errors import HookMQError
from .address import secrets_of, without_secrets
from .connector import Connector, Rejection, redacted, unusable
from .library import library
from .record import Record, plain
from .shape import Shape, checked_shape, json_of, shaped
from .template import Template

__all__ = ["CRYSTALMQ_KEY", "Redis"]

Mode: TypeAlias = Literal["keys", "stream", "list"]

CRYSTALMQ_KEY = "{client_id}_{unixtime}"
"""The key of CrystalMQ's plugin: one message for each client and second; the others are overwritten."""

_KEYS: Mapping[str, str] = {"keys": "hookmq:{id}", "stream": "hookmq:{topic[0]}", "list": "hookmq:{topic[0]}"}

_IN_THE_PAST = "equal or smaller"
"""In the words of XADD: this identifier is in the stream, or before what is."""

_PAGE = 1000

_TAIL = 10_000
"""Elements at the end of a list among which a repeat is looked for."""


class Redis(Connector):
    """Records in Redis: a key for each, streams, or lists. One round trip for a batch.

    - ``mode="keys"``: ``SET key json``. The key has the record's name, so what is written again is there
      once.
    - ``mode="stream"``: ``XADD`` with identifiers made of the record's time and number, so that the same
      record cannot be added twice. Where another program has added later ones, the server chooses the
      identifier, and a repeat looks for the record first.
    - ``mode="list"``: ``RPUSH key json``. A repeat looks at the last 10,000 elements first; what a consumer
      took meanwhile comes twice.

    A command is acknowledged by Redis before it is on its disk, unless ``appendfsync always`` is set there.

    Args:
        url: ``redis://user:password@host:6379/0``, ``rediss://…`` for TLS, ``unix:///path``.
        mode: see above.
        key: a :class:`~hookmq.connectors.Template` of the key, the stream or the list; as a rule
            ``hookmq:{id}`` or ``hookmq:{topic[0]}``. :data:`CRYSTALMQ_KEY` is the original's.
        maxlen: entries of a stream (roughly) or a list, beyond which the oldest go; ``None`` keeps them.
        expire: seconds after which a key of ``mode="keys"`` goes.
        shape: ``"document"``, or ``"crystalmq"`` for the keys of CrystalMQ.
        cluster: whether ``url`` is a node of a cluster.
        sentinel: addresses of sentinels, ``["host:26379", …]``; the host of ``url`` is then the master's
            name.
        username, password: in the place of those in ``url``.
        sentinel_username, sentinel_password: those of the sentinels.
        ca, certificate, private_key: paths for TLS: the authorities' certificates, ours, and its key.
        timeout: seconds that an answer may take; a connection may take 5.
        name, batch_rows, batch_delay: as those of :class:`~hookmq.connectors.Connector`.

    ```python
    broker.send_to(Redis("rediss://plant:secret@cache/0", mode="stream", key="mqtt:{topic[0]}"), "plant/#")
    ```

    >>> Redis("redis://plant:secret@cache/0").describe()
    'redis://cache/0 hookmq:{id}'
    """

    kind = "redis"

    def __init__(
        self,
        url: str = "redis://127.0.0.1:6379",
        *,
        mode: Mode = "keys",
        key: str | None = None,
        maxlen: int | None = 100_000,
        expire: int | None = None,
        shape: Shape = "document",
        cluster: bool = False,
        sentinel: Sequence[str] | None = None,
        username: str | None = None,
        password: str | None = None,
        sentinel_username: str | None = None,
        sentinel_password: str | None = None,
        ca: str | None = None,
        certificate: str | None = None,
        private_key: str | None = None,
        timeout: float = 10.0,
        name: str | None = None,
        batch_rows: int = 1000,
        batch_delay: float = 0.05,
    ) -> None:
        super().__init__(name=name, batch_rows=batch_rows, batch_delay=batch_delay)
        if mode not in _KEYS:
            raise ValueError(f"the mode of Redis is one of {', '.join(_KEYS)}, not {mode!r}")
        if expire is not None and (mode != "keys" or expire < 1):
            raise ValueError("`expire` is a number of seconds from 1 on, and for mode='keys'")
        if maxlen is not None and maxlen < 1:
            raise ValueError(f"`maxlen` is at least 1, not {maxlen}")
        if cluster and sentinel:
            raise ValueError("a Redis has a cluster or sentinels, not both")
        self._url, self._mode = url, mode
        self._key = Template.parse(key or _KEYS[mode])
        self._maxlen, self._expire = maxlen, expire
        self._shape = checked_shape(shape)
        self._cluster = cluster
        self._sentinels = [_host_and_port(address) for address in sentinel or ()]
        self._login = _given(username=username, password=password)
        self._sentinel_login = _given(username=sentinel_username, password=sentinel_password)
        self._tls = _given(ssl_ca_certs=ca, ssl_certfile=certificate, ssl_keyfile=private_key)
        self._timeouts = {"socket_connect_timeout": min(5.0, timeout), "socket_timeout": timeout}
        self._secrets = (*secrets_of(url), password, sentinel_password)
        self._client: Any = None
        self._last: dict[str, tuple[int, int]] = {}
        """The last identifier that was given out, by stream."""

    def check(self) -> None:
        """Find a missing library and an address that is none."""
        redis = self._library("redis")
        try:
            redis.connection.parse_url(self._url)
        except ValueError:
            reason = f"{without_secrets(self._url)} is no address of Redis"
            raise unusable(self, reason, "write it like   redis://user:password@host:6379/0") from None
        if self._tls and not self._url.startswith("rediss://"):
            raise unusable(self, "there are certificates, but no TLS", "begin the address with   rediss://")

    def open(self) -> None:
        """Connect, and see whether it answers."""
        self._client = self._connect()
        self._client.ping()

    def write(self, records: Sequence[Record], *, again: bool) -> Sequence[Rejection] | None:
        """Write the records with one round trip, with two or more if some may be there already."""
        write: Callable[[Sequence[Record], bool], list[Rejection]] = {
            "keys": self._set,
            "stream": self._add,
            "list": self._push,
        }[self._mode]
        return write(records, again)

    def abort(self) -> None:
        """Break the connections."""
        client = self._client
        if client is None:
            return
        clients = [node.redis_connection for node in client.get_nodes()] if self._cluster else [client]
        for each in clients:
            with contextlib.suppress(Exception):
                each.connection_pool.disconnect()

    def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def is_rejection(self, error: Exception) -> bool:
        """Whether Redis says that a key or a value is at fault, rather than that this is not the moment."""
        exceptions = self._library("redis").exceptions
        text = str(error)
        if isinstance(error, exceptions.NoPermissionError):
            return "access" in text  # to this key; not to the command, which an operator has to mend
        if type(error) is not exceptions.ResponseError:
            return False
        # A code in capitals (MISCONF, NOREPLICAS, …) speaks of the server; redis-py leaves out `ERR`.
        code = text.split(" ", 1)[0]
        return code == "WRONGTYPE" or not code.isupper()

    def describe(self) -> str:
        """The address without secrets, and the key."""
        return f"{without_secrets(self._url)} {self._key.text}"

    def reason(self, error: BaseException) -> str:
        """What Redis said, without secrets."""
        text = error.message if isinstance(error, HookMQError) else super().reason(error)
        return redacted(text, *self._secrets)

    # Connecting -----------------------------------------------------------------------------------------

    def _library(self, module: str) -> Any:
        return library(module, kind=self.kind, extra="redis")

    def _connect(self) -> Any:
        redis = self._library("redis")
        # Who carries the records here tries again, and no batch may take the time of several.
        once = self._library("redis.retry").Retry(self._library("redis.backoff").NoBackoff(), 0)
        options = {**self._timeouts, **self._login, **self._tls}
        if self._cluster:
            return self._library("redis.cluster").RedisCluster.from_url(self._url, **options)
        if not self._sentinels:
            return redis.Redis.from_url(self._url, retry=once, **options)
        parsed = redis.connection.parse_url(self._url)
        master = parsed.pop("host", "mymaster")
        for name in ("port", "connection_class"):
            parsed.pop(name, None)
        tls = {"ssl": True} if self._url.startswith("rediss://") else {}
        of_sentinels = {**self._timeouts, **self._sentinel_login, **self._tls, **tls}
        sentinel = self._library("redis.sentinel").Sentinel(self._sentinels, sentinel_kwargs=of_sentinels)
        return sentinel.master_for(master, retry=once, **{**parsed, **options, **tls})

    def _opened(self) -> Any:
        if self._client is None:
            self.open()
        return self._client

    def _pipeline(self) -> Any:
        return self._opened().pipeline(transaction=False)

    # Writing --------------------------------------------------------------------------------------------

    def _set(self, records: Sequence[Record], again: bool) -> list[Rejection]:
        pairs = [(self._key.render(record), self._json(record)) for record in records]
        if self._expire is None and not self._cluster:
            # One command with one answer costs a third of as many as there are records. It does not say which
            # is wrong, so then each is asked about.
            with contextlib.suppress(self._library("redis").exceptions.ResponseError):
                self._opened().execute_command("MSET", *itertools.chain.from_iterable(pairs))
                return []
        pipeline = self._pipeline()
        expires = () if self._expire is None else ("EX", self._expire)
        for pair in pairs:  # its method `set` looks at a dozen options that are not given
            pipeline.execute_command("SET", *pair, *expires)
        return self._settle(records, pipeline.execute(raise_on_error=False))

    def _push(self, records: Sequence[Record], again: bool) -> list[Rejection]:
        values = [(self._key.render(record), self._json(record)) for record in records]
        if again:
            present = self._tails({key for key, _ in values})
            missing = [pair not in present for pair in values]
            records = list(itertools.compress(records, missing))
            values = list(itertools.compress(values, missing))
        if not records:
            return []
        pipeline = self._pipeline()
        for key, value in values:
            pipeline.rpush(key, value)
        if self._maxlen is not None:
            for key in dict.fromkeys(key for key, _ in values):
                pipeline.ltrim(key, -self._maxlen, -1)
        results = pipeline.execute(raise_on_error=False)
        return self._settle(records, results[: len(records)])

    def _tails(self, keys: Iterable[str]) -> set[tuple[str, bytes]]:
        """Return the last elements of lists, with their keys."""
        found: set[tuple[str, bytes]] = set()
        for key in keys:
            # Of another type: the write says so.
            with contextlib.suppress(self._library("redis").exceptions.ResponseError):
                found.update((key, bytes_of(value)) for value in self._opened().lrange(key, -_TAIL, -1))
        return found

    def _add(self, records: Sequence[Record], again: bool) -> list[Rejection]:
        results = self._xadd(records, [self._identifier(record, again) for record in records])
        late = [n for n, result in enumerate(results) if _IN_THE_PAST in str(result)]
        if late:
            # It is there already, or another program has added what is later by its clock.
            if again:
                present = self._present([records[n] for n in late])
                for n in late:
                    if records[n].id in present:
                        results[n] = None
                late = [n for n in late if results[n] is not None]
            others = self._xadd([records[n] for n in late], ["*"] * len(late))
            for n, result in zip(late, others, strict=True):
                results[n] = result
        return self._settle(records, results)

    def _xadd(self, records: Sequence[Record], identifiers: Iterable[str]) -> list[Any]:
        if not records:
            return []
        pipeline = self._pipeline()
        for record, identifier in zip(records, identifiers, strict=True):
            key, fields = self._key.render(record), self._fields(record)
            pipeline.xadd(key, fields, id=identifier, maxlen=self._maxlen, approximate=True)
        results: list[Any] = pipeline.execute(raise_on_error=False)
        return results

    def _identifier(self, record: Record, again: bool) -> str:
        """Return milliseconds and number; behind the last one of the stream if the clock was set back.

        Of what may be there it is always the record's own, which the stream refuses if it has it, or later
        ones.
        """
        own = int(record.time * 1000), record.number
        if again:
            return f"{own[0]}-{own[1]}"
        key = self._key.render(record)
        before, last = self._last.get(key, (0, 0))
        if len(self._last) > 100_000:
            self._last.clear()  # it only spares round trips
        self._last[key] = milliseconds, number = max(own, (before, last + 1))
        return f"{milliseconds}-{number}"

    def _present(self, records: Sequence[Record]) -> set[str]:
        """Return the names of those that are in their streams: none is before the time of its record."""
        wanted: dict[str, dict[str, int]] = {}
        for record in records:
            wanted.setdefault(self._key.render(record), {})[record.id] = int(record.time * 1000)
        found: set[str] = set()
        for key, times in wanted.items():
            at = str(min(times.values()))
            while not found.issuperset(times):
                entries = self._opened().xrange(key, min=at, count=_PAGE)
                found.update(text_of(fields.get(b"id") or fields.get("id")) for _, fields in entries)
                if len(entries) < _PAGE:
                    break
                at = "(" + text_of(entries[-1][0])
        return found

    def _settle(self, records: Sequence[Record], results: Sequence[Any]) -> list[Rejection]:
        """Return what was rejected. Raises an error of the server itself: the whole batch comes again."""
        rejected = []
        for record, result in zip(records, results, strict=True):
            if not isinstance(result, Exception):
                continue
            if not self.is_rejection(result):
                raise result
            rejected.append(Rejection(record, self.reason(result)))
        return rejected

    def _json(self, record: Record) -> bytes:
        return json_of(shaped(record, self._shape))

    def _fields(self, record: Record) -> dict[str, str | bytes | int | float]:
        """Return the fields of an entry: flat, and the payload as it came."""
        if self._shape == "crystalmq":
            return {"id": record.id, **record.crystalmq()}
        fields: dict[str, str | bytes | int | float] = {"id": record.id, "kind": record.kind}
        fields |= {"time": record.time, "client_id": record.client_id, "topic": record.topic}
        if record.kind in ("received", "sent"):
            fields |= {"payload": record.payload, "qos": record.qos, "retain": int(record.retain)}
        if record.properties:
            fields["properties"] = json_of(plain(record.properties))
        for name, value in (record.detail or {}).items():
            fields[name] = value if isinstance(value, str) else json_of(value)
        return fields


def bytes_of(value: Any) -> bytes:
    """Return what Redis sent as bytes, also if the URL asks for text."""
    return value.encode() if isinstance(value, str) else bytes(value)


def text_of(value: Any) -> str:
    """Return what Redis sent as text."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _given(**options: str | None) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _host_and_port(address: str) -> tuple[str, int]:
    host, separator, port = address.rpartition(":")
    if not separator:
        return address, 26379
    if not port.isdigit():
        raise ValueError(f"a sentinel is 'host:port', not {address!r}")
    return host.strip("[]"), int(port)
