"""Rows as JSON and CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from typing import TextIO

from hookmq.storage.row import Row, pack, payload_as_text

CSV_COLUMNS = (
    "datetime",
    "timestamp",
    "topic",
    "client_id",
    "qos",
    "retain",
    "payload",
    "payload_encoding",
    "properties",
)
"""Header of the CSV. `payload_encoding` is "text" or "base64"; `properties` is JSON, or empty."""

# What makes Excel, LibreOffice and Google Sheets take a cell for a formula.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def to_json(rows: Iterable[Row], *, indent: int | None = None) -> str:
    """The rows as one JSON array, without escapes for what is not ASCII."""
    return json.dumps([row.to_dict() for row in rows], ensure_ascii=False, indent=indent)


def write_csv(rows: Iterable[Row], file: TextIO, *, spreadsheet_safe: bool) -> int:
    """Writes a header and one line for each row; returns the number of rows."""
    guard = guarded if spreadsheet_safe else str
    writer = csv.writer(file)
    writer.writerow(CSV_COLUMNS)
    count = 0
    for row in rows:
        count += 1
        payload, encoding = payload_as_text(row.payload)
        properties = json.dumps(pack(row.properties), ensure_ascii=False) if row.properties else ""
        writer.writerow(
            (
                row.datetime.isoformat(),
                row.timestamp,
                guard(row.topic),
                guard(row.client_id),
                row.qos,
                int(row.retain),
                guard(payload),
                encoding,
                properties,
            )
        )
    return count


def guarded(text: str) -> str:
    """The text so that no spreadsheet runs it: `'` before what would be a formula; not before a number."""
    if not text.startswith(FORMULA_STARTS):
        return text
    try:
        float(text)
    except ValueError:
        return "'" + text
    # "-5.3" is by far the most frequent payload that starts like a formula, and a number does nothing.
    return text if text[0] in "+-" else "'" + text
