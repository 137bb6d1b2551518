"""Follow a message to the end: to whom it went, who has it, who will never get it.

python examples/15_receipts.py

mosquitto_sub -i lamp -q 1 -t 'command/#'
mosquitto_pub -q 1 -t command/lamp -m on
"""

from hookmq import Broker, Message

broker = Broker()


@broker.on_message_sent("command/#")
def sent(msg: Message) -> None:
    print(f"{msg.topic} goes to {msg.client_id} with QoS {msg.qos}", flush=True)


@broker.on_message_acked("command/#")
def arrived(msg: Message) -> None:
    print(f"{msg.client_id} has {msg.topic}", flush=True)


@broker.on_message_dropped("command/#")
def lost(msg: Message, client_id: str, reason: str) -> None:
    print(f"{client_id} will not get {msg.topic}: {reason}", flush=True)
    broker.publish(f"lost/{client_id}", msg.topic)


if __name__ == "__main__":
    broker.run()
