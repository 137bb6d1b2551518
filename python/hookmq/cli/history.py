"""``hookmq history``: the stored messages of a running broker, as a list or as a file."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from typing import Any

from hookmq.errors import HookMQError

from . import table
from .http_api import NOTHING_GIVEN, HttpApi, add_api_flags
from .listing import preview, print_list
from .usage import UsageError

__all__ = ["configure", "main"]

_FORMATS = {".csv": "csv", ".jsonl": "jsonl", ".parquet": "parquet"}
"""Formats of files by how their names end."""

_LIMIT = 20
"""Messages that are listed, unless it is said otherwise."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.set_defaults(**NOTHING_GIVEN)
    parser.add_argument(
        "topic", metavar="TOPIC", nargs="?", default="#", help="a topic, or a topic filter (#)"
    )
    parser.add_argument("--since", metavar="TIME", help="from then on: 10m, 2h, 7d, or ISO 8601")
    parser.add_argument("--until", metavar="TIME", help="before then")
    parser.add_argument("--client", metavar="ID", help="only of this client identifier")
    parser.add_argument("--limit", metavar="N", type=int, help=f"the newest so many ({_LIMIT}); 0: all")
    parser.add_argument("--export", metavar="FILE", help="write all of them to a file; -: standard output")
    parser.add_argument(
        "--format", choices=tuple(_FORMATS.values()), help="of the file (by the end of its name, else csv)"
    )
    add_api_flags(parser)


def main(options: argparse.Namespace) -> int:
    """List the newest messages, or export all of them; return 0."""
    if options.limit is not None and options.limit < 0:
        raise UsageError(f"--limit is {options.limit}; expected 0 or more")
    api = HttpApi.of(options, command="hookmq history")
    chosen = {
        "filter": options.topic,
        "since": options.since,
        "until": options.until,
        "client": options.client,
    }
    if options.export is not None:
        if options.limit is not None:
            raise UsageError(
                "--limit is for the list: a file has all messages; choose with --since and --until"
            )
        _export(api, options, chosen)
    else:
        if options.format is not None:
            raise UsageError("--format is of a file: name it with --export")
        limit = _LIMIT if options.limit is None else options.limit or None
        _list(api.list("history", limit=limit, **chosen), options)
    return 0


def _list(found: dict[str, Any], options: argparse.Namespace) -> None:
    def row(one: dict[str, Any]) -> tuple[str, ...]:
        at, payload = table.moment_at(one["at"]), preview(one["payload"])
        return (at, one["topic"], one["client_id"], str(one["qos"]), f"{one['bytes']:,}", payload)

    titles = ("at", "topic", "by", "QoS", "bytes", "value")
    columns = [(title, title in ("QoS", "bytes")) for title in titles]
    if not options.json:
        found = found | {"items": found["items"][::-1]}  # the newest at the end, where one looks
    print_list(found, columns, row, as_json=options.json, nothing="no stored messages")


def _export(api: HttpApi, options: argparse.Namespace, chosen: dict[str, Any]) -> None:
    format = options.format or _FORMATS.get(os.path.splitext(options.export)[1].lower(), "csv")
    if options.export == "-":
        api.download("history/export", sys.stdout.buffer, format=format, **chosen)
        return
    # Whoever sees the file sees all of it: what breaks off in between leaves none, and not half of one.
    part = f"{options.export}.part"
    try:
        try:
            with open(part, "wb") as stream:
                written = api.download("history/export", stream, format=format, **chosen)
            os.replace(part, options.export)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(part)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise HookMQError("E703", path=options.export, reason=reason) from None
    done = {"file": options.export, "format": format, "bytes": written}
    print(json.dumps(done) if options.json else f"{options.export}: {written:,} bytes of {format}")
