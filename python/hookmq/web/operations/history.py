"""The history of messages: reading it, drawing it, and taking it along."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..charts import MAX_TOPICS, PATIENCE, chart
from ..exports import FORMATS, Exports, export
from ..json_path import BadPath, find, parse_path, paths_of, read_value
from ..problem import Problem
from ..response import Response
from ..schema import Array, Boolean, Field, Integer, Nullable, Number, Object, Ref, Text
from ..security_headers import FRESH, attachment
from ..shown_message import CUT
from ..source import Source
from .operation import Ask, Operation
from .paging import PAGE, after_of, cursor, page
from .shapes import MESSAGE, TOPIC, message

if TYPE_CHECKING:
    from ...storage import Row
    from ...storage.query import History

__all__ = ["chart_of", "moment_of", "operations"]

_PAGE_BYTES = 4 << 20
"""Bytes of payloads behind which a page ends."""

_PATIENCE = 4.0
"""Seconds after which a page is answered with what was found so far."""

_EXAMPLES = 50
"""Messages that are looked at for paths."""

_FILTERS = (
    Field("filter", TOPIC, "a topic filter", example="tank/+/level"),
    Field("topic", TOPIC, "or one topic"),
    Field("since", Text(1, 64), "from then on: epoch seconds, ISO 8601, or an age such as 10m", example="1h"),
    Field("until", Text(1, 64), "before then"),
    Field("client", Text(), "only of this client identifier"),
    Field("contains", Text(1, 1000), "only payloads with this text, whatever the case"),
    Field("path", Text(max=512), "only payloads that have this path", example="sensor.level"),
)

_ROW = Ref(
    "HistoryMessage",
    Object([*MESSAGE.of.fields, Field("number", Integer(), required=True)]),  # type: ignore[attr-defined]
)

_POINTS = Array(Array(Number()), 100_000)


def operations(source: Source) -> Sequence[Operation]:
    """Return what can be asked of the history."""
    api = _HistoryApi(source)
    order = Field("order", Text(among=("desc", "asc")), "newest or oldest first", default="desc")
    return [
        Operation(
            "GET",
            "history",
            api.list,
            "List stored messages",
            query=(*_FILTERS, order, *PAGE),
            answer=page(_ROW),
            raises=(409,),
        ),
        Operation(
            "GET",
            "history/chart",
            api.chart,
            "Draw the numbers in stored messages",
            description="Each point is `[time, least, mean, greatest, count]` of an interval that has any. "
            f"At most {MAX_TOPICS} topics are drawn.",
            query=(
                Field("topic", Array(TOPIC, MAX_TOPICS), "topics; may be repeated"),
                Field("filter", TOPIC, "or a topic filter"),
                Field("path", Text(max=512), "where the number is; empty: the payload", default=""),
                Field("since", Text(1, 64), "from then on", default="1h"),
                Field("until", Text(1, 64), "before then"),
                Field("points", Integer(1, 5000), "of a series at most", default=600),
            ),
            answer=Object(
                [
                    Field(
                        "series",
                        Array(
                            Object(
                                [
                                    Field("topic", Text(), required=True),
                                    Field("path", Text(), required=True),
                                    Field("points", _POINTS, required=True),
                                ]
                            )
                        ),
                        required=True,
                    ),
                    Field("truncated", Boolean(), "whether something was left out", required=True),
                ]
            ),
            raises=(409,),
        ),
        Operation(
            "GET",
            "history/paths",
            api.paths,
            "List the paths in the newest messages of a topic",
            query=(Field("topic", TOPIC, "a topic, or a filter", required=True),),
            answer=Object(
                [
                    Field(
                        "paths",
                        Array(
                            Object(
                                [
                                    Field("path", Text(), required=True),
                                    Field("kind", Text(among=("number", "text", "bool")), required=True),
                                    Field("example", Nullable(Text()), required=True),
                                ]
                            )
                        ),
                        required=True,
                    )
                ]
            ),
            raises=(409,),
        ),
        Operation(
            "GET",
            "history/export",
            api.export,
            "Take stored messages along as a file",
            query=(
                Field("format", Text(among=tuple(FORMATS)), required=True),
                *_FILTERS,
                Field("order", Text(among=("desc", "asc")), "newest or oldest first", default="asc"),
                Field(
                    "formulas",
                    Text(among=("keep", "escape")),
                    "in CSV, `escape` puts a ' before what a spreadsheet would run, but before no number",
                    default="keep",
                ),
            ),
            media="text/csv",
            streams=True,
            raises=(409,),
        ),
    ]


class _HistoryApi:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._exports = Exports()

    def list(self, ask: Ask) -> Any:
        limit, newest = ask.query["limit"], ask.query["order"] == "desc"
        place = _place(after_of(ask.query["cursor"], "history"))
        passes = _passes(ask)
        items: list[dict[str, Any]] = []
        size, deadline = 0, time.monotonic() + _PATIENCE
        history = _history(self._source, _chosen(ask), newest=newest).expecting(limit + 1)
        for stretch in history.stretches(place):
            for row in stretch.rows:
                if len(items) == limit or size > _PAGE_BYTES or time.monotonic() > deadline:
                    return {"items": items, "next": _cursor(place), "total": None}
                place = (round(row.timestamp * 1e6), row.id)
                if passes(row):
                    items.append(message(row) | {"number": row.id})
                    size += min(len(row.payload), CUT)
            if stretch.place is None:
                break
            place = stretch.place
            if time.monotonic() > deadline:
                return {"items": items, "next": _cursor(place), "total": None}
        return {"items": items, "next": None, "total": None}

    def chart(self, ask: Ask) -> Any:
        return chart_of(
            self._source,
            topics=ask.query["topic"] or [],
            filter=ask.query["filter"],
            path=ask.query["path"],
            since=ask.query["since"],
            until=ask.query["until"],
            points=ask.query["points"],
        )

    def paths(self, ask: Ask) -> Any:
        found: dict[str, tuple[str, str]] = {}
        chosen, deadline = {"filter": ask.query["topic"]}, time.monotonic() + _PATIENCE
        history = _history(self._source, chosen, newest=True, limit=_EXAMPLES)
        for row in _with_looks(history):
            if time.monotonic() > deadline:
                break
            if row is None:
                continue
            for path, value in paths_of(read_value(row.payload)):
                if value is None or (path in found and found[path][0] == "number") or len(found) >= 500:
                    continue
                found.setdefault(path, (_kind(value), str(value)[:100]))
        return {
            "paths": [
                {"path": path, "kind": kind, "example": example} for path, (kind, example) in found.items()
            ]
        }

    def export(self, ask: Ask) -> Any:
        format, escaped = ask.query["format"], ask.query["formulas"] == "escape"
        passes = _passes(ask)
        history = _history(self._source, _chosen(ask), newest=ask.query["order"] == "desc")
        # Whether it can be read is known before the answer begins; how much there is, only at its end.
        next(iter(_history(self._source, {"filter": "#"}, newest=True, limit=1)), None)
        rows = (row for row in _with_looks(history) if row is None or passes(row))
        name = time.strftime(f"hookmq-history-%Y%m%d-%H%M%S.{format}")
        headers = {**FRESH, "Content-Disposition": attachment(name)}
        pieces = self._exports.begin(ask.who, lambda: export(rows, format, escaped=escaped))
        return Response(pieces, content_type=FORMATS[format], headers=headers)


def chart_of(
    source: Source,
    *,
    topics: Sequence[str],
    filter: str | None,
    path: str,
    since: str | float | None,
    until: str | float | None,
    points: int,
) -> dict[str, Any]:
    """Return what ``GET history/chart`` answers."""
    if bool(topics) == (filter is not None):
        raise Problem(400, "name either `topic`, which may be repeated, or `filter`")
    steps = _steps(path)
    now = time.time()
    start, end = moment_of(since, "since", now), moment_of(until, "until", now)
    end = now if end is None else end
    series: dict[str, list[list[float]]] = {}
    truncated = False
    base = {"since": start, "until": end}
    deadline = time.monotonic() + PATIENCE
    for one in topics or [filter or "#"]:
        begin = start
        if begin is None:
            looks = _with_looks(_history(source, base | {"filter": one}, newest=False, limit=1))
            oldest = next((row for row in looks if row is not None or time.monotonic() > deadline), None)
            begin = 0.0 if oldest is None else oldest.timestamp
        # The newest first: if there is more than can be read, what is left out is old.
        rows = _with_looks(_history(source, base | {"filter": one}, newest=True))
        names = [str(one)] if topics else []
        found, left_out = chart(
            rows, steps, start=begin, end=end, points=points, topics=names, deadline=deadline
        )
        series |= found
        truncated = truncated or left_out
    return {
        "series": [{"topic": topic, "path": path, "points": found} for topic, found in series.items()],
        "truncated": truncated,
    }


def _chosen(ask: Ask) -> dict[str, Any]:
    filter, topic = ask.query["filter"], ask.query["topic"]
    if filter is not None and topic is not None:
        raise Problem(400, "name either `topic` or `filter`, not both")
    if topic is not None:
        from .subscriptions import check_topic

        check_topic(topic)
    now = time.time()
    return {
        "filter": topic or filter or "#",
        "since": moment_of(ask.query["since"], "since", now),
        "until": moment_of(ask.query["until"], "until", now),
        "client": ask.query["client"],
    }


def moment_of(given: str | float | None, name: str, now: float) -> float | None:
    """Return a moment of the query in seconds since the epoch. Raises a problem for what is none."""
    from ...storage.moments import moment

    if given is None or isinstance(given, float | int):
        return given
    try:
        return float(given)
    except ValueError:
        pass
    try:
        # A + of the distance from UTC that was not percent-encoded comes as a space.
        return moment(given.replace(" ", "+") if "T" in given else given, now=now)
    except (ValueError, OverflowError) as error:
        raise Problem(400, f"`{name}`: {error}", more={"parameter": name}) from None


def _with_looks(history: History) -> Iterator[Row | None]:
    """Return the messages, and now and then None: whoever reads can end it where nothing matches."""
    for stretch in history.stretches():
        yield from stretch.rows
        yield None


def _history(source: Source, chosen: dict[str, Any], *, newest: bool, limit: int | None = None) -> History:
    from ...errors import HookMQError

    recorder = source.run().recorder
    if recorder is None:
        raise HookMQError("E507")
    filter = chosen["filter"]
    rest = {name: value for name, value in chosen.items() if name != "filter"}
    try:
        history: History = recorder.store.query(filter, newest=newest, limit=limit, **rest)
    except HookMQError as error:
        if error.code == "E502":
            raise Problem(400, error.message, more={"parameter": "filter"}) from None
        raise
    except ValueError as error:
        raise Problem(400, str(error)) from None
    return history


def _passes(ask: Ask) -> Any:
    steps = _steps(ask.query["path"] or "")
    contains = ask.query["contains"]
    wanted = contains.lower() if contains is not None else None

    def passes(row: Any) -> bool:
        if wanted is not None and wanted not in row.text.lower():
            return False
        return not steps or find(read_value(row.payload), steps) is not None

    return passes


def _steps(path: str) -> tuple[str | int, ...]:
    try:
        return parse_path(path)
    except BadPath as error:
        raise Problem(400, f"`path`: {error}", more={"parameter": "path"}) from None


def _place(after: str | None) -> tuple[int, int] | None:
    if after is None:
        return None
    at, _, number = after.partition(":")
    try:
        place = int(at), int(number)
    except ValueError:
        raise Problem(400, "`cursor` is none that was answered here") from None
    if abs(place[0]) >= 2**63 or abs(place[1]) >= 2**63:
        raise Problem(400, "`cursor` is none that was answered here")
    return place


def _cursor(place: tuple[int, int] | None) -> str | None:
    return None if place is None else cursor("history", f"{place[0]}:{place[1]}")


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    return "number" if isinstance(value, int | float) else "text"
