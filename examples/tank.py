"""A broker that watches a water pipe: a hook, retained alerts, a schedule, a page and a history.

    pip install hookmq paho-mqtt rich
    python examples/tank.py            # replays two months of real flow in three seconds, then checks itself
    python examples/tank.py --keep     # goes on serving the page until Ctrl+C

The sensor is another program, replay.py, which publishes over TCP like any device.
"""

import argparse
import csv
import math
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from html import escape
from itertools import pairwise
from pathlib import Path

from hookmq import Broker, Message, Request, every

HERE = Path(__file__).parent

# Litres per second. All but 45 of the 1,268 readings lie between these. Outside are three periods of water
# loss or maintenance (24 to 83 l/s), and two short peaks from pumping (up to 110 l/s).
LOW, HIGH = 90.0, 106.0

parser = argparse.ArgumentParser(description="Watch a water pipe.")
parser.add_argument("--port", type=int, default=0, help="MQTT port; 0 takes a free one")
parser.add_argument("--http-port", type=int, default=0, help="port of the page; 0 takes a free one")
parser.add_argument("--data-dir", help="where to keep messages (default: removed at the end)")
parser.add_argument("--rate", type=float, default=500, help="readings a second; 0 is as fast as possible")
parser.add_argument("--keep", action="store_true", help="go on serving after the replay")
options = parser.parse_args()

scratch = tempfile.TemporaryDirectory(prefix="hookmq-tank-")
broker = Broker(port=options.port, http_port=options.http_port, data_dir=options.data_dir or scratch.name)

figures: Counter[str] = Counter()
state_of: dict[str, str] = {}


@broker.on_message_received("plant/{pipe}/flow")
def watch(msg: Message, pipe: str) -> None:
    """Publishes an alert when a pipe leaves its range, and another when it is back."""
    reading = msg.json()
    state = "low" if reading["flow"] < LOW else "high" if reading["flow"] > HIGH else "normal"
    figures["out of range"] += state != "normal"
    if state != state_of.get(pipe, "normal"):
        # Retained: whoever subscribes later sees at once how the pipe is.
        broker.publish(f"plant/{pipe}/alert", {"state": state, **reading}, qos=1, retain=True)
    state_of[pipe] = state
    figures["received"] += 1


@broker.schedule(every(1).seconds)
def report() -> None:
    """Tells on the terminal how far we are."""
    for row in broker.history("plant/+/flow").last(by="topic"):
        reading = row.json()
        say(f"{figures['received']:5,} readings; {row.topic} at {reading['time']}: {reading['flow']} l/s")


@broker.route("/flow")
def flow_page(request: Request) -> str:
    """The latest reading of each pipe, and its latest alerts."""
    pipes = alerts = ""
    for row in broker.history("plant/+/flow").last(by="topic"):
        at, flow = escape(row.json()["time"]), row.json()["flow"]
        pipes += f"<tr><td>{escape(row.topic)}<td>{at}<td>{flow:.2f} l/s\n"
    for row in broker.history("plant/+/alert", newest=True, limit=10):
        at, state = escape(row.json()["time"]), escape(row.json()["state"])
        alerts += f"<li>{at} {escape(row.topic)}: {state}\n"
    return f"<!doctype html>\n<title>Flow</title>\n<table>\n{pipes}</table>\n<ul>\n{alerts}</ul>"


def say(text: str) -> None:
    # On a terminal the replay draws its progress bar in the last line: take its place, it comes again below.
    print(f"\r\x1b[2K{text}" if sys.stdout.isatty() else text, flush=True)


def from_csv() -> dict[str, float]:
    """What should come out, from the file alone: nothing here knows of messages, hooks or the broker."""
    with (HERE / "data" / "water-flow.csv").open(newline="") as file:
        flows = [float(row["Water flow [l/s]"]) for row in csv.DictReader(file)]
    sides = [(flow > HIGH) - (flow < LOW) for flow in flows]
    return {
        "received": len(flows),
        "stored": len(flows),
        "out of range": sum(side != 0 for side in sides),
        "alerts": sum(before != after for before, after in pairwise([0, *sides])),
        "mean flow": math.fsum(flows) / len(flows),
    }


def from_broker(since: float) -> dict[str, float]:
    """What did come out: counted by the hook, and read back from the history."""
    stored = broker.history("plant/+/flow", since=since)
    deadline = time.monotonic() + 10
    while figures["received"] < len(stored) and time.monotonic() < deadline:
        time.sleep(0.01)  # hooks run behind the broker, not in its way: let them catch up
    return {
        "received": figures["received"],
        "stored": len(stored),
        "out of range": figures["out of range"],
        "alerts": broker.history("plant/+/alert", since=since).count(),
        "mean flow": math.fsum(row.json()["flow"] for row in stored) / max(len(stored), 1),
    }


def main() -> int:
    with broker:
        page = f"http://127.0.0.1:{broker.http_port}/flow"
        say(f"MQTT   mqtt://127.0.0.1:{broker.port}\nPages  {page}\n")
        started = time.time()
        replay = [sys.executable, str(HERE / "replay.py"), f"--port={broker.port}", f"--rate={options.rate}"]
        subprocess.run(replay, check=True)

        found, expected = from_broker(since=started), from_csv()
        with urllib.request.urlopen(page, timeout=10) as response:
            say(f"\nGET {page}\n{response.read().decode()}")
        say(f"{'':14}{'broker':>10}{'CSV':>10}")
        for name, value in expected.items():
            say(f"{name:14}{found[name]:>10.6g}{value:>10.6g}")
        say("equal" if found == expected else "NOT equal")

        if options.keep:
            say(f"\n{page} is there until Ctrl+C.")
            threading.Event().wait()
    return 0 if found == expected else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(0)
