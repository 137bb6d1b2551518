"""Try a hook on yesterday's messages before any device meets it.

python examples/23_replay.py
"""

from hookmq import Broker, Change, Message

broker = Broker(port=0, http_port=None)


# The new code. Somebody has forgotten that a tank may be empty, and one that is overfull.
@broker.transform("tank/{tank}/litres")
def to_percent(msg: Message, tank: str) -> Change:
    litres = msg.json()["litres"]
    if litres > 800:
        broker.publish("alarm", f"tank {tank} is nearly full")
    return Change(payload={"litres": litres, "percent": litres / 10, "per_litre": 1 / litres})


if __name__ == "__main__":
    with broker:
        # What devices have published. (What the program itself publishes passes no `transform` hook.)
        for litres in (640, 0, 870):
            broker.publish("tank/7/litres", {"litres": litres})
        result = broker.replay(hook=to_percent, client="")
        print(result)
        print(f"{result.changed} would be changed, {result.published} alarm, {result.errors} error")
