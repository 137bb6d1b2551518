"""Answers that take their time: events as they happen, an export row by row, files of a directory.

python examples/22_streams.py

curl -N localhost:8080/events        # goes on until Ctrl+C; an EventSource in a page reads it as well
curl localhost:8080/export.csv
curl localhost:8080/data/README.md
mosquitto_pub -t room/kitchen/temperature -m 21.5
"""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from hookmq import Broker, File, Response

broker = Broker()

DATA = Path(__file__).parent / "data"


@broker.route("/events")
async def events() -> Response:
    async def stream() -> AsyncIterator[str]:
        with broker.subscribe("room/#") as messages:
            yield ": this line tells the browser that it is connected\n\n"
            async for msg in messages:
                yield f"data: {json.dumps({'topic': msg.topic, 'text': msg.text})}\n\n"

    return Response(stream(), content_type="text/event-stream")


@broker.route("/export.csv")
def export() -> Response:
    def rows() -> Iterator[str]:
        yield "time,topic\r\n"
        for row in broker.history("room/#"):
            yield f"{row.timestamp},{row.topic}\r\n"

    return Response(rows(), content_type="text/csv")


@broker.route("/data/{name:path}")
def data(name: str) -> File:
    # `root` keeps a name such as ../secret in its place.
    return File(name, root=DATA)


if __name__ == "__main__":
    broker.run()
