"""The result of a query to the message history."""

from __future__ import annotations

import io
import itertools
import math
import os
import sqlite3
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple, TextIO, TypeAlias, overload

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select
from sqlalchemy.exc import SQLAlchemyError

from hookmq.storage.database import Database
from hookmq.storage.export import to_json, write_csv
from hookmq.storage.row import Row, stored_properties
from hookmq.storage.schema import messages
from hookmq.storage.topics import TopicFilter

# One page of rows: what is in memory at a time, and how long the connection of a database in memory is held.
_PAGE_ROWS = 1_000
_PAGE_BYTES = 16 * 1024 * 1024
# Rows that are fetched by number. Such a page cannot be ended early, so the first tells how large the others
# may be.
_FIRST_FETCH, _FETCH_ROWS = 10, 200
# Sorting a row costs about as much as walking past so many in an index.
_SORT_COST = 4
# A wildcard may match hardly anything. A walk looks at so many rows at a time, so that its reader can end it.
_STRETCH_ROWS = 20_000
# So few rows are sorted whatever else it would cost.
_FEW = 1_000
# Looking for the last message of one topic costs about as much as reading so many rows in a walk.
_SEEK_COST = 50

_time, _id, _topic, _client = messages.c.time_us, messages.c.id, messages.c.topic, messages.c.client_id

# What is selected does not matter to the functions that only add conditions.
_Query: TypeAlias = Select[*tuple[Any, ...]]

Place: TypeAlias = tuple[int, int]
"""Where a message stands in the order of time: its microseconds, and its number."""

_ROW = select(
    _id, _time, _topic, _client, messages.c.payload, messages.c.qos, messages.c.retain, messages.c.properties
)


class Stretch(NamedTuple):
    """What a history has in a part of its time."""

    rows: list[Row]
    """The messages that match; there may be none."""
    place: Place | None
    """Behind which it goes on; None at the end."""


class History:
    """Stored messages: what `Broker.history()` returns. Nothing is read until you ask for something.

    Iterating reads page by page, so a history of any length can be walked through; `rows`, `len()`, `[...]`
    and
    `list()` read it once and keep it. What is stored later than the beginning of an iteration is not in it.

    >>> from hookmq.storage import HistoryStore
    >>> store = HistoryStore()
    >>> for second in range(5):
    ...     store.write([(float(second), "plant/north/flow", "pump", b"%d" % second, 0, False, None)])
    >>> history = store.query("plant/+/flow", newest=True, limit=3)
    >>> [row.json() for row in history]
    [4, 3, 2]
    >>> history.count()
    3
    >>> history.last(by="topic")[0].text
    '4'

    Every method that reads raises `HookMQError` E601 when the database fails.
    """

    def __init__(
        self,
        database: Database,
        filter: TopicFilter,
        *,
        since: int | None = None,
        until: int | None = None,
        client: str | None = None,
        limit: int | None = None,
        newest: bool = False,
        before_reading: Callable[[], object] = lambda: None,
    ) -> None:
        """Made by `HistoryStore.query`. `since` and `until` are in microseconds."""
        self._database = database
        self._filter = filter
        self._since = since
        self._until = until
        self._client = client
        self._limit = limit
        self._newest = newest
        self._before_reading = before_reading
        self._expected = limit
        self._rows: list[Row] | None = None

    def expecting(self, rows: int) -> History:
        """The same, for somebody who is likely to read so many rows: no more is made ready for him."""
        self._expected = rows if self._limit is None else min(rows, self._limit)
        return self

    @property
    def rows(self) -> list[Row]:
        """All rows. They are read once; ask `Broker.history()` again for newer ones."""
        if self._rows is None:
            self._rows = [*self._read()]
        return self._rows

    def __iter__(self) -> Iterator[Row]:
        # A generator, so that this is decided at the first row: list() asks for the iterator, then for len().
        yield from self._read() if self._rows is None else self._rows

    def __len__(self) -> int:
        return len(self.rows)

    def __bool__(self) -> bool:
        return next(iter(self), None) is not None

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        return self.rows[index]

    def __repr__(self) -> str:
        return f"<History {self._filter.text!r}{'' if self._rows is None else f', {len(self._rows)} rows'}>"

    def count(self) -> int:
        """The number of rows, counted by the database: no payload is read."""
        if self._rows is not None:
            return len(self._rows)
        self._before_reading()
        counts = (
            select(_topic, func.count()).where(*self._conditions(), self._filter.likeness()).group_by(_topic)
        )
        if (interval := self._filter.interval()) is not None:
            counts = counts.where(interval)
        with self._reading() as connection:
            found: list[tuple[str, int]] = [(topic, rows) for topic, rows in connection.execute(counts)]
        total = sum(rows for topic, rows in found if self._filter.matches(topic))
        return total if self._limit is None else min(total, self._limit)

    def last(self, *, by: Literal["topic", "client"] = "topic") -> list[Row]:
        """The latest message of each topic, or of each client, sorted by that.

        With a `limit`, the latest among the rows that the limit leaves.

        Raises:
            ValueError: when `by` is another word.
        """
        if by not in {"topic", "client"}:
            raise ValueError(f"by must be 'topic' or 'client', not {by!r}")
        latest: dict[str, Row] = {}
        if self._rows is not None or self._limit is not None:
            for row in self:
                key = row.topic if by == "topic" else row.client_id
                if key not in latest or (latest[key].timestamp, latest[key].id) < (row.timestamp, row.id):
                    latest[key] = row
        else:
            self._before_reading()
            for key, row in self._latest_of_each(by):
                latest.setdefault(key, row)
        return [latest[key] for key in sorted(latest)]

    def to_dicts(self) -> list[dict[str, Any]]:
        """The rows as dicts of JSON values (see `Row.to_dict`), for instance for `pandas.DataFrame`."""
        return [row.to_dict() for row in self]

    def json(self, *, indent: int | None = None) -> str:
        """The rows as a JSON array of objects (see `Row.to_dict`).

        A payload that is JSON is there as that value, another text as a string, other bytes as `{"$base64":
        "…"}`.
        """
        return to_json(self, indent=indent)

    @overload
    def csv(self, file: None = None, *, spreadsheet_safe: bool = True) -> str: ...
    @overload
    def csv(self, file: TextIO | str | os.PathLike[str], *, spreadsheet_safe: bool = True) -> int: ...
    def csv(
        self, file: TextIO | str | os.PathLike[str] | None = None, *, spreadsheet_safe: bool = True
    ) -> str | int:
        """The rows as CSV with a header: returned as text, or written to a path (UTF-8) or an open text file.

        A payload that is not UTF-8 is written in base64, which the column `payload_encoding` tells.

        Args:
            file: where to write. Open a file yourself with `newline=""`.
            spreadsheet_safe: anybody who may publish chooses what is in a cell, and a spreadsheet runs a cell
                that begins with `=`, `+`, `-` or `@`. So such a topic, client identifier or payload gets a
                `'` before it, unless it is a number. `False` writes everything exactly as it was.

        Returns:
            The text; or how many rows were written to `file`.
        """
        if file is None:
            text = io.StringIO(newline="")
            write_csv(self, text, spreadsheet_safe=spreadsheet_safe)
            return text.getvalue()
        if isinstance(file, str | os.PathLike):
            with open(file, "w", encoding="utf-8", newline="") as opened:
                return write_csv(self, opened, spreadsheet_safe=spreadsheet_safe)
        return write_csv(self, file, spreadsheet_safe=spreadsheet_safe)

    # Reading. An exact topic or a client has an index in the order of time: a *walk* along it, page by page.
    # So has everything, and a filter with wildcards may walk there too, past what does not match; but when
    # few of the rows are in the filter's part of the topic index, it is cheaper to take and *sort* these.

    def stretches(self, after: Place | None = None) -> Iterator[Stretch]:
        """The rows in parts, from behind a place on. Where nothing matches there are parts without any.

        >>> from hookmq.storage import HistoryStore
        >>> store = HistoryStore()
        >>> store.write([(1.0, "a", "me", b"1", 0, False, None), (2.0, "b", "me", b"2", 0, False, None)])
        >>> stretches = store.query("#").stretches(after=(1_000_000, 1))
        >>> [row.topic for stretch in stretches for row in stretch.rows]
        ['b']
        """
        self._before_reading()
        if self._limit == 0:
            return
        with self._reading() as connection:
            sorts = self._should_sort(connection, after)
            numbers = self._sorted_numbers(connection, after) if sorts else None
        yield from self._walk(after) if numbers is None else self._fetch(numbers)

    def _read(self) -> Iterator[Row]:
        remaining = self._limit
        for stretch in self.stretches():
            for row in stretch.rows:
                yield row
                if remaining is not None:
                    remaining -= 1
                    if remaining == 0:
                        return

    def _walk(self, after: Place | None) -> Iterator[Stretch]:
        """Follows an index in the order of time."""
        conditions = self._conditions()
        if not self._newest:
            # Whatever is later than the latest row of now came after the beginning.
            with self._reading() as connection:
                latest = connection.scalar(select(func.max(_time)))
            if latest is None:
                return
            conditions.append(_time <= latest)
        is_all = not self._filter.prefix and not self._filter.suffix
        narrow = self._filter.wildcard and not is_all
        # The tests in Python drop hardly any row where there is no wildcard, or everything matches.
        few = self._expected is not None and not narrow
        size = min(_PAGE_ROWS, 2 * (self._expected or 0) + 50) if few else _PAGE_ROWS
        place = after
        while True:
            inside = [*conditions] if place is None else [*conditions, self._beyond(*place)]
            end = self._end_of_stretch(inside) if narrow else None
            if end is not None:
                inside.append(self._up_to(*end))
            query = self._ordered(_ROW).where(*inside, self._filter.likeness()).limit(size)
            rows, position = self._page(query, size)
            place = position or end
            yield Stretch([row for row in rows if self._filter.matches(row.topic)], place)
            if place is None:
                return

    def _end_of_stretch(self, conditions: list[ColumnElement[bool]]) -> Place | None:
        query = self._ordered(select(_time, _id)).where(*conditions).offset(_STRETCH_ROWS - 1).limit(1)
        with self._reading() as connection:
            found = connection.execute(query).first()
        return None if found is None else (found.time_us, found.id)

    def _page(self, query: _Query, size: int) -> tuple[list[Row], Place | None]:
        """Up to `size` rows, fewer when their payloads are large; and the time and number of the last one,
        None when no more are behind it."""
        rows: list[Row] = []
        volume = 0
        with self._reading() as connection:
            for values in connection.execute(query):
                rows.append(_row(*values))
                volume += len(rows[-1].payload)
                if len(rows) == size or volume > _PAGE_BYTES:
                    return rows, (values.time_us, values.id)
        return rows, None

    def _should_sort(self, connection: Connection, after: Place | None) -> bool:
        interval = self._filter.interval()
        if not self._filter.wildcard or interval is None or self._client is not None:
            return False
        span = self._span(connection)
        most = span // _SORT_COST
        if self._expected is not None:
            # Among n candidates a walk passes span / n rows for each that it finds: it may end before they
            # are sorted.
            most = min(most, max(_FEW, math.isqrt(int(span * self._expected // _SORT_COST))))
        candidates = select(_id).where(interval, *self._conditions(after)).limit(most + 1).subquery()
        return (connection.scalar(select(func.count()).select_from(candidates)) or 0) <= most

    def _sorted_numbers(self, connection: Connection, after: Place | None) -> array[int]:
        interval = self._filter.interval()
        assert interval is not None  # _should_sort said so
        query = self._ordered(select(_id, _topic)).where(
            interval, self._filter.likeness(), *self._conditions(after)
        )
        matching = (number for number, topic in connection.execute(query) if self._filter.matches(topic))
        return array("q", itertools.islice(matching, self._limit))

    def _fetch(self, numbers: array[int]) -> Iterator[Stretch]:
        start, size = 0, _FIRST_FETCH
        place: Place | None = None
        while start < len(numbers):
            wanted = list(numbers[start : start + size])
            with self._reading() as connection:
                values = {row.id: row for row in connection.execute(_ROW.where(_id.in_(wanted)))}
            # A row may have been removed in the meantime because of its age.
            found = [values[number] for number in wanted if number in values]
            start += len(wanted)
            if found:
                place = (found[-1].time_us, found[-1].id)
            yield Stretch([_row(*row) for row in found], place if start < len(numbers) else None)
            volume = sum(len(row.payload) for row in found) or 1
            size = max(1, min(_FETCH_ROWS, _PAGE_BYTES * len(wanted) // volume))

    def _latest_of_each(self, by: Literal["topic", "client"]) -> Iterator[tuple[str, Row]]:
        """Pairs of key and row, the latest row of each key first."""
        with self._reading() as connection:
            if by == "topic":
                names = [name for name in self._distinct(connection, _topic) if self._filter.matches(name)]
            elif self._client is not None:
                names = [self._client]
            else:
                names = self._distinct(connection, _client)
            seek = len(names) * _SEEK_COST <= self._span(connection)
        if not seek:
            for row in self._with(newest=True):
                yield (row.topic if by == "topic" else row.client_id), row
            return
        for name in names:
            one = (
                self._with(filter=TopicFilter.exactly(name), newest=True, limit=1)
                if by == "topic"
                else self._with(client=name, newest=True, limit=1)
            )
            yield from ((name, row) for row in one)

    def _distinct(self, connection: Connection, column: ColumnElement[str]) -> list[str]:
        """The topics or clients there are, without regard to the period."""
        inside = [] if column is not _topic or (interval := self._filter.interval()) is None else [interval]
        if connection.dialect.name == "mssql":  # which allows no MIN in the recursive part
            return [*connection.scalars(select(column).where(*inside).distinct())]
        # One step in the index for each value, where DISTINCT would read every row.
        walk = select(func.min(column).label("value")).where(*inside).cte("walk", recursive=True)
        following = select(func.min(column)).where(column > walk.c.value, *inside).scalar_subquery()
        walk = walk.union_all(select(following).where(walk.c.value.is_not(None)))
        return [*connection.scalars(select(walk.c.value).where(walk.c.value.is_not(None)))]

    def _span(self, connection: Connection) -> int:
        """About how many rows the period has. Rows are numbered as they arrive, so two of them tell it."""
        period = self._period()
        first = connection.scalar(select(_id).where(*period).order_by(_time).limit(1))
        last = connection.scalar(select(_id).where(*period).order_by(_time.desc()).limit(1))
        return 0 if first is None or last is None else abs(last - first) + 1

    def _period(self) -> list[ColumnElement[bool]]:
        period: list[ColumnElement[bool]] = []
        if self._since is not None:
            period.append(_time >= self._since)
        if self._until is not None:
            period.append(_time < self._until)
        return period

    def _conditions(self, after: Place | None = None) -> list[ColumnElement[bool]]:
        conditions = self._period()
        if self._client is not None:
            conditions.append(_client == self._client)
        if after is not None:
            conditions.append(self._beyond(*after))
        return conditions

    def _ordered(self, query: _Query) -> _Query:
        return query.order_by(_time.desc(), _id.desc()) if self._newest else query.order_by(_time, _id)

    def _beyond(self, time: int, number: int) -> ColumnElement[bool]:
        """What comes behind a row in the order of reading; the first half is what an index can use."""
        if self._newest:
            return and_(_time <= time, or_(_time < time, _id < number))
        return and_(_time >= time, or_(_time > time, _id > number))

    def _up_to(self, time: int, number: int) -> ColumnElement[bool]:
        """What comes before a row in the order of reading, and the row itself."""
        if self._newest:
            return and_(_time >= time, or_(_time > time, _id >= number))
        return and_(_time <= time, or_(_time < time, _id <= number))

    def _with(self, **changes: Any) -> History:
        """The same query with other arguments, and without waiting for the writer again."""
        arguments: dict[str, Any] = {
            "filter": self._filter,
            "since": self._since,
            "until": self._until,
            "client": self._client,
            "limit": self._limit,
            "newest": self._newest,
        }
        return History(self._database, **(arguments | changes))

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._database.reading() as connection:
                yield connection
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise self._database.unusable(error) from error


def _row(
    number: int,
    time_us: int,
    topic: str,
    client_id: str,
    payload: bytes,
    qos: int,
    retain: bool,
    properties: dict[str, Any] | None,
) -> Row:
    return Row(
        number,
        time_us / 1_000_000,
        topic,
        client_id,
        payload,
        qos,
        retain,
        stored_properties(properties),
    )
