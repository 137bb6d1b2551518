"""The broker that the tests attack: a bit of everything that can be asked for."""

from hookmq import Broker, every

broker = Broker(host="127.0.0.1", port=0, http_port=0)


@broker.on_message_received("#", name="watch")
def watch(msg):
    """See everything, and fail at some of it."""
    if msg.topic.startswith("fails/"):
        raise ValueError(msg.text)


@broker.schedule(every(100).days)
def tick():
    """Have something to run."""


@broker.authenticate
def admit(client) -> bool:
    """Let everybody in, whatever he is called."""
    return True


@broker.route("/hello/{name}")
def hello(request, name):
    """A page of the user's own."""
    return f"hello {name}"


if __name__ == "__main__":
    broker.run()
