"""``hookmq bench``: what a broker does on this machine."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import sys
from collections.abc import Callable, Iterator

from . import table

__all__ = ["configure", "main"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--host", help="measure the broker there instead of starting one")
    parser.add_argument("--port", type=int, default=1883, help="its port (1883)")
    parser.add_argument("-u", "--username", help="a user name it accepts")
    parser.add_argument("-P", "--password", help="and a password")
    parser.add_argument("--seconds", type=_positive(float), default=2.0, help="for each measurement (2)")
    parser.add_argument("--size", type=_positive(int), default=256, help="bytes of a payload (256)")
    parser.add_argument("--only", action="append", metavar="TEXT", help="those whose name has this in it")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _positive(kind: type[int] | type[float]) -> Callable[[str], int | float]:
    def read(text: str) -> int | float:
        try:
            number = kind(text)
        except ValueError:
            number = 0
        if not 0 < number <= 1 << 20:
            raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {1 << 20:,}")
        return number

    return read


def main(options: argparse.Namespace) -> int:
    """Measure, print what came out, and return 0."""
    from hookmq.measuring.measurement import MEASUREMENTS, measure, own_broker
    from hookmq.measuring.wire import Place

    from .usage import UsageError

    wanted = [name for name in MEASUREMENTS if not options.only or any(one in name for one in options.only)]
    if not wanted:
        raise UsageError(f"no measurement has that in its name; there are: {', '.join(MEASUREMENTS)}")
    figures = []
    with contextlib.ExitStack() as stack:
        if options.host is None:
            place, pid = stack.enter_context(own_broker())
        else:
            place, pid = Place(options.host, options.port, options.username, options.password), None
        progress = stack.enter_context(_progress(len(wanted)))
        for number, name in enumerate(wanted):
            tell = lambda done, number=number, name=name: progress(name, number + done)  # noqa: E731
            figures.append(measure(name, place, pid, seconds=options.seconds, size=options.size, tell=tell))
    broker = None if options.host is None else f"{options.host}:{options.port}"
    if options.json:
        facts = {"broker": broker, "size": options.size, "seconds": options.seconds}
        print(json.dumps(facts | {"figures": [dataclasses.asdict(one) for one in figures]}, indent=2))
        return 0
    of = "a broker of its own" if broker is None else broker
    print(f"{of}, MQTT 3.1.1, {options.size:,} bytes, QoS 0 unless said\n")
    columns = (("", False), ("a second", True), ("CPU each", True), ("median", True), ("99 %", True))
    rows = [
        (one.name, f"{one.rate or 0:,.0f}", *map(_microseconds, (one.cpu_us, one.p50_us, one.p99_us)))
        for one in figures
    ]
    table.console().print(table.make(columns, rows))
    print(
        "\nThe clients share this machine's cores with the broker, and are programs in Python: the CPU is the"
    )
    print("broker's own and says how far it goes. How it compares: docs/performance.md")
    return 0


def _microseconds(value: float | None) -> str:
    return "" if value is None else f"{value:,.2f} us" if value < 10 else f"{value:,.0f} us"


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[str, float], None]]:
    """Show on stderr how far it is, if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda name, done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    with Progress(
        TextColumn("{task.description}"), BarColumn(), console=Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task("measuring", total=total)
        yield lambda name, done: bar.update(task, description=name, completed=done)
