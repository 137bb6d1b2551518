"""Pages of your own: text, HTML, JSON, a form that publishes, a file to download.

    python examples/04_pages.py

and open the address that the broker prints.
"""

from html import escape

from hookmq import Broker, Request, Response

broker = Broker()


@broker.route("/text")
def text(request: Request) -> str:
    return f"{request.method} {request.path}"


@broker.route("/greeting")
def greeting(request: Request) -> str:
    # What begins with "<" is HTML. Names come from the outside: escape them.
    return f"<h1>Hello {escape(request.query.get('name', 'world'))}</h1>"


@broker.route("/figures")
def figures(request: Request) -> dict[str, object]:
    return {"flow": 100.59, "unit": "l/s", "asked": dict(request.query)}


@broker.route("/publish", methods=("POST",))
def publish(request: Request) -> Response:
    broker.publish("from/page", request.json())
    return Response("published", status=202)


@broker.route("/flow.csv")
def download(request: Request) -> Response:
    headers = {"Content-Disposition": "attachment; filename=flow.csv"}
    return Response("time,flow\n1,100.59\n", content_type="text/csv", headers=headers)


if __name__ == "__main__":
    broker.run()
