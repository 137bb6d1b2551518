"""The command: ``python -m bench.rules``, in the folder of the project."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from ..hooks.child import Child, Failed
from ..hooks.wire import Connection, publish
from ..machine import describe
from ..pages import markdown, put

SCRIPT = Path(__file__).with_name("serve.py")

PAYLOAD = b'{"temp": 31.5, "humidity": 48, "battery": 2.97, "id": "a1b2"}'
TOPICS = 10

BLOCK = 100
"""Messages of each topic in one write."""

MESSAGES = {"none": 2_000_000, "hundred": 60_000, "transform": 100_000}
USUAL = 600_000

ROWS = (
    ("100 rules on other topics, more than without", "beside-100", 1, 1.0),
    ("a rule whose JSON condition holds, more than without", "condition", 1, 3.0),
    ("each of 100 such rules on the same stream", "hundred", 100, 3.0),
    ("the same rule with its result published", "republish", 1, None),
    ("a window of a second with avg() and count()", "window", 1, None),
    ("10 rules on distinct topics", "each-10", 1, None),
    ("10,000 rules on distinct topics", "each-10000", 1, None),
    ("the same condition as a `transform` hook in Python", "transform", 1, None),
)
"""What is shown, which mode it is, how many rules run on a message, and the CPU it may cost in µs."""


def flood(mode: str, scale: float) -> float:
    """Send as fast as it goes; microseconds of CPU that a message costs the broker."""
    frames = b"".join(publish(f"bench/{index}/level", PAYLOAD) for index in range(TOPICS)) * BLOCK
    size = TOPICS * BLOCK
    rounds = max(1, int(MESSAGES.get(mode, USUAL) * scale) // size)
    with Child(str(SCRIPT), mode) as broker, Connection(broker.ready["port"]) as connection:
        for _ in range(max(1, rounds // 10)):
            connection.socket.sendall(frames)
        connection.ping()
        connection.ping()
        before = broker.ask("figures")
        for _ in range(rounds):
            connection.socket.sendall(frames)
        # Counters are added behind the first answer, and before the second.
        connection.ping()
        connection.ping()
        after = broker.ask("figures")
    received = after["messages_received"] - before["messages_received"]
    if received != rounds * size:
        raise Failed(f"{mode}: {received} messages of {rounds * size} were received")
    return (after["cpu"] - before["cpu"]) / 1000 / received


def main() -> int:
    """Run all modes in turn, print the table, and return 0."""
    parser = argparse.ArgumentParser(prog="python -m bench.rules", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each is run; the least counts")
    parser.add_argument("--scale", type=float, default=1.0, help="how many messages, as a factor")
    parser.add_argument("--json", action="store_true", help="print JSON, with the samples of each round")
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="put the table into a Markdown file as well"
    )
    options = parser.parse_args()
    modes = ["none", *(mode for _, mode, _, _ in ROWS)]
    samples: dict[str, list[float]] = {mode: [] for mode in modes}
    for number in range(options.rounds):
        for mode in modes:
            print(f"\r\033[K{number + 1}/{options.rounds} {mode}", end="", file=sys.stderr, flush=True)
            samples[mode].append(flood(mode, options.scale))
    print("\r\033[K", end="", file=sys.stderr)
    table = rows({mode: min(taken) for mode, taken in samples.items()})
    if options.json:
        print(json.dumps({"samples": samples, "machine": describe({})}, indent=2))
    else:
        print(markdown(table, describe({})))
    if options.write is not None:
        put(options.write, "bench-rules", markdown(table, describe({})))
    return 0


def rows(least: dict[str, float]) -> Sequence[Sequence[str]]:
    """Return the table: the CPU of a message, and what is more than without rules, for each rule that ran."""
    table = [("", "µs a message", "µs more, for each rule", "at most")]
    table.append(("no rule", f"{least['none']:.2f}", "", ""))
    for text, mode, count, limit in ROWS:
        more = (least[mode] - least["none"]) / count
        table.append((text, f"{least[mode]:.2f}", f"{more:.2f}", "" if limit is None else f"{limit:.0f}"))
    return table


if __name__ == "__main__":
    sys.exit(main())
