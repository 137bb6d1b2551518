"""``hookmq store check``: read the store of a data directory, and say what cannot be read."""

from __future__ import annotations

import argparse

from . import data_directory

__all__ = ["configure", "main"]


_EXIT_DAMAGED = 1


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the commands and their arguments."""
    commands = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    summary = "read the store, and say what cannot be read; the broker may run"
    check = commands.add_parser(
        "check", help=summary, description=f"{summary.capitalize()}.", allow_abbrev=False
    )
    data_directory.add_flags(check)


def main(options: argparse.Namespace) -> int:
    """Check the store; return 0, or 1 if something cannot be read."""
    from hookmq._hookmq import StoreError, check_store
    from hookmq.recovering import store_error

    store = data_directory.find(options) / "store"
    try:
        with data_directory.progress_bar("reading the store") as progress:
            found = check_store(store, progress)
    except StoreError as error:
        raise store_error(error) from None
    names = ("path", "offset", "bytes", "records")
    damages = [dict(zip(names, (str(path), *rest), strict=True)) for path, *rest in found["damages"]]
    whole = not damages and not found["orphans"]
    size = data_directory.in_mib(found["bytes"])
    lines = [f"{store}: {found['records']:,} records in {found['segments']} files, {size}"]
    if found["torn"]:
        lines.append(f"  {found['torn']:,} bytes at the end are half written, and were not acknowledged")
    lines += [
        f"  {one['path']}: {one['bytes']:,} bytes at {one['offset']:,} cannot be read, "
        f"with {one['records']} records"
        for one in damages
    ]
    if found["orphans"]:
        lines.append(f"  {found['orphans']:,} values refer to a message that cannot be read")
    lines.append("  everything that was committed is there" if whole else "  the rest is there")
    facts = {"store": str(store), "ok": whole, **found, "damages": damages}
    data_directory.show(facts, "\n".join(lines), options)
    return 0 if whole else _EXIT_DAMAGED
