"""One dashboard on many pages: the broker's CPU, frames, and how late they are.

``python -m bench.web.viewers``, in the folder of the project. 12 widgets change ten times a second each.
"""

from __future__ import annotations

import argparse
import json
import threading
import time

from ..machine import describe, process_time
from .process import Wire, asked, share
from .serve import WIDGETS

RATE = 10
"""Messages a second for each widget."""


def publish(port: int, stop: threading.Event) -> None:
    """Publish until it is to stop."""
    wire, number = Wire(port, "plant"), 0
    while not stop.wait(1 / RATE):
        number += 1
        payload = json.dumps({"v": number}).encode()
        wire.send(b"".join(Wire.packet(f"plant/{widget}", payload) for widget in range(WIDGETS)))
    wire.close()


def main() -> None:
    """Measure without pages, with one and with all, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.web.viewers", description=__doc__)
    parser.add_argument("--pages", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=15.0)
    options = parser.parse_args()
    print("; ".join(f"{name}: {fact}" for name, fact in describe({}).items()))
    with asked("bench.web.serve") as broker:
        stop = threading.Event()
        publisher = threading.Thread(target=publish, args=(broker.told["port"], stop))
        publisher.start()
        try:
            for pages in (0, 1, options.pages):
                measure(broker.pid, broker.told, pages, options.seconds)
        finally:
            stop.set()
            publisher.join()


def measure(pid: int, told: dict[str, object], pages: int, seconds: float) -> None:
    """Measure with so many pages."""
    if not pages:
        begun = process_time(pid)
        time.sleep(seconds)
        print(f"{0:5} pages: CPU {(process_time(pid) - begun) / seconds / 1e7:5.1f} % of a core")
        return
    watch = {"do": "watch", "id": "d", "view": "dashboard", "with": {"id": told["dashboard"]}}
    arguments = (str(told["http_port"]), str(pages), json.dumps([watch]))
    with asked("bench.web.viewing", *arguments) as viewing:
        time.sleep(2.0)
        viewing.ask()
        begun = process_time(pid)
        time.sleep(seconds)
        seen = viewing.ask()
        cpu = (process_time(pid) - begun) / seen["seconds"] / 1e7
        rate = seen["frames"] / seen["seconds"]
        late, ages = seen["on_the_way"], seen["ages"]
        traffic = f"{rate / pages:.2f} a page, {seen['bytes'] / seen['seconds'] / 1e6:.1f} MB/s"
        print(
            f"{pages:5} pages: CPU {cpu:5.1f} % of a core; {rate:,.0f} frames a second ({traffic});", end=" "
        )
        print(f"{seen['closed']} closed; a frame is there after {_late(late)}; a message after {_late(ages)}")


def _late(seconds: list[float]) -> str:
    return f"{share(seconds, 0.5) * 1000:.0f} ms (p99 {share(seconds, 0.99) * 1000:.0f} ms)"


if __name__ == "__main__":
    main()
