"""A hook, a schedule, a login and a page.

    python examples/01_hello.py

    mosquitto_sub -u tank -P secret -t 'tank/+/alert'
    mosquitto_pub -u tank -P secret -t tank/7/level -m '{"level": 12}'

and look at the page `/hello?name=you` at the address that the broker prints.
"""

from hookmq import Broker, Client, Message, Request, every

broker = Broker()


@broker.on_message_received("tank/{tank}/level")
def watch(msg: Message, tank: str) -> None:
    if msg.json()["level"] < 20:
        broker.publish(f"tank/{tank}/alert", {"low": True}, retain=True)


@broker.schedule(every(10).seconds)
def remind() -> None:
    for row in broker.history("tank/+/level", since="10m").last(by="topic"):
        print(row.topic, row.json())


@broker.authenticate
def admit(client: Client) -> bool:
    return client.username == "tank" and client.password == "secret"


@broker.route("/hello")
def hello(request: Request) -> str:
    return f"hello {request.query.get('name', 'world')}"


if __name__ == "__main__":
    broker.run()
