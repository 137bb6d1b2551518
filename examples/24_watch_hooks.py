"""See how the hooks are doing, and pause one that misbehaves: a page of figures.

python examples/24_watch_hooks.py

mosquitto_pub -t sensor/1 -m '{"level": 12}'
curl localhost:8080/hooks
curl -X POST localhost:8080/hooks/slow/pause
"""

import time
from dataclasses import asdict
from typing import Any

from hookmq import Broker, Message

broker = Broker()
counted: dict[str, int] = {}


# Only where somebody has to act: the condition is tested before Python hears of the message. Two threads, so
# that one sensor does not wait for another; and rather slow down those who publish than lose a message.
@broker.on_message_received("sensor/#", where="level < 20", threads=2, overflow="block")
def slow(msg: Message) -> None:
    time.sleep(0.1)
    print(f"{msg.topic} is low", flush=True)


# Of everything else only the topics, and before the other hooks on its thread.
@broker.on_message_received("#", payload=False, priority=10)
def count(msg: Message) -> None:
    counted[msg.topic] = counted.get(msg.topic, 0) + 1


@broker.route("/hooks")
def hooks() -> list[dict[str, Any]]:
    return [asdict(hook) for hook in broker.hooks]


@broker.route("/hooks/{name}/{action}", methods=("POST",))
def control(name: str, action: str) -> None:
    (broker.pause if action == "pause" else broker.resume)(name)


if __name__ == "__main__":
    broker.run()
