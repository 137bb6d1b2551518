"""Every message is kept: ask for it later, in Python or as a page.

    HOOKMQ_DATA_DIR=data python examples/06_history.py       # without a directory: in memory

    mosquitto_pub -t room/kitchen/temperature -m 21.5
    mosquitto_pub -t room/kitchen/temperature -m 22.0

then open `/latest`, `/mean?room=kitchen` and `/export.csv` at the address that the broker prints.
"""

from statistics import fmean

from hookmq import Broker, Request, Response

broker = Broker()


@broker.route("/latest")
def latest(request: Request) -> dict[str, float]:
    return {row.topic: row.json() for row in broker.history("room/+/temperature").last(by="topic")}


@broker.route("/mean")
def mean(request: Request) -> dict[str, float | None]:
    room = request.query.get("room", "kitchen")
    values = [row.json() for row in broker.history(f"room/{room}/temperature", since="1h")]
    return {"mean": fmean(values) if values else None}


@broker.route("/export.csv")
def export(request: Request) -> Response:
    return Response(broker.history("room/#", newest=True, limit=1000).csv(), content_type="text/csv")


if __name__ == "__main__":
    broker.run()
