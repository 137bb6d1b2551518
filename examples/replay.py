"""Publishes the water flow of a real pipeline, row by row: the sensor of tank.py, as a program of its own.

    pip install paho-mqtt rich
    python examples/replay.py --port 1883 --rate 500

Each row of data/water-flow.csv becomes one message with QoS 1, such as
{"time": "2022-03-20T11:00:00+01:00", "flow": 100.59}. The program ends when the broker has acknowledged all.
"""

import argparse
import csv
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

DATA = Path(__file__).parent / "data" / "water-flow.csv"
WINDOW = 100  # messages that may be on their way at a time
PATIENCE = 10.0  # seconds to wait for an acknowledgement


def main() -> int:
    parser = argparse.ArgumentParser(description="Publish the flow of a pipeline.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=1883)
    parser.add_argument("--topic", default="plant/north/flow")
    parser.add_argument(
        "--rate", type=float, default=0, help="messages a second; 0 is as fast as they are taken"
    )
    options = parser.parse_args()

    with DATA.open(newline="") as file:
        rows = list(csv.DictReader(file))

    window = threading.BoundedSemaphore(WINDOW)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
    task = bar.add_task("replay", total=len(rows))

    def acknowledged(*_: Any) -> None:
        bar.advance(task)
        window.release()

    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="replay")
    client.max_inflight_messages_set(WINDOW)
    client.on_publish = acknowledged
    try:
        client.connect(options.host, options.port)
    except OSError as error:
        print(f"replay: cannot reach {options.host}:{options.port}: {error}", file=sys.stderr)
        return 1
    client.loop_start()

    started = time.monotonic()
    with bar:
        for number, row in enumerate(rows):
            if options.rate:
                time.sleep(max(0.0, started + number / options.rate - time.monotonic()))
            message = {"time": row["Time"], "flow": float(row["Water flow [l/s]"])}
            if not window.acquire(timeout=PATIENCE):
                break
            client.publish(options.topic, json.dumps(message), qos=1)
        # The whole window free again means that everything is acknowledged.
        complete = all(window.acquire(timeout=PATIENCE) for _ in range(WINDOW))
    client.disconnect()
    client.loop_stop()
    if not complete:
        print("replay: the broker does not acknowledge", file=sys.stderr)
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
