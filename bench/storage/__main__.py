"""The command: ``python -m bench.storage``, in the folder of the project."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from hookmq.connectors import SQL

from .. import load
from ..brokers import Broker
from ..machine import describe
from ..pages import markdown, put
from ..peers import free_port, versions
from ..store.load import publish_qos1
from .servers import MariaDB, PostgreSQL, RedisServer

ROUNDS = 3
SECONDS = 3.0
PUBLISHERS, WINDOW, SIZE = 4, 2000, 64
SERVICES = ("sqlite", "postgresql", "mariadb", "redis")
PEERS = {"paho, one by one": 1, "paho, by 500": 500}
TARGET, TARGET_RATE = 10.0, 0.8
RATE = 20_000

Samples = dict[str, dict[str, list[float]]]


class Child:
    """A process that says ``ready``, and how many it has stored when it is asked."""

    def __init__(self, program: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name(program)), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        if self._line() != "ready":
            raise RuntimeError(f"{program} {arguments[0]} does not start")

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    @property
    def stored(self) -> int:
        """How many it has stored."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return int(self._line())

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Services:
    """The databases, each empty when it is asked for."""

    def __init__(self, place: Path, stack: ExitStack) -> None:
        self._place, self._stack = place, stack
        self._servers: dict[str, Any] = {}
        self._count = 0

    def url(self, kind: str) -> str:
        """Return an empty database; for SQLite the path of a file."""
        self._count += 1
        if kind == "sqlite":
            return str(self._place / f"{self._count}.db")
        if kind not in self._servers:
            made = {"postgresql": PostgreSQL, "mariadb": MariaDB, "redis": RedisServer}[kind]
            self._servers[kind] = server = made(self._place / kind)
            self._stack.callback(server.close)
        server = self._servers[kind]
        server.empty()
        return str(server.url)


def make_tables(kind: str, url: str) -> None:
    """Make the tables that HookMQ makes."""
    if kind != "redis":
        connector = SQL(f"sqlite:///{url}" if kind == "sqlite" else url)
        connector.open()
        connector.close()


def stored_rate(kind: str, name: str, services: Services, place: Path) -> float:
    """Messages a second that are in the database, while publishers send as fast as they are acknowledged."""
    url = services.url(kind)
    with ExitStack() as stack:
        if name == "hookmq":
            port = free_port()
            full = f"sqlite:///{url}" if kind == "sqlite" else url
            child = stack.enter_context(Child("serve.py", kind, full, str(port), str(place / "data")))
        else:
            make_tables(kind, url)
            broker = stack.enter_context(Broker("mosquitto", place / "mosquitto"))
            port = broker.port
            child = stack.enter_context(Child("consumer.py", kind, url, str(PEERS[name]), str(port)))
        publish_qos1(port, 0.5, publishers=PUBLISHERS, window=WINDOW, size=SIZE)
        before, began = child.stored, time.perf_counter()
        publish_qos1(port, SECONDS, publishers=PUBLISHERS, window=WINDOW, size=SIZE)
        rate = (child.stored - before) / (time.perf_counter() - began)
    shutil.rmtree(place / "data", ignore_errors=True)
    return rate


def passed_rate(kind: str, services: Services, place: Path) -> float:
    """Messages a second that reach a subscriber, at 20,000 published a second."""
    port = free_port()
    url = "-" if kind == "none" else services.url(kind)
    full = f"sqlite:///{url}" if kind == "sqlite" else url
    with Child("serve.py", kind, full, str(port), str(place / "data")):
        clock: list[float] = []
        tick = lambda: clock.append(time.perf_counter())  # noqa: E731
        count = 3 * RATE
        load.measure(port, {"count": count, "warm-up": RATE // 2, "rate": RATE}, tick, tick)
    shutil.rmtree(place / "data", ignore_errors=True)
    return count / (clock[1] - clock[0])


def interleave(rounds: int, services: Services, place: Path) -> Samples:
    """Run everything, then again."""
    samples: Samples = {}

    def take(row: str, name: str, figure: float) -> None:
        samples.setdefault(row, {}).setdefault(name, []).append(figure)

    for number in range(rounds):
        for kind in SERVICES:
            for name in ("hookmq", *PEERS):
                print(f"\r\033[K{number + 1}/{rounds} {kind}: {name}", end="", file=sys.stderr)
                take(kind, name, stored_rate(kind, name, services, place))
        for kind in ("none", *SERVICES):
            print(f"\r\033[K{number + 1}/{rounds} {RATE:,} a second, {kind}", end="", file=sys.stderr)
            take("passed", kind, passed_rate(kind, services, place))
    print("\r\033[K", end="", file=sys.stderr)
    return samples


def table(samples: Samples) -> list[tuple[str, ...]]:
    """Return what was asked for and what came out: the best of all rounds."""
    rows: list[tuple[str, ...]] = [("stored into", "HookMQ", *PEERS, "× one by one", f"target {TARGET:g} ×")]
    for kind in SERVICES:
        best = {name: max(figures) for name, figures in samples[kind].items()}
        ratio = best["hookmq"] / best["paho, one by one"]
        figures = [f"{best[name]:,.0f}/s" for name in ("hookmq", *PEERS)]
        rows.append((kind, *figures, f"{ratio:.1f}", "met" if ratio >= TARGET else "missed"))
    passed = {kind: max(figures) for kind, figures in samples["passed"].items()}
    for kind in SERVICES:
        share = passed[kind] / passed["none"]
        verdict = "met" if share >= TARGET_RATE else "missed"
        figure = f"{passed[kind]:,.0f}/s"
        rows.append((f"passed on at {RATE:,}/s, {kind}", figure, "", "", f"{share:.2f} × without", verdict))
    return rows


def main() -> int:
    """Run and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.storage", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"how often each is run ({ROUNDS})")
    parser.add_argument("--json", action="store_true", help="print JSON, with the samples of each round")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into a Markdown file")
    options = parser.parse_args()
    load.build()
    place = Path(tempfile.mkdtemp(prefix="bench-storage-"))
    place.chmod(0o755)  # PostgreSQL does not run as root
    try:
        with ExitStack() as stack:
            samples = interleave(options.rounds, Services(place, stack), place)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    facts = describe(versions(["mosquitto"]))
    if options.json:
        print(json.dumps({"facts": facts, "samples": samples}, indent=2))
    else:
        rows = table(samples)
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        for row in rows:
            print("  ".join(map(str.ljust, row, widths)).rstrip())
    if options.write is not None:
        put(options.write, "bench-storage", markdown(table(samples), facts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
