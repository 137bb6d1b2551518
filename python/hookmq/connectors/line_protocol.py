"""InfluxDB's line protocol: a measurement, tags, fields and a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from .record import Record, readable
from .shape import is_binary

__all__ = ["MAX_FIELDS", "fields_of", "line", "nanoseconds"]

Value: TypeAlias = bool | float | str

MAX_FIELDS = 1000
"""Of a record, at most so many become fields: what a client publishes must not make columns without end."""

_IN_NAMES = str.maketrans({",": "\\,", " ": "\\ ", "=": "\\=", "\n": "\\n", "\r": "\\r", "\t": "\\t"})
_IN_MEASUREMENTS = str.maketrans({",": "\\,", " ": "\\ ", "\n": "\\n", "\r": "\\r", "\t": "\\t"})
_IN_TEXTS = str.maketrans({'"': '\\"', "\\": "\\\\"})


def line(measurement: str, tags: Mapping[str, str], fields: Mapping[str, Value], time: int) -> str:
    r"""Return a line without its end. Tags that are empty are left out: the protocol has none.

    >>> line("flow rate", {"topic": "plant/a b", "none": ""}, {"value": 1.5, "ok": True, "text": 'a "b"'}, 7)
    'flow\\ rate,topic=plant/a\\ b value=1.5,ok=true,text="a \\"b\\"" 7'
    """
    head = _name(measurement, _IN_MEASUREMENTS)
    for name, value in sorted(tags.items()):  # sorted: InfluxDB asks for it
        if value:
            head += f",{_name(name)}={_name(value)}"
    body = ",".join(f"{_name(name)}={_literal(value)}" for name, value in fields.items())
    return f"{head} {body} {time}"


def fields_of(record: Record) -> dict[str, Value]:
    """Return what a record says as fields.

    A JSON object becomes a field for each value in it, with dots in the names; a number alone is ``value``,
    anything else ``text``. All numbers are floats, because a field has one type for ever and clients publish
    20 as well as 20.5; ``null`` is left out.

    >>> fields_of(Record(1, 7, "received", 0.0, payload=b'{"a": {"b": 1, "c": [true, "x"]}, "n": null}'))
    {'a.b': 1.0, 'a.c.0': True, 'a.c.1': 'x'}
    >>> fields_of(Record(1, 7, "received", 0.0, payload=b"20")), fields_of(Record(1, 7, "received", 0.0))
    ({'value': 20.0}, {'text': ''})
    """
    if record.kind not in ("received", "sent"):
        found = dict(_flat("", {"event": record.kind, **(record.detail or {})}))
    else:
        payload = readable(record.payload)
        if isinstance(payload, dict) and not is_binary(payload):
            found = dict(_flat("", payload))
        elif isinstance(payload, bool) or not isinstance(payload, int | float):
            found = {"text": record.text}
        else:
            found = dict(_flat("value", payload))
    return found or {"text": record.text}


def nanoseconds(record: Record) -> int:
    """Return a time that is the record's own: its microsecond, and its number in the place of nanoseconds.

    A record that is written again has the same and so replaces itself; others of the same microsecond do not.

    >>> nanoseconds(Record(1, 7, "received", 1_650_000_000.5))
    1650000000500000008
    """
    return round(record.time * 1_000_000) * 1000 + (record.number + record.run) % 1000


def _flat(name: str, value: Any) -> Iterator[tuple[str, Value]]:
    """Return the values within a value, with their names; without recursion, as clients choose the depth."""
    waiting = [(name, value)]
    count = 0
    while waiting and count < MAX_FIELDS:
        name, value = waiting.pop()
        if isinstance(value, Mapping | list):
            pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
            waiting += [(f"{name}.{key}" if name else str(key), item) for key, item in reversed(list(pairs))]
        elif value is not None:
            count += 1
            # `time` is what the line has at its end; InfluxDB drops such a field, or the line.
            yield "time_" if name == "time" else name or "_", _value(value)


def _value(value: Any) -> Value:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        try:
            return float(value)
        except OverflowError:
            return str(value)
    return value if isinstance(value, str) else str(value)


def _literal(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    return f'"{value.translate(_IN_TEXTS)}"'


def _name(text: str, escapes: Mapping[int, str] = _IN_NAMES) -> str:
    escaped = text.translate(escapes)
    if escaped.startswith("#"):
        escaped = "_" + escaped[1:]  # a line that begins with it is a comment, which nobody stores
    # Nothing can escape a backslash, and one at the end would escape what follows.
    return escaped[:-1] + "_" if escaped.endswith("\\") else escaped
