"""A million topics at 100,000 messages a second: what the page of topics costs, and whether it stays smooth.

``python -m bench.web.tree``, in the folder of the project. A publisher sends to each topic in turn. The
broker's CPU is taken in turn with the page open, where two levels are unfolded, and closed; and by a broker
that keeps no statistics of topics. Frames are those that the browser draws, the longest included.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import os
import statistics
import sys
import threading
import time
from pathlib import Path
from typing import Any

from ..machine import describe, process_time
from .process import Wire, asked

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "tests"))

from ui.browser import Browser, Page

SITES, DEVICES = 100, 100
PIECE = 0.01
"""Seconds between two pieces that the publisher sends."""

FRAMES = """
new Promise((done) => {
  const times = [], until = performance.now() + %d;
  const frame = (now) => { times.push(now); now < until ? requestAnimationFrame(frame) : done(times); };
  requestAnimationFrame(frame);
})
"""


class Publisher(threading.Thread):
    """Publishes to all topics in turn, at a steady rate, and counts what it has sent."""

    def __init__(self, port: int, topics: int, rate: int) -> None:
        super().__init__()
        self.sent = 0
        self._wire = Wire(port, "plant")
        each = max(1, topics // (SITES * DEVICES))
        names = (
            f"site-{site}/device-{device}/sensor-{sensor}"
            for sensor in range(each)
            for site in range(SITES)
            for device in range(DEVICES)
        )
        packets = [Wire.packet(name, b'{"v":%d}' % number) for number, name in enumerate(names)]
        self._size = int(rate * PIECE)
        starts = range(0, len(packets), self._size)
        self._pieces = [b"".join(packets[start : start + self._size]) for start in starts]
        self._ended = threading.Event()

    def run(self) -> None:
        """Publish until it is to stop."""
        due = time.perf_counter()
        while not self._ended.is_set():
            for piece in self._pieces:
                self._wire.send(piece)
                self.sent += self._size
                due += PIECE
                if (left := due - time.perf_counter()) > 0:
                    time.sleep(left)
                if self._ended.is_set():
                    break
        self._wire.close()

    def stop(self) -> None:
        """End it."""
        self._ended.set()
        self.join()


def log_in(told: dict[str, Any], browser: Browser) -> Page:
    """Open the page of topics with a level and one below it unfolded."""
    address, name, word = f"127.0.0.1:{told['http_port']}", "bench", "a bench of wood"
    connection = http.client.HTTPConnection(address)
    headers = {"X-HookMQ": "1", "Content-Type": "application/json"}
    connection.request(
        "POST",
        "/api/v1/accounts",
        json.dumps({"name": name, "password": word, "role": "admin"}),
        headers,
    )
    connection.getresponse().read()
    page = browser.page()
    page.goto(f"http://{address}/#/login")
    page.settle()
    page.getByLabel("Name").fill(name)
    page.getByLabel("Password").fill(word)
    page.getByRole("button", {"name": "Log in"}).click()
    page.goto(f"http://{address}/#/topics")
    page.settle()
    for level in ("site-0", "device-0"):
        page.getByText(level, {"exact": True}).first().click()
        page.until(f"document.body.innerText.includes('{'device-0' if level == 'site-0' else 'sensor-'}')")
    return page


def cpu(pid: int, publisher: Publisher, seconds: float) -> float:
    """Return the broker's nanoseconds of CPU for a message."""
    begun, sent = process_time(pid), publisher.sent
    time.sleep(seconds)
    return (process_time(pid) - begun) / (publisher.sent - sent)


def main() -> None:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(prog="python -m bench.web.tree", description=__doc__)
    parser.add_argument("--topics", type=int, default=1_000_000)
    parser.add_argument("--rate", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6.0)
    options = parser.parse_args()
    print("; ".join(f"{name}: {fact}" for name, fact in describe({}).items()))
    found: dict[str, list[float]] = {"none": [], "closed": [], "open": []}
    lasted: list[float] = []
    browser = Browser()
    os.environ["HOOKMQ_TOPIC_STATISTICS"] = "true"
    with asked("bench.web.serve") as counting:
        os.environ["HOOKMQ_TOPIC_STATISTICS"] = "false"
        with asked("bench.web.serve") as plain:
            publisher = Publisher(counting.told["port"], options.topics, options.rate)
            publisher.start()
            time.sleep(options.topics / options.rate + 2)
            page = log_in(counting.told, browser)
            for _ in range(options.rounds):
                page.goto("about:blank")
                time.sleep(1)
                found["closed"].append(cpu(counting.pid, publisher, options.seconds))
                page.goto(f"http://127.0.0.1:{counting.told['http_port']}/#/topics")
                page.settle()
                time.sleep(1)
                found["open"].append(cpu(counting.pid, publisher, options.seconds))
                times = page.evaluate(FRAMES % (options.seconds * 1000))
                lasted += [after - before for before, after in itertools.pairwise(times)]
                publisher.stop()
                publisher = Publisher(plain.told["port"], options.topics, options.rate)
                publisher.start()
                time.sleep(1)
                found["none"].append(cpu(plain.pid, publisher, options.seconds))
                publisher.stop()
                publisher = Publisher(counting.told["port"], options.topics, options.rate)
                publisher.start()
                time.sleep(1)
            publisher.stop()
    browser.close()
    none, closed, opened = (min(found[name]) for name in ("none", "closed", "open"))
    print(f"without statistics of topics: {none:6.0f} ns of CPU a message, least of {options.rounds}")
    print(f"with them, no page open:      {closed:6.0f} ns, {closed / none - 1:+.1%}")
    print(f"with the page of topics open: {opened:6.0f} ns, {opened / closed - 1:+.1%} more")
    lasted.sort()
    late = sum(1 for each in lasted if each > 20)
    print(
        f"frames: {1000 / statistics.mean(lasted):.1f} a second, {late / len(lasted):.1%} above 20 ms, "
        f"the longest {lasted[-1]:.0f} ms"
    )


if __name__ == "__main__":
    main()
