"""How long a message takes from client to client, with 50 pages open and without, round by round in turn.

``python -m bench.web.latency``, in the folder of the project. Every page watches the overview, the tree of
topics, a dashboard of 12 widgets and the hooks. Beside the message that is timed, another changes a widget.
"""

from __future__ import annotations

import argparse
import json
import time
from contextlib import ExitStack

from ..machine import describe
from .process import Wire, asked, share
from .serve import WIDGETS

PAUSE = 0.0005
"""Seconds between messages: some 1,000 a second come, half of them timed."""


def measure(port: int, count: int) -> tuple[float, float]:
    """Return p50 and p99 of the microseconds of a message."""
    sender, receiver = Wire(port, "sender"), Wire(port, "receiver")
    receiver.subscribe("there")
    packet = Wire.packet("there", b"x" * 64)
    took = []
    for number in range(count):
        sender.send(Wire.packet(f"plant/{number % WIDGETS}", json.dumps({"v": number}).encode()))
        time.sleep(PAUSE)
        begun = time.perf_counter()
        sender.send(packet)
        receiver.receive(len(packet))
        took.append((time.perf_counter() - begun) * 1e6)
        time.sleep(PAUSE)
    sender.close()
    receiver.close()
    took.sort()
    return share(took, 0.5), share(took, 0.99)


def main() -> None:
    """Measure in turn, and print the least of all rounds and their quotient."""
    parser = argparse.ArgumentParser(prog="python -m bench.web.latency", description=__doc__)
    parser.add_argument("--pages", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--messages", type=int, default=3000)
    options = parser.parse_args()
    print("; ".join(f"{name}: {fact}" for name, fact in describe({}).items()))
    samples: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    with asked("bench.web.serve") as broker:
        port = broker.told["port"]
        measure(port, 500)
        watches = [
            {"do": "watch", "id": "o", "view": "overview"},
            {"do": "watch", "id": "t", "view": "topics", "with": {"parents": ["", "plant"]}},
            {"do": "watch", "id": "d", "view": "dashboard", "with": {"id": broker.told["dashboard"]}},
            {"do": "watch", "id": "h", "view": "hooks"},
        ]
        arguments = (str(broker.told["http_port"]), str(options.pages), json.dumps(watches))
        for number in range(2 * options.rounds):
            opened = number % 2 == 1
            with ExitStack() as stack:
                if opened:
                    stack.enter_context(asked("bench.web.viewing", *arguments))
                time.sleep(1.0)
                sample = measure(port, options.messages)
            samples[opened].append(sample)
            name = f"{options.pages} pages" if opened else "no pages"
            print(f"{name:>9}: p50 {sample[0]:6.1f} µs, p99 {sample[1]:6.1f} µs")
    # The least of all rounds, as everywhere here: what is more is what else the machine was doing.
    without, beside = ([min(one) for one in zip(*samples[opened], strict=True)] for opened in (False, True))
    print(f"least: without p50 {without[0]:.1f} µs, p99 {without[1]:.1f} µs")
    print(f"       with    p50 {beside[0]:.1f} µs, p99 {beside[1]:.1f} µs")
    print(f"       p50 × {beside[0] / without[0]:.2f}, p99 × {beside[1] / without[1]:.2f}")


if __name__ == "__main__":
    main()
