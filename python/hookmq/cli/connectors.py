"""``hookmq connectors``: the connectors of a running broker."""

from __future__ import annotations

import argparse
import json

from .http_api import NOTHING_GIVEN, HttpApi, add_api_flags

__all__ = ["configure", "main"]


_COUNTS = ("written", "rejected", "dropped", "retries", "queued", "spooled")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.set_defaults(**NOTHING_GIVEN)
    add_api_flags(parser)


def main(options: argparse.Namespace) -> int:
    """List them. Return 1 if one of them is away, so that a monitor need not read."""
    connectors = HttpApi.of(options, command="hookmq connectors").list("connectors")["items"]
    if options.json:
        print(json.dumps({"items": connectors}, ensure_ascii=False, indent=2))
    elif not connectors:
        print("no connectors")
    else:
        _print(connectors)
    return 1 if any(one["state"] == "down" for one in connectors) else 0


def _print(connectors: list[dict[str, object]]) -> None:
    from . import table

    titles = ("name", "state", "where", *_COUNTS, "reason")
    rows = [
        (
            str(one["name"]),
            str(one["state"]),
            str(one["target"]),
            *(f"{one[count]:,}" for count in _COUNTS),
            str(one["reason"]) if one["state"] == "down" else "",
        )
        for one in connectors
    ]
    table.console().print(table.make([(title, title in _COUNTS) for title in titles], rows))
