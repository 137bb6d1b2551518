"""Every kind of query, against the plain Python of `reference.py`, in a file and in memory."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from hookmq.errors import HookMQError
from hookmq.storage import HistoryStore, Row, query, sqlite_url
from hookmq.storage.export import CSV_COLUMNS
from hookmq.storage.history import Record
from hookmq.storage.moments import microseconds, moment
from hookmq.storage.query import History
from hookmq.storage.topics import TopicFilter

from . import reference

ROWS = reference.random_rows(seed=1, count=3_000)


def record(row: Row) -> Record:
    """The row as it was given to `write`."""
    return (row.timestamp, row.topic, row.client_id, row.payload, row.qos, row.retain, row.properties or None)


@pytest.fixture(scope="module", params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HistoryStore]:
    url = sqlite_url(tmp_path_factory.mktemp("history")) if request.param == "file" else "sqlite://"
    with HistoryStore(url) as opened:
        for start in range(0, len(ROWS), 700):
            opened.write(ROWS[start : start + 700])
        yield opened


@pytest.fixture(params=["walk", "sort"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Makes a filter with wildcards follow the index of time, or that of topics; pages are soon full."""
    monkeypatch.setattr(query, "_SORT_COST", 10**9 if request.param == "walk" else 0.001)
    monkeypatch.setattr(query, "_PAGE_ROWS", 97)
    return str(request.param)


def test_stretches_from_any_place_on_are_the_rest(
    store: HistoryStore, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query, "_STRETCH_ROWS", 211)
    chance = random.Random(3)
    for _ in range(150):
        arguments: dict[str, Any] = {
            "client": chance.choice([None, None, "c1", "nobody"]),
            "newest": chance.random() < 0.5,
        }
        filter = chance.choice(reference.FILTERS)
        whole = [(round(row.timestamp * 1e6), row.id) for row in store.query(filter, **arguments)]
        history = store.query(filter, **arguments).expecting(chance.choice([1, 50, 5_000]))
        place = chance.choice([None, *whole])
        found = []
        for stretch in history.stretches(place):
            found += [(round(row.timestamp * 1e6), row.id) for row in stretch.rows]
            if stretch.place is None:
                break
            if chance.random() < 0.2:  # somebody else goes on
                place_then, found_then = stretch.place, list(found)
                rest = [
                    (round(row.timestamp * 1e6), row.id)
                    for later in store.query(filter, **arguments).stretches(place_then)
                    for row in later.rows
                ]
                assert found_then + rest == whole[0 if place is None else whole.index(place) + 1 :]
        else:
            assert not found  # there is nothing at all
        assert found == whole[0 if place is None else whole.index(place) + 1 :]


def test_where_nothing_matches_a_walk_comes_by_now_and_then(
    store: HistoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query, "_STRETCH_ROWS", 100)
    stretches = [*store.query("+/nothing/of/this").stretches()]
    assert [stretch.rows for stretch in stretches] == [[]] * (len(ROWS) // 100 + 1)
    assert [stretch.place is None for stretch in stretches] == [False] * (len(ROWS) // 100) + [True]


def test_for_a_few_rows_not_many_are_sorted(store: HistoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query, "_FEW", 1)
    sorts = []
    monkeypatch.setattr(History, "_fetch", lambda self, numbers: sorts.append(len(numbers)) or iter(()))
    filter = max(reference.FILTERS, key=lambda one: "/" in one and len(reference.select(ROWS, one)))
    assert len(reference.select(ROWS, filter)) > 100
    monkeypatch.setattr(query, "_SORT_COST", 1)
    list(store.query("zzz/#").stretches())
    assert sorts == [0]
    next(store.query(filter).expecting(2).stretches())
    assert sorts == [0], "there are so many that a walk ends sooner"


@pytest.mark.parametrize("filter", reference.FILTERS)
def test_filters(store: HistoryStore, way: str, filter: str) -> None:
    expected = reference.select(ROWS, filter)
    assert [record(row) for row in store.query(filter)] == expected
    assert store.query(filter).count() == len(expected)
    assert len(store.query(filter)) == len(expected)
    assert bool(store.query(filter)) is bool(expected)


def test_there_is_something_for_most_filters_to_find() -> None:
    empty = [filter for filter in reference.FILTERS if not reference.select(ROWS, filter)]
    assert empty == ["zzz/#", "zzz"]


def test_random_combinations(store: HistoryStore, way: str) -> None:
    chance = random.Random(2)
    last = int(max(row[0] for row in ROWS))
    for _ in range(300):
        arguments: dict[str, Any] = {
            "since": chance.choice([None, chance.randint(990, last + 10)]),
            "until": chance.choice([None, chance.randint(990, last + 10)]),
            "client": chance.choice([None, None, "c1", "c3", "nobody"]),
            "limit": chance.choice([None, 0, 1, 2, 10, 96, 97, 98, 500, 5000]),
            "newest": chance.random() < 0.5,
        }
        filter = chance.choice(reference.FILTERS)
        expected = reference.select(ROWS, filter, **arguments)
        history = store.query(filter, **arguments)
        assert history.count() == len(expected), (filter, arguments)
        assert [record(row) for row in history] == expected, (filter, arguments)
        assert [record(row) for row in history.rows] == expected
        assert history.count() == len(expected)


@pytest.mark.parametrize("seek_cost", [0, 10**9])
@pytest.mark.parametrize("by", ["topic", "client"])
def test_last(
    store: HistoryStore, way: str, by: Any, seek_cost: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query, "_SEEK_COST", seek_cost)
    column = {"topic": 1, "client": 2}[by]
    for filter in reference.FILTERS[2::3]:
        for arguments in ({}, {"since": 1_200, "until": 1_500}, {"client": "c2"}):
            expected = reference.last(reference.select(ROWS, filter, **arguments), column)
            assert [record(row) for row in store.query(filter, **arguments).last(by=by)] == expected, filter


@pytest.mark.parametrize("newest", [False, True])
def test_last_among_a_limited_number(store: HistoryStore, newest: bool) -> None:
    chosen = reference.select(ROWS, "a/#", limit=50, newest=newest)
    expected = reference.last(chosen[::-1] if newest else chosen, 1)
    history = store.query("a/#", limit=50, newest=newest)
    assert [record(row) for row in history.last(by="topic")] == expected
    assert history.rows
    assert [record(row) for row in history.last(by="topic")] == expected


def test_last_by_something_else(store: HistoryStore) -> None:
    with pytest.raises(ValueError, match="'topic' or 'client'"):
        store.query().last(by="qos")  # type: ignore[arg-type]


def test_indexes_are_used(store: HistoryStore) -> None:
    """A query in the order of an index must not sort, whatever the installed SQLite likes best."""
    statements: list[tuple[str, Any]] = []
    engine = store._database.reader

    def remember(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        statements.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", remember)
    try:
        cases: list[tuple[dict[str, Any], str]] = [
            ({"filter": "a/b"}, "messages_topic_time"),
            ({"filter": "a/b", "since": 1_100, "newest": True}, "messages_topic_time"),
            ({"filter": "#"}, "messages_time"),
            ({"filter": "+/b", "until": 1_300, "newest": True}, "messages_time"),
            ({"filter": "a/#", "client": "c1"}, "messages_client_time"),
        ]
        for arguments, index in cases:
            statements.clear()
            assert store.query(**arguments).rows
            pages = [item for item in statements if "messages.payload" in item[0]]
            assert pages
            for statement, parameters in pages:
                with store._database.reading() as connection:
                    plan = connection.exec_driver_sql(
                        f"EXPLAIN QUERY PLAN {statement}", parameters
                    ).fetchall()
                text = " / ".join(str(line[-1]) for line in plan)
                assert index in text, text
                assert "TEMP B-TREE FOR ORDER BY" not in text, text
    finally:
        event.remove(engine, "before_cursor_execute", remember)


def test_what_comes_later_is_not_in_an_iteration() -> None:
    with HistoryStore() as store:
        store.write([(1.0 + n, "a", "c", b"", 0, False, None) for n in range(2_500)])
        seen = 0
        for seen, _ in enumerate(store.query(), start=1):
            if seen <= 100:  # would be endless if each message that is read brought another
                store.write([(10_000.0, "a", "c", b"", 0, False, None)])
        assert seen == 2_500


@pytest.mark.parametrize("sort_cost", [10**9, 0.001])
def test_large_payloads_come_in_small_pages(monkeypatch: pytest.MonkeyPatch, sort_cost: float) -> None:
    monkeypatch.setattr(query, "_PAGE_BYTES", 5_000)
    monkeypatch.setattr(query, "_SORT_COST", sort_cost)
    rows = [(float(n), "a/b", "c", bytes(n * 10), 0, False, None) for n in range(300)]
    with HistoryStore() as store:
        store.write(rows)
        assert [record(row) for row in store.query("a/+")] == rows
        assert [record(row) for row in store.query("a/b", newest=True)] == rows[::-1]


def test_an_empty_history() -> None:
    with HistoryStore() as store:
        for filter in ("#", "a", "a/+"):
            for newest in (False, True):
                history = store.query(filter, newest=newest)
                assert not history
                assert (history.count(), [*history], history.rows, history.last()) == (0, [], [], [])
                assert history.json() == "[]"
                assert history.csv().splitlines() == [",".join(CSV_COLUMNS)]


def test_rows_are_kept_and_indexed(store: HistoryStore) -> None:
    history = store.query("a/#", limit=5)
    assert history.rows is history.rows
    assert list(history) == history.rows
    assert history[0] == history.rows[0]
    assert history[1:3] == history.rows[1:3]
    assert repr(history) == "<History 'a/#', 5 rows>"


@pytest.mark.parametrize("filter", ["", "a/#/b", "a#", "#a", "a+/b", "+a", "a/b+", "a\0b"])
def test_invalid_filters(store: HistoryStore, filter: str) -> None:
    with pytest.raises(HookMQError) as caught:
        store.query(filter)
    assert caught.value.code == "E502"


@given(
    st.lists(st.sampled_from(["a", "b", "+", "", "$s", "{n}"]), min_size=1, max_size=5),
    st.booleans(),
    st.lists(st.sampled_from(["a", "b", "", "$s", "a\nb"]), min_size=1, max_size=5),
)
def test_matching(levels: list[str], all_below: bool, topic_levels: list[str]) -> None:
    filter = "/".join([*levels, "#"] if all_below else levels)
    topic = "/".join(topic_levels)
    if filter and topic:
        assert TopicFilter.parse(filter).matches(topic) is reference.matches(filter, topic)


def test_a_very_long_filter_is_no_problem() -> None:
    topic = "/".join(["level"] * 10_000)
    with HistoryStore() as store:
        store.write([(1.0, topic, "c", b"", 0, False, None)])
        for filter in (
            topic,
            topic + "/#",
            topic.replace("level", "+", 1),
            "level/" + "+/" * 9_998 + "level",
        ):
            assert store.query(filter).count() == 1
            assert len(store.query(filter)) == 1


NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, 5.0),
        (5.25, 5.25),
        ("10s", NOW - 10),
        ("10m", NOW - 600),
        (" 1.5 h ", NOW - 5_400),
        ("2d", NOW - 172_800),
        ("1w", NOW - 604_800),
        ("250ms", NOW - 0.25),
        (timedelta(minutes=3), NOW - 180),
        (datetime(2022, 3, 20, 11, tzinfo=UTC), 1_647_774_000.0),
        (datetime(2022, 3, 20, 11), datetime(2022, 3, 20, 11).astimezone().timestamp()),
        ("2022-03-20T11:00:00+01:00", 1_647_770_400.0),
        ("2022-03-20", datetime(2022, 3, 20).timestamp()),
    ],
)
def test_moments(value: Any, expected: float) -> None:
    assert moment(value, now=NOW) == expected


@pytest.mark.parametrize("value", ["", "10", "m", "-10m", "10 years", "yesterday", float("nan")])
def test_texts_that_are_no_moment(value: Any) -> None:
    with pytest.raises(ValueError):
        moment(value, now=NOW)


@pytest.mark.parametrize("value", [True, b"10m", [], object()])
def test_values_that_are_no_moment(value: Any) -> None:
    with pytest.raises(TypeError):
        moment(value, now=NOW)


@given(st.integers(min_value=0, max_value=4_294_967_295_000_000))
def test_microseconds_survive_being_a_float(number: int) -> None:
    assert microseconds(number / 1_000_000) == number


def test_moments_beyond_the_column(store: HistoryStore) -> None:
    everything = store.query().count()
    assert store.query(since=float("-inf"), until=float("inf")).count() == everything
    assert store.query(since=-1e300, until=1e300).count() == everything
    assert store.query(since=1e300).rows == []


def test_ages_count_from_the_question() -> None:
    now = datetime.now().timestamp()
    with HistoryStore() as store:
        store.write([(now - age, "a", "c", b"%d" % age, 0, False, None) for age in (7_300, 700, 5)])
        assert [row.text for row in store.query(since="10m")] == ["5"]
        assert [row.text for row in store.query(since="2h", until="1m")] == ["700"]
        assert [row.text for row in store.query(until=timedelta(hours=1))] == ["7300"]


def test_negative_limit(store: HistoryStore) -> None:
    with pytest.raises(ValueError, match="negative"):
        store.query(limit=-1)
